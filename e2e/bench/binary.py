#!/usr/bin/env python3
"""The binary itself: size, time to start, memory when idle beside an empty cluster.

usage: binary.py [ROUNDS=3]
Starts are the medians of 50; what it takes when idle the medians of the rounds, each with a process of its own.
env: TRIMTAB (the binary; default: the release build)
"""
import os
import time

import lab
import processes
import report

IDLE = 20


def libraries(binary):
    """How many shared libraries are loaded before `main`; those that are loaded on use are not among them."""
    return len(processes.call(["ldd", binary]).stdout.splitlines())


def idle(world):
    """An operator with nothing to do: when it was ready, and then."""
    begun = time.perf_counter()
    process, _ = world.operator("http://127.0.0.1:1")
    ready = (time.perf_counter() - begun) * 1000
    time.sleep(10)
    cpu = process.cpu()
    time.sleep(IDLE)
    found = {"ready_ms": ready, "rss_mib": process.memory(), "cores": (process.cpu() - cpu) / IDLE}
    process.stop()
    return found


def main():
    rounds, = report.arguments(3)
    binary = processes.trimtab()
    size = os.path.getsize(binary) / 1024
    start, start_cpu = processes.process_times([binary, "version"])  # little but loading and linking libraries
    with lab.Lab(nodes=1) as world:
        reports = [idle(world) for _ in range(rounds)]
    ready, rss, cores = (report.median(reports, field) for field in ("ready_ms", "rss_mib", "cores"))
    report.emit("binary", size_kib=round(size), libraries=libraries(binary), start_ms_median=round(start, 1),
                start_cpu_ms_median=round(start_cpu, 1), ready_ms=round(ready, 1), idle_rss_mib=round(rss, 1), idle_cores=round(cores, 4))
    report.table(["size", "start", "ready", "idle", "idle"],
                 [[f"{size:.0f} KiB", f"{start:.1f} ms", f"{ready:.0f} ms", f"{rss:.1f} MiB", f"{cores:.4f} cores"]])
    report.finish("binary", [("the binary", f"{size:.0f} KiB, starts in {start:.1f} ms, {rss:.1f} MiB when idle", "")],
                  [report.Limit("size", size, 2048, "KiB"), report.Limit("start", start, 5, "ms"),
                   report.Limit("resident when idle", rss, 32, "MiB"), report.Limit("when idle", cores, 0.01, "cores")])


if __name__ == "__main__":
    main()
