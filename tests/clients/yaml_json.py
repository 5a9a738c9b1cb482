"""Prints what a file of YAML says, as JSON; of several documents a list."""

import json
import sys

import yaml

documents = list(yaml.safe_load_all(open(sys.argv[1], encoding="utf-8")))
print(json.dumps(documents if len(documents) > 1 else documents[0]))
