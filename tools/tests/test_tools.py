#!/usr/bin/env python3
"""The checks and the counter themselves: each rule is broken once, on a tree of its own, and must be seen."""

import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOOLS))
from counts import Counts, of_stage  # noqa: E402

loader = importlib.machinery.SourceFileLoader("runner", str(TOOLS / "test"))
runner = importlib.util.module_from_spec(importlib.util.spec_from_loader("runner", loader))
loader.exec_module(runner)


def function(name, lines):
    return f"int {name}(void) {{\n" + "    one();\n" * (lines - 2) + "}\n"


class Tree(unittest.TestCase):
    """A small tree with the real tools in it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        shutil.copytree(TOOLS, self.root / "tools", ignore=shutil.ignore_patterns("tests", "__pycache__"))
        shutil.copy(TOOLS.parent / ".clang-format", self.root)
        for header in ("base/err.h", "net/loop.h", "adapter/prom.h", "autoscaler/shell.h", "autoscaler/decide.h"):
            self.put(header, "struct nothing;\n")

    def put(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def check(self, name, *wanted):
        """Runs one check; each wanted text must be in its output, and without any it must pass."""
        run = subprocess.run([self.root / "tools/check", name], capture_output=True, text=True)
        self.assertEqual(run.returncode, 1 if wanted else 0, run.stdout + run.stderr)
        for text in wanted:
            self.assertIn(text, run.stdout)

    def test_a_good_tree(self):
        self.put("autoscaler/decide.c", '#include "autoscaler/decide.h"\n\n#include "base/err.h"\n' + function("f", 5))
        for name in ("layers", "banned", "words", "format"):
            self.check(name)

    def test_layers(self):
        self.put("net/a.c", '#include "adapter/prom.h"\n')
        self.check("layers", 'net/a.c:1: net may not include "adapter/prom.h" of adapter')

    def test_equal_ranks(self):
        self.put("adapter/a.c", '#include "autoscaler/shell.h"\n')
        self.check("layers", "adapter/a.c:1: adapter may not include")

    def test_system_headers(self):
        self.put("adapter/a.c", "#include <curl/curl.h>\n#include <cmocka.h>\n")
        self.check("layers", "adapter/a.c:1: <curl/curl.h> belongs to net", "adapter/a.c:2: <cmocka.h> belongs to tests")

    def test_pure_files(self):
        self.put("autoscaler/decide.c", '#include "autoscaler/shell.h"\n#include <sys/socket.h>\nstatic int calls;\n'
                 "int f(void) {\n    return clock_wall() > 0;\n}\n")
        self.check("layers", 'decide.c:1: a pure file may not include "autoscaler/shell.h"',
                   "decide.c:2: a pure file may not include <sys/socket.h>",
                   "decide.c:3: a pure file has a variable", "decide.c:5: a pure file calls clock_wall")

    def test_constants_are_no_variables(self):
        self.put("autoscaler/decide.c", 'static const char *const names[] = {"a"};\nstatic int f(void);\n')
        self.check("layers")

    def test_cycle(self):
        self.put("net/a.h", '#include "net/b.h"\n')
        self.put("net/b.h", '#include "net/a.h"\n')
        self.check("layers", "include cycle: net/a.h -> net/b.h -> net/a.h")

    def test_header_alone(self):
        self.put("net/a.h", "int f(size_t n);\n")
        self.check("layers", "net/a.h: does not compile alone")

    def test_sizes(self):
        self.put("net/a.c", function("long_one", 81) + function("right", 80))
        self.put("net/b.c", "\n" * 801)
        self.check("sizes", "long_one has 81 lines", "net/b.c: has 801 lines")

    def test_shape_of_functions(self):
        self.put("net/a.c", "int f(int a, int b, int c, int d, int e, void (*g)(int, int), int h) {\n"
                 + "".join("    " * d + "if (a)\n" for d in range(1, 6)) + "    return a;\n}\n"
                 + "int g(int a) {\n" + "    if (a && a)\n        a++;\n" * 6 + "    return a;\n}\n")
        self.check("sizes", "f has 7 parameters", "f has 5 levels of nesting", "g has 13 ways through")

    def test_banned(self):
        self.put("net/a.c", 'int f(char *s) {\n    puts("sprintf(x)"); /* strcpy( */\n    return atoi(s);\n}\n')
        self.check("banned", "net/a.c:3: atoi is banned")

    def test_unfilled_cleanup(self):
        self.put("net/a.c", "void f(int x) {\n    cleanup_buf struct buf b;\n\n    if (x)\n        return;\n    buf_init(&b, 1);\n}\n"
                 "void g(int x) {\n    cleanup_buf struct buf b;\n\n    buf_init(&b, 1);\n    if (x)\n        return;\n}\n")
        self.check("banned", "net/a.c:2: b is freed by a return", "FAILED banned", ": 1 breaches")

    def test_words(self):
        self.put("docs/a.md", "see /ro" + "ot/x\nand do" + "cker.io/y\nand $dir/wo" + "rk/z\n")
        self.check("words", "docs/a.md:1: path of one machine", "docs/a.md:2: host of a registry")

    def test_format(self):
        self.put("net/a.c", "int  f( void );\n")
        self.check("format", "net/a.c:1: not as clang-format writes it")


class Counting(unittest.TestCase):
    def test_ctest(self):
        output = ("1: [  PASSED  ] 6 test(s).\n2: [  PASSED  ] 3 test(s).\n2: [  FAILED  ] 2 test(s), listed below:\n"
                  " 1/4 Test  #1: test_a ............   Passed    0.01 sec\n"
                  " 2/4 Test  #2: test_b ............***Failed    0.01 sec\n"
                  " 3/4 Test  #3: test_c ............***Exception: SegFault  0.01 sec\n"
                  " 4/4 Test #4: fuzz_d .............   Passed    5.01 sec\n")
        self.assertEqual(of_stage(output, 8), Counts(10, 3))

    def test_leak_after_passed_tests(self):
        output = "1: [  PASSED  ] 6 test(s).\n 1/1 Test  #1: test_a ....***Failed  0.01 sec\n"
        self.assertEqual(of_stage(output, 8), Counts(6, 1))

    def test_closing_line(self):
        self.assertEqual(of_stage("ok a\n3 passed, 1 failed\nok b\n7 passed, 0 failed, 2 skipped\n", 0), Counts(7, 0, 2))
        self.assertEqual(of_stage("7 passed, 0 failed\n", 1), Counts(7, 1))

    def test_plain_command(self):
        self.assertEqual(of_stage("", 0), Counts(1, 0))
        self.assertEqual(of_stage("", 2), Counts(0, 1))

    def test_as_a_program(self):
        run = subprocess.run([sys.executable, TOOLS / "counts.py", "/dev/null", "0"], capture_output=True, text=True)
        self.assertEqual(run.stdout, "1 0 0\n")

    def test_cmocka_alone(self):
        self.assertEqual(of_stage("[  PASSED  ] 2 test(s).\n[  SKIPPED ] 1 test(s), listed below:\n", 0), Counts(2, 0, 1))


class TryingAgain(unittest.TestCase):
    """Stages that are shell commands: FAILED is set the second time."""

    FLAKY = '[ "${FAILED-no}" = b ] && echo "1 passed, 0 failed" && exit; echo "not ok b (1 s)"; echo "8 passed, 1 failed"; exit 1'

    def run_stages(self, **commands):
        with tempfile.TemporaryDirectory(dir=TOOLS.parent) as folder, contextlib.redirect_stdout(io.StringIO()) as out:
            runner.LOGS = pathlib.Path(folder)
            code = runner.run_all([runner.Stage(name, 60, "", command) for name, command in commands.items()], False)
        return code, out.getvalue()

    def test_what_passes_then_is_named(self):
        code, out = self.run_stages(faults=self.FLAKY, node="echo 2 passed, 0 failed")
        self.assertEqual(code, 0)
        self.assertIn("passed only when tried again, and should be made steadier:\n       faults: not ok b", out)
        self.assertTrue(out.endswith("\n11 passed, 0 failed\n"), out)

    def test_what_fails_twice_has_failed(self):
        code, out = self.run_stages(faults='echo "not ok a (1 s)"; echo "8 passed, 1 failed"; exit 1')
        self.assertEqual((code, out.count("not ok a")), (1, 5))  # twice with its output, and at the end
        self.assertTrue(out.endswith("\n8 passed, 1 failed\n"), out)

    def test_nothing_run_is_nothing_passed(self):
        nothing = '[ "${FAILED+set}" ] && echo "0 passed, 0 failed" && exit; echo "0 passed, 1 failed"; exit 1'
        self.assertEqual(self.run_stages(faults=nothing)[0], 1)

    def test_only_against_the_clock(self):
        code, out = self.run_stages(check=self.FLAKY)
        self.assertEqual((code, out.count("......")), (1, 1))

    def test_a_sanitizer_is_believed(self):
        code, out = self.run_stages(faults="echo ERROR: LeakSanitizer: detected; " + self.FLAKY)
        self.assertEqual((code, out.count("......")), (1, 1))


if __name__ == "__main__":
    program = unittest.main(exit=False, verbosity=2)
    bad = len(program.result.failures) + len(program.result.errors)
    print(f"{program.result.testsRun - bad} passed, {bad} failed")
    sys.exit(1 if bad else 0)
