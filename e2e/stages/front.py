#!/usr/bin/env python3
"""Makes one server of a cluster and an apiextensions-apiserver: the latter
has the definitions and what is made by them, the cluster everything else.

usage: front.py CLUSTER DEFINITIONS CA CERTIFICATE KEY

CLUSTER and DEFINITIONS are ports of loopback. Prints its URL: plain HTTP on
loopback, as whom the certificate says.
"""
import contextlib
import http.client
import http.server
import ssl
import sys

CLUSTER, DEFINITIONS = map(int, sys.argv[1:3])
TLS = ssl.create_default_context(cafile=sys.argv[3])
TLS.load_cert_chain(sys.argv[4], sys.argv[5])
THEIRS = ("/version", "/apis/apiextensions.k8s.io/", "/apis/autoscaling.trimtab.dev/")


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {k: self.headers[k] for k in ("Accept", "Content-Type") if k in self.headers}
        port = DEFINITIONS if self.path.startswith(THEIRS) else CLUSTER
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=TLS, timeout=60)
        with contextlib.closing(connection):
            connection.request(self.command, self.path, body or None, headers)
            got = connection.getresponse()
            text = got.read()
        self.send_response(got.status)
        self.send_header("Content-Type", got.getheader("Content-Type", "application/json"))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
server.serve_forever()
