#!/usr/bin/env python3
"""Holds `trimtab evaluate --check` against the real HPA controller over random worlds.

Copies the controller's package out of the Go module cache into a build folder, with its clock replaced by a variable, and
adds the generator beside this file; both together write recorded cases, which trimtab then has to answer the same.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
DEPS = HERE.parents[1] / "deps"
MODULE = DEPS / "modules" / "kubernetes"
PACKAGE = "pkg/controller/podautoscaler"


def build(work):
    """The generator's path; built anew where a source is newer."""
    go = subprocess.check_output([DEPS / "go.sh"], text=True).strip()
    work.mkdir(parents=True, exist_ok=True)
    for name in ("go.mod", "go.sum"):
        shutil.copy(MODULE / name, work / name)
    # As the control plane is built, so that what is compiled already counts here too.
    env = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOWORK="off", GOFLAGS="-trimpath")
    run = lambda *args: subprocess.check_output([go, *args], text=True, cwd=work, env=env)
    run("mod", "download", "k8s.io/kubernetes")
    theirs = pathlib.Path(run("list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes").strip()) / PACKAGE
    package = work / "podautoscaler"
    package.mkdir(exist_ok=True)
    for source in theirs.glob("*.go"):
        if not source.name.endswith("_test.go"):
            text = re.sub(r"\btime\.Now\(\)", "clockNow()", source.read_text())
            text = text.replace("metav1.Now()", "metav1.NewTime(clockNow())")
            (package / source.name).write_text(text)
    for source in HERE.glob("*.go"):
        shutil.copy(source, (work if source.name == "main.go" else package) / source.name)
    run("build", "-mod=readonly", "-o", "generate", ".")
    return work / "generate"


def check(trimtab, path):
    """(cases, the lines of difference by case) of one file."""
    done = subprocess.run([trimtab, "evaluate", "--check", "-f", path], capture_output=True, text=True)
    different = collections.defaultdict(list)
    for line in (done.stdout + done.stderr).splitlines():
        parts = line.split(": ", 2)
        if len(parts) == 3:
            different[parts[1]].append(parts[2])
        elif not re.match(r"\d+ .*(agree|differ)$", line):
            different[line].append("")
    if done.returncode < 0:
        different["crash"].append(f"signal {-done.returncode}")
    return len(json.loads(path.read_text())["vectors"] or []), different


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trimtab", default="build/dev/trimtab", help="the binary (%(default)s)")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "trimtab-hpa",
                        help="folder for the build and the cases (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=200, help="how many seeds; one is a chain of decisions and some single steps")
    parser.add_argument("--steps", type=int, default=5, help="decisions of a chain")
    parser.add_argument("--show", type=int, default=20, help="how many differing cases to print")
    args = parser.parse_args()
    generate = build(args.work / "build")
    out = args.work / "cases"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    subprocess.run([generate, f"-out={out}", f"-seed={args.seed}", f"-count={args.count}", f"-steps={args.steps}"], check=True)
    total, bad = 0, 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for path, (cases, different) in zip(sorted(out.iterdir()), pool.map(lambda p: check(args.trimtab, p), sorted(out.iterdir()))):
            total += cases
            for name, lines in different.items():
                bad += 1
                if bad <= args.show:
                    print(f"{path.name}: {name}", *lines, sep="\n    ")
    print(f"{total - bad} of {total} cases agree")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
