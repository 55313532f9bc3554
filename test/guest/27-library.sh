# What a library can be beside its plain form, through mtx and sg3-utils: an IBM's identity, a cartridge without a label, a
# cleaning cartridge, and slots that are added under hosts that are logged in.
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --profile ibm-3584 --slots 30 --ie-slots 5 --drives 2 --cartridges 5
must "login" login changer 1 2
changer() { mtx -f "$changer_sg" "$@"; }

check "sg_inq" sg_inq "$changer_sg"
says "IBM's short standard data" 'length=58 '
says "its name" 'Product identification: 03584L32'
check "sg_vpd, unit serial number" sg_vpd -p 0x80 "$changer_sg"
says "ten characters and the address of the first slot" 'Unit serial number: [A-Z0-9]{10}0401'
check "sg_vpd, device identification" sg_vpd -p 0x83 "$changer_sg"
check "loaderinfo" loaderinfo -f "$changer_sg"
says "loaderinfo: its slots" 'Number of Storage Elements: 30'

# ---- a cartridge without a label
check "vtl cartridge create --unlabelled" host vtl cartridge create --unlabelled --capacity 1GB
check "mtx status, after a unit attention" changer status
says "a full slot, and no tag" 'Storage Element 6:Full :VolumeTag= {20}'
check "load it" changer load 6 0
same "it is ready" "file 0 block 0: BOT ONLINE IM_REP_EN" "$(position "${nst[1]}")"
check "unload it" changer unload 6 0

# ---- a cleaning cartridge
check "vtl cartridge create" host vtl cartridge create CLN001CU --capacity 1GB
check "mtx status" changer status
says "it is in a slot" 'Storage Element 7:Full :VolumeTag=CLN001CU'
check "load it" changer load 7 1
same "it has cleaned and is out again" "DR_OPEN IM_REP_EN" "$(position "${nst[2]}" | sed 's/.*: //')"
check "mtx status" changer status
says "the robot can fetch it" 'Data Transfer Element 1:Full \(Storage Element 7 Loaded\):VolumeTag *= *CLN001CU'
check "unload it" changer unload 7 1
check "vtl cartridge show" host vtl cartridge show CLN001CU
says "a use is gone" '49 uses left'
says "it is one for cleaning" 'Type +cleaning'
absent=$(grep -cE '^(Capacity|Used|Partition)' <<<"$output")
same "and holds no data" 0 "$absent"

# ---- more slots: two unit attentions in a row
check "vtl library grow" host vtl library grow --slots 40
check "mtx status" changer status
says "all of them are there" '2 Drives, 45 Slots \( 5 Import/Export \)'
check "transfer to the last" changer transfer 1 40
check "mtx status" changer status
says "it is there" 'Storage Element 40:Full :VolumeTag=VTL001L8'
refused "fewer slots" 'only more' host vtl library grow --slots 39

# ---- and a drive more
check "vtl library grow --drives" host vtl library grow --drives 3
check "mtx status" changer status
says "there are three drives" '3 Drives, 45 Slots'
check "load it" changer load 2 2
check "mtx status" changer status
says "it has the cartridge" 'Data Transfer Element 2:Full \(Storage Element 2 Loaded\)'
summary
