"""Reads a scrape as strictly as OpenMetrics is written, and prints the names of its families with their kinds."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

text = sys.stdin.read()
print(json.dumps({family.name: family.type for family in text_string_to_metric_families(text)}))
