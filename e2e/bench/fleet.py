#!/usr/bin/env python3
"""A fleet of simulated kubelets, and the nodes and pods of theirs in the cluster; pods can be born on them while they are read.

The kubelets are one process that answers /metrics/resource over TLS, each on a port of its own, with the lines of a kubelet of 1.30
(seven families for each pod). Nodes and pods are put into etcd as they are, since a hundred thousand requests to create them would take
longer than a bench.

usage: fleet.py NODES PODS CERTIFICATE KEY     the process; the first line on standard output has its ports
"""
import asyncio
import datetime
import json
import os
import socket
import ssl
import sys
import time

import lab
import report

BORN = "2026-01-01T00:00:00Z"
NURSERY = "nursery"  # the namespace of pods that are born
CPU_SHARE = 0.05
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


# The process.


def sample(family, container, space, name, value):
    of = 'container="app",' if container else ""
    return f'{family}{{{of}namespace="{space}",pod="{name}"}} {value}'


def exposition(node, pods, name="", born=0.0):
    """What a kubelet answers, with marks for what changes; with the pod `name` that was born at a time."""
    lines = []
    for family, container, value in FAMILIES:
        lines += [f"# HELP {family} [STABLE] A line of help as it is there in each answer", f"# TYPE {family} gauge"]
        lines += [sample(family, container, namespace(node), pod_name(node, pod), value) for pod in range(pods)]
        if name:
            young = f"{born:.6f}" if "start_time" in family else value.replace("@CPU", "@YOUNG")
            lines.append(sample(family, container, NURSERY, name, young))
    lines += ["node_cpu_usage_seconds_total @CPU @TIME", "node_memory_working_set_bytes 1.5e+10 @TIME", "scrape_error 0"]
    return "\n".join(lines).encode() + b"\n"


class Kubelet:
    """One of them. A pod may be born on it: `scraped` is when it was in an answer for the first time."""

    answers = 0  # of all

    def __init__(self, node, pods):
        self.node, self.pods = node, pods
        self.clear()

    def clear(self):
        self.name, self.born, self.scraped = "", 0.0, 0.0
        self.text = exposition(self.node, self.pods)

    def bear(self, name):
        self.name, self.born, self.scraped = name, time.time(), 0.0
        self.text = exposition(self.node, self.pods, name, self.born)

    def answer(self):
        now = time.time()
        Kubelet.answers += 1
        body = self.text.replace(b"@TIME", str(int(now * 1000)).encode())
        body = body.replace(b"@CPU", f"{(now - 1.7e9) * CPU_SHARE:.6f}".encode())
        if self.name:
            self.scraped = self.scraped or now
            body = body.replace(b"@YOUNG", f"{(now - self.born) * CPU_SHARE:.6f}".encode())
        return body


class Connection(asyncio.Protocol):
    """One connection to one of them."""

    def __init__(self, kubelet):
        self.kubelet, self.pending = kubelet, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.pending += data
        while b"\r\n\r\n" in self.pending:
            _, self.pending = self.pending.split(b"\r\n\r\n", 1)
            body = self.kubelet.answer()
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: "
                                 + str(len(body)).encode() + b"\r\n\r\n" + body)


def obey(kubelets, words):
    """Does what the bench says; how many answers there were, and the pods that were born: when, and when they were first scraped."""
    if words[0] == "bear":
        kubelets[words[1]].bear(words[2])
    for k in kubelets if words[0] == "clear" else ():
        if k.name:
            k.clear()
    return {"answers": Kubelet.answers, "born": {k.name: (k.born, k.scraped) for k in kubelets if k.name}}


