"""What the benchmark measures: vtl and its peers, each a process that serves ten tapes, under one interface."""
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TICK = os.sysconf("SC_CLK_TCK")
DRIVES = 10
PROGRAMS = ("vtl", "vtl_load", "vtl_bare", "vtl_pipeline")


def program(name):
    return ROOT / "build/release/bin" / name


def check_built():
    if missing := [name for name in PROGRAMS if not program(name).exists()]:
        sys.exit(f"bench: no {', '.join(missing)}: cmake --preset release && cmake --build --preset release --target bench")


def run(*command, **more):
    done = subprocess.run([str(c) for c in command], text=True, capture_output=True, timeout=300, **more)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def pipeline(*arguments):
    return json.loads(run(program("vtl_pipeline"), *arguments))


class Server:
    """A process that serves tapes: its targets, and the CPU it has used."""
    lun, process = 0, None

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory_mb(self, field):
        lines = pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        kb = {key: value.split()[0] for key, value in (line.split(":", 1) for line in lines) if value.endswith(" kB")}
        return (int(kb[field]) + int(kb["HugetlbPages"])) * 1024 / 1e6

    def measure(self, mode, sessions=1, **load):
        options = [text for key, value in load.items() for text in (f"--{key}", value)]
        text = run(program("vtl_load"), *options, "--lun", self.lun, self.port, mode, *self.targets[:sessions])
        return json.loads(text) if text else {}

    def load(self, mode, megabytes, sessions=DRIVES, **load):
        """Writes or reads so much on each drive."""
        before = self.cpu_seconds()
        result = self.measure(mode, sessions, megabytes=megabytes, **load)
        result["cpu_s_per_gb"] = (self.cpu_seconds() - before) / (result["bytes"] / 1e9)
        return result

    def erase(self, sessions):
        self.measure("erase", sessions)

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)


class Vtl(Server):
    name, port = "vtl", 14260

    def __init__(self, where, serve_options=(), drives=DRIVES, iscsi=None, compression="none"):
        self.data, self.serve_options, self.drives = where / "vtl", serve_options, drives
        self.settings = {"iscsi": iscsi or {}, "storage": {"compression": compression}}

    def init(self):
        run(program("vtl"), "init", "--data", self.data, "--drives", self.drives, "--cartridges", self.drives)
        text = (self.data / "vtl.yaml").read_text()
        for section, keys in self.settings.items():
            head, title, rest = text.partition(f"\n{section}:\n")
            text = head + title + "".join(f"  {key}: {value}\n" for key, value in keys.items()) + rest
        (self.data / "vtl.yaml").write_text(text)

    def start(self):
        self.init()
        self.serve()

    def serve(self):
        self.process = subprocess.Popen([program("vtl"), "serve", "--data", self.data, "--listen",
                                         f"127.0.0.1:{self.port}", *self.serve_options],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.targets = []
        for line in self.process.stdout:
            if line.strip() == "ready":
                break
            if "tapedrive" in line.split()[0]:
                self.targets.append(line.split()[0])
        else:
            sys.exit("bench: vtl serve ended before it was ready")
        self.slots, self.bays = ([e["address"] for e in self.elements() if e["type"] == kind and
                                  (kind == "drive" or e["barcode"])] for kind in ("storage", "drive"))
        self.move(self.slots, self.bays)

    def elements(self):
        return json.loads(run(program("vtl"), "library", "show", "--data", self.data, "--json"))["elements"]

    def move(self, sources, destinations):
        for source, destination in zip(sources, destinations):
            run(program("vtl"), "library", "move", "--data", self.data, source, destination)

    def empty(self):
        self.move(self.bays, self.slots)

    def erase(self, sessions):
        super().erase(sessions)
        while any((self.data / "pool/trash").iterdir()):  # unlinked in the background
            time.sleep(0.02)


class Idlers:
    """500 connections of a kind that is of no use: test/bench/idlers.py. While it is entered."""
    COUNT = 500

    def __init__(self, server, kind):
        self.command = [sys.executable, ROOT / "test/bench/idlers.py", server.port, kind, self.COUNT, "127.0.0.2"]

    def __enter__(self):
        self.process = subprocess.Popen(list(map(str, self.command)), stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            sys.exit("bench: idlers.py did not start")
        return self

    def __exit__(self, *_):
        self.process.kill()
        out, _ = self.process.communicate()
        self.standing = int(out.split()[-1]) if out.split() else 0


class Bare(Server):
    """test/bench/bare_target.cc"""
    name, port = "bare", 14262

    def __init__(self, where):
        self.home = where / "bare"
        self.targets = [f"iqn.2026-11.local.bench:bare{i}" for i in range(DRIVES)]

    def start(self):
        self.home.mkdir()
        self.process = subprocess.Popen([program("vtl_bare"), str(self.port), self.home], stdout=subprocess.PIPE,
                                        text=True)
        if self.process.stdout.readline().strip() != "ready":
            sys.exit("bench: vtl_bare did not start")


class Tgtd(Server):
    """Debian's tgtd with its tape target, tuned. Fresh, it is half as fast: warmed with 1 MiB commands."""
    name, lun, port = "tgtd", 1, 14261
    control = "4260"

    def __init__(self, where):
        self.home, self.targets = where / "tgtd", []

    def admin(self, *arguments):
        run("tgtadm", "-C", self.control, "--lld", "iscsi", *arguments)

    def start(self):
        self.home.mkdir()
        self.process = subprocess.Popen(["tgtd", "-f", "-C", self.control, "--iscsi", f"portal=127.0.0.1:{self.port}"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        for i in range(1, DRIVES + 1):
            image, name = self.home / f"T{i:05}", f"iqn.2026-11.local.bench:t{i}"
            run("tgtimg", "--op", "new", "--device-type", "tape", "--barcode", image.name, "--size", 4000,
                "--type", "data", "--file", image)
            self.admin("--mode", "target", "--op", "new", "--tid", i, "-T", name)
            self.admin("--mode", "logicalunit", "--op", "new", "--tid", i, "--lun", 1, "-b", image,
                       "--device-type", "tape")
            for key, value in (("MaxRecvDataSegmentLength", 262144), ("FirstBurstLength", 262144),
                               ("MaxBurstLength", 262144), ("InitialR2T", "No"), ("ImmediateData", "Yes"),
                               ("HeaderDigest", "CRC32C,None"), ("DataDigest", "CRC32C,None")):
                self.admin("--mode", "target", "--op", "update", "--tid", i, "--name", key, "--value", value)
            self.admin("--mode", "target", "--op", "bind", "--tid", i, "-I", "ALL")
            self.targets.append(name)
        for mode in ("write", "read"):
            self.load(mode, 32, block=1048576)

    def erase(self, sessions):
        # It would overwrite in place. The beginning, which it reads when it rewinds, stays.
        super().erase(sessions)
        for image in sorted(self.home.iterdir())[:sessions]:
            run("fallocate", "--punch-hole", "--offset", 4 << 20, "--length", image.stat().st_size, image)


class Pipeline:
    """The storage of vtl without drives, protocol and network: test/bench/pipeline.cc."""
    name = "pipeline"

    def __init__(self, where):
        self.pool = where / "pipeline"

    def erase(self, _):
        pass  # before each write, by itself

    def load(self, mode, megabytes):
        return pipeline(mode, self.pool, DRIVES, 262144, megabytes)
