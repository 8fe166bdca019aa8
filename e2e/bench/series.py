#!/usr/bin/env python3
"""What it costs to know which metrics there are: rules over many series, beside prometheus-adapter.

usage: series.py [SERIES=100000] [ROUNDS=3]
A server answers /api/v1/series at once, from memory, with SERIES series of 10 labels (100 names on 1,000 pods each time). One custom
rule, then one external rule selects all of them, and they are listed every 10 s. "usable" is the time from the start of the process
until the metrics are there; processor time is that of the process divided by the rounds, whatever else it does; memory is resident
after the rounds and at its peak.
env: TRIMTAB (the binary; default build/release/trimtab)
"""
import http.client
import http.server
import os
import ssl
import subprocess
import sys
import threading
import time

import lab

INTERVAL = 10
NAMES = 100
QUERY = "'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'"
RULE = f"""- seriesQuery: '{{__name__=~"^app_.*"}}'
  resources: {{template: '<<.Resource>>'}}
  name: {{matches: '^app_(.*)_total$'}}
  metricsQuery: {QUERY}
"""
GROUPS = {"rules": "custom.metrics.k8s.io", "externalRules": "external.metrics.k8s.io"}


def answer(count):
    one = ('{"__name__":"app_requests_%d_total","code":"200","container":"app","endpoint":"http-metrics","instance":"10.0.%d.%d:8080",'
           '"job":"web","method":"GET","namespace":"shop-%d","pod":"web-7d9c5b7f6d-%05d","service":"web"}')
    each = max(count // NAMES, 1)
    series = ",".join(one % (i // each, i % each // 256, i % 256, i % 50, i % each) for i in range(count))
    return ('{"status":"success","data":[' + series + "]}").encode()


class Server:
    """Stands for Prometheus; counts the lists."""

    def __init__(self, body):
        self.lists = 0
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                listed = self.path.startswith("/api/v1/series")
                reply = body if listed else b'{"status":"success","data":{"resultType":"vector","result":[]}}'
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                try:
                    self.wfile.write(reply)
                except ConnectionError:  # the process under test has been ended
                    return
                server.lists += listed

            do_POST = do_GET

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


def ours(world, prometheus, rules, section):
    process, url = world.operator(prometheus, "--rules", rules, f"--metrics-relist-interval={INTERVAL}s")
    return process, lambda: lab.metrics(url + "/metrics")[f'trimtab_rules_metrics{{api="{GROUPS[section]}"}}']


def peer(world, prometheus, rules, section):
    binary = subprocess.run([os.path.join(lab.HERE, "peers", "build.sh"), "prometheus-adapter"], check=True, stdout=subprocess.PIPE,
                            text=True).stdout.strip()
    port = lab.free_port()
    process = world.start("adapter", [
        binary, f"--secure-port={port}", f"--cert-dir={world.dir}/adapter-certs", f"--config={rules}", f"--prometheus-url={prometheus}",
        f"--metrics-relist-interval={INTERVAL}s", f"--lister-kubeconfig={world.kubeconfig}",
        f"--authentication-kubeconfig={world.kubeconfig}", f"--authorization-kubeconfig={world.kubeconfig}", "--bind-address=127.0.0.1",
    ])
    client = lab.Kube(world.kubeconfig)
    client.host, client.port = "127.0.0.1", port
    client.context.check_hostname = False  # it makes its certificate itself
    client.context.verify_mode = ssl.CERT_NONE

    def listed():
        client.connection = client.connect()
        status, reply = client.request("GET", f"/apis/{GROUPS[section]}/v1beta1")
        return len(reply["resources"]) if status == 200 else 0

    return process, listed


def measure(world, name, start, section, server, rounds):
    rules = os.path.join(world.dir, "rules.yaml")
    with open(rules, "w", encoding="ascii") as f:
        f.write(f"{section}:\n{RULE}")
    begun = time.time()
    process, usable = start(world, server.url, rules, section)

    def ready():
        try:
            return usable()
        except (http.client.HTTPException, KeyError):
            return 0

    count = lab.wait_for(f"{name} knows the metrics", ready, 120, 0.05)
    took = time.time() - begun
    wait_lists(server, 2)
    cpu, lists = process.cpu(), server.lists
    wait_lists(server, rounds)
    time.sleep(INTERVAL / 2)  # the last answer is to be read yet
    result = {"usable_s": round(took, 2), "metrics": int(count), "cpu_s": round((process.cpu() - cpu) / (server.lists - lists), 3),
              "rss_mib": round(process.memory(), 1), "peak_mib": round(process.memory("VmHWM"), 1)}
    process.stop()
    return result


def wait_lists(server, more):
    aim = server.lists + more
    lab.wait_for("lists", lambda: server.lists >= aim, 60 + more * INTERVAL * 2, 0.5)
    time.sleep(INTERVAL / 2)


def main():
    numbers = [int(a) for a in sys.argv[1:]] + [100000, 3][len(sys.argv) - 1:]
    count, rounds = numbers[:2]
    body = answer(count)
    rows = []
    with lab.Lab() as world:
        for section in GROUPS:
            for name, start in (("trimtab", ours), ("prometheus-adapter", peer)):
                lab.say(f"{name}: {count} series by {section}")
                result = measure(world, name, start, section, Server(body), rounds)
                lab.emit("series", who=name, section=section, series=count, body_mib=round(len(body) / 2**20, 1), rounds=rounds, **result)
                rows.append(f"| {name}, {section} | {result['usable_s']} s | {result['cpu_s']} s | {result['rss_mib']} MiB "
                            f"| {result['peak_mib']} MiB |")
    print(f"| {count} series, {len(body) / 2**20:.0f} MiB | usable after | processor time of a round | resident | peak |\n"
          "|---|---|---|---|---|\n" + "\n".join(rows), file=sys.stderr)


if __name__ == "__main__":
    main()
