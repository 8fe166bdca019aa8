"""What the benches share: a control plane with KWOK nodes, an application whose load is set, Prometheus, the operator, and how a
process is measured. Everything is on loopback, on ports chosen at start, and ended by `Lab.close`.
"""
import base64
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TICK = os.sysconf("SC_CLK_TCK")
POLICIES = "/apis/autoscaling.trimtab.dev/v1"
PER_TXN = 100  # puts in one request to etcd


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def emit(bench, **fields):
    """One result, as a line of JSON on standard output."""
    print(json.dumps({"bench": bench, **fields}), flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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


def process_times(argv, runs=50, status=0):
    """Milliseconds from spawn to exit of a program that must exit with `status`, and those of them that it had a processor: the
    medians. Spawned without Python's subprocess module, which takes a millisecond of its own."""
    null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
    wall, cpu = [], []
    for _ in range(runs):
        begun = time.perf_counter()
        _, wait, used = os.wait4(os.posix_spawn(argv[0], argv, os.environ, file_actions=null), 0)
        wall.append((time.perf_counter() - begun) * 1000)
        cpu.append((used.ru_utime + used.ru_stime) * 1000)
        if os.waitstatus_to_exitcode(wait) != status:
            raise SystemExit(f"{' '.join(argv)}: exit code {os.waitstatus_to_exitcode(wait)}")
    return statistics.median(wall), statistics.median(cpu)


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

    def request(self, method, path, body=None, kind="application/json"):
        data = json.dumps(body) if body is not None else None
        self.connection.request(method, path, data, {"Content-Type": kind, "User-Agent": self.agent})
        reply = self.connection.getresponse()
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


class Process:
    """A process of the bench, measured through /proc."""

    def __init__(self, argv, log, env=None):
        with open(log, "wb") as out:
            self.popen = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, env=env, start_new_session=True)
        self.pid = self.popen.pid
        self.log = log

    def cpu(self):
        """Seconds of processor time so far."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self, field="VmRSS"):
        """Resident MiB now, or at its peak with VmHWM."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            return int(re.search(field + r":\s+(\d+)", f.read()).group(1)) / 1024

    def stop(self):
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(10)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()


class Lab:
    """A control plane with KWOK nodes and the parts a bench asks for. Use as a context manager.
    controllers=False: an API server and etcd alone. audit: the rules of an audit policy, whose log is `self.audit`."""

    def __init__(self, nodes=4, audit="", controllers=True):
        self.dir = tempfile.mkdtemp(prefix="trimtab-bench-")
        self.processes = []
        env = dict(os.environ)
        if audit:
            policy = os.path.join(self.dir, "audit.yaml")
            with open(policy, "w", encoding="ascii") as f:
                f.write(f"apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{audit}]\n")
            self.audit = os.path.join(self.dir, "audit.json")
            env["APISERVER_EXTRA"] = f"--audit-policy-file={policy} --audit-log-path={self.audit} --audit-log-mode=blocking"
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        say("starting a control plane")
        self.script = os.path.join(ROOT, "e2e", "cluster", "control-plane.sh")
        try:
            parts = ["--nodes", str(nodes)] if controllers else ["--no-kcm"]
            subprocess.run([self.script, "up", self.dir, *parts], check=True, env=env, stdout=subprocess.DEVNULL)
            self.kubeconfig = os.path.join(self.dir, "admin.kubeconfig")
            self.kube = Kube(self.kubeconfig)
            self.kubectl("apply", "-f", os.path.join(ROOT, "crds", "autoscalingpolicies.yaml"))
            wait_for("policies are served", lambda: self.kube.request("GET", POLICIES + "/autoscalingpolicies")[0] == 200)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # whoever is impatient leaves nothing behind
        for p in reversed(self.processes):
            p.stop()
        subprocess.run([self.script, "down", self.dir], check=False, stdout=subprocess.DEVNULL)
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def kubectl(self, *args, stdin=None):
        done = subprocess.run(["kubectl", "--kubeconfig", self.kubeconfig, *args], input=stdin, text=True, capture_output=True, check=False)
        if done.returncode:
            raise SystemExit(f"kubectl {' '.join(args)}: {done.stderr}")
        return done.stdout

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
        p = Process(argv, os.path.join(self.dir, name + ".log"), env)
        self.processes.append(p)
        return p

    def prometheus(self, target_port, interval="1s", query_log=""):
        """A Prometheus that scrapes one target; returns its URL. query_log: a file for every query that it is sent."""
        port = free_port()
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
        binary = os.environ.get("TRIMTAB", os.path.join(ROOT, "build", "release", "trimtab"))
        port = free_port()
        p = self.start("trimtab", [binary, "run", "--kubeconfig", self.kubeconfig, "--prometheus-url", prometheus_url,
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
        running = [threading.Thread(target=work, args=(k,)) for k in range(threads)]
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
