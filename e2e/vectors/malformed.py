"""Texts that may be no configuration of prometheus-adapter: those thought of, and good ones with chance's changes."""

GOOD = """rules:
- seriesQuery: 'queue_depth{namespace!="",pod!=""}'
  seriesFilters:
  - isNot: "_total$"
  - is: "^queue"
  resources:
    template: "<<.Resource>>"
    overrides:
      namespace: {resource: namespace}
      pod: {resource: pod}
      dep: {group: apps, resource: deployment}
  name:
    matches: "^(.*)_depth$"
    as: "${1}s"
  metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'
externalRules:
- seriesQuery: 'broker_backlog{queue!=""}'
  resources: {namespaced: false}
  metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (queue)'
resourceRules:
  cpu:
    containerQuery: 'sum(use_cpu{<<.LabelMatchers>>}) by (<<.GroupBy>>)'
    nodeQuery: 'sum(use_cpu{<<.LabelMatchers>>}) by (<<.GroupBy>>)'
    resources:
      overrides:
        namespace: {resource: namespace}
        node: {resource: node}
        pod: {resource: pod}
    containerLabel: container
  memory:
    containerQuery: 'sum(use_memory{<<.LabelMatchers>>}) by (<<.GroupBy>>)'
    nodeQuery: 'sum(use_memory{<<.LabelMatchers>>}) by (<<.GroupBy>>)'
    resources: {template: "<<.Resource>>"}
    containerLabel: container
  window: 3m
"""


def rule(**fields):
    """One rule of flow mappings: each field is YAML text; None leaves it out."""
    all_fields = {"seriesQuery": "'up'", "metricsQuery": "'up'", **fields}
    return "rules:\n- " + "\n  ".join(f"{k}: {v}" for k, v in all_fields.items() if v is not None) + "\n"


def resource(what, **fields):
    one = {"containerQuery": "'1'", "nodeQuery": "'1'", "resources": '{template: "<<.Resource>>"}', "containerLabel": "c", **fields}
    text = "{" + ", ".join(f"{k}: {v}" for k, v in one.items() if v is not None) + "}"
    other = '{containerQuery: "1", nodeQuery: "1", resources: {template: "<<.Resource>>"}, containerLabel: c}'
    return f"resourceRules:\n  cpu: {text if what == 'cpu' else other}\n  memory: {text if what == 'memory' else other}\n"


WINDOWS = ("3m", "90", "'90'", "1h30m", "1d", "1w", "1y", "100ms", "0", "0s", "-1m", "1m30", "''", "null", "abc", "1.5m",
           "30m1h", "1m1m", "3M", "1d12h", "[1m]", "9999y", " 3m", "+3m")
