"""Prometheus servers by name: they come, go and change, and so do their Secrets."""

import base64
import contextlib
import http.server
import json
import threading
import time
import urllib.parse

from case import POLICIES, policy, test
from world import GROUP, MERGE, wait

SOURCES = GROUP + "/namespaces/default/metricsources"
CLUSTER_SOURCES = GROUP + "/clustermetricsources"
SECRETS = "/api/v1/namespaces/default/secrets"


class Server:
    """A Prometheus-compatible server that answers one number to everything, where it is shown its token and tenant."""

    def __init__(self, value, token=None):
        self.value, self.token, self.tenants = value, token, set()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
                server.tenants.add(self.headers.get("X-Scope-OrgID"))
                allowed = server.token is None or self.headers.get("Authorization") == f"Bearer {server.token}"
                body = {"status": "success", "data": {"resultType": "scalar", "result": [time.time(), str(server.value)]}}
                assert "query" in form
                self.send_response(200 if allowed else 401)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode() if allowed else b"")

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


@contextlib.contextmanager
def server(*arguments):
    s = Server(*arguments)
    try:
        yield s
    finally:
        s.close()


@contextlib.contextmanager
def things(c, **paths):
    """Deletes what a test has made, also where it failed."""
    try:
        yield
    finally:
        for name, collection in paths.items():
            c.plane.api("DELETE", f"{collection}/{name.replace('_', '-')}")


def source(name, url, kind="MetricSource", **spec):
    return {"apiVersion": "autoscaling.trimtab.dev/v1", "kind": kind, "metadata": {"name": name},
            "spec": {"url": url, "interval": "500ms", **spec}}


def secret(name, **data):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}}


def ready(c, path, status, *words, seconds=30):
    """Waits for the source's Ready condition; its whole status."""
    def there():
        found = c.plane.api("GET", path)[1].get("status", {})
        for condition in found.get("conditions", ()):
            text = f"{condition['reason']} {condition['message']}"
            if condition["status"] == status and all(w in text for w in words):
                return found
        return None
    return wait(lambda: f"{path} Ready={status} {words}: {c.plane.api('GET', path)[1].get('status')}", there, seconds)


@test
def source_comes_changes_and_goes(c):
    with server(50) as one, server(80) as two, things(c, own=SOURCES):
        c.query("anything", source="own")
        c.condition("ScalingActive", "False", "MetricSource default/own: not found")
        c.create(SOURCES, source("own", one.url, headers={"X-Scope-OrgID": "team"}))
        c.expect(5)
        status = ready(c, f"{SOURCES}/own", "True", "Answers")
        assert status["policies"] == 1 and status["latency"].endswith("ms"), status
        assert one.tenants == {"team"}, one.tenants
        c.plane.must("PATCH", f"{SOURCES}/own", {"spec": {"url": two.url}}, MERGE)
        c.expect(8)
        c.delete(f"{SOURCES}/own")
        c.condition("ScalingActive", "False", "MetricSource default/own: not found")
        c.keeps(8, 2)


@test
def secret_of_a_source_rotates(c):
    with server(50, "one") as one, things(c, own=SOURCES, login=SECRETS):
        c.query("anything", source="own")
        c.create(SOURCES, source("own", one.url, auth={"bearer": {"secret": {"name": "login"}}}))
        c.condition("ScalingActive", "False", "Secret default/login: not found")
        ready(c, f"{SOURCES}/own", "False", "SecretMissing")
        c.create(SECRETS, secret("login", token="one"))
        c.expect(5)
        one.token, one.value = "two", 60
        c.condition("ScalingActive", "False", "answered 401")
        c.plane.must("PATCH", f"{SECRETS}/login", {"data": secret("login", token="two")["data"]}, MERGE)
        c.expect(6)
        ready(c, f"{SOURCES}/own", "True", "Answers")


@test
def source_of_all_namespaces(c):
    with server(50) as one, server(70) as two, things(c, shared=CLUSTER_SOURCES), things(c, shared=SOURCES):
        c.create(CLUSTER_SOURCES, source("shared", one.url, "ClusterMetricSource"))
        c.query("anything", source="shared")
        c.expect(5)
        c.create(SOURCES, source("shared", two.url))  # the namespace's own wins
        c.expect(7)
        c.delete(f"{SOURCES}/shared")
        c.expect(5)


@test
def quiet_sources_write_little(c):
    """What goes on well is written once a minute at most."""
    with server(20) as one, things(c, own=SOURCES):
        c.create(SOURCES, source("own", one.url))
        c.query("anything", source="own")
        ready(c, f"{SOURCES}/own", "True", "Answers")
        time.sleep(16)  # the count of policies may be behind
        since = len(c.gate.requests)
        time.sleep(20)
        writes = c.gate.asked(r"PATCH \S+/metricsources/", since)
        assert writes <= 1, f"{writes} writes in 20 s"


@test
def a_source_that_nobody_can_reach(c):
    with things(c, dead=SOURCES):
        c.create(SOURCES, source("dead", "http://127.0.0.1:9"))
        ready(c, f"{SOURCES}/dead", "False", "Unreachable", "connection refused")
        c.create(POLICIES, policy("second", target="web"))  # it troubles nobody else
        c.delete(f"{POLICIES}/second")
        c.keeps(2, 2)
