#!/usr/bin/env python3
"""Makes an image archive of one layer without a builder or a registry; `ctr -n k8s.io images import` takes it.

usage: mkimage.py NAME:TAG OUT.tar [--entry ARG]... [--env K=V]... [--user UID[:GID]] [--libs] [--load LIB]... SRC[:DST]...
SRC is a file or a folder, DST its path in the image. --libs adds the shared objects (ldd) of every file given; --load one that a
program opens by itself, such as libcurl.so (its version is found), and those that it needs.
The same input gives the same archive, byte for byte.
"""
import argparse
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x",
                 "riscv64": "riscv64"}


def anonymous(entry):
    """Leaves out who made the file and when."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def shared_objects(path):
    out = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    if "not found" in out:
        raise SystemExit(f"mkimage.py: {path} needs shared objects that are not here:\n{out}")
    return re.findall(r"(/\S+) \(0x", out)


def opened(name):
    """Where the loader finds a library, whatever its version, and what that one needs."""
    out = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    found = re.search(rf"^\s*{re.escape(name)}\.\d+ .*=> (\S+)$", out, re.MULTILINE)
    if not found:
        raise SystemExit(f"mkimage.py: {name} is not installed")
    return [found.group(1), *shared_objects(found.group(1))]


class Layer:
    def __init__(self):
        self.blob = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.blob, mode="w")
        self.done = set()

    def folder(self, path, mode=0o755):
        path = path.strip("/")
        if not path or path in self.done:
            return
        self.folder(os.path.dirname(path))
        self.done.add(path)
        entry = tarfile.TarInfo(path)
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        self.tar.addfile(entry)

    def put(self, src, dst):
        dst = dst.strip("/")
        if dst in self.done:
            return
        self.folder(os.path.dirname(dst))
        self.done.add(dst)
        self.tar.add(src, dst, filter=anonymous)

    def close(self):
        self.folder("tmp", 0o1777)
        self.tar.close()
        return self.blob.getvalue()


def make_layer(files, libs, loaded):
    layer, wanted = Layer(), []
    for spec in files:
        src, _, dst = spec.partition(":")
        if not os.path.exists(src):
            raise SystemExit(f"mkimage.py: {src} is not there")
        layer.put(src, dst or os.path.abspath(src))
        if libs and os.path.isfile(src):
            wanted += shared_objects(src)
    for name in loaded:
        wanted += opened(name)
    for lib in wanted:
        layer.put(os.path.realpath(lib), lib)
    return layer.close()


def add_bytes(tar, name, data):
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("name")
    p.add_argument("out")
    p.add_argument("files", nargs="*")
    p.add_argument("--entry", action="append", default=[])
    p.add_argument("--env", action="append", default=[])
    p.add_argument("--user", default="")
    p.add_argument("--libs", action="store_true")
    p.add_argument("--load", action="append", default=[])
    o = p.parse_intermixed_args()
    blob = make_layer(o.files, o.libs, o.load)
    digest = hashlib.sha256(blob).hexdigest()
    config = json.dumps({
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()), "os": "linux",
        "config": {"Entrypoint": o.entry, "Env": ["PATH=/usr/bin:/bin"] + o.env, "User": o.user, "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]}}).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = [{"Config": config_name, "RepoTags": [o.name], "Layers": [digest + "/layer.tar"]}]
    with tarfile.open(o.out + ".new", "w") as tar:
        add_bytes(tar, config_name, config)
        add_bytes(tar, digest + "/layer.tar", blob)
        add_bytes(tar, "manifest.json", json.dumps(manifest).encode())
    os.replace(o.out + ".new", o.out)
    print(f"{o.name} {len(blob) / 1e6:.1f} MB")


try:
    main()
except KeyboardInterrupt:
    raise SystemExit(130) from None
