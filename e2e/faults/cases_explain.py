"""Why it scaled: `trimtab explain` of a live policy, asked in every way there is."""

import json
import os
import pathlib
import subprocess

from case import test
from world import MERGE, binary, wait

SERVICES = "/api/v1/namespaces/default/services"
ENDPOINTS = "/api/v1/namespaces/default/endpoints"
PODS = "/api/v1/namespaces/default/pods"
ADDRESS = "198.51.100.77"  # an endpoint may not be of loopback; this one leads nowhere else


def explain(c, *arguments, code=0, command=None):
    """Its output and what it says beside it."""
    config = c.plane.kubeconfig("explain", c.plane.port)
    env = dict(os.environ, KUBECONFIG=config, PATH=f"{c.world.folder}:{os.environ['PATH']}")
    done = subprocess.run([*(command or [binary()]), "explain", *arguments], capture_output=True, text=True, env=env, timeout=60)
    assert done.returncode == code, f"explain ended with {done.returncode}: {done.stderr} {done.stdout}"
    return done.stdout, done.stderr


def has(text, *parts):
    for part in parts:
        assert part in text, f"{part!r} is not in:\n{text}"


def scaled(c):
    """The policy has just gone from 2 replicas to 5; where the operator is to be asked."""
    c.load(50)
    c.expect(5)
    where = f"--operator=http://127.0.0.1:{c.operator.port}"
    wait("the change is in the record", lambda: "2 -> 5 replicas" in explain(c, "web", where)[0])
    return where


@test
def explains_a_change(c):
    where = scaled(c)
    has(explain(c, "web", where)[0], "default/web  Deployment/web  2 -> 5 replicas at ", ": AboveTarget\n",
        "ceil(50 / 10) = 5\n", "  combine     max(5) = 5, from ", "  stabilize   scaleUp window 0 s: 5\n",
        "  rate limit  +1000 in 1 s, ", "  bounds      1..20: 5\n",
        "  because     2 -> 5 replicas: ")
    answer = json.loads(explain(c, "web", where, "-o", "json", "--since", "10m", "-n", "default")[0])
    change = next(d for d in answer["decisions"] if d["change"] and d["desiredReplicas"] == 5)
    assert change["stages"]["combine"]["out"] == 5 and not change["stages"]["bounds"]["changed"], change
    assert change["metrics"][0]["proposal"] == 5 and change["metrics"][0]["sampleAgeSeconds"] < 60, change


@test
def explains_what_limits(c):
    where = scaled(c)
    c.edit(maxReplicas=7)
    c.load(90)
    c.expect(7)
    wait("the change is in the record", lambda: "5 -> 7 replicas" in explain(c, "web", where)[0])
    has(explain(c, "web", where, "--since=1m")[0], "AtMaximum, limited by maxReplicas\n", "  bounds      1..7: 7  <- changed\n")


@test
def explains_by_the_status_alone(c):
    """No service leads to the operator: the status tells, and that is said."""
    scaled(c)
    c.condition("AbleToScale", "True")
    wait("the status tells of the new number", lambda: c.status().get("currentReplicas") == 5)
    out, said = explain(c, "web")
    has(said, "the operator cannot be asked: no service has the label app.kubernetes.io/name=trimtab\n")
    has(out, "default/web  Deployment/web  5 replicas at ", "  Ready=True  ", "  because     5 replicas: ")
    answer = json.loads(explain(c, "web", "-o", "json")[0])
    assert answer["source"] == "status" and answer["status"]["currentReplicas"] == 5, answer
    has(explain(c, "nobody", code=1)[1], "nobody", "not found")


@test
def explains_through_the_apiserver(c):
    """As a kubectl plugin, by the service that the chart installs."""
    scaled(c)
    pathlib.Path(c.world.folder, "kubectl-trimtab").symlink_to(binary())
    subprocess.run(["ip", "addr", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
    try:
        serve(c)
        plugin = ["kubectl", "trimtab"]
        wait(lambda: f"the operator answers through the apiserver: {explain(c, 'web', command=plugin)}",
             lambda: not explain(c, "web", command=plugin)[1])
        has(explain(c, "web", command=plugin)[0], "default/web  Deployment/web  2 -> 5 replicas at ", ": AboveTarget\n")
        has(explain(c, "nobody", code=1, command=plugin)[1], "there is no policy default/nobody")
        has(explain(c, "web", "--since=0s", code=2)[1], "--since")
    finally:
        subprocess.run(["ip", "addr", "del", f"{ADDRESS}/32", "dev", "lo"], check=False)
        for path in (f"{ENDPOINTS}/trimtab", f"{SERVICES}/trimtab", f"{PODS}/trimtab?gracePeriodSeconds=0"):
            c.plane.api("DELETE", path)


def serve(c):
    """A service without a selector, and the endpoint that it leads to: the apiserver wants it to be a pod's."""
    meta = {"name": "trimtab", "labels": {"app.kubernetes.io/name": "trimtab"}}
    c.create(SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": meta,
                        "spec": {"ports": [{"name": "http", "port": 8080, "targetPort": c.operator.port}]}})
    c.create(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": meta,
                    "spec": {"containers": [{"name": "trimtab", "image": "trimtab"}]}})
    c.plane.must("PATCH", f"{PODS}/trimtab/status",
                 {"status": {"phase": "Running", "podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}]}}, MERGE)
    pod = {"kind": "Pod", "namespace": "default", "name": "trimtab"}
    c.create(ENDPOINTS, {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta,
                         "subsets": [{"addresses": [{"ip": ADDRESS, "targetRef": pod}],
                                      "ports": [{"name": "http", "port": c.operator.port}]}]})
