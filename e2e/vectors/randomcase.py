"""Random configurations of prometheus-adapter and requests for what they make, over the objects of cluster.json and the series
of EXPOSITION. The same random.Random gives the same case."""

import json
import urllib.parse

NAMESPACES = ("shop",) * 12 + ("default", "default", "queue", "kube-system", "nosuch")
OBJECTS = {
    "pods": ("web-1", "web-2", "web-3", "db-0", "web.v2-0", "web.v2-1", "api-0", "gone-0", "nosuch"),
    "nodes": ("node-a", "node-b", "node-z"), "namespaces": ("shop", "default", "queue", "nosuch"),
    "services": ("frontend", "backend", "x"), "persistentvolumes": ("pv-1", "pv-2"), "deployments.apps": ("web", "db", "none"),
    "statefulsets.apps": ("db", "none"), "jobs.batch": ("nightly", "vec"), "ingresses.networking.k8s.io": ("edge", "none"),
    "widgets.acme.example": ("w1", "w2", "w9"), "gadgets.acme.example": ("g1", "g2"),
}
SPELLINGS = {
    "pods": ("pod", "Pods", "po"), "nodes": ("node", "nodes.metrics.k8s.io"), "services": ("service", "svc"),
    "namespaces": ("namespace", "ns"), "persistentvolumes": ("persistentvolume", "pv"),
    "deployments.apps": ("deployments", "deployment", "deployment.apps", "deployments.app", "deployments.extensions", "deploy"),
    "statefulsets.apps": ("statefulsets", "statefulset", "statefulset.a"),
    "jobs.batch": ("jobs", "job", "job.batch", "jobs.batch.v1"),
    "ingresses.networking.k8s.io": ("ingresses", "ingress", "ingress.networking", "ingresses.networking.k8s", "ingresses.extensions"),
    "widgets.acme.example": ("widgets", "widget", "widget.acme", "widgets.v1beta1.acme.example"),
    "gadgets.acme.example": ("gadgets", "gadget"),
}
RESOURCES = (
    ("namespace", "", "namespaces"), ("pod", "", "pods"), ("service", "", "services"), ("node", "", "nodes"),
    ("pv", "", "persistentvolumes"), ("deployment", "apps", "deployments"), ("sts", "apps", "statefulsets"),
    ("job", "batch", "jobs"), ("ingress", "networking.k8s.io", "ingresses"), ("widget", "acme.example", "widgets"),
    ("gadget", "acme.example", "gadgets"),
)
SINGULAR = {"ingresses": "ingress"}


