#!/usr/bin/env python3
"""Prints a list of custom metrics (v1beta2), as JSON on standard input, a line for each object. Exit code 1: there is none."""
import json
import sys

items = json.load(sys.stdin)["items"]
for item in items:
    print(f"  {item['describedObject']['name']:<24} {item['metric']['name']} {item['value']:>8}  of {item['timestamp']}")
sys.exit(0 if items else 1)
