"""The template as the emulator can run it.

What is changed is written down here, each with its reason, and nothing else is: every other property is deployed as
it stands. A change that finds nothing to change is an error, so that the list cannot outlive its reasons.
"""

import yaml


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


def read(path):
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, Template)


def of_type(template, *types):
    """The resources of these types: name and properties."""
    return [(name, r["Properties"]) for name, r in template["Resources"].items() if r["Type"] in types]


def functions(template):
    """Every function and the name of its binary."""
    of = template["Resources"]
    return {name: of[name]["Metadata"]["BuildProperties"]["Binary"]
            for name, _ in of_type(template, "AWS::Serverless::Function")}


def variables(template):
    """The variables of every function, those of all functions first."""
    yield template["Globals"]["Function"]["Environment"]["Variables"]
    for _, properties in of_type(template, "AWS::Serverless::Function"):
        if "Environment" in properties:
            yield properties["Environment"]["Variables"]


# ---- The changes ---------------------------------------------------------------------------------------------------


def code_from_bucket(template, place):
    """`sam package` would put the code into a bucket and write its place here; so does deploy.py."""
    binaries = functions(template)
    for name, properties in of_type(template, "AWS::Serverless::Function"):
        properties["CodeUri"] = {"Bucket": place["bucket"], "Key": place["code"][binaries[name]]}
    return len(binaries)


def layers_from_bucket(template, place):
    """Likewise. The emulator unpacks no layer for binaries: the layer is empty here, and the next change stands in."""
    layers = of_type(template, "AWS::Serverless::LayerVersion")
    for _, properties in layers:
        properties["ContentUri"] = {"Bucket": place["bucket"], "Key": place["layer"]}
    return len(layers)


def programs_of_this_machine(template, place):
    """What the layer would bring: this machine's ffmpeg, and the font where it lies in the repository."""
    changed = 0
    for of_function in variables(template):
        for name in {"FFMPEG", "FONTS"} & of_function.keys():
            of_function[name] = place["programs"][name]
            changed += 1
    return changed


def architecture_of_this_machine(template, place):
    """The emulator runs the binaries on this machine's processor."""
    of_all = template["Globals"]["Function"]
    of_all["Architectures"] = [place["architecture"]]
    return 1


def tiny_video(template, _):
    """What is looked at is the way of a photo, not how long an encoder takes on it; the host is told the same."""
    found = [v for v in variables(template) if "VIDEO_PRESET" in v]
    for of_function in found:
        of_function["VIDEO_PRESET"] = "tiny"
    return len(found)


def scratch_of_this_run(template, place):
    """Functions share this machine's /tmp with everybody: they work in the folder that the check removes."""
    template["Globals"]["Function"]["Environment"]["Variables"]["SCRATCH"] = place["scratch"]
    return 1


def ai_services_elsewhere(template, place):
    """The emulator has no Rekognition, Polly, Translate and Comprehend; the SDK's own settings lead to the stand-in."""
    template["Globals"]["Function"]["Environment"]["Variables"] |= place["endpoints"]
    return 1


def without_statements_on(template, condition):
    changed = 0
    for _, properties in of_type(template, "AWS::S3::BucketPolicy"):
        statements = properties["PolicyDocument"]["Statement"]
        kept = [s for s in statements if condition not in str(s.get("Condition"))]
        changed += len(statements) - len(kept)
        properties["PolicyDocument"]["Statement"] = kept
    return changed


def without_tls(template, _):
    """The emulator speaks no TLS, so the bucket must not refuse what comes without."""
    return without_statements_on(template, "aws:SecureTransport")


def without_key_of_request(template, _):
    """The emulator does not tell a policy which KMS key a request names, so it would refuse every upload. That every
    blob stands under our key is looked at in the end."""
    return without_statements_on(template, "s3:x-amz-server-side-encryption-aws-kms-key-id")


def batches_by_name(template, _):
    """AWS asks for `sqs:SendMessage` also where messages are sent in a batch; the emulator asks for a right that AWS
    does not know, by the call's name."""
    changed = 0
    for _, properties in of_type(template, "AWS::IAM::Role"):
        for policy in properties["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                if "sqs:SendMessage" in statement["Action"]:
                    statement["Action"] = [*statement["Action"], "sqs:SendMessageBatch"]
                    changed += 1
    return changed


def issuer_by_name(template, _):
    """The emulator's pool does not tell its ProviderURL; this is what CloudFormation gives for it."""
    changed = 0
    for _, properties in of_type(template, "AWS::Serverless::HttpApi"):
        for authorizer in properties["Auth"]["Authorizers"].values():
            token = authorizer["JwtConfiguration"]
            pool, attribute = token["issuer"]["Fn::GetAtt"]
            assert attribute == "ProviderURL", token
            token["issuer"] = {"Fn::Sub": f"https://cognito-idp.${{AWS::Region}}.amazonaws.com/${{{pool}}}"}
            changed += 1
    return changed


def watched_table(template, _):
    """The table's stream tells every row that ever stood: the states that a draft went through, in order."""
    tables = of_type(template, "AWS::DynamoDB::Table")
    for _, properties in tables:
        properties["StreamSpecification"] = {"StreamViewType": "NEW_IMAGE"}
    return len(tables)


CHANGES = [
    code_from_bucket,
    layers_from_bucket,
    programs_of_this_machine,
    architecture_of_this_machine,
    tiny_video,
    scratch_of_this_run,
    ai_services_elsewhere,
    without_tls,
    without_key_of_request,
    batches_by_name,
    issuer_by_name,
    watched_table,
]


def emulated(template, place):
    """Changes the template in place."""
    for change in CHANGES:
        if not change(template, place):
            raise SystemExit(f"the template has nothing for `{change.__name__}` to change: remove it from {__file__}")
    return template
