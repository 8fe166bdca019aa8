"""What stands around what is measured: a control plane with KWOK nodes, an application whose load is set, Prometheus, the operator.
Everything is on loopback, on ports chosen at start, and ended by `Lab.close`.
"""
import atexit
import base64
import http.client
import http.server
import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.request

import processes
import report
from processes import ROOT

POLICIES = "/apis/autoscaling.trimtab.dev/v1"
PER_TXN = 100  # puts in one request to etcd


def get(url, timeout=10):
    with urllib.request.urlopen(url, timeout=timeout) as reply:
        return reply.read().decode()


def wait_for(what, check, seconds=60, every=0.1):
    """Waits until check() is true and returns its value; tells what did not come about."""
    end = time.time() + seconds
    while time.time() < end:
        try:
            value = check()
            if value:
                return value
        except OSError:
            pass
        time.sleep(every)
    raise SystemExit(f"gave up after {seconds} s: {what}")


class Kube:
    """A minimal client with the client certificate of a kubeconfig."""

    def __init__(self, kubeconfig, agent="bench"):
        with open(kubeconfig, encoding="utf-8") as f:
            text = f.read()

        def field(name):
            return base64.b64decode(re.search(name + r": (\S+)", text).group(1))

        self.agent = agent
        self.context = ssl.create_default_context(cadata=field("certificate-authority-data").decode())
        with tempfile.NamedTemporaryFile(delete=False) as f:
            f.write(field("client-certificate-data") + b"\n" + field("client-key-data"))
        self.context.load_cert_chain(f.name)
        os.unlink(f.name)
        self.host, port = re.search(r"server: https://([^:\s]+):(\d+)", text).groups()
        self.port = int(port)
        self.connection = self.connect()

    def connect(self):
        return http.client.HTTPSConnection(self.host, self.port, context=self.context)

    def send(self, method, path, body, kind):
        data = json.dumps(body) if body is not None else None
        self.connection.request(method, path, data, {"Content-Type": kind, "User-Agent": self.agent})
        return self.connection.getresponse()

    def request(self, method, path, body=None, kind="application/json"):
        try:
            reply = self.send(method, path, body, kind)
        except (http.client.RemoteDisconnected, BrokenPipeError):  # nobody had asked for long
            self.connection = self.connect()
            reply = self.send(method, path, body, kind)
        text = reply.read()
        return reply.status, (json.loads(text) if text[:1] == b"{" else text.decode())

    def create(self, path, body):
        status, reply = self.request("POST", path, body)
        if status not in (200, 201, 409):
            raise SystemExit(f"POST {path}: {status} {str(reply)[:400]}")

    def watch(self, path):
        connection = self.connect()
        connection.request("GET", path, headers={"User-Agent": self.agent})
        reply = connection.getresponse()
        while True:
            line = reply.readline()
            if not line:
                return
            yield json.loads(line)


class Application:
    """Counters of request for every ready pod of a namespace (label app), with a load per app that can be set; in one exposition, as
    if every pod had been scraped at the same moment. `group` is the number at the end of an app's name modulo `groups`."""

    def __init__(self, kubeconfig, namespace, groups=10, poll=0.2, default_rps=0.0):
        self.kube = Kube(kubeconfig, "bench-load")
        self.namespace, self.groups, self.poll = namespace, groups, poll
        self.lock, self.total, self.ready, self.rps = threading.Lock(), {}, {}, {}
        self.default_rps, self.last = default_rps, time.time()
        app = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                body = app.exposition().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        path = f"/api/v1/namespaces/{self.namespace}/pods?resourceVersion=0"
        while True:
            try:
                _, pods = self.kube.request("GET", path)
                ready = {}
                for p in pods["items"]:
                    conditions = p["status"].get("conditions", [])
                    if not p["metadata"].get("deletionTimestamp") and any(
                        c["type"] == "Ready" and c["status"] == "True" for c in conditions
                    ):
                        ready.setdefault(p["metadata"].get("labels", {}).get("app", ""), []).append(p["metadata"]["name"])
                with self.lock:
                    self.advance()
                    self.ready = ready
            except (OSError, KeyError, TypeError, http.client.HTTPException):
                self.kube.connection = self.kube.connect()
            time.sleep(self.poll)

    def advance(self):
        now = time.time()
        passed, self.last = now - self.last, now
        for name, pods in self.ready.items():
            share = self.rps.get(name, self.default_rps) * passed / len(pods)
            for pod in pods:
                self.total[pod] = self.total.get(pod, 0.0) + share

    def set(self, rps, name=None):
        """Sets one app's load, or all apps'; returns the time at which it took effect."""
        with self.lock:
            self.advance()
            if name:
                self.rps[name] = rps
            else:
                self.default_rps = rps
                self.rps.clear()
            return time.time()

    def group(self, name):
        number = re.search(r"(\d+)$", name)
        return int(number.group(1)) % self.groups if number else 0

    def exposition(self):
        with self.lock:
            self.advance()
            lines = ["# TYPE http_requests_total counter"]
            for name, pods in sorted(self.ready.items()):
                labels = f'namespace="{self.namespace}",app="{name}",group="{self.group(name)}"'
                lines += [f'http_requests_total{{{labels},pod="{p}"}} {self.total.get(p, 0.0):.3f}' for p in pods]
            return "\n".join(lines) + "\n"


