"""The metrics APIs of the operator itself, asked through the apiserver's aggregator by who asks them in a cluster."""

import base64
import contextlib
import http.client
import json
import os
import re
import ssl
import subprocess
import threading

from case import DEPLOYMENTS, POLICIES, QUERY, plainly, test
from cases_metrics import pods_of_web, use
from cases_rivals import HPAS, hpa_controller
from kubelet import Kubelet
from metrics_adapter import APISERVICES, MetricsAdapter
from metrics_adapter import RULES as RESOURCE_RULES
from proxy import Rule
from world import MERGE, binary, free_port, stays, wait

CUSTOM = "/apis/custom.metrics.k8s.io/v1beta2"
EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1"
RESOURCE = "/apis/metrics.k8s.io/v1beta1"
NAMES = ("v1beta1.custom.metrics.k8s.io", "v1beta2.custom.metrics.k8s.io", "v1beta1.external.metrics.k8s.io", "v1beta1.metrics.k8s.io")
SECRETS = "/api/v1/namespaces/default/secrets"
RULES = """rules:
- seriesQuery: 'pod_load{namespace!="",pod!=""}'
  resources: {overrides: {namespace: {resource: namespace}, pod: {resource: pod}}}
  metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)
externalRules:
- seriesQuery: 'served_length{namespace!=""}'
  resources: {overrides: {namespace: {resource: namespace}}}
  metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>}) by (queue)
"""
POD_LOAD = f"{CUSTOM}/namespaces/default/pods/*/pod_load?labelSelector=app%3Dweb"


class Serving:
    """An operator with its secure port behind APIServices, in place of the one that the other tests use."""

    def __init__(self, c, *flags, rules=None):
        self.c, self.port, self.rules_flag = c, free_port(), rules
        self.rules = c.world.folder / "served-rules.yaml"
        self.rules.write_text(RULES)
        self.kubelet = Kubelet(c.plane.server_tls())
        c.world.operator.stop()
        self.register()
        self.operator = c.world.operator = c.operator = self.start(*flags)

    def start(self, *flags):
        return self.c.world.start_operator(
            f"serving-{len(self.c.world.operators)}", f"--secure-port={self.port}", "--bind-address=127.0.0.1",
            self.rules_flag or f"--rules={self.rules}", "--service=default/trimtab", "--cert-secret=default/trimtab-cert", f"--manage-apiservices={','.join(NAMES)}",
            "--metrics-relist-interval=1s", "--metrics-max-age=1m", "--metrics-freshness=1s", "--metrics-max-stale=12s",
            "--metric-resolution=10s", "--kubelet-use-node-status-port", "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-certificate-authority={self.c.plane.pki}/ca.crt", *flags)

    def register(self):
        """As the chart does; the Service leads to this machine."""
        plane = self.c.plane
        plane.api("POST", "/api/v1/namespaces/default/services",
                  {"metadata": {"name": "trimtab"}, "spec": {"type": "ExternalName", "externalName": "localhost"}})
        for name in NAMES:
            version, group = name.split(".", 1)
            plane.api("DELETE", f"{APISERVICES}/{name}")
            plane.must("POST", APISERVICES, {
                "metadata": {"name": name}, "spec": {"group": group, "version": version, "groupPriorityMinimum": 100,
                                                     "versionPriority": 200 if version == "v1beta2" else 100,
                                                     "service": {"name": "trimtab", "namespace": "default", "port": self.port}}})

    def available(self):
        def conditions(name):
            status = self.c.plane.must("GET", f"{APISERVICES}/{name}").get("status", {})
            return [(x["status"], x.get("message")) for x in status.get("conditions", ()) if x["type"] == "Available"]
        wait(lambda: f"APIServices are available: {[conditions(n) for n in NAMES]}; {self.operator.tail()}",
             lambda: all(conditions(n)[:1] and conditions(n)[0][0] == "True" for n in NAMES), 60)

    def close(self):
        code = self.operator.stop()
        self.kubelet.stop()
        for name in NAMES:
            self.c.plane.api("DELETE", f"{APISERVICES}/{name}")
        self.c.plane.api("DELETE", f"{SECRETS}/trimtab-cert")
        self.c.world.operator = self.c.world.start_operator(f"operator-{len(self.c.world.operators)}")
        assert code == 0, f"the serving operator ended with {code}"


