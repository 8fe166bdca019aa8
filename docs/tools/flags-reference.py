#!/usr/bin/env python3
"""Writes docs/reference/flags.md from the help of the binary's commands, or with --check tells whether it is current.

usage: flags-reference.py [--check]     env: TRIMTAB (the binary; default build/dev/trimtab)
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs/reference/flags.md"
HEAD = """# Flags

Made by `docs/tools/flags-reference.py` from what `trimtab COMMAND --help` prints.

## trimtab run
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


def rows(text, keys):
    """The flags of one command's help. keys: they are keys of the file too."""
    for brief, name, argument, meaning in re.findall(r"^  (?:(-\w), )?--([a-z-]+)(?: (\S+))?\n +(.*)$", text, re.M):
        meaning, _, default = re.sub("; default:? ", "\0", meaning).partition("\0")
        values = re.search(r" \(([^()]*\|[^()]*)\)$", meaning)
        if values:
            meaning = meaning[: values.start()] + " (" + ", ".join(f"`{v}`" for v in values.group(1).split("|")) + ")"
        flag = f"`--{name}{' ' + argument if argument else ''}`".replace("|", "\\|")
        if not keys:
            yield f"| {flag}{f', `{brief}`' if brief else ''} | {meaning} | {default} |"
        else:
            key = f"`{camel(name)}`" if name != "config" else ""
            yield f"| {flag} | {key} | {meaning} | {f'`{default}`' if default else ''} |"


def command_help(name):
    binary = os.environ.get("TRIMTAB", ROOT / "build/dev/trimtab")
    return subprocess.run([binary, name, "--help"], check=True, capture_output=True, text=True).stdout


def page():
    lines = [*rows(command_help("run"), keys=True)]
    for name in ("evaluate", "explain", "rules"):
        text = command_help(name)
        usage = re.match(r"Usage: (.*)\n", text).group(1)
        lines += ["", f"## trimtab {name}", f"`{usage}`", "", "| flag | meaning | default |", "|---|---|---|"]
        lines += rows(text, keys=False)
    return HEAD + "\n".join(lines) + "\n"


def main():
    text = page()
    if "--check" not in sys.argv:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        sys.exit(f"{PAGE.relative_to(ROOT)} is not current: run docs/tools/flags-reference.py")


if __name__ == "__main__":
    main()
