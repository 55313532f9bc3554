# What the test scripts share; they run in the guest and start with `. /vtl/lib.sh`.
# A process costs 20 to 200 ms here: prefer what the shell can do alone.
# shellcheck shell=bash

passed=0 failed=0 finished=''
library=vtl
iqn_prefix=iqn.2026-11.local.vtl:

# ---- results: one line for each thing checked, details below it only when it failed

pass() {
  passed=$((passed + 1))
  echo "PASS $1"
}
fail() { # what [detail]
  failed=$((failed + 1))
  echo "FAIL $1"
  [ -z "${2:-}" ] || printf '%s\n' "$2" | sed 's/^/     /'
}
# the command ends with 0; its output is left in $output. (A file, not $(...): functions may set variables)
check() { # what command...
  local what=$1 rc
  shift
  "$@" >/run/output 2>&1
  rc=$?
  output=$(</run/output)
  if [ $rc = 0 ]; then pass "$what"; else fail "$what" "$* ended with $rc"$'\n'"$output"; fi
  return $rc
}
# the command does not end with 0, and says TEXT (an extended regular expression)
refused() { # what TEXT command...
  local what=$1 text=$2 rc
  shift 2
  output=$("$@" 2>&1)
  rc=$?
  if [ $rc = 0 ]; then
    fail "$what" "$* ended with 0"$'\n'"$output"
  elif [[ $output =~ $text ]]; then
    pass "$what"
  else
    fail "$what" "$* ended with $rc, but does not say '$text'"$'\n'"$output"
  fi
}
same() { # what expected actual
  if [ "$2" = "$3" ]; then
    pass "$1"
  elif [[ $2$3 == *$'\n'* ]]; then
    fail "$1" "$(diff -U 0 --label expected --label found <(printf '%s\n' "$2") <(printf '%s\n' "$3"))"
  else
    fail "$1" "expected: $2"$'\n'"found:    $3"
  fi
}
# TEXT (an extended regular expression) is in the output of the last check
says() { # what TEXT
  if [[ $output =~ $2 ]]; then pass "$1"; else fail "$1" "'$2' is not in:"$'\n'"$output"; fi
}
note() { echo "     $*"; }
# a script cannot go on without this
must() { # what command...
  check "$@" || exit 1
}
summary() {
  finished=1
  exit
}
ended() {
  local rc=$?
  [ -n "$finished" ] || fail "the script ran to its end" "it stopped with exit code $rc"
  echo "$passed passed, $failed failed"
  # (a bare `exit` in a trap would give the code from before the trap)
  if [ "$failed" = 0 ] && [ "$passed" != 0 ]; then exit 0; else exit 1; fi
}
trap ended EXIT

pause() { read -rt "$1" <> <(:) || :; } # sleep without a process
# waits until the command succeeds, at most S seconds; shows its last output
within() { # S command...
  local until=$((${EPOCHREALTIME/./} + $1 * 1000000)) rc=0
  shift
  until "$@" >/run/within 2>&1; do
    [ ${EPOCHREALTIME/./} -lt "$until" ] || {
      rc=1
      break
    }
    pause 0.3
  done
  [ ! -s /run/within ] || echo "$(</run/within)"
  return $rc
}

# ---- the host: `host start`, `host kill`, `host vtl library show` ... (see the script `server`)

host() {
  rm -f /vtl/answer.rc
  printf '%s\0' "$@" >/vtl/ask.new
  mv /vtl/ask.new /vtl/ask
  until [ -s /vtl/answer.rc ]; do pause 0.05; done
  local rc
  read -r rc </vtl/answer.rc
  cat /vtl/answer
  return "$rc"
}
# a library and its daemon, for the rest of the script: options of `vtl init`
serve() {
  must "vtl init $*" host init "$@"
  start
}
start() {
  must "vtl serve" host start
  PORT=$output
  portal=127.0.0.1:$PORT
}

# ---- the initiator

