"""Turns a SAM template into the CloudFormation that a deployment would see, and lets cfn-lint look at that.

`sam validate --lint` looks at what is written. What SAM makes of it (event source mappings, routes, permissions) it
does not see, and so it passes `!GetAtt Queu.Arn` in an event, a runtime that there is not, and a queue that gives a
message to a second function while the first still works on it. Here they are found, and told with the line of the
template from which they come. No call leaves the machine.

    translated.py TEMPLATE
"""

import difflib
import json
import logging
import os
import re
import sys

# boto3 asks for a region before it is asked for anything; the translator reads the partition from it and no more.
os.environ.update(AWS_DEFAULT_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true")

from cfnlint.api import lint
from cfnlint.config import ManualArgs
from cfnlint.decode import cfn_yaml
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

# It would complain that nobody publishes its metrics.
logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)

# Where a deployment puts the code: `sam package` writes addresses like this in place of folders.
PACKAGED = "s3://bucket/key"
FOLDERS = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
# What an event's property is called once SAM has made a resource of the event.
RENAMED = {"EventSourceArn": "Queue", "ScheduleExpression": "Schedule"}


def findings(text):
    """What is wrong with a template: lines, rules, and sentences, in the order of lines."""
    source = cfn_yaml.loads(text)
    try:
        translated = translate(source)
    except InvalidDocumentException as error:
        told = {(line(source, ["Resources", *named(cause)]), "SAM", cause.message) for cause in error.causes}
    else:
        config = ManualArgs(regions=["us-east-1"])
        told = {
            (line(source, match.path), match.rule.id, brief(match.message))
            for match in lint(json.dumps(translated, default=str), config=config)
        }
    return sorted(told)


def translate(source):
    """The CloudFormation of a SAM template."""
    fragment = plain(source)
    for resource in fragment.get("Resources", {}).values():
        folder = FOLDERS.get(resource.get("Type"))
        if folder in (resource.get("Properties") or {}):
            resource["Properties"][folder] = PACKAGED
    # The empty map: a managed policy by its name alone would have to be looked up, and the template has none.
    return Translator({}, Parser()).translate(fragment, {})


def plain(node):
    """The node without the marks of its lines, which the translator cannot copy."""
    if isinstance(node, dict):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value) for value in node]
    return str(node) if isinstance(node, str) else node


def line(source, path):
    """The line of the template from which something comes that stands under `path` once it is translated."""
    path = list(path)
    if len(path) > 1 and path[0] == "Resources":
        path = origin(source, path[1], path[2:])
    node, found = source, 1
    for step in path:
        if isinstance(node, dict) and step in node:
            key = next(key for key in node if key == step)
            node, marked = node[step], key
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = marked = node[step]
        else:
            break
        found = marked.start_mark.line + 1 if hasattr(marked, "start_mark") else found
    return found


def origin(source, made, rest):
    """Where a resource of the translated template stands in the source: under its own name, or, where SAM made it,
    as the event or the resource for which it did."""
    resources = source["Resources"]
    if made in resources:
        globals_ = (source.get("Globals") or {}).get("Function") or {}
        written = resources[made].get("Properties") or {}
        if rest[:1] == ["Properties"] and len(rest) > 1 and rest[1] not in written and rest[1] in globals_:
            return ["Globals", "Function", *rest[1:]]
        return ["Resources", made, *rest]
    owner = longest((name for name in resources if made.startswith(name)))
    if owner is None:
        return ["Resources"]
    events = (resources[owner].get("Properties") or {}).get("Events") or {}
    event = longest((name for name in events if made.startswith(owner + name)))
    if event is None:
        return ["Resources", owner, *rest]
    return ["Resources", owner, "Properties", "Events", event, *(RENAMED.get(step, step) for step in rest)]


def longest(names):
    return max(names, key=len, default=None)


def named(cause):
    """The resource that the translator complains of, where it says so."""
    name = getattr(cause, "_logical_id", None)
    return [name] if name else []


def brief(message):
    """The sentence, with the three nearest of what could have stood there in place of all."""
    found = re.fullmatch(r"(?s)(.*'(.*)' is not one of )\[(.*)\](.*)", message)
    if not found:
        return message
    begin, wrong, known, end = found.groups()
    near = difflib.get_close_matches(wrong, re.findall(r"'([^']*)'", known), 3, 0.5)
    return f"{begin}what there is (near it: {', '.join(near) or 'nothing'}){end}"


def main(template):
    with open(template, encoding="utf-8") as file:
        told = findings(file.read())
    for at, rule, sentence in told:
        print(f"{template}:{at}: {rule} {sentence}", file=sys.stderr)
    return bool(told)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
