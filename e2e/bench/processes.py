"""How the benches start programs, measure them, and are sure to end them: SIGINT, SIGTERM and SIGHUP end a bench as an exception
does, and nothing that it started outlives it.
"""
import contextlib
import functools
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RELEASE = os.path.join(ROOT, "build", "release")
TICK = os.sysconf("SC_CLK_TCK")
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 20  # seconds until what does not end by itself is killed


class Ending:
    """What the signals that end a bench do. The first one raises SystemExit, or waits where it must not come in between (`held`);
    those after it are ignored, so that whoever is impatient leaves nothing behind."""

    depth, number, raised = 0, 0, False

    @classmethod
    def signalled(cls, number, _):
        if cls.raised:
            return
        if cls.depth:
            cls.number = number
            return
        cls.raised = True
        raise SystemExit(128 + number)


for ending in ENDING:  # also where the shell that started us ignores SIGINT
    signal.signal(ending, Ending.signalled)


@contextlib.contextmanager
def held():
    """Signals that end the bench come after this. Not by a mask of signals: programs that are started would inherit it."""
    Ending.depth += 1
    try:
        yield
    finally:
        Ending.depth -= 1
        if Ending.number and not Ending.depth:
            Ending.signalled(Ending.number, None)


def end_group(child):
    """Ends a program and what it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE)
            return


def kill_in(folder):
    """Kills what still works in a folder of ours: a program that its parent was too soon ended to make a note of."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if f"{os.readlink(f'/proc/{pid}/cwd')}/".startswith(folder + "/"):
                os.kill(int(pid), signal.SIGKILL)


def call(argv, timeout=None, stdin=None, check=True, **how):
    """As subprocess.run, with text; but the program leads a group of its own, which is ended as a whole where the bench ends before it.
    Its standard output comes back unless `stdout` says otherwise."""
    how = {"stdout": subprocess.PIPE, "text": True, "stdin": subprocess.PIPE if stdin else subprocess.DEVNULL, **how}
    with held():
        child = subprocess.Popen(argv, start_new_session=True, **how)
    try:
        out, err = child.communicate(stdin, timeout)
    except BaseException:
        with held():
            end_group(child)
        raise
    if check and child.returncode:
        raise SystemExit(f"{' '.join(argv)}: exit code {child.returncode} {err or ''}")
    return subprocess.CompletedProcess(argv, child.returncode, out, err)


@functools.cache
def program(variable, target, path):
    """A program of the release build, brought up to date, so that none of yesterday is measured; or the one that the environment names."""
    if os.environ.get(variable):
        return os.path.abspath(os.environ[variable])
    call(["cmake", "--preset", "release"], cwd=ROOT, stdout=sys.stderr)
    call(["cmake", "--build", "--preset", "release", "--target", target], cwd=ROOT, stdout=sys.stderr)
    return os.path.join(RELEASE, path)


def trimtab():
    return program("TRIMTAB", "trimtab", "trimtab")


@functools.cache
def peer(name):
    """The program of a peer, built first where it is not in the cache."""
    return call([os.path.join(HERE, "peers", "build.sh"), name]).stdout.strip()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def process_times(argv, runs=50, status=0):
    """Milliseconds from spawn to exit of a program that must exit with `status`, and those of them that it had a processor: the
    medians. Spawned without Python's subprocess module, which takes a millisecond of its own."""
    null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
    wall, cpu = [], []
    for _ in range(runs):
        begun = time.perf_counter()
        _, wait, used = os.wait4(os.posix_spawn(argv[0], argv, os.environ, file_actions=null), 0)
        wall.append((time.perf_counter() - begun) * 1000)
        cpu.append((used.ru_utime + used.ru_stime) * 1000)
        if os.waitstatus_to_exitcode(wait) != status:
            raise SystemExit(f"{' '.join(argv)}: exit code {os.waitstatus_to_exitcode(wait)}")
    return statistics.median(wall), statistics.median(cpu)


class Process:
    """A process that goes on, measured through /proc. `Lab.start` makes it, and ends it."""

    def __init__(self, argv, log, env=None):
        with open(log, "wb") as out:
            self.popen = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, env=env, start_new_session=True)
        self.pid = self.popen.pid
        self.log = log

    def alive(self):
        """Ends the bench where the process has ended."""
        if self.popen.poll() is not None:
            with open(self.log, encoding="utf-8", errors="replace") as f:
                raise SystemExit(f"{self.popen.args[0]} has ended with {self.popen.returncode}:\n{f.read()[-2000:]}")
        return True

    def cpu(self):
        """Seconds of processor time so far."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self, field="VmRSS"):
        """Resident MiB now, or at its peak with VmHWM."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            return int(re.search(field + r":\s+(\d+)", f.read()).group(1)) / 1024

    def stop(self):
        if self.popen.poll() is None:
            end_group(self.popen)
