"""Sizes of files and functions, comments, parameters, nesting, complexity. Tests count for the maxima only."""

import math
import re
import subprocess

from checks.tree import ROOT, Result, c_files, code, comment_lines, is_test, text

FUNCTION = {"median": 16, "p90": 45, "max": 80}
FILE = {"median": 300, "max": 800}
PARAMETERS, NESTING, COMPLEXITY = 6, 4, 12
# Callbacks whose parameters a library prescribes.
PRESCRIBED = {("e2e/workloads/httpserver.c", "on_request")}

BRANCH = re.compile(r"\b(?:if|for|while|switch)\b|&&|\|\||\?")
OPENS_BLOCK = re.compile(r"\b(?:if|for|while|switch|else|do)\b")


class Function:
    def __init__(self, path, name, start, end, parameters):
        self.path, self.name, self.start, self.end, self.parameters = path, name, start, end, parameters
        self.length = end - start + 1
        lines = code(path).splitlines()[start - 1:end]
        self.body = "\n".join(lines)
        self.body = self.body[self.body.find("{"):] if "{" in self.body else ""

    def complexity(self):
        """McCabe's modified number: one more than the branches, where a switch, being a table, is one branch."""
        return 1 + len(BRANCH.findall(self.body))

    def nesting(self):
        """The deepest control statement: blocks by their braces, and bodies without braces by their indentation."""
        depths = [(len(line) - len(line.lstrip())) // 4 for line in self.body.splitlines()
                  if OPENS_BLOCK.match(line.strip().lstrip("} "))]
        return max(depths, default=0)


def count_parameters(signature):
    """The parameters of "(int a, void (*f)(int, int))"."""
    inner, depth, count = signature.strip()[1:-1].strip(), 0, 1
    if inner in ("", "void"):
        return 0
    for c in inner:
        depth += (c == "(") - (c == ")")
        count += c == "," and depth == 0
    return count


def functions():
    run = subprocess.run(["ctags", "-L", "-", "--languages=C", "--kinds-C=f", "--fields=+neS", "-f", "-"], cwd=ROOT,
                         input="\n".join(c_files(".c")), capture_output=True, text=True, check=True)
    for line in run.stdout.splitlines():
        if line.startswith("!"):
            continue
        name, path, *rest = line.split("\t")
        fields = dict(f.split(":", 1) for f in rest if ":" in f)
        if "end" in fields:
            yield Function(path, name, int(fields["line"]), int(fields["end"]),
                           count_parameters(fields.get("signature", "()")))


def percentile(values, share):
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)] if values else 0


def hold(result, what, value, limit):
    result.figure(what, value, f"<= {limit}")
    if value > limit:
        result.breach("tree", 0, f"{what} is {value}, more than {limit}")


def check_function(f, result):
    for what, value, limit in (("lines", f.length, FUNCTION["max"]), ("parameters", f.parameters, PARAMETERS),
                               ("levels of nesting", f.nesting(), NESTING),
                               ("ways through (complexity)", f.complexity(), COMPLEXITY)):
        if value > limit and not (what == "parameters" and (f.path, f.name) in PRESCRIBED):
            result.breach(f.path, f.start, f"{f.name} has {value} {what}, more than {limit}")


def function_figures(every, result):
    ours = [f for f in every if not is_test(f.path)]
    lengths = [f.length for f in ours]
    result.figure("functions, of tests", f"{len(ours)}, {len(every) - len(ours)}")
    hold(result, "function median", percentile(lengths, 0.5), FUNCTION["median"])
    hold(result, "function p90", percentile(lengths, 0.9), FUNCTION["p90"])
    longest = max(every, key=lambda f: f.length, default=None)
    if longest:
        result.figure("longest function", f"{longest.length} {longest.name}", f"<= {FUNCTION['max']}")
        result.figure("most complex", max(f.complexity() for f in every), f"<= {COMPLEXITY}")


def comment_ratio(paths):
    comments = lines = 0
    for path in paths:
        comments += comment_lines(path)
        lines += sum(1 for line in code(path).splitlines() if line.strip())
    return f"{comments / max(1, lines):.2f}"


def run(_):
    result = Result()
    every = list(functions())
    for f in every:
        check_function(f, result)
    function_figures(every, result)
    sizes = {f: text(f).count("\n") for f in c_files()}
    for path, lines in sizes.items():
        if lines > FILE["max"]:
            result.breach(path, 0, f"has {lines} lines, more than {FILE['max']}")
    sources = [f for f in c_files(".c") if not is_test(f)]
    result.figure("C files, lines", f"{len(sizes)}, {sum(sizes.values())}")
    hold(result, "file median", percentile([sizes[f] for f in sources], 0.5), FILE["median"])
    for suffix in (".c", ".h"):
        result.figure(f"comments to code in {suffix}", comment_ratio(f for f in c_files(suffix) if not is_test(f)))
    return result
