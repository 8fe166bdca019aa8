#!/usr/bin/env python3
"""HPAs on Pods metrics, synced by the real controller of Kubernetes out of the operator's cache: how much of it reaches Prometheus and
the API server.

usage: hpas.py [HPAS=1000] [SECONDS=60]
A real API server with its aggregator, the real kube-controller-manager with the HPA controller alone, a real Prometheus. The HPAs are in
10 namespaces and read 5 metrics; each has a Deployment with 3 pods, put into etcd as they are. Prometheus writes down each query that it
is sent, the API server each request of the operator. Exits with 1 where, within these seconds, there was more than one query for each
metric, namespace and freshness interval, or any list, or where not every HPA was synced.
env: TRIMTAB (the binary; default: the release build)
"""
import collections
import datetime
import http.server
import json
import os
import statistics
import threading
import time

import lab
import processes
import report

NAMESPACES, METRICS, PODS = 10, 5, 3
FRESHNESS, SYNC = 10, 15
# What a query at the very edge of the time measured may make of the ratio.
EDGE = 0.01
VALUE = 100
APISERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
API = "custom.metrics.k8s.io"
VERSIONS = ("v1beta1", "v1beta2")
USER = "bench-trimtab"
BORN = "2026-01-01T00:00:00Z"
RULES = """rules:
- seriesQuery: '{__name__=~"^load_.*",namespace!="",pod!=""}'
  resources: {overrides: {namespace: {resource: namespace}, pod: {resource: pod}}}
  metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'
"""


class Hpa:
    """One of them: its place, its metric and its pods."""

    def __init__(self, number):
        self.number, self.namespace = number, f"team-{number % NAMESPACES}"
        self.name, self.metric = f"app-{number:04d}", f"load_{number // NAMESPACES % METRICS}"
        self.pods = [f"{self.name}-{n}" for n in range(PODS)]

    def meta(self, kind, name, **more):
        return {"name": name, "namespace": self.namespace, "creationTimestamp": BORN,
                "uid": f"00000000-0000-{kind:04d}-0000-{self.number * 10 + int(name[-1]):012d}", **more}

    def pod(self, name):
        ready = [{"type": kind, "status": "True", "lastTransitionTime": BORN} for kind in ("Ready", "ContainersReady")]
        return {"apiVersion": "v1", "kind": "Pod", "metadata": self.meta(1, name, labels={"app": self.name}),
                "spec": {"nodeName": "nowhere", "containers": [{"name": "c", "image": "x"}]},
                "status": {"phase": "Running", "startTime": BORN, "conditions": ready}}

    def deployment(self):
        counts = {f: PODS for f in ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas")}
        return {**lab.deployment(self.name, self.namespace, PODS), "metadata": self.meta(2, self.name), "status": counts}

    def hpa(self):
        metric = {"metric": {"name": self.metric}, "target": {"type": "AverageValue", "averageValue": str(VALUE)}}
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": self.name}
        return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": self.meta(3, self.name),
                "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 2 * PODS,
                         "metrics": [{"type": "Pods", "pods": metric}]}}

    def objects(self):
        yield f"horizontalpodautoscalers/{self.namespace}/{self.name}", self.hpa()
        yield f"deployments/{self.namespace}/{self.name}", self.deployment()
        for name in self.pods:
            yield f"pods/{self.namespace}/{name}", self.pod(name)


# What stands around the operator.


def serve(hpas):
    """The target of Prometheus; its port."""
    text = "".join(f'{h.metric}{{namespace="{h.namespace}",pod="{p}"}} {VALUE}\n' for h in hpas for p in h.pods).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def populate(world, hpas):
    report.say(f"putting {len(hpas)} HPAs, Deployments and {len(hpas) * PODS} pods")
    world.put_all([(f"namespaces/team-{n}", {"apiVersion": "v1", "kind": "Namespace", "spec": {"finalizers": ["kubernetes"]},
                                             "metadata": {"name": f"team-{n}", "creationTimestamp": BORN},
                                             "status": {"phase": "Active"}}) for n in range(NAMESPACES)])
    last = hpas[-1]
    world.put_all([o for h in hpas for o in h.objects()],
                  [f"/api/v1/namespaces/{last.namespace}/pods/{last.pods[-1]}",
                   f"/apis/apps/v1/namespaces/{last.namespace}/deployments/{last.name}",
                   f"/apis/autoscaling/v2/namespaces/{last.namespace}/horizontalpodautoscalers/{last.name}"])


