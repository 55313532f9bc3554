# CHAP by open-iscsi, for discovery and for targets: every refusal. (What each algorithm and digest lets in: 71-digests.)
# shellcheck source=lib.sh
. /vtl/lib.sh
must "vtl init" host init --cartridges 20
must "accounts" host secrets 'accounts:
  - {user: backup01, secret: "first-secret-01"}
  - {user: backup02, secret: "other-secret-02"}
own: {user: library, secret: "library-proves"}'
must "configuration: CHAP for targets, drive 2 for one account only" host config access '  secrets_file: secrets.yaml
  targets: {chap: true}
  devices:
    tapedrive-02: {users: [backup02]}
    tapedrive-03: {initiators: ["iqn.1993-08.org.debian:01:elsewhere"]}'
start
must "discovery without CHAP" discover
same "it leaves out drive 3, where another initiator is named" 10 "$(grep -cE '(mediachanger|tapedrive-[0-9]+)$' <<<"$output")"
iscsiadm -m node -T "$(iqn 3)" -p "$portal" -o new >/dev/null
iscsiadm -m node -o update -n node.session.initial_login_retry_max -v 1

# the record of a drive's login
use() { # drive name value...
  local drive=$1 pairs=()
  shift
  while [ $# -gt 0 ]; do
    pairs+=(-n "node.session.auth.$1" -v "$2")
    shift 2
  done
  iscsiadm -m node -T "$(iqn "$drive")" -o update "${pairs[@]}" || fail "settings ${pairs[*]}"
}
in_() { iscsiadm -m node -T "$(iqn "$1")" -p "$portal" -l; }
out_() { iscsiadm -m node -T "$(iqn "$1")" -p "$portal" -u; }
one_way=(authmethod CHAP username backup01 password "first-secret-01" username_in '' password_in '')
mutual=(authmethod CHAP username backup01 password "first-secret-01" username_in library password_in "library-proves")
# open-iscsi counts 19: login failure that is no use to try again, 24: authentication failed
no='initiator reported error \((19|24)'

refused "no login without CHAP" "$no" in_ 1
for algorithm in MD5 SHA1 SHA256 SHA3-256; do
  use 1 chap_algs $algorithm "${mutual[@]}" password "not-the-secret"
  refused "a wrong secret, $algorithm" "$no" in_ 1
  use 1 password "first-secret-01" password_in "not-the-library"
  refused "a target that cannot prove itself, $algorithm" 'initiator reported error' in_ 1
done
use 1 "${mutual[@]}"
if check "mutual CHAP" in_ 1; then
  session=$(session_of 1)
  same "the session knows both names" "backup01 library" "$(<"$session/username") $(<"$session/username_in")"
  check "the drive answers" within 20 devices
  check "logout" out_ 1
fi
use 1 chap_algs SHA3-256,SHA256,SHA1,MD5 "${mutual[@]}"
check "a list of algorithms" in_ 1 && check "logout" out_ 1

use 1 "${one_way[@]}" username nobody
refused "an unknown user" "$no" in_ 1
unknown=$output
use 1 username backup01 password "not-the-secret"
refused "a wrong secret" "$no" in_ 1
same "both refusals look alike" "$unknown" "$output"

use 2 "${one_way[@]}" chap_algs MD5
refused "an account that may not use drive 2" "$no" in_ 2
use 2 username backup02 password "other-secret-02"
check "one that may" in_ 2 && check "logout" out_ 2
use 3 "${one_way[@]}" chap_algs MD5
refused "an initiator name that may not use drive 3, with a right secret" "$no" in_ 3
output=$(grep 'login rejected' /vtl/iscsid.log | sed 's/session [0-9]* //' | sort -u)
note "$output"
says "iscsid knows a failed authentication, 02/01" 'login rejected: Initiator failed authentication with target'
says "and a name that is not allowed, 02/02 or 02/03" 'failed authorization with target|\(02/0[23]\)'

# ---- an algorithm that is not accepted; CHAP for discovery
must "the daemon stops" host stop
must "configuration: SHA-256 and MD5 only, and CHAP for discovery" host config access '  secrets_file: secrets.yaml
  algorithms: [sha-256, md5]
  discovery: {chap: true, users: [backup02]}
  targets: {chap: true}'
start
use 1 "${one_way[@]}" chap_algs SHA3-256,SHA1
refused "two algorithms that are not accepted" "$no" in_ 1
use 1 chap_algs SHA1,SHA256
check "a list with one that is" in_ 1 && check "logout" out_ 1
refused "discovery without CHAP" 'login failed|authorization failure|authentication' discover
# (open-iscsi 2.1.8 offers MD5 for discovery, whatever its configuration says)
discovery_with() { # name value...
  sed -i '/^discovery.sendtargets.auth/d' /etc/iscsi/iscsid.conf
  while [ $# -gt 0 ]; do
    echo "discovery.sendtargets.auth.$1 = $2" >>/etc/iscsi/iscsid.conf
    shift 2
  done
  # the record of the portal keeps the settings of its first discovery
  iscsiadm -m discoverydb -t sendtargets -p "$portal" -o delete >/dev/null
}
all_targets() { same "it lists all targets" 11 "$(grep -cE "(mediachanger|tapedrive-[0-9]+)$" <<<"$output")"; }
own=(authmethod CHAP username backup02 password other-secret-02)
discovery_with "${own[@]}"
check "discovery with CHAP" discover
all_targets
discovery_with "${own[@]}" password not-the-secret
refused "discovery with a wrong secret" 'login failed|authorization failure|authentication' discover
discovery_with authmethod CHAP username backup01 password first-secret-01
refused "discovery with an account that is for targets only" 'login failed|authorization failure|authentication' discover
discovery_with "${own[@]}" username_in library password_in library-proves
check "discovery with mutual CHAP" discover
all_targets
discovery_with "${own[@]}" username_in library password_in not-the-library
refused "discovery at a library that cannot prove itself" 'login failed|authorization failure|authentication' discover
discovery_with "${own[@]}" password not-the-secret username_in library password_in library-proves
refused "discovery with mutual CHAP and a wrong secret of one's own" 'login failed|authorization failure|authentication' discover
summary
