# Motion by mt, checked to the block: st's file and block number, and the drive's own count of objects.
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --cartridges 20
must "login" login changer 1
must "load slot 1 into drive 0" mtx -f "$changer_sg" load 1 0
tape=${nst[1]}
tape() { mt -f "$tape" "$@"; }

# ---- what a fresh cartridge says
check "mt status" tape status
says "mt status: LTO-8 density" 'Density code 0x5e'
says "mt status: variable blocks" 'Tape block size 0 bytes'
at "a loaded cartridge is at its beginning" "$tape" 0 0 0
refused "a blank tape has nothing to read" '^0 read' device read "$tape" 1 1 1024

# ---- three files. Objects: 0-2 records, 3 filemark, 4-8 records, 9 filemark, 10-11 records, 12 filemark
must "rewind" tape rewind
must "write file 0: 3 records of 1024" device write "$tape" 1 3 1024
at "after a close that writes a filemark" "$tape" 1 0 4
must "write file 1: 5 records of 2048" device write "$tape" 2 5 2048
must "write file 2: 2 records of 4096" device write "$tape" 3 2 4096
at "after the third file" "$tape" 3 0 13
check "rewind" tape rewind
at "after rewind" "$tape" 0 0 0
same "mt status at the beginning" "file 0 block 0: BOT ONLINE IM_REP_EN" "$(position "$tape")"

# ---- files
check "fsf 1" tape fsf 1
at "after fsf 1" "$tape" 1 0 4
same "mt status behind a filemark" "file 1 block 0: EOF ONLINE IM_REP_EN" "$(position "$tape")"
check "fsf 1 again" tape fsf 1
at "after fsf 1" "$tape" 2 0 10
check "bsf 1" tape bsf 1
at "after bsf 1: before the filemark" "$tape" 1 -1 9
check "bsf 1 again" tape bsf 1
at "after bsf 1" "$tape" 0 -1 3
check "bsfm 1 from file 2" bash -c "mt -f $tape asf 2 && mt -f $tape bsfm 1"
at "after bsfm 1: back over a filemark, and forward over it" "$tape" 2 0 10
check "fsfm 1 from the beginning" bash -c "mt -f $tape rewind && mt -f $tape fsfm 1"
at "after fsfm 1: before the filemark" "$tape" 0 -1 3
check "asf 1" tape asf 1
at "after asf 1" "$tape" 1 0 4

# ---- records
check "fsr 2" tape fsr 2
at "after fsr 2" "$tape" 1 2 6
check "bsr 1" tape bsr 1
at "after bsr 1" "$tape" 1 1 5
refused "fsr 10 meets the filemark" 'Input/output error' tape fsr 10
at "it stops behind the filemark" "$tape" 2 0 10
refused "bsr 1 meets the filemark" 'Input/output error' tape bsr 1
at "it stops before the filemark" "$tape" 1 -1 9
check "rewind" tape rewind
refused "bsr 1 at the beginning" 'Input/output error' tape bsr 1
at "it stays at the beginning" "$tape" 0 0 0
refused "bsf 1 at the beginning" 'Input/output error' tape bsf 1
check "rewind" tape rewind

# ---- end of data
# (st knows the file there, but not how many records it has)
check "eod" tape eod
at "after eod" "$tape" 3 -1 13
same "mt status at end of data" "file 3 block -1: EOD ONLINE IM_REP_EN" "$(position "$tape")"
refused "fsr 1 at end of data" 'Input/output error' tape fsr 1
same "it stays there" "At block 13." "$(tape tell 2>&1)"
check "rewind" tape rewind
refused "fsf 5 over three filemarks" 'Input/output error' tape fsf 5
same "it stops at end of data" "At block 13." "$(tape tell 2>&1)"

# ---- objects
for object in 5 0 11 3 12; do
  check "seek $object" tape seek "$object"
  same "tell after seek $object" "At block $object." "$(tape tell 2>&1)"
done
refused "seek past end of data" 'Input/output error' tape seek 100
same "it stops at end of data" "At block 13." "$(tape tell 2>&1)"
check "seek 4" tape seek 4
check "file 1 is there after seek" device read "$tape" 2 5 2048

# ---- reading moves as it should
check "rewind" tape rewind
check "read file 0 with too large a buffer" device read "$tape" 1 0 1024 65536
same "three records" "3 read" "$output"
at "behind its filemark" "$tape" 1 0 4
check "read 2 records of file 1" device read "$tape" 2 2 2048
at "in the middle of file 1" "$tape" 1 2 6
check "fsf 1 from there" tape fsf 1
at "at file 2" "$tape" 2 0 10
check "read file 2 by dd" dd if="$tape" of=/tmp/file2 bs=4096
same "all its bytes" 8192 "$(stat -c %s /tmp/file2)"

# ---- filemarks
check "eod" tape eod
check "weof 2" tape weof 2
at "after weof 2" "$tape" 5 0 15
check "weof 0, a flush" tape weof 0
at "after weof 0" "$tape" 5 0 15
check "bsf 2" tape bsf 2
at "after bsf 2" "$tape" 3 -1 13

# ---- a write in the middle ends the tape there
check "asf 1" tape asf 1
check "write one record at file 1" device write "$tape" 4 1 512
at "after it" "$tape" 2 0 6
check "eod" tape eod
at "nothing is behind it" "$tape" 2 -1 6
check "rewind" tape rewind
check "file 0 is untouched" device read "$tape" 1 0 1024
same "three records" "3 read" "$output"
check "file 1 is the new one" device read "$tape" 4 1 512

# ---- erase
check "asf 1" tape asf 1
check "erase, short" tape erase 0
check "eod" tape eod
at "file 1 is gone" "$tape" 1 -1 4
check "rewind" tape rewind
check "file 0 is untouched" device read "$tape" 1 3 1024
check "rewind" tape rewind
check "erase, long" tape erase
check "eod" tape eod
same "the tape is blank" "At block 0." "$(tape tell 2>&1)"

# ---- block size, compression
check "setblk 512" tape setblk 512
check "mt status" tape status
says "mt status: 512-byte blocks" 'Tape block size 512 bytes'
check "rewind" tape rewind
check "write 4096 bytes at once" device write "$tape" 5 1 4096
at "that is eight blocks" "$tape" 1 0 9
check "rewind" tape rewind
check "fsr 3 of them" tape fsr 3
at "after fsr 3" "$tape" 0 3 3
check "setblk 0" tape setblk 0
check "mt status" tape status
says "mt status: variable blocks again" 'Tape block size 0 bytes'
check "compression 0" tape compression 0
check "compression 1" tape compression 1

# ---- out and in
check "rewind" tape rewind
check "offline" tape offline
same "mt status of an unloaded drive" "DR_OPEN IM_REP_EN" "$(position "$tape" | sed 's/.*: //')"
refused "no motion then" 'No medium found|Input/output error' tape rewind
check "load" tape load
# A host's own LOAD raises no unit attention for it, so st does not know yet where the tape is; the drive does.
same "mt status after load" "ONLINE IM_REP_EN" "$(position "$tape" | sed 's/.*: //')"
same "the drive is at the beginning" "At block 0." "$(tape tell 2>&1)"
check "rewind" tape rewind
same "mt status after rewind" "file 0 block 0: BOT ONLINE IM_REP_EN" "$(position "$tape")"
check "setblk 512" tape setblk 512
check "data survived it" device read "$tape" 5 1 4096
check "offline" tape offline
check "the changer takes it out" mtx -f "$changer_sg" unload 1 0
logout
summary
