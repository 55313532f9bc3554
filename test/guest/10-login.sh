# Discovery, login to all eleven targets, and who is who: nodes, names, serial numbers.
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --cartridges 20

targets=()
for unit in changer {1..10}; do targets+=("$portal,1 $(iqn "$unit")"); done
must "discovery" discover
same "discovery lists the changer and ten drives" "$(printf '%s\n' "${targets[@]}" | sort)" "$(sort <<<"$output")"
must "login to all eleven targets" login
same "a tape node for each drive" 10 "${#nst[@]}"
same "a changer node, with the ch driver attached" /dev/sch0 "$changer_sch"

check "lsscsi" lsscsi -g
listing=$output
same "lsscsi -g: ten tape drives with st and sg nodes" 10 "$(grep -cE ' tape +IBM +ULT3580-TD8 .*/dev/st[0-9]+ +/dev/sg[0-9]+' <<<"$listing")"
same "lsscsi -g: one changer with sch and sg node" 1 "$(grep -cE ' mediumx STK +L700 .*/dev/sch0 +/dev/sg[0-9]+' <<<"$listing")"
same "lsscsi -g: nothing else" 11 "$(wc -l <<<"$listing")"

# ---- the library knows its drives by the identity that they give themselves
check "READ ELEMENT STATUS with DVCID" sg_raw -r 8192 -o /tmp/drives "$changer_sg" b8 14 00 00 ff ff 01 00 20 00 00 00
says "its data length is the transfer's" 'Writing [0-9]+ bytes of data'
check "READ ELEMENT STATUS is well-formed" device elements </tmp/drives
by_library=''
while read -r address type _ _ identifier; do
  [ "$type" = 4 ] && by_library+="$address ${identifier}"$'\n'
done <<<"$output"
directories=()
for unit in {1..10}; do directories+=("${scsi[$unit]}"); done
must "unit serial number and device identification pages" device identity "${directories[@]}"
by_drive='' address=500 serials=()
while IFS='|' read -r serial designator; do
  by_drive+="$address $designator"$'\n'
  serials+=("$serial")
  address=$((address + 1))
  case $designator in
    *"$serial") ;;
    *) fail "the T10 designator ends with the serial number" "$designator|$serial" ;;
  esac
done <<<"$output"
# (read splits at blanks, so compare without them)
same "drive n of the library (element 500 + n) is tapedrive-(n + 1), by DVCID and VPD 83h" \
  "${by_drive// /}" "${by_library// /}"
same "ten different serial numbers" 10 "$(printf '%s\n' "${serials[@]}" | sort -u | wc -l)"
check "sg_inq of the serial number, drive 7" sg_inq -p 0x80 "${sg[7]}"
says "sg_inq shows the serial number of sysfs" "Unit serial number: ${serials[6]}"
check "sg_inq of the changer's serial number" sg_inq -p 0x80 "$changer_sg"
says "the changer has a serial number of its own" 'Unit serial number: [^ ]+'
changer_serial=${output##*: }
case " ${serials[*]} " in
  *" $changer_serial "*) fail "the changer's serial number is none of the drives'" "$changer_serial" ;;
  *) pass "the changer's serial number is none of the drives'" ;;
esac

check "sg_luns" sg_luns "${sg[1]}"
says "a target has LUN 0 only" 'Lun list length = 8 '

# ---- what the login gave
session=$(session_of 1)
same "InitialR2T No, as Debian's initiator asks" 0 "$(<"$session/initial_r2t")"
same "ImmediateData Yes" 1 "$(<"$session/immediate_data")"
same "ErrorRecoveryLevel 0" 0 "$(<"$session/erl")"
for connection in "$session"/device/connection*/iscsi_connection/*; do :; done
length=$(<"$connection/max_xmit_dlength")
if [ "$length" -ge 262144 ]; then pass "MaxRecvDataSegmentLength of the target takes a 256 KiB WRITE in one PDU"; else fail "MaxRecvDataSegmentLength of the target takes a 256 KiB WRITE in one PDU" "it is $length"; fi

# ---- refusals
unknown=${iqn_prefix}vtl-tapedrive-11
iscsiadm -m node -T "$unknown" -p "$portal" -o new >/dev/null
refused "an unknown target is refused" 'login failure|not found' iscsiadm -m node -T "$unknown" -p "$portal" -l
iscsiadm -m node -T "$unknown" -p "$portal" -o delete

# ---- out and in again
check "logout of all" logout
same "no device is left" '' "$(lsscsi)"
for _ in {1..5}; do
  login 1 || break
  logout || break
done
check "login a last time after five quick ones" login changer 1 2
check "logout" logout
check "the daemon stops when it is told to" host stop
refused "nobody listens any more" 'Connection refused' bash -c ": </dev/tcp/127.0.0.1/$PORT"
summary
