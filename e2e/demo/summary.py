#!/usr/bin/env python3
"""Tells how fast the workload followed the load, from what demo.sh wrote down.

usage: summary.py FOLDER MODE [--assert]
FOLDER/load      a line for each step of the load: time in seconds, connections, then (where measured) requests a second
FOLDER/replicas  a line for each change of the Deployment: time in seconds, spec.replicas, ready replicas
FOLDER/times     name and seconds of further things worth telling
Prints a short table and a line of JSON. With --assert the exit code is 1 where the workload did not grow to the size that
the load asked for, or did not shrink to one replica after it.
"""
import json
import math
import sys

TARGET = 100  # requests a second and replica, as in policy.yaml
TOLERANCE = 0.1


def rows(path):
    with open(path, encoding="utf-8") as f:
        return [line.split() for line in f if line.strip()]


def first(changes, after, accept):
    """Seconds from `after` to the first change whose spec.replicas is accepted, None where there is none."""
    return next((t - after for t, spec, _ in changes if t >= after and accept(spec)), None)


def value_at(changes, when):
    return next((spec for t, spec, _ in reversed(changes) if t <= when), None)


def measure(steps, changes):
    high, stop = steps["high"], steps["stop"]
    rate = high[1]
    low_size, size = value_at(changes, high[0]), value_at(changes, stop[0])

    def right(replicas):  # within the tolerance of the target nothing is changed any more
        return replicas == size or abs(rate / replicas / TARGET - 1) <= TOLERANCE

    return {
        "load_rps": round(rate),
        "replicas_before": low_size,
        "replicas_at_load": size,
        "replicas_after": changes[-1][1],
        "first_write_s": first(changes, high[0], lambda n: n > low_size),
        "right_size_s": first(changes, high[0], right),
        "all_ready_s": next((t - high[0] for t, _, ready in changes if t >= high[0] and ready >= size), None),
        "first_write_down_s": first(changes, stop[0], lambda n: n < size),
        "down_s": first(changes, stop[0], lambda n: n == 1),
        "grew": size > low_size and rate / (1 + TOLERANCE) / TARGET <= size <= math.ceil(rate / TARGET) + 1,
        "shrank": changes[-1][1] == 1,
    }


def shown(seconds):
    return "never" if seconds is None else f"{seconds:.1f} s"


def main():
    folder, mode = sys.argv[1], sys.argv[2]
    steps = {name: (float(t), float(rate)) for name, t, rate in rows(folder + "/load")}
    changes = [(float(t), int(spec), int(ready[0]) if ready else 0) for t, spec, *ready in rows(folder + "/replicas")]
    if not changes:
        raise SystemExit("summary.py: no change of the Deployment was seen")
    got = measure(steps, changes)
    up = f"{got['replicas_before']} -> {got['replicas_at_load']} replicas for {got['load_rps']} requests/s"
    print(f"""
  {up}
    load step -> first write     {shown(got['first_write_s'])}
    load step -> right size      {shown(got['right_size_s'])}
    load step -> all pods ready  {shown(got['all_ready_s'])}
  {got['replicas_at_load']} -> {got['replicas_after']} replicas after the load ended
    load gone -> first write     {shown(got['first_write_down_s'])}
    load gone -> right size      {shown(got['down_s'])}""")
    times = {name: float(value) for name, value in rows(folder + "/times")}
    rounded = {k: round(v, 2) if isinstance(v, float) else v for k, v in {**got, **times}.items()}
    print(json.dumps({"demo": mode, **rounded}))
    if "--assert" in sys.argv and not (got["grew"] and got["shrank"]):
        raise SystemExit("summary.py: the workload did not follow the load")


main()
