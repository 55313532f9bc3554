#!/usr/bin/env python3
"""What the simulation sees: each promise of FORMAT.md broken in turn, until some seed notices.

test/sim/mutations.py DIRECTORY [NAME...]   copies what git knows to DIRECTORY, breaks and builds it there, and prints for each
                                            mutation the first seed that fails. SEEDS=n: gives up after so many (1000).
"""
import os, pathlib, re, subprocess, sys

WRITER, SEGMENT = "vtl/cartridge/log_writer.cc", "vtl/cartridge/log_writer_segment.cc"
CARTRIDGE = "vtl/cartridge/open_cartridge.cc"
CUT, CLOSE = "vtl/cartridge/open_cartridge_cut.cc", "vtl/cartridge/open_cartridge_close.cc"
RESERVATION = "scsi/reservation.cc"
SYNC = "  if (MaybeFault fault = sync()) return fault;\n"
MUTATIONS = [  # name, file, what is there, what is put there
    ("filemark: no sync", WRITER,
     "    if (const Status status = file_->fdatasync(); !status) return fail(status.error(), durable_);\n", "    {}\n"),
    ("reopening: truncation not synced", WRITER,
     "  if (const Status synced = file_->fdatasync(); !synced) return fail(synced.error(), durable_);\n", ""),
    ("seal: trailer before its data and index are durable", SEGMENT,
     SYNC + "  format::encode_trailer", "  format::encode_trailer"),
    ("seal: trailer not synced before there is a successor", SEGMENT,
     SYNC + "  segment.sealed = true;", "  segment.sealed = true;"),
    ("new segment: directory not synced", SEGMENT, "  directory_dirty_ = true;\n", ""),
    ("cut: not durable in the label", CUT,
     "  if (MaybeFault fault = begin_epoch()) return fault;\n\n  for (",
     "  epoch_ = cart_.next_epoch++;\n  cart_.set(format::kClean, false);\n\n  for ("),
    ("cut: directory of what an older one voided not synced", CUT,
     "  for (const std::string& directory : touched)\n", "  for (const std::string& directory : std::vector<std::string>())\n"),
    ("overwrite from the beginning: new directory not synced", CUT,
     "  if (status = files_.sync_directory(dir_); !status)\n    return final_fault(write_fault(status.error()));\n", ""),
    ("begin: epoch not written", CARTRIDGE,
     "  cart_.set(format::kClean, false);\n  return save_cart();", "  cart_.set(format::kClean, false);\n  return std::nullopt;"),
    ("label: not synced", "vtl/cartridge/superblock.cc",
     "  if (status) status = (*file)->fdatasync();\n", ""),
    ("load: label not synced before it is built upon", CARTRIDGE,
     "    if (const Status synced = sync_cart(files_, dir_); !synced) return load_fault(synced.error());\n", ""),
    ("load: end of the log not synced", CARTRIDGE, "  if (status) status = (*file)->fdatasync();\n", ""),
    ("load: end of the log not written again", CARTRIDGE,
     "  if (!read_only()) status = write_again(**file, log.durable_end);\n", ""),
    ("unload: table of segments not synced", CLOSE,
     "    if (const Status status = (*file)->fdatasync(); !status) return status;\n", ""),
    ("library: journal not synced", "vtl/library/journal.cc", "  if (done) done = file_->fdatasync();\n", ""),
    ("reservations: answered and not kept", "scsi/primary.cc", "  if (kept == reservations_.kept()) {", "  if (true) {"),
    ("reservations: what is kept not synced", "vtl/cartridge/file.cc",
     "  if (Status synced = (*file)->fdatasync(); !synced) return synced.error();\n", ""),
    ("reservations: preempted, and not told", RESERVATION, "    attend(result, victim, Asc::kRegistrationsPreempted);\n", ""),
    ("reservations: exclusive access lets others read", RESERVATION,
     "  return rule == ReservationRule::kConflict || !write_exclusive(reservation_->type);\n",
     "  return rule == ReservationRule::kConflict;\n"),
]


def run(command, cwd):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    root, where = pathlib.Path(__file__).parents[2], pathlib.Path(sys.argv[1]).resolve()
    chosen = [m for m in MUTATIONS if not sys.argv[2:] or any(n in m[0] for n in sys.argv[2:])]
    for name in run(["git", "ls-files"], root).stdout.split():
        to, text = where / name, (root / name).read_bytes()
        to.parent.mkdir(parents=True, exist_ok=True)
        if to.exists() and to.read_bytes() == text:
            continue  # with an older time than what was built of it, a mutation would stay
        to.write_bytes(text)
    run(["cmake", "--preset", "release", "-DVTL_LANE=full"], where)
    seeds = os.environ.get("SEEDS", "1000")
    missed = 0
    for name, file, there, instead in chosen:
        path = where / file
        before = path.read_text()
        if there not in before:
            sys.exit(f"{name}: {file} has changed; bring the mutation up to date")
        # The last place: earlier ones are of other steps.
        path.write_text(instead.join(before.rsplit(there, 1)))
        built = run(["cmake", "--build", "build/release", "-j2", "--target", "vtl_sim"], where)
        path.write_text(before)
        if built.returncode != 0:
            sys.exit(f"{name}: does not build\n{built.stdout[-2000:]}")
        lived = run(["build/release/bin/vtl_sim", "--seeds", seeds], where)
        seed = re.search(r"--seed (\d+)", lived.stderr)
        missed += seed is None
        print(f"| {name} | {seed[1] if seed else 'not within ' + seeds} | {lived.stderr.splitlines()[0][:90] if seed else ''} |",
              flush=True)
    sys.exit(missed != 0)


main()
