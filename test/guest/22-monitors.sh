# What monitors of tape drives ask for: smartctl and tapeinfo of an empty, a working and a write-protected drive;
# and the rest of mtx: loading in turn, positioning, import/export positions, no barcodes.
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --slots 4 --ie-slots 3 --cartridges 4
must "login" login changer 1 2
drive=${sg[1]} tape=${nst[1]}
changer() { mtx -f "$changer_sg" "$@"; }
settle() { for _ in 1 2 3; do sg_turs "$drive" >/dev/null 2>&1; done; }

# ---- an empty drive, the changer
settle
check "smartctl -a of an empty drive" smartctl -a "$drive"
check "tapeinfo of an empty drive" tapeinfo -f "$drive"
says "not ready" 'Ready: no'
check "smartctl -i of the changer" smartctl -i "$changer_sg"
says "its type" 'Device type: +medium changer'
check "loaderinfo" loaderinfo -f "$changer_sg"
says "slots" 'Number of Storage Elements: 4'
says "import/export" 'Number of Import/Export Elements: 3'
says "drives" 'Number of Data Transfer Elements: 10'
says "one arm" 'Number of Medium Transport Elements: 1'
says "barcodes" 'Bar Code Reader: Yes'
says "where a cartridge of a drive may go" 'Transfer Data Transfer: ->Data Transfer, ->Import/Export, ->Storage'

# ---- a drive at work
must "load slot 1" changer load 1 0
check "30 MB written" device write "$tape" 1 120 262144
check "rewind" mt -f "$tape" rewind
check "and read" device read "$tape" 1 120 262144
check "smartctl -a" smartctl -a "$drive"
says "smartctl: the drive" 'Vendor: +IBM.*Product: +ULT3580-TD8'
says "smartctl: TapeAlert, no flag is up" 'TapeAlert Supported'
[[ $output != *'TapeAlert Errors'* ]] || fail "smartctl: no TapeAlert" "$output"
says "smartctl: bytes read and no errors" 'read: +0 +0 +0 +0 +0 +0\.031 +0'
says "smartctl: bytes written and no errors" 'write: +0 +0 +0 +0 +0 +0\.031 +0'
says "smartctl: temperature" 'Current Drive Temperature: +36 C'
check "smartctl: a self-test" smartctl -t short "$drive"
check "smartctl: what became of it" smartctl -l selftest "$drive"
says "it is over, without an error" 'Background short +Completed'
check "smartctl -x: device statistics" smartctl -x "$drive"
says "one load" 'Lifetime volume loads: 1'
check "tapeinfo" tapeinfo -f "$drive"
says "tapeinfo: ready" 'Ready: yes'
says "tapeinfo: position" 'Block Position: 120'
says "tapeinfo: compression" 'DataCompEnabled: yes'
says "tapeinfo: capacity" 'Partition 0 Size in Kbytes: 1[0-9]{7}'
[[ $output != *TapeAlert* ]] || fail "tapeinfo: no TapeAlert" "$output"
must "unload" changer unload 1 0

# ---- a flag of TapeAlert: told once, and gone with the cartridge (smartctl 7.3 does not ask)
must "a write-protected cartridge" host vtl cartridge protect VTL002L8
raise() { # puts it in, and is refused
  must "load slot 2" changer load 2 0
  settle
  refused "it cannot be written" 'Data Protect' sg_raw -s 4 -i /vtl/script "$drive" 0a 00 00 00 04 00
}
raise
check "tapeinfo" tapeinfo -f "$drive"
says "tapeinfo: flag 9 of TapeAlert" 'TapeAlert\[9\]'
must "unload" changer unload 2 0
raise
check "sg_logs" sg_logs -p 0x2e "$drive"
says "and by sg_logs, to another tool that asks" 'Write protect: 1'
check "sg_logs again" sg_logs -p 0x2e "$drive"
says "once" 'Write protect: 0'
must "unload" changer unload 2 0
must "load slot 1" changer load 1 0
settle
check "tapeinfo with another cartridge" tapeinfo -f "$drive"
[[ $output != *TapeAlert* ]] || fail "the flag went with the cartridge" "$output"
must "unload" changer unload 1 0

# ---- mtx: cartridges in turn
holds() { # what slot: where the cartridge in drive 0 comes from
  check "mtx status" changer status
  says "$1" "Data Transfer Element 0:Full \(Storage Element $2 Loaded\)"
}
check "mtx first" changer first 0
holds "slot 1" 1
check "mtx next" changer next 0
holds "slot 2" 2
check "mtx last" changer last 0
holds "slot 4" 4
check "mtx previous" changer previous 0
holds "slot 3" 3
check "mtx unload, by itself to where it came from" changer unload
check "mtx status" changer status
says "slot 3 is full" 'Storage Element 3:Full'
check "mtx position" changer position 2
check "mtx inventory" changer inventory
check "mtx nobarcode status" changer nobarcode status
[[ $output != *VolumeTag* ]] || fail "mtx nobarcode: no barcodes" "$output"
check "mtx altres nobarcode status" changer altres nobarcode status
check "mtx eepos, to import/export" changer eepos 0 transfer 3 5
check "mtx eepos, and back" changer eepos 3 transfer 5 3
check "mtx transfer within import/export" bash -c "mtx -f $changer_sg transfer 3 6 && mtx -f $changer_sg transfer 6 7"
check "mtx exchange of import/export with a slot" changer exchange 7 4
check "mtx status" changer status
says "slot 4 has it" 'Storage Element 4:Full :VolumeTag=VTL003L8'
says "import/export has the other" 'Storage Element 7 IMPORT/EXPORT:Full :VolumeTag=VTL004L8'
refused "mtx looks first: an empty slot" 'Empty|empty' changer load 3 0
refused "a drive that there is not" 'illegal|Invalid|does not|not' changer load 1 10
logout
summary
