"""Breaks the template in five ways and sees that each is found, in its line: a check that passes everything is none.

    broken.py TEMPLATE
"""

import re
import sys

from translated import findings

# What is broken; the passage, which stands once; what it becomes; the rule that has to tell; and, where it tells of
# another line than the changed one, how that line begins.
WAYS = [
    (
        "a queue that there is not",
        r"Queue: !GetAtt TagQueue\.Arn",
        "Queue: !GetAtt TagQueu.Arn",
        "E1010",
        None,
    ),
    ("a runtime that there is not", r"    Runtime: provided\.al2023", "    Runtime: provided.al1", "E3030", None),
    (
        "a message that comes back while it is worked on",
        r"(?<=  AnimateQueue:\n    Type: AWS::SQS::Queue\n    Properties:\n)      VisibilityTimeout: \d+",
        "      VisibilityTimeout: 59",
        "E3505",
        None,
    ),
    ("a schedule that AWS does not read", r"Schedule: rate\(1 minute\)", "Schedule: rate(1 minutes)", "E3027", None),
    ("a role that there is not", r"\n  TagRole:\n", "\n  TaggRole:\n", "E1010", "Role: !GetAtt TagRole.Arn"),
]


def main(template):
    with open(template, encoding="utf-8") as file:
        whole = file.read()
    failed = [f"whole: {finding}" for finding in findings(whole)]
    for what, passage, change, rule, elsewhere in WAYS:
        places = list(re.finditer(passage, whole))
        if len(places) != 1:
            failed.append(f"{what}: `{passage}` stands {len(places)} times, so there is nothing to break")
            continue
        text = whole[: places[0].start()] + change + whole[places[0].end() :]
        at = text.index(elsewhere or change.strip())
        wanted = text.count("\n", 0, at) + 1
        told = findings(text)
        if any((line, found) == (wanted, rule) for line, found, _ in told):
            print(f"found: {what}")
        else:
            failed.append(f"{what}: {rule} was to be told of line {wanted}, and this was: {told}")
    for failure in failed:
        print(failure, file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
