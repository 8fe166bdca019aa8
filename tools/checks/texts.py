"""Banned calls, cleanups of nothing, words that do not belong into the repository, formatting, shell scripts."""

import re
import subprocess

from checks.tree import ROOT, Result, c_files, code, files, text

BANNED = re.compile(r"(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|atof|gmtime|ctime|localtime|"
                    r"asctime|system|popen|alloca|strncpy|strncat|rand|tmpnam|mktemp)\s*\(")
GOTO = re.compile(r"\bgoto\s+\w+")
# Written in pieces, so that this file does not contain them.
HOME = re.compile(r"(?<![\w$}.])/(?:" + "|".join(("ro" + "ot", "wo" + "rk", "ho" + "me/[a-z]", "Us" + "ers")) + r")(?:/|\b)")
REGISTRY = re.compile(r"\b(?:docker|quay|gcr|ghcr|registry\.k8s|k8s\.gcr)\." + r"io\b|\b(?:pypi|proxy\.golang|crates)\."
                      + r"(?:org|io)\b")
BINARY = (".png", ".gz", ".tgz", ".ico", ".sum")


# A variable with a cleanup but no value: returning before it is filled frees whatever lay on the stack.
UNFILLED = re.compile(r"\bcleanup(?:_\w+|\([^)]*\))\s+(?:const\s+)?(?:struct\s+)?\w+[ *]+(\w+)\s*;")


def unfilled_cleanups(path, result):
    for match in UNFILLED.finditer(code(path)):
        rest = code(path)[match.end():]
        use = re.search(rf"\b{match.group(1)}\b", rest)
        if re.search(r"\breturn\b", rest[:use.start() if use else len(rest)]):
            line = code(path).count("\n", 0, match.start()) + 1
            result.breach(path, line, f"{match.group(1)} is freed by a return before it is filled")


def banned(_):
    result = Result()
    gotos = lines = 0
    for path in c_files():
        unfilled_cleanups(path, result)
        for number, line in enumerate(code(path).splitlines(), 1):
            lines += 1
            gotos += bool(GOTO.search(line))
            if match := BANNED.search(line):
                result.breach(path, number, f"{match.group(1)} is banned")
    result.figure("goto per 1000 lines", f"{1000 * gotos / max(1, lines):.1f}")
    return result


def words(_):
    """Paths of one machine and hosts of registries: the project must build elsewhere."""
    result = Result()
    count = 0
    for path in files():
        if path.endswith(BINARY) or "/data/" in path or "/corpus/" in path:
            continue
        count += 1
        for number, line in enumerate(text(path).splitlines(), 1):
            if match := HOME.search(line):
                result.breach(path, number, f"path of one machine: {match.group()}")
            if match := REGISTRY.search(line):
                result.breach(path, number, f"host of a registry: {match.group()}")
    result.figure("files read for paths and hosts", count)
    return result


def formatting(_):
    result = Result()
    paths = c_files()
    if paths:
        run = subprocess.run(["clang-format", "--dry-run", "-Werror", *paths], cwd=ROOT, capture_output=True, text=True)
        seen = {}
        for match in re.finditer(r"^(\S+?):(\d+):\d+: error:", run.stderr, re.M):
            seen.setdefault(match.group(1), match.group(2))
        for path, line in seen.items():
            result.breach(path, line, "not as clang-format writes it (first place)")
        if run.returncode and not seen:
            result.breach("clang-format", 0, run.stderr.strip()[:300])
    result.figure("C files formatted", len(paths))
    return result


def is_shell(path):
    return path.endswith(".sh") or ("." not in path.rsplit("/", 1)[-1] and re.match(r"#!.*\b(ba)?sh\b", text(path)[:40]))


def shell(_):
    result = Result()
    scripts = [f for f in files() if not f.endswith(BINARY) and is_shell(f)]
    if scripts:
        run = subprocess.run(["shellcheck", "-x", "-P", "SCRIPTDIR", "-f", "gcc", *scripts], cwd=ROOT, capture_output=True,
                             text=True)
        result.breaches += [line for line in run.stdout.splitlines() if ": note:" not in line]
        if run.returncode > 1:
            result.breach("shellcheck", 0, run.stderr.strip()[:300])
    result.figure("shell scripts", len(scripts))
    return result
