"""The tree's files, C text without comments and strings, and the result of one check."""

import functools
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
C_FOLDERS = ("base/", "net/", "api/", "informers/", "adapter/", "autoscaler/", "operator/", "e2e/")


class Result:
    """What one check found: rows for the table of figures, and breaches."""

    def __init__(self):
        self.figures = []
        self.breaches = []

    def figure(self, name, value, limit=""):
        self.figures.append((name, str(value), str(limit)))

    def breach(self, path, line, text):
        self.breaches.append(f"{path}:{line}: {text}" if line else f"{path}: {text}")


@functools.cache
def files():
    """Every file of the project that is there: what git follows, and what is new and not ignored."""
    run = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                         capture_output=True, text=True)
    if run.returncode == 0:
        found = set(run.stdout.split("\0"))
    else:  # an unpacked archive
        found = {str(p.relative_to(ROOT)) for p in ROOT.rglob("*")} - {"."}
        found = {f for f in found if not f.startswith(("build/", ".git/")) and "__pycache__" not in f}
    return sorted(f for f in found if f and (ROOT / f).is_file())


def c_files(*suffixes):
    return [f for f in files() if f.startswith(C_FOLDERS) and f.endswith(suffixes or (".c", ".h"))]


def is_test(path):
    return "/tests/" in path


@functools.cache
def text(path):
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


@functools.cache
def code(path):
    """The C text with comments and the insides of strings blanked; lines stay where they are."""

    def blank(match):
        token = match.group()
        if token[0] == "/":
            return re.sub(r"[^\n]", " ", token)
        return token[0] + " " * (len(token) - 2) + token[0]

    return TOKEN.sub(blank, text(path))


def comment_lines(path):
    """The number of lines that hold a comment."""
    lines = set()
    for match in TOKEN.finditer(text(path)):
        if match.group()[0] == "/":
            first = text(path).count("\n", 0, match.start())
            lines.update(range(first, first + match.group().count("\n") + 1))
    return len(lines)
