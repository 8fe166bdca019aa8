"""Metrics that another adapter serves: a real prometheus-adapter behind the aggregator, and pods that say what they use."""

import contextlib

from case import DEPLOYMENTS, test
from metrics_adapter import MetricsAdapter
from proxy import Rule
from world import MERGE, wait

PODS = "/api/v1/namespaces/default/pods"
REPLICASETS = "/apis/apps/v1/namespaces/default/replicasets"
NAMES = ("web-1", "web-2")


def owner(thing, kind):
    return [{"apiVersion": "apps/v1", "kind": kind, "name": thing["metadata"]["name"], "uid": thing["metadata"]["uid"],
             "controller": True}]


def running_pod(plane, name, replicaset, node):
    plane.must("POST", PODS, {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web"}, "ownerReferences": owner(replicaset, "ReplicaSet")},
        "spec": {"nodeName": node,
                 "containers": [{"name": "c", "image": "c", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}]}})
    long_ago = "2026-01-01T00:00:00Z"
    plane.must("PATCH", f"{PODS}/{name}/status", {"status": {
        "phase": "Running", "startTime": long_ago,
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": long_ago}]}}, MERGE)


@contextlib.contextmanager
def pods_of_web(c, node=""):
    """Two running pods that belong to the Deployment, as its controllers would have made them."""
    web = c.plane.must("GET", f"{DEPLOYMENTS}/web")
    labels = {"matchLabels": {"app": "web"}}
    replicaset = c.plane.must("POST", REPLICASETS, {
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": "web-0", "labels": {"app": "web"}, "ownerReferences": owner(web, "Deployment")},
        "spec": {"replicas": 2, "selector": labels, "template": web["spec"]["template"]}})
    try:
        for name in NAMES:
            running_pod(c.plane, name, replicaset, node)
        yield
    finally:
        for name in NAMES:
            c.plane.api("DELETE", f"{PODS}/{name}?gracePeriodSeconds=0")
        c.plane.api("DELETE", f"{REPLICASETS}/web-0?propagationPolicy=Background")


@contextlib.contextmanager
def served(c):
    """The metrics APIs, served as long as the block runs."""
    if not c.world.adapter:
        c.world.adapter = MetricsAdapter(c.world)
    if c.world.adapter.process.poll() is not None:
        c.world.adapter.start()
    c.world.adapter.register()
    try:
        yield c.world.adapter
    finally:
        c.world.adapter.forget()


def use(c, series, value):
    """What each pod says in this series; a tuple: one for each."""
    values = value if isinstance(value, tuple) else (value, value)
    for name, v in zip(NAMES, values):
        container = ',container="c"' if series.startswith("used_") else ""
        c.world.exporter.values[f'{series}{{namespace="default",pod="{name}"{container}}}'] = v


def measure(c, **metric):
    c.edit(metrics=[metric])


def average(value):
    return {"type": "AverageValue", "averageValue": value}


def origin(c):
    return [m.get("origin") for m in c.status().get("metrics", ())]


@test
def follows_the_cpu(c):
    use(c, "used_cpu", 0.5)
    use(c, "used_memory", 1 << 29)
    with served(c), pods_of_web(c):
        measure(c, type="Resource", resource={"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}})
        c.condition("ScalingActive", "True")
        c.keeps(2)
        use(c, "used_cpu", (0.8, 1.0))
        c.expect(4)
        use(c, "used_cpu", 0.25)
        c.expect(1)
        measure(c, type="ContainerResource", containerResource={
            "name": "memory", "container": "c", "target": average("128Mi")})
        c.expect(8)
        measure(c, type="ContainerResource", containerResource={
            "name": "memory", "container": "other", "target": average("128Mi")})
        c.condition("ScalingActive", "False", "FailedGetContainerResourceMetric")
        c.keeps(8)


@test
def follows_metrics_of_pods_and_queues(c):
    use(c, "pod_load", 10)
    c.world.exporter.values['queue_length{namespace="default",queue="a"}'] = 20
    c.world.exporter.values['queue_length{namespace="default",queue="b"}'] = 10
    c.world.exporter.values['service_load{namespace="default",service="adapter"}'] = 90
    with served(c), pods_of_web(c):
        measure(c, type="Pods", pods={"metric": {"name": "pod_load"}, "target": average("10")})
        c.condition("ScalingActive", "True")
        c.keeps(2)
        use(c, "pod_load", (20, 30))
        c.expect(5)
        measure(c, type="External", external={"metric": {"name": "queue_length"}, "target": average("10")})
        c.expect(3)
        measure(c, type="External", external={
            "metric": {"name": "queue_length", "selector": {"matchLabels": {"queue": "b"}}}, "target": average("10")})
        c.expect(1)
        measure(c, type="Object", object={
            "metric": {"name": "service_load"}, "target": average("10"),
            "describedObject": {"apiVersion": "v1", "kind": "Service", "name": "adapter"}})
        c.expect(9)


@test
def metrics_api_comes_and_goes(c):
    use(c, "pod_load", 20)
    with pods_of_web(c):
        measure(c, type="Pods", pods={"metric": {"name": "pod_load"}, "target": average("10")})
        c.condition("ScalingActive", "False", "the cluster serves no custom.metrics.k8s.io")
        c.keeps(2)
        with served(c) as adapter:
            c.expect(4)
            adapter.stop()
            c.condition("ScalingActive", "False", "FailedGetPodsMetric", "custom.metrics.k8s.io")
            c.keeps(4)
            adapter.start()
            use(c, "pod_load", 15)
            c.expect(3)
            c.gate.add(Rule("custom.metrics", cut=400))
            c.gate.add(Rule("custom.metrics", status=403, body=b'{"kind":"Status","reason":"Forbidden","message":"no"}'))
            use(c, "pod_load", 30)
            c.expect(6)


@test
def counts_pods_and_nodes(c):
    with pods_of_web(c):
        measure(c, type="Workload", workload={"selector": {"matchLabels": {"app": "web"}}, "target": average("500m")})
        c.expect(4)
        c.plane.must("PATCH", f"{PODS}/web-2/status", {"status": {"phase": "Succeeded"}}, MERGE)
        c.expect(2)
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": {"size": "large"}}}
        c.plane.must("POST", "/api/v1/nodes", node)
        measure(c, type="Workload", workload={"count": "Nodes", "target": average("333m")})
        c.expect(4)
        c.plane.must("DELETE", "/api/v1/nodes/n1")
        c.expect(1)
        wait("status names where the number comes from", lambda: origin(c) == ["the cluster"])
