# Eleven sessions log in and out at a time, over and over: a hundred rounds in the full lane, fewer in the push. Nothing is
# left behind: no session, no descriptor, no memory.
# limit, full: 900
# shellcheck source=lib.sh
. /vtl/lib.sh
rounds=10
[ "$VTL_LANE" != full ] || rounds=100
serve --cartridges 20
discover >/dev/null

sessions() { printf '%s\n' /sys/class/iscsi_session/session* | grep -c '/session[0-9]'; }
nobody() { host vtl iscsi show | grep -q 'Nobody is logged in'; }
uses() { # sets descriptors and kib
  local rest
  read -r descriptors rest kib rest < <(host uses)
}

# As every host does it: with the drivers, which have a look at each device.
must "login to all eleven" login
must "logout" logout
within 10 nobody || fail "the server has no session after the first round"
uses
first_descriptors=$descriptors
# And then without them, as fast as iscsid can.
setting node.session.scan manual
start=$SECONDS
for ((round = 1; round <= rounds; round++)); do
  iscsiadm -m node -l >/run/storm 2>&1 || { fail "round $round: login" "$(</run/storm)" && break; }
  [ "$(sessions)" = 11 ] || { fail "round $round: eleven sessions" "$(sessions)" && break; }
  iscsiadm -m node -u >/run/storm 2>&1 || { fail "round $round: logout" "$(</run/storm)" && break; }
  [ $round != 2 ] || { uses && warm=$kib; }
done
same "rounds of eleven logins and logouts" $rounds $((round - 1))
note "$((rounds * 11)) logins in $((SECONDS - start)) s"
check "the server has no session" within 10 nobody
uses
same "and as many open files as after the first round" "$first_descriptors" "$descriptors"
note "memory: $warm KiB after two rounds, $kib KiB after $rounds"
if [ "$kib" -le $((warm + 1024)) ]; then pass "memory is back"; else fail "memory is back" "$warm KiB, then $kib KiB"; fi

# Lines that break instead: as many sessions replaced by their own next login.
setting node.session.scan auto
must "login to all eleven" login
for round in 1 2 3; do
  check "round $round: eleven lines break" device cut "$PORT"
  same "round $round: all of them" "11 connections cut" "$output"
  # (iscsid tells when a connection is back)
  check "round $round: all come back" within 30 bash -c \
    "[ \$(grep -c 'connection[0-9]*:0 is operational after recovery' /vtl/iscsid.log) = $((round * 11)) ]"
done
answers() {
  local node
  for node; do sg_inq "$node" || return; done
}
check "each device answers" answers "${sg[@]}" "$changer_sg"
same "the server has eleven sessions, no more" 11 "$(host vtl iscsi show | grep -c "^$iqn_prefix")"
check "logout" logout
check "the server has no session" within 10 nobody
uses
same "and as many open files as after the first round" "$first_descriptors" "$descriptors"
summary
