# `vtl reload` while programs write: secrets, who may log in, and where the server listens. Sessions go on and lose nothing;
# new logins meet the new rules.
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --cartridges 20
must "the server stops" host stop
accounts() { # secret of backup01
  host secrets "accounts:
  - {user: backup01, secret: \"$1\"}"
}
rules() { # who may use drives beside the rules for all
  host config access "  targets: {chap: true}
  devices:
    tapedrive-03: {initiators: [$1]}"
}
listen() { # number of the address...
  local list=() number
  for number; do list+=("\"127.0.0.$number:$PORT\","); done
  host config listen "  [${list[*]}]"
}
me=iqn.1993-08.org.debian:01:guest other=iqn.1993-08.org.debian:01:other
must "an account" accounts first-secret-01
must "CHAP for all" rules $me
must "one address" listen 1
start
must "discovery" discover
for number in 2 3; do
  ip route add "127.0.0.$number/32" dev vec0 src "$GUEST_ADDRESS"
  ip neigh replace "127.0.0.$number" lladdr "$HOST_MAC" dev vec0 nud permanent
done
auth=node.session.auth
iscsiadm -m node -o update -n node.session.initial_login_retry_max -v 1 -n $auth.authmethod -v CHAP \
  -n $auth.username -v backup01 -n $auth.password -v first-secret-01
in_() { iscsiadm -m node -T "$(iqn "$1")" -p "${2:-$portal}" -l; }
out_() { iscsiadm -m node -T "$(iqn "$1")" -p "${2:-$portal}" -u; }
secret() { iscsiadm -m node -T "$(iqn "$1")" -o update -n $auth.password -v "$2"; }
connects() { bash -c ": </dev/tcp/127.0.0.1/$PORT"; }
no='initiator reported error \((19|24)'

for drive in 1 2 3; do
  must "load drive $drive" host vtl library move "slot-$drive" "drive-$drive"
  must "login to drive $drive" in_ $drive
done
must "three tape nodes" within 20 devices
size=65536
declare -A writer session
for drive in 1 2 3; do
  session[$drive]=$(session_of $drive)
  device write "${nst[$drive]}" 2$drive 0 $size "/run/flowing-$drive" 0.02 >"/run/writer-$drive" 2>&1 &
  writer[$drive]=$!
done
for drive in 1 2 3; do must "drive $drive: writing" within 30 test -e "/run/flowing-$drive"; done
logins() { grep -c 'is operational' /vtl/iscsid.log; }
before=$(logins)

# ---- the secret
must "another secret" accounts other-secret-02
check "reload" host vtl reload
says "access has changed" 'Changed: access'
refused "the old secret opens nothing" "$no" in_ 4
secret 4 other-secret-02
check "the new one does" in_ 4
check "logout" out_ 4

# ---- who may
must "drive 3 is another host's now" rules $other
check "reload" host vtl reload
says "it tells who is in and would not be let in any more" "$me at .* is logged in to $(iqn 3) and would not be let in"
secret 5 other-secret-02
check "other drives are as before" in_ 5
check "logout" out_ 5

# ---- where
must "a second and a third address" listen 1 2 3
check "reload" host vtl reload
says "listen has changed" 'Changed: listen'
check "discovery at the second" iscsiadm -m discovery -t sendtargets -p "127.0.0.2:$PORT" -o nonpersistent
same "it tells the address at which it was asked" "127.0.0.2:$PORT,1" "$(cut -d ' ' -f 1 <<<"$output" | sort -u)"
same "drive 3 is hidden" '' "$(grep "$(iqn 3)" <<<"$output")"
iscsiadm -m node -T "$(iqn 6)" -p "127.0.0.2:$PORT" -o new >/dev/null
iscsiadm -m node -T "$(iqn 6)" -p "127.0.0.2:$PORT" -o update -n node.session.initial_login_retry_max -v 1 \
  -n $auth.authmethod -v CHAP -n $auth.username -v backup01 -n $auth.password -v other-secret-02
check "login by the second" in_ 6 "127.0.0.2:$PORT"
must "the first address goes, by which three hosts write" listen 2 3
check "reload" host vtl reload
refused "nobody connects there any more" 'Connection refused' connects

# ---- nothing of all that was felt by those who were in
for drive in 1 2 3; do
  state="$(<"${session[$drive]}/state")"
  kill -0 "${writer[$drive]}" || state+=", but the writer has ended: $(<"/run/writer-$drive")"
  same "drive $drive: the session goes on, and so does the writer" LOGGED_IN "$state"
done
same "no session has come back: none was gone" $((before + 3)) "$(logins)"
for drive in 1 2 3; do kill "${writer[$drive]}"; done
wait "${writer[@]}"
for drive in 1 2 3; do
  tape=${nst[$drive]}
  output=$(mt -f "$tape" rewind && device read "$tape" 2$drive 0 $size)
  if [[ $output =~ ^([0-9]+)\ read$ && ${BASH_REMATCH[1]} -gt 100 ]]; then
    pass "drive $drive: what was written is there, $output"
  else fail "drive $drive: what was written is there" "$output"; fi
done

# ---- a configuration with an error changes nothing; and those may be ended who would not be let in
must "the configuration says where once more" listen 1 2 3
host config log '  level: loud' >/dev/null
refused "a reload with an error" 'log.level: found "loud"' host vtl reload
refused "changes nothing: the first address is still gone" 'Connection refused' connects
must "right again" host config log '  level: info'
check "reload, and an end to sessions" host vtl reload --end-sessions
says "drive 3 is told" "logged in to $(iqn 3) .*asked to log out"
# (open-iscsi does as it is told, and then tries to come back)
check "it goes" within 20 bash -c "[ \$(<${session[3]}/state) != LOGGED_IN ]"
check "and is not let in again" within 20 grep -qE 'target not found|\(02/03\)' /vtl/iscsid.log
check "the server" host vtl iscsi show
same "has the others' sessions" "$(printf '%s\n' "$(iqn 1)" "$(iqn 2)" "$(iqn 6)")" "$(grep -o "^$iqn_prefix[^ ]*" <<<"$output" | sort)"
same "which go on" "LOGGED_IN LOGGED_IN" "$(<"${session[1]}/state") $(<"${session[2]}/state")"
check "logout" logout
summary
