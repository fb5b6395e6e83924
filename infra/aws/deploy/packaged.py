#!/usr/bin/env python3
"""Writes the template that is deployed: the repository's, to the letter, but with the built zips in place of the
crates. SAM reads paths from the folder of the template.

    packaged.py TEMPLATE FOLDER     into FOLDER/template.yaml
"""

import os
import re
import sys


def main(template, folder):
    with open(template, encoding="utf-8") as file:
        text = file.read()
    home = os.path.dirname(os.path.abspath(template))
    # A function's binary and its crate's folder have one name (tests/template.rs keeps that).
    text, functions = re.subn(r"(?m)^( +CodeUri: )functions/([a-z-]+)$", r"\1\2/bootstrap.zip", text)
    outside = os.path.relpath(home, folder)
    text, layers = re.subn(r"(?m)^( +ContentUri: )(infra/\S+)$", rf"\g<1>{outside}/\2", text)
    written = len(re.findall(r"(?m)^ +(?:CodeUri|ContentUri): ", text))
    if functions == 0 or functions + layers != written:
        sys.exit(f"{template}: {written} places hold code, and {functions + layers} of them were understood")
    with open(os.path.join(folder, "template.yaml"), "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
