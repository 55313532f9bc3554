#!/usr/bin/env python3
"""Measures vtl beside tgtd's tape target in the same minute and prints one table of ratios.

    test/bench/compare.py [--where DIR] [--megabytes N] [--repeats N] [--quick]

Both servers hold their tapes under --where (default: a temporary directory; give one on tmpfs or on a disk to say
which is measured). They run in a network namespace of their own with reno, since the congestion control of the
machine would decide the numbers otherwise, and take turns, command by command, in --repeats rounds; the table has
medians. tgtd is tuned and warmed with 1 MiB commands first: fresh, it is half as fast. CPU seconds are the
server's own, user and system, per 10^9 bytes moved. Needs root (for the namespace) and a release build; installs
tgt and what else it needs. Absolute figures do not travel between machines; the ratios of one run do.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build/release/bin"
TICK = os.sysconf("SC_CLK_TCK")
DRIVES = 10
CASES = [  # sessions, block, depth
    (1, 262144, 1), (10, 262144, 1), (1, 65536, 1), (1, 262144, 4)]


def run(*command, **more):
    done = subprocess.run([str(c) for c in command], text=True, capture_output=True, timeout=300, **more)
    if done.returncode != 0:
        sys.exit(f"compare: {' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


class Server:
    """A process that serves tapes: its targets, and the CPU it has used."""

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def load(self, mode, sessions, block, depth, megabytes):
        before = self.cpu_seconds()
        text = run(BIN / "vtl_load", self.portal, mode, block, megabytes, depth, self.lun, *self.targets[:sessions])
        result = json.loads(text)
        result["cpu_s_per_gb"] = (self.cpu_seconds() - before) / (result["bytes"] / 1e9)
        return result


class Vtl(Server):
    name, lun, portal = "vtl", 0, "127.0.0.1:14260"

    def __init__(self, where, capacity_gb):
        self.data = where / "vtl"
        run(BIN / "vtl", "init", "--data", self.data, "--drives", DRIVES, "--cartridges", DRIVES,
            "--capacity", f"{capacity_gb}GB")
        self.process = subprocess.Popen([BIN / "vtl", "serve", "--data", self.data, "--listen", self.portal],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            if line.strip().endswith("ready"):
                break
        library = json.loads(run(BIN / "vtl", "library", "show", "--data", self.data, "--json"))
        elements = library["elements"]
        slots = [e["address"] for e in elements if e["type"] == "storage" and e["barcode"]]
        drives = [e["address"] for e in elements if e["type"] == "drive"]
        for slot, drive in zip(slots, drives):
            run(BIN / "vtl", "library", "move", "--data", self.data, slot, drive)
        self.targets = [t for t in run("iscsi-ls", f"iscsi://{self.portal}").replace("Target:", "").split()
                        if "tapedrive" in t]

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


class Tgtd(Server):
    name, lun, portal = "tgtd", 1, "127.0.0.1:14261"
    control = "4260"

    def admin(self, *arguments):
        run("tgtadm", "-C", self.control, "--lld", "iscsi", *arguments)

    def __init__(self, where, capacity_gb):
        home = where / "tgtd"
        home.mkdir()
        self.process = subprocess.Popen(["tgtd", "-f", "-C", self.control, "--iscsi", f"portal={self.portal}"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        self.targets = []
        for i in range(1, DRIVES + 1):
            image, name = home / f"T{i:05}", f"iqn.2026-11.local.bench:t{i}"
            run("tgtimg", "--op", "new", "--device-type", "tape", "--barcode", image.name, "--size",
                capacity_gb * 1000, "--type", "data", "--file", image)
            self.admin("--mode", "target", "--op", "new", "--tid", i, "-T", name)
            self.admin("--mode", "logicalunit", "--op", "new", "--tid", i, "--lun", 1, "-b", image,
                       "--device-type", "tape")
            for key, value in (("MaxRecvDataSegmentLength", 262144), ("FirstBurstLength", 262144),
                               ("MaxBurstLength", 262144), ("InitialR2T", "No"), ("ImmediateData", "Yes")):
                self.admin("--mode", "target", "--op", "update", "--tid", i, "--name", key, "--value", value)
            self.admin("--mode", "target", "--op", "bind", "--tid", i, "-I", "ALL")
            self.targets.append(name)
        self.load("write", DRIVES, 1048576, 1, 256)  # warm
        self.load("read", DRIVES, 1048576, 1, 256)

    def stop(self):
        os.kill(self.process.pid, signal.SIGKILL)  # it does not stop for less while targets exist
        self.process.wait(10)


def measure(servers, megabytes, repeats, cases):
    rows = []
    for sessions, block, depth in cases:
        per_session = max(megabytes // sessions, 64)
        for mode in ("write", "read"):
            results = {s.name: [] for s in servers}
            for _ in range(repeats):
                for server in servers:
                    results[server.name].append(server.load(mode, sessions, block, depth, per_session))
            rows.append(((sessions, block, depth, mode), results))
    return rows


def table(rows):
    median = lambda results, key: statistics.median(r[key] for r in results)
    lines = ["| drives | block | depth | | vtl MB/s | tgtd MB/s | ratio | vtl CPU s/GB | tgtd CPU s/GB | ratio |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for (sessions, block, depth, mode), results in rows:
        a, b = (median(results[n], "mb_per_s") for n in ("vtl", "tgtd"))
        c, d = (median(results[n], "cpu_s_per_gb") for n in ("vtl", "tgtd"))
        lines.append(f"| {sessions} | {block // 1024} KiB | {depth} | {mode} | {a:.0f} | {b:.0f} | {a / b:.2f} "
                     f"| {c:.2f} | {d:.2f} | {c / max(d, 0.001):.2f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--where", type=pathlib.Path, help="directory for both servers' tapes")
    parser.add_argument("--megabytes", type=int, default=2000, help="bytes moved in a measurement, all drives together")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round of little data: that it works, not how fast")
    options = parser.parse_args()
    subprocess.run([ROOT / "examples/install-packages", ROOT / "test/bench/packages"], check=True)
    for program in ("vtl", "vtl_load"):
        if not (BIN / program).exists():
            sys.exit(f"compare: no {program}: cmake --preset release && cmake --build --preset release")
    if os.environ.get("VTL_BENCH_NAMESPACE") != "1":
        os.execvpe("unshare", ["unshare", "--net", sys.executable, *sys.argv], os.environ | {"VTL_BENCH_NAMESPACE": "1"})
    run("ip", "link", "set", "lo", "up")
    pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").write_text("reno")
    megabytes, repeats = (200, 1) if options.quick else (options.megabytes, options.repeats)
    cases = CASES[:2] if options.quick else CASES

    where = pathlib.Path(tempfile.mkdtemp(prefix="vtl-bench-", dir=options.where))
    servers = []
    try:
        capacity_gb = max(4, 2 * megabytes // 1000 + 1)
        for kind in (Vtl, Tgtd):
            servers.append(kind(where, capacity_gb))
        kind = run("stat", "-f", "-c", "%T", where).strip()
        print(f"{os.cpu_count()} cores, {kind}, {megabytes} MB a measurement, median of {repeats}\n")
        print(table(measure(servers, megabytes, repeats, cases)))
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(where, ignore_errors=True)


if __name__ == "__main__":
    main()
