#!/usr/bin/env python3
"""Creates N realistic pods (two containers, environment, probes, volumes; about 5 KB each) bound to KWOK nodes.

usage: pods.py KUBECONFIG NAMESPACE N [PREFIX=load] [NODES=4]
The kubeconfig is one of control-plane.sh: client certificate and key inside. Pod i has the label app=PREFIX-<i modulo 200>.
"""
import base64
import http.client
import json
import os
import re
import ssl
import sys
import tempfile
import threading

CONNECTIONS = 6
APPS = 200


def connect_with(kubeconfig):
    """A function that opens a connection to the apiserver of a kubeconfig with embedded certificates."""
    with open(kubeconfig, encoding="utf-8") as f:
        text = f.read()

    def field(name):
        return base64.b64decode(re.search(name + r": (\S+)", text).group(1))

    context = ssl.create_default_context(cadata=field("certificate-authority-data").decode())
    with tempfile.NamedTemporaryFile(delete=False) as f:  # the ssl module reads certificates from files only
        f.write(field("client-certificate-data") + b"\n" + field("client-key-data"))
    context.load_cert_chain(f.name)
    os.unlink(f.name)
    host, port = re.search(r"server: https://([^:\s]+):(\d+)", text).groups()
    return lambda: http.client.HTTPSConnection(host, int(port), context=context)


def container(name, i):
    settings = [{"name": f"SETTING_{k}", "value": f"value-{k}-{'x' * 20}"} for k in range(12)]
    return {
        "name": name,
        "image": f"registry.example/{name}:v1.{i % 7}",
        "ports": [{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}],
        "env": settings + [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5},
        "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}, "periodSeconds": 10},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}, {"name": "tmp", "mountPath": "/tmp"}],
        "securityContext": {"runAsNonRoot": True, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False},
    }


def pod(i, namespace, prefix, nodes):
    spread = {"weight": 100, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname",
                                                 "labelSelector": {"matchLabels": {"app": prefix}}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{prefix}-{i:06d}",
            "namespace": namespace,
            "labels": {"app": f"{prefix}-{i % APPS:03d}", "app.kubernetes.io/name": prefix,
                       "app.kubernetes.io/part-of": "bench", "pod-template-hash": f"{i % APPS:08x}", "version": f"v{i % 5}"},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9090",
                            "checksum/config": "0123456789abcdef" * 4},
        },
        "spec": {
            "nodeName": f"kwok-{i % nodes}",
            "containers": [container("app", i), container("sidecar", i)],
            "volumes": [{"name": "config", "configMap": {"name": "app-config"}}, {"name": "tmp", "emptyDir": {}}],
            "tolerations": [{"key": "dedicated", "operator": "Exists"}],
            "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [spread]}},
        },
    }


def main():
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    kubeconfig, namespace, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    prefix = sys.argv[4] if len(sys.argv) > 4 else "load"
    nodes = int(sys.argv[5]) if len(sys.argv) > 5 else 4
    connect, failed = connect_with(kubeconfig), []

    def work(first):
        connection = connect()
        for i in range(first, count, CONNECTIONS):
            connection.request("POST", f"/api/v1/namespaces/{namespace}/pods", json.dumps(pod(i, namespace, prefix, nodes)),
                               {"Content-Type": "application/json"})
            reply = connection.getresponse()
            body = reply.read()
            if reply.status not in (201, 409):
                failed.append(f"pod {i}: {reply.status} {body[:300]!r}")
                return

    threads = [threading.Thread(target=work, args=(k,)) for k in range(CONNECTIONS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise SystemExit("\n".join(failed))


main()
