#!/usr/bin/env python3
"""What the simulation sees: each promise of FORMAT.md broken in turn, until some seed notices.

test/sim/mutations.py DIRECTORY [NAME...]   copies what git knows to DIRECTORY, breaks and builds it there, and prints for each
                                            mutation the first seed that fails. SEEDS=n: gives up after so many (1000).
"""
import os, pathlib, re, subprocess, sys

WRITER, SEGMENT, RECOVERY = "vtl/cartridge/log_writer.cc", "vtl/cartridge/log_writer_segment.cc", "vtl/cartridge/recovery.cc"
CARTRIDGE, LABEL = "vtl/cartridge/open_cartridge.cc", "vtl/cartridge/superblock.cc"
CUT, CLOSE = "vtl/cartridge/open_cartridge_cut.cc", "vtl/cartridge/open_cartridge_close.cc"
FILE, JOURNAL, MOVES = "vtl/cartridge/file.cc", "vtl/library/journal.cc", "vtl/library/moves.cc"
RESERVATION, FOLDER = "scsi/reservation.cc", "vtl/daemon/reservation_file.cc"
RESTORED = """  registrations_ = std::move(kept.registrations);
  reservation_ = std::move(kept.reservation);
}

void Reservations::take_over"""
COMMITTED = """[this, job, changes](Status committed) {
              if (!committed)
                return give_up(job, outcome_of(MoveResult::kJournalFailed, committed.error().what));
              apply(changes);"""
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
     "  if (MaybeFault fault = save_cart()) return fault;\n  return save_cart();", "  return std::nullopt;"),
    ("begin: told to one copy of the label only", CARTRIDGE,
     "  if (MaybeFault fault = save_cart()) return fault;\n  return save_cart();", "  return save_cart();"),
    ("begin: still called clean", CARTRIDGE, "  cart_.set(format::kClean, false);\n", ""),
    ("label: not synced", LABEL,
     "  if (status) status = (*file)->fdatasync();\n", ""),
    ("load: label not synced before it is built upon", CARTRIDGE,
     "    if (const Status synced = sync_cart(files_, dir_); !synced)\n"
     "      return make_fault(Fault::Kind::kWriteError, synced.error().what);\n", ""),
    ("load: end of the log not synced", CARTRIDGE, "  if (status) status = (*file)->fdatasync();\n", ""),
    ("load: end of the log not written again", CARTRIDGE,
     "  if (!read_only()) status = write_again(**file, log.durable_end);\n", ""),
    ("load: label not written again", LABEL, "slot * format::kBlock, format::kBlock)", "slot * format::kBlock, 0)"),
    ("unload: table of segments not synced", CLOSE,
     "    if (const Status status = (*file)->fdatasync(); !status) return status;\n", ""),
    ("unload: directory of the table of segments not synced", CLOSE,
     "    return files_.sync_directory(log.directory);\n", "    return ok_status();\n"),
    ("unload: label says clean before there is a table", CLOSE,
     "  if (const Status status = write(); !status) {",
     "  cart_.clean_gen = cart_.gen + 1;\n  cart_.set(format::kClean, true);\n"
     "  if (MaybeFault fault = save_cart()) return fault;\n  --cart_.gen;\n"
     "  if (const Status status = write(); !status) {"),
    ("load: table of segments used though not clean", RECOVERY,
     "!input_.use_table || !input_.cart->has(format::kClean) || ", "!input_.use_table || "),
    ("load: an older table of segments is believed", RECOVERY,
     "!table || table->cart_gen != input_.cart->clean_gen ||\n        format::segtab_crc(bytes) != row_.segtab_crc ||\n"
     "        table->entries.size() != row_.segtab_entries)", "!table)"),
    ("load: without its table of segments a tape is empty", RECOVERY,
     "if (load_segtab()) return std::nullopt;",
     "if (load_segtab() || input_.cart->has(format::kClean)) return std::nullopt;"),
    ("library: journal not synced", JOURNAL, "  if (done) done = file_->fdatasync();\n", ""),
    ("library: moves not committed", "vtl/library/library.cc",
     "  Status committed = journal.commit(changes);\n", "  Status committed = ok_status();\n  (void)journal;\n"),
    ("library: moved before it is committed", MOVES, COMMITTED,
     "[](const Status&) {});\n  on_strand([] { return ok_status(); },\n"
     "            [this, job, changes](const Status&) {\n              apply(changes);"),
    ("library: last record not replayed", JOURNAL, "      sequence_ = line->sequence;\n",
     "      if (end + 1 == text.size() && number > 2) break;\n      sequence_ = line->sequence;\n"),
    ("library: what a failed append has left not cut off", JOURNAL,
     "    suspect_ = true;\n    if (file_->truncate(size_)) (void)file_->fdatasync();\n", ""),
    ("library: journal not synced when it is read", JOURNAL,
     "  if (Status synced = journal->file_->fdatasync(); !synced) return synced.error();\n", ""),
    ("library: directory of the journal not synced when it is read", JOURNAL,
     "  if (Status synced = files.sync_directory(folder_of(path)); !synced) return synced.error();\n", ""),
    ("library, reservations: name of a file that was replaced not synced", FILE,
     "  if (Status synced = files.sync_directory(folder_of(path)); !synced) return synced.error();\n", ""),
    ("reservations: answered and not kept", "scsi/primary.cc", "  if (kept == reservations_.kept()) {", "  if (true) {"),
    ("reservations: kept after they are answered", "scsi/primary.cc",
     "  reservation_store_->keep(std::move(kept), [this,",
     "  if (true) {\n    reservations_.take_over(std::move(next));\n"
     "    reservation_store_->keep(std::move(kept), [](bool) {});\n    return finish(task, std::move(result));\n  }\n"
     "  reservation_store_->keep(std::move(kept), [this,"),
    ("reservations: not loaded", RESERVATION, RESTORED, "}\n\nvoid Reservations::take_over"),
    ("reservations: loaded with another type", FOLDER,
     "    kept.reservation = {*type,", "    kept.reservation = {scsi::ReservationType::kWriteExclusive,"),
    ("reservations: not synced when they are read", FOLDER,
     "  if (Status synced = (*file)->fdatasync(); !synced) return synced.error();\n", ""),
    ("reservations: directory not synced when they are read", FOLDER,
     "  if (Status synced = files.sync_directory(folder_of(path)); !synced) return synced.error();\n", ""),
    ("reservations: directory not synced when there are none any more", FOLDER,
     "    return files.sync_directory(folder);\n", "    return ok_status();\n"),
    ("reservations: what is kept not synced", FILE,
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
