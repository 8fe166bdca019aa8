"""A real prometheus-adapter that serves the three metrics APIs of the faults' apiserver, out of the faults' Prometheus."""

import subprocess

from world import ROOT, free_port, wait

GROUPS = ("metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io")
APISERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
RULES = """
rules:
- seriesQuery: 'pod_load{namespace!="",pod!=""}'
  resources: {overrides: {namespace: {resource: namespace}, pod: {resource: pod}}}
  metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)
- seriesQuery: 'service_load{namespace!="",service!=""}'
  resources: {overrides: {namespace: {resource: namespace}, service: {resource: service}}}
  metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)
externalRules:
- seriesQuery: 'queue_length{namespace!=""}'
  resources: {overrides: {namespace: {resource: namespace}}}
  metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>}) by (queue)
resourceRules:
  window: 30s
  cpu: &rule
    containerQuery: sum(used_cpu{<<.LabelMatchers>>}) by (<<.GroupBy>>)
    nodeQuery: sum(used_cpu{<<.LabelMatchers>>}) by (<<.GroupBy>>)
    resources: {overrides: {namespace: {resource: namespace}, pod: {resource: pod}, node: {resource: node}}}
    containerLabel: container
  memory:
    <<: *rule
    containerQuery: sum(used_memory{<<.LabelMatchers>>}) by (<<.GroupBy>>)
    nodeQuery: sum(used_memory{<<.LabelMatchers>>}) by (<<.GroupBy>>)
"""


class MetricsAdapter:
    def __init__(self, world):
        self.world, self.plane = world, world.plane
        self.binary = subprocess.run([str(ROOT / "e2e/bench/peers/build.sh"), "prometheus-adapter"], check=True,
                                     stdout=subprocess.PIPE, text=True).stdout.strip()
        self.port = free_port()
        (world.folder / "rules.yaml").write_text(RULES)
        self.plane.must("POST", "/api/v1/namespaces/default/services",
                        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "adapter"},
                         "spec": {"type": "ExternalName", "externalName": "localhost"}})
        self.start()

    def start(self, *flags):
        """Without flags it serves with a certificate that it makes and signs itself, for localhost."""
        config = str(self.plane.folder / "admin.kubeconfig")
        with (self.world.folder / "adapter.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, f"--secure-port={self.port}", f"--cert-dir={self.world.folder}/adapter",
                 f"--config={self.world.folder}/rules.yaml", "--bind-address=127.0.0.1",
                 f"--prometheus-url=http://127.0.0.1:{self.world.prometheus.port}", "--metrics-relist-interval=1s",
                 "--metrics-max-age=1m", f"--lister-kubeconfig={config}", f"--authentication-kubeconfig={config}",
                 f"--authorization-kubeconfig={config}", *flags], stdout=log, stderr=log)

    def register(self):
        for group in GROUPS:
            self.plane.api("POST", APISERVICES, {
                "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": f"v1beta1.{group}"},
                "spec": {"group": group, "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
                         "insecureSkipTLSVerify": True,
                         "service": {"name": "adapter", "namespace": "default", "port": self.port}}})
        wait("the metrics APIs answer", lambda: all(
            self.plane.api("GET", f"/apis/{group}/v1beta1")[0] == 200 for group in GROUPS), 60)

    def forget(self):
        for group in GROUPS:
            self.plane.api("DELETE", f"{APISERVICES}/v1beta1.{group}")

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
