"""A kubelet as far as /metrics/resource goes: over TLS, with the usage that a test sets."""

import http.server
import threading
import time


class Kubelet:
    def __init__(self, context):
        """context: its TLS, with a certificate for 127.0.0.1."""
        self.cores, self.bytes = 0.5, 256 << 20  # of each container
        self.pods = []  # (namespace, name)
        self.broken = ""  # sent in place of an answer
        self.asked = 0
        self.start, self.seconds, self.since = time.time() - 600, 300.0, time.time()
        kubelet = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                kubelet.asked += 1
                text = (kubelet.broken or kubelet.text()).encode()
                self.send_response(200 if self.path == "/metrics/resource" else 404)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def get_request(self):
                connection, address = self.socket.accept()
                return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

            def handle_error(self, *_):
                pass  # the operator has gone

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def text(self):
        now = time.time()
        self.seconds += self.cores * (now - self.since)
        self.since = now
        at = int(now * 1000)
        lines = [f"node_cpu_usage_seconds_total {2 * self.seconds:.6f} {at}", f"node_memory_working_set_bytes {4 * self.bytes} {at}"]
        for namespace, name in self.pods:
            labels = f'{{container="c",namespace="{namespace}",pod="{name}"}}'
            lines += [f"container_cpu_usage_seconds_total{labels} {self.seconds:.6f} {at}",
                      f"container_memory_working_set_bytes{labels} {self.bytes} {at}",
                      f"container_start_time_seconds{labels} {self.start:.3f}"]
        return "\n".join([*lines, "scrape_error 0", ""])

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
