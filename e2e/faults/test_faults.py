#!/usr/bin/env python3
"""The whole operator against a real apiserver, etcd and Prometheus, with faults put in between.

usage: test_faults.py [--keep] [NAME...]   only the tests whose name contains one of NAME

Every test starts from a Deployment that follows a load of 20 with 2 replicas, and ends with what it should be: the right
replicas, the same process, no word from a sanitizer, no growth of memory or open files. One line a test, then the count.
env: TRIMTAB (the binary; default build/asan/trimtab)
"""

import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# The order of these is the order of the tests.
import cases_basic  # noqa: E402, F401
import cases_apiserver  # noqa: E402, F401
import cases_prometheus  # noqa: E402, F401
import cases_sources  # noqa: E402, F401
import cases_policies  # noqa: E402, F401
import cases_rivals  # noqa: E402, F401
import cases_metrics  # noqa: E402, F401
import cases_explain  # noqa: E402, F401
import cases_serving  # noqa: E402, F401
import cases_process  # noqa: E402, F401
from case import TESTS, run_one  # noqa: E402
from world import World, binary  # noqa: E402


def run(world, chosen):
    passed = failed = 0
    for function in chosen:
        start = time.monotonic()
        try:
            run_one(world, function)
            passed += 1
            print(f"ok {function.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
        except Exception as error:  # any failure of a test is one; the others still run
            failed += 1
            where = traceback.extract_tb(error.__traceback__)
            line = next((f.lineno for f in where if f.name == function.__name__), where[-1].lineno)
            print(f"not ok {function.__name__} ({time.monotonic() - start:.1f} s): line {line}: "
                  f"{type(error).__name__}: {error}", flush=True)
            recover(world)
    return passed, failed


def recover(world):
    """After a failure: a living operator for the next test, and the processes that a test may have stopped."""
    world.heal()
    for name in ("etcd", "apiserver"):
        subprocess.run([world.plane.script, "start", str(world.plane.folder), name], check=False, capture_output=True)
    if world.prometheus.process.poll() is not None:
        world.prometheus.start()
    world.operator.stop()
    world.operator = world.start_operator(f"operator-{len(world.operators)}")


def main():
    words = [w for w in sys.argv[1:] if not w.startswith("--")]
    keep = "--keep" in sys.argv
    chosen = [t for t in TESTS if not words or any(w in t.__name__ for w in words)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended
    folder = tempfile.mkdtemp(prefix="trimtab-faults-")
    start = time.monotonic()
    world = World(folder)
    print(f"# {binary()}; logs in {folder} ({time.monotonic() - start:.1f} s to start)", flush=True)
    try:
        passed, failed = run(world, chosen)
        code = world.operator.stop()
        leaks = [line for o in world.operators for line in o.text().splitlines() if "Sanitizer" in line]
        failed += bool(leaks or code)
        for line in leaks[:5]:
            print(f"# {line}")
    finally:
        world.close()
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
