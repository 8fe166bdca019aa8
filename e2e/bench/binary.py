#!/usr/bin/env python3
"""The binary itself: size, time to start, memory when idle beside an empty cluster.

usage: binary.py     env: TRIMTAB (the binary; default build/release/trimtab)
"""
import os
import subprocess
import sys
import time

import lab


def libraries(binary):
    """How many shared libraries are loaded before `main`; those that are loaded on use are not among them."""
    return len(subprocess.run(["ldd", binary], check=True, capture_output=True, text=True).stdout.splitlines())


def main():
    binary = os.environ.get("TRIMTAB", os.path.join(lab.ROOT, "build", "release", "trimtab"))
    size = os.path.getsize(binary) / 1024
    start, start_cpu = lab.process_times([binary, "version"])  # little but loading and linking libraries
    with lab.Lab(nodes=1) as world:
        begun = time.perf_counter()
        process, _ = world.operator("http://127.0.0.1:1")
        ready = (time.perf_counter() - begun) * 1000
        time.sleep(10)
        cpu = process.cpu()
        time.sleep(20)
        idle = process.memory()
        cores = (process.cpu() - cpu) / 20
    lab.emit("binary", size_kib=round(size), libraries=libraries(binary), start_ms_median=round(start, 1), start_cpu_ms_median=round(start_cpu, 1),
             ready_ms=round(ready, 1), idle_rss_mib=round(idle, 1), idle_cores=round(cores, 4))
    print(f"| size | start | idle | idle |\n|---|---|---|---|\n| {size:.0f} KiB | {start:.1f} ms | {idle:.1f} MiB "
          f"| {cores:.4f} cores |", file=sys.stderr)


if __name__ == "__main__":
    main()
