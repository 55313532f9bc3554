# Partitions by mt and st: made, entered, written each on its own, kept in another drive, removed.
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --cartridges 20
must "login" login changer 1 2
must "load slot 1 into drive 0" mtx -f "$changer_sg" load 1 0
tape=${nst[1]}
tape() { mt -f "$tape" "$@"; }
told() { tape tell 2>&1; }

must "st may use partitions" tape stsetoptions can-partitions
check "mkpartition: the second of 200 GB" tape mkpartition 200000
check "mt status" tape status
says "the first partition" 'partition=0'

check "write to partition 0" device write "$tape" 1 3 1024
check "setpartition 1" tape setpartition 1
check "mt status" tape status
says "the second partition" 'partition=1'
says "it is empty, and at its beginning" 'File number=0, block number=0'
check "write to partition 1" device write "$tape" 2 5 2048
same "behind the filemark" "At block 6." "$(told)"
check "setpartition 0" tape setpartition 0
check "rewind" tape rewind
check "partition 0 has its own records" device read "$tape" 1 3 1024
check "setpartition 1 again" tape setpartition 1
check "rewind, of this partition" tape rewind
check "partition 1 has its own records" device read "$tape" 2 5 2048

check "put it back" mtx -f "$changer_sg" unload 1 0
must "load it into drive 1" mtx -f "$changer_sg" load 1 1
tape=${nst[2]}
must "st may use partitions there" tape stsetoptions can-partitions
check "rewind" tape rewind
check "partition 0 is there" device read "$tape" 1 3 1024
check "setpartition 1" tape setpartition 1
check "and so is partition 1" device read "$tape" 2 5 2048
check "sg_read_attr lists two partitions" sg_read_attr --sa=3 "${sg[2]}"
says "two" 'Number of partitions available: 2|number.*2'

check "mkpartition 0 makes it one again" tape mkpartition 0
check "rewind" tape rewind
refused "which is empty" '^0 read' device read "$tape" 1 1 1024
refused "there is no partition 1" 'Invalid argument|Input/output error' tape setpartition 1
summary
