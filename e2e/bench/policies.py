#!/usr/bin/env python3
"""Many policies: how soon all of them decide, and what they cost in steady state.

usage: policies.py [POLICIES=1000] [QUERIES=100] [SECONDS=60] [ROUNDS=3]
1,000 policies on 1,000 Deployments (one KWOK pod each) share 100 queries at `interval: 1s`. They are created as often as there are
rounds, and deleted in between: how long after the last one all decide. Then, in each round, the operator's processor time and memory,
Prometheus' queries, and the operator's requests in the audit log of the API server. Medians of the rounds.
env: TRIMTAB (the binary; default: the release build)
"""
import json
import time

import lab
import report
from report import median

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


def deploy(world, count):
    names = [f"w-{i:04d}" for i in range(count)]
    deployments = [lab.deployment(n, NS) for n in names]
    report.say(f"creating {count} deployments")
    world.create_all(f"/apis/apps/v1/namespaces/{NS}/deployments", deployments)
    lab.wait_for("all pods are there", lambda: pods_running(world) >= count, 300, 2)
    time.sleep(20)  # two minutes of rates are not needed, but every series must be there
    return names


def come_up(world, names, queries):
    """Creates the policies; how long that took, and how long after the last one all of them decided."""
    report.say(f"creating {len(names)} policies")
    policies = [lab.policy(n, NS, f'avg(rate(http_requests_total{{group="{i % queries}"}}[1m]))', "100", 5, None, "1s")
                for i, n in enumerate(names)]
    begun = time.time()
    world.create_all(f"{lab.POLICIES}/namespaces/{NS}/autoscalingpolicies", policies)
    created = time.time()
    while deciding(world) < len(names) and time.time() - created < 120:
        time.sleep(0.25)
    found = {"creating_s": round(created - begun, 1), "after_last_s": round(time.time() - created, 2), "deciding": deciding(world)}
    report.emit("policies-start", policies=len(names), **found)
    return found


def go(world, own):
    """Deletes all policies, until the operator knows of none."""
    world.kube.request("DELETE", f"{lab.POLICIES}/namespaces/{NS}/autoscalingpolicies")
    lab.wait_for("the policies are gone", lambda: not lab.metrics(own + "/metrics")["trimtab_policies"], 60, 0.5)


def pods_running(world):
    _, reply = world.kube.request("GET", f"/api/v1/namespaces/{NS}/pods?resourceVersion=0")
    return sum(p["status"].get("phase") == "Running" for p in reply["items"])


def prometheus_queries(url):
    return sum(v for k, v in lab.metrics(url + "/metrics").items()
               if k.startswith("prometheus_http_requests_total{") and '/api/v1/query"' in k)


def steady_state(world, process, own, url, seconds):
    report.say(f"measuring for {seconds} s")
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
    count, queries, seconds, rounds = report.arguments(1000, 100, 60, 3)
    with lab.Lab(audit="{level: Metadata}") as world:
        app = lab.Application(world.kubeconfig, NS, groups=queries, poll=5, default_rps=80.0)
        url = world.prometheus(app.port, "5s")
        process, own = world.operator(url)
        names = deploy(world, count)
        starts = [come_up(world, names, queries)]
        for _ in range(rounds - 1):
            go(world, own)
            starts.append(come_up(world, names, queries))
        report.say("waiting for a steady state")
        time.sleep(60)  # value changes may be written once in 15 s; the rates have to settle over their minute
        found = [steady_state(world, process, own, url, seconds) for _ in range(rounds)]
    for one in found:
        report.emit("policies-steady", policies=count, queries=queries, interval_s=1, window_s=seconds, **one)
    after, (cores, rss, rate, writes) = median(starts, "after_last_s"), (median(found, f) for f in ("cores", "rss_mib", "queries_per_s", "api_writes"))
    # Once in ten minutes the operator asks which APIs there are, and that may fall into one of the rounds.
    reads = median(found, "api_reads")
    report.table(["policies", "deciding, after the last was made", "cores", "resident", "queries/s", "API reads", "API writes"],
                 [[count, f"{after:.1f} s", f"{cores:.3f}", f"{rss:.0f} MiB", f"{rate:.0f}", f"{reads:.0f} in {seconds} s", f"{writes:.0f} in {seconds} s"]])
    report.finish("policies", [
        (f"{count:,} policies, {queries} queries, `interval: 1s`",
         f"{cores:.2f} cores, {rss:.0f} MiB, {rate:.0f} queries/s, {reads:.0f} reads and {writes:.0f} writes in {seconds} s", ""),
        (f"{count:,} policies created at once", f"all deciding {after:.1f} s after the last", "")], [
            report.Limit("processor time", cores, 0.1, "cores"), report.Limit("queries a second", rate, queries),
            report.Limit("reads of the API server", reads, 0), report.Limit("writes to the API server", writes, count / 100),
            report.Limit("all deciding after the last was made", max(one["after_last_s"] for one in starts), 10, "s"),
            report.Limit("policies that decide", min(one["deciding"] for one in starts), count, least=True)])


if __name__ == "__main__":
    main()
