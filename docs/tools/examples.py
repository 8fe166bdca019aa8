#!/usr/bin/env python3
"""Runs the examples of the documentation: every indented line "$ trimtab evaluate -f docs/examples/…" (or rules -f)
of a page, with the lines after it as the output that it must have; a last line "…" leaves the rest out. Writes what it really gives, or with
--check tells which page is not true any more. Every indented AutoscalingPolicy must be one that trimtab evaluate can read.

usage: examples.py [--check]     env: TRIMTAB (the binary; default build/dev/trimtab)
"""
import difflib
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
INDENT = "    "
REST = INDENT + "…"
PROMPTS = tuple(INDENT + f"$ trimtab {command} -f docs/examples/" for command in ("evaluate", "rules"))


def output(binary, line):
    """What the command of this line prints, as lines of the page."""
    words = shlex.split(line[len(INDENT) + 2:])
    run = subprocess.run([binary] + words[1:], cwd=ROOT, capture_output=True, text=True, check=False)
    return [(INDENT + text).rstrip() for text in (run.stdout + run.stderr).splitlines()]


def rewritten(lines, binary):
    """The page with every example's output replaced, and how many examples there are."""
    out, count, at = [], 0, 0
    while at < len(lines):
        line = lines[at]
        out.append(line)
        at += 1
        if not line.startswith(PROMPTS):
            continue
        count += 1
        start = at
        while at < len(lines) and lines[at].startswith(INDENT) and not lines[at].startswith(INDENT + "$ "):
            at += 1
        given = output(binary, line)
        if at > start and lines[at - 1] == REST:
            given = given[:at - 1 - start] + [REST]
        out += given
    return out, count


def policies(lines):
    """The indented blocks that are an AutoscalingPolicy, each as the number of its first line and its text."""
    at = 0
    while at < len(lines):
        start = at
        while at < len(lines) and lines[at].startswith(INDENT):
            at += 1
        block = lines[start:at]
        if INDENT + "kind: AutoscalingPolicy" in block:
            yield start + 1, "".join(line[len(INDENT):] + "\n" for line in block)
        at += 1


def unreadable(page, lines, binary):
    """How many policies of the page cannot be read; each is told."""
    count = 0
    for number, text in policies(lines):
        run = subprocess.run([binary, "evaluate", "-f", "-"], input=text, capture_output=True, text=True, check=False)
        if run.returncode:
            count += 1
            print(f"{page.relative_to(ROOT)}:{number}: {run.stderr.strip()}")
    return count


def main():
    check = sys.argv[1:] == ["--check"]
    binary = os.path.abspath(os.environ.get("TRIMTAB", ROOT / "build/dev/trimtab"))
    stale = examples = wrong = 0
    for page in sorted((ROOT / "docs").rglob("*.md")) + [ROOT / "README.md"]:
        before = page.read_text().splitlines()
        after, count = rewritten(before, binary)
        examples += count
        wrong += unreadable(page, before, binary)
        if before == after:
            continue
        stale += 1
        if check:
            print("\n".join(difflib.unified_diff(before, after, str(page.relative_to(ROOT)), "as it runs", lineterm="", n=1)))
        else:
            page.write_text("\n".join(after) + "\n")
    if examples == 0:
        sys.exit("no example was found: nothing was tried")
    print(f"{examples} examples, {stale} pages {'not true' if check else 'rewritten'}")
    sys.exit(1 if wrong or (check and stale) else 0)


if __name__ == "__main__":
    main()
