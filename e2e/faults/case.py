"""What the fault tests have in common: the objects they work on, what a test asks and does, where it starts and ends."""

import contextlib
import http.client
import json

from proxy import Rule
from world import GROUP, MERGE, stays, wait

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
POLICIES = GROUP + "/namespaces/default/autoscalingpolicies"
# A list may be streamed as a watch; what goes on from a version is a watch proper.
LIST = r"GET /apis/\S*/{}\?(?!\S*resourceVersion=)"
FOLLOWED = ("autoscalingpolicies", "deployments")  # what every test's policy needs; the operator follows other kinds too
LISTS = LIST.format(f"({'|'.join(FOLLOWED)})")
WATCHES = r"[?&]resourceVersion="
SCALE = r"(PATCH|PUT) \S+/deployments/web/scale"
QUERY = r"(GET|POST) /api/v1/query"
MEMORY = 96 * 1024 * 1024  # that one test may add, sanitizers included
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def plainly(operator, path):
    """What the plain HTTP port answers, good or bad; nothing while it does not listen yet."""
    connection = http.client.HTTPConnection("127.0.0.1", operator.port, timeout=10)
    with contextlib.closing(connection), contextlib.suppress(ConnectionRefusedError):
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    return ""


def deployment(name, replicas=2):
    labels = {"app": name}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "c"}]}}}}


def policy(name, target="web", query="load", **spec):
    """Ten of the query's value a replica, and no window or rate that would slow a test down."""
    fast = {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 1000, "periodSeconds": 1}]}
    metric = {"query": query, "target": {"type": "AverageValue", "averageValue": "10"}}
    return {"apiVersion": "autoscaling.trimtab.dev/v1", "kind": "AutoscalingPolicy", "metadata": {"name": name},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}, "minReplicas": 1,
                     "maxReplicas": 20, "interval": "1s", "behavior": {"scaleUp": fast, "scaleDown": fast},
                     "metrics": [{"type": "Prometheus", "prometheus": metric}], **spec}}


class Case:
    """What a test asks and does."""

    def __init__(self, world):
        self.world, self.plane, self.gate, self.wire = world, world.plane, world.gate, world.wire
        self.source, self.source_wire = world.prometheus_gate, world.prometheus_wire
        self.operator = world.operator

    def load(self, value):
        self.world.exporter.values["load"] = value

    def replicas(self, name="web"):
        return self.plane.must("GET", f"{DEPLOYMENTS}/{name}")["spec"]["replicas"]

    def expect(self, replicas, seconds=20, name="web"):
        wait(lambda: f"{name} has {self.replicas(name)} replicas and not {replicas}; {self.status()}; {self.operator.tail()}",
             lambda: self.replicas(name) == replicas, seconds)

    def keeps(self, replicas, seconds=3, name="web"):
        stays(lambda: f"{replicas} replicas of {name}", lambda: self.replicas(name) == replicas, seconds)

    def status(self, name="web"):
        return self.plane.api("GET", f"{POLICIES}/{name}")[1].get("status", {})

    def condition(self, kind, status, *words, name="web", seconds=20):
        """Waits for a condition with this status whose reason or message has all the words."""
        def there():
            for c in self.status(name).get("conditions", ()):
                text = f"{c.get('reason')} {c.get('message')}"
                if c["type"] == kind and c["status"] == status and all(w.lower() in text.lower() for w in words):
                    return c
            return None
        return wait(lambda: f"condition {kind}={status} with {words}: {json.dumps(self.status(name))[:1500]}", there, seconds)

    def edit(self, name="web", **spec):
        self.plane.must("PATCH", f"{POLICIES}/{name}", {"spec": spec}, MERGE)

    def query(self, text, name="web", **more):
        metric = {"query": text, "target": {"type": "AverageValue", "averageValue": "10"}, **more}
        self.edit(name, metrics=[{"type": "Prometheus", "prometheus": metric}])

    def create(self, path, thing):
        self.plane.must("POST", path, thing)

    def delete(self, path):
        self.plane.api("DELETE", path)
        wait(f"{path} is gone", lambda: self.plane.api("GET", path)[0] == 404)

    def rewatch(self):
        """Ends every watch; each is taken up where it was."""
        self.gate.tunnel(WATCHES, "cut")

    def relist(self):
        """Ends every watch; those of the kinds followed are refused when taken up again, so that each begins with a list."""
        self.gate.add(*[Rule(rf"/{kind}\?\S*resourceVersion=", status=410, body=b'{"kind":"Status","code":410,"reason":"Expired"}')
                        for kind in FOLLOWED])
        self.rewatch()

    def fail_lists(self, times=1, **how):
        """What shall happen to the next lists of each kind followed: of each, as the waits between them double, and what
        falls on one kind alone makes it wait for minutes."""
        rules = [Rule(LIST.format(kind), times, **how) for kind in FOLLOWED]
        self.gate.add(*rules)
        return rules

    def watches(self):
        """The kinds that are being watched through the proxy."""
        return {t.request.split("?")[0].rsplit("/", 1)[-1] for t in list(self.gate.tunnels) if t.mode == "pass"}

    def watching(self, seconds=20):
        wait(lambda: f"watches open: {self.watches()}; {self.operator.tail()}",
             lambda: set(FOLLOWED) <= self.watches(), seconds)


def put(c, path, thing):
    """Creates it, or makes a policy what it was; again where the operator wrote its status in between."""
    def once():
        status, answer = c.plane.api("GET", path)
        if status == 404:
            return c.plane.api("POST", path.rsplit("/", 1)[0], thing)[0] == 201
        if "/autoscalingpolicies/" not in path:
            return True
        thing["metadata"]["resourceVersion"] = answer["metadata"]["resourceVersion"]
        return c.plane.api("PUT", path, thing)[0] == 200
    wait(f"{path} is as it was", once)


def reset(world):
    """Back to where every test starts."""
    c = Case(world)
    world.heal()
    c.load(20)
    wait("the apiserver answers", lambda: world.plane.api("GET", "/readyz")[0] == 200, 60)
    put(c, f"{DEPLOYMENTS}/web", deployment("web"))
    put(c, f"{POLICIES}/web", policy("web"))
    if not c.replicas():
        world.plane.must("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 1}}, MERGE)
    c.expect(2, 60)
    c.watching(60)
    return c


def settled(operator, before):
    """After the test: the same process, alive and well, and no larger than it may be."""
    operator.check()
    memory, files = before
    assert operator.resident() < memory + MEMORY, f"grew from {memory >> 20} to {operator.resident() >> 20} MiB"
    wait(lambda: f"{operator.descriptors()} open files, {files} before", lambda: operator.descriptors() <= files + 8, 20)


def run_one(world, function):
    c = reset(world)
    operator = world.operator
    before = operator.resident(), operator.descriptors()
    function(c)
    world.heal()
    if world.operator is operator:
        settled(operator, before)
    else:
        world.operator.check()
