# A write-protected cartridge: what st, mt and tar see; and a WORM cartridge.
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --cartridges 20
must "login" login changer 1
must "load slot 1 into drive 0" mtx -f "$changer_sg" load 1 0
tape=${nst[1]}
must "write 10 records" device write "$tape" 1 10 65536
must "unload" mtx -f "$changer_sg" unload 1 0

# ---- the switch
check "vtl cartridge protect" host vtl cartridge protect VTL001L8
must "load it again" mtx -f "$changer_sg" load 1 0
same "mt status" "file 0 block 0: BOT WR_PROT ONLINE IM_REP_EN" "$(position "$tape")"
check "reading" device read "$tape" 1 0 65536
same "all of it" "10 read" "$output"
check "rewind" mt -f "$tape" rewind
refused "writing is EROFS" '^0 written, EROFS at open$' device write "$tape" 2 1 65536
refused "tar" 'Read-only file system' tar -cf "$tape" /etc/hostname
refused "weof" 'Read-only file system|Permission denied' mt -f "$tape" weof 1
refused "erase" 'Read-only file system|Permission denied|Input/output error' mt -f "$tape" erase 0
refused "WRITE, past st's own check" 'Data Protect' sg_raw -s 512 -i /dev/zero "${sg[1]}" 0a 00 00 02 00 00
says "its sense: write protected" 'Write protected'
check "everything is still there" bash -c "mt -f $tape rewind && device read $tape 1 10 65536"
must "unload" mtx -f "$changer_sg" unload 1 0
check "vtl cartridge unprotect" host vtl cartridge unprotect VTL001L8
must "load it again" mtx -f "$changer_sg" load 1 0
same "mt status" "file 0 block 0: BOT ONLINE IM_REP_EN" "$(position "$tape")"
check "appending" bash -c "mt -f $tape eod && device write $tape 2 5 65536"
must "unload" mtx -f "$changer_sg" unload 1 0

# ---- write once
check "vtl cartridge create --worm" host vtl cartridge create --prefix WRM --worm
note "$output"
check "mtx status" mtx -f "$changer_sg" status
[[ $output =~ Storage\ Element\ ([0-9]+):Full\ :VolumeTag=(WRM[^ ]*) ]]
slot=${BASH_REMATCH[1]:-}
if [ -z "$slot" ]; then fail "the changer shows the new cartridge, without a new login" "$output"; else pass "the changer shows the new cartridge, without a new login"; fi
must "load it" mtx -f "$changer_sg" load "${slot:-0}" 0
check "write" device write "$tape" 1 10 65536
check "append" device write "$tape" 2 10 65536
check "rewind" mt -f "$tape" rewind
refused "overwriting" 'E(IO|ACCES|ROFS)' device write "$tape" 3 1 65536
refused "WRITE by sg" 'Data Protect' sg_raw -s 512 -i /dev/zero "${sg[1]}" 0a 00 00 02 00 00
says "its sense: WORM" 'WORM medium'
check "both files are there" bash -c "mt -f $tape rewind && device read $tape 1 10 65536 && mt -f $tape asf 1 && device read $tape 2 10 65536"
logout
summary
