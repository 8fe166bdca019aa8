#!/usr/bin/env python3
"""A fleet of kubelets: what the operator needs to read all of them, beside metrics-server, and how soon a new pod's usage is served.

usage: kubelets.py [NODES=1000] [PODS=100] [SECONDS=60] [ROUNDS=3]        pods on each node; how long is measured in a round
The kubelets are simulated (fleet.py), the API server and etcd are real; nothing else runs in the cluster. In each round each server runs
alone, from its start to its end: until it gives all nodes, for two intervals more, and then for as long as is measured. Then 20 pods are
born on other nodes, at moments by chance but the same ones for both: how long after a kubelet told of it for the first time its usage
was served (asked for 10 times a second), and how long after its start. Scrapes are counted by the kubelets. Medians of the rounds.
env: TRIMTAB (the binary; default: the release build)
"""
import random
import statistics
import time

import fleet
import lab
import report
import usageservers

BIRTHS, WITHIN, POLL = 20, 30, 0.1
ASKED = 5
NURSERY = f"/apis/{usageservers.GROUP}/v1beta1/namespaces/{fleet.NURSERY}/pods"
# How far from one scrape of each kubelet in an interval a server may be: it is at the edges of the time that is measured.
EDGE = 0.05
SHOWN = (("CPU, of one core", "cpu_percent", "{:.1f} %"), ("resident", "rss_mib", "{:.0f} MiB"), ("peak", "peak_rss_mib", "{:.0f} MiB"),
         ("scrapes/s", "scrapes_per_second", "{:.1f}"), ("all nodes after the start", "usable_seconds", "{:.1f} s"),
         ("new pod, after its first scrape", "served_seconds", "{:.1f} s"), ("the slowest", "slowest_seconds", "{:.1f} s"),
         ("after its start", "born_seconds", "{:.1f} s"), ("GET of all pods", "top_seconds", "{:.2f} s"),
         ("age of what it has", "age_seconds", "{:.1f} s"))


def steady(server, herd, seconds):
    """What a server takes while it only reads kubelets."""
    cpu, begun, answers, resident = server.process.cpu(), time.monotonic(), herd.answers(), []
    while time.monotonic() < begun + seconds:
        time.sleep(min(1.0, max(0.0, begun + seconds - time.monotonic())))
        resident.append(server.process.memory())
    wall = time.monotonic() - begun
    return {"cpu_percent": 100 * (server.process.cpu() - cpu) / wall, "rss_mib": statistics.median(resident),
            "peak_rss_mib": server.process.memory("VmHWM"), "scrapes_per_second": (herd.answers() - answers) / wall}


def births(server, herd, plan):
    """Lets pods be born; how long each took to be served."""
    begun, served, count = time.time(), {}, 0
    lab.wait_for("no pod of before", lambda: not server.items(NURSERY), 60)
    while len(served) < len(plan):
        while count < len(plan) and time.time() >= begun + plan[count][0]:
            herd.bear(plan[count][1], f"young-{count:02d}")
            count += 1
        for item in server.items(NURSERY):
            served.setdefault(item["metadata"]["name"], time.time())
        if time.time() > begun + WITHIN + 120:
            raise SystemExit(f"{server.name} serves {len(served)} of {count} new pods after {WITHIN + 120} s")
        time.sleep(POLL)
    born = herd.tell("state")["born"]
    herd.clear()
    since = [served[name] - scraped for name, (_, scraped) in born.items()]
    return {"served_seconds": statistics.median(since), "slowest_seconds": max(since),
            "born_seconds": statistics.median(served[name] - start for name, (start, _) in born.items())}


def one_round(world, herd, name, number, seconds):
    dice = random.Random(number)
    plan = list(zip(sorted(dice.uniform(0, WITHIN) for _ in range(BIRTHS)), dice.sample(range(herd.nodes), BIRTHS)))
    server = usageservers.Server(world, name)
    found = {"usable_seconds": server.wait(herd.nodes)}
    time.sleep(2 * usageservers.RESOLUTION)
    found |= steady(server, herd, seconds)
    found |= births(server, herd, plan)
    answers = []
    for _ in range(ASKED):  # at moments all over an interval: how old values are changes within it
        time.sleep(usageservers.RESOLUTION / ASKED)
        answers.append(server.all_pods())
    found |= {"pods": min(a["pods"] for a in answers), "top_seconds": report.median(answers, "seconds"),
              "age_seconds": report.median(answers, "age_seconds"), "rss_after_top_mib": server.process.memory()}
    server.process.stop()
    report.emit("kubelets", server=name, round=number, nodes=herd.nodes, **{k: round(v, 3) for k, v in found.items()})
    return found


def check(name, reports, nodes, pods):
    """A server that does not read all of them in time is not one to be compared with."""
    rate = report.median(reports, "scrapes_per_second") / (nodes / usageservers.RESOLUTION)
    if abs(rate - 1) > EDGE or any(r["pods"] < nodes * pods for r in reports):
        raise SystemExit(f"{name} does not keep up here: {rate:.2f} scrapes of each kubelet in an interval, "
                         f"{min(r['pods'] for r in reports)} of {nodes * pods} pods; try fewer NODES for both")


def show(ours, peer):
    def cells(of):
        return [shape.format(report.median(of, field)) for _, field, shape in SHOWN]
    ratios = [f"{report.median(peer, field) / report.median(ours, field):.2f}" for _, field, _ in SHOWN]
    report.table(["server", *(what for what, _, _ in SHOWN)], [["trimtab", *cells(ours)], ["metrics-server", *cells(peer)],
                                                                ["metrics-server / trimtab", *ratios]])


def words(reports):
    """A cell of the README."""
    return (f"{report.median(reports, 'cpu_percent') / 100:.2f} cores, {report.median(reports, 'rss_mib'):,.0f} MiB, "
            f"a new pod served {report.median(reports, 'served_seconds'):.1f} s after its first scrape")


def main():
    nodes, pods, seconds, rounds = report.arguments(1000, 100, 60, 3)
    reports = {name: [] for name in usageservers.NAMES}
    with lab.Lab(controllers=False) as world:
        herd = fleet.Fleet(world, nodes, pods)
        for number, name in report.turns(reports, rounds):
            reports[name].append(one_round(world, herd, name, number, seconds))
    for name, of_name in reports.items():
        check(name, of_name, nodes, pods)
    ours, peer = reports["trimtab"], reports["metrics-server"]
    show(ours, peer)
    report.finish("kubelets", [(f"{nodes:,} kubelets of {pods} pods each, every {usageservers.RESOLUTION} s", words(ours),
                                "metrics-server: " + words(peer))],
                  [report.Limit("processor time, of one core", report.median(ours, "cpu_percent"), 20, "%"),
                   report.Limit("resident memory", report.median(ours, "rss_mib"), 150, "MiB")])


if __name__ == "__main__":
    main()
