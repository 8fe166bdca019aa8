#!/usr/bin/env python3
"""`kubectl top pods -A`: how long the operator takes for what it asks, as JSON and as a Table.

usage: top.py [PODS=10000] [ROUNDS=10]
The kubelets are those of kubelets.py, with 100 pods each. Over TLS, each time on a new connection that is made before. Exits with 1
where the answer for all pods takes a second or more, the median of the rounds.
env: TRIMTAB (the binary; default: the release build)
"""
import statistics
import sys

import kubelets
import lab

PER_NODE = 100
LIMIT = 1.0
KINDS = {"JSON": "application/json", "Table": "application/json;as=Table;v=v1;g=meta.k8s.io"}


def measure(world, process, port, accept, rounds):
    cpu = process.cpu()
    answers = [kubelets.top(world, port, accept) for _ in range(rounds)]
    seconds = [a[0] for a in answers]
    return {"pods": answers[-1][2], "bytes": answers[-1][1], "seconds": statistics.median(seconds), "slowest_seconds": max(seconds),
            "cpu_seconds": (process.cpu() - cpu) / rounds, "rss_mib": process.memory()}


def main():
    pods, rounds = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((1, 10000), (2, 10)))
    reports = {}
    with lab.Lab(controllers=False) as world:
        process, _, port = kubelets.start_all(world, pods // PER_NODE, PER_NODE)
        lab.wait_for("all pods are given", lambda: kubelets.top(world, port)[2] == pods, 90, 1)
        for kind, accept in KINDS.items():
            reports[kind] = measure(world, process, port, accept, rounds)
    print("| GET of all pods | pods | bytes | median | slowest | CPU | resident |\n|---|---|---|---|---|---|---|", file=sys.stderr)
    for kind, r in reports.items():
        lab.emit("top", kind=kind, **{k: round(v, 4) for k, v in r.items()})
        print(f"| {kind} | {r['pods']} | {r['bytes']:,} | {r['seconds'] * 1000:.0f} ms | {r['slowest_seconds'] * 1000:.0f} ms "
              f"| {r['cpu_seconds'] * 1000:.0f} ms | {r['rss_mib']:.0f} MiB |", file=sys.stderr)
    sys.exit(any(r["seconds"] >= LIMIT or r["pods"] != pods for r in reports.values()))


if __name__ == "__main__":
    main()
