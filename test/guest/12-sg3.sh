# sg3-utils over everything that the devices say of themselves: drives of three generations, with and
# without a cartridge, and the changer. Nothing may be refused, and no tool may complain of what it gets.
# limit: 300
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --cartridges 20 --generation 9x4,8x4,5x2
must "login" login changer 1 5 9

complaints='malformed|unexpected|too short|truncated|unable to|response length|exceeds|bad |illegal|invalid|not supported'
names='Invalid cleaning tape:|Tape directory invalid' # flags of TapeAlert
# Page 37h of IBM's drives, which the tool knows by name alone: what it says of the real ones
names+='|Unable to decode (Performance characteristics|page = 0x37)'
# the command succeeds, is silent on its standard error, and finds nothing odd in what it decodes
clean() { # what command...
  local what=$1 rc
  shift
  "$@" >/run/output 2>/run/errors
  rc=$?
  output=$(</run/output)
  if [ $rc != 0 ] || [ -s /run/errors ]; then
    fail "$what" "$* ended with $rc"$'\n'"$(</run/errors)"
  elif grep -iE "$complaints" /run/output | grep -vE "$names" >/run/errors; then
    fail "$what" "$*: $(</run/errors)"
  else
    pass "$what"
  fi
}
# the first commands of a session only fetch its unit attentions
settle() { for _ in 1 2 3; do sg_turs "$1" >/dev/null 2>&1; done; }

# what a device has to say, whatever it is
everything() { # who sg
  clean "$1: sg_inq" sg_inq -d "$2"
  clean "$1: sg_inq of every VPD page" bash -c "sg_inq -p 0 $2 && sg_inq -p 0x80 $2 && sg_inq -p 0x83 $2 && sg_inq -p 0x86 $2"
  clean "$1: sg_vpd -a" sg_vpd -a "$2"
  clean "$1: sg_modes -aa: all pages and subpages" sg_modes -aa "$2"
  clean "$1: sg_modes -aa, changeable values" sg_modes -aa -c 1 "$2"
  clean "$1: sg_modes -aa, default values" sg_modes -aa -c 2 "$2"
  refused "$1: there are no saved values" 'Saving parameters not supported' sg_modes -v -aa -c 3 "$2"
  clean "$1: sg_modes -a by MODE SENSE(6)" sg_modes -a -6 "$2"
  clean "$1: sg_opcodes with usage data" sg_opcodes -m "$2"
  clean "$1: sg_opcodes with timeouts" sg_opcodes -R "$2"
  clean "$1: sg_opcodes, one" sg_opcodes -R -o 0x12 "$2"
  clean "$1: sg_opcodes, task management functions" sg_opcodes -t -q "$2"
  clean "$1: sg_luns" sg_luns "$2"
  clean "$1: sg_timestamp" sg_timestamp "$2"
  clean "$1: sg_senddiag, list and self-tests" bash -c "sg_senddiag -l $2 && sg_senddiag -t $2 && sg_senddiag -s 6 $2"
  clean "$1: sg_ses" sg_ses "$2"
  clean "$1: sg_persist, capabilities" sg_persist -c "$2"
}

# ---- the changer. (sg_logs 1.46 decodes page 2Eh for tape drives only)
settle "$changer_sg"
everything changer "$changer_sg"
check "changer: sg_logs -A" sg_logs -A "$changer_sg"
says "TapeAlert is what it lists" '0x2e'
clean "changer: sg_logs, every page by itself" sg_logs -H -p 0x2e "$changer_sg"
clean "changer: sg_turs" sg_turs "$changer_sg"
check "changer: sg_requests" sg_requests "$changer_sg"

# ---- the drives, two of them loaded
check "load an LTO-9 and an LTO-8 cartridge" bash -c "mtx -f $changer_sg load 1 0 && mtx -f $changer_sg load 9 4"
for unit in 1 5 9; do
  who="drive $unit"
  settle "${sg[$unit]}"
  [ $unit = 9 ] || check "$who: 3 MB written" device write "${nst[$unit]}" 1 12 262144
  everything "$who" "${sg[$unit]}"
  clean "$who: sg_logs -A: all pages and subpages" sg_logs -A "${sg[$unit]}"
  # what the tool shows in hex it does not know: two parameters that SSC-5 added to page 17h, no more
  same "$who: sg_logs decodes every page that is listed" '' \
    "$(grep 'in hex' <<<"$output" | grep -v 'parameter code (0x1[89])')"
done

# ---- what needs a cartridge
drive=${sg[5]}
check "rewind" mt -f "${nst[5]}" rewind
check "3 MB read" device read "${nst[5]}" 1 12 262144
clean "sg_logs of the write errors" sg_logs -p 2 "$drive"
says "bytes written" 'Total bytes processed = 3145728'
clean "sg_logs of the read errors" sg_logs -p 3 "$drive"
says "bytes read" 'Total bytes processed = 3145728'
clean "sg_logs of the volume" sg_logs -p 0x17 "$drive"
says "its barcode" 'Volume barcode: VTL009L8'
says "its generation" 'Volume personality: Ultrium-8'
clean "sg_logs of the drive" sg_logs -p 0x11 "$drive"
says "a tape is mounted" 'MOUNTED=1'
for action in 0 1 2 3 5; do clean "sg_read_attr, service action $action" sg_read_attr --sa=$action "$drive"; done
clean "sg_read_attr of one attribute" sg_read_attr -f 0x400 "$drive"
says "the manufacturer" '^ *Medium manufacturer: VTL'
check "sg_read_block_limits" sg_read_block_limits "$drive"
says "1 to 8 MiB" 'Minimum block size: 1 byte'
clean "sg_rmsn" sg_rmsn "$drive"
clean "sg_ident" sg_ident "$drive"
clean "sg_prevent, allow" bash -c "sg_prevent $drive && sg_prevent --allow $drive"
clean "REPORT DENSITY SUPPORT, all and of the cartridge" bash -c \
  "sg_raw -r 8192 -o /run/all $drive 44 00 00 00 00 00 00 20 00 00 2>&1 &&
   sg_raw -r 8192 -o /run/one $drive 44 01 00 00 00 00 00 20 00 00 2>&1"
same "with a length that fits" "$(($(stat -c %s /run/all) - 2)) $(($(stat -c %s /run/one) - 2))" \
  "$((16#$(od -An -tx1 -N 2 /run/all | tr -d ' '))) $((16#$(od -An -tx1 -N 2 /run/one | tr -d ' ')))"

# ---- persistent reservations, from registering to a clean slate
reserve() { sg_persist -n --out "$@" "$drive"; }
clean "sg_persist: register" reserve --register --param-sark=0xabc123
clean "sg_persist: reserve, exclusive access" reserve --reserve --param-rk=0xabc123 --prout-type=3
clean "sg_persist: read reservation" sg_persist -r "$drive"
says "it is held" 'Key=?:? ?0xabc123.*Exclusive Access'
clean "sg_persist: read full status" sg_persist -s "$drive"
says "by this initiator" 'iqn.1993-08.org.debian:01:guest'
clean "sg_persist: release" reserve --release --param-rk=0xabc123 --prout-type=3
clean "sg_persist: register and ignore" reserve --register-ignore --param-sark=0xdef456
clean "sg_persist: read keys" sg_persist -k "$drive"
says "the new key" '0xdef456'
clean "sg_persist: clear" reserve --clear --param-rk=0xdef456
clean "sg_persist: nothing is left" sg_persist -k "$drive"
says "no keys" 'NO registered'
logout
summary
