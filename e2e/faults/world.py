"""What the fault tests stand on: a control plane, Prometheus, a metric that a test sets, and the operator."""

import base64
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import re
import signal
import ssl
import subprocess
import threading
import time

import proxy

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GROUP = "/apis/autoscaling.trimtab.dev/v1"
MERGE = "application/merge-patch+json"


def patience():
    """How many times longer than on an idle machine things may take: they share its cores with whatever else runs."""
    return min(4.0, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))


def wait(what, function, seconds=20, every=0.1):
    """Until function gives something true, which is returned. It may take seconds on an idle machine; who waits for what
    comes loses nothing by waiting longer, so that a machine that stalls for a while fails no test."""
    seconds = min(max(60, round(seconds * patience())), 150)
    end = time.monotonic() + seconds
    while True:
        last = function()
        if last:
            return last
        if time.monotonic() > end:
            said = what() if callable(what) else what
            raise AssertionError(f"not within {seconds} s: {said}")
        time.sleep(every)


def stays(what, function, seconds):
    """Function must stay true for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert function(), f"did not stay: {what() if callable(what) else what}"
        time.sleep(0.1)


class Exporter:
    """A metric `load`, set by the test, and `several` with two elements; scraped by the real Prometheus."""

    def __init__(self):
        self.values = {"load": 0, 'several{part="a"}': 20, 'several{part="b"}': 10}
        exporter = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                text = "".join(f"{k} {v}\n" for k, v in exporter.values.items()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # Prometheus was stopped in the middle of a scrape

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class ControlPlane:
    """etcd and apiserver, and a small stand-in for the deployment controller that lets status follow spec."""

    script = str(ROOT / "e2e/cluster/control-plane.sh")

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        subprocess.run([self.script, "up", folder, "--no-kcm"], check=True, stdout=subprocess.DEVNULL)
        ports = dict(line.split("=") for line in (self.folder / "ports").read_text().split())
        self.port = int(ports["apiserver_port"])
        self.pki = self.folder / "pki"
        self.tls = self.client_tls("admin")
        self.stopping = threading.Event()
        self.follower = threading.Thread(target=self.follow, daemon=True)
        self.follower.start()

    def close(self):
        self.stopping.set()
        self.follower.join(5)
        subprocess.run([self.script, "down", str(self.folder)], check=False)

    def process(self, verb, name):
        subprocess.run([self.script, verb, str(self.folder), name], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def client_tls(self, user):
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        context.check_hostname = False
        context.load_cert_chain(self.pki / f"{user}.crt", self.pki / f"{user}.key")
        return context

    def certificate(self, name, subject, san="IP:127.0.0.1"):
        """One more certificate of the cluster's authority: a user's, or a server's."""
        key, crt, ext = (str(self.pki / f"{name}.{suffix}") for suffix in ("key", "crt", "ext"))
        pathlib.Path(ext).write_text(f"subjectAltName={san}\nextendedKeyUsage=serverAuth,clientAuth\n")
        request = subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                                  key, "-subj", subject], check=True, capture_output=True).stdout
        subprocess.run(["openssl", "x509", "-req", "-CA", str(self.pki / "ca.crt"), "-CAkey", str(self.pki / "ca.key"), "-out",
                        crt, "-days", "30", "-set_serial", str(time.time_ns()), "-extfile", ext], input=request, check=True,
                       capture_output=True)

    def server_tls(self):
        self.certificate("proxy", "/CN=proxy")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pki / "proxy.crt", self.pki / "proxy.key")
        return context

    def kubeconfig(self, name, port, user="admin"):
        """A kubeconfig for this port with the certificate of user. The proxy asks for none and is the administrator."""
        def data(file):
            return base64.b64encode((self.pki / file).read_bytes()).decode()
        who = {"client-certificate-data": data(f"{user}.crt"), "client-key-data": data(f"{user}.key")}
        path = self.folder / f"{name}.kubeconfig"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{port}",
                                                   "certificate-authority-data": data("ca.crt")}}],
            "users": [{"name": "u", "user": who}], "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}))
        return str(path)

    def api(self, method, path, body=None, kind="application/json"):
        """One request as the administrator: status and JSON."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": kind})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text[:1] == b"{" else {}

    def must(self, method, path, body=None, kind="application/json"):
        status, answer = self.api(method, path, body, kind)
        assert status < 300, f"{method} {path}: {status} {answer.get('message')}"
        return answer

    def install_crds(self):
        subprocess.run(["kubectl", "--kubeconfig", str(self.folder / "admin.kubeconfig"), "apply", "-f", str(ROOT / "crds")],
                       check=True, stdout=subprocess.DEVNULL)
        wait("the CRD is served", lambda: self.api("GET", GROUP + "/autoscalingpolicies")[0] == 200, 30)

    def follow(self):
        """Sets status.replicas of every Deployment to its spec.replicas, as its controller would once its pods run."""
        while not self.stopping.wait(0.2):
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                for d in self.api("GET", "/apis/apps/v1/deployments")[1].get("items", ()):
                    wanted = d["spec"]["replicas"]
                    if d.get("status", {}).get("replicas", 0) != wanted:
                        path = f"/apis/apps/v1/namespaces/{d['metadata']['namespace']}/deployments/{d['metadata']['name']}"
                        self.api("PATCH", path + "/status", {"status": {"replicas": wanted}}, MERGE)


class Prometheus:
    def __init__(self, folder, exporter_port, config=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        (self.folder / "prometheus.yml").write_text(config or (
            "global: {scrape_interval: 500ms, scrape_timeout: 400ms}\nscrape_configs:\n- job_name: load\n"
            f"  static_configs: [{{targets: ['127.0.0.1:{exporter_port}']}}]\n"))
        self.start()

    def start(self):
        log = (self.folder / "prometheus.log").open("ab")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/tsdb",
             "--log.level=warn", f"--web.listen-address=127.0.0.1:{self.port}"], stdout=log, stderr=log)
        wait("Prometheus is ready", self.ready, 30)

    def ready(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            with contextlib.closing(connection):
                connection.request("GET", "/-/ready")
                return connection.getresponse().status == 200
        return False

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def binary():
    """TRIMTAB, or the newest build that is there, the one with sanitizers first."""
    for path in (os.environ.get("TRIMTAB"), ROOT / "build/asan/trimtab", ROOT / "build/dev/trimtab",
                 ROOT / "build/release/trimtab"):
        if path and os.access(path, os.X_OK):
            return str(path)
    raise SystemExit("no trimtab binary: cmake --workflow --preset asan, or set TRIMTAB")


class Operator:
    """`trimtab run` with its log in a file."""

    def __init__(self, log, *flags):
        self.log = pathlib.Path(log)
        self.port = free_port()  # of its health, metrics and decisions
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:quarantine_size_mb=4:malloc_context_size=8",
                   UBSAN_OPTIONS="print_stacktrace=1")
        with self.log.open("wb") as out:
            self.process = subprocess.Popen([binary(), "run", f"--http-port={self.port}", "--secure-port=0", "--log-level=debug",
                                             *flags], stdout=out,
                                            stderr=out, stdin=subprocess.DEVNULL, env=env)

    def text(self):
        return self.log.read_text(errors="replace")

    def resident(self):
        """Bytes in memory."""
        with open(f"/proc/{self.process.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def check(self):
        """It is the process that was started, and no sanitizer has anything to say."""
        code = self.process.poll()
        found = re.search(r"(ERROR: (?:Address|Leak)Sanitizer.*|runtime error:.*|DEADLYSIGNAL)", self.text())
        assert code is None, f"the operator ended with {code}: {found.group(1) if found else self.tail()}"
        assert not found, found.group(1)

    def tail(self, lines=5):
        return " / ".join(self.text().strip().splitlines()[-lines:])

    def stop(self):
        """Ends it in good order; its exit code, which tells of leaks too. One that has just been started has to take signals first."""
        for _ in range(50):
            if self.process.poll() is not None or " cluster " in self.text():
                break
            time.sleep(0.1)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "did not end within 20 s of SIGTERM"


class World:
    """All of it, put together:  operator -> wire (bytes) -> gate (HTTP) -> apiserver, and the same before Prometheus."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.operators = []
        self.adapter = None  # of the metrics APIs; started by the first test that wants it
        with contextlib.ExitStack() as ends:  # what has been started when a later part fails is ended
            self.start(ends)
            self.ends = ends.pop_all()

    def start(self, ends):
        self.loop = proxy.Loop()
        self.exporter = Exporter()
        self.plane = ControlPlane(str(self.folder / "cp"))
        ends.callback(self.plane.close)
        self.prometheus = Prometheus(self.folder / "prometheus", self.exporter.port)
        ends.callback(self.prometheus.stop)
        self.gate = proxy.HttpProxy(self.loop, "127.0.0.1", self.plane.port, self.plane.server_tls(),
                                    self.plane.client_tls("admin"))
        self.wire = proxy.TcpProxy(self.loop, self.gate.port)
        self.prometheus_gate = proxy.HttpProxy(self.loop, "127.0.0.1", self.prometheus.port)
        self.prometheus_wire = proxy.TcpProxy(self.loop, self.prometheus_gate.port)
        ends.callback(self.stop_operators)
        self.plane.install_crds()
        self.operator = self.start_operator("operator")

    def start_operator(self, name, *flags, port=None, user="admin"):
        config = self.plane.kubeconfig(name, port or self.wire.port, user)
        operator = Operator(self.folder / f"{name}.log", f"--kubeconfig={config}",
                            f"--prometheus-url=http://127.0.0.1:{self.prometheus_wire.port}", "--prometheus-timeout=3s", *flags)
        self.operators.append(operator)
        return operator

    def heal(self):
        """Takes every fault away."""
        self.wire.mode("pass")
        self.prometheus_wire.mode("pass")
        self.gate.clear()
        self.prometheus_gate.clear()
        self.gate.tunnel("", "pass")

    def stop_operators(self):
        for operator in self.operators:
            operator.stop()
        if self.adapter:
            self.adapter.stop()

    def close(self):
        self.ends.close()
