"""clang-tidy with the checks of .clang-tidy over every C file that the build knows."""

import concurrent.futures
import json
import os
import re
import subprocess
import sys

from checks.tree import ROOT, Result

BREACH = re.compile(r"^(.+?):(\d+):\d+: (?:warning|error): (.*)$", re.M)


def database(folder):
    """The build folder's compile commands, made by the dev preset where there are none."""
    path = ROOT / folder / "compile_commands.json"
    if not path.is_file():
        subprocess.run(["cmake", "--preset", "dev"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        path = ROOT / "build/dev/compile_commands.json"
    return path


def tidy(folder, path):
    run = subprocess.run(["clang-tidy", "-quiet", "-p", str(folder), "--extra-arg=-Wno-unknown-warning-option", path],
                         cwd=ROOT, capture_output=True, text=True)
    return run.stdout, run.returncode, run.stderr


def run(options):
    result = Result()
    commands = database(options.build)
    paths = sorted({entry["file"] for entry in json.loads(commands.read_text())} & {str(ROOT / f) for f in options.only}
                   if options.only else {entry["file"] for entry in json.loads(commands.read_text())})
    seen = set()
    with concurrent.futures.ThreadPoolExecutor(options.jobs or os.cpu_count()) as pool:
        for done, (out, code, said) in enumerate(pool.map(lambda p: tidy(commands.parent, p), paths), 1):
            found = BREACH.findall(out)
            for path, line, message in found:
                if (path, line, message) not in seen:
                    seen.add((path, line, message))
                    result.breach(os.path.relpath(path, ROOT), line, message)
            if code and not found:
                result.breach(paths[done - 1], 0, said.strip()[-300:])
            if sys.stderr.isatty() or done % 25 == 0:
                print(f"clang-tidy: {done} of {len(paths)} files", file=sys.stderr)
    result.figure("files through clang-tidy", len(paths))
    return result