@contextlib.contextmanager
def serving(c, *flags, **how):
    s = Serving(c, *flags, **how)
    try:
        s.available()
        yield s
        s.operator.check()
    finally:
        s.close()


def values(c, path, key=lambda item: item["describedObject"]["name"]):
    """The values of a list by object; the status where there is none."""
    status, answer = c.plane.api("GET", path)
    return {key(i): i["value"] for i in answer["items"]} if status == 200 else f"{status} {answer.get('message')}"


def gives(c, path, want, seconds=20, **how):
    wait(lambda: f"{path}: {values(c, path, **how)}, wanted {want}; {c.operator.tail()}", lambda: values(c, path, **how) == want, seconds)


def as_user(c, user, path):
    """Status and message of a GET with this user's certificate."""
    connection = http.client.HTTPSConnection("127.0.0.1", c.plane.port, context=c.plane.client_tls(user), timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()).get("message", "")


def directly(port, path, method="GET", who=None, **headers):
    """Past the aggregator, as nobody, or with who's certificate and key."""
    context = ssl._create_unverified_context()
    if who:
        context.load_cert_chain(*who)
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if text[:1] == "{" else text


def kubectl(c, *arguments):
    done = subprocess.run(["kubectl", "--kubeconfig", str(c.plane.folder / "admin.kubeconfig"), *arguments], capture_output=True,
                          text=True, check=False)
    return done.stdout + done.stderr


@test
def serves_metrics_by_rules(c):
    use(c, "pod_load", (3, 5.5))
    c.world.exporter.values['served_length{namespace="default",queue="orders"}'] = 12000
    with serving(c) as s, pods_of_web(c):
        gives(c, POD_LOAD, {"web-1": "3", "web-2": "5500m"})
        gives(c, f"{EXTERNAL}/namespaces/default/served_length", {"orders": "12k"}, key=lambda i: i["metricLabels"]["queue"])
        listed = {r["name"] for r in c.plane.must("GET", CUSTOM)["resources"]}
        assert {"pods/pod_load", "namespaces/pod_load"} <= listed, listed
        status, answer = c.plane.api("GET", f"{CUSTOM}/namespaces/default/pods/*/none")
        assert status == 404 and "could not find the metric none for pods" in answer["message"], answer
        use(c, "pod_load", (7, 9))
        gives(c, POD_LOAD, {"web-1": "7", "web-2": "9"})
        # Discovery and OpenAPI as kubectl reads them.
        assert "pods/pod_load" in kubectl(c, "get", "--raw", "/apis/custom.metrics.k8s.io/v1beta1")
        assert "custom.metrics.k8s.io" in kubectl(c, "api-versions")
        wait("kubectl explain knows podmetrics", lambda: "usage" in kubectl(c, "explain", "podmetrics.containers"), 60)
        s.operator.check()


@test
def feeds_a_real_hpa(c):
    """The controller of Kubernetes scales by our numbers, and lists nothing for it."""
    c.delete(f"{POLICIES}/web")
    use(c, "pod_load", 20)
    metric = {"type": "Pods", "pods": {"metric": {"name": "pod_load"}, "target": {"type": "AverageValue", "averageValue": "10"}}}
    with serving(c), pods_of_web(c):
        gives(c, POD_LOAD, {"web-1": "20", "web-2": "20"})
        c.plane.must("PATCH", f"{DEPLOYMENTS}/web/status", {"status": {"readyReplicas": 2}}, MERGE)
        with hpa_controller(c):
            c.create(HPAS, {"metadata": {"name": "web"}, "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "minReplicas": 1, "maxReplicas": 6,
                "metrics": [metric]}})
            try:
                c.expect(4, 60)
            finally:
                c.delete(f"{HPAS}/web")


