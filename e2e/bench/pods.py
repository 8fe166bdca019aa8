#!/usr/bin/env python3
"""The first sync of many pods: our informer beside client-go's, in turn, on the same API server.

usage: pods.py [PODS=20000] [ROUNDS=3]
The pods are realistic (two containers, about 5 KB) and run on KWOK nodes. client-go is measured as controllers use it by default
(built-in kinds as protobuf) and with JSON, which is what custom resources always come as. "after" is what stays resident once
garbage has been collected and given back; for ours there is none.
env: LIVE_INFORMER (our program; default: informers/live_informer of the release build, built where it is missing)
"""
import json
import os
import statistics
import subprocess
import sys
import time

import lab

NS = "default"
NAMES = {"trimtab": "trimtab", "client-go": "client-go", "client-go-json": "client-go, JSON"}


def ours():
    binary = os.environ.get("LIVE_INFORMER", os.path.join(lab.ROOT, "build", "release", "informers", "live_informer"))
    if not os.path.exists(binary):
        subprocess.run(["cmake", "--preset", "release"], cwd=lab.ROOT, check=True, stdout=sys.stderr)
        subprocess.run(["cmake", "--build", "--preset", "release", "--target", "live_informer"], cwd=lab.ROOT, check=True,
                       stdout=sys.stderr)
    return binary


def peer():
    built = subprocess.run([os.path.join(lab.HERE, "peers", "build.sh"), "informer"], check=True, stdout=subprocess.PIPE, text=True)
    return built.stdout.strip()


def make_pods(world, count):
    lab.wait_for("the service account is there",
                 lambda: world.kube.request("GET", f"/api/v1/namespaces/{NS}/serviceaccounts/default")[0] == 200)
    lab.say(f"creating {count} pods")
    subprocess.run([sys.executable, os.path.join(lab.ROOT, "e2e", "cluster", "pods.py"), world.kubeconfig, NS, str(count)], check=True)
    waiting = f"/api/v1/namespaces/{NS}/pods?fieldSelector=status.phase!=Running&limit=1"
    lab.wait_for("all pods run", lambda: not world.kube.request("GET", waiting)[1]["items"], 60 + count / 20, 2)
    time.sleep(5)


def measure(world, name, argv):
    """One sync in a new process; its report."""
    env = {**os.environ, "KUBECONFIG": world.kubeconfig}
    done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, check=True, text=True, timeout=900)
    report = json.loads(done.stdout.splitlines()[0])
    lab.emit("pods", informer=name, **report)
    return report


def middle(reports, field):
    return statistics.median(r[field] for r in reports)


def row(name, reports, base):
    after = "rss_collected_mib" if "rss_collected_mib" in reports[0] else "rss_mib"
    cpu, rss = middle(reports, "cpu_seconds"), middle(reports, "rss_mib")
    return (f"| {NAMES[name]} | {reports[0]['objects']} | {middle(reports, 'seconds'):.2f} s | {cpu:.2f} s "
            f"| {cpu / middle(base, 'cpu_seconds'):.2f} | {rss:.0f} MiB | {rss / middle(base, 'rss_mib'):.3f} "
            f"| {middle(reports, 'peak_rss_mib'):.0f} MiB | {middle(reports, after):.0f} MiB |")


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    go = peer()
    programs = {"trimtab": [ours(), "pods"], "client-go": [go], "client-go-json": [go, "application/json"]}
    reports = {name: [] for name in programs}
    with lab.Lab(nodes=4) as world:
        make_pods(world, count)
        for n in range(rounds):
            lab.say(f"round {n + 1} of {rounds}")
            for name, argv in programs.items():
                reports[name].append(measure(world, name, argv))
                time.sleep(1)
    for name, of_name in reports.items():
        if any(r["objects"] != count for r in of_name):
            raise SystemExit(f"{name} did not see {count} pods: {of_name}")
    print("| informer | pods | synced in | CPU | of client-go's | resident | of client-go's | peak | after |\n"
          "|---|---|---|---|---|---|---|---|---|", file=sys.stderr)
    for name in programs:
        print(row(name, reports[name], reports["client-go"]), file=sys.stderr)


if __name__ == "__main__":
    main()
