# Resets from the initiator: the cartridge and what is on it stay. (The kernel's iSCSI initiator has no host reset.)
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --cartridges 20
must "login" login changer 1
must "load slot 1 into drive 0" mtx -f "$changer_sg" load 1 0
tape=${nst[1]}
tape() { mt -f "$tape" "$@"; }
size=65536

must "write 20 records" device write "$tape" 1 20 $size
for kind in device target; do
  check "$kind reset of the drive" sg_reset "--$kind" --no-escalate "${sg[1]}"
  # the unit attention is on the next command; st takes it at open
  check "the drive answers again after a $kind reset" within 10 sg_turs "${sg[1]}"
  same "the cartridge is loaded" "ONLINE IM_REP_EN" "$(position "$tape" | grep -o 'ONLINE.*')"
  check "rewind" tape rewind
  check "the records are there" device read "$tape" 1 0 $size
  same "all of them" "20 read" "$output"
done
# ---- a reset releases what a host held
must "lock" tape lock
check "device reset" sg_reset --device --no-escalate "${sg[1]}"
check "the drive answers" within 10 sg_turs "${sg[1]}"
check "the cartridge is free" mtx -f "$changer_sg" unload 1 0
must "load it again" mtx -f "$changer_sg" load 1 0

# ---- a reset while a program writes
must "rewind" within 10 mt -f "$tape" rewind
writing "$tape" $size
check "device reset in the middle of writing" sg_reset --device --no-escalate "${sg[1]}"
writer_told "device reset"
check "rewind" within 20 mt -f "$tape" rewind
reads_prefix "device reset" "$tape" $size "$written"

# ---- the changer
check "device reset of the changer" sg_reset --device --no-escalate "$changer_sg"
check "the changer answers" within 10 sg_turs "$changer_sg"
check "mtx status" mtx -f "$changer_sg" status
says "the cartridge is in the drive" 'Data Transfer Element 0:Full \(Storage Element 1 Loaded\)'
logout
summary
