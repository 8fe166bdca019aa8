#!/usr/bin/env python3
"""Load step -> scale writes: trimtab and, on the same series in the same run, a real HPA through prometheus-adapter.

usage: reaction.py [RUNS=10]
Prometheus scrapes at 1 s, queries look at 5 s; the load goes from 80 to 1000 requests a second with a target of 100 a pod, at
a random phase. The HPA looks every 15 s, as its controller does by default; prometheus-adapter lists the series every 2 s. Who has
not written within GIVE_UP seconds counts with these.
env: TRIMTAB (the binary; default: the release build)
"""
import os
import random
import statistics
import threading
import time

import lab
import processes
import report

LOW, HIGH, TARGET, WANT = 80, 1000, 100, 10
GIVE_UP = 60
BEHAVIOR = {
    "scaleUp": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Percent", "value": 1000, "periodSeconds": 5}]},
    "scaleDown": {"stabilizationWindowSeconds": 5, "policies": [{"type": "Percent", "value": 100, "periodSeconds": 5}]},
}
RULES = """rules:
- seriesQuery: 'http_requests_total{namespace!="",pod!=""}'
  resources: {overrides: {namespace: {resource: namespace}, pod: {resource: pod}}}
  name: {matches: "^(.*)_total$", as: "${1}_per_second"}
  metricsQuery: 'sum(rate(<<.Series>>{<<.LabelMatchers>>}[5s])) by (<<.GroupBy>>)'
"""


def start_adapter(world, prometheus_url):
    """prometheus-adapter behind the aggregator, through a Service with an external name."""
    port, rules = processes.free_port(), os.path.join(world.dir, "rules.yaml")
    with open(rules, "w", encoding="ascii") as f:
        f.write(RULES)
    world.start("adapter", [
        processes.peer("prometheus-adapter"), f"--secure-port={port}", f"--cert-dir={world.dir}/adapter-certs", f"--config={rules}",
        f"--prometheus-url={prometheus_url}", "--metrics-relist-interval=2s", "--metrics-max-age=1m",
        f"--lister-kubeconfig={world.kubeconfig}", f"--authentication-kubeconfig={world.kubeconfig}",
        f"--authorization-kubeconfig={world.kubeconfig}", "--bind-address=127.0.0.1",
    ])
    world.kubectl("apply", "-f", "-", stdin=f"""
apiVersion: v1
kind: Service
metadata: {{name: adapter, namespace: default}}
spec: {{type: ExternalName, externalName: localhost}}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {{name: v1beta1.custom.metrics.k8s.io}}
spec:
  {{group: custom.metrics.k8s.io, version: v1beta1, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true,
   service: {{name: adapter, namespace: default, port: {port}}}}}
""")
    path = "/apis/custom.metrics.k8s.io/v1beta1/namespaces/default/pods/*/http_requests_per_second"
    lab.wait_for("prometheus-adapter answers", lambda: (lambda r: r[0] == 200 and r[1]["items"])(world.kube.request("GET", path)), 90)


def hpa(name):
    metric = {"metric": {"name": "http_requests_per_second"}, "target": {"type": "AverageValue", "averageValue": str(TARGET)}}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name, "namespace": "default"},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "minReplicas": 1,
                     "maxReplicas": 20, "metrics": [{"type": "Pods", "pods": metric}], "behavior": BEHAVIOR}}


class Follower:
    """Every change of spec.replicas of the deployments, with its time."""

    def __init__(self, kubeconfig):
        self.log = {}
        self.kube = lab.Kube(kubeconfig, "bench-watch")
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        for event in self.kube.watch("/apis/apps/v1/namespaces/default/deployments?watch=1"):
            o = event["object"]
            self.log.setdefault(o["metadata"]["name"], []).append(
                (time.time(), o["spec"]["replicas"], o.get("status", {}).get("readyReplicas", 0)))

    def settled(self, name):
        return bool(self.log.get(name)) and self.log[name][-1][1:] == (1, 1)

    def changes(self, name, since, mark):
        last, found = 1, []
        for when, replicas, _ in self.log[name][mark:]:
            if replicas != last:
                found.append((round(when - since, 3), replicas))
                last = replicas
        return found


def one_run(app, follower, names, number):
    app.set(LOW)
    quiet_since = None
    while not quiet_since or time.time() - quiet_since < 8:
        calm = all(follower.settled(n) for n in names)
        quiet_since = (quiet_since or time.time()) if calm else None
        time.sleep(0.1)
    time.sleep(random.uniform(0, 15))
    marks = {n: len(follower.log[n]) for n in names}
    begun = app.set(HIGH)
    while time.time() - begun < GIVE_UP:
        if all(any(r >= WANT for _, r in follower.changes(n, begun, marks[n])) for n in names):
            break
        time.sleep(0.05)
    results = {}
    for n in names:
        changes = follower.changes(n, begun, marks[n])
        results[n] = (changes[0][0] if changes else GIVE_UP, next((t for t, r in changes if r >= WANT), GIVE_UP))
        report.emit("reaction", peer=n, run=number, first_write_s=results[n][0], right_size_s=results[n][1], changes=changes)
    return results


def words(values):
    """A cell of the README."""
    return f"median {statistics.median(values):.1f} s, max {max(values):.1f} s"


def finish(results):
    """Results: of each run, by name, the time of the first write and that of the right size."""
    first, full = ({n: [r[n][k] for r in results] for n in results[0]} for k in (0, 1))
    report.table(["", "first write", "right size"], [[n, words(first[n]), words(full[n])] for n in first])
    for n in first:
        report.emit("reaction-summary", peer=n, runs=len(results), **{
            f"{what}_{kind.__name__}_s": round(kind(of[n]), 3) for what, of in (("first_write", first), ("right_size", full))
            for kind in (min, statistics.median, max)})
    report.finish("reaction", [
        (f"load step to first scale write, scrapes at 1 s, {len(results)} runs", words(first["trimtab"]),
         "HPA with prometheus-adapter: " + words(first["hpa"])),
        ("load step to the right size", words(full["trimtab"]), words(full["hpa"]))], [
            report.Limit("first write, median", statistics.median(first["trimtab"]), 1.5, "s"),
            report.Limit("first write, the slowest", max(first["trimtab"]), 3, "s")])


def main():
    runs, = report.arguments(10)
    names = ("trimtab", "hpa")
    with lab.Lab() as world:
        for n in names:
            world.kube.create("/apis/apps/v1/namespaces/default/deployments", lab.deployment(n, "default"))
        app = lab.Application(world.kubeconfig, "default", default_rps=LOW)
        url = world.prometheus(app.port)
        report.say("starting prometheus-adapter for the HPA")
        start_adapter(world, url)
        world.kube.create("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers", hpa("hpa"))
        world.operator(url)
        query = 'sum(rate(http_requests_total{app="trimtab"}[5s]))'
        world.kube.create(lab.POLICIES + "/namespaces/default/autoscalingpolicies",
                          lab.policy("trimtab", "default", query, str(TARGET), 20, BEHAVIOR))
        follower = Follower(world.kubeconfig)
        time.sleep(6)
        results = []
        for i in range(runs):
            results.append(one_run(app, follower, names, i + 1))
            report.say(f"run {i + 1} of {runs}: " + ", ".join(f"{n} first {r[0]} s, right size {r[1]} s" for n, r in results[-1].items()))
    finish(results)


if __name__ == "__main__":
    main()
