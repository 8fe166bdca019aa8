#!/usr/bin/env python3
"""The whole operator against a real apiserver, etcd and Prometheus, with faults put in between.

usage: test_faults.py [--keep] [NAME...]   only the tests whose name contains one of NAME

Every test starts from a Deployment that follows a load of 20 with 2 replicas, and ends with what it should be: the right
replicas, the same process, no word from a sanitizer, no growth of memory or open files. One line a test, then the count.
env: TRIMTAB (the binary; default build/asan/trimtab)
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from proxy import Rule  # noqa: E402
from world import GROUP, MERGE, Operator, World, binary, stays, wait  # noqa: E402

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
POLICIES = GROUP + "/namespaces/default/autoscalingpolicies"
# A list may be streamed as a watch; what goes on from a version is a watch proper.
LISTS = r"GET /apis/\S*/(autoscalingpolicies|deployments)\?(?!\S*resourceVersion=)"
WATCHES = r"[?&]resourceVersion="
SCALE = r"(PATCH|PUT) \S+/deployments/web/scale"
QUERY = r"(GET|POST) /api/v1/query"
MEMORY = 96 * 1024 * 1024  # that one test may add, sanitizers included
TESTS = []


def test(function):
    TESTS.append(function)
    return function


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
        """Ends every watch and refuses to take it up again, so that it begins with a list."""
        self.gate.add(Rule(WATCHES, 2, status=410, body=b'{"kind":"Status","code":410,"reason":"Expired"}'))
        self.rewatch()

    def watches(self):
        """The kinds that are being watched through the proxy."""
        return {t.request.split("?")[0].rsplit("/", 1)[-1] for t in list(self.gate.tunnels) if t.mode == "pass"}

    def watching(self, seconds=20):
        wait(lambda: f"watches open: {self.watches()}; {self.operator.tail()}",
             lambda: {"autoscalingpolicies", "deployments"} <= self.watches(), seconds)


# Nothing wrong.

@test
def follows_the_load(c):
    for load, replicas in ((50, 5), (75, 8), (30, 3), (5, 1), (1000, 20), (20, 2)):
        c.load(load)
        c.expect(replicas)


@test
def quiet_while_nothing_changes(c):
    c.watching()
    time.sleep(4)
    before = len(c.gate.requests)
    time.sleep(5)
    asked = [r for r in c.gate.requests[before:] if "/events" not in r]
    assert not asked, f"in steady state the apiserver was asked {asked}"


@test
def reports_the_rescale_as_an_event(c):
    c.load(60)
    c.expect(6)
    wait("the event SuccessfulRescale with the new size", lambda: any(
        e["reason"] == "SuccessfulRescale" and "New size: 6" in (e.get("message") or e.get("note") or "")
        for e in c.plane.must("GET", "/api/v1/namespaces/default/events")["items"]))


# Watches.

@test
def watch_ends_in_the_middle_of_a_message(c):
    c.watching()
    assert c.gate.tunnel(WATCHES, "half") >= 2
    c.edit(maxReplicas=3)
    c.load(80)
    c.expect(3)


@test
def watches_cut_again_and_again(c):
    for load in (30, 40, 50, 60):
        c.rewatch()
        c.load(load)
        c.expect(load // 10, seconds=40)
        c.watching(40)


@test
def handshake_answered_410(c):
    c.watching()
    rule = c.gate.add(Rule(WATCHES, 4, status=410, body=b'{"kind":"Status","code":410,"reason":"Expired"}'))
    c.rewatch()
    c.edit(maxReplicas=4)
    c.load(90)
    c.expect(4, 40)
    assert rule.hits >= 2


@test
def error_410_within_the_watch(c):
    c.watching()
    since = len(c.gate.requests)
    sent = c.gate.inject(WATCHES, json.dumps({"type": "ERROR", "object": {
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired",
        "message": "too old resource version: 1 (2)"}}))
    assert sent >= 2
    wait("new lists or watches after 410", lambda: c.gate.asked(LISTS, since) >= 2)
    c.edit(maxReplicas=4)
    c.load(90)
    c.expect(4)


@test
def garbage_within_the_watch(c):
    for text in ("not json", '{"type":"MODIFIED"', '{"type":"MODIFIED","object":[]}', '{"type":"SURPRISE","object":{}}', "[" * 3000,
                 '{"type":5,"object":{"metadata":{"name":5}}}', '{"type":"MODIFIED","object":{"metadata":{"name":"web"}}}'):
        c.watching(60)
        c.gate.inject(WATCHES, text)
        time.sleep(0.5)
        c.operator.check()
    c.load(70)
    c.expect(7, 40)
    c.watching(60)
    c.edit(maxReplicas=5)
    c.expect(5, 40)


@test
def endless_message_within_the_watch(c):
    c.watching()
    c.gate.inject("deployments", '{"type":"MODIFIED","object":{"metadata":{"name":"' + "x" * 30_000_000 + '"}}}')
    c.gate.inject("autoscalingpolicies", '{"type":"MODIFIED","object":{"spec":{"metrics":[' + "{}," * 10_000_000 + "{}]}}}")
    c.load(70)
    c.expect(7, 60)
    c.watching(60)
    c.edit(maxReplicas=5)
    c.expect(5, 40)


@test
def silent_watch_is_noticed(c):
    """Nothing arrives any more, and nobody says so: pings without answer end the connection."""
    c.watching()
    c.gate.tunnel(WATCHES, "silent")
    c.edit(maxReplicas=3)
    c.load(80)
    c.expect(3, 120)


@test
def lists_answered_429(c):
    c.watching()
    rule = c.gate.add(Rule(LISTS, 4, status=429, headers=["Retry-After: 1"],
                           body=b'{"kind":"Status","code":429,"reason":"TooManyRequests","message":"try again later"}'))
    c.relist()
    c.edit(maxReplicas=4)
    c.load(90)
    c.expect(4, 60)
    assert rule.hits == 4, rule.hits


@test
def lists_answered_500(c):
    c.watching()
    rule = c.gate.add(Rule(LISTS, 6, status=500, body=b"internal"))
    c.relist()
    c.edit(maxReplicas=4)
    c.load(90)
    c.expect(4, 60)
    assert rule.hits >= 2


@test
def lists_answered_with_garbage(c):
    c.watching()
    bodies = (b"\xff\xfe\x00garbage", b"{", b'{"kind":"List","items":5}', b'{"items":[{"metadata":7}]}', b"[" * 100000, b"")
    rules = [Rule(LISTS, 2, status=200, body=body) for body in bodies]
    c.gate.add(*rules)
    c.relist()
    c.load(60)
    c.expect(6, 60)
    c.edit(maxReplicas=4)
    c.expect(4, 90)


@test
def lists_cut_in_the_middle(c):
    c.watching()
    rules = [Rule(LISTS, 2, cut=n) for n in (0, 30, 500, 900)]
    c.gate.add(*rules, Rule(LISTS, 2, lose=True))
    c.relist()
    c.load(60)
    c.expect(6, 60)
    c.edit(maxReplicas=4)
    c.expect(4, 90)
    assert all(r.hits for r in rules)


# The scale subresource.

@test
def scale_patch_answered_500(c):
    rule = c.gate.add(Rule(SCALE, 3, status=500, body=b'{"kind":"Status","code":500,"message":"etcd is on holiday"}'))
    c.load(50)
    c.expect(5, 60)
    assert rule.hits == 3, rule.hits


@test
def scale_patch_answered_409(c):
    rule = c.gate.add(Rule(SCALE, 2, status=409, body=b'{"kind":"Status","code":409,"reason":"Conflict","message":"changed"}'))
    c.load(50)
    c.expect(5, 40)
    assert rule.hits == 2, rule.hits


@test
def scale_patch_answered_429(c):
    rule = c.gate.add(Rule(SCALE, 2, status=429, headers=["Retry-After: 1"], body=b'{"kind":"Status","code":429}'))
    c.load(50)
    c.expect(5, 60)
    assert rule.hits == 2, rule.hits


@test
def half_an_answer_to_the_scale_patch(c):
    rules = [Rule(SCALE, 1, cut=n) for n in (0, 7, 60, 300)]
    c.gate.add(*rules)
    for load, replicas in ((50, 5), (60, 6), (70, 7), (80, 8)):
        c.load(load)
        c.expect(replicas, 40)
    c.keeps(8)


@test
def answer_to_the_scale_patch_lost(c):
    """The server did it, and the operator cannot know."""
    c.gate.add(Rule(SCALE, 1, lose=True))
    c.load(50)
    c.expect(5, 40)
    c.keeps(5)
    c.load(90)
    c.expect(9, 40)


@test
def garbage_in_answer_to_the_scale_patch(c):
    c.gate.add(*[Rule(SCALE, 1, status=200, body=b) for b in (b"<html>", b"[" * 50000, b'{"spec":{"replicas":"many"}}', b"")])
    c.load(50)
    c.expect(5, 60)


@test
def status_write_fails(c):
    rule = c.gate.add(Rule(r"(PATCH|PUT) \S+/autoscalingpolicies/web/status", 3, status=500, body=b"no"))
    c.load(50)
    c.expect(5)
    wait(lambda: f"status after failed writes: {c.status()}", lambda: c.status().get("desiredReplicas") == 5, 60)
    assert rule.hits == 3, rule.hits


@test
def events_refused(c):
    c.gate.add(Rule(r"POST \S+/events", 1000, status=403, body=b'{"kind":"Status","code":403,"reason":"Forbidden"}'))
    for load in (50, 60, 20):
        c.load(load)
        c.expect(load // 10)


@test
def one_401(c):
    c.gate.add(Rule(r"/apis/", 3, status=401, body=b'{"kind":"Status","code":401,"reason":"Unauthorized"}'))
    c.relist()
    c.load(50)
    c.expect(5, 60)
    c.edit(maxReplicas=4)
    c.expect(4, 60)


# The connection.

@test
def garbage_in_the_tls_stream(c):
    c.watching()
    for load in (50, 60):
        before = c.wire.garbled
        c.wire.mode("garble")
        c.load(load)
        wait("bytes were garbled", lambda n=before: c.wire.garbled > n)
        c.expect(load // 10, 40)
    c.watching(40)


@test
def connections_reset_and_refused(c):
    c.wire.mode("refuse")
    c.load(50)
    c.keeps(2, 4)
    c.wire.mode("pass")
    c.expect(5, 60)
    c.watching(60)


@test
def apiserver_falls_silent(c):
    """The machine is gone: packets vanish, no connection is closed."""
    c.wire.mode("silent")
    c.load(50)
    time.sleep(5)
    c.wire.mode("refuse")
    c.wire.mode("pass")
    c.expect(5, 60)


@test
def apiserver_slow(c):
    c.gate.add(Rule("", 40, delay=1.0))
    c.relist()
    for load in (50, 30):
        c.load(load)
        c.expect(load // 10, 60)


@test
def apiserver_restarted(c):
    c.watching()
    c.plane.process("stop", "apiserver")
    c.load(50)
    time.sleep(2)
    c.plane.process("start", "apiserver")
    c.expect(5, 60)
    c.edit(maxReplicas=4)
    c.expect(4, 60)


@test
def etcd_stopped_and_started(c):
    c.watching()
    c.plane.process("stop", "etcd")
    c.load(50)
    time.sleep(4)
    c.plane.process("start", "etcd")
    c.expect(5, 60)
    c.edit(maxReplicas=4)
    c.expect(4, 60)


# Prometheus.

@test
def prometheus_down(c):
    c.world.prometheus.stop()
    c.load(50)
    c.condition("ScalingActive", "False", "prometheus")
    c.condition("Ready", "False", "MetricFailed")
    c.keeps(2)
    c.world.prometheus.start()
    c.expect(5, 40)
    c.condition("Ready", "True")
    c.condition("ScalingActive", "True")


@test
def prometheus_refuses_connections(c):
    c.source_wire.mode("refuse")
    c.load(50)
    c.condition("ScalingActive", "False")
    c.keeps(2)
    c.source_wire.mode("pass")
    c.expect(5, 40)


@test
def prometheus_silent(c):
    c.source_wire.mode("silent")
    c.load(50)
    c.condition("ScalingActive", "False", "no answer within", seconds=30)
    c.keeps(2)
    c.source_wire.mode("pass")
    c.expect(5, 60)


@test
def prometheus_slow(c):
    c.source.add(Rule(QUERY, 20, delay=1.5))
    c.load(50)
    c.expect(5, 30)
    c.load(20)
    c.expect(2, 30)


def vector(*values):
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": {}, "value": [time.time(), value]} for value in values]}}).encode()


@test
def prometheus_garbage(c):
    bodies = [b"\x00\xff\x80", b"<html>proxy error</html>", b"{", b"[" * 100000, b'{"status":"success"}', b"null", b"", b'"success"',
              b'{"status":"success","data":{"resultType":"vector","result":{}}}',
              b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":["x"]}]}}',
              b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,900]}]}}',
              b'{"status":"success","data":{"resultType":"matrix","result":[]}}', vector("nine hundred"), vector("900")[:-9],
              vector("900") + b"900", b'{"status":"success","data":{"result":[' + b"{}," * 500000 + b"{}]}}"]
    before = len(c.gate.requests)
    for body in bodies:
        rule = c.source.add(Rule(QUERY, 1, status=200, body=body))
        wait(lambda b=body: f"a query for {b[:60]}", lambda r=rule: r.hits == 1, 40)
        since = len(c.source.requests)
        wait("the next query, answered well", lambda s=since: len(c.source.requests) > s, 40)
        c.operator.check()
    assert c.replicas() == 2 and not c.gate.asked(SCALE, before), "something was scaled"
    c.source.add(Rule(QUERY, 10**6, status=200, body=bodies[0]))
    c.condition("ScalingActive", "False")
    c.keeps(2)
    c.source.clear()
    c.load(50)
    c.expect(5, 60)


@test
def half_an_answer_of_prometheus(c):
    rules = [Rule(QUERY, 1, cut=n) for n in (0, 20, 150, 200)]
    before = len(c.gate.requests)
    c.source.add(*rules, Rule(QUERY, 1, lose=True))
    wait("the answers were cut", lambda: all(r.hits for r in rules), 60)
    assert not c.gate.asked(SCALE, before), "something was scaled"
    c.load(50)
    c.expect(5, 60)


@test
def prometheus_errors(c):
    c.source.add(Rule(QUERY, 10**6, status=503, body=b'{"status":"error","errorType":"unavailable","error":"still replaying"}'))
    c.condition("ScalingActive", "False", "still replaying")
    c.source.clear()
    c.source.add(Rule(QUERY, 10**6, status=401, body=b"who are you?"))
    c.condition("ScalingActive", "False", "401", seconds=40)
    c.keeps(2, 2)
    c.source.clear()
    c.load(50)
    c.expect(5, 60)


@test
def absent_is_not_zero(c):
    for body in (vector(), vector("NaN")):
        c.source.clear()
        c.source.add(Rule(QUERY, 10**6, status=200, body=body))
        c.condition("Ready", "False", "MetricAbsent", seconds=40)
        c.keeps(2, 2)
    c.source.clear()
    c.source.add(Rule(QUERY, 10**6, status=200, body=vector("0")))
    c.expect(1, 40)
    c.source.clear()
    c.expect(2, 40)


@test
def infinite_value(c):
    """Whatever comes of it, it stays within the bounds and nothing overflows."""
    for value in ("+Inf", "-Inf", "1e300", "-1e300", "1e-320"):
        c.source.clear()
        rule = c.source.add(Rule(QUERY, 10**6, status=200, body=vector(value)))
        wait("a query", lambda r=rule: r.hits >= 2, 40)
        assert 1 <= c.replicas() <= 20
        c.operator.check()
    c.source.clear()
    c.expect(2, 40)


@test
def prometheus_loses_the_series(c):
    """Scraping stops: the last value is not believed for ever, and no workload shrinks for it."""
    value = c.world.exporter.values.pop("load")
    c.condition("Ready", "False", "MetricAbsent", seconds=40)
    c.keeps(2, 2)
    c.world.exporter.values["load"] = value
    c.condition("Ready", "True", seconds=40)


@test
def several_elements(c):
    c.query("several")
    c.condition("ScalingActive", "False", "part")
    c.keeps(2, 2)
    c.query("several", combine="Sum")
    c.expect(3)
    c.query("several", combine="Max")
    c.expect(2)
    c.condition("ScalingActive", "True")


@test
def query_that_does_not_parse(c):
    c.query("sum(load")
    c.condition("ScalingActive", "False", "parse")
    c.keeps(2, 2)
    c.query("load * 3")
    c.expect(6)


# Policies and targets.

@test
def policy_deleted_and_created(c):
    c.delete(f"{POLICIES}/web")
    c.load(50)
    c.keeps(2)
    c.create(POLICIES, policy("web"))
    c.expect(5)


@test
def policy_edited(c):
    c.watching()
    since = len(c.gate.requests)
    c.load(90)
    c.expect(9)
    c.edit(maxReplicas=6)
    c.expect(6)
    c.edit(minReplicas=4)
    c.load(5)
    c.expect(4)
    c.edit(mode="Preview")
    c.load(90)
    wait(lambda: f"previewReplicas in {c.status()}", lambda: c.status().get("previewReplicas") == 6)
    c.keeps(4, 2)
    c.edit(mode="Active")
    c.expect(6)
    c.edit(pause={"direction": "Both"})
    c.load(20)
    c.condition("Paused", "True")
    c.keeps(6, 2)
    c.edit(pause=None)
    c.expect(4)
    assert not c.gate.asked(LISTS, since), "an edited policy made the operator list again"


@test
def scaled_by_hand(c):
    c.plane.must("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 7}}, MERGE)
    c.expect(2)
    c.plane.must("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 0}}, MERGE)
    c.condition("ScalingActive", "False", "ScalingDisabled")
    c.keeps(0, 2)
    c.plane.must("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 1}}, MERGE)
    c.expect(2)


@test
def target_missing_then_created(c):
    c.create(POLICIES, policy("late", target="late"))
    try:
        c.condition("AbleToScale", "False", "FailedGetScale", "late", name="late")
        c.create(DEPLOYMENTS, deployment("late", 1))
        c.load(50)
        c.expect(5, name="late")
        c.condition("AbleToScale", "True", name="late")
        c.delete(f"{DEPLOYMENTS}/late")
        c.condition("AbleToScale", "False", "FailedGetScale", name="late")
    finally:
        c.delete(f"{POLICIES}/late")
        c.delete(f"{DEPLOYMENTS}/late")


@test
def target_that_cannot_be_scaled(c):
    for name, kind in (("nothing", {"apiVersion": "batch/v1", "kind": "CronJob", "name": "x"}),
                       ("unknown", {"apiVersion": "example.com/v1", "kind": "Rocket", "name": "x"})):
        c.create(POLICIES, policy(name, scaleTargetRef=kind))
        try:
            c.condition("AbleToScale", "False", "FailedGetScale", name=name)
        finally:
            c.delete(f"{POLICIES}/{name}")


@test
def many_policies_come_and_go(c):
    names = [f"many-{i}" for i in range(30)]
    try:
        for name in names:
            c.create(DEPLOYMENTS, deployment(name, 1))
            c.create(POLICIES, policy(name, target=name, query="load"))
        c.load(40)
        for name in names:
            c.expect(4, 40, name)
    finally:
        for name in names:
            c.plane.api("DELETE", f"{POLICIES}/{name}")
            c.plane.api("DELETE", f"{DEPLOYMENTS}/{name}")
    c.load(30)
    c.expect(3)


@test
def forbidden(c):
    """An operator that may read and write policies, and not the workloads, says what it may not do."""
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    rules = [{"apiGroups": ["autoscaling.trimtab.dev"], "resources": ["autoscalingpolicies", "autoscalingpolicies/status"],
              "verbs": ["get", "list", "watch", "patch", "update"]}]
    c.delete(f"{POLICIES}/web")
    c.create(f"{rbac}/clusterroles", {"metadata": {"name": "restricted"}, "rules": rules})
    c.create(f"{rbac}/clusterrolebindings", {
        "metadata": {"name": "restricted"}, "subjects": [{"kind": "User", "name": "restricted", "apiGroup": rbac[6:-3]}],
        "roleRef": {"apiGroup": rbac[6:-3], "kind": "ClusterRole", "name": "restricted"}})
    c.plane.certificate("restricted", "/CN=restricted")
    c.world.operator.stop()
    restricted = c.world.start_operator("restricted", port=c.plane.port, user="restricted")
    try:
        c.create(POLICIES, policy("web"))
        c.condition("AbleToScale", "False", "forbidden", "deployments")
        c.load(50)
        c.keeps(2, 2)
        rules.append({"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "watch"]})
        c.plane.must("PATCH", f"{rbac}/clusterroles/restricted", {"rules": rules}, MERGE)
        c.condition("AbleToScale", "False", "forbidden", "scale", seconds=60)
        c.keeps(2, 2)
        rules.append({"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["get", "patch", "update"]})
        c.plane.must("PATCH", f"{rbac}/clusterroles/restricted", {"rules": rules}, MERGE)
        c.expect(5, 60)
        restricted.check()
    finally:
        code = restricted.stop()
        c.world.operator = c.world.start_operator("operator-after-rbac")
    assert code == 0, f"the restricted operator ended with {code}"


# Starting and ending.

def refused(*arguments):
    run = subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=20)
    return run.returncode, run.stderr


@test
def wrong_flags_are_refused(c):
    for arguments, words in ((["--no-such-flag"], ["no-such-flag"]), (["--log-level=loud"], ["log-level", "loud", "debug"]),
                             (["--http-port=99999"], ["http-port", "99999", "65535"]),
                             (["--prometheus-timeout=soon"], ["prometheus-timeout", "soon"]),
                             (["--prometheus-url=ftp://x", f"--kubeconfig={c.plane.folder}/admin.kubeconfig"], ["--prometheus-url"]),
                             (["--kubeconfig=/nonexistent"], ["/nonexistent"])):
        code, said = refused("run", "--http-port=0", *arguments)
        assert code in (1, 2), f"{arguments}: exit code {code}"
        missing = [w for w in words if w not in said]
        assert not missing, f"{arguments}: {missing} is not in: {said}"


@test
def wrong_configuration_is_refused(c):
    path = c.world.folder / "config.yaml"
    for text, line, words in (("prometheusUrl: http://x\nlogLevel: loud\n", 2, ["logLevel", "loud", "debug"]),
                              ("\n\nlogLevle: info\n", 3, ["logLevle"]), ("httpPort: many\n", 1, ["httpPort", "many"]),
                              ("- a\n- b\n", 1, []), ("httpPort: [1\n", None, []), ("httpPort: {a: b}\n", 1, ["httpPort"])):
        path.write_text(text)
        code, said = refused("run", f"--config={path}")
        assert code in (1, 2), f"{text!r}: exit code {code}"
        where = f"{path}:{line}" if line else str(path)
        missing = [w for w in [where, *words] if w not in said]
        assert not missing, f"{text!r}: {missing} is not in: {said}"


@test
def starts_while_nothing_answers(c):
    """Started before the apiserver and Prometheus: it waits for them."""
    c.world.operator.stop()
    c.wire.mode("refuse")
    c.source_wire.mode("refuse")
    c.world.operator = c.operator = c.world.start_operator("operator-early")
    c.load(50)
    time.sleep(3)
    c.operator.check()
    c.wire.mode("pass")
    c.source_wire.mode("pass")
    c.expect(5, 60)


def fault_at(n):
    """What may happen to the n-th request: the answer lost, cut short, 500, 429, 409."""
    return [Rule("", 1, skip=n, lose=True), Rule("", 1, skip=n, cut=40), Rule("", 1, skip=n, status=500, body=b"no"),
            Rule("", 1, skip=n, status=429, headers=["Retry-After: 1"], body=b"{}"),
            Rule("", 1, skip=n, status=409, body=b'{"kind":"Status","code":409,"reason":"Conflict"}'),
            Rule("", 1, skip=n, status=410, body=b'{"kind":"Status","code":410,"reason":"Expired"}')]


@test
def nth_request_of_a_start_fails(c):
    """From its start to the first write, each request fails once in each way; the end is the same."""
    c.world.operator.stop()
    for n in range(8):
        for i, rule in enumerate(fault_at(n)):
            c.load(20)
            c.plane.must("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 9}}, MERGE)
            c.gate.clear()
            c.gate.add(rule)
            c.world.operator = c.operator = c.world.start_operator(f"operator-{n}-{i}")
            c.expect(2, 40)
            c.operator.check()
            code = c.operator.stop()
            assert code == 0, f"request {n}, fault {i}: exit code {code}: {c.operator.tail()}"
    c.gate.clear()
    c.world.operator = c.operator = c.world.start_operator("operator-again")
    c.expect(2, 40)


@test
def ends_in_good_order(c):
    """SIGTERM in the middle of work: exit code 0, and the sanitizer finds no leak."""
    c.load(50)
    time.sleep(0.7)
    code = c.world.operator.stop()
    assert code == 0, f"exit code {code}: {c.world.operator.tail()}"
    c.world.operator = c.world.start_operator("operator-last")
    c.expect(5, 40)


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


def run(world, chosen):
    passed = failed = 0
    for function in chosen:
        start = time.monotonic()
        try:
            run_one(world, function)
            passed += 1
            print(f"ok {function.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
        except Exception as error:  # any failure of a test is one; the others still run
            failed += 1
            where = traceback.extract_tb(error.__traceback__)
            line = next((f.lineno for f in where if f.name == function.__name__), where[-1].lineno)
            print(f"not ok {function.__name__} ({time.monotonic() - start:.1f} s): line {line}: "
                  f"{type(error).__name__}: {error}", flush=True)
            recover(world)
    return passed, failed


def recover(world):
    """After a failure: a living operator for the next test, and the processes that a test may have stopped."""
    world.heal()
    for name in ("etcd", "apiserver"):
        subprocess.run([world.plane.script, "start", str(world.plane.folder), name], check=False, capture_output=True)
    if world.prometheus.process.poll() is not None:
        world.prometheus.start()
    world.operator.stop()
    world.operator = world.start_operator(f"operator-{len(world.operators)}")


def main():
    words = [w for w in sys.argv[1:] if not w.startswith("--")]
    keep = "--keep" in sys.argv
    chosen = [t for t in TESTS if not words or any(w in t.__name__ for w in words)]
    folder = tempfile.mkdtemp(prefix="trimtab-faults-")
    start = time.monotonic()
    world = World(folder)
    print(f"# {binary()}; logs in {folder} ({time.monotonic() - start:.1f} s to start)", flush=True)
    try:
        passed, failed = run(world, chosen)
        code = world.operator.stop()
        leaks = [line for o in world.operators for line in o.text().splitlines() if "Sanitizer" in line]
        failed += bool(leaks or code)
        for line in leaks[:5]:
            print(f"# {line}")
    finally:
        world.close()
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
