#!/usr/bin/env python3
"""The architecture as a test: which room may include what (DESIGN.md section 1), and the house's style.

Prints one line per offence, file:line: what, and fails if there is any.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

GROUND = {f"scsi/{n}.h" for n in ("bytes", "buffer", "check", "crc32c", "done", "protection", "secret")} | {"scsi/ssc/profile.h"}
GROUND_FILES = GROUND | {h.replace(".h", ".cc") for h in GROUND}

STD = re.compile(r"^[a-z_]+$")  # <vector>: no dot, no slash
POSIX = {"sys/mman.h", "sys/uio.h"}
FILES = {"fcntl.h", "unistd.h", "sys/file.h", "sys/stat.h", "sys/statvfs.h", "sys/vfs.h", "sys/types.h", "dirent.h",
         "linux/falloc.h", "sys/ioctl.h", "linux/fs.h", "sys/sysmacros.h", "sys/random.h"}
LANGUAGE = {"errno.h", "string.h", "stdio.h", "stdlib.h", "time.h", "limits.h"}

# (rule name, files it holds for, allowed project headers, allowed system headers besides the standard library,
#  standard headers that are forbidden)
NO_WORLD = {"thread", "mutex", "condition_variable", "fstream", "filesystem", "random", "iostream", "future"}
RULES = [
    ("ground floor", lambda f: f in GROUND_FILES, lambda h: h in GROUND, POSIX | {"isa-l/crc.h", "sanitizer/asan_interface.h"}, NO_WORLD),
    ("scsi", lambda f: f.startswith("scsi/"), lambda h: h.startswith("scsi/"), set(), NO_WORLD),
    ("auth", lambda f: f.startswith("auth/"), lambda h: h.startswith("auth/"),
     re.compile(r"^(cryptopp/.*|arpa/inet\.h)$"), NO_WORLD),
    ("transport/iscsi", lambda f: f.startswith("transport/iscsi/"),
     lambda h: h.startswith(("transport/iscsi/", "scsi/", "auth/")), {"sys/uio.h"}, NO_WORLD),
    ("transport/net", lambda f: f.startswith("transport/net/"),
     lambda h: h.startswith(("transport/net/", "transport/iscsi/")) or h in GROUND,
     re.compile(r"^(uv|unistd|fcntl|net/if|sys/socket|sys/uio|netinet/.*|arpa/inet|signal|sys/un)(\.h)?$"), {"fstream", "filesystem"}),
    ("vtl/cartridge", lambda f: f.startswith("vtl/cartridge/"),
     lambda h: h.startswith("vtl/cartridge/") or h in GROUND or h == "scsi/ssc/medium.h",
     POSIX | FILES | {"lz4.h", "lz4frame.h", "zstd.h", "fmt/format.h", "fmt/core.h", "pthread.h"} | LANGUAGE |
     {f"cryptopp/{n}.h" for n in ("aes", "gcm", "hmac", "sha")}, set()),
    ("vtl/library", lambda f: f.startswith("vtl/library/"),
     # scsi/ssc/medium.h: a loaded cartridge passes through the library on its way to a drive bay.
     lambda h: h.startswith(("vtl/library/", "vtl/cartridge/")) or h in GROUND | {"scsi/smc/inventory.h", "scsi/ssc/medium.h"},
     {"fmt/format.h", "fmt/core.h"} | LANGUAGE, {"thread", "mutex"}),
    ("vtl/timing", lambda f: f.startswith("vtl/timing/"),
     lambda h: h.startswith("vtl/timing/") or h in GROUND | {"scsi/ssc/medium.h"}, set(), {"thread", "mutex"}),
    ("vtl/interchange", lambda f: f.startswith("vtl/interchange/"),
     lambda h: h.startswith(("vtl/interchange/", "vtl/cartridge/")) or h in GROUND,
     {"nlohmann/json.hpp", "fmt/format.h", "fmt/core.h"} | LANGUAGE, {"thread", "mutex"}),
    ("vtl/config", lambda f: f.startswith("vtl/config/"),
     lambda h: h.startswith("vtl/config/") or h in GROUND | {"scsi/smc/profile.h", "scsi/ssc/drive_family.h"},
     re.compile(r"^(yaml-cpp/.*|fmt/.*|arpa/inet\.h|errno\.h|sys/stat\.h|sys/types\.h|unistd\.h|fcntl\.h)$"), {"thread", "mutex"}),
    ("vtl/daemon and vtl/cli", lambda f: f.startswith(("vtl/daemon/", "vtl/cli/")), lambda h: True, re.compile("."), set()),
]

BANNED = [  # what, where it is allowed, why
    (re.compile(r"\busing namespace\b(?! gate;| primary;| scsi::ssc;| std::(string_view_)?literals| std::chrono_literals)"), (), "names say where they come from"),
    (re.compile(r"\b(strcpy|strcat|sprintf|gets|alloca|atoi|atol|strtok)\s*\("), (), "unbounded or unchecked"),
    (re.compile(r"(?<![\w.])assert\s*\("), (), "VTL_CHECK stays on in release builds"),
    (re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), (), "finish it or leave it out"),
    (re.compile(r"<uv\.h>"), ("transport/net/",), "libuv belongs to transport/net"),
    (re.compile(r"\bstd::(thread|jthread|mutex|recursive_mutex|shared_mutex)\b"),
     ("vtl/cartridge/executor.cc", "vtl/cartridge/executor.h", "vtl/cartridge/thread_executor.h", "vtl/cartridge/thread_executor.cc",
      "transport/net/loop.cc", "transport/net/loop.h", "transport/net/uv.h", "vtl/daemon/", "vtl/cli/"),
     "no threads or locks outside the executor's queues, the loop's post and the control socket"),
    (re.compile(r"reinterpret_cast<[^>]*(Pdu|Header|struct|Page)\b[^>]*\*>"), (), "cursors, never overlays"),
]
MAX_LINES = 650


def tracked():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True,
                            capture_output=True, check=True).stdout.split("\n")
    return sorted(f for f in listed if f and (ROOT / f).is_file())


def check_includes(name, lines, complain):
    rule = next((r for r in RULES if r[1](name)), None)
    if rule is None:
        return
    title, _, project, system, forbidden = rule
    for number, line in lines:
        quoted = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        angled = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
        if quoted:
            header = quoted.group(1)
            if not (ROOT / header).is_file():
                complain(number, f'"{header}" is not a path from the root')
            elif not project(header):
                complain(number, f'{title} must not know "{header}"')
        elif angled:
            header = angled.group(1)
            standard = bool(STD.match(header))
            allowed = system.match(header) if isinstance(system, re.Pattern) else header in system
            if (standard and header in forbidden) or (not standard and not allowed):
                complain(number, f"{title} must not know <{header}>")


def check_proofs(page):
    """The tests that a page names as proofs are there: `unit/x_test.cc` "words of its cases"."""
    for number, line in enumerate((ROOT / page).read_text().split("\n"), 1):
        for name, cases in re.findall(r'`(?:test/)?((?:unit|integration)/[^`]+\.cc)`((?:,? "[^"]+")*)', line):
            texts = [f.read_text() for f in (ROOT / "test").glob(name)]
            if not texts:
                yield f"{page}:{number}: there is no test/{name}"
            for case in re.findall(r'"([^"]+)"', cases):
                if not any(case in text for text in texts):
                    yield f'{page}:{number}: test/{name} has no case "{case}"'


def main():
    offences = list(check_proofs("SECURITY.md"))
    files = [f for f in tracked() if f.endswith((".h", ".cc"))]
    for name in files:
        text = (ROOT / name).read_text()
        lines = list(enumerate(text.split("\n"), 1))

        def complain(number, what, name=name):
            offences.append(f"{name}:{number}: {what}")

        if not name.startswith(("test/", "examples/")):
            check_includes(name, lines, complain)
            for pattern, places, why in BANNED:
                if name.startswith(places) if places else False:
                    continue
                for number, line in lines:
                    if pattern.search(line):
                        complain(number, f"{pattern.search(line).group(0)!r}: {why}")
            if name.endswith(".h") and "#pragma once" not in text:
                complain(1, "no #pragma once")
        if len(lines) > MAX_LINES and not name.startswith("test/"):
            complain(len(lines), f"{len(lines)} lines; above {MAX_LINES} a file has more than one concern")
        if re.search(r"(^|/)(utils?|common|misc|helpers?)\.(h|cc)$", name):
            complain(1, "a name that says nothing")
    for folder in sorted({str(pathlib.PurePath(f).parent) for f in files if not f.startswith(("test/", "examples/"))}):
        if not (ROOT / folder / "README.md").is_file():
            offences.append(f"{folder}/README.md:1: every folder has a page that says what it is for")
    for name in tracked():
        if name.endswith((".sh", ".md", ".py", ".cc", ".h", ".txt", ".yaml", ".json", ".cmake")):
            for number, line in enumerate((ROOT / name).read_text(errors="replace").split("\n"), 1):
                if re.search(r"(?<![\w.$}])/(home|work|root)/\w", line) and not name.startswith("test/layering/"):
                    offences.append(f"{name}:{number}: a path of somebody's machine")
    print("\n".join(offences) if offences else f"layering: {len(files)} sources keep to the architecture")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
