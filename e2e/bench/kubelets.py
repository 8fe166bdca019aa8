#!/usr/bin/env python3
"""A fleet of kubelets: what the operator needs to read all of them, and how soon it answers for all pods.

usage: kubelets.py [NODES=1000] [PODS=100] [SECONDS=60]        pods on each node; how long is measured
The kubelets are one process that answers /metrics/resource over TLS, each on a port of its own, with the lines of a kubelet of 1.30
(seven families for each pod). The API server and etcd are real; nodes and pods are put into etcd as they are, since a hundred thousand
requests to create them would take longer than the bench. Nothing else runs in the cluster.
env: TRIMTAB (the binary; default: the release build)
"""
import asyncio
import http.client
import json
import os
import ssl
import statistics
import sys
import time

import lab

RESOLUTION = 15
FAMILIES = (
    ("container_cpu_usage_seconds_total", True, "@CPU @TIME"),
    ("container_memory_working_set_bytes", True, "1.2345678e+08 @TIME"),
    ("container_start_time_seconds", True, "1.7000000012345678e+09"),
    ("container_swap_usage_bytes", True, "0 @TIME"),
    ("pod_cpu_usage_seconds_total", False, "@CPU @TIME"),
    ("pod_memory_working_set_bytes", False, "1.2345678e+08 @TIME"),
    ("pod_swap_usage_bytes", False, "0 @TIME"),
)


def pod_name(node, pod):
    return f"application-{pod % 10}-7c9d8f6b5d-{node:04d}{pod:03d}"


def namespace(node):
    return f"team-{node % 50}"


# The kubelets: kubelets.py --serve NODES PODS CERTIFICATE KEY; the first line on standard output has their ports.


def exposition(node, pods):
    lines = []
    for family, container, value in FAMILIES:
        lines += [f"# HELP {family} [STABLE] A line of help as it is there in each answer", f"# TYPE {family} gauge"]
        for pod in range(pods):
            labels = f'namespace="{namespace(node)}",pod="{pod_name(node, pod)}"'
            lines.append(f'{family}{{{"container=" + chr(34) + "app" + chr(34) + "," if container else ""}{labels}}} {value}')
    lines += ["node_cpu_usage_seconds_total @CPU @TIME", "node_memory_working_set_bytes 1.5e+10 @TIME", "scrape_error 0"]
    return "\n".join(lines).encode() + b"\n"


class Kubelet(asyncio.Protocol):
    """One connection to one of them."""

    def __init__(self, text):
        self.text, self.pending = text, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.pending += data
        while b"\r\n\r\n" in self.pending:
            _, self.pending = self.pending.split(b"\r\n\r\n", 1)
            now = time.time()
            body = self.text.replace(b"@TIME", str(int(now * 1000)).encode())
            body = body.replace(b"@CPU", f"{(now - 1.7e9) * 0.05:.6f}".encode())
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: "
                                 + str(len(body)).encode() + b"\r\n\r\n" + body)


async def serve(nodes, pods, certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop, ports = asyncio.get_running_loop(), []
    for node in range(nodes):
        text = exposition(node, pods)
        server = await loop.create_server(lambda text=text: Kubelet(text), "127.0.0.1", 0, ssl=context, backlog=16)
        ports.append(server.sockets[0].getsockname()[1])
    print(json.dumps(ports), flush=True)
    await asyncio.Event().wait()


# The cluster.


def node_object(node, port):
    return {"kind": "Node", "apiVersion": "v1",
            "metadata": {"name": f"node-{node:04d}", "uid": f"00000000-0000-0000-0001-{node:012d}",
                         "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"kubernetes.io/hostname": f"node-{node:04d}"}},
            "status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}], "allocatable": {"cpu": "16", "memory": "64Gi"},
                       "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
                       "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}}


def pod_object(node, pod):
    name = pod_name(node, pod)
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name.rsplit("-", 1)[0], "controller": True,
             "uid": f"00000000-0000-0000-0002-{pod % 10:012d}"}
    container = {"name": "app", "image": "example/app:1.2.3", "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}
    return {"kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": name, "namespace": namespace(node), "uid": f"00000000-0000-{node:04d}-0003-{pod:012d}",
                         "creationTimestamp": "2026-01-01T00:00:00Z", "ownerReferences": [owner],
                         "labels": {"app": f"application-{pod % 10}", "pod-template-hash": "7c9d8f6b5d"}},
            "spec": {"nodeName": f"node-{node:04d}", "containers": [container]},
            "status": {"phase": "Running", "startTime": "2026-01-01T00:00:00Z",
                       "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:05Z"}]}}


