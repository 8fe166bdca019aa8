"""Nothing is wrong: the load is followed, and little is said."""

import time

from case import test
from world import wait


@test
def follows_the_load(c):
    for load, replicas in ((50, 5), (75, 8), (30, 3), (5, 1), (1000, 20), (20, 2)):
        c.load(load)
        c.expect(replicas)


@test
def quiet_while_nothing_changes(c):
    c.watching()
    time.sleep(4)
    asked = []
    for _ in range(3):  # a host that stalls for seconds ends watches, which are then begun anew
        before = len(c.gate.requests)
        time.sleep(8)
        asked = [r for r in c.gate.requests[before:] if "/events" not in r]
        if not asked:
            return
    assert not asked, f"in steady state the apiserver was asked {asked}"


@test
def reports_the_rescale_as_an_event(c):
    c.load(60)
    c.expect(6)
    wait("the event SuccessfulRescale with the new size", lambda: any(
        e["reason"] == "SuccessfulRescale" and "New size: 6" in (e.get("message") or e.get("note") or "")
        for e in c.plane.must("GET", "/api/v1/namespaces/default/events")["items"]))
