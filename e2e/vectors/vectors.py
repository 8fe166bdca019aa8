#!/usr/bin/env python3
"""The recorded cases of prometheus-adapter, asked again of a real server: same configuration, series, objects and requests.

usage: vectors.py [--server trimtab|peer] [--record] [--keep] [--jobs N] [NAME...]   only cases whose name contains one of NAME

Each case has a Prometheus of its own, which scrapes one target every second, and a server with the case's rules before a real
apiserver with the objects of cluster.json. What it answers must be what was recorded, or better where that is allowed
(compare.py). One server is also asked through the aggregator. --record writes what the real prometheus-adapter answers into the case instead; a new case needs config, exposition
and "answers": [{"path": ...}]. One line a case, then the count.
env: TRIMTAB (the binary; default build/asan/trimtab)
"""

import argparse
import concurrent.futures
import http.client
import json
import pathlib
import re
import shutil
import signal
import ssl
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "faults")]
import aggregated  # noqa: E402
import objects  # noqa: E402
from compare import compare  # noqa: E402
from parts import SERVERS, Gate, Scraped, free_port, wait  # noqa: E402
from world import ROOT, ControlPlane  # noqa: E402

# The second folder has those that only a whole server can answer: the unit tests read the first.
CASES = (ROOT / "adapter/tests/data/adapter", ROOT / "e2e/vectors/cases")
BEHIND = "126-all-three-groups"  # which is also asked through the aggregator
SCRAPES = 28  # seconds of scrapes that a rate needs


class Case:
    def __init__(self, path, folder):
        self.path, self.name = path, path.stem
        self.data = json.loads(path.read_text())
        self.rate = "@RATE:" in self.data["exposition"]
        self.folder = folder / self.name
        self.folder.mkdir()
        (self.folder / "rules.yaml").write_text(self.data["config"])

    def scrape(self):
        self.scraped = Scraped(self.folder / "prometheus", self.data["exposition"])

    def serve(self, kind, plane):
        """Starts the server; whether it came up."""
        self.kind, self.plane = kind, plane
        self.gate, self.port = Gate(self.scraped.prometheus.port), free_port()
        self.tls = plane.client_tls("admin")
        self.tls.verify_mode = ssl.CERT_NONE  # the server has made its certificate itself
        self.server = SERVERS[kind](self.folder, plane, self.folder / "rules.yaml", self.gate.port, self.port)
        wait(lambda: f"{self.name}: the server is ready: {self.server.text()[-600:]}", self.settled, 30)
        if self.server.process.poll() is not None:
            return False
        if kind == "peer":
            time.sleep(1.5)  # it is ready before it has listed any series
        return True

    def settled(self):
        if self.server.process.poll() is not None:
            return True
        try:
            return self.ask("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def ask(self, path):
        """Status and body of one request; a body that is no JSON as its text."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, {"text": text.decode(errors="replace")[:300]}

    def check_refusal(self):
        code, said = self.server.process.poll(), self.server.text()
        wrong = [] if code and code > 0 else [f"exit code {code}"]
        if self.kind == "trimtab" and not re.search(r"rules\.yaml:\d+: |line \d+: ", said):
            wrong.append(f"names no line: {said[-300:]}")
        return wrong

    def check(self, up):
        if not self.data["started"]:
            return ["it started"] if up else self.check_refusal()
        if not up:
            return [f"it did not start: {self.server.text()[-500:]}"]
        wrong = []
        for want in self.data["answers"]:
            for difference in compare(want["path"], want, self.ask(want["path"]), time.time(), self.rate):
                wrong.append(f"{want['path']}: {difference}")
        if self.name == BEHIND:
            wrong += aggregated.check(self.plane, self.port)
        self.server.check()
        return wrong

    def record(self, up):
        self.data["started"], answers = up, []
        self.data["series"] = sorted(set(self.gate.series))
        for asked in self.data["answers"] if up else ():
            self.gate.queries.clear()
            status, body = self.ask(asked["path"])
            answers.append({"path": asked["path"], "status": status, "promql": list(self.gate.queries), "body": timeless(body)})
        keys = ("config", "exposition", "started", "series")
        head = "".join(f"{json.dumps(k)}: {json.dumps(self.data[k])},\n" for k in keys)
        self.path.write_text("{\n" + head + '"answers": [' + ",".join("\n" + json.dumps(a) for a in answers) + "]\n}\n")
        return []

    def stop(self):
        """Everything of the case; what the server had to say at its end."""
        code = self.server.stop() if hasattr(self, "server") else 0
        if hasattr(self, "gate"):
            self.gate.server.stop()
        if hasattr(self, "scraped"):
            self.scraped.stop()
        return code


def timeless(value):
    """The recorded form of a body: times as <time>, and the list of paths of an unknown one left out."""
    if isinstance(value, list):
        return [timeless(v) for v in value]
    if not isinstance(value, dict):
        return value
    fixed = {"timestamp": "<time>", "creationTimestamp": "<time>", "paths": "<not compared>"}
    return {k: fixed.get(k) or timeless(v) for k, v in value.items()}


def run(case, arguments, plane):
    """A case from start to end; what is wrong with it."""
    try:
        if not case.rate:
            case.scrape()
        up = case.serve(arguments.server, plane)
        wrong = case.record(up) if arguments.record else case.check(up)
    except Exception as error:  # one case that breaks must not stop the others
        wrong = [f"{type(error).__name__}: {error}"]
    code = case.stop()
    if case.data["started"] and code and not wrong:
        wrong.append(f"the server ended with {code}: {case.server.text()[-500:]}")
    return case, wrong


def run_all(cases, arguments, plane):
    """Rates first need their scrapes: those cases come last."""
    rates = [c for c in cases if c.rate]
    for case in rates:
        case.scrape()
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        yield from pool.map(lambda c: run(c, arguments, plane), [c for c in cases if not c.rate])
        for case in rates:
            time.sleep(max(0, case.scraped.since + SCRAPES - time.monotonic()))
        yield from pool.map(lambda c: run(c, arguments, plane), rates)


def report(results):
    passed = failed = 0
    for case, wrong in results:
        if wrong:
            failed += 1
            print(f"not ok {case.name}: " + "\n    ".join(wrong), flush=True)
        else:
            passed += 1
            print(f"ok {case.name} ({len(case.data['answers'])} answers)", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=SERVERS, default="trimtab")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--keep", action="store_true", help="leave the folder of state behind")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    if arguments.record:
        arguments.server = "peer"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="trimtab-vectors-"))
    plane = ControlPlane(str(folder / "cp"))
    try:
        plane.install_crds()
        objects.install(plane, CASES[0], wait)
        chosen = [p for folder_of in CASES for p in sorted(folder_of.glob("[0-9]*.json"))
                  if not arguments.names or any(n in p.stem for n in arguments.names)]
        failed = report(run_all([Case(p, folder) for p in chosen], arguments, plane))
    finally:
        plane.close()
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failed or not chosen else 0)


if __name__ == "__main__":
    main()
