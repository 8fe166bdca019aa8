"""Prometheus is down, slow, or says what it should not."""

import json
import time

from case import QUERY, SCALE, test
from proxy import Rule
from world import wait


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
