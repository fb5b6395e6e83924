"""Creates what a function needs, as the template has it: table, bucket, key and queues, through CloudFormation.

Prints the settings of the functions that are named, for a shell: each an `export NAME=value` with what was created.
`NAME=Resource.Attribute` adds a setting that the template gives to none of them.
"""

import json
import shlex
import sys

import botocore.session
import yaml

NEEDED = {
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
}


class Template(yaml.SafeLoader):
    """YAML with CloudFormation's short forms of its functions."""


def long_form(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".") if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Template.add_multi_constructor("!", long_form)


def settings_of(template, function):
    """The variables of a function, as the template sets them."""
    of_all = template["Globals"]["Function"]["Environment"]["Variables"]
    properties = template["Resources"][function]["Properties"]
    return of_all | properties.get("Environment", {}).get("Variables", {})


def main(path, stack, *functions):
    with open(path, encoding="utf-8") as file:
        template = yaml.load(file, Template)
    wanted = {}
    for function in functions:
        name, added, value = function.partition("=")
        if added:
            wanted.setdefault(name, {"Fn::GetAtt": value.split(".")})
        else:
            wanted |= settings_of(template, function)
    kept = {n: r for n, r in template["Resources"].items() if r["Type"] in NEEDED}
    body = {
        "AWSTemplateFormatVersion": template["AWSTemplateFormatVersion"],
        "Parameters": template["Parameters"],
        "Resources": kept,
        # What a setting comes to is CloudFormation's to say.
        "Outputs": {f"Setting{n}": {"Value": value} for n, value in enumerate(wanted.values())},
    }
    client = botocore.session.get_session().create_client("cloudformation")
    client.create_stack(StackName=stack, TemplateBody=json.dumps(body))
    waiter = client.get_waiter("stack_create_complete")
    waiter.wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    outputs = client.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    values = {o["OutputKey"]: o["OutputValue"] for o in outputs}
    for n, name in enumerate(wanted):
        print(f"export {name}={shlex.quote(values[f'Setting{n}'])}")


if __name__ == "__main__":
    main(*sys.argv[1:])