THOUGHT_OF = [
    "", " \n", "---\n", "--- {}\n", "{}\n---\nrules: []\n", "null\n", "[]\n", "rules\n", "42\n", '""\n', "~\n", "# nothing\n",
    "\ufeff{}\n", "rules:\n", "rules: []\n", "rules: null\n", "rules: {}\n", "rules: x\n", "rules: [null]\n", "rules: ['up']\n",
    "rules: [[]]\n", "rules: [{}]\n", "externalRules: [{}]\n", "rules: 1\n", "resourceRules: {}\n", "resourceRules: null\n",
    "resourceRules: []\n", "resourceRules: {window: 1m}\n", "resourceRules: {cpu: {}}\n",
    "resourceRules: {cpu: {}, memory: {}}\n", "Rules: []\n", "rules: []\nrules: []\n", "rules: []\nfoo: 1\n",
    "%YAML 1.1\n---\n{}\n", "rules: [\n", "\trules: []\n", "rules:\n\t- seriesQuery: up\n", "a: &x 1\n",
    "rules: &r []\nexternalRules: *r\n", "rules: *nosuch\n", "rules: !!seq []\n", "rules: !foo []\n", "'rules': []\n",
    '"rules": []\n', "? rules\n: []\n", "{rules: [], externalRules: []}\n", "rules: []\n...\n", "rules: []\n...\njunk: [\n",
    "rules: []\x00\n", "rules: []\r\n", "1: 2\n", "<<: {rules: []}\n", "rules: - x\n", "rules: 'a\n", "rules: >\n  x\n",
    "@rules: []\n", "rules: [}\n", "true: []\n", rule(), rule(seriesQuery=None), rule(metricsQuery=None),
    rule(seriesQuery="''"), rule(metricsQuery="''"), rule(seriesQuery="42"), rule(metricsQuery="42"), rule(seriesQuery="true"),
    rule(seriesQuery="null"), rule(metricsQuery="null"), rule(seriesQuery="[up]"), rule(seriesQuery="{a: b}"),
    rule(seriesQuery="'sum('"), rule(seriesQuery="|\n    up"), rule(metricsQuery=">-\n    sum(up)\n    by (x)"),
    rule(seriesQuery="up{a='b'}"), rule(seriesQuery="2022-01-01"), rule(seriesQuery="1.5"), rule(seriesquery="up"),
    rule(bogus="1"), rule(seriesFilters="[]"), rule(seriesFilters="null"), rule(seriesFilters="{}"), rule(seriesFilters="[{}]"),
    rule(seriesFilters="[null]"), rule(seriesFilters="[{is: a, isNot: b}]"), rule(seriesFilters='[{is: ""}]'),
    rule(seriesFilters='[{is: "", isNot: a}]'), rule(seriesFilters="[{is: '('}]"), rule(seriesFilters="[{isNot: '*'}]"),
    rule(seriesFilters="[{not: a}]"), rule(seriesFilters="[a]"), rule(seriesFilters="[{is: 1}]"),
    rule(seriesFilters="[{is: [a]}]"), rule(seriesFilters="[{is: '(?=x)'}]"), rule(seriesFilters="[{is: '\\\\1'}]"),
    rule(seriesFilters="[{is: '(?<a>x)'}]"), rule(seriesFilters="[{is: '(?P<a>x)(?P<a>y)'}]"),
    rule(seriesFilters="[{is: 'a{1001}'}]"), rule(seriesFilters="[{is: '\\\\pN\\\\p{Greek}[[:alpha:]]'}]"),
    rule(seriesFilters="[{is: '[[:nosuch:]]'}]"), rule(seriesFilters="[{is: 'a**'}]"), rule(seriesFilters="[{is: 'a++'}]"),
    rule(seriesFilters="[{is: '\\\\C'}]"), rule(seriesFilters="[{is: '(?i)a(?-i:b)'}]"),
    rule(seriesFilters="[{is: '\\\\Qa.b\\\\E'}]"), rule(seriesFilters="[{is: 'x{2,1}'}]"),
    rule(seriesFilters="[{is: '[b-a]'}]"), rule(seriesFilters="[{is: '\\\\z\\\\A\\\\b\\\\B'}]"),
    rule(seriesFilters="[{is: '\\\\Z'}]"), rule(seriesFilters="[{is: '[^]'}]"), rule(seriesFilters="[{is: 'a|*'}]"),
    rule(seriesFilters="[{is: '\\\\x{10ffff}\\\\x41\\\\101'}]"), rule(seriesFilters="[{is: '\\\\x{110000}'}]"),
    rule(seriesFilters="[{is: '(?s-m:a)'}]"), rule(seriesFilters="[{is: '(?x)a'}]"), rule(seriesFilters="[{is: '(?#c)'}]"),
    rule(seriesFilters="[{is: 'a{,2}'}]"), rule(seriesFilters="[{is: 'a{'}]"), rule(seriesFilters="[{is: ')'}]"),
    rule(seriesFilters="[{is: '\\\\8'}]"), rule(seriesFilters="[{is: '((a{100}){100}){100}'}]"),
    rule(seriesFilters="[{is: '(?P<>x)'}]"), rule(seriesFilters="[{is: '(?P<1>x)'}]"), rule(seriesFilters="[{is: '\\\\_'}]"),
    rule(name="null"), rule(name="{}"), rule(name="up"), rule(name="{as: x}"), rule(name="{matches: ''}"),
    rule(name="{matches: '(a)(b)'}"), rule(name="{matches: '(a)(b)', as: ''}"), rule(name="{matches: '(a)(b)', as: x}"),
    rule(name="{matches: '(?:a)(b)'}"), rule(name="{matches: '(?P<x>a)'}"), rule(name="{matches: a, as: '$9'}"),
    rule(name="{As: x}"), rule(name="{matches: '['}"), rule(name="{matches: 1, as: 2}"), rule(name="{as: '${'}"),
    rule(name="{as: null}"), rule(name="[]"), rule(name="{matches: '(', as: x}"), rule(name="{matches: 'a', as: [x]}"),
    rule(name="{matches: yes}"), rule(name="{as: no}"), rule(name="{as: 0x10}"), rule(name="{as: 1e3}"), rule(resources="null"),
    rule(resources="{}"), rule(resources="{template: ''}"), rule(resources="{template: 'x'}"),
    rule(resources="{template: '<<.Resource'}"), rule(resources="{template: '<<.Nosuch>>'}"),
    rule(resources="{template: '<<.Resource>><<.Nosuch>>'}"), rule(resources="{template: '<<.Group>>'}"),
    rule(resources="{template: '<<.Resource>>('}"), rule(resources="{template: '[<<.Resource>>'}"),
    rule(resources="{template: '<<if .Group>><<.Resource>>'}"), rule(resources="{template: '<<.Resource>><<.Resource>>'}"),
    rule(resources="{template: '<<.Resource>>', overrides: {}}"), rule(resources="{template: 1}"),
    rule(resources="{template: '<<with .Resource>>x<<end>>'}"), rule(resources="{template: '<<.Group.Resource>>'}"),
    rule(resources="{template: '<<$>>'}"), rule(resources="{template: '<<nosuch .Resource>>'}"),
    rule(resources="{template: '<<printf \"%s\" .Resource>>'}"), rule(resources="{template: '<</* .Resource */>>'}"),
    rule(resources="{template: '<<.GroupResource.Resource>>'}"), rule(resources="{template: '{{.Resource}}'}"),
    rule(resources="{template: '<<.Resource | len>>'}"), rule(resources="{overrides: null}"), rule(resources="{overrides: []}"),
    rule(resources="{overrides: {x: null}}"), rule(resources="{overrides: {x: {}}}"), rule(resources="{overrides: {x: pod}}"),
    rule(resources="{overrides: {x: {resource: ''}}}"), rule(resources="{overrides: {x: {resource: pods, group: ''}}}"),
    rule(resources="{overrides: {x: {resource: po}}}"), rule(resources="{overrides: {x: {resource: Pod}}}"),
    rule(resources="{overrides: {x: {resource: PODS}}}"), rule(resources="{overrides: {x: {resource: pods.v1}}}"),
    rule(resources="{overrides: {x: {resource: deployment.apps}}}"),
    rule(resources="{overrides: {x: {group: app, resource: deployment}}}"),
    rule(resources="{overrides: {x: {resource: deployment}}}"),
    rule(resources="{overrides: {x: {group: apps/v1, resource: deployment}}}"),
    rule(resources="{overrides: {x: {group: apps, resource: pod}}}"), rule(resources="{overrides: {x: {kind: Pod}}}"),
    rule(resources="{overrides: {x: {resource: widgets, group: acme.example}}}"),
    rule(resources="{overrides: {x: {resource: widget}}}"), rule(resources="{overrides: {x: {resource: gadget, group: acme}}}"),
    rule(resources="{overrides: {x: {resource: pod}, x: {resource: node}}}"),
    rule(resources="{overrides: {'': {resource: pod}}}"),
    rule(resources="{overrides: {x: {resource: pod}, y: {resource: pods}}}"),
    rule(resources="{overrides: {1: {resource: pod}}}"), rule(resources="{overrides: {x: {resource: 'pod '}}}"),
    rule(resources="{overrides: {x: {resource: endpoints}}}"), rule(resources="{overrides: {x: {resource: events}}}"),
    rule(resources="{overrides: {x: {resource: pods/status}}}"),
    rule(resources="{overrides: {x: {resource: horizontalpodautoscaler, group: autoscaling}}}"),
    rule(resources="{overrides: {x: {resource: nodemetrics}}}"),
    rule(resources="{overrides: {x: {resource: ingress, group: networking}}}"),
    rule(resources="{overrides: {x: {group: metrics.k8s.io, resource: pods}}}"), rule(resources="{namespaced: true}"),
    rule(resources="{namespaced: yes}"), rule(resources="{namespaced: 'true'}"), rule(resources="{namespaced: null}"),
    rule(resources="{namespaced: 1}"), rule(resources="{namespaced: maybe}"), rule(resources="{namespaced: on}"),
    rule(resources="{namespaced: TRUE}"), rule(resources="{namespaced: y}"), rule(resources="{Template: x}"),
    rule(resources="[]"), rule(resources="pod"), rule(resourceSelector="1"), rule(metricsQuery="'<<.Series'"),
    rule(metricsQuery="'<<.Series>>>>'"), rule(metricsQuery="'<<>>'"), rule(metricsQuery="'<<end>>'"),
    rule(metricsQuery="'<<else>>'"), rule(metricsQuery="'<<if>>x<<end>>'"), rule(metricsQuery="'<<range>><<end>>'"),
    rule(metricsQuery="'<<if .Series>>x'"), rule(metricsQuery="'<<.Nosuch>>'"), rule(metricsQuery="'<<$x>>'"),
    rule(metricsQuery="'<<$x := 1>><<$x>>'"), rule(metricsQuery="'<<$x = 1>>'"), rule(metricsQuery="'<<template \"x\">>'"),
    rule(metricsQuery="'<<define \"x\">>y<<end>>z'"), rule(metricsQuery="'<<define \"x\">>y<<end>><<template \"x\" .>>'"),
    rule(metricsQuery="'<<block \"x\" .>>y<<end>>'"), rule(metricsQuery="'<<break>>'"),
    rule(metricsQuery="'<<range .GroupBySlice>><<break>><<end>>'"),
    rule(metricsQuery="'<<range .GroupBySlice>><<continue>><<end>>'"), rule(metricsQuery="'<</* c */>>'"),
    rule(metricsQuery="'<</* c>>'"), rule(metricsQuery="'<<- /* c */ ->>'"), rule(metricsQuery="'<<\"a>>'"),
    rule(metricsQuery="'<<`a`>>'"), rule(metricsQuery="'<<1.5>>'"), rule(metricsQuery="'<<0x1F>>'"),
    rule(metricsQuery="'<<1_000>>'"), rule(metricsQuery="\"<<'a'>>\""), rule(metricsQuery="'<<nil>>'"),
    rule(metricsQuery="'<<true>>'"), rule(metricsQuery="'<<.>>'"), rule(metricsQuery="'<<.Series.X>>'"),
    rule(metricsQuery="'<<html .Series>><<js .Series>><<urlquery .Series>><<print 1 2>><<println>>'"),
    rule(metricsQuery="'<<slice .Series 1>>'"), rule(metricsQuery="'<<call .Series>>'"),
    rule(metricsQuery="'<<le 1 2>><<ge 1 2>>'"), rule(metricsQuery="'<<eq 1>>'"), rule(metricsQuery="'<<eq>>'"),
    rule(metricsQuery="'<<index>>'"), rule(metricsQuery="'<<.Series | >>'"), rule(metricsQuery="'<<| .Series>>'"),
    rule(metricsQuery="'<<(.Series)>>'"), rule(metricsQuery="'<<(.Series>>'"), rule(metricsQuery="'<<.Series)>>'"),
    rule(metricsQuery="'<<with $x := .Series>><<$x>><<else>><<$x>><<end>>'"), rule(metricsQuery="'<<else if .Series>>'"),
    rule(metricsQuery="'<<if .Series>>a<<else>>b<<else>>c<<end>>'"),
    rule(metricsQuery="'<<with .Series>>a<<else with .GroupBy>>b<<end>>'"),
    rule(metricsQuery="'<<range $i, $x, $y := .GroupBySlice>><<end>>'"), rule(metricsQuery="'<<if $a, $b := 1>><<end>>'"),
    rule(metricsQuery="'<<.Series\n>>'"), rule(metricsQuery="'<<-1>>'"), rule(metricsQuery="'<<- 1>>'"),
    rule(metricsQuery="'<<3-2>>'"), rule(metricsQuery="'<<.Series .GroupBy>>'"), rule(metricsQuery="'<<\"a\" \"b\">>'"),
    rule(metricsQuery="'<<1 | 2>>'"), rule(metricsQuery="'<<.Series | 2>>'"), rule(metricsQuery="'<<Series>>'"),
    rule(metricsQuery="'<<.LabelValuesByName.a-b>>'"), rule(metricsQuery="'<<.LabelValuesByName.a.b>>'"),
    rule(metricsQuery="'<<printf>>'"), rule(metricsQuery="'<<not>>'"), rule(metricsQuery="'<<and>>'"),
    rule(metricsQuery="'<<range $x := 5>><<$x>><<end>>'"), rule(metricsQuery="'<<\"\\\\q\">>'"), rule(metricsQuery="'<<1a>>'"),
    rule(metricsQuery="'<<\"x\".Y>>'"), rule(metricsQuery="'<<$.Series>>'"), rule(metricsQuery="'<<$.>>'"),
    rule(metricsQuery="'<<..>>'"), rule(metricsQuery="'<<len 3>>'"), rule(metricsQuery="'<<@>>'"),
    rule(metricsQuery="'<<.Série>>'"), rule(metricsQuery="'<<if .Series}}x{{end>>'"), rule(metricsQuery="'<<nil | print>>'"),
    rule(metricsQuery="'<<1i>>'"), rule(metricsQuery="'<<range .GroupBySlice>><<else>>x<<end>>'"),
    rule(metricsQuery="'<<$x := >>'"), rule(metricsQuery="'<<$x := 1, 2>>'"), rule(metricsQuery="'<<else with .Series>>'"),
    rule(metricsQuery="'<<if .Series>>a<<else with .Series>>b<<end>>'"), rule(metricsQuery="'<<end >>x'"),
    rule(metricsQuery="'<<.Series>>' # c"), resource("cpu"), resource("cpu", containerQuery=None),
    resource("cpu", nodeQuery=None), resource("memory", containerLabel=None), resource("cpu", containerLabel="''"),
    resource("memory", resources=None), resource("cpu", resources="{}"),
    resource("cpu", resources="{overrides: {p: {resource: pod}}}"),
    resource("memory", resources="{overrides: {p: {resource: pod}, n: {resource: node}}}"),
    resource("memory", resources="{overrides: {p: {resource: pod}, n: {resource: node}, s: {resource: namespace}}}"),
    resource("cpu", containerQuery="'<<'"), resource("cpu", nodeQuery="'<<x>>'"), resource("cpu", bogus="1"),
    resource("cpu", containerLabel="1"), resource("cpu", resources="{namespaced: false, template: '<<.Resource>>'}"),
    resource("cpu", nodeQuery="''"), resource("cpu", containerQuery="''"), resource("cpu", resources="{template: '<<.Nope>>'}"),
    resource("cpu") + "  disk: {}\n",
    *(resource("cpu") + f"  window: {w}\n" for w in WINDOWS),
]


def mutated(rng):
    """GOOD with one or two lines changed."""
    lines = GOOD.splitlines()
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(lines))
        line = lines[at]
        kind = rng.randrange(9)
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(at, line)
        elif kind == 2:
            lines[at] = rng.choice(("  ", " ", "    ")) + line
        elif kind == 3:
            lines[at] = line[1:] if line.startswith(" ") else line
        elif kind == 4 and line.strip():
            i = rng.randrange(len(line))
            lines[at] = line[:i] + line[i + 1:]
        elif kind == 5:
            i = rng.randrange(len(line) + 1)
            lines[at] = line[:i] + rng.choice("'\"{}[]:,#&*!|>%@`<()$\\- \t?x1") + line[i:]
        elif kind == 6:
            lines[at] = line.partition(":")[0] + ":" + rng.choice(("", " null", " 1", " true", " []", " {}", " ''", " text", " [x]"))
        elif kind == 7:
            other = rng.randrange(len(lines))
            lines[at], lines[other] = lines[other], line
        else:
            lines[at] = line.swapcase() if rng.random() < 0.5 else line.replace("<<", rng.choice(("{{", "<", "<<-", "<< if ")), 1)
    return "\n".join(lines) + "\n"
