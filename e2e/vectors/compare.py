"""Whether an answer is as good as the recorded one: the same but for what may differ, or one of the better answers."""

import datetime
import re

GROUPS = ("custom.metrics.k8s.io", "external.metrics.k8s.io", "metrics.k8s.io")
WRAPPED = "-9223372036854775808m"  # what amd64 makes of NaN, infinity and numbers that are too large
CLAMPED = {WRAPPED, "9223372036854775807m"}
UNKNOWN = "the server could not find the metric "


def quantity(text):
    """The value of a quantity in decimal form."""
    match = re.fullmatch(r"(-?\d+)([numkMGTPE]?)", text)
    scale = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}[match.group(2)]
    return int(match.group(1)) * 10.0 ** scale


class Comparison:
    """Collects what is wrong with one answer."""

    def __init__(self, path, now, rate):
        self.path, self.now, self.rate = path, now, rate
        self.wrong = []

    def say(self, where, want, got):
        self.wrong.append(f"{where or 'body'}: {got!r} instead of {want!r}")

    def time(self, where, got):
        try:
            at = datetime.datetime.strptime(got, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
        except (TypeError, ValueError):
            self.say(where, "<time>", got)
            return
        if abs(at.timestamp() - self.now) > 60:
            self.say(where, "a time within 60 s of now", got)

    def value(self, where, want, got):
        if want == got or (want == WRAPPED and got in CLAMPED):
            return
        if self.rate and isinstance(got, str) and abs(quantity(got) - quantity(want)) <= 0.03 * abs(quantity(want)):
            return
        self.say(where, want, got)

    def objects(self, where, want, got):
        for key in sorted(set(want) | set(got)):
            if key == "details":
                continue
            at = f"{where}.{key}".lstrip(".")
            if key not in want or key not in got:
                self.say(at, want.get(key, "<absent>"), got.get(key, "<absent>"))
            elif want[key] == "<time>":
                self.time(at, got[key])
            elif key == "value":
                self.value(at, want[key], got[key])
            else:
                self.any(at, want[key], got[key])

    def lists(self, where, want, got):
        if len(want) != len(got):
            self.say(f"length of {where}", [brief(w) for w in want], [brief(g) for g in got])
            return
        for i, (one, other) in enumerate(zip(want, got)):
            self.any(f"{where}[{i}]", one, other)

    def any(self, where, want, got):
        if isinstance(want, dict) and isinstance(got, dict):
            self.objects(where, want, got)
        elif isinstance(want, list) and isinstance(got, list):
            self.lists(where, want, got)
        elif want != got:
            self.say(where, want, got)


def brief(item):
    """What tells one item of a list from another."""
    if not isinstance(item, dict):
        return item
    return item.get("name") or item.get("describedObject", {}).get("name") or item.get("metricLabels") or item


def ordered(body):
    """The body with the lists sorted whose order is free."""
    if not isinstance(body, dict):
        return body
    kind, body = body.get("kind"), dict(body)
    if kind == "APIResourceList":
        body["resources"] = sorted(body["resources"], key=lambda r: r["name"])
    elif kind == "APIGroupList":
        body["groups"] = sorted(body["groups"], key=lambda g: g["name"])
    elif kind == "ExternalMetricValueList":
        body["items"] = sorted(body["items"], key=lambda i: (sorted((i.get("metricLabels") or {}).items()), i.get("value")))
    elif kind == "PodMetricsList":
        body["items"] = [ordered_pod(pod) for pod in body["items"]]
    elif kind == "PodMetrics":
        body = ordered_pod(body)
    return body


def ordered_pod(pod):
    return {**pod, "containers": sorted(pod["containers"], key=lambda c: c["name"])}


# ---- answers that may be better than the recorded one ----

def no_such_group(path, want, got):
    """A group that the original does not serve without rules: a Status will do, or the group with nothing in it."""
    status, body = got
    if "paths" not in want["body"] or want["status"] != 404:
        return None
    group = path.split("?")[0].split("/")[2] if path.startswith("/apis/") else ""
    if status == 404 and ("paths" in body or (body.get("kind") == "Status" and body.get("reason") == "NotFound")):
        return []
    if status == 200 and body.get("kind") == "APIResourceList" and group in GROUPS:
        empty = group == "metrics.k8s.io" or not body["resources"]
        return [] if empty else [f"lists {[r['name'] for r in body['resources']]} without a rule"]
    if status == 200 and body.get("kind") == "APIGroup" and group in GROUPS and body.get("name") == group:
        return []
    return [f"{status} {body.get('kind')} instead of 404"]


def groups(path, want, got):
    """/apis: of the three groups there may be more than there are rules for."""
    status, body = got
    if path.rstrip("/") != "/apis" or want["status"] != 200 or status != 200:
        return None
    def plain(document):
        return {g["name"]: {k: v for k, v in g.items() if k != "serverAddressByClientCIDRs"} for g in document["groups"]}
    asked, there = plain(want["body"]), plain(body)
    wrong = [f"group {name} is {there.get(name)} instead of {group}" for name, group in asked.items() if there.get(name) != group]
    wrong += [f"group {name}" for name in there if name not in asked and name not in GROUPS]
    return wrong if body.get("kind") == "APIGroupList" and body.get("apiVersion", "v1") == "v1" else [*wrong, "no APIGroupList"]


def selector(path, want, got):
    """metricLabelSelector: != can be given back as NotIn; > and < are refused; what cannot be read is the client's fault."""
    status, body = got
    if "metricLabelSelector=" not in path and not ("labelSelector=" in path and "external.metrics" in path):
        return None
    if want["status"] == 500 and "custom.metrics" in path and re.search(r"%21%3D|!=|%21=|!%3D", path) and status == 200:
        terms = [t for i in body["items"] for t in ((i.get("metric") or i)["selector"] or {}).get("matchExpressions", ())]
        return [] if body["items"] and all("operator" in t for t in terms) else ["no items with their selector"]
    if want["status"] in (404, 500) and status == 400 and body.get("reason") == "BadRequest" and body.get("message"):
        return []
    return None


def intended(path, want, got):
    """A query that the original writes so that Prometheus cannot read it, written as it was meant."""
    status, body = got
    broken = any(re.search(r"\{,|[{,][^=!\"{},]*[./-][^=!\"{},]*[=!]", text) for text in want.get("promql", ()))
    if want["status"] != 500 or not broken:
        return None
    if status == 200 and isinstance(body.get("items"), list):
        return []
    return [] if status == 404 and (body.get("message") or "").startswith(UNKNOWN) else None


def no_name(path, want, got):
    """Metrics whose name comes out empty need not be listed."""
    status, body = got
    if want["status"] != 200 or status != 200 or want["body"].get("kind") != "APIResourceList":
        return None
    named = [r for r in want["body"]["resources"] if r["name"] and not r["name"].endswith("/")]
    if len(named) == len(want["body"]["resources"]) or len(body.get("resources", ())) != len(named):
        return None
    return compare(path, {**want, "body": {**want["body"], "resources": named}}, got, 0, False)


def both_scopes(path, want, got):
    """What has no namespace may be asked for without one, though it is listed as if it had."""
    status, body = got
    parts = path.split("?")[0].split("/")
    unscoped = len(parts) == 7 and parts[2] == "custom.metrics.k8s.io" and parts[4].endswith(".example")
    if not unscoped or want["status"] != 404 or status != 200:
        return None
    return [] if body.get("items") else ["no items"]


def no_number(path, want, got):
    """NaN and infinity are no samples."""
    status, body = got
    items = want["body"].get("items") if isinstance(want["body"], dict) else None
    if not items or status not in (200, 404) or not any(i.get("value") == WRAPPED for i in items):
        return None
    if status == 404:
        return [] if len(items) == 1 and body.get("reason") == "NotFound" else ["404"]
    there = [i for i in items if brief(i) in [brief(g) for g in body["items"]]]
    if len(there) == len(items) or any(i.get("value") != WRAPPED for i in items if i not in there):
        return None
    return []


BETTER = (no_such_group, groups, intended, selector, no_name, both_scopes, no_number)


def statuses(path, want, got, comparison):
    """An error's words: those of 404 are relied on, of others the meaning counts."""
    mine, theirs = dict(got), dict(want)
    message, wanted = mine.pop("message", None), theirs.pop("message", None)
    if not message:
        comparison.say("message", wanted, message)
    elif wanted and wanted.startswith(UNKNOWN):
        # What an external metric is for is anybody's guess.
        words = wanted if "external.metrics" not in path else wanted[:wanted.rindex(" for ") + 5]
        if not (message == words or ("external.metrics" in path and message.startswith(words))):
            comparison.say("message", wanted, message)
    if "reason" not in theirs and mine.get("reason") == "InternalError" and theirs.get("code") == 500:
        mine.pop("reason")
    comparison.any("", theirs, mine)


def compare(path, want, got, now, rate):
    """What is wrong with the answer got, (status, body), to path; want: {"status", "body", "promql"}."""
    for better in BETTER:
        verdict = better(path, want, got)
        if verdict is not None:
            return verdict
    status, body = got
    if status != want["status"]:
        said = body.get("message") if isinstance(body, dict) else body
        return [f"{status} instead of {want['status']}: {said}"]
    comparison = Comparison(path, now, rate)
    wanted, body = ordered(want["body"]), ordered(body)
    if isinstance(body, dict) and isinstance(wanted, dict) and wanted.get("kind") == "Status":
        statuses(path, wanted, body, comparison)
    else:
        comparison.any("", wanted, body)
    return comparison.wrong
