#!/usr/bin/env python3
"""What deciding costs: all policies of a cluster on one core, from the caches; the records of their decisions; and one case through
`trimtab evaluate`, as a process. No cluster is started.

usage: decisions.py [POLICIES=10000]
env: TRIMTAB, BENCH_DECISIONS, BENCH_RECORDS (the programs; default: of the release build, built where one is missing)
"""
import json
import os
import subprocess
import sys
import tempfile

import lab

RELEASE = os.path.join(lab.ROOT, "build", "release")
# What each figure has to stay below.
LIMITS = {"10 pods": 100, "100 pods": 1000, "record": 2048, "records": 100, "evaluate": 5}


def program(variable, target, path):
    """The program, built first where it is missing."""
    binary = os.environ.get(variable, os.path.join(RELEASE, path))
    if not os.path.exists(binary):
        subprocess.run(["cmake", "--preset", "release"], cwd=lab.ROOT, check=True, stdout=sys.stderr)
        subprocess.run(["cmake", "--build", "--preset", "release", "--target", target], cwd=lab.ROOT, check=True, stdout=sys.stderr)
    return binary


def result(argv):
    """What a program printed, a line of JSON, which is printed again."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    lab.emit(**found)
    return found


def case(pods=10):
    """A policy by cpu, its Deployment, pods and their metrics, as `kubectl get -o json` prints them."""
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "1", "controller": True}
    container = {"name": "c", "image": "x", "resources": {"requests": {"cpu": "500m"}}}
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:30Z"}
    policy = lab.policy("web", "default", "up", maximum=20)
    policy["spec"]["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]
    items = [policy, lab.deployment("web", "default", pods)]
    items[1]["metadata"]["uid"] = "1"
    for name in (f"web-{i}" for i in range(pods)):
        meta = {"name": name, "namespace": "default", "labels": {"app": "web"}}
        items.append({"apiVersion": "v1", "kind": "Pod", "metadata": {**meta, "ownerReferences": [owner]}, "spec": {"containers": [container]},
                      "status": {"phase": "Running", "startTime": "2026-01-01T00:00:00Z", "conditions": [ready]}})
        items.append({"apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics", "metadata": meta, "timestamp": "2026-01-01T01:00:00Z",
                      "window": "15s", "containers": [{"name": "c", "usage": {"cpu": "400m"}}]})
    return {"apiVersion": "v1", "kind": "List", "items": items}


def evaluate(binary):
    """Milliseconds of one case as a process, and of the same process with nothing to do."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump(case(), f)
        f.flush()
        argv = [binary, "evaluate", "-f", f.name, "--now", "2026-01-01T01:00:05Z"]
        said = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout
        if "10 -> 16" not in said:
            raise SystemExit(f"decisions.py: evaluate did not decide as expected:\n{said}")
        wall, cpu = lab.process_times(argv)
    idle, idle_cpu = lab.process_times([binary, "version"])
    lab.emit("evaluate", ms_median=round(wall, 2), cpu_ms_median=round(cpu, 2), version_ms_median=round(idle, 2),
             version_cpu_ms_median=round(idle_cpu, 2))
    return wall


def main():
    policies = sys.argv[1] if len(sys.argv) > 1 else "10000"
    decide = program("BENCH_DECISIONS", "bench_decisions", "autoscaler/bench/bench_decisions")
    rows = []
    for pods in ("10", "100"):
        r = result([decide, policies, pods])
        rows.append((f"{policies} policies with {pods} pods each, decided", r["ms"], "ms", LIMITS[pods + " pods"]))
        rows.append(("of that, gathering what they start from", round(100 * r["gathering_share"]), "%", ""))
        rows.append(("arena of one decision", r["arena_bytes"], "bytes", ""))
        rows.append(("allocations while deciding", r["allocations"], "", "none"))
    r = result([program("BENCH_RECORDS", "bench_records", "autoscaler/bench/bench_records"), policies])
    rows.append(("record of a decision, packed, at most", r["packed_bytes_most"], "bytes", LIMITS["record"]))
    rows.append((f"{policies} policies with {r['records_each']} records each", r["heap_mib"], "MiB", LIMITS["records"]))
    rows.append(("`trimtab evaluate` of one case", round(evaluate(program("TRIMTAB", "trimtab", "trimtab")), 2), "ms", LIMITS["evaluate"]))
    print("| | measured | limit |\n|---|---|---|", file=sys.stderr)
    for what, value, unit, limit in rows:
        print(f"| {what} | {value} {unit} | {limit} |", file=sys.stderr)


if __name__ == "__main__":
    main()
