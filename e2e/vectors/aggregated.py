"""The same server behind the aggregator: what the apiserver makes of its discovery and OpenAPI, and what kubectl makes of that."""

import subprocess

from world import wait

SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
VERSIONS = (("custom.metrics.k8s.io", "v1beta1"), ("custom.metrics.k8s.io", "v1beta2"), ("external.metrics.k8s.io", "v1beta1"),
            ("metrics.k8s.io", "v1beta1"))


def service(group, version, port):
    return {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": f"{version}.{group}"},
            "spec": {"group": group, "version": version, "groupPriorityMinimum": 100,
                     "versionPriority": 200 if version == "v1beta2" else 100, "insecureSkipTLSVerify": True,
                     "service": {"name": "server", "namespace": "default", "port": port}}}


class Aggregated:
    """An apiserver that knows the server of a case by APIServices."""

    def __init__(self, plane, port):
        self.plane = plane
        plane.must("POST", "/api/v1/namespaces/default/services",
                   {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "server"},
                    "spec": {"type": "ExternalName", "externalName": "localhost"}})
        for group, version in VERSIONS:
            plane.must("POST", SERVICES, service(group, version, port))
        for group, version in VERSIONS:
            wait(lambda g=group, v=version: f"{g}/{v} is available: {self.said(g, v)}",
                 lambda g=group, v=version: "'True'" in self.said(g, v) and plane.api("GET", f"/apis/{g}/{v}")[0] == 200, 40)

    def said(self, group, version):
        status = self.plane.api("GET", f"{SERVICES}/{version}.{group}")[1].get("status", {})
        return str([(c["type"], c["status"], c.get("message")) for c in status.get("conditions", ())])

    def kubectl(self, *words):
        run = subprocess.run(["kubectl", f"--kubeconfig={self.plane.folder}/admin.kubeconfig",
                              f"--cache-dir={self.plane.folder}/kubectl-cache", *words], capture_output=True, text=True, check=False)
        return run.stdout + run.stderr

    def close(self):
        for group, version in VERSIONS:
            self.plane.api("DELETE", f"{SERVICES}/{version}.{group}")
        self.plane.api("DELETE", "/api/v1/namespaces/default/services/server")


def definitions(side):
    return side.plane.api("GET", "/openapi/v2")[1].get("definitions", {})


def kubectl_says(side):
    """Words of kubectl, and what must be in its answer."""
    return (
        (("api-versions",), [f"{g}/{v}" for g, v in VERSIONS]),
        (("api-resources", "--api-group=metrics.k8s.io", "--no-headers"),
         ["nodes", "NodeMetrics", "pods", "PodMetrics", "true", "false"]),
        (("explain", "pods", "--api-version=metrics.k8s.io/v1beta1"), ["PodMetrics", "containers", "window"]),
        (("explain", "nodes.usage", "--api-version=metrics.k8s.io/v1beta1"), ["usage", "map[string]"]),
        (("get", "--raw", "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/queue_depth"), ['"web-3"', '"250m"']),
        (("get", "--raw", "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/free_slots"), ['"free_slots"', '"8"']),
        (("get", "pods.metrics.k8s.io", "--all-namespaces"), ["NAME", "CPU", "MEMORY", "WINDOW", "api-0", "2m30s"]),
        (("top", "nodes"), ["node-a", "3250m", "8192Mi"]),
        (("top", "pods", "-n", "shop", "--containers"), ["web-1", "log", "250m", "128Mi"]),
        (("get", "--raw", "/apis/custom.metrics.k8s.io/v1beta2"), ['"pods/queue_depth"', '"namespaces/queue_depth"']),
    )


def preferred(side):
    groups = side.plane.api("GET", "/apis")[1]["groups"]
    return {g["name"]: g["preferredVersion"]["version"] for g in groups}.get("custom.metrics.k8s.io")


def check(plane, port):
    """What is wrong with it."""
    side = Aggregated(plane, port)
    wrong = []
    try:
        if preferred(side) != "v1beta2":
            wrong.append(f"the preferred version of the custom metrics is {preferred(side)}")
        wait("kubectl finds the resources", lambda: "PodMetrics" in side.kubectl("api-resources"), 40)
        # The apiserver gathers discovery and OpenAPI of others each at its own time.
        for words, wanted in kubectl_says(side):
            wait(lambda words=words, wanted=wanted: f"kubectl {' '.join(words)} has {wanted}: {side.kubectl(*words)[-300:]}",
                 lambda words=words, wanted=wanted: all(map(side.kubectl(*words).__contains__, wanted)), 40)
        wait(lambda: f"PodMetrics in {len(definitions(side))} definitions of OpenAPI v2",
             lambda: "io.k8s.metrics.pkg.apis.metrics.v1beta1.PodMetrics" in definitions(side), 60)
    except AssertionError as error:
        wrong.append(str(error))
    finally:
        side.close()
    return wrong