@test
def feeds_its_own_policies_from_memory(c):
    use(c, "pod_load", 10)
    with serving(c), pods_of_web(c):
        c.edit(metrics=[{"type": "Pods", "pods": {"metric": {"name": "pod_load"}, "target": {"type": "AverageValue", "averageValue": "10"}}}])
        c.condition("ScalingActive", "True")
        wait(lambda: c.status(), lambda: [m.get("origin") for m in c.status().get("metrics", ())] == ["rules"])
        since = len(c.gate.requests)
        use(c, "pod_load", 30)
        c.expect(6)
        assert not c.gate.asked(r"/apis/custom.metrics.k8s.io/.*/pods/", since), "asked the API for what is in memory"


@test
def feeds_its_own_policies_by_resource_rules(c):
    """Without the kubelets; the same numbers that the API serves, and nothing asked of it."""
    use(c, "used_cpu", 0.5)
    use(c, "used_memory", 1 << 28)
    file = c.world.folder / "resource-rules.yaml"
    file.write_text(RESOURCE_RULES)
    with serving(c, "--no-kubelet-metrics", rules=f"--rules={file}"), pods_of_web(c):
        wait(lambda: kubectl(c, "top", "pods"), lambda: "500m" in kubectl(c, "top", "pods"), 40)
        c.edit(metrics=[{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}])
        c.condition("ScalingActive", "True")
        wait(lambda: c.status(), lambda: [m.get("origin") for m in c.status().get("metrics", ())] == ["rules"])
        c.keeps(2)
        since = len(c.gate.requests)
        use(c, "used_cpu", 1)
        c.expect(4, 40)
        assert not c.gate.asked(r"/apis/metrics.k8s.io/.*/pods", since), "asked the API for what is in memory"
        c.source.add(Rule(QUERY, 1000, status=503, body=b"{}"))
        pods = f"{RESOURCE}/namespaces/default/pods"
        wait(lambda: c.plane.api("GET", pods), lambda: c.plane.api("GET", pods)[0] == 500, 40)
        c.source.clear()
        wait(lambda: kubectl(c, "top", "pods"), lambda: "1000m" in kubectl(c, "top", "pods"), 40)


