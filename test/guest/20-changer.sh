# The medium changer through mtx (sg) and the kernel's ch driver: every kind of element, and refusals.
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --slots 30 --ie-slots 5 --cartridges 20
must "login to all" login

# mtx status into tag[X] and loaded_from[X]; X is d0... for drives, 1... for storage and import/export
declare -A tag loaded_from
inventory() {
  local line name rest
  tag=() loaded_from=()
  output=$(mtx -f "$changer_sg" status 2>&1) || {
    fail "mtx status" "$output"
    return 1
  }
  while IFS= read -r line; do
    case $line in
      *'Data Transfer Element '*) name=d${line#*Data Transfer Element } ;;
      *'Storage Element '*:*) name=${line#*Storage Element } ;;
      *) continue ;;
    esac
    rest=${name#*:}
    name=${name%%:*}
    name=${name% IMPORT/EXPORT}
    tag[$name]=''
    case $rest in
      Empty*) ;;
      *VolumeTag*)
        tag[$name]=${rest#*VolumeTag*=}
        tag[$name]=${tag[$name]// /}
        ;;
      *) tag[$name]='no tag' ;;
    esac
    case $rest in *'(Storage Element '*) rest=${rest#*Storage Element } loaded_from[$name]=${rest%% *} ;; esac
  done <<<"$output"
}
# cartridge TAG is in element X, and in no other
is_in() { # what TAG X
  local x found=''
  inventory || return
  for x in "${!tag[@]}"; do [ "${tag[$x]}" != "$2" ] || found+=" $x"; done
  same "$1" " $3" "$found"
}
changer() { mtx -f "$changer_sg" "$@"; }

inventory
same "mtx status: size of the library" 'Storage Changer '"$changer_sg"':10 Drives, 35 Slots ( 5 Import/Export )' \
  "$(sed -n '1s/^ *//p' <<<"$output")"
same "mtx status: ten empty drives" 10 "$(grep -c 'Data Transfer Element [0-9]:Empty' <<<"$output")"
same "mtx status: slots 31 to 35 are import/export" "31 32 33 34 35" \
  "$(sed -n 's/.*Storage Element \([0-9]*\) IMPORT\/EXPORT:.*/\1/p' <<<"$output" | tr '\n' ' ' | sed 's/ $//')"
tags=()
for x in {1..35}; do [ -z "${tag[$x]}" ] || tags+=("${tag[$x]}"); done
same "twenty cartridges, each with a barcode of its own" 20 "$(printf '%s\n' "${tags[@]}" | grep -E '^VTL[0-9]{3}L8$' | sort -u | wc -l)"
one=${tag[1]} two=${tag[2]} three=${tag[3]} four=${tag[4]}

# ---- storage and drive
same "an empty drive" "DR_OPEN IM_REP_EN" "$(position "${nst[1]}" | sed 's/.*: //')"
check "load slot 1 into drive 0" changer load 1 0
is_in "the cartridge is in drive 0" "$one" d0
same "mtx status shows where it came from" 1 "${loaded_from[d0]}"
same "drive 0 of the library is tapedrive-01: at once ready, at the beginning" "file 0 block 0: BOT ONLINE IM_REP_EN" \
  "$(position "${nst[1]}")"
check "load slot 2 into drive 9" changer load 2 9
same "drive 9 is tapedrive-10" "file 0 block 0: BOT ONLINE IM_REP_EN" "$(position "${nst[10]}")"
check "unload drive 0 to slot 1" changer unload 1 0
is_in "the cartridge is back" "$one" 1
same "the drive is empty again" "DR_OPEN IM_REP_EN" "$(position "${nst[1]}" | sed 's/.*: //')"
check "unload drive 9 to another slot than it came from" changer unload 30 9
is_in "the cartridge is there" "$two" 30

# ---- import/export
check "transfer storage to import/export" changer transfer 3 31
is_in "the cartridge is there" "$three" 31
check "transfer import/export to import/export" changer transfer 31 35
is_in "the cartridge is there" "$three" 35
check "load from import/export" changer load 35 4
is_in "the cartridge is in drive 4" "$three" d4
same "its origin is the import/export element" 35 "${loaded_from[d4]}"
check "unload to import/export" changer unload 32 4
is_in "the cartridge is there" "$three" 32
check "transfer import/export to storage" changer transfer 32 3
is_in "the cartridge is home" "$three" 3
check "transfer storage to storage" changer transfer 3 29
is_in "the cartridge is there" "$three" 29