iqn() { # changer or the number of a drive: prints the target's name
  if [ "$1" = changer ]; then echo "$iqn_prefix$library-mediachanger"; else printf '%s%s-tapedrive-%02d\n' "$iqn_prefix" "$library" "$1"; fi
}
discover() { iscsiadm -m discovery -t sendtargets -p "$portal"; }
# logs in to all targets that were discovered, or to those named (changer, 1, 2 ...)
login() {
  local unit
  discover >/dev/null || return
  if [ $# = 0 ]; then
    iscsiadm -m node -l >/dev/null || return
  else
    for unit; do
      iscsiadm -m node -T "$(iqn "$unit")" -p "$portal" -l >/dev/null || return
    done
  fi
  within 20 devices >/run/login
}
logout() { iscsiadm -m node -u >/dev/null; }
# sets a value of the records that login uses, e.g. node.session.iscsi.InitialR2T Yes
setting() { iscsiadm -m node -o update -n "$1" -v "$2"; }

# Fills nst[N], sg[N] and scsi[N] (the sysfs directory) of the drives, and nst, sg, sch of the changer as
# changer_sg, changer_sch, changer_scsi, from the sessions that there are. False while a unit lacks its node:
# device numbers do not follow the order of the targets, and the nodes come later than the sessions.
declare -A nst sg scsi
changer_sg='' changer_sch='' changer_scsi=''
devices() {
  local session target lun type node unit
  nst=() sg=() scsi=() changer_sg='' changer_sch='' changer_scsi=''
  for session in /sys/class/iscsi_session/session*; do
    [ -e "$session" ] || continue
    read -r target <"$session/targetname"
    lun=''
    for lun in "$session"/device/target*/*:*:*:0; do :; done
    [ -e "$lun/type" ] || return 1
    read -r type <"$lun/type"
    for node in "$lun"/scsi_generic/sg*; do :; done
    [ -c "/dev/${node##*/}" ] || return 1
    if [ "$type" = 8 ]; then
      changer_scsi=$lun
      changer_sg=/dev/${node##*/}
      for node in "$lun"/scsi_changer/sch*; do :; done
      [ -c "/dev/${node##*/}" ] || return 1
      changer_sch=/dev/${node##*/}
    else
      unit=$((10#${target##*-}))
      scsi[$unit]=$lun
      sg[$unit]=/dev/${node##*/}
      node=''
      for node in "$lun"/scsi_tape/nst*; do
        case ${node##*/} in *[aml]) ;; *) break ;; esac
      done
      [ -c "/dev/${node##*/}" ] || return 1
      nst[$unit]=/dev/${node##*/}
    fi
  done
  [ -n "$changer_sg${sg[*]}" ]
}
# the size of a session's parameter as negotiated: target-or-unit, sysfs name (e.g. initial_r2t)
session_of() { # unit: prints the sysfs directory of its session
  local session name want
  want=$(iqn "$1")
  for session in /sys/class/iscsi_session/session*; do
    [ -e "$session" ] || continue
    read -r name <"$session/targetname"
    [ "$name" != "$want" ] || {
      echo "$session"
      return
    }
  done
  return 1
}

# ---- tape

# mt status, cut to what matters: "file 0 block 0: BOT ONLINE IM_REP_EN"
position() { # device
  local line text='' rest
  while IFS= read -r line; do
    case $line in
      File\ number=*)
        rest=${line#*=}
        text="file ${rest%%,*}"
        rest=${line#*block number=}
        text+=" block ${rest%%,*}:"
        ;;
      ' '*) text+=$line ;;
    esac
  done < <(mt -f "$1" status 2>&1)
  printf '%s\n' "${text% }"
}
# the tape is at this file and block, by st's count, and at this object of the medium, by the drive's
at() { # what device file block object
  local place
  [ -n "${places_PID:-}" ] || coproc places { exec device places; }
  echo "$2" >&"${places[1]}"
  read -r -t 60 place <&"${places[0]}" || place='no answer'
  same "$1" "file $3 block $4 object $5" "$place"
}

# ---- writing that is cut short: `device write` in the background, seed 2, until it fails

writing() { # device size
  rm -f /run/flowing
  device write "$1" 2 0 "$2" /run/flowing >/run/writer 2>&1 &
  writer=$!
  within 60 test -e /run/flowing || fail "writing begins" "$(</run/writer)"
  pause 0.5
}
# it was told of the failure; $written is what it had been told before
writer_told() { # what
  if ! within 60 bash -c "! kill -0 $writer 2>/dev/null" >/dev/null; then
    fail "$1: the writer ends" "it still runs 60 s later"
    kill "$writer"
  fi
  wait "$writer"
  note "the writer: $(</run/writer)"
  if [[ $(</run/writer) =~ ^([1-9][0-9]*)\ written,\ EIO ]]; then
    pass "$1: the writer is told"
  else
    fail "$1: the writer is told" "$(</run/writer)"
  fi
  written=${BASH_REMATCH[1]:-1}
}
# from here on the tape has what it wrote, at least that many records and none damaged, then the end of data
reads_prefix() { # what device size records
  device read "$2" 2 0 "$3" >/run/reader 2>&1
  note "the reader: $(</run/reader)"
  if ! [[ $(</run/reader) =~ ^([0-9]+)\ read(, EIO)?$ ]]; then
    fail "$1: what was written reads back undamaged" "$(</run/reader)"
  elif [ "${BASH_REMATCH[1]}" -lt "$4" ]; then
    fail "$1: what was acknowledged is there" "$4 records were, $(</run/reader)"
  else
    pass "$1: what was acknowledged is there, undamaged"
  fi
}

# ---- Bacula: a storage daemon's configuration for drives 0 and 1 and the changer, in /run/bacula

# Programs of the guest talk to each other at 10.9.9.9: 127.0.0.1 is the host's here, though the kernel gives it to the
# loopback device. To be called before any login.
private_network() { ip link set lo up && ip addr del 127.0.0.1/8 dev lo && ip addr add 10.9.9.9/32 dev lo; }
bacula_sd() {
  local drive unit
  mkdir -p /run/bacula /var/lib/bacula
  {
    printf 'Storage { Name = sd; SDPort = 9103; SDAddress = 10.9.9.9; WorkingDirectory = /run/bacula; PidDirectory = /run/bacula }\n'
    printf 'Director { Name = dir; Password = secret }\nMessages { Name = std; director = dir = all }\n'
    printf 'Autochanger { Name = robot; Device = %s; Changer Device = %s
      Changer Command = "/etc/bacula/scripts/mtx-changer %%c %%o %%S %%a %%d" }\n' "drive0${nst[2]:+, drive1}" "$changer_sg"
    for drive in 0 1; do
      unit=$((drive + 1))
      [ -z "${nst[$unit]:-}" ] || printf 'Device { Name = drive%d; Drive Index = %d; Media Type = LTO; Archive Device = %s
        Control Device = %s; Alert Command = "/etc/bacula/scripts/tapealert %%l"
        AutomaticMount = yes; AlwaysOpen = yes; RemovableMedia = yes; RandomAccess = no; AutoChanger = yes }\n' \
        "$drive" "$drive" "${nst[$unit]}" "${sg[$unit]}"
    done
  } >/run/bacula/sd.conf
}
