# Two initiators share a drive, where the library lets them, and fight for it: RESERVE and PERSISTENT RESERVE, who takes
# over, and what a holder leaves behind that logs out or dies. (That one is refused where it does not: 72-access.)
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --cartridges 20
must "the server stops" host stop
must "two initiators on a target; one is asked after a second of silence whether it lives" host config iscsi \
  '  max_sessions_per_target: 2
  ping_after_ms: 1000'
must "two addresses" host config listen "  [\"127.0.0.1:$PORT\", \"127.0.0.2:$PORT\"]"
start
must "load drive 1" host vtl library move slot-1 drive-1
target=$(iqn 1)

# The second is the same iscsid under another name, by a cable of its own.
declare -A address=([default]=127.0.0.1 [second]=127.0.0.2) device tape
pull() { ip neigh replace 127.0.0.2 lladdr 02:00:00:00:00:99 dev vec0 nud permanent; } # packets to nobody
plug() { ip neigh replace 127.0.0.2 lladdr "$HOST_MAC" dev vec0 nud permanent; }
ip route add 127.0.0.2/32 dev vec0 src "$GUEST_ADDRESS"
plug
iscsiadm -m iface -I second -o new >/dev/null
iscsiadm -m iface -I second -o update -n iface.initiatorname -v iqn.1993-08.org.debian:01:second >/dev/null
node() { iscsiadm -m node -I "$1" -T "$target" -p "${address[$1]}:$PORT" "${@:2}"; }
for who in default second; do
  node $who -o new >/dev/null
  node $who -o update -n node.session.initial_login_retry_max -v 1 -n node.session.timeo.replacement_timeout -v 20 \
    -n 'node.conn[0].timeo.noop_out_interval' -v 1 -n 'node.conn[0].timeo.noop_out_timeout' -v 1
done
# device[NAME] and tape[NAME]: the nodes of an initiator's session. (For lib.sh two sessions with one target are alike)
nodes_of() { # default|second
  local session name lun node
  for session in /sys/class/iscsi_session/session*; do
    [ -e "$session" ] || continue
    read -r name <"$session/ifacename"
    [ "$name" = "$1" ] || continue
    for lun in "$session"/device/target*/*:*:*:0; do :; done
    for node in "$lun"/scsi_generic/sg*; do :; done
    device[$1]=/dev/${node##*/}
    for node in "$lun"/scsi_tape/nst*; do
      case ${node##*/} in *[aml]) ;; *) break ;; esac
    done
    tape[$1]=/dev/${node##*/}
    [ -c "${device[$1]}" ] && [ -c "${tape[$1]}" ] && return
  done
  return 1
}
# (TEST UNIT READY is everybody's under a persistent reservation)
rewind() { sg_raw "${device[$1]}" 01 00 00 00 00 00; }
# it may use the drive, once it has taken the unit attentions that tell what happened
free_for() { check "$1" within 15 rewind "$2"; }
held() { refused "$1" '[Rr]eservation [Cc]onflict' rewind "$2"; } # what who
enter() {
  must "$1 logs in" node "$1" -l
  must "$1 has its nodes" within 20 nodes_of "$1"
  nodes_of "$1"
  # the unit attention of the login
  within 5 sg_turs -v "${device[$1]}" >/dev/null
}
enter default
enter second
must "the first writes a tape" device write "${tape[default]}" 1 10 65536
reads() { mt -f "${tape[$1]}" rewind && device read "${tape[$1]}" 1 10 65536; }
check "the second reads it: nobody has reserved" reads second

# ---- RESERVE(6) ends with RELEASE, with the session, with the life of the host, and by a reset
reserve() { sg_raw "${device[$1]}" 16 00 00 00 00 00; }
release() { sg_raw "${device[$1]}" 17 00 00 00 00 00; }
check "the first reserves" reserve default
held "the second is refused" second
refused "nor may it reserve" '[Rr]eservation [Cc]onflict' reserve second
refused "nor write" 'E(IO|BUSY)' device write "${tape[second]}" 9 1 65536
check "its RELEASE is GOOD, and does nothing (SPC-2)" release second
held "it is still refused" second
check "INQUIRY is everybody's" sg_inq "${device[second]}"
check "the first works on" reads default
check "the first releases" release default
free_for "the second may" second
check "the second reserves" reserve second
held "the first is refused" default
check "the second logs out" node second -u
free_for "what it had reserved is free" default
enter second
check "the second reserves" reserve second
held "the first is refused" default
pull
free_for "the second's cable is pulled: what it had reserved is free once it is missed" default
plug
check "the second comes back" within 30 rewind second
check "the second reserves" reserve second
check "a reset by the first" sg_reset --device --no-escalate "${device[default]}"
free_for "frees it" default
check "the second reads" within 5 reads second

# ---- PERSISTENT RESERVE: a key each, an exclusive reservation; it outlives its session, and whoever has a key takes over
out() { sg_persist --no-inquiry --out "${@:2}" "${device[$1]}"; }
shown() { sg_persist --no-inquiry --in "${@:2}" "${device[$1]}"; }
check "the first registers" out default --register --param-sark=0xa1
check "the second registers" out second --register --param-sark=0xb2
check "the first reserves, exclusive access" out default --reserve --param-rk=0xa1 --prout-type=3
held "the second is refused" second
refused "RESERVE(6) does not mix with it" '[Rr]eservation [Cc]onflict' reserve second
check "the second sees who" shown second --read-reservation
says "the first's key" 'Key=0xa1'
refused "with a key that is not its own it takes nothing" '[Rr]eservation [Cc]onflict' out second --preempt --param-rk=0xc3 \
  --param-sark=0xa1 --prout-type=3
check "the second preempts" out second --preempt --param-rk=0xb2 --param-sark=0xa1 --prout-type=3
refused "the first is told that its registration is gone (2A/05)" 'Registrations preempted|additional: 2a 05' \
  sg_turs -vv "${device[default]}"
held "and then refused" default
refused "and cannot write" 'E(IO|BUSY)' device write "${tape[default]}" 9 1 65536
check "the second works" reads second
check "the second logs out" node second -u
held "its reservation stays" default
check "the keys" shown default --read-keys
same "one key, the second's" "1 0xb2" "$(grep -c '^ *0x' <<<"$output") $(grep -o '0x[0-9a-f]*$' <<<"$output")"
enter second
pull
pause 4
held "the holder dies: it stays as well" default
check "the first registers again" out default --register-ignore --param-sark=0xa2
check "and takes over" out default --preempt --param-rk=0xa2 --param-sark=0xb2 --prout-type=3
free_for "it works" default
check "what was written is there" reads default
plug
within 30 sg_turs "${device[second]}" >/dev/null
held "the second comes back and is refused" second
check "the first clears" out default --clear --param-rk=0xa2
free_for "the second may" second
check "logout" logout
check "the server has no session" host vtl iscsi show
says "nobody" 'Nobody is logged in'
summary
