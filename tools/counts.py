"""Counts tests in the output of a stage: cmocka binaries under ctest, TAP-like runners, plain commands.

usage: counts.py FILE CODE   prints "passed failed skipped" of a program that left this output and exit code
"""

import pathlib
import re
import sys

PLAIN = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)
CTEST = re.compile(r"^\s*\d+/\d+ Test\s+#(\d+): (\S+) \.*\s*(Passed|\*\*\*\S+)", re.M)
CMOCKA = re.compile(r"^(?:(\d+): )?\[\s+(PASSED|FAILED|SKIPPED)\s+\] (\d+) test\(s\)", re.M)


class Counts:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __eq__(self, other):
        return vars(self) == vars(other)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else "")


def of_cmocka(output, number=None):
    """The sum of cmocka's closing lines, of one ctest test where number is given; None where there are none."""
    total, found = Counts(), False
    for which, kind, count in CMOCKA.findall(output):
        if number is None or which == number:
            found = True
            total.add(Counts(**{kind.lower(): int(count)}))
    return total if found else None


def of_ctest(output):
    """Each binary of `ctest -V`: its own count where cmocka printed one. A binary that fails counts at least once."""
    total = Counts()
    for number, _, result in CTEST.findall(output):
        own = of_cmocka(output, number) or Counts(passed=int(result == "Passed"))
        if result != "Passed" and not own.failed:
            own.failed = 1
        total.add(own)
    return total


def of_stage(output, code):
    """What a stage did. Whatever it printed, a stage that exits with an error has failed once at least."""
    if CTEST.search(output):
        total = of_ctest(output)
    elif PLAIN.search(output):
        total = Counts(*(int(n or 0) for n in PLAIN.findall(output)[-1]))
    else:
        total = of_cmocka(output) or Counts(passed=int(code == 0))
    if code and not total.failed:
        total.failed = 1
    return total


if __name__ == "__main__":
    counts = of_stage(pathlib.Path(sys.argv[1]).read_text(errors="replace"), int(sys.argv[2]))
    print(counts.passed, counts.failed, counts.skipped)
