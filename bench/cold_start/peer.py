"""A Lambda function in Python that reads one row: the peer of the functions in cold_start."""

import http.client
import json
import os

import boto3

TABLE = os.environ["TABLE"]
INVOCATION = "/2018-06-01/runtime/invocation/"
dynamodb = boto3.client("dynamodb")


def handle(event):
    key = {"pk": {"S": "a"}, "sk": {"S": "b"}}
    found = dynamodb.get_item(TableName=TABLE, Key=key, ConsistentRead=True)
    return {"found": "Item" in found}


def main():
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        api.request("GET", INVOCATION + "next")
        response = api.getresponse()
        event = json.loads(response.read())
        request = response.headers["lambda-runtime-aws-request-id"]
        api.request("POST", INVOCATION + request + "/response", json.dumps(handle(event)))
        api.getresponse().read()


main()
