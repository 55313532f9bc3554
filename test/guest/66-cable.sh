# A cable is pulled for 5 and for 30 seconds - in the full lane for 120 as well - while programs write: with a replacement
# timeout that outlasts the pull, and one that does not. And iscsid is killed and started again. Each address that the
# server listens on has a cable of its own here, so that all of it happens at a time.
# limit, full: 330
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --cartridges 20
must "the server stops" host stop
must "it is told to listen on four addresses" host config listen \
  "  [\"127.0.0.1:$PORT\", \"127.0.0.2:$PORT\", \"127.0.0.3:$PORT\", \"127.0.0.4:$PORT\"]"
# The server asks after 30 s of silence, and gives a session up after 30 more: within a pull of 120 s, not within one of 30.
# In the push lane that is a quarter, so that the longest pull, 30 s, stands for 120.
[ "$VTL_LANE" = full ] || must "it asks sooner whether hosts live" host config iscsi '  ping_after_ms: 7500'
start
size=65536

# drive: its cable (the address), how long that is pulled, and the initiator's timeouts: replacement, ping, answer to it
pulls=(5 30)
plan='1 2 5 120 10 10
2 2 5 60 1 1
3 2 5 1 1 1
4 3 30 120 5 5
5 3 30 10 1 1'
if [ "$VTL_LANE" = full ]; then
  pulls+=(120)
  plan+='
6 4 120 180 5 5
7 4 120 30 5 5'
fi
pull() { ip neigh replace "127.0.0.$1" lladdr 02:00:00:00:00:99 dev vec0 nud permanent; } # packets to nobody
plug() { ip neigh replace "127.0.0.$1" lladdr "$HOST_MAC" dev vec0 nud permanent; }
declare -A cable seconds replacement
while read -r drive where pulled timeout ping answer; do
  cable[$drive]=$where seconds[$drive]=$pulled replacement[$drive]=$timeout
  must "load drive $drive" host vtl library move "slot-$drive" "drive-$drive"
  iscsiadm -m node -T "$(iqn "$drive")" -p "127.0.0.$where:$PORT" -o new >/dev/null
  iscsiadm -m node -T "$(iqn "$drive")" -o update -n node.session.timeo.replacement_timeout -v "$timeout" \
    -n 'node.conn[0].timeo.noop_out_interval' -v "$ping" -n 'node.conn[0].timeo.noop_out_timeout' -v "$answer"
done <<<"$plan"
for where in 2 3 4; do
  ip route add "127.0.0.$where/32" dev vec0 src "$GUEST_ADDRESS"
  plug $where
done
must "login by three cables" iscsiadm -m node -l
must "the tape nodes come" within 20 devices

drives=("${!cable[@]}")
declare -A session writer
state() { [ "$(<"${session[$1]}/state")" = "$2" ]; }
gone() { ! kill -0 "${writer[$1]}" 2>/dev/null; }
for drive in "${drives[@]}"; do
  session[$drive]=$(session_of "$drive")
  tape=${nst[$drive]}
  # a first file, and then records in the background; that of drive 1 ends, the others write until they fail
  count=0
  [ "$drive" != 1 ] || count=600
  must "drive $drive: a first file" device write "$tape" 1 20 $size
  device write "$tape" "2$drive" $count $size "/run/flowing-$drive" 0.02 >"/run/writer-$drive" 2>&1 &
  writer[$drive]=$!
done
for drive in "${drives[@]}"; do must "drive $drive: writing" within 30 test -e "/run/flowing-$drive"; done
for drive in "${drives[@]}"; do
  ! gone "$drive" || fail "drive $drive: it still writes when the cable is pulled" "$(<"/run/writer-$drive")"
done
for where in 2 3 4; do pull $where; done
SECONDS=0

