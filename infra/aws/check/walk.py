"""Walks a photo through functions that run under `cargo lambda watch`, and says at each step what has to be there."""

import copy
import json
import os
import subprocess
import tempfile
import time
import urllib.request

import botocore.session

PHOTO = "events/photos/coffee.png"

session = botocore.session.get_session()
sqs, s3 = session.create_client("sqs"), session.create_client("s3")


def sample(name):
    with open(f"events/{name}.json", encoding="utf-8") as file:
        return json.load(file)


def invoke(function, event):
    """What the function answers to an event: a sample's path, or the event itself."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        if not isinstance(event, str):
            json.dump(event, file)
            file.flush()
        port = os.environ[f"PORT_{function.upper().replace('-', '_')}"]
        answer = subprocess.run(
            ["cargo", "lambda", "invoke", function, "--invoke-address", "127.0.0.1", "--invoke-port", port,
             "--data-file", event if isinstance(event, str) else file.name],
            capture_output=True, text=True, timeout=120, check=False,
        )
    assert answer.returncode == 0, f"{function}: {answer.stderr}"
    return json.loads(answer.stdout)


def call(method, path, body=None, signed_in=True):
    """The API's answer: status and body."""
    event = copy.deepcopy(sample("engine-api.httpapi"))
    event |= {"rawPath": path, "routeKey": f"{method} /v1/{{proxy+}}", "body": body and json.dumps(body)}
    event["pathParameters"] = {"proxy": path.removeprefix("/v1/")}
    event["requestContext"]["http"] |= {"method": method, "path": path}
    event["headers"] |= {"content-type": "application/json", "idempotency-key": f"walk {method} {path}"}
    event["headers"].pop("content-length")
    if not signed_in:
        del event["requestContext"]["authorizer"]
    answer = invoke("engine-api", event)
    return answer["statusCode"], json.loads(answer["body"])


def batch(function, bodies):
    """The event by which a queue function is given these messages."""
    event = sample(f"{function}.sqs")
    record = event["Records"][0]
    event["Records"] = [record | {"messageId": f"m{n}", "body": body} for n, body in enumerate(bodies)]
    return event


def waiting(queue):
    """What waits in a queue, taken out of it."""
    url = os.environ[queue]
    taken = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
    for message in taken:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in taken]


def put(upload, content, headers=None):
    """Whether the bucket takes it."""
    request = urllib.request.Request(
        upload["url"], content, headers=upload["headers"] | (headers or {}), method=upload["method"])
    try:
        return urllib.request.urlopen(request, timeout=30).status == 200
    except urllib.error.HTTPError:
        return False


def step(what):
    print(f"  {time.monotonic() - began:5.1f} s  {what}", flush=True)


began = time.monotonic()
everything_went = {"batchItemFailures": []}

answer = invoke("engine-api", "events/engine-api.httpapi.json")
assert answer["statusCode"] == 200 and json.loads(answer["body"])["items"] == [], answer
assert call("GET", "/v1/drafts", signed_in=False)[0] == 401
step("engine-api answers the sample event: no drafts; without claims: 401")

assert invoke("tag", "events/tag.sqs.json") == everything_went
assert invoke("tag", batch("tag", ["poison"])) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
assert waiting("COMPOSE_QUEUE") == []
step("tag passes over the sample's draft, which is not there, and gives a poisonous message back")

with open(PHOTO, "rb") as file:
    photo = file.read()
status, announced = call("POST", "/v1/media", {"content_type": "image/png", "size": len(photo)})
assert status == 201, announced
assert not put(announced["upload"], photo + b"!"), "another size"
assert not put(announced["upload"], photo, {"content-type": "image/gif"}), "another type"
assert put(announced["upload"], photo)
step("engine-api announces a photo; the bucket takes exactly what was signed")

notices = []
while not notices:
    notices = [n for n in waiting("INGEST_QUEUE") if "ObjectCreated" in n]
assert invoke("ingest", batch("ingest", notices)) == everything_went
media = announced["media"]["id"]
status, found = call("GET", f"/v1/media/{media}")
assert status == 200 and found["state"] == "ready", found
kept = s3.list_objects_v2(Bucket=os.environ["BUCKET"])["Contents"]
assert kept and not any(blob["Key"].startswith("in/") for blob in kept), kept
for blob in kept:
    head = s3.head_object(Bucket=os.environ["BUCKET"], Key=blob["Key"])
    assert head["ServerSideEncryption"] == "aws:kms" and head["SSEKMSKeyId"] == os.environ["DATA_KEY"], head
step(f"the bucket's notice reaches ingest, which keeps {len(kept)} encrypted pictures and forgets the upload")

tagging = waiting("TAG_QUEUE")
assert len(tagging) == 1, tagging
assert invoke("tag", batch("tag", tagging)) == everything_went
composing = waiting("COMPOSE_QUEUE")
assert [json.loads(m)["message"] for m in composing] == [json.loads(m)["message"] for m in tagging], composing
draft = json.loads(composing[0])["message"]["draft"]
status, found = call("GET", f"/v1/drafts/{draft}")
assert status == 200 and found["stage"] == "composing" and found["labels"], found
step("tag labels the draft, moves it on and tells compose")

assert invoke("tag", batch("tag", tagging)) == everything_went
again = waiting("COMPOSE_QUEUE")
assert [json.loads(m)["message"]["draft"] for m in again] == [draft], again
assert call("GET", f"/v1/drafts/{draft}")[1] == found
step("a second delivery changes nothing and only passes on again")
print("The photo went from the API through ingest and tag, each a Lambda binary on the AWS adapters.")
