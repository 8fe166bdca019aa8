#!/usr/bin/env python3
"""The whole operator against a real apiserver, etcd and Prometheus, with faults put in between.

usage: test_faults.py [--keep] [--worlds N] [NAME...]

Only the tests whose name contains one of NAME, or all. --worlds: so many clusters and Prometheus side by side share the
tests, which wait much more than they compute. --keep: the logs stay.

Every test starts from a Deployment that follows a load of 20 with 2 replicas, and ends with what it should be: the right
replicas, the same process, no word from a sanitizer, no growth of memory or open files. One line a test, then the count.
env: TRIMTAB (the binary; default build/asan/trimtab)
"""

import argparse
import multiprocessing
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
import cases_scenarios  # noqa: E402, F401
import cases_process  # noqa: E402, F401
from case import TESTS, run_one  # noqa: E402
from world import World, binary  # noqa: E402


def attempt(world, function):
    """Whether the test passes; one line tells."""
    start = time.monotonic()
    try:
        run_one(world, function)
        print(f"ok {function.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
        return True
    except Exception as error:  # any failure of a test is one; the others still run
        where = traceback.extract_tb(error.__traceback__)
        line = next((f.lineno for f in where if f.name == function.__name__), where[-1].lineno)
        print(f"not ok {function.__name__} ({time.monotonic() - start:.1f} s): line {line}: "
              f"{type(error).__name__}: {error}", flush=True)
        recover(world)
        return False


def recover(world):
    """After a failure: a living operator for the next test, and the processes that a test may have stopped."""
    world.heal()
    for name in ("etcd", "apiserver"):
        subprocess.run([world.plane.script, "start", str(world.plane.folder), name], check=False, capture_output=True)
    if world.prometheus.process.poll() is not None:
        world.prometheus.start()
    world.operator.stop()
    world.operator = world.start_operator(f"operator-{len(world.operators)}")


def end_in_order():
    """SIGTERM or Ctrl-C ends what was started; a second one does not disturb that."""
    def end(number, _):
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, end)


def run_world(folder, chosen, taken, passed, failed):
    """Starts a world and takes one test after the other from those that no world has taken yet."""
    end_in_order()
    start = time.monotonic()
    world = World(folder)
    print(f"# {binary()}; logs in {folder} ({time.monotonic() - start:.1f} s to start)", flush=True)
    try:
        while True:
            with taken.get_lock():
                i = taken.value
                taken.value += 1
            if i >= len(chosen):
                break
            count = passed if attempt(world, chosen[i]) else failed
            with count.get_lock():
                count.value += 1
        code = world.operator.stop()
        leaks = [line for o in world.operators for line in o.text().splitlines() if "Sanitizer" in line]
        for line in leaks[:5]:
            print(f"# {line}")
        if leaks or code:
            print(f"not ok the end of {folder}: the operator ended with {code}, and {len(leaks)} lines of a sanitizer", flush=True)
            with failed.get_lock():
                failed.value += 1
    finally:
        world.close()


def run(folder, chosen, worlds):
    """How many passed and failed. A world that ends early, or takes none, is a failure too."""
    taken, passed, failed = (multiprocessing.Value("i", 0) for _ in range(3))
    children = [multiprocessing.Process(target=run_world, args=(f"{folder}/{n}", chosen, taken, passed, failed))
                for n in range(worlds)]
    try:
        for child in children:
            child.start()
        for child in children:
            child.join()
    finally:
        for child in children:
            if child.is_alive():
                child.terminate()
                child.join()
    return passed.value, failed.value + sum(child.exitcode != 0 for child in children)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--worlds", type=int, default=1)
    options = parser.parse_args()
    chosen = [t for t in TESTS if not options.names or any(n in t.__name__ for n in options.names)]
    end_in_order()
    folder = tempfile.mkdtemp(prefix="trimtab-faults-")
    try:
        passed, failed = run(folder, chosen, min(options.worlds, len(chosen)))
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or passed < len(chosen) else 0


if __name__ == "__main__":
    sys.exit(main())