def start_operator(world, prometheus):
    """Behind the APIServices, as the chart has it; the Service leads to this machine."""
    http_port, port, rules = processes.free_port(), processes.free_port(), os.path.join(world.dir, "rules.yaml")
    with open(rules, "w", encoding="ascii") as f:
        f.write(RULES)
    world.kube.create("/api/v1/namespaces/default/services",
                      {"metadata": {"name": "trimtab"}, "spec": {"type": "ExternalName", "externalName": "localhost"}})
    for version in VERSIONS:
        world.kube.create(APISERVICES, {"metadata": {"name": f"{version}.{API}"}, "spec": {
            "group": API, "version": version, "groupPriorityMinimum": 100, "versionPriority": 100 + int(version[-1]),
            "service": {"name": "trimtab", "namespace": "default", "port": port}}})
    process = world.start("trimtab", [
        processes.trimtab(), "run", f"--kubeconfig={world.kubeconfig_of(USER)}", f"--prometheus-url={prometheus}", f"--http-port={http_port}",
        f"--secure-port={port}", "--bind-address=127.0.0.1", f"--rules={rules}", "--service=default/trimtab",
        "--cert-secret=default/trimtab-cert", f"--manage-apiservices={','.join(f'{v}.{API}' for v in VERSIONS)}",
        f"--metrics-freshness={FRESHNESS}s", "--metrics-max-age=1m", "--no-kubelet-metrics"])
    path = f"/apis/{API}/v1beta2/namespaces/team-0/pods/*/load_0"
    lab.wait_for("the aggregator has the metrics from us", lambda: world.kube.request("GET", path)[0] == 200)
    return process, f"http://127.0.0.1:{http_port}/metrics"


def start_controller(world):
    """The real HPA controller, alone in a kube-controller-manager."""
    script = os.path.join(lab.ROOT, "e2e", "deps", "controlplane.sh")
    processes.call([script, "kube-controller-manager"])
    folder = processes.call([script, "--bin"]).stdout.strip()
    return world.start("hpa-controller", [
        f"{folder}/kube-controller-manager", f"--kubeconfig={world.kubeconfig}", "--leader-elect=false", "--secure-port=0",
        "--controllers=horizontal-pod-autoscaler-controller", f"--horizontal-pod-autoscaler-sync-period={SYNC}s",
        "--kube-api-qps=200", "--kube-api-burst=400"])


# What is measured.


def total(sums, name):
    return sum(value for key, value in sums.items() if key.split("{")[0] == name)


def reads(sums):
    """Metrics that were read from us and given."""
    return sums.get(f'trimtab_api_requests_total{{api="{API}",code="2xx"}}', 0)


def lines(path):
    with open(path, encoding="utf-8") as f:
        for line in f:
            if line.endswith("}\n"):
                yield json.loads(line)


def moment(text):
    return datetime.datetime.fromisoformat(text[:23].rstrip("Z") + "+00:00").timestamp()


def queries(path, begin, end):
    """How often Prometheus was sent each query."""
    return collections.Counter(q["params"]["query"] for q in lines(path) if begin <= moment(q["ts"]) < end)


def requests(path, begin, end):
    """How often the operator asked the API server for what."""
    return collections.Counter((r["verb"], r.get("objectRef", {}).get("resource", r["requestURI"])) for r in lines(path)
                               if begin <= moment(r["requestReceivedTimestamp"]) < end)


def active(world):
    """How many HPAs have their metric, by what their controller says."""
    answer = world.kube.request("GET", "/apis/autoscaling/v2/horizontalpodautoscalers")[1]
    return sum(any(c["type"] == "ScalingActive" and c["status"] == "True" for c in h.get("status", {}).get("conditions", ()))
               for h in answer["items"])


def settle(world, hpas, url):
    """Until each of them has been synced, and for two more intervals of the cache."""
    lab.wait_for("all HPAs are synced", lambda: reads(lab.metrics(url)) >= len(hpas), 120, 1)
    lab.wait_for("all HPAs have their metric", lambda: active(world) == len(hpas), 60, 2)
    time.sleep(2 * FRESHNESS)


