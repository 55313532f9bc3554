# The operator's commands while an initiator is logged in: each sees what the other does.
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --slots 30 --ie-slots 5 --cartridges 20
must "login" login changer 1 2
changer() { mtx -f "$changer_sg" "$@"; }
full() { # what element-line
  check "mtx status" changer status
  says "$1" "$2"
}

check "vtl library show" host vtl library show
says "an empty drive" 'drive-1 +500 .* - '
must "mtx: load slot 1 into drive 0" changer load 1 0
check "vtl library show" host vtl library show
says "it shows the cartridge in the drive" 'drive-1 +500 .*VTL001L8'
must "write a file" device write "${nst[1]}" 1 10 65536
check "vtl library show" host vtl library show
says "and the position of the tape" 'object 11 \(file 1\)'
check "vtl library show --json" host vtl library show --json
says "with the serial number of drive 1" "$(device identity "${scsi[1]}" | sed 's/|.*//')"

# ---- the operator moves a cartridge; the initiator's next look shows it
check "vtl library move slot to drive" host vtl library move slot-2 drive-2
full "mtx sees it" 'Data Transfer Element 1:Full \(Storage Element 2 Loaded\):VolumeTag *= *VTL002L8'
same "the drive is ready" "file 0 block 0: BOT ONLINE IM_REP_EN" "$(position "${nst[2]}")"
check "vtl library move back" host vtl library move VTL002L8 slot-2
full "mtx sees it" 'Storage Element 2:Full :VolumeTag=VTL002L8'
same "the drive is empty" "DR_OPEN IM_REP_EN" "$(position "${nst[2]}" | sed 's/.*: //')"
refused "a move from an empty slot" 'no cartridge in it' host vtl library move slot-30 drive-2

# ---- a cartridge comes through the mail slot and goes again
check "vtl cartridge create, into import/export" host vtl cartridge create NEW001L8 --where import-export
full "mtx sees it in import/export" 'Storage Element 31 IMPORT/EXPORT:Full :VolumeTag=NEW001L8'
check "mtx: transfer it to a slot" changer transfer 31 25
full "it is there" 'Storage Element 25:Full :VolumeTag=NEW001L8'
must "mtx: load it" changer load 25 1
check "write" device write "${nst[2]}" 5 10 65536
refused "a loaded cartridge is not deleted" 'drive|loaded|in use' host vtl cartridge delete NEW001L8
must "mtx: unload it to import/export" changer unload 32 1
check "vtl library move, outside" host vtl library move NEW001L8 outside
full "import/export is empty again" 'Storage Element 32 IMPORT/EXPORT:Empty'
check "vtl cartridge verify" host vtl cartridge verify NEW001L8
says "ten blocks and a filemark" 'NEW001L8: 10 blocks .*, 1 filemarks: all good'
check "vtl cartridge delete" host vtl cartridge delete NEW001L8

# ---- removal prevented by the initiator binds the operator as well
must "mt lock" mt -f "${nst[1]}" lock
refused "vtl library move of a locked cartridge" 'prevent' host vtl library move drive-1 slot-1
must "mt unlock" mt -f "${nst[1]}" unlock
check "vtl library move when unlocked" host vtl library move drive-1 slot-1
check "vtl cartridge list" host vtl cartridge list
same "twenty cartridges" 20 "$(grep -c VTL0 <<<"$output")"
logout
summary
