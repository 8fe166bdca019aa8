#!/usr/bin/env python3
"""What it costs to know which metrics there are: rules over many series, beside prometheus-adapter.

usage: series.py [SERIES=100000] [ROUNDS=3]
A server answers /api/v1/series at once, from memory, with SERIES series of 10 labels (100 names on 1,000 pods each time). One custom
rule, or one external rule, selects all of them, and they are listed every 10 s. Each round is a process of its own, which lists once
more when it knows the metrics, and then LISTS times. "usable" is the time from its start until the metrics are there; processor time
is that of the process divided by the lists, whatever else it does; memory is resident after them and at its peak. Medians of the rounds.
env: TRIMTAB (the binary; default: the release build)
"""
import http.client
import http.server
import os
import ssl
import threading
import time

import lab
import processes
import report
from report import median

INTERVAL = 10
LISTS = 2
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
    port = processes.free_port()
    process = world.start("adapter", [
        processes.peer("prometheus-adapter"), f"--secure-port={port}", f"--cert-dir={world.dir}/adapter-certs", f"--config={rules}",
        f"--prometheus-url={prometheus}",
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


def measure(world, name, start, section, server):
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
    wait_lists(server, 1)
    cpu, lists = process.cpu(), server.lists
    wait_lists(server, LISTS)
    time.sleep(INTERVAL / 2)  # the last answer is to be read yet
    found = {"usable_s": round(took, 2), "metrics": int(count), "cpu_s": round((process.cpu() - cpu) / (server.lists - lists), 3),
             "rss_mib": round(process.memory(), 1), "peak_mib": round(process.memory("VmHWM"), 1)}
    process.stop()
    return found


def wait_lists(server, more):
    aim = server.lists + more
    lab.wait_for("lists", lambda: server.lists >= aim, 60 + more * INTERVAL * 2, 0.5)
    time.sleep(INTERVAL / 2)


def words(reports):
    """A cell of the README."""
    return (f"{median(reports, 'usable_s'):.1f} s, {median(reports, 'cpu_s'):.2f} s of CPU a list, {median(reports, 'rss_mib'):.0f} MiB "
            f"({median(reports, 'peak_mib'):.0f} at its peak)")


def main():
    count, rounds = report.arguments(100000, 3)
    body, starts = answer(count), {"trimtab": ours, "prometheus-adapter": peer}
    reports = {(name, section): [] for section in GROUPS for name in starts}
    with lab.Lab() as world:
        for number, (name, section) in report.turns(reports, rounds):
            report.say(f"{name}: {count} series by {section}")
            found = measure(world, name, starts[name], section, Server(body))
            reports[name, section].append(found)
            report.emit("series", who=name, section=section, series=count, body_mib=round(len(body) / 2**20, 1), round=number, **found)
    report.table([f"{count} series, {len(body) / 2**20:.0f} MiB", "usable after", "CPU of a list", "resident", "peak"],
                 [[f"{name}, {section}", f"{median(r, 'usable_s')} s", f"{median(r, 'cpu_s')} s", f"{median(r, 'rss_mib')} MiB",
                   f"{median(r, 'peak_mib')} MiB"] for (name, section), r in reports.items()])
    report.finish("series", [(f"{count:,} series listed for rules", "usable after " + words(reports["trimtab", "rules"]),
                              "prometheus-adapter: " + words(reports["prometheus-adapter", "rules"]))],
                  [report.Limit(f"resident, {section}", median(reports["trimtab", section], "rss_mib"), 100, "MiB") for section in GROUPS])


if __name__ == "__main__":
    main()
