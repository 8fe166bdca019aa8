"""What a case needs beside the apiserver: a target with the case's series, Prometheus, a gate that remembers the queries, and
one of the two servers."""

import contextlib
import http.client
import http.server
import json
import re
import subprocess
import threading
import time
import urllib.parse

from world import ROOT, Operator, Prometheus, free_port, wait

RATE = re.compile(r"@RATE:([0-9.]+)@")
MOMENT = time.time() - 200  # from which counters have been running


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status, body, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    """A server on a port of its own, in a thread."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # a client went away

    def stop(self):
        self.shutdown()
        self.server_close()


def target(text):
    """The one that is scraped: the exposition, in which "@RATE:2@" counts two a second."""
    class Target(Handler):
        def do_GET(self):
            passed = time.time() - MOMENT
            now = RATE.sub(lambda m: f"{float(m.group(1)) * passed:.3f}", text)
            self.reply(200, now.encode(), "text/plain; version=0.0.4")
    return Server(Target)


class Gate:
    """Passes requests on to Prometheus and remembers what was asked."""

    def __init__(self, port):
        self.queries, self.series = [], []
        gate = self

        class Passing(Handler):
            def do_GET(self):
                self.serve(self.path, None)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.serve(self.path, body)

            def serve(self, path, body):
                gate.remember(path, body)
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                with contextlib.closing(connection):
                    kind = self.headers.get("Content-Type") or "application/x-www-form-urlencoded"
                    connection.request(self.command, path, body, {"Content-Type": kind})
                    answer = connection.getresponse()
                    self.reply(answer.status, answer.read(), answer.getheader("Content-Type", "text/plain"))
        self.server = Server(Passing)
        self.port = self.server.port

    def remember(self, path, body):
        query = path.partition("?")[2] + "&" + (body or b"").decode(errors="replace")
        fields = urllib.parse.parse_qs(query)
        self.queries += fields.get("query", ())
        self.series += fields.get("match[]", ())


class Scraped:
    """A target, and the Prometheus that scrapes it every second."""

    def __init__(self, folder, exposition):
        self.target = target(exposition)
        self.prometheus = Prometheus(
            folder, self.target.port,
            "global: {scrape_interval: 1s, scrape_timeout: 900ms}\n"
            "scrape_configs:\n- job_name: vec\n  honor_labels: true\n"
            f"  static_configs: [{{targets: ['127.0.0.1:{self.target.port}'], labels: {{instance: target}}}}]\n")
        self.since = time.monotonic()
        wait("the target is scraped", self.scraped, 20)

    def scraped(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.prometheus.port, timeout=5)
        with contextlib.suppress(OSError, ValueError), contextlib.closing(connection):
            connection.request("GET", "/api/v1/query?query=scrape_samples_scraped%7Bjob%3D%22vec%22%7D")
            return json.loads(connection.getresponse().read())["data"]["result"]
        return None

    def stop(self):
        self.prometheus.stop()
        self.target.stop()


def trimtab(folder, plane, rules, prometheus_port, port):
    return Operator(
        folder / "server.log", f"--kubeconfig={plane.folder}/admin.kubeconfig", f"--rules={rules}",
        f"--prometheus-url=http://127.0.0.1:{prometheus_port}", f"--secure-port={port}", "--bind-address=127.0.0.1",
        f"--cert-dir={folder}/certs", f"--client-ca-file={plane.pki}/ca.crt",
        "--metrics-relist-interval=30s", "--dry-run")


class Peer:
    """The real prometheus-adapter."""

    program = None

    def __init__(self, folder, plane, rules, prometheus_port, port):
        if not Peer.program:
            Peer.program = subprocess.run([str(ROOT / "e2e/bench/peers/build.sh"), "prometheus-adapter"], check=True,
                                          stdout=subprocess.PIPE, text=True).stdout.strip()
        config = f"{plane.folder}/admin.kubeconfig"
        self.log = folder / "server.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [Peer.program, f"--config={rules}", f"--secure-port={port}", "--bind-address=127.0.0.1",
                 f"--cert-dir={folder}/certs", f"--client-ca-file={plane.pki}/ca.crt",
                 f"--prometheus-url=http://127.0.0.1:{prometheus_port}", "--metrics-relist-interval=30s",
                 f"--lister-kubeconfig={config}", f"--authentication-kubeconfig={config}",
                 f"--authorization-kubeconfig={config}"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def text(self):
        return self.log.read_text(errors="replace")

    def check(self):
        assert self.process.poll() is None, f"prometheus-adapter ended with {self.process.poll()}"

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        return 0 if self.process.wait(20) is not None else 1


SERVERS = {"trimtab": trimtab, "peer": Peer}
__all__ = ["SERVERS", "Gate", "Scraped", "free_port", "wait"]
