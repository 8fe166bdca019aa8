#!/usr/bin/env python3
"""Many policies: how soon all of them decide, and what they cost in steady state.

usage: policies.py [POLICIES=1000] [QUERIES=100] [SECONDS=60]
1,000 policies on 1,000 Deployments (one KWOK pod each) share 100 queries at `interval: 1s`. Counts the operator's processor time
and memory, Prometheus' queries, and the operator's requests in the audit log of the API server.
env: TRIMTAB (the binary; default build/release/trimtab)
"""
import json
import sys
import time

import lab

NS = "default"


def operator_requests(world, since):
    """Reads and writes of the operator in the audit log since a time; a watch that goes on is neither."""
    reads, writes = 0, 0
    with open(world.audit, encoding="utf-8") as f:
        for line in f:
            e = json.loads(line)
            if not e.get("userAgent", "").startswith("trimtab/") or e["requestReceivedTimestamp"] < since:
                continue
            if e["verb"] in ("get", "list"):
                reads += 1
            elif e["verb"] != "watch":
                writes += 1
    return reads, writes


def deciding(world):
    _, reply = world.kube.request("GET", f"{lab.POLICIES}/namespaces/{NS}/autoscalingpolicies")
    ready = 0
    for p in reply["items"]:
        conditions = {c["type"]: c["status"] for c in p.get("status", {}).get("conditions", [])}
        ready += conditions.get("Ready") == "True"
    return ready


def come_up(world, url, count, queries):
    names = [f"w-{i:04d}" for i in range(count)]
    deployments = [lab.deployment(n, NS) for n in names]
    lab.say(f"creating {count} deployments")
    world.create_all(f"/apis/apps/v1/namespaces/{NS}/deployments", deployments)
    lab.wait_for("all pods are there", lambda: pods_running(world) >= count, 300, 2)
    time.sleep(20)  # two minutes of rates are not needed, but every series must be there
    lab.say(f"creating {count} policies")
    policies = [lab.policy(n, NS, f'avg(rate(http_requests_total{{group="{i % queries}"}}[1m]))', "100", 5, None, "1s")
                for i, n in enumerate(names)]
    begun = time.time()
    world.create_all(f"{lab.POLICIES}/namespaces/{NS}/autoscalingpolicies", policies)
    created = time.time()
    while deciding(world) < count and time.time() - created < 120:
        time.sleep(0.25)
    return created - begun, time.time() - created, deciding(world)


def pods_running(world):
    _, reply = world.kube.request("GET", f"/api/v1/namespaces/{NS}/pods?resourceVersion=0")
    return sum(p["status"].get("phase") == "Running" for p in reply["items"])


def prometheus_queries(url):
    return sum(v for k, v in lab.metrics(url + "/metrics").items()
               if k.startswith("prometheus_http_requests_total{") and '/api/v1/query"' in k)


def steady_state(world, process, own, url, seconds):
    lab.say("waiting for a steady state")
    time.sleep(60)  # value changes may be written once in 15 s; the rates have to settle over their minute
    lab.say(f"measuring for {seconds} s")
    since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    cpu, queries, before, begun = process.cpu(), prometheus_queries(url), lab.metrics(own + "/metrics"), time.time()
    time.sleep(seconds)
    took = time.time() - begun
    after = lab.metrics(own + "/metrics")
    reads, writes = operator_requests(world, since)
    return {
        "cores": round((process.cpu() - cpu) / took, 4),
        "rss_mib": round(process.memory(), 1),
        "peak_mib": round(process.memory("VmHWM"), 1),
        "queries_per_s": round((prometheus_queries(url) - queries) / took, 2),
        "decisions_per_s": round((after["trimtab_decisions_total"] - before["trimtab_decisions_total"]) / took, 1),
        "api_reads": reads,
        "api_writes": writes,
        "longest_turn_ms": round(after["trimtab_loop_lag_seconds"] * 1000, 1),
    }


def main():
    numbers = [int(a) for a in sys.argv[1:]] + [1000, 100, 60][len(sys.argv) - 1:]
    count, queries, seconds = numbers[:3]
    with lab.Lab(audit="{level: Metadata}") as world:
        app = lab.Application(world.kubeconfig, NS, groups=queries, poll=5, default_rps=80.0)
        url = world.prometheus(app.port, "5s")
        process, own = world.operator(url)
        creating, after_last, ready = come_up(world, url, count, queries)
        lab.emit("policies-start", policies=count, creating_s=round(creating, 1), all_deciding_after_last_s=round(after_last, 1), deciding=ready)
        result = steady_state(world, process, own, url, seconds)
        lab.emit("policies-steady", policies=count, queries=queries, interval_s=1, window_s=seconds, **result)
        print("| policies | deciding, after the last was made | cores | MiB | queries/s | API reads | API writes |\n|---|---|---|---|---|---|---|\n"
              f"| {count} | {after_last:.1f} s | {result['cores']:.3f} | {result['rss_mib']:.0f} | {result['queries_per_s']:.0f} "
              f"| {result['api_reads']} in {seconds} s | {result['api_writes']} in {seconds} s |", file=sys.stderr)


if __name__ == "__main__":
    main()
