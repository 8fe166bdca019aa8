#!/usr/bin/env python3
"""The first sync of many pods: our informer beside client-go's, in turn, on the same API server.

usage: pods.py [PODS=20000] [ROUNDS=3]
The pods are realistic (two containers, about 5 KB) and run on KWOK nodes. client-go is measured as controllers use it by default
(built-in kinds as protobuf) and with JSON, which is what custom resources always come as. "after" is what stays resident once
garbage has been collected and given back; for ours there is none.
env: LIVE_INFORMER (our program; default: informers/live_informer of the release build, brought up to date)
"""
import json
import os
import sys
import time

import lab
import processes
import report
from report import median

NS = "default"
NAMES = {"trimtab": "trimtab", "client-go": "client-go", "client-go-json": "client-go, JSON"}


def make_pods(world, count):
    lab.wait_for("the service account is there",
                 lambda: world.kube.request("GET", f"/api/v1/namespaces/{NS}/serviceaccounts/default")[0] == 200)
    report.say(f"creating {count} pods")
    processes.call([sys.executable, os.path.join(lab.ROOT, "e2e", "cluster", "pods.py"), world.kubeconfig, NS, str(count)], stdout=sys.stderr)
    waiting = f"/api/v1/namespaces/{NS}/pods?fieldSelector=status.phase!=Running&limit=1"
    lab.wait_for("all pods run", lambda: not world.kube.request("GET", waiting)[1]["items"], 60 + count / 20, 2)
    time.sleep(5)


def measure(world, name, argv):
    """One sync in a new process; its report."""
    env = {**os.environ, "KUBECONFIG": world.kubeconfig}
    found = json.loads(processes.call(argv, env=env, timeout=900).stdout.splitlines()[0])
    report.emit("pods", informer=name, **found)
    return found


def row(name, reports, base):
    after = "rss_collected_mib" if "rss_collected_mib" in reports[0] else "rss_mib"
    cpu, rss = median(reports, "cpu_seconds"), median(reports, "rss_mib")
    return [NAMES[name], reports[0]["objects"], f"{median(reports, 'seconds'):.2f} s", f"{cpu:.2f} s", f"{cpu / median(base, 'cpu_seconds'):.2f}",
            f"{rss:.0f} MiB", f"{rss / median(base, 'rss_mib'):.3f}", f"{median(reports, 'peak_rss_mib'):.0f} MiB",
            f"{median(reports, after):.0f} MiB"]


def words(reports):
    """A cell of the README."""
    return f"{median(reports, 'cpu_seconds'):.2f} s of CPU, {median(reports, 'rss_mib'):.0f} MiB"


def main():
    count, rounds = report.arguments(20000, 3)
    go = processes.peer("informer")
    ours = processes.program("LIVE_INFORMER", "live_informer", "informers/live_informer")
    programs = {"trimtab": [ours, "pods"], "client-go": [go], "client-go-json": [go, "application/json"]}
    reports = {name: [] for name in programs}
    with lab.Lab(nodes=4) as world:
        make_pods(world, count)
        for _, name in report.turns(programs, rounds):
            reports[name].append(measure(world, name, programs[name]))
            time.sleep(1)
    for name, of_name in reports.items():
        if any(r["objects"] != count for r in of_name):
            raise SystemExit(f"{name} did not see {count} pods: {of_name}")
    mine, peer = reports["trimtab"], reports["client-go"]
    report.table(["informer", "pods", "synced in", "CPU", "of client-go's", "resident", "of client-go's", "peak", "after"],
                 [row(name, of_name, peer) for name, of_name in reports.items()])
    report.finish("pods", [(f"first sync of {count:,} pods", words(mine),
                            f"client-go's informer: {words(peer)} ({median(peer, 'rss_collected_mib'):.0f} after a collection)")],
                  [report.Limit("CPU, of client-go's", median(mine, "cpu_seconds") / median(peer, "cpu_seconds"), 0.5),
                   report.Limit("resident, of client-go's after a collection", median(mine, "rss_mib") / median(peer, "rss_collected_mib"), 0.1)])


if __name__ == "__main__":
    main()
