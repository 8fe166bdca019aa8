#!/usr/bin/env python3
"""Writes docs/reference/own-metrics.md from what a running operator exposes, or with --check tells whether it is current; and in
both cases whether the dashboard of the chart asks for metrics that exist, with labels that they have.

usage: metrics-reference.py [--check]     env: TRIMTAB (the binary; default build/dev/trimtab)
"""
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs/reference/own-metrics.md"
DASHBOARD = ROOT / "helm/dashboards/trimtab.json"
HEAD = """# Own metrics

Made by `docs/tools/metrics-reference.py` from what `/metrics` on `--http-port` (8080) gives, in Prometheus' text format. The families
of the kubelets are there with `--kubelet-metrics`, those of the secure port with `--secure-port`, who is asked for the metrics APIs with
`--service`, those of the remote adapter with `--remote-adapter`, and those of following rules with `--rules` or `--rules-configmap`. The
chart brings a Grafana dashboard of them (`dashboard.enabled`).

| metric | type | labels | meaning |
|---|---|---|---|
"""
KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: none, user: {token: none}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
current-context: none
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def exposed():
    """The text of /metrics of an operator that reaches nothing."""
    binary = os.environ.get("TRIMTAB", ROOT / "build/dev/trimtab")
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "kubeconfig").write_text(KUBECONFIG)
        (pathlib.Path(folder) / "rules.yaml").write_text("rules: []\n")
        port = free_port()
        process = subprocess.Popen(
            [binary, "run", f"--kubeconfig={folder}/kubeconfig", f"--rules={folder}/rules.yaml", f"--http-port={port}",
             f"--secure-port={free_port()}", "--prometheus-url=http://127.0.0.1:1", "--remote-adapter=https://127.0.0.1:1",
             "--service=default/trimtab", "--log-level=error"], stdin=subprocess.DEVNULL)
        try:
            for _ in range(100):
                try:
                    return urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
                except (urllib.error.URLError, ConnectionError):
                    time.sleep(0.1)
            sys.exit("the operator does not answer on /metrics")
        finally:
            process.terminate()
            process.wait(20)


def families(text):
    """Name -> (type, help, labels)."""
    found = {}
    for name, what in re.findall(r"^# HELP (\S+) (.*)$", text, re.M):
        kind = re.search(rf"^# TYPE {name} (\S+)$", text, re.M).group(1)
        samples = re.findall(rf"^{name}(?:_bucket|_sum|_count)?(?:\{{([^}}]*)\}})? ", text, re.M)
        labels = sorted({label for s in samples for label in re.findall(r'(\w+)="', s)} - {"le"})
        found[name] = (kind, what, labels)
    return found


# Families whose samples come with what is followed: an operator that reaches nothing has none of them yet.
LABELS = {f"trimtab_informer_{what}": ["resource", "version"]
          for what in ("objects", "bytes", "lists_total", "events_total", "errors_total", "failing")}


def page(found):
    rows = []
    for name in sorted(found):
        kind, what, labels = found[name]
        labels = ", ".join(f"`{label}`" for label in labels or LABELS.get(name, []))
        rows.append(f"| `{name}` | {kind} | {labels} | {what} |")
    return HEAD + "\n".join(rows) + "\n"


def wrong_in_dashboard(found):
    """Metrics that it asks for and that are not there, or not with the labels by which it sums."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            names = re.findall(r"\btrimtab_\w+", target["expr"])
            labels = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", target["expr"]) for label in group.split(",")}
            for name in names:
                family = re.sub(r"_(bucket|sum|count)$", "", name) if name not in found else name
                if family not in found:
                    yield f"panel \"{panel['title']}\": there is no metric {name}"
                elif labels - {"le"} - set(found[family][2] or LABELS.get(family, [])):
                    yield f"panel \"{panel['title']}\": {name} has no label {', '.join(labels)}"
            if not names:
                yield f"panel \"{panel['title']}\" asks for nothing of ours: {target['expr']}"


def main():
    found = families(exposed())
    wrong = list(wrong_in_dashboard(found))
    if sys.argv[1:] == ["--check"]:
        if PAGE.read_text() != page(found):
            wrong.append("docs/reference/own-metrics.md is not current: run docs/tools/metrics-reference.py")
    else:
        PAGE.write_text(page(found))
    print("\n".join(wrong) if wrong else f"{len(found)} metrics, and the dashboard asks for no others")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
