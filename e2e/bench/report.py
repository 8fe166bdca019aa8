"""What the benches print: progress, results as JSON lines, tables, the rows of the README, and each limit with what was measured.
"""
import json
import os
import statistics
import sys
import time
import typing

from processes import ROOT

FOLDER = os.path.join(ROOT, "build", "bench")


class Limit(typing.NamedTuple):
    """What a figure may be at most; with `least`, what it has to be at least."""

    what: str
    measured: float
    bound: float
    unit: str = ""
    least: bool = False

    def kept(self):
        return self.measured >= self.bound if self.least else self.measured <= self.bound


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def emit(bench, **fields):
    """One result, as a line of JSON on standard output."""
    print(json.dumps({"bench": bench, **fields}), flush=True)


def table(head, rows):
    """A table for people, on standard error."""
    lines = [head, ["---"] * len(head), *rows]
    print("".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines), file=sys.stderr, flush=True)


def median(reports, field):
    """The median of a field of the rounds' reports."""
    return statistics.median(r[field] for r in reports)


def turns(names, rounds):
    """Pairs of a round and a name: in each round somebody else is the first, who finds the machine as the round before has left it."""
    names = list(names)
    for n in range(rounds):
        say(f"round {n + 1} of {rounds}")
        yield from ((n, names[(n + k) % len(names)]) for k in range(len(names)))


def arguments(*defaults):
    """The numbers of the command line, with these for those that are left out."""
    given = [int(a) for a in sys.argv[1:]]
    return given + list(defaults[len(given):])


def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def finish(bench, rows, limits):
    """The end of every bench: the rows of the README's table, printed and written to build/bench/BENCH.md; then the limits. Exits with 1
    where one is missed."""
    text = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, bench + ".md"), "w", encoding="utf-8") as f:
        f.write(text)
    print("For the README:\n" + text, file=sys.stderr)
    table(("", "measured", "limit", ""), ((l.what, f"{number(l.measured)} {l.unit}", f"{'at least' if l.least else 'at most'} {number(l.bound)} {l.unit}",
                                           "" if l.kept() else "**missed**") for l in limits))
    for limit in limits:
        emit("limit", of=bench, what=limit.what, measured=round(limit.measured, 4), bound=limit.bound, unit=limit.unit, kept=limit.kept())
    sys.exit(not all(limit.kept() for limit in limits))
