// A Lambda function in Node that reads one row: the peer of the functions in cold_start.
import http from "node:http";
import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const invocation = "/2018-06-01/runtime/invocation/";
const agent = new http.Agent({ keepAlive: true });
const dynamodb = new DynamoDBClient({});

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const request = http.request({ host, port, agent, method, path: invocation + path, headers }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve([response.headers, Buffer.concat(chunks).toString()]));
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function handle(event) {
  const Key = { pk: { S: "a" }, sk: { S: "b" } };
  const found = await dynamodb.send(
    new GetItemCommand({ TableName: process.env.TABLE, Key, ConsistentRead: true }),
  );
  return { found: found.Item !== undefined };
}

async function main() {
  for (;;) {
    const [headers, event] = await call("GET", "next");
    const reply = JSON.stringify(await handle(JSON.parse(event)));
    await call("POST", headers["lambda-runtime-aws-request-id"] + "/response", reply);
  }
}

main();
