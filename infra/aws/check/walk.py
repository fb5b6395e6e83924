"""Walks the demonstration photo through a world, and compares what two worlds made of it.

`walk.py host …` walks the one-machine host and writes what it found; `walk.py aws …` walks the deployed stack, looks
at what only AWS has, and compares.
"""

import argparse
import copy
import json
import os
import sys
import time
import urllib.request

import compare
import way
from worlds import STATES, Emulated, Host


def sample(name):
    with open(f"events/{name}.json", encoding="utf-8") as file:
        return json.load(file)


def host(asked):
    world = Host(asked.api, asked.data, {role: os.environ[role.upper()] for role in ["operator", "approver"]})
    found = way.walk(world)
    way.save(asked.phrases, way.phrases(found["draft"]))
    way.save(asked.found, {"tenant": world.tenant(), "found": found, "moves": compare.moves(world.rows(), STATES)})


def only_aws(world, tenant, found):
    """What the one machine does not have, or tries elsewhere: the gateway's tokens, batches, encryption, schedules."""
    steps = way.Steps("Only on AWS")
    assert world.call("GET", "/v1/drafts", token=world.id_token)[0] == 401, "an ID token is no access token"
    assert world.call("GET", "/openapi.json", who=None)[0] == 200, "the description is open"
    steps.done("an ID token is refused, the API's description is open")

    poison = copy.deepcopy(sample("tag.sqs"))
    poison["Records"][0] |= {"messageId": "m0", "body": "poison"}
    assert world.invoke("TagFunction", poison) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    steps.done("poison is given back, message by message")

    before = len(world.rows())
    again = {"product": "engine", "owner": tenant, "trace": "again", "message": {"draft": found["draft"]["id"]}}
    world.sqs.send_message(QueueUrl=world.deployed["queues"]["TagQueue"], MessageBody=json.dumps(again))
    queues = [name for name in world.deployed["queues"] if name.endswith("Queue") and name != "PublishQueue"]
    way.wait(world, "a second delivery", lambda: not world.depth(queues))
    assert len(world.rows()) == before, "a second delivery writes nothing"
    steps.done("a second delivery of the draft's message changes nothing")

    # The time trap of the form is real: a person takes three seconds.
    page = world.send("POST", f"/v1/products/{found['product']['id']}/page", None)["path"]
    opened = world.get_json(page)["opened"]
    time.sleep(4)
    question = {"name": "Grace", "email": "grace@example.org", "consent": True, "opened": opened,
                "message": "I love your coffee! Do you have a wonderful oat milk version, too?"}
    status, answer = world.call("POST", page, question, who=None, accept="application/json")
    assert status == 201, f"{status} {answer}"

    def judged():
        [inquiry] = world.get("/v1/inquiries")["items"]
        return inquiry if inquiry.get("sentiment") else None

    inquiry = way.wait(world, "sentiment", judged)
    assert inquiry["sentiment"]["label"] == "positive" and inquiry["sentiment"]["engine"] == "comprehend", inquiry
    steps.done(f"an inquiry is kept and judged: {json.dumps(inquiry['sentiment'])}")

    bucket, s3 = world.deployed["outputs"]["MediaBucketName"], world.client("s3")
    kept = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert not any(blob["Key"].startswith("in/") for blob in kept), "the upload is forgotten"
    for blob in kept:
        head = s3.head_object(Bucket=bucket, Key=blob["Key"])
        assert head["ServerSideEncryption"] == "aws:kms" and head["SSEKMSKeyId"] == world.deployed["key"], head
    steps.done(f"the upload is forgotten, and {len(kept)} blobs stand under our key")

    scheduled = {"RelayFunction": "relay.schedule", "RetentionSweepFunction": "retention-sweep.schedule"}
    for function, event in scheduled.items():
        steps.done(f"{function} reports {json.dumps(world.invoke(function, sample(event)))}")
    assert not world.dead_letters()


def paid_once(calls, draft):
    """Every AI service was asked, nothing was refused, and no delivery was paid for a second time."""
    refused = {name: count["refused"] for name, count in calls.items() if count["refused"]}
    assert not refused, f"the stand-in refused calls: {refused}"
    expected = {
        "BatchDetectDominantLanguage": 1,
        "BatchDetectSentiment": 1,
        "DetectLabels": 1,
        "SynthesizeSpeech": sum(len(made["cues"]) for made in draft["narrations"].values()),
        "TranslateText": len({line.strip() for pair in way.phrases(draft) for line in pair["en"].split("\n")
                              if any(letter.isalpha() for letter in line)}),
    }
    answered = {name: count["answered"] for name, count in calls.items()}
    assert answered == expected, f"calls of the AI services: {answered}, expected {expected}"


def aws(asked):
    with open(asked.host_found, encoding="utf-8") as file:
        other = json.load(file)
    with open(asked.deployed, encoding="utf-8") as file:
        deployed = json.load(file)
    world = Emulated(deployed, other["tenant"])
    print(f"\n{deployed['resources']} resources by CloudFormation, {deployed['routes']} routes from the transform")
    try:
        found = way.walk(world)
        moves = compare.moves(world.rows(), STATES)
        only_aws(world, other["tenant"], found)
    except Exception:
        print("\n".join(["What the functions complained of:", *world.complaints()[-20:]]), file=sys.stderr, flush=True)
        raise

    with urllib.request.urlopen(f"{asked.stand_in}/calls", timeout=5) as answer:
        calls = json.load(answer)
    print("  calls of the AI services: " + json.dumps(calls))
    way.tell(found["draft"])
    paid_once(calls, found["draft"])

    wrong, lines = compare.compare((world.name, found, moves), ("one machine", other["found"], other["moves"]))
    if wrong:
        raise SystemExit(f"\nThe two worlds made different things of the same photo:\n{wrong}")
    print(f"\nBoth worlds made the same of the photo: {lines} lines and {len(moves)} ways through states are equal.")


def main():
    asked = argparse.ArgumentParser(description=__doc__)
    worlds = asked.add_subparsers(required=True)
    for name, run, options in [
        ("host", host, ["api", "data", "found", "phrases"]),
        ("aws", aws, ["deployed", "stand-in", "host-found"]),
    ]:
        parser = worlds.add_parser(name)
        parser.set_defaults(run=run)
        for option in options:
            parser.add_argument(f"--{option}", required=True)
    asked = asked.parse_args()
    asked.run(asked)


if __name__ == "__main__":
    main()
