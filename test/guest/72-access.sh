# Who may log in: one initiator at a time on a target, names that are not allowed, and what a refusal looks like.
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --cartridges 20
must "login" login changer 1
must "load slot 1 into drive 0" mtx -f "$changer_sg" load 1 0
must "write 10 records" device write "${nst[1]}" 1 10 65536

# a second initiator: the same iscsid under another name
iscsiadm -m iface -I second -o new >/dev/null
iscsiadm -m iface -I second -o update -n iface.initiatorname -v iqn.1993-08.org.debian:01:second >/dev/null
check "the second initiator discovers" iscsiadm -m discovery -t sendtargets -p "$portal" -I second
same "all eleven targets" 11 "$(grep -cE "(mediachanger|tapedrive-[0-9]+)$" <<<"$output")"
iscsiadm -m node -I second -o update -n node.session.initial_login_retry_max -v 1
second() { iscsiadm -m node -I second -T "$(iqn "$1")" -p "$portal" "$2"; }

refused "the second initiator is refused where the first is" 'initiator reported error' second 1 -l
note "iscsiadm: $(grep 'initiator reported' <<<"$output")"
output=$(</vtl/iscsid.log)
says "the refusal has a status that says to try later, 03/01 or 03/02" 'login rejected: [^(]*\(03/0[12]\)'
same "one session on the target" 1 "$(grep -lx "$(iqn 1)" /sys/class/iscsi_session/session*/targetname | wc -l)"
check "the first works on" device write "${nst[1]}" 2 10 65536
check "and reads" bash -c "mt -f ${nst[1]} rewind && device read ${nst[1]} 1 10 65536"
check "the second may use another drive" second 2 -l
check "and leave it" second 2 -u
check "the first logs out" iscsiadm -m node -I default -T "$(iqn 1)" -p "$portal" -u
check "now the second gets in" second 1 -l
must "its tape node comes" within 20 devices
check "and finds what the first wrote" bash -c "mt -f ${nst[1]} rewind && device read ${nst[1]} 1 10 65536"
check "logout of all" logout
summary
