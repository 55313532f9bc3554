#!/usr/bin/env python3
"""What the oracle of the drive sees: the drive is broken in one place after the other, until the oracle disagrees.

test/oracle/mutations.py DIRECTORY   copies what git knows to DIRECTORY, breaks and builds it there, and prints for each
                                     mutation after how many commands it was seen.
"""
import os, pathlib, re, shutil, subprocess, sys

TRANSFER, POSITION = "scsi/ssc/transfer.cc", "scsi/ssc/position.cc"
MUTATIONS = [  # name, file, what is there, what is put there
    ("SPACE backward: INFORMATION with its sign", POSITION,
     "(count < 0 ? -count : count) - static_cast", "count - static_cast"),
    ("READ of a longer block: INFORMATION with the wrong sign", TRANSFER,
     "std::int64_t{transfer.length} - std::int64_t{actual}", "std::int64_t{actual} - std::int64_t{transfer.length}"),
    ("SILI hides a longer block whatever the block length", TRANSFER,
     "(!longer || modes().block_length() == 0)", "(!longer || modes().block_length() != 1)"),
    ("early warning without EOM", TRANSFER,
     "kEndOfPartitionDetected, 0);\n    sense.end_of_medium = true;\n", "kEndOfPartitionDetected, 0);\n"),
    ("volume overflow: bytes told as blocks", TRANSFER, "missing * transfer.block_bytes", "missing"),
    ("programmable early warning one byte late", POSITION,
     "pews_mb * kDecimalMb >=", "pews_mb * kDecimalMb >"),
    ("REWIND to partition 0", POSITION,
     "medium->locate_object(medium->position().partition, 0,", "medium->locate_object(0, 0,"),
    ("WORM: the first of the last filemarks is free", "scsi/ssc/media_ops.cc",
     "then(filemark_precedes ? Outcome() : Outcome(refused()))", "then(Outcome())"),
    ("residual without what was not there", "scsi/residual.cc", ": std::min(offered, expected);", ": needed;"),
    ("2A/01 to who changed it", "scsi/primary.cc",
     "raise_all_but(task.nexus(), Asc::kModeParametersChanged)", "raise_all(Asc::kModeParametersChanged)"),
    ("PREEMPT tells nobody", "scsi/reservation.cc", "    attend(result, victim, Asc::kRegistrationsPreempted);\n", ""),
    ("PREVENT outlives its session", "scsi/primary.cc", "  set_prevented(nexus.id, false);\n", ""),
    ("MODE SELECT of compression is not waited for until it is durable", "scsi/ssc/tape_drive.cc",
     "flush(WriteMode::kDurable, [this, &task]", "flush(WriteMode::kBuffered, [this, &task]"),
]


def run(command, cwd):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root, where = pathlib.Path(__file__).parents[2], pathlib.Path(sys.argv[1]).resolve()
    for name in run(["git", "ls-files"], root).stdout.split():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, where / name)
    run(["cmake", "--preset", "release"], where)
    missed = 0
    for name, file, there, instead in MUTATIONS:
        path = where / file
        before = path.read_text()
        if before.count(there) != 1:
            sys.exit(f"{name}: {file} has changed; bring the mutation up to date")
        path.write_text(before.replace(there, instead))
        built = run(["cmake", "--build", "build/release", "-j2", "--target", "vtl_drive_oracle"], where)
        path.write_text(before)
        if built.returncode != 0:
            sys.exit(f"{name}: does not build\n{built.stdout[-2000:]}")
        lived = run(["build/release/bin/vtl_drive_oracle"], where)
        seen = re.search(r"\((\d+) in all\)", lived.stderr)
        missed += seen is None
        print(f"| {name} | {seen[1] if seen else 'not at all'} |", flush=True)
    sys.exit(missed != 0)


main()
