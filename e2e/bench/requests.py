#!/usr/bin/env python3
"""Requests of the custom metrics API: the operator beside prometheus-adapter, in turn, on the same API server and Prometheus.

usage: requests.py [PODS=100] [SECONDS=10] [ROUNDS=3]
GET .../namespaces/NS/pods/*/METRIC over TLS, 8 connections that are kept alive, each with the token of a service account that is
reviewed by the API server. prometheus-adapter runs as it is by default (5 requests a second to the API server) and with that limit
taken away; who is first changes from round to round. "a core" is what the server would answer in a second of processor time of its own;
beside it run wrk, the API server and Prometheus, so that on a machine of two cores "requests/s" is what is left. Medians of the rounds.
env: TRIMTAB (the binary; default: the release build)
"""
import json
import os
import re
import ssl
import sys
import time
import urllib.error
import urllib.request

import lab
import processes
import report
from report import median

NS = "default"
PATH = f"/apis/custom.metrics.k8s.io/v1beta1/namespaces/{NS}/pods/*/requests_per_second"
RULES = """rules:
- seriesQuery: 'http_requests_total{namespace!="",pod!=""}'
  name: {as: requests_per_second}
  resources: {template: '<<.Resource>>'}
  metricsQuery: 'sum(rate(<<.Series>>{<<.LabelMatchers>>}[1m])) by (<<.GroupBy>>)'
"""
NAMES = {"trimtab": "trimtab", "peer": "prometheus-adapter", "peer-unlimited": "prometheus-adapter, --client-qps=10000"}
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}


def make_pods(world, count):
    lab.wait_for("the service account is there",
                 lambda: world.kube.request("GET", f"/api/v1/namespaces/{NS}/serviceaccounts/default")[0] == 200)
    processes.call([sys.executable, os.path.join(lab.ROOT, "e2e", "cluster", "pods.py"), world.kubeconfig, NS, str(count)], stdout=sys.stderr)
    waiting = f"/api/v1/namespaces/{NS}/pods?fieldSelector=status.phase!=Running&limit=1"
    lab.wait_for("all pods run", lambda: not world.kube.request("GET", waiting)[1]["items"], 60 + count / 20, 1)


def make_token(world):
    """A token of the namespace's service account, which may read custom metrics."""
    group = "rbac.authorization.k8s.io"
    world.kube.create(f"/apis/{group}/v1/clusterroles", {
        "apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": "bench-requests"},
        "rules": [{"apiGroups": ["custom.metrics.k8s.io"], "resources": ["*"], "verbs": ["get"]}]})
    world.kube.create(f"/apis/{group}/v1/clusterrolebindings", {
        "apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "bench-requests"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "bench-requests"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": NS}]})
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}}
    return world.kube.request("POST", f"/api/v1/namespaces/{NS}/serviceaccounts/default/token", request)[1]["status"]["token"]