@test
def asks_who_asks(c):
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    use(c, "pod_load", 1)
    with serving(c) as s, pods_of_web(c):
        gives(c, POD_LOAD, {"web-1": "1", "web-2": "1"})
        c.plane.certificate("reader", "/CN=reader/O=team")
        status, message = as_user(c, "reader", POD_LOAD)
        assert status == 403 and 'User "reader" cannot get resource "pods/pod_load"' in message, (status, message)
        rule = {"apiGroups": ["custom.metrics.k8s.io"], "resources": ["pods/pod_load"], "verbs": ["get"]}
        c.create(f"{rbac}/namespaces/default/roles", {"metadata": {"name": "reader"}, "rules": [rule]})
        c.create(f"{rbac}/namespaces/default/rolebindings", {
            "metadata": {"name": "reader"}, "subjects": [{"kind": "Group", "name": "team", "apiGroup": rbac[6:-3]}],
            "roleRef": {"apiGroup": rbac[6:-3], "kind": "Role", "name": "reader"}})
        wait("the group's right counts", lambda: as_user(c, "reader", POD_LOAD)[0] == 200, 30)
        # Nobody is who he says he is without the front proxy's certificate.
        forged = {"X-Remote-User": "admin", "X-Remote-Group": "system:masters"}
        status, answer = directly(s.port, POD_LOAD, **forged)
        assert status == 403 and "system:anonymous" in answer["message"], (status, answer)
        status, answer = directly(s.port, POD_LOAD, Authorization="Bearer nonsense")
        assert status == 401 and answer["kind"] == "Status", (status, answer)
        assert directly(s.port, "/readyz")[0] == 200
        assert directly(s.port, POD_LOAD, method="POST")[0] == 405
        assert directly(s.port, "/apis/" + "x" * 20000)[0] in (414, 431)
        c.plane.api("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "asking"}})
        token = c.plane.must("POST", "/api/v1/namespaces/default/serviceaccounts/asking/token",
                             {"spec": {"expirationSeconds": 600}})["status"]["token"]
        status, answer = directly(s.port, POD_LOAD, Authorization=f"Bearer {token}")
        assert status == 403 and "system:serviceaccount:default:asking" in answer["message"], (status, answer)


@test
def rules_are_followed(c):
    use(c, "pod_load", 2)
    with serving(c) as s, pods_of_web(c):
        gives(c, POD_LOAD, {"web-1": "2", "web-2": "2"})
        s.rules.write_text(RULES.replace("metricsQuery: sum(<<.Series>>", "metricsQuery: 10 * sum(<<.Series>>"))
        gives(c, POD_LOAD, {"web-1": "20", "web-2": "20"})
        s.rules.write_text(RULES.replace("<<.GroupBy>>", "<<.GroupBy"))
        wait(s.operator.tail, lambda: "served-rules.yaml:4: rules[0].metricsQuery" in s.operator.text())
        stays("the last good rules", lambda: values(c, POD_LOAD) == {"web-1": "20", "web-2": "20"}, 3)
        s.rules.write_text(RULES)
        gives(c, POD_LOAD, {"web-1": "2", "web-2": "2"})
        # A series that comes is found by who asks for it.
        use(c, "other_load", 4)
        s.rules.write_text(RULES.replace("pod_load{", "other_load{"))
        gives(c, POD_LOAD.replace("pod_load", "other_load"), {"web-1": "4", "web-2": "4"})


@test
def last_value_while_prometheus_is_down(c):
    use(c, "pod_load", 2)
    with serving(c), pods_of_web(c):
        gives(c, POD_LOAD, {"web-1": "2", "web-2": "2"})
        c.source_wire.mode("refuse")
        stays("the last value", lambda: values(c, POD_LOAD) == {"web-1": "2", "web-2": "2"}, 3)
        wait(lambda: values(c, POD_LOAD), lambda: str(values(c, POD_LOAD)).startswith("500 ") and "Prometheus http" in values(c, POD_LOAD))
        c.source_wire.mode("pass")
        gives(c, POD_LOAD, {"web-1": "2", "web-2": "2"}, 40)


@test
def certificate_is_kept_and_renewed(c):
    with serving(c) as s:
        secret = c.plane.must("GET", f"{SECRETS}/trimtab-cert")
        assert {"tls.crt", "tls.key", "ca.crt"} <= set(secret["data"]), secret["data"].keys()
        s.operator.stop()
        s.operator = c.world.operator = s.start()
        s.available()
        assert c.plane.must("GET", f"{SECRETS}/trimtab-cert")["data"] == secret["data"], "a start made another certificate"
        # An administrator's mistake is put right.
        c.plane.must("PATCH", f"{APISERVICES}/{NAMES[0]}", {"spec": {"caBundle": None}}, MERGE)
        wait("the caBundle is back", lambda: c.plane.must("GET", f"{APISERVICES}/{NAMES[0]}")["spec"].get("caBundle"), 90)


@contextlib.contextmanager
def node(c, kubelet):
    nodes = "/api/v1/nodes"
    c.create(nodes, {"metadata": {"name": "n1"}})
    c.plane.must("PATCH", f"{nodes}/n1/status", {"status": {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}], "allocatable": {"cpu": "4", "memory": "8Gi"},
        "capacity": {"cpu": "4", "memory": "8Gi"}, "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet.port}},
        "conditions": [{"type": "Ready", "status": "True"}]}}, MERGE)
    try:
        yield
    finally:
        c.delete(f"{nodes}/n1")


