"""Faults between the operator and the apiserver: watches, lists, writes, the connection, the server itself."""

import json
import time

from case import LISTS, SCALE, WATCHES, test
from proxy import Rule
from world import wait


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
    rules = c.fail_lists(2, status=429, headers=["Retry-After: 1"],
                         body=b'{"kind":"Status","code":429,"reason":"TooManyRequests","message":"try again later"}')
    c.relist()
    c.edit(maxReplicas=4)
    c.load(90)
    c.expect(4, 60)
    wait("the lists of both kinds failed", lambda: [r.hits for r in rules] == [2, 2], 60)


@test
def lists_answered_500(c):
    c.watching()
    rules = c.fail_lists(3, status=500, body=b"internal")
    c.relist()
    c.edit(maxReplicas=4)
    c.load(90)
    c.expect(4, 60)
    wait("the lists of both kinds failed", lambda: [r.hits for r in rules] == [3, 3], 60)


@test
def lists_answered_with_garbage(c):
    c.watching()
    bodies = (b"\xff\xfe\x00garbage", b"{", b'{"kind":"List","items":5}', b'{"items":[{"metadata":7}]}', b"[" * 100000, b"")
    for body in bodies:
        c.fail_lists(status=200, body=body)
    c.relist()
    c.load(60)
    c.expect(6, 60)
    c.edit(maxReplicas=4)
    c.expect(4, 90)


@test
def lists_cut_in_the_middle(c):
    c.watching()
    # Of head and body: a Deployment in protobuf may come in fewer than 900, and what is cut behind its end is whole.
    rules = [r for n in (0, 30, 500, 600) for r in c.fail_lists(cut=n)] + c.fail_lists(lose=True)
    c.relist()
    c.load(60)
    c.expect(6, 60)
    c.edit(maxReplicas=4)
    c.expect(4, 90)
    wait(lambda: f"the lists of both kinds were cut: {[(r.pattern.pattern, r.hits) for r in rules]}",
         lambda: all(r.hits for r in rules), 60)


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