def populate(world, ports, pods):
    nodes = range(len(ports))
    lab.say(f"putting {len(ports)} nodes and {len(ports) * pods} pods")
    world.put_all([(f"minions/node-{n:04d}", node_object(n, ports[n])) for n in nodes], [f"/api/v1/nodes/node-{nodes[-1]:04d}"])
    world.put_all([(f"pods/{namespace(n)}/{pod_name(n, p)}", pod_object(n, p)) for n in nodes for p in range(pods)],
                  [f"/api/v1/namespaces/{namespace(nodes[-1])}/pods/{pod_name(nodes[-1], pods - 1)}"])


# The operator.


def top(world, port, accept="application/json"):
    """Seconds and bytes of what `kubectl top pods -A` asks for, and how many pods are in it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(f"{world.dir}/pki/admin.crt", f"{world.dir}/pki/admin.key")
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=60)
    connection.connect()
    begin = time.monotonic()
    connection.request("GET", "/apis/metrics.k8s.io/v1beta1/pods", headers={"Accept": accept})
    reply = connection.getresponse()
    body = reply.read()
    seconds = time.monotonic() - begin
    if reply.status != 200:
        raise OSError(f"{reply.status} {body[:400]}")
    answer = json.loads(body)
    return seconds, len(body), len(answer["items" if "items" in answer else "rows"])


def start_operator(world):
    binary = os.environ.get("TRIMTAB", os.path.join(lab.ROOT, "build", "release", "trimtab"))
    http_port, secure_port = lab.free_port(), lab.free_port()
    process = world.start("trimtab", [
        binary, "run", f"--kubeconfig={world.kubeconfig}", f"--http-port={http_port}", f"--secure-port={secure_port}",
        "--bind-address=127.0.0.1", f"--cert-dir={world.dir}/certs", f"--client-ca-file={world.dir}/pki/ca.crt",
        "--authentication-skip-lookup", f"--metric-resolution={RESOLUTION}s", "--kubelet-preferred-address-types=InternalIP",
        "--kubelet-use-node-status-port"])
    return process, f"http://127.0.0.1:{http_port}", secure_port


def start_all(world, nodes, pods):
    """The fleet and an operator that knows all its pods, with its URL and the number of its secure port."""
    made = world.certificate("kubelet", "/O=system:nodes/CN=system:node:bench", "serverAuth")
    fleet = world.start("fleet", [sys.executable, os.path.abspath(__file__), "--serve", str(nodes), str(pods), *made])
    ports = lab.wait_for("the kubelets listen", lambda: open(fleet.log, encoding="ascii").read().endswith("]\n")
                         and json.loads(open(fleet.log, encoding="ascii").read()), 120)
    populate(world, ports, pods)
    process, url, secure_port = start_operator(world)
    begin = time.monotonic()
    lab.wait_for("all pods are known", lambda: lab.metrics(url + "/metrics").get("trimtab_kubelet_pods") == nodes * pods, 300, 0.5)
    lab.say(f"after {time.monotonic() - begin:.1f} s")
    return process, url, secure_port


def measure(process, url, seconds):
    before, begin, sums = process.cpu(), time.monotonic(), lab.metrics(url + "/metrics")
    resident = []
    while time.monotonic() < begin + seconds:
        time.sleep(1)
        resident.append(process.memory())
    wall = time.monotonic() - begin
    after = lab.metrics(url + "/metrics")
    scrapes, failures = (after[n] - sums[n] for n in ("trimtab_kubelet_scrapes_total", "trimtab_kubelet_failures_total"))
    return {"cpu_percent": 100 * (process.cpu() - before) / wall, "rss_mib": statistics.median(resident),
            "peak_rss_mib": process.memory("VmHWM"), "scrapes_per_second": scrapes / wall, "failures": failures}


def main():
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]))
        return
    nodes, pods, seconds = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((1, 1000), (2, 100), (3, 60)))
    with lab.Lab(controllers=False) as world:
        process, url, secure_port = start_all(world, nodes, pods)
        time.sleep(4 * RESOLUTION)
        report = {"nodes": nodes, "pods": nodes * pods, **measure(process, url, seconds)}
        answers = [top(world, secure_port) for _ in range(5)]
        report |= {"top_seconds": min(a[0] for a in answers), "top_bytes": answers[0][1], "top_pods": answers[0][2],
                   "rss_after_top_mib": process.memory()}
    lab.emit("kubelets", **{k: round(v, 3) for k, v in report.items()})
    print("| kubelets | pods | scrapes/s | failed | CPU, of one core | resident | peak | GET of all pods |\n|---|---|---|---|---|---|---|---|\n"
          f"| {nodes} | {nodes * pods} | {report['scrapes_per_second']:.1f} | {report['failures']:.0f} | {report['cpu_percent']:.1f} % "
          f"| {report['rss_mib']:.0f} MiB | {report['peak_rss_mib']:.0f} MiB | {report['top_seconds']:.2f} s |", file=sys.stderr)


if __name__ == "__main__":
    main()