def warnings(c):
    events = c.plane.must("GET", "/api/v1/namespaces/default/events")["items"]
    return sorted((e["reason"], e.get("message") or e.get("note")) for e in events if e["type"] == "Warning")


@test
def reads_the_kubelets(c):
    with serving(c) as s, node(c, s.kubelet), pods_of_web(c, node="n1"):
        s.kubelet.pods = [("default", "web-1"), ("default", "web-2")]
        wait(lambda: kubectl(c, "top", "pods"), lambda: "web-2" in kubectl(c, "top", "pods"), 40)
        usage = c.plane.must("GET", f"{RESOURCE}/namespaces/default/pods/web-1")["containers"][0]["usage"]
        assert usage["cpu"].endswith("n") and abs(int(usage["cpu"][:-1]) - 5e8) < 5e7, usage
        assert usage["memory"] == "256Mi", usage
        top = kubectl(c, "top", "nodes")
        assert "n1" in top and "25%" in top, top
        assert "web-1" in kubectl(c, "top", "pods", "--containers", "-l", "app=web")
        # A policy on cpu: half a core of one asked for, on each of two.
        c.edit(metrics=[{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}])
        c.condition("ScalingActive", "True", seconds=40)
        wait(lambda: c.status(), lambda: [m.get("origin") for m in c.status().get("metrics", ())] == ["kubelet"], 40)
        c.keeps(2)
        s.kubelet.cores = 1.0
        c.expect(4, 60)
        # A new operator has no usage of theirs yet, and neither has the API, which is its own: it waits for them.
        warned = warnings(c)
        c.operator.stop()
        s.operator = c.world.operator = c.operator = s.start()
        stays(f"no more warnings than {warned}", lambda: warnings(c) == warned, 15)
        c.condition("Ready", "True")
        # What is malformed is dropped whole, and what is known stays until it is too old.
        s.kubelet.broken = "node_cpu_usage_seconds_total 1 2 3 4\n"
        wait(lambda: kubectl(c, "top", "pods"), lambda: "web-1" not in kubectl(c, "top", "pods"), 60)


def fails(c, path, *words):
    """It comes to be answered with 500, all the words in its message."""
    wait(lambda: f"{path}: {values(c, path)}", lambda: (v := str(values(c, path))).startswith("500 ") and all(w in v for w in words))


@test
def serves_what_is_left_of_a_bad_prometheus(c):
    use(c, "pod_load", (2, 3))
    with serving(c), pods_of_web(c):
        good = {"web-1": "2", "web-2": "3"}
        gives(c, POD_LOAD, good)
        for rule, words in ((Rule(QUERY, 1000, status=200, body=b"<html>login</html>"), ("not JSON",)),
                            (Rule(QUERY, 1000, hold=True), ("no answer within 3s",))):
            c.source.add(rule)
            wait("Prometheus goes bad", lambda r=rule: r.hits)
            stays("the last value", lambda: values(c, POD_LOAD) == good, 2)
            fails(c, POD_LOAD, *words)
            c.source.clear()
            gives(c, POD_LOAD, good, 40)
        use(c, "pod_load", ("NaN", "+Inf"))  # zero, as the original has it; none
        gives(c, POD_LOAD, {"web-1": "0"})


@test
def rules_are_followed_in_a_configmap(c):
    configmaps = "/api/v1/namespaces/default/configmaps"
    def write(rules):
        c.plane.must("PATCH", f"{configmaps}/served", {"data": {"config.yaml": rules}}, MERGE)
    c.create(configmaps, {"metadata": {"name": "served"}, "data": {"config.yaml": RULES}})
    use(c, "pod_load", 2)
    try:
        with serving(c, rules="--rules-configmap=default/served") as s, pods_of_web(c):
            gives(c, POD_LOAD, {"web-1": "2", "web-2": "2"})
            write(RULES.replace("<<.GroupBy>>", "<<.GroupBy"))
            wait(s.operator.tail, lambda: "default/served/config.yaml:4: rules[0].metricsQuery" in s.operator.text())
            assert "default/served/config.yaml:4" in directly(s.port, "/readyz")[1]
            c.delete(f"{configmaps}/served")
            stays("the last good rules", lambda: values(c, POD_LOAD) == {"web-1": "2", "web-2": "2"}, 2)
            c.create(configmaps, {"metadata": {"name": "served"}, "data": {"config.yaml": RULES.replace("sum(", "5 * sum(")}})
            gives(c, POD_LOAD, {"web-1": "10", "web-2": "10"})
    finally:
        c.plane.api("DELETE", f"{configmaps}/served")