async def serve(nodes, pods, certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop, ports = asyncio.get_running_loop(), []
    kubelets = [Kubelet(node, pods) for node in range(nodes)]
    for kubelet in kubelets:
        server = await loop.create_server(lambda kubelet=kubelet: Connection(kubelet), "127.0.0.1", 0, ssl=context, backlog=16)
        ports.append(server.sockets[0].getsockname()[1])

    async def control(reader, writer):
        async for line in reader:
            writer.write(json.dumps(obey(kubelets, json.loads(line))).encode() + b"\n")

    control_server = await asyncio.start_server(control, "127.0.0.1", 0)
    print(json.dumps({"ports": ports, "control": control_server.sockets[0].getsockname()[1]}), flush=True)
    await asyncio.Event().wait()


# The cluster.


def node_object(node, port):
    return {"kind": "Node", "apiVersion": "v1",
            "metadata": {"name": f"node-{node:04d}", "uid": f"00000000-0000-0000-0001-{node:012d}",
                         "creationTimestamp": BORN, "labels": {"kubernetes.io/hostname": f"node-{node:04d}"}},
            "status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}], "allocatable": {"cpu": "16", "memory": "64Gi"},
                       "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": BORN}],
                       "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}}


def pod_object(node, pod, name, space, born=BORN):
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name.rsplit("-", 1)[0], "controller": True,
             "uid": f"00000000-0000-0000-0002-{pod % 10:012d}"}
    container = {"name": "app", "image": "example/app:1.2.3", "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}
    return {"kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": name, "namespace": space, "uid": f"00000000-0000-{node:04d}-0003-{pod:012d}",
                         "creationTimestamp": born, "ownerReferences": [owner],
                         "labels": {"app": f"application-{pod % 10}", "pod-template-hash": "7c9d8f6b5d"}},
            "spec": {"nodeName": f"node-{node:04d}", "containers": [container]},
            "status": {"phase": "Running", "startTime": born,
                       "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": born}]}}


class Fleet:
    """The process, with its nodes and pods in the API server of a lab."""

    def __init__(self, world, nodes, pods):
        self.world, self.nodes, self.pods = world, nodes, pods
        made = world.certificate("kubelet", "/O=system:nodes/CN=system:node:bench", "serverAuth")
        self.process = world.start("fleet", [sys.executable, os.path.abspath(__file__), str(nodes), str(pods), *made])
        said = lab.wait_for("the kubelets listen", self.said, 120)
        self.control = socket.create_connection(("127.0.0.1", said["control"])).makefile("rw")
        self.populate(said["ports"])

    def said(self):
        self.process.alive()
        with open(self.process.log, encoding="ascii") as f:
            text = f.read()
        return text.endswith("}\n") and json.loads(text)

    def tell(self, *words):
        print(json.dumps(words), file=self.control, flush=True)
        return json.loads(self.control.readline())

    def answers(self):
        return self.tell("state")["answers"]

    def populate(self, ports):
        nodes, put = range(self.nodes), self.world.put_all
        report.say(f"putting {self.nodes} nodes and {self.nodes * self.pods} pods")
        put([(f"minions/node-{n:04d}", node_object(n, ports[n])) for n in nodes], [f"/api/v1/nodes/node-{nodes[-1]:04d}"])
        put([(f"pods/{namespace(n)}/{pod_name(n, p)}", pod_object(n, p, pod_name(n, p), namespace(n))) for n in nodes for p in range(self.pods)],
            [f"/api/v1/namespaces/{namespace(nodes[-1])}/pods/{pod_name(nodes[-1], self.pods - 1)}"])

    def bear(self, node, name):
        """A pod that starts now, in the cluster and on its kubelet."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.world.put_all([(f"pods/{NURSERY}/{name}", pod_object(node, self.pods, name, NURSERY, now))])
        self.tell("bear", node, name)

    def clear(self):
        """Takes away all pods that were born."""
        status, reply = self.world.kube.request("DELETE", f"/api/v1/namespaces/{NURSERY}/pods?gracePeriodSeconds=0")
        if status != 200:
            raise SystemExit(f"pods are not deleted: {status} {reply}")
        self.tell("clear")


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))