class Server:
    """One of the servers, from its start to its end."""

    def __init__(self, world, name, prometheus, token):
        self.name, self.token, self.port = name, token, processes.free_port()
        rules = os.path.join(world.dir, "rules.yaml")
        with open(rules, "w", encoding="ascii") as f:
            f.write(RULES)
        common = [f"--secure-port={self.port}", "--bind-address=127.0.0.1", f"--cert-dir={world.dir}/{name}-certs",
                  f"--client-ca-file={world.dir}/pki/ca.crt", f"--prometheus-url={prometheus}", "--metrics-relist-interval=30s"]
        config = world.kubeconfig
        if name == "trimtab":
            argv = [processes.trimtab(), "run", f"--kubeconfig={config}", f"--rules={rules}", "--authentication-skip-lookup",
                    "--no-kubelet-metrics", f"--http-port={processes.free_port()}", *common]
        else:
            argv = [processes.peer("prometheus-adapter"), f"--config={rules}", f"--lister-kubeconfig={config}", f"--authentication-kubeconfig={config}",
                    f"--authorization-kubeconfig={config}", *common]
            argv += ["--client-qps=10000", "--client-burst=10000"] if name == "peer-unlimited" else []
        self.process = world.start(name, argv)

    def url(self):
        return f"https://127.0.0.1:{self.port}{PATH}"

    def items(self):
        """How many values one request brings; 0 where it fails."""
        self.process.alive()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        request = urllib.request.Request(self.url(), headers={"Authorization": f"Bearer {self.token}"})
        try:
            with urllib.request.urlopen(request, context=context, timeout=20) as reply:
                return len(json.load(reply)["items"])
        except urllib.error.HTTPError as error:
            self.said = error.read().decode()
            return 0

    def load(self, seconds):
        """What wrk says, and what it took."""
        before = self.process.cpu()
        done = processes.call(["wrk", "-t1", "-c8", f"-d{seconds}s", "--timeout=20s", "--latency", "-H",
                               f"Authorization: Bearer {self.token}", self.url()]).stdout
        cpu = self.process.cpu() - before
        count, wall = re.search(r"(\d+) requests in ([\d.]+)s", done).groups()
        if re.search(r"Non-2xx|Socket errors", done):
            raise SystemExit(f"{self.name}: {done}")
        latency = {p: float(value) * UNITS[unit] for p, value, unit in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s|m)\b", done)}
        return {"per_second": int(count) / float(wall), "per_core": int(count) / max(cpu, 0.01), "p50_ms": latency["50"],
                "p99_ms": latency["99"], "cpu_share": cpu / float(wall), "rss_mib": self.process.memory()}


def measure(world, name, pods, seconds, prometheus, token):
    server = Server(world, name, prometheus, token)
    lab.wait_for(f"{name} answers for all pods", lambda: server.items() == pods, 120, 0.5)
    server.load(2)
    found = server.load(seconds)
    server.process.stop()
    report.emit("requests", server=name, pods=pods, connections=8, **{k: round(v, 3) for k, v in found.items()})
    return found


def row(name, reports, base):
    rate = median(reports, "per_second")
    return [NAMES[name], f"{rate:,.1f}", f"{rate / median(base, 'per_second'):,.1f}", f"{median(reports, 'per_core'):,.0f}",
            f"{median(reports, 'p50_ms'):.2f} ms", f"{median(reports, 'p99_ms'):.2f} ms", f"{median(reports, 'rss_mib'):.0f} MiB",
            f"{median(reports, 'rss_mib') / median(base, 'rss_mib'):.2f}"]


def words(reports):
    """A cell of the README."""
    rate, (p50, p99) = median(reports, "per_second"), (median(reports, field) for field in ("p50_ms", "p99_ms"))
    times = f"p50 {p50 / 1000:.1f} s, p99 {p99 / 1000:.1f} s" if p50 >= 1000 else f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"
    return f"{rate:,.{0 if rate >= 100 else 1}f} requests/s, {times}, {median(reports, 'rss_mib'):.0f} MiB"


def main():
    pods, seconds, rounds = report.arguments(100, 10, 3)
    reports = {name: [] for name in NAMES}
    with lab.Lab(nodes=4) as world:
        make_pods(world, pods)
        token = make_token(world)
        application = lab.Application(world.kubeconfig, NS, poll=5, default_rps=10.0)
        prometheus = world.prometheus(application.port)
        time.sleep(5)
        for _, name in report.turns(reports, rounds):
            reports[name].append(measure(world, name, pods, seconds, prometheus, token))
    ours, peer, unlimited = (reports[name] for name in NAMES)
    report.table(["server", "requests/s", "of prometheus-adapter's", "a core", "p50", "p99", "resident", "of prometheus-adapter's"],
                 [row(name, of_name, peer) for name, of_name in reports.items()])
    report.finish("requests", [(f"`GET …/pods/*/METRIC` of {pods} pods over TLS, 8 connections", words(ours), f"prometheus-adapter: {words(peer)}; "
                                f"with its client's limit lifted: {median(unlimited, 'per_second'):.1f} requests/s")],
                  [report.Limit("requests a second of one core", median(ours, "per_core"), 5000, least=True),
                   report.Limit("p99", median(ours, "p99_ms"), 10, "ms")])


if __name__ == "__main__":
    main()
