"""Who serves metrics.k8s.io from the kubelets of a fleet: the operator, and metrics-server. Both get the flags of metrics-server's own
manifest, with the scrape interval that it has there, and verify the kubelets' certificates by the cluster's authority.
"""
import datetime
import http.client
import json
import os
import ssl
import statistics
import time

import lab
import processes

RESOLUTION = 15
GROUP = "metrics.k8s.io"
PODS = f"/apis/{GROUP}/v1beta1/pods"
NAMES = ("trimtab", "metrics-server")
KUBELETS = (f"--metric-resolution={RESOLUTION}s", "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
            "--kubelet-use-node-status-port")


class Server:
    """One of them, from its start to its end."""

    def __init__(self, world, name):
        self.world, self.name, self.port = world, name, processes.free_port()
        config = world.kubeconfig
        common = [f"--kubeconfig={config}", f"--secure-port={self.port}", "--bind-address=127.0.0.1",
                  f"--cert-dir={os.path.join(world.dir, name)}-certs", f"--client-ca-file={world.dir}/pki/ca.crt", *KUBELETS]
        if name == "trimtab":
            argv = [processes.trimtab(), "run", f"--http-port={processes.free_port()}", *common]
        else:
            argv = [processes.peer(name), f"--authentication-kubeconfig={config}", f"--authorization-kubeconfig={config}", *common]
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE  # both make their certificate themselves
        self.context.load_cert_chain(f"{world.dir}/pki/admin.crt", f"{world.dir}/pki/admin.key")
        self.connection = None
        self.process = world.start(name, argv)

    def connect(self):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=60)
        connection.connect()
        return connection

    def items(self, path):
        """What a list has, over one connection that is kept; nothing where it is refused."""
        self.process.alive()
        try:
            self.connection = self.connection or self.connect()
            self.connection.request("GET", path)
            reply = self.connection.getresponse()
            body = reply.read()
        except (OSError, http.client.HTTPException):
            self.connection = None
            return []
        return json.loads(body)["items"] if reply.status == 200 else []

    def wait(self, nodes):
        """Until it gives usage of all nodes, and with them of their pods; how long that took."""
        begun = time.monotonic()
        lab.wait_for(f"{self.name} gives all nodes", lambda: len(self.items(f"/apis/{GROUP}/v1beta1/nodes")) == nodes, 300, 0.5)
        return time.monotonic() - begun

    def all_pods(self, accept="application/json"):
        """A request for all pods on a new connection that is made before."""
        connection = self.connect()
        begun, asked = time.monotonic(), time.time()
        connection.request("GET", PODS, headers={"Accept": accept})
        reply = connection.getresponse()
        body = reply.read()
        seconds = time.monotonic() - begun
        connection.close()
        if reply.status != 200:
            raise SystemExit(f"{self.name}: {reply.status} {body[:400]}")
        answer = json.loads(body)
        found = {"seconds": seconds, "bytes": len(body), "pods": len(answer["items" if "items" in answer else "rows"])}
        if "items" in answer:
            found["age_seconds"] = asked - statistics.median(moment(i["timestamp"]) for i in answer["items"])
        return found

    def register(self):
        """Lets the aggregator of the API server ask this one; waits until it does."""
        name = f"v1beta1.{GROUP}"
        service = {"name": self.name, "namespace": "default", "port": self.port}
        self.world.kube.create("/api/v1/namespaces/default/services",
                               {"metadata": {"name": self.name}, "spec": {"type": "ExternalName", "externalName": "localhost"}})
        self.world.kube.request("DELETE", f"/apis/apiregistration.k8s.io/v1/apiservices/{name}")
        lab.wait_for("nobody is asked", lambda: self.world.kube.request("GET", PODS)[0] != 200)
        self.world.kube.create("/apis/apiregistration.k8s.io/v1/apiservices", {"metadata": {"name": name}, "spec": {
            "group": GROUP, "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": True,
            "service": service}})
        lab.wait_for(f"the aggregator has pods from {self.name}", lambda: self.world.kube.request("GET", PODS)[0] == 200)


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
