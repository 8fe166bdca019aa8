#!/usr/bin/env python3
"""The binary as a shell sees it: exit codes, and what standard error says. env: TRIMTAB (the binary)."""

import http.server
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import unittest

BINARY = os.environ["TRIMTAB"]


def run(*arguments, stdin="", **env):
    """Without a cluster, whatever the machine has."""
    env = {"PATH": os.environ["PATH"], "KUBECONFIG": "/nowhere/at/all", **env}
    done = subprocess.run([BINARY, *arguments], input=stdin, capture_output=True, text=True, env=env, timeout=30, check=False)
    return done.returncode, done.stdout, done.stderr


class Server:
    """Answers everything with the same, but for the paths (a part of them) that have an answer of their own."""

    def __init__(self, status, body, **paths):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                code, text = next((answer for part, answer in paths.items() if part in self.path), (status, body))
                self.send_response(code)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self.url

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def kubeconfig(url):
    cluster = {"name": "c", "cluster": {"server": url}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    user = {"name": "u", "user": {"token": "t"}}
    return json.dumps({"current-context": "c", "clusters": [cluster], "contexts": [context], "users": [user]})


class Commands(unittest.TestCase):
    def refuses(self, code, text, *arguments, **more):
        got, out, said = run(*arguments, **more)
        self.assertEqual((got, out), (code, ""), said)
        self.assertIn(text, said)

    def test_files_of_a_pattern(self):
        """What the shell makes of -f *.yaml: every file counts."""
        code, out, said = run("evaluate", "-f", "/nonexistent/a.yaml", "/nonexistent/b.yaml")
        self.assertEqual(code, 1)
        self.assertIn("/nonexistent/a.yaml", said)
        self.assertIn("/nonexistent/b.yaml", said)

    def test_wrong_usage(self):
        for text, *arguments in (
            ("Usage: trimtab COMMAND",),
            ('unknown command "nope": see trimtab --help', "nope"),
            ('unknown command "nope": see trimtab --help', "help", "nope"),
            ("version takes nothing or -o json", "version", "nope"),
            ("unknown flag --nope: see trimtab run --help", "run", "--nope"),
            ("no file: give one with -f", "evaluate"),
            ("a file is given with -f, and not as x.yaml", "evaluate", "x.yaml"),
            ("--now: a time such as 2026-01-01T00:00:00Z is expected, not \"noon\"", "evaluate", "--now", "noon"),
            ("--now: a time such as", "evaluate", "--now=1970-01-01T00:00:00Z"),
            ("--output: text, json or yaml is expected, not \"xml\"", "evaluate", "-oxml"),
            ("--check takes no value", "evaluate", "--check=yes"),
            ("the name of a policy is expected", "explain"),
            ("the name of one policy is expected, and not b", "explain", "a", "b"),
            ("the name of one policy is expected, and not a/b", "explain", "a/b"),
            ("--namespace: the name of one namespace is expected, not \"a/b\"", "explain", "web", "-n", "a/b"),
            ("--namespace: the name of one namespace is expected, not \"\"", "explain", "web", "-n", ""),
            ("--since: a duration such as 10m or a time such as", "explain", "web", "--since", "0s"),
            ("--metric: NAME is expected, not \"\"", "rules", "-f-", "--metric="),
            ("--metric: NAME is expected, not \"pods/\"", "rules", "-f-", "--metric", "pods/"),
            ("--metric: NAME is expected, not \"/up\"", "rules", "-f-", "--metric", "/up"),
            ("--operator: its scheme must be http or https", "explain", "web", "--operator", "ftp://x"),
        ):
            with self.subTest(arguments):
                self.refuses(2, text, *arguments)

    def test_help(self):
        for name in ("run", "evaluate", "explain", "version"):
            with self.subTest(name):
                asked = run(name, "--help")
                self.assertEqual(asked[0], 0)
                self.assertTrue(asked[1].startswith(f"Usage: trimtab {name}"))
                self.assertEqual(asked, run("help", name))
        self.assertEqual(run("--help"), run("help"))

    def test_evaluate_reads_standard_input(self):
        self.refuses(1, "stdin:2: the key kind is there twice", "evaluate", "-f-", stdin="kind: Pod\nkind: Node\n")
        self.refuses(1, "stdin: no AutoscalingPolicy or HorizontalPodAutoscaler is there", "evaluate", "-f", "-")

    def test_numbers_are_short(self):
        case = ('{"name": "a", "level": "ratio", "objects": [],'
                ' "input": {"targetUtilization": 50, "metrics": {"a": "100m"}, "requests": {"a": "1"}}}')
        for output, want in (("text", '"ratio":0.2,'), ("json", '"ratio": 0.2,\n'), ("yaml", "ratio: 0.2\n")):
            with self.subTest(output):
                code, out, _ = run("evaluate", "-f-", "-o", output, stdin=case)
                self.assertEqual(code, 0)
                self.assertIn(want, out)

    def test_check_that_read_nothing(self):
        code, out, said = run("evaluate", "--check", "-f", "/nowhere/at/all")
        self.assertEqual((code, out), (1, "nothing was compared, and 1 could not be decided\n"))
        self.assertEqual(said, "/nowhere/at/all: No such file or directory\n")

    def test_explain_without_a_cluster(self):
        self.refuses(1, 'KUBECONFIG is "/nowhere/at/all": there is no such file', "explain", "web")

    def test_explain_asks_an_operator(self):
        with Server(200, b"the answer\n") as url:
            self.assertEqual(run("explain", "web", "--operator", url), (0, "the answer\n", ""))
        with Server(200, b'{"name": "web", "decisions": [1.5]}') as url:
            answer = run("explain", "web", "--operator", url, "-o", "yaml")
            self.assertEqual(answer, (0, 'name: "web"\ndecisions:\n- 1.5\n', ""))
        with Server(200, b"no JSON") as url:
            self.refuses(1, "the answer is not JSON", "explain", "web", "--operator", url, "-o", "yaml")
        with Server(404, b"there is no policy default/web\n") as url:
            self.refuses(1, f"--operator {url}: there is no policy default/web\n", "explain", "web", "--operator", url)
        with Server(200, b"") as url:
            self.refuses(1, f"--operator {url}: the answer is empty", "explain", "web", "--operator", url)
        self.refuses(1, f"--operator {url}: ", "explain", "web", "--operator", url)  # it has gone

    def test_explain_takes_a_large_answer(self):
        """A list as long as the message says that answers may be, and longer than kube.h takes by itself."""
        with Server(200, b'{"items": []' + b" " * 5 * 1024 * 1024 + b"}") as url, tempfile.NamedTemporaryFile("w") as config:
            config.write(kubeconfig(url))
            config.flush()
            code, _, said = run("explain", "web", KUBECONFIG=config.name)
            self.assertEqual(code, 0, said)
            self.assertIn("no service has the label", said)

    def test_explain_asks_every_operator(self):
        """Of two that were installed for their own namespaces only one knows the policy, and it may be the second."""
        services = {"items": [{"metadata": {"namespace": name, "name": "trimtab"}} for name in ("one", "two", "down")]}
        answers = {
            "namespaces/one/": (404, b"there is no policy default/web, or its namespace is not followed\n"),
            "namespaces/two/": (200, b"the answer\n"),
            "namespaces/down/": (503, b"no endpoints\n"),
        }
        with tempfile.NamedTemporaryFile("w") as config:
            with Server(200, json.dumps(services).encode(), **answers) as url:
                config.write(kubeconfig(url))
                config.flush()
                self.assertEqual(run("explain", "web", KUBECONFIG=config.name), (0, "the answer\n", ""))
        answers["namespaces/two/"] = answers["namespaces/one/"]
        with tempfile.NamedTemporaryFile("w") as config:
            with Server(200, json.dumps(services).encode(), **answers) as url:
                config.write(kubeconfig(url))
                config.flush()
                self.refuses(1, "there is no policy default/web", "explain", "web", KUBECONFIG=config.name)

    def test_rules_reads_standard_input(self):
        """Whoever says no, the file and its line are named as everywhere else."""
        rules = 'rules:\n- seriesQuery: a\n  resources: {template: <<.Resource>>}\n  metricsQuery: sum(a)\n'
        with Server(400, b'{"status": "error", "error": "no"}') as url:
            source = ("--prometheus-url", url, "--prometheus-verb=GET")
            self.refuses(1, "stdin:2: seriesQuery a: ", "rules", "-f-", *source, stdin=rules)
        code, out, _ = run("rules", "-f-", "-o", "yaml", stdin=rules)
        self.assertEqual(code, 0)
        self.assertIn('seriesQuery: "a"\n', out)

    def test_rules_asks_for_the_pods_of_one_namespace(self):
        """The query is about one: the names of all pods of the cluster do not belong into it."""
        labels = "resources: {template: <<.Resource>>}, containerLabel: c"
        query = f"{{containerQuery: 'a{{<<.LabelMatchers>>}}', nodeQuery: b, {labels}}}"
        rules = f"resourceRules: {{cpu: {query}, memory: {query}, window: 1m}}\n"
        pods = json.dumps({"metadata": {}, "items": [{"metadata": {"name": name}} for name in ("web-0", "web-1")]})
        wanted = {
            "namespaces/shop/pods": 'a{namespace="shop",pod=~"web-0|web-1"}\n',
            "pods": 'a{namespace="<namespace>",pod=~"<name>|…"}\n',
        }
        with Server(200, pods.encode()) as url, tempfile.TemporaryDirectory() as folder:
            config, more = pathlib.Path(folder, "config"), pathlib.Path(folder, "more.json")
            config.write_text(kubeconfig(url))
            more.write_text('{"resources": []}')
            for path, want in wanted.items():
                cluster = ("--kubeconfig", config, "--resources", more)
                asked = ("--request", f"/apis/metrics.k8s.io/v1beta1/{path}")
                code, out, said = run("rules", "-f-", *cluster, *asked, stdin=rules)
                self.assertEqual((code, out), (0, want * 2), said)


if __name__ == "__main__":
    unittest.main()