# ---- exchange: mtx does it between slots, EXCHANGE MEDIUM with drives too
five=${tag[5]}
check "exchange slot 4 with slot 5" changer exchange 4 5
is_in "the cartridge of slot 4 is in slot 5" "$four" 5
is_in "that of slot 5 in slot 4" "$five" 4
check "and back" changer exchange 4 5
check "load slot 1 into drive 2" changer load 1 2
# source slot 4 (1003), first destination drive 2 (502), second destination slot 4
check "EXCHANGE MEDIUM of drive 2 with slot 4" sg_raw "$changer_sg" a6 00 00 00 03 eb 01 f6 03 eb 00 00
is_in "the cartridge of slot 4 is in drive 2" "$four" d2
is_in "that of drive 2 in slot 4" "$one" 4
same "the drive is ready" "file 0 block 0: BOT ONLINE IM_REP_EN" "$(position "${nst[3]}")"
check "unload drive 2" changer unload 1 2

# ---- the ch driver, drive to drive
same "ch: pickers, slots, import/export, drives" "1 30 5 10" "$(device ch-params "$changer_sch")"
check "ch: storage 3 (slot 4) to drive 0" device ch-move "$changer_sch" st 3 dt 0
is_in "the cartridge is there" "$one" d0
check "ch: drive 0 to drive 1" device ch-move "$changer_sch" dt 0 dt 1
is_in "the cartridge is there" "$one" d1
same "its origin is still slot 4" 4 "${loaded_from[d1]}"
same "the second drive is ready" "file 0 block 0: BOT ONLINE IM_REP_EN" "$(position "${nst[2]}")"
check "ch: drive 1 to import/export 0" device ch-move "$changer_sch" dt 1 ie 0
is_in "the cartridge is there" "$one" 31
check "ch: import/export 0 to storage 0" device ch-move "$changer_sch" ie 0 st 3
is_in "the cartridge is there" "$one" 4

# ---- refusals, by the device: mtx and ch look before they ask
move() { sg_raw "$changer_sg" a5 00 00 00 "${1:0:2}" "${1:2:2}" "${2:0:2}" "${2:2:2}" 00 00 00 00; }
refused "MOVE MEDIUM from an empty slot" 'Medium source element empty' move 03e9 03f2
refused "MOVE MEDIUM to a full slot" 'Medium destination element full' move 03ec 03ed
refused "MOVE MEDIUM from an address that no element has" 'Invalid element address' move 0001 03e9
refused "MOVE MEDIUM to an address that no element has" 'Invalid element address' move 03ec 0406
inventory
same "nothing moved" "$one" "${tag[4]}"

# ---- prevention of removal holds the cartridge in its drive
check "load slot 4 into drive 3" changer load 4 3
check "mt lock" mt -f "${nst[4]}" lock
refused "a locked drive keeps its cartridge" 'Illegal Request' changer unload 4 3
is_in "it is still in the drive" "$one" d3
check "mt unlock" mt -f "${nst[4]}" unlock
check "unload when unlocked" changer unload 4 3

# ---- ten drives at once, then a new start of the daemon
slots=()
for x in {1..30}; do [ -z "${tag[$x]}" ] || slots+=("$x"); done
for drive in {0..9}; do changer load "${slots[drive]}" "$drive" >/dev/null || fail "load drive $drive"; done
ready=0
for unit in {1..10}; do [ "$(position "${nst[$unit]}")" != "file 0 block 0: BOT ONLINE IM_REP_EN" ] || ready=$((ready + 1)); done
same "ten loaded drives" 10 $ready
check "mtx inventory" changer inventory
check "mtx inquiry" changer inquiry
check "loaderinfo" loaderinfo -f "$changer_sg"
says "loaderinfo: element counts of the library" 'Number of Storage Elements: 30'
check "tapeinfo" tapeinfo -f "${sg[1]}"
says "tapeinfo: ready" 'Ready: yes'
inventory
before=$output
check "logout" logout
check "the daemon stops" host stop
check "and starts again" host start
must "login to all" login
inventory
same "every cartridge is where it was, drives included" "$(sed 1d <<<"$before")" "$(sed 1d <<<"$output")"
same "a drive that held a cartridge holds it, ready" "file 0 block 0: BOT ONLINE IM_REP_EN" "$(position "${nst[10]}")"
for drive in {0..9}; do changer unload "${slots[drive]}" "$drive" >/dev/null || fail "unload drive $drive"; done
inventory
same "ten empty drives" 10 "$(grep -c 'Data Transfer Element [0-9]:Empty' <<<"$output")"
logout
summary
