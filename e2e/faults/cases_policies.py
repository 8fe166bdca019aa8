"""Policies and their targets come, go, change and are wrong."""

from case import DEPLOYMENTS, LISTS, POLICIES, deployment, plainly, policy, test
from world import MERGE, wait


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
    failing = 'trimtab_informer_failing{resource="horizontalpodautoscalers.autoscaling",version="v2"}'
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
        # That nobody looks out for HorizontalPodAutoscalers is no reason to be taken out of service, but is said.
        blind = "horizontalpodautoscalers.autoscaling cannot be followed: "
        wait(lambda: plainly(restricted, "/readyz"), lambda: f"warning: {blind}" in plainly(restricted, "/readyz"))
        assert plainly(restricted, "/readyz").startswith("ok\n") and 'resource "horizontalpodautoscalers" in API group' in plainly(
            restricted, "/readyz"), plainly(restricted, "/readyz")
        assert f"{failing} 1\n" in plainly(restricted, "/metrics")
        c.load(50)
        c.keeps(2, 2)
        rules.append({"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["get", "list", "watch"]})
        rules.append({"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "watch"]})
        c.plane.must("PATCH", f"{rbac}/clusterroles/restricted", {"rules": rules}, MERGE)
        c.condition("AbleToScale", "False", "forbidden", "scale", seconds=60)
        c.keeps(2, 2)
        rules.append({"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["get", "patch", "update"]})
        c.plane.must("PATCH", f"{rbac}/clusterroles/restricted", {"rules": rules}, MERGE)
        c.expect(5, 60)
        wait("HorizontalPodAutoscalers are followed", lambda: f"{failing} 0\n" in plainly(restricted, "/metrics"), 60)
        assert blind not in plainly(restricted, "/readyz"), plainly(restricted, "/readyz")
        restricted.check()
    finally:
        code = restricted.stop()
        c.world.operator = c.world.start_operator("operator-after-rbac")
    assert code == 0, f"the restricted operator ended with {code}"
