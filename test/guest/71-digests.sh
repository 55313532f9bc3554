# Every header and data digest with every way of CHAP that open-iscsi has: no CHAP, and each of its four algorithms one-way
# and mutual. Nine drives log in at a time, each its own way; each writes a tape and reads it back.
# shellcheck source=lib.sh
. /vtl/lib.sh
must "vtl init" host init --cartridges 20
must "accounts" host secrets 'accounts:
  - {user: backup01, secret: "first-secret-01"}
own: {user: library, secret: "library-proves"}'
must "configuration: CHAP for all but drive 9" host config access '  targets: {chap: true}
  devices:
    tapedrive-09: {chap: false}'
start
must "discovery" discover
for drive in {1..9}; do
  must "load drive $drive" host vtl library move "slot-$drive" "drive-$drive"
done
for unit in changer 10; do iscsiadm -m node -T "$(iqn $unit)" -o delete; done
setting node.session.initial_login_retry_max 1

# the record of a drive's login
use() { # drive name value...
  local drive=$1 pairs=()
  shift
  while [ $# -gt 0 ]; do
    pairs+=(-n "$1" -v "$2")
    shift 2
  done
  iscsiadm -m node -T "$(iqn "$drive")" -o update "${pairs[@]}" || fail "settings ${pairs[*]}"
}
digest='node.conn[0].iscsi'
auth=node.session.auth
drive=0 way=()
for algorithm in MD5 SHA1 SHA256 SHA3-256; do
  one_way=($auth.authmethod CHAP $auth.chap_algs "$algorithm" $auth.username backup01 $auth.password first-secret-01)
  drive=$((drive + 1))
  use $drive "${one_way[@]}"
  way[drive]="CHAP one-way, $algorithm"
  drive=$((drive + 1))
  use $drive "${one_way[@]}" $auth.username_in library $auth.password_in library-proves
  way[drive]="CHAP mutual, $algorithm"
done
way[9]='no CHAP'

name() { [ "$1" = 1 ] && echo CRC32C || echo None; }
# the digests of a drive's session, as negotiated
digests() { # drive
  local connection
  for connection in "$(session_of "$1")"/device/connection*/iscsi_connection/*; do :; done
  printf '%s %s' "$(<"$connection/header_digest")" "$(<"$connection/data_digest")"
}
# each drive writes 20 records of 96 KiB, rewinds, and reads them; /run/tape-N has what went wrong
size=98304
written_and_read() { # seed
  local drive tape
  for drive in "${!nst[@]}"; do
    tape=${nst[$drive]/nst/st} # rewinds when it is closed
    {
      device write "$tape" "$1$drive" 20 $size && device read "$tape" "$1$drive" 20 $size
    } >"/run/tape-$drive" 2>&1 &
  done
  wait
}

seed=1
for header in 0 1; do
  for data in 0 1; do
    what="header digest $(name $header), data digest $(name $data)"
    iscsiadm -m node -o update -n "$digest.HeaderDigest" -v "$(name $header)" -n "$digest.DataDigest" -v "$(name $data)"
    must "$what: nine logins" iscsiadm -m node -l
    must "$what: nine tape nodes" within 20 devices
    written_and_read $seed
    for drive in {1..9}; do
      same "$what, ${way[drive]}: as asked for, written and read" "$header $data 20 written 20 read" \
        "$(digests $drive) $(tr '\n' ' ' <"/run/tape-$drive" | sed 's/ $//')"
    done
    check "$what: logout" logout
    seed=$((seed + 1))
  done
done

# ---- lists in the order of preference, whatever authenticates; and secrets that are wrong
for drive in {1..4}; do
  header=CRC32C,None data=CRC32C,None
  [ $((drive & 1)) = 1 ] || header=None,CRC32C
  [ $((drive & 2)) = 0 ] || data=None,CRC32C
  use $drive "$digest.HeaderDigest" $header "$digest.DataDigest" $data
done
use 5 $auth.password not-the-secret
use 6 $auth.password not-the-secret
use 8 $auth.password_in not-the-library
use 7 $auth.password library-proves # the library's own secret opens nothing
refused "four of nine logins" 'initiator reported error' iscsiadm -m node -l
within 20 devices
written_and_read 5
expected=("" "1 1" "0 0" "1 0" "0 1")
for drive in {1..4}; do
  same "lists of digests, drive $drive: the first of each list, written and read" "${expected[drive]} 20 written 20 read" \
    "$(digests $drive) $(tr '\n' ' ' <"/run/tape-$drive" | sed 's/ $//')"
done
for drive in 5 6 7 8; do
  refused "a secret that is wrong, ${way[drive]}: no session" '' session_of $drive
done
same "who authenticates rightly is in all the same, and so is who need not" 5 "${#nst[@]}"
check "logout" logout
summary
