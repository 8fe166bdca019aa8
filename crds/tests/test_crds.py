#!/usr/bin/env python3
"""The definitions against a real API server.

usage: KUBECONFIG=FILE crds/tests/test_crds.py

Applies the definitions in crds/ and leaves them in place; everything else
happens in a namespace of its own that is deleted afterwards. Prints TAP and a
closing line; exits 1 when a test failed, 2 when it could not start.

- examples/ and accepted/: each file is applied.
- hpa/: each file is applied as the HorizontalPodAutoscaler it is; its spec as
  a policy must then come back from the server with the same defaults.
- refused/: each file is refused, with every text behind `# want:` in the
  message and no complaint beyond those. Where it says
  `# also: HorizontalPodAutoscaler`, autoscaling/v2 refuses the same spec.
  `# operator: reads it` is for operator/tests/test_definition.c: what is
  refused here alone.
- `HorizontalPodAutoscaler since 1.36` in a file of these two folders: older
  servers are not compared there.
- every rule of the definition has its message in some refused case.
- status.json: a status is stored without loss, and the columns show it.
- sources/: accepted/, refused/ and status.json for MetricSource and
  ClusterMetricSource, whose specs must be the same.
"""
import json
import os
import re
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).resolve().parent
CRDS = HERE.parent
KUBECTL = os.environ.get("KUBECTL", "kubectl")
NAMESPACE = f"trimtab-crds-{os.getpid()}-{int(time.time())}"
COLUMNS = "NAME REFERENCE TARGETS MIN MAX REPLICAS DESIRED READY REASON AGE"
DEFINITIONS = ("autoscalingpolicies", "metricsources", "clustermetricsources")
POLICY = ("autoscaling.trimtab.dev/v1", "AutoscalingPolicy")
HPA = ("autoscaling/v2", "HorizontalPodAutoscaler")
SUFFIXES = {"": 1, "m": Decimal("0.001"), "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
# One complaint of the server about one field.
COMPLAINT = re.compile(r"(?:^|[ \[])spec[\w.\[\]]*: (?:Invalid|Required|Unsupported|Duplicate|Too|Forbidden)")


def kubectl(*arguments, stdin=None):
    """Runs kubectl in the test's namespace: (exit code, stdout, stderr)."""
    done = subprocess.run([KUBECTL, "--namespace", NAMESPACE, *arguments], input=stdin, text=True, capture_output=True,
                          timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def must(*arguments, stdin=None):
    code, out, err = kubectl(*arguments, stdin=stdin)
    if code:
        raise RuntimeError(f"kubectl {' '.join(arguments)}: {err.strip()}")
    return out


def get(kind, name):
    return json.loads(must("get", kind, name, "--output", "json"))


class Results:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, problem):
        """Counts one test; problem is empty where it passed."""
        number = self.passed + self.failed + 1
        if problem:
            self.failed += 1
            print(f"not ok {number} - {name}")
            print("".join(f"  # {line}\n" for line in str(problem).splitlines()), end="")
        else:
            self.passed += 1
            print(f"ok {number} - {name}")

    def run(self, name, function):
        """A test is a function that returns its problem or raises it."""
        try:
            self.check(name, function())
        except Exception as problem:  # a test must not end the others
            self.check(name, f"{type(problem).__name__}: {problem}")


def quantity(value):
    """A quantity's value, "8G" and 8000000000 being the same; None for anything else."""
    found = re.fullmatch(rf"([\d.]+)({'|'.join(SUFFIXES)})", str(value))
    return found and Decimal(found[1]) * SUFFIXES[found[2]]


def differences(want, got, path="spec"):
    """Where two JSON values differ, quantities compared as numbers."""
    if isinstance(want, dict) and isinstance(got, dict):
        return [line for key in sorted({*want, *got})
                for line in differences(want.get(key), got.get(key), f"{path}.{key}")]
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        return [line for i, pair in enumerate(zip(want, got)) for line in differences(*pair, f"{path}[{i}]")]
    if want == got or (quantity(want) is not None and quantity(want) == quantity(got)):
        return []
    return [f"{path}: want {json.dumps(want)}, got {json.dumps(got)}"]


def as_kind(text, kind):
    """The manifest as another kind."""
    text = re.sub(r"^apiVersion: .*$", f"apiVersion: {kind[0]}", text, count=1, flags=re.M)
    return re.sub(r"^kind: .*$", f"kind: {kind[1]}", text, count=1, flags=re.M)


def apply_definition(plural):
    name = f"{plural}.autoscaling.trimtab.dev"
    must("apply", "--server-side", "--force-conflicts", "--filename", str(CRDS / f"{plural}.yaml"))
    # Right after the write there are no conditions yet, which kubectl takes for an error.
    for _ in range(20):
        if "True" in must("get", f"crd/{name}", "--output",
                          'jsonpath={.status.conditions[?(@.type=="Established")].status}'):
            break
        time.sleep(0.5)
    for _ in range(60):
        if kubectl("get", plural)[0] == 0:
            break
        time.sleep(0.5)
    return json.loads(must("get", "crd", name, "--output", "json"))


def schema_of(definition):
    return definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def walk(schema, path=""):
    """Every schema node with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]")


def test_definition(results, definition):
    kind = definition["spec"]["names"]["kind"]
    conditions = {c["type"]: c for c in definition["status"]["conditions"]}
    results.check(f"the schema of {kind} is structural", conditions.get("NonStructuralSchema", {}).get("message", ""))
    silent = [path for path, node in walk(schema_of(definition)) if path != ".metadata" and not node.get("description")
              and (not path.endswith("[]") or "properties" in node)]
    results.check(f"every field of {kind} has a description", "\n".join(silent))


def test_applied(results, folder, files):
    for file in files:
        code, _, err = kubectl("apply", "--server-side", "--filename", str(file))
        results.check(f"{folder}/{file.name} is accepted", err.strip() if code else "")


def test_defaults(results):
    policy = {"apiVersion": "autoscaling.trimtab.dev/v1", "kind": "AutoscalingPolicy", "metadata": {"name": "defaults"},
              "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                       "maxReplicas": 5, "behavior": {}, "pause": {}}}

    def compare():
        must("apply", "--server-side", "--filename", "-", stdin=json.dumps(policy))
        pods = {"type": "Pods", "value": 4, "periodSeconds": 15}
        percent = {"type": "Percent", "value": 100, "periodSeconds": 15}
        want = dict(policy["spec"], minReplicas=1, mode="Active", pause={"direction": "Both"})
        want["metrics"] = [{"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]
        up = {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [pods, percent]}
        want["behavior"] = {"scaleUp": up, "scaleDown": {"selectPolicy": "Max", "policies": [percent]}}
        return "\n".join(differences(want, get("asp", "defaults")["spec"]))

    results.run("what is left out gets its default", compare)


def comparable(text):
    """Is this server's autoscaling/v2 new enough for the case."""
    found = re.search(r"^# .*HorizontalPodAutoscaler since 1\.(\d+)", text, re.M)
    return not found or int(found[1]) <= int(re.match(r"\d+", json.loads(must("get", "--raw", "/version"))["minor"])[0])


def test_parity(results):
    """An HPA's spec is a policy's spec, and both servers' defaults agree."""
    for file in sorted((HERE / "hpa").glob("*.yaml")):
        if not comparable(file.read_text()):
            continue
        def compare(file=file):
            must("apply", "--server-side", "--filename", str(file))
            must("apply", "--server-side", "--filename", "-", stdin=as_kind(file.read_text(), POLICY))
            want = dict(get("hpa.v2.autoscaling", file.stem)["spec"], mode="Active")
            got = get("asp", file.stem)["spec"]
            return "\n".join(differences(want, got))

        results.run(f"hpa/{file.name} means the same as a policy", compare)


def refusals(text):
    """What the server says for each name, kubectl's one line for each."""
    said = {}
    for line in text.splitlines():
        found = (re.search(r'"([\w-]+)" is invalid: (.*)', line)
                 or re.search(r"\([\w-]+/([\w-]+);[^)]*\).*?: (.*)", line))
        if found:
            said[found[1]] = found[2]
    return said


def refused_cases(folder):
    for file in sorted(folder.glob("*.yaml")):
        text = file.read_text()
        yield file, text, re.findall(r"^# want: (.*)$", text, re.M), "# also: HorizontalPodAutoscaler" in text


def test_refusals(results, folder, definition):
    """Every file of the folder is refused as it says, and every rule of the definition is among the reasons."""
    # Two files at least, so that kubectl prints one line for each refusal.
    _, _, err = kubectl("apply", "--server-side", "--dry-run=server", "--filename", str(folder))
    said = refusals(err)
    for file, _, wants, _ in refused_cases(folder):
        message = said.get(file.stem, "")
        problem = [f"it does not say: {want}" for want in wants if want not in message]
        if not wants:
            problem.append("the file has no `# want:` line")
        if (count := len(COMPLAINT.findall(message))) > len(wants):
            problem.append(f"{count} complaints where {len(wants)} are wanted")
        if problem:
            problem.append(f"it says: {message or 'nothing: it is accepted'}")
        results.check(f"{folder.relative_to(HERE)}/{file.name} is refused", "\n".join(problem))
    rules = {rule["message"] for _, node in walk(schema_of(definition))
             for rule in node.get("x-kubernetes-validations", [])}
    unseen = [rule for rule in sorted(rules) if not any(rule in message for message in said.values())]
    results.check(f"each of the {len(rules)} rules' messages is seen in a refusal", "\n".join(unseen))


def test_refused(results, definition):
    test_refusals(results, HERE / "refused", definition)
    cases = list(refused_cases(HERE / "refused"))
    both = [(file, text) for file, text, _, also in cases if also and comparable(text)]
    documents = "\n---\n".join(as_kind(text, HPA) for _, text in both)
    _, _, err = kubectl("apply", "--server-side", "--dry-run=server", "--filename", "-", stdin=documents)
    said = refusals(err)
    accepted = [file.name for file, _ in both if file.stem not in said]
    results.check(f"autoscaling/v2 refuses {len(both)} of them too", "\n".join(accepted))


def test_update(results):
    code, _, err = kubectl("patch", "asp", "defaults", "--type=merge", "--patch", '{"spec":{"maxReplicas":0}}')
    results.check("a change for the worse is refused", "" if code and "maxReplicas" in err else f"code {code}: {err}")
    code, _, err = kubectl("patch", "asp", "defaults", "--type=merge", "--patch", '{"spec":{"mode":"Preview"}}')
    results.check("a change for the better is accepted", err if code else "")


def test_status(results):
    status = json.loads((HERE / "status.json").read_text())

    def patch_status(value):
        patch = json.dumps({"status": value})
        must("patch", "asp", "defaults", "--subresource=status", "--type=merge", "--patch", patch)

    def as_wanted(arguments, head_wanted, line_wanted):
        head, line = must("get", *arguments).splitlines()
        right = " ".join(head.split()) == head_wanted and re.match(line_wanted, line)
        return "" if right else f"{head}\n{line}"

    def stored():
        patch_status(status)
        return "\n".join(differences(status, get("asp", "defaults")["status"], "status"))

    def columns():
        return as_wanted(["asp", "defaults"], COLUMNS,
                         r"defaults +Deployment/web +94/100, cpu: 41%/80% +1 +5 +10 +12 +True +AboveTarget +\d+s$")

    def wide():
        return as_wanted(["autoscalingpolicy", "defaults", "--output", "wide"], COLUMNS + " MODE LAST SCALE SCHEDULE",
                         r".*\d+s +Preview +\S+ +office-hours$")

    def in_all():
        names = must("get", "all", "--output", "name")
        return "" if "autoscalingpolicy.autoscaling.trimtab.dev/defaults" in names else names or "nothing there"

    def removed():
        patch_status(None)
        return json.dumps(got) if (got := get("asp", "defaults").get("status")) else ""

    results.run("a status is stored without loss", stored)
    results.run("kubectl get asp has the columns", columns)
    results.run("kubectl get asp -o wide adds mode, last scale and schedule", wide)
    results.run("kubectl get all has policies", in_all)
    results.run("a status can be taken away", removed)


def test_sources(results, of_namespace, of_cluster):
    folder = HERE / "sources"
    status = json.loads((folder / "status.json").read_text())

    def same_spec():
        specs = [re.sub(r", in (the same|the operator's) namespace| in (the same|the operator's) namespace", "",
                        json.dumps(schema_of(d)["properties"]["spec"], sort_keys=True)) for d in (of_namespace, of_cluster)]
        return "" if specs[0] == specs[1] else "they differ"

    def stored():
        must("patch", "msrc", "plain", "--subresource=status", "--type=merge", "--patch", json.dumps({"status": status}))
        return "\n".join(differences(status, get("msrc", "plain")["status"], "status"))

    def columns():
        head, line = must("get", "metricsources", "plain").splitlines()
        right = (" ".join(head.split()) == "NAME URL LAST SUCCESS LATENCY QUERIES/S POLICIES READY REASON AGE"
                 and re.match(r"plain +http://prometheus.monitoring:9090 +\S+ +12ms +3.5 +2 +True +Answers +\d+s$", line))
        return "" if right else f"{head}\n{line}"

    results.run("MetricSource and ClusterMetricSource have the same spec", same_spec)
    test_applied(results, "sources/accepted", sorted((folder / "accepted").glob("*.yaml")))
    test_refusals(results, folder / "refused", of_namespace)
    results.run("a source's status is stored without loss", stored)
    results.run("kubectl get metricsources has the columns", columns)
    kubectl("delete", "--wait=false", "--filename", str(folder / "accepted"))


def main():
    if not os.environ.get("KUBECONFIG"):
        print("test_crds.py: KUBECONFIG must name the cluster to test against", file=sys.stderr)
        return 2
    results = Results()
    try:
        definition, *sources = [apply_definition(plural) for plural in DEFINITIONS]
        # A changed schema reaches the server's handlers a moment after the write, and nothing tells when.
        time.sleep(2)
        must("create", "namespace", NAMESPACE)
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as problem:
        print(f"test_crds.py: {problem}", file=sys.stderr)
        return 2
    try:
        for one in (definition, *sources):
            test_definition(results, one)
        for folder in (CRDS / "examples", HERE / "accepted"):
            test_applied(results, folder.name, sorted(folder.glob("*.yaml")))
        test_defaults(results)
        test_parity(results)
        test_refused(results, definition)
        test_update(results)
        test_status(results)
        test_sources(results, *sources)
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    print(f"1..{results.passed + results.failed}")
    print(f"{results.passed} passed, {results.failed} failed")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
