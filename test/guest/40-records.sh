# Records of many sizes, fixed and variable mode, and reads with a wrong size.
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --cartridges 20
must "login" login changer 1
must "load slot 1 into drive 0" mtx -f "$changer_sg" load 1 0
tape=${nst[1]}
tape() { mt -f "$tape" "$@"; }

# ---- sizes
sizes=(1 2 3 511 512 513 4095 4096 4097 10240 65535 65536 262143 262144 262145 524288 1048576)
for size in "${sizes[@]}"; do
  check "write 3 records of $size" device write "$tape" "$size" 3 "$size"
done
check "rewind" tape rewind
for size in "${sizes[@]}"; do
  check "read them, $size bytes each" device read "$tape" "$size" 0 "$size"
  same "three records of $size" "3 read" "$output"
done
at "behind the last filemark" "$tape" ${#sizes[@]} 0 $((4 * ${#sizes[@]}))

# ---- a buffer that is too small, or too large
check "rewind" tape rewind
check "write two records of 10240" device write "$tape" 1 2 10240
check "rewind" tape rewind
refused "dd with bs=4096 of a 10240-byte record" 'Cannot allocate memory' dd if="$tape" of=/dev/null bs=4096 count=1
at "the tape is behind that record" "$tape" 0 1 1
check "the next record with a large buffer" dd if="$tape" of=/tmp/second bs=1M count=1
same "it is 10240 bytes" 10240 "$(stat -c %s /tmp/second)"
at "behind the second record" "$tape" 0 2 2
check "bsr 1, and read it again" bash -c "mt -f $tape bsr 1 && dd if=$tape of=/tmp/again bs=10240 count=1"
check "the same bytes" cmp /tmp/second /tmp/again

# ---- fixed mode
check "rewind" tape rewind
check "setblk 1024" tape setblk 1024
check "write 64 blocks in writes of 16" device write "$tape" 2 4 16384
at "64 blocks and a filemark" "$tape" 1 0 65
check "write 5 blocks" device write "$tape" 3 1 5120
check "rewind" tape rewind
check "read them in reads of 16" device read "$tape" 2 4 16384
check "fsf 1" tape fsf 1
check "a read of 16 where 5 are left, by dd" dd if="$tape" of=/tmp/five bs=16384 count=1
same "gives five" 5120 "$(stat -c %s /tmp/five)"
# (the drive met the filemark; at close st puts the tape back before it)
at "before the filemark" "$tape" 1 5 70
check "rewind" tape rewind
refused "a write that is no multiple of the block" 'Invalid argument|EINVAL' device write "$tape" 4 1 1000
check "setblk 512" tape setblk 512
refused "1024-byte blocks read as 512" 'EIO|Input/output error' device read "$tape" 2 1 512
check "setblk 0" tape setblk 0
check "rewind" tape rewind
check "fixed blocks are records in variable mode" dd if="$tape" of=/tmp/blocks bs=1024 count=64
same "all of them" 65536 "$(stat -c %s /tmp/blocks)"
check "setblk 65536" tape setblk 65536
check "rewind" tape rewind
check "write 32 MiB in 64 KiB blocks, 256 KiB at a time" device write "$tape" 6 128 262144
at "512 blocks and a filemark" "$tape" 1 0 513
check "rewind" tape rewind
check "and read it back" device read "$tape" 6 0 262144
same "all of it" "128 read" "$output"
check "setblk 0" tape setblk 0
logout
summary
