#!/usr/bin/python3
"""Makes docs/reference/policy.md and metric-sources.md from the descriptions
in the definitions.

usage: docs/tools/policy-reference.py [--check]

With --check nothing is written: exits 1 when a page is not what the
definitions give now. Needs Debian's python3-yaml, hence Debian's python3.
"""
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CRDS = ROOT / "crds"
PAGES = ROOT / "docs" / "reference"

POLICY_INTRO = """<!-- Made by docs/tools/policy-reference.py from crds/autoscalingpolicies.yaml: change that. -->
# AutoscalingPolicy

Every field of `{group}/{version}`, kind `{kind}` (short: `{short}`). `kubectl explain {short}.spec` prints the
same text. [Concepts](../concepts.md) tells how the fields work together; `crds/examples/` has policies to start from.

The fields of an `autoscaling/v2` HorizontalPodAutoscaler have the same names, defaults and meaning, so that its `spec`
is a valid policy `spec`. A *quantity* is a number, as `100` or `0.5`, or a string with a suffix, as `250m` or `1.5Gi`.
"""

ANNOTATIONS = """## Annotations

| annotation | meaning |
|---|---|
| `autoscaling.trimtab.dev/take-over-from` | Name of a HorizontalPodAutoscaler on the same workload. Without it a policy \
does not act while there is one, and says so in its Conflict condition. With it the policy computes what it would do, and \
once that rests on valid metrics, removes the HorizontalPodAutoscaler and scales in its place. |
| `autoscaling.trimtab.dev/taken-over` | Written by the operator: the manifest of the HorizontalPodAutoscaler that was \
taken over, to go back to. |
| `autoscaling.trimtab.dev/taken-over-uid` | Written by the operator: its uid. |
"""


SOURCES_INTRO = """<!-- Made by docs/tools/policy-reference.py from crds/metricsources.yaml: change that. -->
# MetricSource and ClusterMetricSource

Every field of `{group}/{version}`, kinds `{kind}` (short: `{short}`) and `ClusterMetricSource` (short: `cmsrc`): a
Prometheus-compatible server that a policy's metric names in `prometheus.source`. Both have the same fields. A `{kind}` is for the
policies of its namespace and takes its Secrets from there; a `ClusterMetricSource` is for those of all namespaces and takes its
Secrets from the operator's. Where both have a name, the `{kind}` of the policy's namespace is the one.
[Several Prometheus servers](../how-to/several-prometheus-servers.md) shows how they are used.
"""


def anchor(path):
    return re.sub(r"[^a-z0-9_-]", "", path.lower())


def is_section(schema):
    """Objects with known fields have a section of their own."""
    return "properties" in schema


def type_of(schema, path, sections):
    if schema.get("type") == "array":
        return f"list of {type_of(schema['items'], path + '[]', sections)}"
    if is_section(schema):
        return f"[object](#{anchor(sections.setdefault(repr(schema), path))})"
    if schema.get("x-kubernetes-int-or-string"):
        return "quantity"
    if schema.get("type") == "object":
        return "map of strings" if "additionalProperties" in schema else "object"
    if schema.get("format") == "date-time":
        return "time"
    return schema.get("type", "quantity")


def default_of(schema):
    if "default" not in schema:
        return ""
    default = schema["default"]
    if isinstance(default, (dict, list)):
        return "as described" if default else "`{}`"
    return f"`{default}`"


def prose(text):
    return text.strip().replace("<", "&lt;")


def cell(text):
    """Text for one cell: paragraphs become breaks, bars are escaped."""
    return re.sub(r"\n+", "<br>", prose(text)).replace("|", "\\|")


def row(name, schema, kind, required):
    need = "**required**" if required else default_of(schema)
    return f"| `{name}` | {kind} | {need} | {cell(schema.get('description', ''))} |"


def rules_below(schema, top=True):
    """Messages of the rules of this object and of its plain fields: what has a section speaks for itself there."""
    if not top and is_section(schema):
        return
    for rule in schema.get("x-kubernetes-validations", []):
        yield rule["message"]
    for child in schema.get("properties", {}).values():
        yield from rules_below(child, False)


def section(schema, path, lines, sections):
    """One section, then those below it. sections maps a schema to the path that shows it: each is shown once."""
    text = prose(schema.get("description", "")).replace("\n", "\n\n")
    lines += [f"{'##' if '.' not in path else '###'} {path}", "", text, "", "| field | type | default | meaning |", "|---|---|---|---|"]
    below = []
    for name, child in schema["properties"].items():
        child_path = f"{path}.{name}"
        inner, inner_path = (child["items"], child_path + "[]") if child.get("type") == "array" else (child, child_path)
        if is_section(inner) and repr(inner) not in sections:
            below.append((inner, inner_path))
        lines.append(row(name, child, type_of(child, child_path, sections), name in schema.get("required", [])))
    messages = list(dict.fromkeys(rules_below(schema)))
    if messages:
        lines += ["", "Refused with one of these sentences:", ""] + [f"- {prose(message)}" for message in messages]
    lines.append("")
    for inner, inner_path in below:
        section(inner, inner_path, lines, sections)


def columns(version, lines):
    lines += ["## Columns of kubectl get", "", "| column | shows | when |", "|---|---|---|"]
    for column in version["additionalPrinterColumns"]:
        path = column["jsonPath"].lstrip(".").replace("|", "\\|")
        lines.append(f"| {column['name'].upper()} | `{path}` | {'`-o wide`' if column.get('priority') else 'always'} |")
    lines.append("")


def page(definition, intro, closing):
    spec = definition["spec"]
    version = spec["versions"][0]
    names = spec["names"]
    root = version["schema"]["openAPIV3Schema"]["properties"]
    short = names["shortNames"][0]
    lines = [intro.format(group=spec["group"], version=version["name"], kind=names["kind"], short=short)]
    sections = {}
    for name in ("spec", "status"):
        section(root[name], name, lines, sections)
    lines += closing
    columns(version, lines)
    return "\n".join(lines).rstrip("\n") + "\n"


def refresh(definition, path, intro, closing, check):
    """Writes the page, or with check says whether it is current."""
    wanted = page(yaml.safe_load((CRDS / definition).read_text()), intro, closing)
    if not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted)
    elif not path.exists() or path.read_text() != wanted:
        print(f"{path.relative_to(ROOT)} is not current: run docs/tools/policy-reference.py", file=sys.stderr)
        return 1
    return 0


def main(arguments):
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    check = bool(arguments)
    return (refresh("autoscalingpolicies.yaml", PAGES / "policy.md", POLICY_INTRO, [ANNOTATIONS], check)
            | refresh("metricsources.yaml", PAGES / "metric-sources.md", SOURCES_INTRO, [], check))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