# what a drive's program was told, and how its session and its device are, right before the cable is back
declare -A found
look() { # drive: without a process, so that the cable is out no longer than said
  local told program=waits
  told=$(<"/run/writer-$1")
  ! gone "$1" || program=over
  found[$1]="${told#* written, } $(<"${session[$1]}/state") $(<"${scsi[$1]}/state") $program"
}
before() { # drive
  local what="drive $1, ${seconds[$1]} s, replacement timeout ${replacement[$1]} s, before the cable is back"
  if [ "$1" = 1 ]; then
    same "$what: nobody has noticed" " LOGGED_IN running waits" "${found[1]}"
  elif [ "${replacement[$1]}" -gt "${seconds[$1]}" ]; then
    same "$what: the write under way has failed, the next command waits" "EIO FAILED blocked waits" "${found[$1]}"
  else
    same "$what: the next command has failed as well" "EIO FREE transport-offline over" "${found[$1]}"
  fi
}
# ... and afterwards
after() { # drive
  local what="drive $1, ${seconds[$1]} s, replacement timeout ${replacement[$1]} s" tape=${nst[$1]} told
  check "$what: the session comes back by itself" within 40 state "$1" LOGGED_IN
  same "$what: it is the same session" "${session[$1]}" "$(session_of "$1")"
  same "$what: the server has one session for it" 1 "$(host vtl iscsi show | grep -c "^$(iqn "$1") ")"
  check "$what: the writer ends" within 40 gone "$1"
  wait "${writer[$1]}"
  told=$(<"/run/writer-$1")
  note "the writer: $told"
  check "$what: rewind" within 20 mt -f "$tape" rewind
  check "$what: the first file is whole" device read "$tape" 1 0 $size
  same "$what: all of it" "20 read" "$output"
  output=$(device read "$tape" "2$1" 0 $size 2>&1)
  note "the reader: $output"
  # of the one write that failed nobody knows whether it arrived: nothing else may be missing, or be there twice
  case "$output" in
    "${told%% *} read"* | "$((${told%% *} + 1)) read"*) pass "$what: what was acknowledged is there, once" ;;
    *) fail "$what: what was acknowledged is there, once" "$told; $output" ;;
  esac
  if [ "$1" = 1 ]; then same "$what: the program has noticed nothing" "600 written" "$told"; fi
  check "$what: writing goes on behind the first file" bash -c "mt -f $tape asf 1 && device write $tape 3 20 $size &&
    mt -f $tape asf 1 && device read $tape 3 20 $size"
}

where=2
for pulled in "${pulls[@]}"; do
  until [ $SECONDS -ge "$pulled" ]; do pause 0.2; done
  for drive in "${drives[@]}"; do [ "${seconds[$drive]}" != "$pulled" ] || look "$drive"; done
  plug $where
  note "the cable was out for $SECONDS s"
  for drive in "${drives[@]}"; do
    [ "${seconds[$drive]}" != "$pulled" ] || { before "$drive" && after "$drive"; }
  done
  where=$((where + 1))
done

check "limits that were reached" host vtl iscsi show
says "the server has given up the two sessions that were silent for so long" 'silent +[^0-9]*[0-9]+ ms +dropped +2'

# ---- iscsid is killed while a program writes: the kernel's sessions need it only to come back
daemon=$(pgrep -x iscsid)
tape=${nst[2]}
must "rewind" mt -f "$tape" rewind
device write "$tape" 4 200 $size /run/flowing 0.02 >/run/writer 2>&1 &
writing=$!
must "writing" within 20 test -e /run/flowing
check "iscsid is killed" eval "kill -KILL $daemon"
if wait $writing; then pass "the program does not notice"; else fail "the program does not notice" "$(</run/writer)"; fi
pull 2
pause 3
plug 2
# iscsid tells when a session has come back
returned() { grep -c ':0 is operational after recovery' /vtl/iscsid.log; }
all_back() { [ "$(returned)" = $((before + ${#drives[@]})) ]; }
before=$(returned)
(exec iscsid -f >>/vtl/iscsid.log 2>&1) &
within 20 grep -q ISCSIADM_ABSTRACT_NAMESPACE /proc/net/unix || fail "iscsid is back"
check "iscsid, started again, knows all sessions" within 20 iscsiadm -m session
same "as many as before" "${#drives[@]}" "$(grep -c '^tcp: ' <<<"$output")"
check "and logs in anew for each" within 40 all_back
check "rewind" within 20 mt -f "$tape" rewind
check "all records are there" device read "$tape" 4 200 $size
before=$(returned)
check "every connection is closed" device cut "$PORT"
same "each of them" "${#drives[@]} connections cut" "$output"
check "it brings all sessions back" within 40 all_back
check "logout" logout
check "what the server has" host vtl iscsi show
says "is nobody's session" 'Nobody is logged in'
summary
