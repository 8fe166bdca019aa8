#!/usr/bin/env python3
"""Writes docs/reference/flags.md from the binary's own help, or with --check tells whether it is current.

usage: flags-reference.py [--check]     env: TRIMTAB (the binary; default build/dev/trimtab)
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs/reference/flags.md"
HEAD = """# Flags of `trimtab run`

Made by `docs/tools/flags-reference.py` from `trimtab run --help`.

Every flag is also a key of the YAML file given with `--config`, in camel case: `--prometheus-url` is `prometheusUrl`. A flag wins over
the file. A wrong flag, key or value stops the start and says what is allowed. A flag that takes a list may be repeated.

    # trimtab run --config trimtab.yaml
    prometheusUrl: https://prometheus.monitoring:9090
    prometheusTokenFile: /var/run/secrets/prometheus/token
    namespaces: [shop, search]

| flag | key | meaning | default |
|---|---|---|---|
"""


def camel(name):
    return re.sub(r"-([a-z])", lambda m: m.group(1).upper(), name)


def page(text):
    rows = []
    for name, argument, meaning in re.findall(r"^  --([a-z-]+)(?: (\S+))?\n +(.*)$", text, re.M):
        meaning, _, default = meaning.partition("; default ")
        values = re.search(r" \(([^()]*\|[^()]*)\)$", meaning)
        if values:
            meaning = meaning[: values.start()] + " (" + ", ".join(f"`{v}`" for v in values.group(1).split("|")) + ")"
        key = f"`{camel(name)}`" if name != "config" else ""
        rows.append(f"| `--{name}{' ' + argument if argument else ''}` | {key} | {meaning} | {f'`{default}`' if default else ''} |")
    return HEAD + "\n".join(rows) + "\n"


def main():
    binary = os.environ.get("TRIMTAB", ROOT / "build/dev/trimtab")
    text = page(subprocess.run([binary, "run", "--help"], check=True, capture_output=True, text=True).stdout)
    if "--check" not in sys.argv:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        sys.exit(f"{PAGE.relative_to(ROOT)} is not current: run docs/tools/flags-reference.py")


if __name__ == "__main__":
    main()