OF_WIDGETS = """- seriesQuery: 'widget_load{namespace!=""}'
  resources: {overrides: {namespace: {resource: namespace}, widget: {group: acme.io, resource: widget}}}
  metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)
"""


@test
def starts_with_a_rule_for_a_kind_that_has_gone(c):
    """The other rules are served; a file is refused, as prometheus-adapter does."""
    configmaps, crds = "/api/v1/namespaces/default/configmaps", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    rules = RULES.replace("externalRules:", OF_WIDGETS + "externalRules:")
    wrong = "rules[1]: line 6: resources.overrides.widget: the cluster has no resource widget in the group acme.io"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    c.create(configmaps, {"metadata": {"name": "served"}, "data": {"config.yaml": rules}})
    use(c, "pod_load", 2)
    try:
        with serving(c, rules="--rules-configmap=default/served") as s, pods_of_web(c):
            gives(c, POD_LOAD, {"web-1": "2", "web-2": "2"})
            wait(lambda: plainly(s.operator, "/readyz"),
                 lambda: f"warning: rules: default/served/config.yaml: {wrong}\n" in plainly(s.operator, "/readyz"))
            assert "\ntrimtab_rules_failing 1\n" in plainly(s.operator, "/metrics")
            c.create(crds, {"metadata": {"name": "widgets.acme.io"}, "spec": {
                "group": "acme.io", "scope": "Namespaced", "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}]}})
            wait("the rule is taken in", lambda: "\ntrimtab_rules_failing 0\n" in plainly(s.operator, "/metrics"), 60)
            assert "warning: rules" not in plainly(s.operator, "/readyz"), plainly(s.operator, "/readyz")
    finally:
        c.plane.api("DELETE", f"{crds}/widgets.acme.io")
        c.plane.api("DELETE", f"{configmaps}/served")
    wait("the kind is gone", lambda: c.plane.api("GET", "/apis/acme.io/v1")[0] == 404, 40)
    file = c.world.folder / "widget-rules.yaml"
    file.write_text(rules)
    refused = c.world.start_operator(f"refused-{len(c.world.operators)}", f"--rules={file}", "--no-kubelet-metrics")
    wait(refused.tail, lambda: refused.process.poll() == 1)
    assert f"{file}: {wrong}" in refused.text(), refused.tail()


@contextlib.contextmanager
def remote_adapter(c):
    """A prometheus-adapter that no APIService points at; the flags that name it."""
    if not c.world.adapter:
        c.world.adapter = MetricsAdapter(c.world)
    elif c.world.adapter.process.poll() is not None:
        c.world.adapter.start()
    port, ca = c.world.adapter.port, c.world.folder / "remote-ca.crt"
    def pem():
        with contextlib.suppress(OSError):
            return ssl.get_server_certificate(("127.0.0.1", port))
    made = c.world.folder / "adapter/apiserver.crt"
    wait("the remote adapter listens", pem, 40)
    ca.write_text(made.read_text())
    yield f"--remote-adapter=https://localhost:{port}", f"--remote-adapter-ca-file={ca}"


@test
def asks_who_else_has_a_metric(c):
    """What no rule of ours defines is another adapter's, and what both have is ours."""
    theirs = f"{CUSTOM}/namespaces/default/services/adapter/service_load"
    c.world.exporter.values['service_load{namespace="default",service="adapter"}'] = 90
    use(c, "pod_load", 4)
    with remote_adapter(c) as flags, serving(c, *flags) as s, pods_of_web(c):
        gives(c, theirs, {"adapter": "90"}, 60)
        gives(c, POD_LOAD, {"web-1": "4", "web-2": "4"})
        listed = [r["name"] for r in c.plane.must("GET", CUSTOM)["resources"]]
        assert "services/service_load" in listed and listed.count("pods/pod_load") == 1, listed
        c.world.adapter.stop()
        wait(lambda: values(c, theirs), lambda: str(values(c, theirs)).startswith("503 "))
        assert values(c, POD_LOAD) == {"web-1": "4", "web-2": "4"}
        c.world.adapter.start()
        gives(c, theirs, {"adapter": "90"}, 60)
        s.operator.check()


@contextlib.contextmanager
def named(c, name):
    """Operators that are started meanwhile find this name on this machine, as a cluster's DNS would tell them."""
    hosts, wrapper, real = c.world.folder / "hosts", c.world.folder / "trimtab-with-hosts", binary()
    hosts.write_text(f"127.0.0.1 localhost {name}\n")
    wrapper.write_text(f'#!/bin/sh\nmount --bind {hosts} /etc/hosts || exit 1\nexec {real} "$@"\n')
    start = c.world.folder / "trimtab-in-namespace"
    start.write_text(f'#!/bin/sh\nexec unshare --map-root-user --mount {wrapper} "$@"\n')
    for script in (wrapper, start):
        script.chmod(0o755)
    before = os.environ.get("TRIMTAB")
    os.environ["TRIMTAB"] = str(start)
    try:
        yield
    finally:
        os.environ["TRIMTAB"] = before or real


def other_authority(c):
    """PEM of an authority that has signed nothing here."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", "/CN=another", "-keyout", "/dev/null", "-out", f"{c.plane.pki}/another.crt"], check=True, capture_output=True)
    return (c.plane.pki / "another.crt").read_bytes()


@test
def verifies_the_other_adapter_by_its_apiservice(c):
    """Its certificate by the caBundle of the APIService that it still has; refused where that is another authority's."""
    theirs = f"{CUSTOM}/namespaces/default/services/adapter/service_load"
    c.world.exporter.values['service_load{namespace="default",service="adapter"}'] = 70
    use(c, "pod_load", 4)
    with remote_adapter(c), named(c, "adapter.default.svc"):
        adapter = c.world.adapter
        adapter.stop()
        c.plane.certificate("adapter", "/CN=adapter", "DNS:adapter.default.svc")
        adapter.start(f"--tls-cert-file={c.plane.pki}/adapter.crt", f"--tls-private-key-file={c.plane.pki}/adapter.key")
        with serving(c, f"--remote-adapter=default/adapter:{adapter.port}"), pods_of_web(c):
            def answers(*words):
                wait(lambda: f"{values(c, theirs)}; {c.operator.tail()}",
                     lambda: (v := str(values(c, theirs))).startswith("503 ") and all(w in v for w in words), 60)

            def bundle(pem):
                c.plane.must("PATCH", f"{APISERVICES}/{NAMES[2]}", {"spec": {
                    "caBundle": base64.b64encode(pem).decode(),
                    "service": {"namespace": "default", "name": "adapter", "port": adapter.port}}}, MERGE)
            answers("no APIService that points at default/adapter has a caBundle")
            bundle(other_authority(c))
            answers("certificate")
            bundle((c.plane.pki / "ca.crt").read_bytes())
            gives(c, theirs, {"adapter": "70"}, 60)
            bundle(other_authority(c))
            answers("certificate")
            assert values(c, POD_LOAD) == {"web-1": "4", "web-2": "4"}
        adapter.stop()
        adapter.start()


@test
def serves_until_it_has_stopped(c):
    """A request that waits when SIGTERM comes is answered, and nobody new is let in."""
    use(c, "pod_load", 6)
    who = c.plane.pki / "admin.crt", c.plane.pki / "admin.key"
    with serving(c) as s, pods_of_web(c):
        wait("the metric is listed", lambda: "pods/pod_load" in json.dumps(c.plane.api("GET", CUSTOM)[1]))
        held = c.source.add(Rule(QUERY, delay=2, saying="pod_load"))  # and not what the policy asks all the time
        answers = []
        asking = threading.Thread(target=lambda: answers.append(directly(s.port, POD_LOAD, who=who)))
        asking.start()
        wait("Prometheus has been asked", lambda: held.hits)
        code = s.operator.stop()
        asking.join(20)
        assert code == 0, code
        assert [(status, len(answer["items"])) for status, answer in answers] == [(200, 2)], answers
        s.operator = c.world.operator = c.operator = s.start()
        s.available()


@test
def says_who_is_asked_in_its_place(c):
    """Also where no APIService is its own to write, and as soon as one changes hands."""
    def owner(name):
        return re.findall(rf'^trimtab_apiservice_owner{{apiservice="{name}",expected="(\w+)",owner="(\w+)"}} 1$',
                          plainly(other, "/metrics"), re.M)
    with serving(c):
        rules = c.world.folder / "other-rules.yaml"
        rules.write_text(RULES)
        other = c.world.start_operator(f"other-{len(c.world.operators)}", f"--secure-port={free_port()}", "--bind-address=127.0.0.1",
                                       "--service=default/other", f"--rules={rules}", "--no-kubelet-metrics")
        try:
            wait(other.tail, lambda: [owner(n) for n in NAMES] == [[("true", "other")]] * 3 + [[("false", "other")]])
            said = f"APIService {NAMES[0]} points at "
            wait(lambda: plainly(other, "/readyz"), lambda: plainly(other, "/readyz").startswith("ok\n"))
            assert plainly(other, "/readyz").count("warning: APIService") == 3, plainly(other, "/readyz")
            c.plane.must("PATCH", f"{APISERVICES}/{NAMES[0]}", {"spec": {"service": {"name": "other"}}}, MERGE)
            wait(other.tail, lambda: owner(NAMES[0]) == [("true", "us")])
            assert said not in plainly(other, "/readyz"), plainly(other, "/readyz")
            # The one that it was taken from says so, and does not fight.
            wait(c.operator.tail, lambda: f"warning: {said}default/other\n" in plainly(c.operator, "/readyz"))
            c.plane.must("PATCH", f"{APISERVICES}/{NAMES[0]}", {"spec": {"service": {"name": "trimtab"}}}, MERGE)
            wait(other.tail, lambda: owner(NAMES[0]) == [("true", "other")])
            lines = [line for line in other.text().splitlines() if f"{said}default/trimtab" in line]
            assert len(lines) == 2, f"once for each time that it is another's: {lines}"
        finally:
            code = other.stop()
        assert code == 0, code


@test
def serves_beside_another_operator(c):
    with serving(c) as s:
        other = c.world.start_operator(f"other-{len(c.world.operators)}", f"--secure-port={free_port()}", "--bind-address=127.0.0.1",
                                       "--service=default/other", f"--manage-apiservices={','.join(NAMES)}", "--no-kubelet-metrics")
        try:
            wait(other.tail, lambda: all(f"APIService {n} points at default/trimtab" in other.text() for n in NAMES))
            assert all(f"warning: APIService {n} points at default/trimtab\n" in plainly(other, "/readyz") for n in NAMES)
            bundle = c.plane.must("GET", f"{APISERVICES}/{NAMES[0]}")["spec"]["caBundle"]
            ours = c.plane.must("GET", f"{SECRETS}/trimtab-cert")["data"]["ca.crt"]
            assert base64.b64decode(bundle) == base64.b64decode(ours), "the other operator has put its authority there"
        finally:
            code = other.stop()
        assert code == 0, code
        s.operator.check()
