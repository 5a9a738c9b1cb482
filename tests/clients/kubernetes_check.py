"""Holds a file of manifests against the schemas of some versions of Kubernetes, strictly; prints which it has looked at.

What Kubernetes has no schema of, for it is another's, is named with `null`.
"""

import json
import sys

import kubernetes_validate
import yaml

file, *versions = sys.argv[1:]
seen = {}
for document in yaml.safe_load_all(open(file, encoding="utf-8")):
    kind = document["kind"]
    seen[kind] = None
    if not document["apiVersion"].startswith("monitoring.coreos.com/"):
        seen[kind] = [kubernetes_validate.validate(document, version, strict=True) for version in versions]
print(json.dumps(seen))
