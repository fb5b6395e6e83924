"""Deploys the template into the emulator as `sam deploy` would into an account: code into a bucket, the stack by
CloudFormation, whose SAM transform makes the resources. What that leaves out in the emulator is added from its own
output: the authorizers, integrations and routes of the HTTP APIs, which stand in the OpenAPI document that the
transform writes.

Prints one JSON object: the stack's outputs, the functions' names and the settings that CloudFormation gave them.
"""

import argparse
import io
import json
import os
import platform
import subprocess
import sys
import time
import zipfile

import botocore.session

import emulated

STACK = "nexus"
ARTEFACTS = "nexus-artefacts"
EPOCH = (1980, 1, 1, 0, 0, 0)

session = botocore.session.get_session()


def client(service):
    return session.create_client(service)


def zipped(name, content):
    """A zip with one executable file. Not compressed: it goes no further than loopback."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        entry = zipfile.ZipInfo(name, EPOCH)
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, content)
    return out.getvalue()


def stripped(binary, work):
    """Without the symbols, which are most of it and which nobody reads here."""
    bare = os.path.join(work, "bootstrap")
    subprocess.run(["strip", "-o", bare, binary], check=True, timeout=60)
    with open(bare, "rb") as file:
        content = file.read()
    os.remove(bare)
    return content


def upload(binaries, built, work):
    """Where in the bucket each binary and the empty layer lie."""
    s3 = client("s3")
    s3.create_bucket(Bucket=ARTEFACTS)
    code = {}
    for binary in sorted(set(binaries)):
        code[binary] = f"{binary}.zip"
        content = stripped(os.path.join(built, binary), work)
        s3.put_object(Bucket=ARTEFACTS, Key=code[binary], Body=zipped("bootstrap", content))
    s3.put_object(Bucket=ARTEFACTS, Key="layer.zip", Body=zipped("empty", b""))
    return code


def create(template):
    """Creates the stack; its outputs."""
    cloudformation = client("cloudformation")
    # By its address: more than 51,200 bytes are not taken otherwise.
    client("s3").put_object(Bucket=ARTEFACTS, Key="template.json", Body=json.dumps(template).encode())
    url = f"{os.environ['AWS_ENDPOINT_URL']}/{ARTEFACTS}/template.json"
    cloudformation.create_stack(
        StackName=STACK, TemplateURL=url, Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"])
    until = time.monotonic() + 120
    while True:
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            return {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
        if stack["StackStatus"] != "CREATE_IN_PROGRESS" or time.monotonic() > until:
            events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
            told = [f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}" for e in events
                    if e["ResourceStatus"].endswith("FAILED")]
            raise SystemExit(f"the stack is {stack['StackStatus']}:\n" + "\n".join(reversed(told)))
        time.sleep(0.2)


def transformed():
    """The template after the SAM transform."""
    body = client("cloudformation").get_template(StackName=STACK, TemplateStage="Processed")["TemplateBody"]
    return body if isinstance(body, dict) else json.loads(body)


def physical():
    """The names that CloudFormation gave: `Ref` of each resource."""
    cloudformation = client("cloudformation")
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
    return {r["LogicalResourceId"]: r["PhysicalResourceId"] for page in pages for r in page["StackResourceSummaries"]}


def resolved(value, names):
    """What the OpenAPI document's own references come to."""
    if isinstance(value, dict):
        match list(value.items()):
            case [("Ref", "AWS::Region")]:
                return os.environ["AWS_REGION"]
            case [("Ref", "AWS::Partition")]:
                return "aws"
            case [("Ref", name)]:
                return names[name]
            case [("Fn::GetAtt", [name, "Arn"])]:
                return client("lambda").get_function(FunctionName=names[name])["Configuration"]["FunctionArn"]
            case [("Fn::Sub", text)]:
                for name in ["AWS::Region", "AWS::Partition"]:
                    text = text.replace("${" + name + "}", resolved({"Ref": name}, names))
                for part in set(text.split("${")[1:]):
                    name = part.partition("}")[0]
                    function, _, attribute = name.partition(".")
                    reference = {"Fn::GetAtt": [function, attribute]} if attribute else {"Ref": name}
                    text = text.replace("${" + name + "}", resolved(reference, names))
                return text
        return {key: resolved(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolved(inner, names) for inner in value]
    return value


def add_routes(api, document):
    """What API Gateway makes of an API's OpenAPI document."""
    gateway = client("apigatewayv2")
    authorizers = {}
    for name, scheme in document.get("components", {}).get("securitySchemes", {}).items():
        authorizer = scheme["x-amazon-apigateway-authorizer"]
        made = gateway.create_authorizer(
            ApiId=api, Name=name, AuthorizerType=authorizer["type"].upper(),
            IdentitySource=[authorizer["identitySource"]],
            JwtConfiguration={"Issuer": authorizer["jwtConfiguration"]["issuer"],
                              "Audience": authorizer["jwtConfiguration"]["audience"]})
        authorizers[name] = made["AuthorizerId"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            integration = operation["x-amazon-apigateway-integration"]
            made = gateway.create_integration(
                ApiId=api, IntegrationType=integration["type"].upper(), IntegrationMethod=integration["httpMethod"],
                IntegrationUri=integration["uri"], PayloadFormatVersion=integration["payloadFormatVersion"])
            route = {"ApiId": api, "RouteKey": f"{method.upper()} {path}",
                     "Target": f"integrations/{made['IntegrationId']}"}
            named = [name for requirement in operation.get("security", []) for name in requirement if name != "NONE"]
            if named:
                route |= {"AuthorizationType": "JWT", "AuthorizerId": authorizers[named[0]]}
            gateway.create_route(**route)
    return sum(len(methods) for methods in document["paths"].values())


def main():
    asked = argparse.ArgumentParser()
    for name in ["template", "built", "work", "ffmpeg", "fonts", "stand-in"]:
        asked.add_argument(f"--{name}", required=True)
    asked = asked.parse_args()

    template = emulated.read(asked.template)
    binaries = emulated.functions(template)
    scratch = os.path.join(asked.work, "scratch")
    os.makedirs(scratch, exist_ok=True)
    place = {
        "bucket": ARTEFACTS,
        "code": upload(binaries.values(), asked.built, asked.work),
        "layer": "layer.zip",
        "architecture": {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()],
        "programs": {"FFMPEG": asked.ffmpeg, "FONTS": asked.fonts},
        "scratch": scratch,
        "endpoints": {f"AWS_ENDPOINT_URL_{service}": asked.stand_in
                      for service in ["REKOGNITION", "POLLY", "TRANSLATE", "COMPREHEND"]},
    }
    outputs = create(emulated.emulated(template, place))
    names, after = physical(), transformed()
    routes = 0
    for name, resource in after["Resources"].items():
        if resource["Type"] == "AWS::ApiGatewayV2::Api":
            body = resource["Properties"]["Body"]
            wanted = {part: body[part] for part in ["components", "paths"]}
            routes += add_routes(names[name], resolved(wanted, names))
    json.dump({
        "outputs": outputs,
        "functions": {name: names[name] for name in binaries},
        "queues": {name: names[name] for name, _ in emulated.of_type(template, "AWS::SQS::Queue")},
        "key": client("kms").describe_key(KeyId=names["DataKey"])["KeyMetadata"]["Arn"],
        "resources": len(names),
        "routes": routes,
    }, sys.stdout)


if __name__ == "__main__":
    main()
