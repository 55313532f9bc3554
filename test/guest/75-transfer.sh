# Header and data digests, and every way in which write data can travel: immediate, unsolicited, by R2T.
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --cartridges 20
must "login" login changer
must "load slot 1 into drive 0" mtx -f "$changer_sg" load 1 0
size=262144
p=node.session.iscsi
c='node.conn[0].iscsi'
plain=("$p.InitialR2T No" "$p.ImmediateData Yes" "$p.FirstBurstLength 262144" "$p.MaxBurstLength 16776192"
  "$c.MaxRecvDataSegmentLength 262144" "$c.HeaderDigest None" "$c.DataDigest None")

# what NAME=VALUE,... of the session (sysfs, as negotiated), then settings that differ from Debian's
mode() { # what expected setting...
  local what=$1 expected=$2 line name pairs=()
  shift 2
  for line in "${plain[@]}" "$@"; do pairs+=(-n "${line% *}" -v "${line##* }"); done
  iscsiadm -m node -T "$(iqn 1)" -o update "${pairs[@]}" || fail "$what: settings"
  check "$what: login" iscsiadm -m node -T "$(iqn 1)" -p "$portal" -l || return
  within 20 devices || fail "$what: the tape node comes"
  session=$(session_of 1)
  for connection in "$session"/device/connection*/iscsi_connection/*; do :; done
  for line in ${expected//,/ }; do
    name=${line%=*}
    case $name in
      *digest) same "$what: $name" "${line#*=}" "$(<"$connection/$name")" ;;
      *) same "$what: $name" "${line#*=}" "$(<"$session/$name")" ;;
    esac
  done
  tape=${nst[1]}
  check "$what: rewind" mt -f "$tape" rewind
  check "$what: write 40 records of 256 KiB" device write "$tape" 1 40 $size
  check "$what: write 20 records of 100001 bytes" device write "$tape" 2 20 100001
  check "$what: write 5 records of 700 bytes" device write "$tape" 3 5 700
  check "$what: rewind" mt -f "$tape" rewind
  check "$what: read the first file" device read "$tape" 1 0 $size
  same "$what: all of it" "40 read" "$output"
  check "$what: read the second file" device read "$tape" 2 0 100001
  same "$what: all of it" "20 read" "$output"
  check "$what: read the third file" device read "$tape" 3 0 700
  same "$what: all of it" "5 read" "$output"
  check "$what: logout" iscsiadm -m node -T "$(iqn 1)" -p "$portal" -u
}

mode "immediate and unsolicited data" initial_r2t=0,immediate_data=1
mode "everything by R2T" initial_r2t=1,immediate_data=0 "$p.InitialR2T Yes" "$p.ImmediateData No"
mode "immediate data, the rest by R2T" initial_r2t=1,immediate_data=1 "$p.InitialR2T Yes" "$p.FirstBurstLength 4096"
mode "unsolicited Data-Out only" initial_r2t=0,immediate_data=0 "$p.ImmediateData No" "$p.FirstBurstLength 65536"
mode "short bursts" initial_r2t=1,max_burst_len=65536 "$p.InitialR2T Yes" "$p.MaxBurstLength 65536" "$p.FirstBurstLength 16384"
mode "small PDUs to the initiator" initial_r2t=0 "$c.MaxRecvDataSegmentLength 4096"
mode "header digest" header_digest=1,data_digest=0 "$c.HeaderDigest CRC32C"
mode "both digests" header_digest=1,data_digest=1 "$c.HeaderDigest CRC32C" "$c.DataDigest CRC32C"
mode "both digests, offered with None" header_digest=1,data_digest=1 "$c.HeaderDigest CRC32C,None" "$c.DataDigest CRC32C,None"
mode "both digests, everything by R2T" header_digest=1,data_digest=1,initial_r2t=1,immediate_data=0 \
  "$c.HeaderDigest CRC32C" "$c.DataDigest CRC32C" "$p.InitialR2T Yes" "$p.ImmediateData No" "$p.MaxBurstLength 65536"
logout
summary
