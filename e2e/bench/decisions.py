#!/usr/bin/env python3
"""What deciding costs: all policies of a cluster on one core, from the caches; the records of their decisions; and one case through
`trimtab evaluate`, as a process. No cluster is started.

usage: decisions.py [POLICIES=10000]
env: TRIMTAB, BENCH_DECISIONS, BENCH_RECORDS (the programs; default: those of the release build, brought up to date)
"""
import json
import tempfile

import lab
import processes
import report


def result(argv):
    """What a program printed, a line of JSON, which is printed again."""
    found = json.loads(processes.call(argv).stdout)
    report.emit(**found)
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
        said = processes.call(argv).stdout
        if "10 -> 16" not in said:
            raise SystemExit(f"decisions.py: evaluate did not decide as expected:\n{said}")
        wall, cpu = processes.process_times(argv)
    idle, idle_cpu = processes.process_times([binary, "version"])
    report.emit("evaluate", ms_median=round(wall, 2), cpu_ms_median=round(cpu, 2), version_ms_median=round(idle, 2),
                version_cpu_ms_median=round(idle_cpu, 2))
    return wall


def main():
    policies, = report.arguments(10000)
    decide = processes.program("BENCH_DECISIONS", "bench_decisions", "autoscaler/bench/bench_decisions")
    few, many = (result([decide, str(policies), pods]) for pods in ("10", "100"))
    kept = result([processes.program("BENCH_RECORDS", "bench_records", "autoscaler/bench/bench_records"), str(policies)])
    once = evaluate(processes.trimtab())
    report.table([f"{policies} policies", "CPU", "of that, gathering", "arena of a decision", "allocations"],
                 [[f"with {r['pods_each']} pods each", f"{r['ms']} ms", f"{100 * r['gathering_share']:.0f} %", f"{r['arena_bytes']} bytes",
                   r["allocations"]] for r in (few, many)])
    report.finish("decisions", [
        (f"{policies:,} policies decided, from the cache", f"10 pods each: {few['ms']:.0f} ms of CPU, 100 pods each: {many['ms']:.0f} ms; "
         f"{few['allocations'] + many['allocations'] or 'nothing'} allocated outside the arena", ""),
        (f"the last {kept['records_each']} decisions of {policies:,} policies", f"{kept['heap_mib']:.0f} MiB", ""),
        ("one case with `trimtab evaluate`", f"{once:.1f} ms", "")], [
            report.Limit("with 10 pods each", few["ms"], 100, "ms"), report.Limit("with 100 pods each", many["ms"], 1000, "ms"),
            report.Limit("allocations while deciding", few["allocations"] + many["allocations"], 0),
            report.Limit("record of a decision, packed, at most", kept["packed_bytes_most"], 2048, "bytes"),
            report.Limit("all records", kept["heap_mib"], 100, "MiB"), report.Limit("`trimtab evaluate` of one case", once, 5, "ms")])


if __name__ == "__main__":
    main()
