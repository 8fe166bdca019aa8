#!/usr/bin/env python3
"""`kubectl top pods -A`, and the request behind it: how long the operator takes for all pods, beside metrics-server.

usage: top.py [PODS=10000] [ROUNDS=10]
The kubelets are those of fleet.py, with 100 pods each; both servers read them at once, at the same interval, and are asked in turn. The
request is measured as JSON and as a Table, over TLS, each time on a new connection that is made before; `kubectl top pods -A` as a whole,
through the API server's aggregator. Medians of the rounds.
env: TRIMTAB (the binary; default: the release build)
"""
import subprocess
import time

import fleet
import lab
import processes
import report
import usageservers

PER_NODE = 100
KINDS = {"JSON": "application/json", "Table": "application/json;as=Table;v=v1;g=meta.k8s.io"}


def requests(servers, rounds):
    """Reports by what was asked for and of whom."""
    found = {(kind, name): [] for kind in KINDS for name in servers}
    for _, (kind, name) in report.turns(found, rounds):
        cpu = servers[name].process.cpu()
        answer = servers[name].all_pods(KINDS[kind])
        found[kind, name].append({**answer, "cpu_seconds": servers[name].process.cpu() - cpu, "rss_mib": servers[name].process.memory()})
    return found


def kubectl(world, server, rounds):
    """The same of kubectl; one run before them, which makes its cache of discovery."""
    server.register()
    argv = ["kubectl", "--kubeconfig", world.kubeconfig, "--cache-dir", f"{world.dir}/kubectl-cache-{server.name}", "top", "pods", "-A", "--no-headers"]
    found = []
    for _ in range(rounds + 1):
        begun = time.monotonic()
        said = processes.call(argv, stderr=subprocess.PIPE).stdout
        found.append({"seconds": time.monotonic() - begun, "pods": len(said.splitlines())})
    return found[1:]


def show(found):
    rows = []
    for (kind, name), reports in found.items():
        seconds, beside = (report.median(of, "seconds") for of in (reports, found[kind, "trimtab"]))
        rows.append([kind, name, reports[-1]["pods"], f"{seconds * 1000:.0f} ms", f"{seconds / beside:.2f}",
                     f"{max(r['seconds'] for r in reports) * 1000:.0f} ms"])
        rows[-1] += ([f"{sum(r['cpu_seconds'] for r in reports) / len(reports) * 1000:.0f} ms", f"{reports[-1]['rss_mib']:.0f} MiB"]
                     if kind in KINDS else ["", ""])
        report.emit("top", kind=kind, server=name, pods=reports[-1]["pods"], seconds=round(seconds, 4), rounds=len(reports),
                    slowest_seconds=round(max(r["seconds"] for r in reports), 4))
    report.table(["all pods", "server", "pods", "median", "of trimtab's", "slowest", "its CPU", "resident"], rows)


def main():
    pods, rounds = report.arguments(10000, 10)
    with lab.Lab(controllers=False) as world:
        herd = fleet.Fleet(world, pods // PER_NODE, PER_NODE)
        servers = {name: usageservers.Server(world, name) for name in usageservers.NAMES}
        for server in servers.values():
            server.wait(herd.nodes)
        found = requests(servers, rounds)
        for name, server in servers.items():
            found["kubectl top pods -A", name] = kubectl(world, server, (rounds + 1) // 2)
    show(found)
    short = [of for (kind, name), of in found.items() if any(r["pods"] != pods for r in of)]
    if short:
        raise SystemExit(f"not all {pods} pods were given: {short}")

    def words(name):
        return (f"{report.median(found['JSON', name], 'seconds'):.2f} s, "
                f"`kubectl` as a whole {report.median(found['kubectl top pods -A', name], 'seconds'):.2f} s")
    report.finish("top", [(f"cpu and memory of {pods:,} pods, as `kubectl top pods -A` asks", words("trimtab"),
                           "metrics-server: " + words("metrics-server"))],
                  [report.Limit(f"all pods as {kind}", report.median(found[kind, "trimtab"], "seconds"), 1, "s") for kind in KINDS])


if __name__ == "__main__":
    main()
