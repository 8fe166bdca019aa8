"""Several writers on one workload, taking over from an HPA, and what is remembered over a start."""

import contextlib
import datetime
import json
import subprocess
import time

from case import DEPLOYMENTS, POLICIES, policy, test
from world import MERGE, ROOT, stays, wait

HPAS = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
TAKE_OVER = "autoscaling.trimtab.dev/take-over-from"
TAKEN_OVER = "autoscaling.trimtab.dev/taken-over"


def hpa(target="web", least=1):
    """By a metric that nobody serves: its controller only keeps to minReplicas and maxReplicas."""
    metric = {"type": "External", "external": {"metric": {"name": "none"}, "target": {"type": "Value", "value": "1"}}}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web", "labels": {"team": "shop"}},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}, "minReplicas": least,
                     "maxReplicas": 6, "metrics": [metric]}}


@contextlib.contextmanager
def hpa_controller(c):
    """The real one, alone in a kube-controller-manager."""
    script = str(ROOT / "e2e/deps/controlplane.sh")
    subprocess.run([script, "kube-controller-manager"], check=True, capture_output=True)
    folder = subprocess.run([script, "--bin"], check=True, capture_output=True, text=True).stdout.strip()
    config = c.plane.kubeconfig("hpa-controller", c.plane.port)
    with (c.world.folder / "hpa-controller.log").open("wb") as log:
        process = subprocess.Popen(
            [f"{folder}/kube-controller-manager", f"--kubeconfig={config}", "--leader-elect=false", "--secure-port=0",
             "--controllers=horizontal-pod-autoscaler-controller", "--horizontal-pod-autoscaler-sync-period=1s"],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def held(c, path, thing):
    """There for as long as the test wants it."""
    c.create(path, thing)
    try:
        yield
    finally:
        c.delete(f"{path}/{thing['metadata']['name']}")


@test
def hpa_on_the_target(c):
    with held(c, HPAS, hpa()):
        c.condition("Conflict", "True", "HorizontalPodAutoscaler web")
        c.load(50)
        c.keeps(2)
        c.plane.must("PATCH", f"{HPAS}/web", {"spec": hpa("other")["spec"]}, MERGE)
        c.expect(5, 2)
        c.plane.must("PATCH", f"{HPAS}/web", {"spec": hpa()["spec"]}, MERGE)
        c.condition("Conflict", "True", "HorizontalPodAutoscaler web")
        c.load(30)
        c.keeps(5)
    c.expect(3, 2)


@test
def two_policies_on_a_target(c):
    time.sleep(1)  # so that it is younger by a second, as times are written
    with held(c, POLICIES, policy("younger", maxReplicas=4)):
        c.condition("Conflict", "True", "AutoscalingPolicy default/web", name="younger")
        c.load(60)
        c.expect(6)
        c.edit(pause={})
        c.load(30)
        c.keeps(6)  # paused, and still the one that acts
        c.delete(f"{POLICIES}/web")
        c.expect(3)


def hpa_replicas(c):
    """What the HPA's controller has made of its target, None once the HPA is gone."""
    return c.plane.api("GET", f"{HPAS}/web")[1].get("status", {}).get("desiredReplicas")


@test
def taken_over_from_an_hpa(c):
    """Its metrics missing, the policy leaves the HPA alone; then it takes over, and the number goes from the one's to the
    other's without a step between."""
    c.query("absent_so_far")
    with hpa_controller(c), held(c, HPAS, hpa(least=4)):
        c.expect(4, 60)  # by the HPA's controller
        c.plane.must("PATCH", f"{POLICIES}/web", {"metadata": {"annotations": {TAKE_OVER: "web"}}}, MERGE)
        c.condition("Conflict", "True", "taking over from HorizontalPodAutoscaler web: waiting for metrics")
        c.plane.must("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 1}}, MERGE)
        c.expect(4)  # the HPA still acts
        seen = []
        c.query("load")
        wait(lambda: f"2 replicas, seen {seen}; {c.status()}", lambda: seen.append(c.replicas()) or seen[-1] == 2, every=0.02)
        assert set(seen) <= {4, 2}, f"replicas went {seen}"
        assert c.plane.api("GET", f"{HPAS}/web")[0] == 404
        c.keeps(2)
        wait(lambda: f"no Conflict: {c.status()}", lambda: all(x["type"] != "Conflict" for x in c.status()["conditions"]))
        kept = json.loads(c.plane.must("GET", f"{POLICIES}/web")["metadata"]["annotations"][TAKEN_OVER])
        assert kept["spec"]["minReplicas"] == 4 and kept["metadata"]["labels"] == {"team": "shop"}, kept
        # The way back: the manifest as it was kept, and the policy stands back at once.
        c.create(HPAS, kept)
        c.condition("Conflict", "True", "was taken over and has been created again")
        c.expect(4)
        c.keeps(4)
    c.expect(2)
    c.plane.must("PATCH", f"{POLICIES}/web", {"metadata": {"annotations": {
        TAKE_OVER: None, TAKEN_OVER: None, TAKEN_OVER + "-uid": None}}}, MERGE)


def seconds_until(text):
    then = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (then - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


@test
def started_anew_within_a_window(c):
    """The operator is stopped and started while scaling down is held back: the window ends when it would have."""
    c.edit(behavior={"scaleDown": {"stabilizationWindowSeconds": 15}})
    c.load(60)
    c.expect(6)
    time.sleep(2)
    c.load(20)
    until = wait(lambda: f"held: {c.status()}", lambda: c.status().get("decision", {}).get("heldUntil"))
    c.world.operator.stop()
    time.sleep(3)
    c.world.operator = c.world.start_operator("operator-within-a-window")
    while seconds_until(until) > 1.5:
        assert c.replicas() == 6, f"scaled to {c.replicas()} {seconds_until(until):.1f} s before {until}"
        time.sleep(0.1)
    c.expect(2, 8)  # a new window would last 15 s from the start
    stays(lambda: "2 replicas", lambda: c.replicas() == 2, 1)
