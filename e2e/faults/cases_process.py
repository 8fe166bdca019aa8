"""The process: refused flags, a start while nothing answers or anything fails, the end."""

import subprocess
import time

from case import DEPLOYMENTS, test
from proxy import Rule
from world import MERGE, binary


def refused(*arguments):
    run = subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=20)
    return run.returncode, run.stderr


@test
def wrong_flags_are_refused(c):
    for arguments, words in ((["--no-such-flag"], ["no-such-flag"]), (["--log-level=loud"], ["log-level", "loud", "debug"]),
                             (["--http-port=99999"], ["http-port", "99999", "65535"]),
                             (["--prometheus-timeout=soon"], ["prometheus-timeout", "soon"]),
                             (["--prometheus-url=ftp://x", f"--kubeconfig={c.plane.folder}/admin.kubeconfig"], ["--prometheus-url"]),
                             (["--kubeconfig=/nonexistent"], ["/nonexistent"])):
        code, said = refused("run", "--http-port=0", "--secure-port=0", *arguments)
        assert code in (1, 2), f"{arguments}: exit code {code}"
        missing = [w for w in words if w not in said]
        assert not missing, f"{arguments}: {missing} is not in: {said}"


@test
def wrong_configuration_is_refused(c):
    path = c.world.folder / "config.yaml"
    for text, line, words in (("prometheusUrl: http://x\nlogLevel: loud\n", 2, ["logLevel", "loud", "debug"]),
                              ("\n\nlogLevle: info\n", 3, ["logLevle"]), ("httpPort: many\n", 1, ["httpPort", "many"]),
                              ("- a\n- b\n", 1, []), ("httpPort: [1\n", None, []), ("httpPort: {a: b}\n", 1, ["httpPort"])):
        path.write_text(text)
        code, said = refused("run", f"--config={path}")
        assert code in (1, 2), f"{text!r}: exit code {code}"
        where = f"{path}:{line}" if line else str(path)
        missing = [w for w in [where, *words] if w not in said]
        assert not missing, f"{text!r}: {missing} is not in: {said}"


@test
def starts_while_nothing_answers(c):
    """Started before the apiserver and Prometheus: it waits for them."""
    c.world.operator.stop()
    c.wire.mode("refuse")
    c.source_wire.mode("refuse")
    c.world.operator = c.operator = c.world.start_operator("operator-early")
    c.load(50)
    time.sleep(3)
    c.operator.check()
    c.wire.mode("pass")
    c.source_wire.mode("pass")
    c.expect(5, 60)


def fault_at(n):
    """What may happen to the n-th request: the answer lost, cut short, 500, 429, 409."""
    return [Rule("", 1, skip=n, lose=True), Rule("", 1, skip=n, cut=40), Rule("", 1, skip=n, status=500, body=b"no"),
            Rule("", 1, skip=n, status=429, headers=["Retry-After: 1"], body=b"{}"),
            Rule("", 1, skip=n, status=409, body=b'{"kind":"Status","code":409,"reason":"Conflict"}'),
            Rule("", 1, skip=n, status=410, body=b'{"kind":"Status","code":410,"reason":"Expired"}')]


@test
def nth_request_of_a_start_fails(c):
    """From its start to the first write, each request fails once in each way; the end is the same."""
    c.world.operator.stop()
    for n in range(8):
        for i, rule in enumerate(fault_at(n)):
            c.load(20)
            c.plane.must("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 9}}, MERGE)
            c.gate.clear()
            c.gate.add(rule)
            c.world.operator = c.operator = c.world.start_operator(f"operator-{n}-{i}")
            c.expect(2, 40)
            c.operator.check()
            code = c.operator.stop()
            assert code == 0, f"request {n}, fault {i}: exit code {code}: {c.operator.tail()}"
    c.gate.clear()
    c.world.operator = c.operator = c.world.start_operator("operator-again")
    c.expect(2, 40)


@test
def ends_in_good_order(c):
    """SIGTERM in the middle of work: exit code 0, and the sanitizer finds no leak."""
    c.load(50)
    time.sleep(0.7)
    code = c.world.operator.stop()
    assert code == 0, f"exit code {code}: {c.world.operator.tail()}"
    c.world.operator = c.world.start_operator("operator-last")
    c.expect(5, 40)
