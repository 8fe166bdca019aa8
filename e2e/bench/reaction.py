#!/usr/bin/env python3
"""Load step -> scale writes: trimtab and, on the same series in the same run, a real HPA through prometheus-adapter.

usage: reaction.py [RUNS=10] [--no-peer]
Prometheus scrapes at 1 s, queries look at 5 s; the load goes from 80 to 1000 requests a second with a target of 100 a pod, at
a random phase. Prints one JSON line a run and peer, and a summary; on standard error a table.
env: TRIMTAB (the binary; default build/release/trimtab)
"""
import os
import random
import statistics
import subprocess
import sys
import threading
import time

import lab

LOW, HIGH, TARGET, WANT = 80, 1000, 100, 10
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
    binary = subprocess.run([os.path.join(lab.HERE, "peers", "build.sh"), "prometheus-adapter"], check=True,
                            stdout=subprocess.PIPE, text=True).stdout.strip()
    port, rules = lab.free_port(), os.path.join(world.dir, "rules.yaml")
    with open(rules, "w", encoding="ascii") as f:
        f.write(RULES)
    world.start("adapter", [
        binary, f"--secure-port={port}", f"--cert-dir={world.dir}/adapter-certs", f"--config={rules}",
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
    while time.time() - begun < 60:
        if all(any(r >= WANT for _, r in follower.changes(n, begun, marks[n])) for n in names):
            break
        time.sleep(0.05)
    results = {}
    for n in names:
        changes = follower.changes(n, begun, marks[n])
        full = next((t for t, r in changes if r >= WANT), None)
        results[n] = (changes[0][0] if changes else None, full)
        lab.emit("reaction", peer=n, run=number, first_write_s=results[n][0], right_size_s=full, changes=changes)
    return results


def describe(values):
    v = [x for x in values if x is not None]
    if not v:
        return {"runs": 0}
    return {"runs": len(v), "min": min(v), "median": statistics.median(v), "mean": round(statistics.mean(v), 3), "max": max(v)}


def main():
    runs = int(next((a for a in sys.argv[1:] if a.isdigit()), 10))
    peer = "--no-peer" not in sys.argv
    with lab.Lab() as world:
        names = ["trimtab"] + (["hpa"] if peer else [])
        for n in names:
            world.kube.create("/apis/apps/v1/namespaces/default/deployments", lab.deployment(n, "default"))
        app = lab.Application(world.kubeconfig, "default", default_rps=LOW)
        url = world.prometheus(app.port)
        if peer:
            lab.say("starting prometheus-adapter for the HPA")
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
            lab.say(f"run {i + 1} of {runs}: " + ", ".join(f"{n} first {r[0]} s, right size {r[1]} s" for n, r in results[-1].items()))
        print("| | first write: median | max | right size: median | max |\n|---|---|---|---|---|", file=sys.stderr)
        for n in names:
            first, full = describe([r[n][0] for r in results]), describe([r[n][1] for r in results])
            lab.emit("reaction-summary", peer=n, first_write_s=first, right_size_s=full)
            print(f"| {n} | {first.get('median')} s | {first.get('max')} s | {full.get('median')} s | {full.get('max')} s |", file=sys.stderr)


if __name__ == "__main__":
    main()
