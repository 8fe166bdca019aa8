#!/usr/bin/env python3
"""Ours and the real prometheus-adapter side by side: random configurations, and random requests to both.

usage: differential.py [--seed N] [--rounds N] [--requests N] [--accept SHARE] [--promql SHARE] [--only ROUND] [--keep]
       differential.py --malformed N [--seed N]   instead: which texts each of them takes for a configuration; N of chance

A round is one configuration (randomcase.py) and requests for what it makes. Every difference that compare.py does not allow is
printed with the query that the other has sent, and the folder of state stays; --seed and --only give that round again. It takes
the peer's binary and a while, so that CI does not run it: what it finds becomes a case of its own (vectors.py --record).
env: TRIMTAB (the binary; default build/asan/trimtab)
"""

import argparse
import collections
import concurrent.futures
import contextlib
import http.client
import json
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "faults")]
import malformed  # noqa: E402
import objects  # noqa: E402
import randomcase  # noqa: E402
from compare import compare  # noqa: E402
from parts import SERVERS, Gate, Peer, Scraped, free_port, wait  # noqa: E402
from world import ROOT, ControlPlane, binary  # noqa: E402

CLUSTER = ROOT / "adapter/tests/data/adapter"
LISTS = (("custom.metrics.k8s.io", "v1beta1"), ("external.metrics.k8s.io", "v1beta1"), ("metrics.k8s.io", "v1beta1"))
TIMES = ("timestamp", "creationTimestamp")
UNSTEADY = re.compile("hits_total|_over_time")  # queries whose values change between two requests
SCRAPES = 25  # seconds of scrapes that a rate needs


class Side:
    """One of the two servers with a configuration."""

    def __init__(self, kind, folder, plane, prometheus_port, rules):
        self.kind, self.folder = kind, folder / kind
        self.folder.mkdir()
        self.gate, self.port = Gate(prometheus_port), free_port()
        self.tls = plane.client_tls("admin")
        self.tls.verify_mode = ssl.CERT_NONE  # the server has made its certificate itself
        self.server = SERVERS[kind](self.folder, plane, rules, self.gate.port, self.port)

    def up(self):
        wait(lambda: f"{self.kind} is ready or ends: {self.server.text()[-500:]}", self.settled, 30)
        return self.server.process.poll() is None

    def settled(self):
        if self.server.process.poll() is not None:
            return True
        try:
            return self.ask("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def ask(self, path, headers=()):
        """Status, body and type of content; the gate has the queries."""
        self.gate.queries.clear()
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=30)
        try:
            connection.request("GET", path, headers=dict(headers))
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        kind = answer.getheader("Content-Type", "").split(";")[0]
        try:
            return answer.status, json.loads(text), kind
        except ValueError:
            return answer.status, {"text": text.decode(errors="replace")[:300]}, kind

    def stop(self):
        code = self.server.stop()
        self.gate.server.stop()
        return code


class Round:
    """One configuration, and what is wrong with the answers."""

    def __init__(self, number, arguments, folder, plane, prometheus_port):
        self.rng = random.Random(f"{arguments.seed}/{number}")
        self.arguments, self.plane, self.prometheus_port = arguments, plane, prometheus_port
        self.folder = folder / f"round-{number}"
        self.folder.mkdir()
        self.rules = self.folder / "rules.yaml"
        self.rules.write_text(randomcase.config(self.rng))
        self.wrong, self.statuses = [], collections.Counter()

    def run(self):
        theirs, ours = (Side(kind, self.folder, self.plane, self.prometheus_port, self.rules) for kind in ("peer", "trimtab"))
        up = False, False
        try:
            up = theirs.up(), ours.up()
            if up[0] != up[1]:
                self.wrong.append(f"started: {up[1]} instead of {up[0]}: {(ours if up[0] else theirs).server.text()[-400:]}")
            elif up[0]:
                time.sleep(1.5)  # the other is ready before it has listed any series
                self.compare(theirs, ours)
        finally:
            theirs.stop()
            code = ours.stop()
        if up[1] and code:
            self.wrong.append(f"ended with {code}: {ours.server.text()[-600:]}")

    def compare(self, theirs, ours):
        lists = {}
        for group, version in LISTS:
            status, body, _ = theirs.ask(f"/apis/{group}/{version}")
            if status == 200:
                lists[group] = sorted(body["resources"], key=lambda r: r["name"])
            self.one(theirs, ours, f"/apis/{group}/{version}")
        for path in randomcase.requests(self.rng, lists, self.arguments.requests):
            self.one(theirs, ours, path)
            if self.rng.random() < self.arguments.accept:
                self.one(theirs, ours, path, {"Accept": self.rng.choice(randomcase.ACCEPTS)})

    def one(self, theirs, ours, path, headers=()):
        status, body, kind = theirs.ask(path, headers)
        self.statuses[status] += 1
        want = {"status": status, "body": timeless(body), "promql": list(theirs.gate.queries)}
        if status == 404 and "paths" in body and path.startswith("/apis/metrics.k8s.io"):
            return  # ours has that group from the kubelets, too
        got = ours.ask(path, headers)
        if headers and 406 in (status, got[0]):
            return  # JSON is all that ours has
        where = f"{path} {headers or ''}"
        if status == got[0] == 200 and kind != got[2]:
            self.wrong.append(f"{where}: {got[2]} instead of {kind}")
            return
        rate = any(map(UNSTEADY.search, want["promql"]))
        for difference in compare(path, want, (got[0], timeless(got[1])), time.time(), rate):
            self.wrong.append(f"{where}: {difference}\n      promql: {want['promql']}\n      sent: {ours.gate.queries[:2]}")
        if want["promql"] and self.rng.random() < self.arguments.promql:
            self.promql(path, want["promql"])

    def promql(self, path, wanted):
        """Whether `trimtab rules` says that these are the queries of the path."""
        run = subprocess.run(
            [binary(), "rules", "-f", str(self.rules), "--request", path, "--cluster", "-o", "json",
             f"--prometheus-url=http://127.0.0.1:{self.prometheus_port}", f"--kubeconfig={self.plane.folder}/admin.kubeconfig"],
            capture_output=True, text=True, check=False)
        said = alternations(run.stdout + run.stderr)
        if "<namespace>" in said:
            return  # one query stands for those of all namespaces
        for query in map(alternations, wanted):
            if not any(json.dumps(query, ensure_ascii=plain)[1:-1] in said for plain in (False, True)):
                self.wrong.append(f"{path}: promql\n      want {query}\n      said {said[:1500]}")


