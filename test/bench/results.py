"""Rows of figures against what they must and should be, kept from run to run, and their table."""
import datetime
import json
import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
STORE = ROOT / "build/bench.json"  # the latest rows of each part
PAGE = ROOT / "test/bench/RESULTS.md"


def file_system(where):
    name = subprocess.run(["stat", "-f", "-c", "%T", where], text=True, capture_output=True, check=True).stdout.strip()
    return {"ext2/ext3": "ext4"}.get(name, name)


def row(what, vtl, limit=None, must=None, tgtd=None, aim=(), less=False):
    """must and aim are ratios to the limit and to tgtd in the same run; aim in steps. less: at most, not at least."""
    return {"what": what, "vtl": vtl, "limit": limit, "must": must, "tgtd": tgtd, "aim": list(aim), "less": less}


def bound(what, vtl, must, less=True):
    """must is a figure, not a ratio; None: only shown."""
    return row(what, vtl, None, must, less=less)


def number(value):
    return "–" if value is None else f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def holds(value, goal, less):
    return value <= goal if less else value >= goal


def line(r):
    sign = "≤ " if r["less"] else "≥ "
    over = lambda peer: r["vtl"] / max(peer, 1e-9)
    cells = [r["what"], number(r["vtl"]), number(r["limit"]), "–" if r["limit"] is None else f"{over(r['limit']):.2f}"]
    if r["must"] is None:
        cells += ["–", ""]
    else:
        value = r["vtl"] if r["limit"] is None else over(r["limit"])
        cells += [sign + number(r["must"]), "yes" if holds(value, r["must"], r["less"]) else "**no**"]
    cells += [number(r["tgtd"]), "–" if r["tgtd"] is None else f"{over(r['tgtd']):.2f}"]
    if r["aim"]:
        met = sum(holds(over(r["tgtd"]), goal, r["less"]) for goal in r["aim"])
        cells += [sign + ", then ".join(map(number, r["aim"])),
                  "no" if met == 0 else "yes" if met == len(r["aim"]) else "the first"]
    else:
        cells += ["–", ""]
    return "| " + " | ".join(cells) + " |"


def table(rows):
    return "\n".join(["| what | vtl | limit | ratio | must | met | tgtd | ratio | aim | met |",
                      "|---|---|---|---|---|---|---|---|---|---|"] + [line(r) for r in rows])


def keep(measured, order, options):
    """Puts the parts' rows beside those kept of other parts, writes the page and returns it."""
    kept = json.loads(STORE.read_text()) if STORE.exists() else {}
    now = datetime.datetime.now().strftime("%Y-%m-%d %H:%M")
    for part, rows in measured.items():
        kept[part] = {"rows": rows, "when": now, "repeats": options.repeats, "options": options.serve_option}
    STORE.write_text(json.dumps(kept, indent=1))
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
    text = (f"# What test/bench has measured\n\n{os.cpu_count()} cores ({cpu}), Linux {platform.release()}, "
            f"disk: {file_system(options.where)}. Load and server share the cores. `limit` and `tgtd` are what vtl is "
            "compared with, measured in\nthe same run; [README.md](README.md) says what they are. 256 KiB blocks and "
            "queue depth 1 unless said.\n\n")
    text += table([r for part in order if part in kept for r in kept[part]["rows"]]) + "\n\n"
    text += "Measured: " + "; ".join(
        f"{part} {kept[part]['when']}" + (f" ({' '.join(kept[part]['options'])})" if kept[part]["options"] else "")
        for part in order if part in kept) + ".\n"
    PAGE.write_text(text)
    return text
