"""Include layers, cycles, headers that stand alone, and what pure files may not do (tools/layers.txt)."""

import concurrent.futures
import fnmatch
import os
import re
import subprocess

from checks.tree import ROOT, Result, c_files, code, is_test, text

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"]+)[>"]', re.M)
# What makes a function depend on more than its arguments.
IMPURE = re.compile(r"\b(clock_wall|clock_mono|time|gettimeofday|clock_gettime|socket|connect|open|fopen|fread|read|"
                    r"write|getenv|rand|random|srand|sleep|usleep|printf|log_info|log_warn|log_error)\s*\(")
IMPURE_HEADERS = re.compile(r"^(sys/(socket|epoll|types\.h|stat)|netinet/|arpa/|netdb|fcntl|unistd|pthread|signal)")
STATIC_DATA = re.compile(r"^(?:static\s+)?(?!.*\bconst\b)(?!typedef|extern|enum|union|return|goto|static inline)"
                         r"(?:static\s+)(?:struct\s+)?\w[\w ]*[ *]+\w+(?:\[[^\]]*\])*\s*(?:=|;)", re.M)


class Rules:
    def __init__(self, source):
        self.layers, self.pure, self.only = {}, [], []
        for line in source.splitlines():
            words = line.split("#")[0].split(None, 1)
            if not words:
                continue
            if words[0] == "pure":
                self.pure.append(words[1].strip())
                continue
            left, right = words[1].split(":", 1)
            if words[0] == "layer":
                self.layers[left.strip()] = right.split()
            else:
                self.only.append((left.split(), right.split()))

    def module(self, path):
        """The module a path lies in, or None."""
        found = [m for m in self.layers if path.startswith(m + "/")]
        return max(found, key=len) if found else None

    def is_pure(self, path):
        return not is_test(path) and any(fnmatch.fnmatch(path, p) for p in self.pure)


def includes(path):
    """(line, system?, name) of each include. Taken from the text, since the names look like strings."""
    for match in INCLUDE.finditer(text(path)):
        yield text(path).count("\n", 0, match.start()) + 1, match.group(1) == "<", match.group(2)


def check_project_include(rules, path, line, name, result):
    mine, other = rules.module(path), rules.module(name)
    if not (ROOT / name).is_file():
        result.breach(path, line, f'"{name}" is not a path from the root of the repository')
    elif other is None:
        if not is_test(path):
            result.breach(path, line, f'"{name}" is in no module')
    elif other != mine and other not in rules.layers[mine]:
        result.breach(path, line, f'{mine} may not include "{name}" of {other}')
    elif rules.is_pure(path) and other not in ("base", "api/types") and not rules.is_pure(name):
        result.breach(path, line, f'a pure file may not include "{name}"')


def check_system_include(rules, path, line, name, result):
    for modules, headers in rules.only:
        if any(name == h or (h.endswith("/") and name.startswith(h)) for h in headers):
            if not any(path.startswith(m + "/") for m in modules):
                result.breach(path, line, f"<{name}> belongs to {', '.join(modules)}")
    if name == "cmocka.h" and not is_test(path):
        result.breach(path, line, "<cmocka.h> belongs to tests")
    if rules.is_pure(path) and IMPURE_HEADERS.search(name):
        result.breach(path, line, f"a pure file may not include <{name}>")


def check_pure(path, result):
    for number, line in enumerate(code(path).splitlines(), 1):
        if match := IMPURE.search(line):
            result.breach(path, number, f"a pure file calls {match.group(1)}")
        if STATIC_DATA.match(line):
            result.breach(path, number, "a pure file has a variable that outlives the call")


def cycles(graph):
    """Each include cycle once, as a list of headers."""
    state, stack, found = {}, [], []

    def visit(node):
        state[node] = 1
        stack.append(node)
        for after in graph.get(node, ()):
            if state.get(after) == 1:
                found.append(stack[stack.index(after):] + [after])
            elif after not in state:
                visit(after)
        stack.pop()
        state[node] = 2

    for node in sorted(graph):
        if node not in state:
            visit(node)
    return found


def package_flags():
    packages = ["jansson", "libwebsockets", "libcurl", "openssl", "yaml-0.1", "yajl", "libpcre2-8", "cmocka"]
    out = subprocess.run(["pkg-config", "--cflags", *packages], capture_output=True, text=True, check=True).stdout
    return out.split()


def compile_alone(header, flags):
    """What the compiler says of a file that includes this header and nothing else; "" where it is content."""
    run = subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Werror", "-fsyntax-only", f"-I{ROOT}", *flags,
                          "-x", "c", "-"], input=f'#include "{header}"\n', cwd=ROOT, capture_output=True, text=True)
    return "" if run.returncode == 0 else next((s for s in run.stderr.splitlines() if "error:" in s), run.stderr.strip())


def check_alone(headers, result):
    flags = package_flags()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for header, said in zip(headers, pool.map(lambda h: compile_alone(h, flags), headers)):
            if said:
                result.breach(header, 0, f"does not compile alone: {said}")


def run(_):
    result = Result()
    rules = Rules(text("tools/layers.txt"))
    graph, edges, pure = {}, 0, 0
    for path in c_files():
        pure += rules.is_pure(path)
        if rules.is_pure(path):
            check_pure(path, result)
        for line, system, name in includes(path):
            if system:
                check_system_include(rules, path, line, name, result)
                continue
            edges += 1
            graph.setdefault(path, []).append(name)
            check_project_include(rules, path, line, name, result)
    for cycle in cycles(graph):
        result.breach(cycle[0], 0, "include cycle: " + " -> ".join(cycle))
    headers = [f for f in c_files(".h") if not is_test(f)]
    check_alone(headers, result)
    result.figure("includes between files", edges)
    result.figure("pure files", pure)
    result.figure("headers that compile alone", len(headers))
    return result
