"""Prints a compose file as one line of JSON, its anchors resolved and its variables left as they are."""

import json
import sys

import yaml

with open(sys.argv[1], encoding="utf-8") as file:
    print(json.dumps(yaml.safe_load(file)))