def exposition():
    lines = []

    def add(name, value, **labels):
        inner = ",".join('{}="{}"'.format(k.rstrip("_"), v.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
                         for k, v in labels.items())
        lines.append(f"{name}{{{inner}}} {value}" if inner else f"{name} {value}")

    for pod, ns, verb, value in (("web-1", "shop", "GET", 3), ("web-1", "shop", "POST", 4), ("web-2", "shop", "GET", 10),
                                 ("web-2", "shop", "DELETE", 1), ("web-3", "shop", "GET", 0.25), ("db-0", "shop", "PUT", 100),
                                 ("web.v2-0", "shop", "GET", 1500), ("webxv2-0", "shop", "GET", 9), ("gone-0", "shop", "GET", 6),
                                 ("api-0", "default", "GET", 7), ("q-0", "queue", "GET", 8)):
        add("queue_depth", value, namespace=ns, pod=pod, verb=verb)
        add("app_http_hits", value * 1.0625, namespace=ns, pod=pod, verb=verb)
        add("my_http_hits_total", value * 1000, namespace=ns, pod=pod, verb=verb)
        add("container_cpu_usage_seconds_total", value / 7, namespace=ns, pod=pod, container="app")
        add("container_memory_bytes", value * 1048576 + 1, namespace=ns, pod=pod, container="POD")
        add("ratio_bucket", value, namespace=ns, pod=pod, le="0.5")
        add("ratio_bucket", value * 2, namespace=ns, pod=pod, le="+Inf")
        add("hits_total", "@RATE:%g@" % (value + 0.5), namespace=ns, pod=pod)
        add("kube_depth_gauge", value, kube_namespace=ns, kube_pod=pod, pod="ignored")
        add("exported", value, exported_namespace=ns, exported_pod=pod, namespace="monitoring", pod="exporter-0")
        add("orphan", value, pod=pod)
        add("in_app", value, k_core_namespace=ns, k__pod=pod, k_apps_deployment="web", k_batch_job="nightly")
    for i, (value, pod) in enumerate(zip(
            ("0.0009", "0.0019999", "-0.0005", "-1.5", "1e15", "123456789.123456", "NaN", "999.9999", "1e-9"),
                                         ("web-1", "web-2", "web-3", "db-0", "web.v2-0", "web.v2-1", "gone-0", "a", "b"))):
        add("exact", value, namespace="shop", pod=pod, i=str(i))
    for ns, pod, service, node, value in (("shop", "web-1", "frontend", "node-a", 2), ("shop", "web-2", "frontend", "node-b", 5),
                                          ("shop", "db-0", "backend", "node-b", 11), ("default", "api-0", "kubernetes", "node-a", 1)):
        add("inflight", value, namespace=ns, pod=pod, service=service, node=node)
    add("node_load", 1.25, node="node-a", zone="a")
    add("node_load", 2.5, node="node-b", zone="b")
    add("node_load", 2.5, node="node-z", zone="b")
    add("pv_used_bytes", 1073741824, pv="pv-1", namespace="shop")
    add("pv_free_bytes", 1024, pv="pv-1")
    for labels in ({"deployment": "web"}, {"deployment": "db"}, {"sts": "db"}, {"ingress": "edge"}, {"widget": "w1"}, {"widget": "w2"},
                   {"job": "nightly"}, {"statefulset": "db"}):
        add("work_items", len(str(labels)) * 1.5, namespace="shop", **labels)
    add("cluster_items", 12, gadget="g1")
    add("cluster_items", 13, gadget="g2", namespace="shop")
    add("Loud_Total", 4, namespace="shop", pod="web-1")
    add("job:hits:rate5m", 11, namespace="shop", pod="web-1")
    add("job:hits:rate5m", 12, namespace="shop", pod="web-2")
    add("level", 4)
    add("odd", 1, namespace="shop", pod="web-1", path='a"b\\c')
    add("odd", 2, namespace="shop", pod="web-2", path="ünïcödé\n")
    for ns, queue, az, value in (("shop", "orders", "1", 120), ("shop", "orders", "2", 30), ("shop", "mail", "1", 5),
                                 ("queue", "orders", "1", 1000), ("default", "a b", "1", 0.5)):
        add("broker_backlog", value, namespace=ns, queue=queue, az=az)
    for pod, ns, node in (("web-1", "shop", "node-a"),
                          ("web-2", "shop", "node-b"), ("db-0", "shop", "node-b"), ("api-0", "default", "node-a"),
                          ("web.v2-0", "shop", "node-a")):
        for i, container in enumerate(("app", "log", "POD", "")):
            add("use_cpu", 0.0123 * (i + 1) * len(pod), namespace=ns, pod=pod, node=node, container=container)
            if pod != "web-2" or i:
                add("use_memory", 1048576.5 * (i + 1) + len(pod), namespace=ns, pod=pod, node=node, container=container)
    return "\n".join(lines) + "\n"


EXPOSITION = exposition()
SERIES = sorted({line.split("{")[0].split(" ")[0] for line in EXPOSITION.splitlines()})

SELECTORS = (
    '{namespace!="",pod!=""}', '{__name__=~"^(app|my)_.*",namespace!="",pod!=""}', '{__name__=~"^container_.*",namespace!=""}',
    '{__name__!~"^container_.*",pod!=""}', '{__name__=~"queue.+|exact|odd"}', '{namespace="shop"}', '{kube_namespace!=""}',
    '{pod=~"web-.*",__name__!="odd"}', '{job="vec",node!=""}', '{__name__=~"(?i)loud.*"}', '{k__pod!=""}',
    '{__name__="nosuch"}',
)
FILTERS = ({"is": "^app_"}, {"is": "_total$"}, {"isNot": "_total$"}, {"isNot": "^container_.*_seconds_total"}, {"isNot": "bytes"},
           {"is": "."}, {"isNot": "^(up|scrape_.*)$"}, {"is": "(?i)HITS|DEPTH"})
NAMES = (
    {}, {}, {"matches": "^(.*)_total$", "as": "${1}_per_second"}, {"matches": "^(.*)_total$"},
    {"matches": "^(.*)_total$", "as": ""}, {"matches": "_total"}, {"matches": "hits|depth"},
    {"matches": "^(?:app|my)_(.*?)(_total)?$", "as": "$1"}, {"matches": "^(app|my)_(http|grpc)_(.*)$", "as": "$2.$1-${3}"},
    {"matches": "^(?P<a>[a-z]+)_(?P<b>[a-z]+)", "as": "${b}_$a"}, {"as": "fixed"}, {"as": "x_$0"}, {"as": "x_${0}_y"},
    {"matches": "(.*)", "as": "$1"}, {"matches": "^(.*)_depth$", "as": "$$1$"}, {"matches": "^container_(.*)_seconds_total$"},
    {"matches": "", "as": ""}, {"matches": "^(.)(.*)$", "as": "$2$1"}, {"matches": "([a-z]+)_([a-z]+)", "as": "$1$2"},
    {"matches": "(x)?queue_(.*)", "as": "q$1-$2"}, {"matches": "^(.*)_total$", "as": "$1_rate"},
    {"matches": "^([^_]*)_", "as": "${1}"}, {"matches": "o+", "as": "<$0>"}, {"matches": "^my_(.*)$", "as": "${1"},
    {"matches": "^my_(.*)$", "as": "${1}$"}, {"matches": "^my_(.*)$", "as": "$-$1"},
)
TEMPLATES = (
    "<<.Resource>>", "kube_<<.Resource>>", "k_<<.Group>>_<<.Resource>>", "exported_<<.Resource>>",
    "<<.Resource>><<if .Group>><<end>>", "<<if ne .Group \"\">><<.Resource>><<else>><<.Resource>><<end>>",
    "(kube_)?<<.Resource>>", "<< .Resource | printf \"%s\" >>", "<<- /* c */ ->>\n<<.Resource>>",
)
INNER = (
    "<<.Series>>{<<.LabelMatchers>>}", "<<.Series>>{<<.LabelMatchers>>,verb=\"GET\"}",
    "<<.Series>>{verb!=\"GET\",<<.LabelMatchers>>}",
    "<<.Series>>{<<- range $i, $m := .GroupBySlice ->> <<end>><<.LabelMatchers>>}",
    "rate(<<.Series>>{<<.LabelMatchers>>}[20s])", "{__name__=\"<<.Series>>\",<<.LabelMatchers>>}",
    "<<.Series>>{<<.LabelMatchers>>} * 2", "last_over_time(<<.Series>>{<<.LabelMatchers>>}[10s])",
    "<<.Series>>{namespace=\"<<index .LabelValuesByName \"namespace\">>\",pod=~\"<<index .LabelValuesByName \"pod\">>\"}",
    "<<.Series>>{<<range $k, $v := .LabelValuesByName>><<$k>>=~\"<<$v>>\",<<end>>}",
    "<<.Series>>{<<range $k, $v := .LabelValuesByName>><<if ne $k \"namespace\">><<$k>>=~\"<<$v>>\",<<end>><<end>>}",
    "<<.Series>>{<<with .LabelValuesByName.verb>>verb=~\"<<.>>\",<<end>><<.LabelMatchers>>}",
    "<<printf \"%s{%s}\" .Series .LabelMatchers>>", "<<$s := .Series>><<$s>>{<<.LabelMatchers>>} - 0.5",
    "<<if eq .Series \"queue_depth\">>queue_depth<<else if eq .Series \"odd\" \"exact\">><<.Series>><<else>><<.Series>><<end>>{<<.LabelMatchers>>}",
    "label_replace(<<.Series>>{<<.LabelMatchers>>}, \"pod\", \"web-1\", \"pod\", \"web-2\")",
    "<<.Series>>{<<.LabelMatchers>>,container!=\"POD\"} offset 1s", "max_over_time(<<.Series>>{<<.LabelMatchers>>}[10s:1s])",
    "queue_depth{<<.LabelMatchers>>} + on(namespace,pod) group_right <<.Series>>{<<.LabelMatchers>>}",
)
OUTER = (
    "sum(%s) by (<<.GroupBy>>)", "sum(%s) by (<<.GroupBy>>)", "avg by (<<.GroupBy>>) (%s)",
    "max(%s) by (<<index .GroupBySlice 0>>)", "count(%s) by (<<.GroupBy>>,verb)",
    "sum(%s) by (<<range $i, $l := .GroupBySlice>><<if $i>>,<<end>><<$l>><<end>>)", "%s", "topk(1, %s)",
    "sum(%s) by (<<.GroupBy>>) / sum(queue_depth{<<.LabelMatchers>>}) by (<<.GroupBy>>)", "sum(%s) by (<<.GroupBy>>) > 2",
    "-sum(%s) by (<<.GroupBy>>)", "sum(%s) by (<<.GroupBy>>) or vector(0)", "quantile(0.5, %s) by (<<.GroupBy>>)",
    "sum(%s) without (verb, job, instance)", "clamp_max(sum(%s) by (<<.GroupBy>>), 5)",
    "sum(%s) by (<<.GroupBy>>) + scalar(count(%s))", "histogram_quantile(0.9, sum(%s) by (<<.GroupBy>>, le))", "sum(%s)",
    "sum(%s) by (<<.GroupBy>>, pod, namespace)", "ceil(sum(%s) by (<<.GroupBy>>) ^ 2 %% 7)", "absent(%s)",
    "sort_desc(sum(%s) by (<<.GroupBy>>))", "sum(%s) by(<<.GroupBy>>) unless max(up)",
)
ALONE = (
    "vector(1)", "scalar(level)", "1.5", "level", "<<.Nosuch>>", "<<index .GroupBySlice 3>>", "", "sum(", "level[1m]",
    "\"text\"", "time() * 0", "sum(queue_depth) by (namespace)", "<<if .LabelValuesByName>>level<<end>>",
    "<<len .LabelMatchers>>", "queue_depth", "<<.GroupBySlice>>",
)


def resources(rng):
    out = {}
    if rng.random() < 0.75:
        chosen = dict(list({r[0]: r for r in RESOURCES}.items())[:2]) if rng.random() < 0.8 else {}
        chosen.update({r[0]: r for r in rng.sample(RESOURCES, rng.choice((0, 0, 1, 2, 4)))})
        overrides = {}
        for label, group, plural in chosen.values():
            prefix = rng.choice(("",) * 8 + ("kube_", "exported_"))
            word = plural if rng.random() < 0.5 else SINGULAR.get(plural, plural[:-1])
            overrides[prefix + label] = {"group": group, "resource": word} if group else {"resource": word}
        out["overrides"] = overrides
    if not out or rng.random() < 0.35:
        out["template"] = rng.choice(TEMPLATES)
    if rng.random() < 0.2:
        out["namespaced"] = rng.random() < 0.5
    return out


def query(rng):
    if rng.random() < 0.06:
        return rng.choice(ALONE)
    inner, outer = rng.choice(INNER[:2] if rng.random() < 0.4 else INNER), rng.choice(OUTER[:3] if rng.random() < 0.4 else OUTER)
    return outer.replace("%%", "\0").replace("%s", inner).replace("\0", "%")


def rule(rng):
    selector = rng.choice(SELECTORS) if rng.random() < 0.5 else \
        rng.choice(SERIES) + rng.choice(("", '{pod!=""}', '{namespace!=""}', "{}"))
    out = {"seriesQuery": selector, "metricsQuery": query(rng)}
    if rng.random() < 0.9:
        out["resources"] = resources(rng)
    if rng.random() < 0.3:
        out["seriesFilters"] = rng.sample(FILTERS, rng.choice((0, 1, 2)))
    name = rng.choice(NAMES)
    if name:
        out["name"] = name
    return out


def resource_rule(rng, what):
    by = {"namespace": {"resource": "namespace"}, "pod": {"resource": rng.choice(("pod", "pods"))}, "node": {"resource": "node"}}
    where = rng.choice(({"overrides": by}, {"overrides": by}, {"template": "<<.Resource>>"}))
    inner = rng.choice((f"use_{what}{{<<.LabelMatchers>>}}", f"use_{what}{{<<.LabelMatchers>>,container!=\"\"}}",
                        f"use_{what}{{container!=\"POD\",<<.LabelMatchers>>}}"))
    return {"containerQuery": rng.choice(("sum(%s) by (<<.GroupBy>>)", "sum by (<<.GroupBy>>) (%s)", "max(%s) by (<<.GroupBy>>) - 0.02",
                                          "sum(%s) by (<<index .GroupBySlice 0>>, <<index .GroupBySlice 1>>)")) % inner,
            "nodeQuery": rng.choice(("sum(%s) by (<<.GroupBy>>)",
                                     "sum(%s) by (<<.GroupBy>>) / 2", "avg(%s) by (<<.GroupBy>>,container)")) % inner,
            "resources": where, "containerLabel": "container"}


def config(rng):
    """One configuration, which is good but for what chance makes of it."""
    out = {}
    if rng.random() < 0.93:
        out["rules"] = [rule(rng) for _ in range(rng.randint(1, 6))]
    if rng.random() < 0.6:
        out["externalRules"] = [rule(rng) for _ in range(rng.randint(1, 4))]
    if rng.random() < 0.3:
        out["resourceRules"] = {"cpu": resource_rule(rng, "cpu"), "memory": resource_rule(rng, "memory"),
                                **rng.choice(({}, {"window": "3m"}, {"window": "1h30m"}, {"window": "90s"}, {"window": "1d"}))}
    return json.dumps(out, indent=1, ensure_ascii=False)


# ---- requests ----

OBJECT_LABELS = (
    "app=web", "app!=web", "app in (web,db)", "app,track", "!track", "app notin (web)", "app=none", "team=retail", "zone=a",
    "app==db", "app=web,track!=canary", "tier in (front)", "size=l", "app=", "app in ()", "x.y/z=1", "a/b/c=1", "app=web,", ",",
    "app in (web", "=x", "app=a b", "app>1", "app<x", " app = web ", "app=web,app=db", "app notin (web,db),!track", "(app)",
    "kubernetes.io/os=linux",
)
METRIC_LABELS = (
    "verb=GET", "verb==GET", "verb!=GET", "verb in (GET,POST)", "verb in (POST,GET)", "verb in (GET)", "verb notin (GET)",
    "verb", "!verb", "verb notin (GET,DELETE)", "verb=GET,pod=web-1", "namespace=default", "pod in (web-1,web-2),verb",
    "verb=NEVER", "verb=", "verb in ()", "verb>1", "verb<1", "a.b=1", "a/b=1", "verb=a b", "verb=GET,verb=POST",
    "!verb,!nosuch", "pod=web.v2-0", "z in (b,a,c),a notin (y,x)", "verb in (,GET)", "le=0.5", "verb in", "queue=orders",
    "queue!=orders", "queue in (mail,orders),az=1", "az notin (1)", "az", "verb=GET,", "verb=get", "V=1", "_x=1", "1a=1",
    "a-b!=c", "verb=-", "verb in (GET,GET)", "pod!=web-1,pod!=web-2", "namespace in (shop,default)", "namespace!=shop",
    "__name__=queue_depth",
)


FIELDS = (
    "metadata.name=web-1", "metadata.namespace=shop", "metadata.name!=web-1", "metadata.name=node-a",
    "metadata.name==web-2,metadata.namespace=shop", "spec.nodeName=node-a", "status.phase=Running", "metadata.name",
    "metadata.name=web-1,metadata.namespace!=shop", "", "metadata.name=*", "metadata.name=web-1,", "metadata.name=a b",
    " metadata.name = web-1", "metadata.name=", "metadata.name=web\\,1", "x", "metadata.namespace=", ",,",
    "metadata.name in (web-1)", "metadata.name=web-1,metadata.name=web-2", "metadata.name!=web-1,metadata.name!=web-2",
)
EXTRAS = (
    ("limit", ("1", "x", "-1", ""), 0.02), ("watch", ("true", "1", "false", "0", "x", ""), 0.02),
    ("timeoutSeconds", ("5", "x"), 0.02), ("resourceVersion", ("0", "x"), 0.02), ("pretty", ("true",), 0.01),
    ("continue", ("x",), 0.01), ("allowWatchBookmarks", ("x", "true"), 0.01), ("labelSelector", OBJECT_LABELS, 0.02),
)


def some_query(rng, fields):
    pairs = []
    for name, values, chance in fields:
        if rng.random() < chance:
            pairs.append(f"{name}={urllib.parse.quote(rng.choice(values), safe=rng.choice(('', '=,()', '!=,()')))}")
    return "?" + "&".join(pairs) if pairs else ""


def custom_path(rng, entries):
    version = rng.choice(("v1beta1", "v1beta2", "v1beta2", "v1beta2"))
    base = f"/apis/custom.metrics.k8s.io/{version}"
    if entries and rng.random() < 0.93:
        entry = rng.choice(entries)
        resource, _, metric = entry["name"].partition("/")
        namespaced = entry["namespaced"]
    else:
        resource, metric, namespaced = rng.choice(list(OBJECTS)), rng.choice(SERIES), rng.random() < 0.7
    word = rng.choice(SPELLINGS.get(resource, (resource,))) if rng.random() < 0.12 else resource
    if rng.random() < 0.05:
        namespaced = not namespaced
    if rng.random() < 0.03:
        metric = rng.choice((metric + "x", metric[:-1], metric.upper(), "*", ""))
    name = "*" if rng.random() < 0.5 else rng.choice(OBJECTS.get(resource, ("x",)))
    ns = rng.choice(NAMESPACES) if rng.random() < 0.97 else "*"
    metric = urllib.parse.quote(metric, safe="")
    if resource == "namespaces" and rng.random() < 0.9:
        path = f"{base}/namespaces/{name}/metrics/{metric}"
    elif namespaced:
        path = f"{base}/namespaces/{ns}/{word}/{name}/{metric}"
    else:
        path = f"{base}/{word}/{name}/{metric}"
    return path + some_query(rng, (("labelSelector", OBJECT_LABELS, 0.3), ("metricLabelSelector", METRIC_LABELS, 0.35),
                                   ("fieldSelector", FIELDS, 0.06), *EXTRAS))


def external_path(rng, entries):
    metric = rng.choice(entries)["name"] if entries and rng.random() < 0.93 else rng.choice(SERIES)
    ns = rng.choice(NAMESPACES) if rng.random() < 0.96 else "*"
    return (f"/apis/external.metrics.k8s.io/v1beta1/namespaces/{ns}/{urllib.parse.quote(metric, safe='')}"
            + some_query(rng, (("labelSelector", METRIC_LABELS, 0.6),
                               ("metricLabelSelector", METRIC_LABELS, 0.03), ("fieldSelector", FIELDS, 0.06), *EXTRAS)))


def resource_path(rng, _):
    base = "/apis/metrics.k8s.io/v1beta1"
    ns = rng.choice(NAMESPACES)
    path = rng.choice((f"{base}/nodes", f"{base}/nodes/{rng.choice(OBJECTS['nodes'] + ('*',))}",
                       f"{base}/pods", f"{base}/namespaces/{ns}/pods",
                       f"{base}/namespaces/{ns}/pods/{rng.choice(OBJECTS['pods'] + ('*',))}"))
    return path + some_query(rng, (("labelSelector", OBJECT_LABELS, 0.4), ("fieldSelector", FIELDS, 0.3), *EXTRAS))


ODD = (
    "/apis", "/apis/", "/apis/custom.metrics.k8s.io", "/apis/custom.metrics.k8s.io/", "/apis/external.metrics.k8s.io",
    "/apis/metrics.k8s.io", "/apis/metrics.k8s.io/v1beta1", "/apis/metrics.k8s.io/v1beta1/",
    "/apis/custom.metrics.k8s.io/v1beta1/", "/apis/external.metrics.k8s.io/v1beta1/", "/apis/custom.metrics.k8s.io/v1beta3",
    "/apis/external.metrics.k8s.io/v1beta2", "/apis/external.metrics.k8s.io/v1beta1/namespaces",
    "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop", "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/",
    "/apis/metrics.k8s.io/v1beta1/namespaces", "/apis/metrics.k8s.io/v1beta1/namespaces/shop",
    "/apis/metrics.k8s.io/v1beta1/deployments", "/apis/metrics.k8s.io/v1beta1/pods/web-1",
    "/apis/metrics.k8s.io/v1beta1/namespaces/shop/nodes", "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods/web-1/log",
    "/apis/metrics.k8s.io/v1beta1/nodes/node-a/x", "/apis/custom.metrics.k8s.io/v1beta2/namespaces",
    "/apis/custom.metrics.k8s.io/v1beta2/namespaces/", "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods",
    "/apis/custom.metrics.k8s.io/v1beta2/nodes", "/apis/custom.metrics.k8s.io/v1beta2/nodes/node-a",
    "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/metrics",
    "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/metrics/", "/apis/custom.metrics.k8s.io/v1beta2/a/b/c/d/e/f",
    "/apis/custom.metrics.k8s.io/v1beta2//namespaces/shop/pods/x/y", "/api", "/api/v1", "/nosuch", "/apis/nosuch",
    "/apis/apps/v1", "/openapi",
)


TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
ACCEPTS = (
    "application/json", "*/*", "", "application/*", "text/html", TABLE, TABLE + ",application/json",
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io",
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "application/json;as=Bogus;v=v1;g=meta.k8s.io",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json;stream=watch", "bogus",
    "application/json;q=0", "application/json;charset=utf-8",
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json",
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json",
)


def requests(rng, lists, count):
    """Paths; lists: the entries of the three groups by their name, as one of the servers lists them."""
    makers = [(custom_path, lists.get("custom.metrics.k8s.io")), (external_path, lists.get("external.metrics.k8s.io"))]
    weights = [6 if makers[0][1] else 0.5, 3 if makers[1][1] else 0.1, 3 if "metrics.k8s.io" in lists else 0.05]
    makers.append((resource_path, lists.get("metrics.k8s.io")))
    for _ in range(count):
        if rng.random() < 0.04:
            yield rng.choice(ODD)
        else:
            maker, entries = rng.choices(makers, weights)[0]
            yield maker(rng, entries)
