"""The two worlds in which the functions run: the emulated AWS and the one-machine host. Each is reached as people
reach it, by its API with a token, and each tells by its own store's means which rows ever stood.
"""

import base64
import contextlib
import json
import os
import sqlite3
import urllib.error
import urllib.request

import botocore.session

import sign_in

PERSONS = {"operator": "operator@example.com", "approver": "approver@example.com"}
# The kinds of rows whose states are compared, and where in the body the state is told.
STATES = {"media": "state", "draft": "stage", "effect": "state"}


class World:
    """An API and two people with tokens of it."""

    def __init__(self, name, api, host=None):
        self.name, self.api, self.host = name, api, host
        self.tokens = {}

    def call(self, method, path, body=None, *, who="operator", token=None, key=None, accept="*/*"):
        """The API's answer: status and body."""
        headers = {"content-type": "application/json", "accept": accept}
        if self.host:
            headers["host"] = self.host
        if token is None and who is not None:
            token = self.tokens[who]
        if token:
            headers["authorization"] = f"Bearer {token}"
        if key:
            headers["idempotency-key"] = key
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.api + path, data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                status, content = answer.status, answer.read()
        except urllib.error.HTTPError as answer:
            status, content = answer.code, answer.read()
        return status, json.loads(content) if content else None

    def get(self, path):
        status, answer = self.call("GET", path)
        assert status == 200, f"{self.name}: GET {path}: {status} {answer}"
        return answer

    def get_json(self, path):
        """What a public page tells a program."""
        status, answer = self.call("GET", path, who=None, accept="application/json")
        assert status == 200, f"{self.name}: GET {path}: {status} {answer}"
        return answer

    def send(self, method, path, body, **more):
        status, answer = self.call(method, path, body, key=f"walk {method} {path}", **more)
        assert status in (200, 201), f"{self.name}: {method} {path}: {status} {answer}"
        return answer

    def rows(self):
        """Every row of `STATES` that ever stood, in order: kind and body."""
        raise NotImplementedError

    def dead_letters(self):
        """How many messages nobody could handle, by queue."""
        raise NotImplementedError


def claims(token):
    """What a token says. Whether it is true is not looked at here."""
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


class Host(World):
    """`nexus serve`."""

    def __init__(self, api, data, tokens):
        super().__init__("one machine", api)
        self.tokens = tokens
        self.data = data
        # A trigger keeps what a row said before it is written over.
        with contextlib.closing(self.store()) as store:
            kinds = ", ".join(f"'{kind}'" for kind in STATES)
            store.execute("CREATE TABLE walked (n INTEGER PRIMARY KEY, pk TEXT, sk TEXT, kind TEXT, body TEXT)")
            for event in ["INSERT", "UPDATE"]:
                store.execute(
                    f"CREATE TRIGGER walked_{event} AFTER {event} ON item WHEN NEW.kind IN ({kinds}) BEGIN INSERT INTO"
                    " walked (pk, sk, kind, body) VALUES (NEW.pk, NEW.sk, NEW.kind, NEW.body); END")

    def store(self):
        return sqlite3.connect(os.path.join(self.data, "engine.db"), timeout=20, isolation_level=None)

    def tenant(self):
        return claims(self.tokens["operator"])["cognito:groups"][0].partition("/")[0]

    def rows(self):
        with contextlib.closing(self.store()) as store:
            return [(kind, json.loads(body))
                    for kind, body in store.execute("SELECT kind, body FROM walked ORDER BY n")]

    def dead_letters(self):
        with contextlib.closing(self.store()) as store:
            query = "SELECT queue, count(*) FROM message WHERE queue LIKE '%DeadLetters' GROUP BY queue"
            return dict(store.execute(query))


class Emulated(World):
    """The deployed stack."""

    def __init__(self, deployed, tenant):
        outputs = deployed["outputs"]
        scheme, _, host = outputs["ApiUrl"].partition("://")
        # The name of the API is no name in DNS: it goes as the header by which the emulator finds the API.
        super().__init__("AWS, emulated", f"{scheme}://127.0.0.1:{host.rpartition(':')[2]}", host)
        self.deployed = deployed
        self.pool, self.client_id = outputs["UserPoolId"], outputs["DashboardClientId"]
        for role, email in PERSONS.items():
            password = sign_in.person(self.pool, email, [f"{tenant}/{role}"])
            self.tokens[role] = sign_in.sign_in(self.pool, self.client_id, email, password)["AccessToken"]
            if role == "operator":
                self.id_token = sign_in.sign_in(self.pool, self.client_id, email, password)["IdToken"]
        self.session = botocore.session.get_session()
        self.sqs = self.client("sqs")

    def client(self, service):
        return self.session.create_client(service)

    def rows(self):
        streams = self.client("dynamodbstreams")
        table = self.deployed["outputs"]["TableName"]
        [stream] = streams.list_streams(TableName=table)["Streams"]
        described = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]
        found = []
        for shard in described["Shards"]:
            at = streams.get_shard_iterator(
                StreamArn=stream["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
            at = at["ShardIterator"]
            while at:
                page = streams.get_records(ShardIterator=at)
                found += page["Records"]
                at = page.get("NextShardIterator") if page["Records"] else None
        found.sort(key=lambda record: int(record["dynamodb"]["SequenceNumber"]))
        images = [r["dynamodb"]["NewImage"] for r in found if "NewImage" in r["dynamodb"]]
        return [(image["kind"]["S"], json.loads(image["body"]["S"]))
                for image in images if image["kind"]["S"] in STATES]

    def depth(self, names):
        """How many messages stand in each of these queues, seen or being worked on."""
        counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible",
                  "ApproximateNumberOfMessagesDelayed"]
        found = {}
        for name in names:
            url = self.deployed["queues"][name]
            told = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"]
            if total := sum(int(told[count]) for count in counts):
                found[name] = total
        return found

    def dead_letters(self):
        return self.depth([name for name in self.deployed["queues"] if name.endswith("DeadLetters")])

    def complaints(self):
        """What the functions' logs tell of what went wrong, in order."""
        logs, found = self.client("logs"), []
        for group in logs.describe_log_groups()["logGroups"]:
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
                found += [(event["timestamp"], event["message"].strip()) for event in page["events"]]
        return [message for _, message in sorted(found)
                if any(word in message for word in ["ERROR", "WARN", "panicked", "errorMessage", "timed out"])]

    def invoke(self, function, event):
        """What a function answers to an event."""
        answer = self.client("lambda").invoke(
            FunctionName=self.deployed["functions"][function], Payload=json.dumps(event).encode())
        content = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, f"{function}: {content}"
        return content