class Lab:
    """A control plane with KWOK nodes and the parts a bench asks for. Use as a context manager.
    controllers=False: an API server and etcd alone. audit: the rules of an audit policy, whose log is `self.audit`."""

    def __init__(self, nodes=4, audit="", controllers=True):
        self.dir = tempfile.mkdtemp(prefix="trimtab-bench-")
        self.processes, self.closed = [], False
        self.script = os.path.join(ROOT, "e2e", "cluster", "control-plane.sh")
        atexit.register(self.close)  # also where a signal comes before `with` has begun
        env = dict(os.environ)
        if audit:
            policy = os.path.join(self.dir, "audit.yaml")
            with open(policy, "w", encoding="ascii") as f:
                f.write(f"apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{audit}]\n")
            self.audit = os.path.join(self.dir, "audit.json")
            env["APISERVER_EXTRA"] = f"--audit-policy-file={policy} --audit-log-path={self.audit} --audit-log-mode=blocking"
        report.say("starting a control plane")
        parts = ["--nodes", str(nodes)] if controllers else ["--no-kcm"]
        processes.call([self.script, "up", self.dir, *parts], env=env)
        self.kubeconfig = os.path.join(self.dir, "admin.kubeconfig")
        self.kube = Kube(self.kubeconfig)
        self.kubectl("apply", "-f", os.path.join(ROOT, "crds"))
        wait_for("policies are served", lambda: self.kube.request("GET", POLICIES + "/autoscalingpolicies")[0] == 200)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with processes.held():
            if self.closed:
                return
            self.closed = True
            for p in reversed(self.processes):
                p.stop()
            processes.call([self.script, "down", self.dir], check=False)
            processes.kill_in(self.dir)
            if not os.environ.get("KEEP"):
                shutil.rmtree(self.dir, ignore_errors=True)

    def kubectl(self, *args, stdin=None):
        return processes.call(["kubectl", "--kubeconfig", self.kubeconfig, *args], stdin=stdin, stderr=subprocess.PIPE).stdout

    def certificate(self, name, subject, usage):
        """A certificate of the cluster's authority, for a user (usage clientAuth) or a server on 127.0.0.1 (serverAuth): its file and
        that of its key."""
        pki, path = os.path.join(self.dir, "pki"), os.path.join(self.dir, name)
        with open(path + ".ext", "w", encoding="ascii") as f:
            f.write(f"subjectAltName=IP:127.0.0.1\nextendedKeyUsage={usage}\n")
        request = subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                                  path + ".key", "-subj", subject], check=True, capture_output=True).stdout
        subprocess.run(["openssl", "x509", "-req", "-CA", f"{pki}/ca.crt", "-CAkey", f"{pki}/ca.key", "-out", path + ".crt", "-days", "2",
                        "-set_serial", str(time.time_ns()), "-extfile", path + ".ext"], input=request, check=True, capture_output=True)
        return path + ".crt", path + ".key"

    def kubeconfig_of(self, user):
        """A kubeconfig for an administrator of this name, whom an audit tells from the bench itself."""
        with open(self.kubeconfig, encoding="ascii") as f:
            text = f.read()
        for field, file in zip(("certificate", "key"), self.certificate(user, f"/O=system:masters/CN={user}", "clientAuth")):
            text = re.sub(f"client-{field}-data: \\S+", f"client-{field}: {file}", text)
        path = os.path.join(self.dir, user + ".kubeconfig")
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path

    def put_all(self, objects, last=()):
        """Straight into etcd: pairs of a key and an object, which the API server reads as JSON. What is put in one transaction has one
        version, and a watch that begins amidst it would miss the rest: so this waits until the API server has seen the paths in last."""
        with open(os.path.join(self.dir, "ports"), encoding="ascii") as f:
            port = int(dict(line.strip().split("=") for line in f)["etcd_port"])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

        def text(value):
            return base64.b64encode(value.encode()).decode()

        for at in range(0, len(objects), PER_TXN):
            puts = [{"requestPut": {"key": text("/registry/" + key), "value": text(json.dumps(o))}} for key, o in objects[at:at + PER_TXN]]
            connection.request("POST", "/v3/kv/txn", json.dumps({"success": puts}))
            reply = connection.getresponse()
            body = reply.read()
            if reply.status != 200:
                raise SystemExit(f"etcd: {reply.status} {body[:400]}")
        for path in last:
            wait_for(f"{path} is in the watch cache", lambda path=path: self.kube.request("GET", path + "?resourceVersion=0")[0] == 200)

    def start(self, name, argv, env=None):
        with processes.held():
            p = processes.Process(argv, os.path.join(self.dir, name + ".log"), env)
            self.processes.append(p)
        return p

    def prometheus(self, target_port, interval="1s", query_log=""):
        """A Prometheus that scrapes one target; returns its URL. query_log: a file for every query that it is sent."""
        port = processes.free_port()
        logged = f", query_log_file: {query_log}" if query_log else ""
        config = os.path.join(self.dir, "prometheus.yml")
        with open(config, "w", encoding="ascii") as f:
            f.write(
                f"global: {{scrape_interval: {interval}{logged}}}\nscrape_configs: [{{job_name: app, honor_labels: true, "
                f'static_configs: [{{targets: ["127.0.0.1:{target_port}"]}}]}}]\n'
            )
        self.prometheus_process = self.start("prometheus", [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.dir}/prometheus-data",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
        ])
        url = f"http://127.0.0.1:{port}"
        wait_for("Prometheus is ready", lambda: "Ready" in get(url + "/-/ready"))
        return url

    def operator(self, prometheus_url, *flags):
        """The operator as a process; returns it and the URL of its HTTP port."""
        port = processes.free_port()
        p = self.start("trimtab", [processes.trimtab(), "run", "--kubeconfig", self.kubeconfig, "--prometheus-url", prometheus_url,
                                   "--http-port", str(port), "--secure-port=0", "--no-kubelet-metrics", *flags])
        url = f"http://127.0.0.1:{port}"
        wait_for("trimtab is ready", lambda: get(url + "/readyz").startswith("ok"))
        return p, url

    def create_all(self, path, objects, threads=4):
        """Creates objects from several connections at once."""
        def work(k):
            kube = Kube(self.kubeconfig)
            for o in objects[k::threads]:
                kube.create(path, o)
        running = [threading.Thread(target=work, args=(k,), daemon=True) for k in range(threads)]
        for t in running:
            t.start()
        for t in running:
            t.join()


def metrics(url):
    """The samples of an exposition by name with labels."""
    found = {}
    for line in get(url).splitlines():
        if line and line[0] != "#":
            name, value = line.rsplit(" ", 1)
            found[name] = float(value)
    return found


def deployment(name, namespace, replicas=1):
    template = {"metadata": {"labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "x"}]}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}}


def policy(name, namespace, query, target="100", maximum=10, behavior=None, interval=None):
    metric = {"type": "Prometheus", "prometheus": {"query": query, "target": {"type": "AverageValue", "averageValue": target}}}
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "minReplicas": 1,
            "maxReplicas": maximum, "metrics": [metric]}
    if behavior:
        spec["behavior"] = behavior
    if interval:
        spec["interval"] = interval
    return {"apiVersion": "autoscaling.trimtab.dev/v1", "kind": "AutoscalingPolicy",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec}