def alternations(text):
    """Names of an alternation in an order of their own: that of pods is random."""
    return re.sub(r'[^"\\(),=]+\|[^"\\(),=]+', lambda m: "|".join(sorted(m.group().split("|"))), text)


def timeless(value):
    """A body whose times are only there or not: that they are right is for the recorded cases."""
    if isinstance(value, dict):
        return {k: "there" if k in TIMES and v else timeless(v) for k, v in value.items()}
    return [timeless(v) for v in value] if isinstance(value, list) else value


def rounds(arguments, folder, plane):
    failed, scraped = 0, Scraped(folder / "prometheus", randomcase.EXPOSITION)
    try:
        time.sleep(SCRAPES)
        for number in [arguments.only] if arguments.only is not None else range(arguments.rounds):
            at = Round(number, arguments, folder, plane, scraped.prometheus.port)
            at.run()
            failed += bool(at.wrong)
            told = " ".join(f"{status}:{count}" for status, count in sorted(at.statuses.items())) or "refused"
            print(f"{'not ok' if at.wrong else 'ok'} {number} {told}" + (f" {at.rules}" if at.wrong else ""), *at.wrong,
                  sep="\n    ", flush=True)
    finally:
        scraped.stop()
    return failed


# ---- configurations that may be none ----

def peer_takes(folder, plane, rules):
    """Whether the other serves with it, and its words."""
    port = free_port()
    peer = Peer(folder, plane, rules, 9, port)  # no Prometheus: it does not wait for one

    def serves():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False
    try:
        wait("it serves or ends", lambda: peer.process.poll() is not None or serves(), 40)
        return peer.process.poll() is None, peer.text()
    finally:
        peer.process.kill()
        peer.process.wait()


def both_take(number, text, folder, plane):
    """What is wrong: only one takes it, or ours refuses it without naming a line."""
    here = folder / f"text-{number}"
    here.mkdir()
    rules = here / "rules.yaml"
    rules.write_bytes(text.encode())
    theirs, said = peer_takes(here, plane, rules)
    run = subprocess.run([binary(), "rules", "-f", str(rules), "--cluster", f"--kubeconfig={plane.folder}/admin.kubeconfig"],
                         capture_output=True, text=True, errors="replace", check=False)
    ours, words = run.returncode == 0, run.stderr + run.stdout
    if theirs != ours:
        why = [line for line in said.splitlines() if line.startswith(("F", "panic"))]
        return f"{'taken' if ours else 'refused'}: {words[-400:]}\n    theirs: {why or 'taken'}"
    return "" if ours or re.search(r"rules\.yaml:\d+: ", words) else f"names no line: {words[-300:]}"


def texts(arguments, folder, plane):
    rng, failed = random.Random(arguments.seed), 0
    asked = malformed.THOUGHT_OF + [malformed.mutated(rng) for _ in range(arguments.malformed)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for text, wrong in zip(asked, pool.map(lambda a: both_take(*a, folder, plane), enumerate(asked))):
            failed += bool(wrong)
            if wrong:
                print(f"not ok {text!r}\n    {wrong}", flush=True)
    print(f"{len(asked) - failed} the same, {failed} not", flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--accept", type=float, default=0.1, help="share of the requests that are asked with an Accept header, too")
    parser.add_argument("--promql", type=float, default=0.02, help="share of the queries that `trimtab rules` has to give")
    parser.add_argument("--only", type=int)
    parser.add_argument("--malformed", type=int)
    parser.add_argument("--keep", action="store_true", help="leave the folder of state behind")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="trimtab-differential-"))
    plane, failed = ControlPlane(str(folder / "cp")), 1
    try:
        plane.install_crds()
        objects.install(plane, CLUSTER, wait)
        failed = (rounds if arguments.malformed is None else texts)(arguments, folder, plane)
    finally:
        plane.close()
        if not (arguments.keep or failed):
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
