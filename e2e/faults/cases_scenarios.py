"""What people who leave other autoscalers bring along: rules that name their pods themselves, labels that a scrape has renamed,
values in the billions, a metric of a Service, a rules file without rules."""

import contextlib

from case import test
from cases_metrics import NAMES, average, measure, origin, pods_of_web
from cases_rivals import held
from cases_serving import CUSTOM, EXTERNAL, gives, serving
from world import wait

SERVICES = "/api/v1/namespaces/default/services"
NO_RULES = "rules:\n"
# The first has no <<.LabelMatchers>> and groups by the pod alone; the second finds its series by a pattern.
RULES = r"""rules:
- seriesQuery: sent_bytes_total
  resources: {overrides: {pod: {resource: pod}, namespace: {resource: namespace}}}
  name: {matches: "^(.*)_total$", as: "${1}_rate"}
  metricsQuery: 8*ceil(sum(<<.Series>>{pod=~"web-.*", interface=~"eth.*"}) by (pod))
- seriesQuery: '{__name__=~"^hits.*_total$",kubernetes_namespace!="",kubernetes_pod!=""}'
  seriesFilters: []
  resources: {overrides: {kubernetes_namespace: {resource: namespace}, kubernetes_pod: {resource: pod}}}
  name: {matches: "(.*)_total", as: "${1}_qps"}
  metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)
- seriesQuery: hit_count{namespace!="",service!=""}
  resources: {overrides: {namespace: {resource: namespace}, service: {resource: service}}}
  metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)
"""


def expose(c, sent=0, hits=0, count=0):
    """Bytes a second and hits of each pod, and what the Service has counted."""
    for pod in NAMES:
        c.world.exporter.values.update({
            f'sent_bytes_total{{namespace="default",pod="{pod}",interface="eth0"}}': sent,
            f'sent_bytes_total{{namespace="default",pod="{pod}",interface="lo"}}': 10 ** 12,
            f'hits_total{{kubernetes_namespace="default",kubernetes_pod="{pod}"}}': hits})
    c.world.exporter.values['hit_count{namespace="default",service="web"}'] = count


def pods_metric(name, target):
    return {"type": "Pods", "pods": {"metric": {"name": name}, "target": average(target)}}


def empty(reply):
    return reply[0] == 200 and reply[1]["resources"] == []


@contextlib.contextmanager
def brought_along(c):
    """An operator whose rules file has no rules yet: the file."""
    rules = c.world.folder / "brought-along.yaml"
    rules.write_text(NO_RULES)
    with serving(c, rules=f"--rules={rules}"), pods_of_web(c):
        for path in (CUSTOM, CUSTOM.replace("v1beta2", "v1beta1"), EXTERNAL):
            wait(lambda path=path: f"an empty list: {c.plane.api('GET', path)}", lambda path=path: empty(c.plane.api("GET", path)))
        yield rules


def names_its_pods_itself(c):
    gives(c, f"{CUSTOM}/namespaces/default/pods/*/sent_bytes_rate", dict.fromkeys(NAMES, "16G"))
    listed = {r["name"] for r in c.plane.must("GET", CUSTOM)["resources"]}
    assert {"pods/sent_bytes_rate", "namespaces/sent_bytes_rate", "pods/hits_qps", "services/hit_count"} <= listed, listed
    c.edit(behavior={"scaleDown": {"selectPolicy": "Disabled"}})
    measure(c, **pods_metric("sent_bytes_rate", 8000000000))
    c.expect(4)
    wait(c.status, lambda: c.status()["targets"] == "16G/8G" and origin(c) == ["rules"])
    expose(c, sent=0)
    c.condition("ScalingLimited", "True", "ScaleDownLimit")
    c.condition("Ready", "True", "scaling down is disabled")
    c.keeps(4, 1)
    c.edit(behavior={"scaleDown": {"selectPolicy": None}})
    c.expect(1)


def renames_labels(c):
    gives(c, f"{CUSTOM}/namespaces/default/pods/*/hits_qps", dict.fromkeys(NAMES, "60"))
    measure(c, **pods_metric("hits_qps", "50000m"))
    c.expect(3)  # ceil(60 / 50 x 2)
    wait(c.status, lambda: c.status()["targets"] == "60/50")


def has_a_metric_of_a_service(c):
    measure(c, type="Object", object={"describedObject": {"apiVersion": "v1", "kind": "Service", "name": "web"},
                                      "metric": {"name": "hit_count"}, "target": {"type": "Value", "value": "100"}})
    gives(c, f"{CUSTOM}/namespaces/default/services/*/hit_count", {"web": "210"})
    c.expect(5)  # ceil(210 / 100 x 2)
    expose(c, count=0)
    c.expect(1)


@test
def rules_that_people_bring_along(c):
    with brought_along(c) as rules, held(c, SERVICES, {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}):
        expose(c, sent=2 * 10 ** 9, hits=60, count=210)
        rules.write_text(RULES)
        names_its_pods_itself(c)
        expose(c, hits=60, count=210)
        renames_labels(c)
        has_a_metric_of_a_service(c)