def measure(process, url, seconds):
    """The sums that grew meanwhile, what it took, and when."""
    before, cpu, begin = lab.metrics(url), process.cpu(), time.time()
    resident = []
    while time.time() < begin + seconds:
        time.sleep(min(1.0, max(0.0, begin + seconds - time.time())))
        resident.append(process.memory())
    after, wall = lab.metrics(url), time.time() - begin
    grown = {name: value - before.get(name, 0) for name, value in after.items()}
    return grown, (begin, begin + seconds), {
        "cpu_percent": 100 * (process.cpu() - cpu) / wall, "rss_mib": statistics.median(resident)}


def evaluate(grown, sent, asked, seconds):
    pairs = NAMESPACES * METRICS
    return {"reads": reads(grown), "refused": total(grown, "trimtab_api_requests_total") - sum(
                v for k, v in grown.items() if k.startswith("trimtab_api_requests_total") and 'code="2xx"' in k),
            "waited": grown["trimtab_query_cache_misses_total"] + grown["trimtab_query_cache_shared_total"],
            "hits": grown["trimtab_query_cache_hits_total"], "source_requests": total(grown, "trimtab_source_requests_total"),
            "queries": sum(sent.values()), "distinct_queries": len(sent), "most_of_one": max(sent.values(), default=0),
            "ratio": sum(sent.values()) / (pairs * seconds / FRESHNESS),
            "lists": sum(n for (verb, _), n in asked.items() if verb == "list"),
            "kube_requests": {" ".join(what): n for what, n in asked.most_common()}}


def limits(found, seconds):
    """What was found, beside what it has to be."""
    pairs, hpas = NAMESPACES * METRICS, found["hpas"]
    yield report.Limit(f"queries for each metric, namespace and {FRESHNESS} s", found["ratio"], 1 + EDGE)
    yield report.Limit("different queries", found["distinct_queries"], pairs)
    yield report.Limit("different queries", found["distinct_queries"], min(METRICS, hpas), least=True)
    yield report.Limit("lists of the API server", found["lists"], 0)
    yield report.Limit("requests refused or failed", found["refused"], 0)
    yield report.Limit("HPAs that have their metric", found["active"], hpas, least=True)
    # Where this is missed, the controller or the API server is too slow here, and the rest means nothing.
    yield report.Limit("syncs", found["reads"], hpas * seconds / SYNC * 0.75, least=True)


def show(found, seconds):
    report.table(["HPAs", f"reads in {seconds} s", "from memory", "queries", f"for each metric, namespace and {FRESHNESS} s", "lists",
                  "CPU, of one core", "resident"],
                 [[found["hpas"], f"{found['reads']:.0f}", f"{found['hits']:.0f}", found["queries"], f"{found['ratio']:.3f}", found["lists"],
                   f"{found['cpu_percent']:.1f} %", f"{found['rss_mib']:.1f} MiB"]])
    if found["lists"]:
        report.say(f"requests: {found['kube_requests']}")


def main():
    count, seconds = report.arguments(1000, 60)
    hpas = [Hpa(n) for n in range(count)]
    with lab.Lab(controllers=False, audit=f"{{level: Metadata, users: [{USER}]}}, {{level: None}}") as world:
        world.kubectl("apply", "-f", os.path.join(lab.ROOT, "crds"))
        populate(world, hpas)
        query_log = os.path.join(world.dir, "queries.json")
        prometheus = world.prometheus(serve(hpas), "5s", query_log)
        time.sleep(6)
        process, url = start_operator(world, prometheus)
        start_controller(world)
        settle(world, hpas, url)
        report.say(f"measuring for {seconds} s")
        grown, when, used = measure(process, url, seconds)
        sent, asked = queries(query_log, *when), requests(world.audit, *when)
        found = {"hpas": count, "active": active(world), **used, **evaluate(grown, sent, asked, seconds)}
    report.emit("hpas", **{k: round(v, 3) if isinstance(v, float) else v for k, v in found.items()})
    show(found, seconds)
    report.finish("hpas", [(f"{count:,} HPAs on {NAMESPACES * METRICS} metrics of pods, by the real controller",
                            f"{found['ratio']:.2f} queries a metric, namespace and {FRESHNESS} s; {found['lists']} lists; "
                            f"{found['cpu_percent'] / 100:.2f} cores, {found['rss_mib']:.0f} MiB", "")], list(limits(found, seconds)))


if __name__ == "__main__":
    main()
