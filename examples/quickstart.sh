#!/usr/bin/env bash
# From nothing to a served tape library: installs what is missing, builds, makes a library with cartridges in
# ./vtl-data (kept on the next run), serves it on loopback and prints how to attach.
#
#   examples/quickstart.sh          serve until Ctrl-C
#   examples/quickstart.sh --demo   attach a client, load a tape, write, read back, compare, show throughput
#
# VTL_DATA (default ./vtl-data) and VTL_LISTEN (default 127.0.0.1:3260) change where.
set -euo pipefail
here=$(pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
data=${VTL_DATA:-$here/vtl-data}
listen=${VTL_LISTEN:-127.0.0.1:3260}
case ${1:-} in '' | --demo) ;; *) sed -n '2,8p' "$0"; exit 2 ;; esac

"$root/examples/install-packages" "$root/examples/packages"
(cd "$root" && cmake --preset release >/dev/null && cmake --build --preset release --target vtl vtl-demo)
bin=$root/build/release/bin

[ -e "$data/vtl.yaml" ] || "$bin/vtl" init --data "$data"

log=$(mktemp)
server=''
stop() {
  trap - EXIT INT TERM
  if [ -n "$server" ] && kill -0 "$server" 2>/dev/null; then
    kill -TERM "$server"
    wait "$server" || true
  fi
  rm -f "$log"
}
trap stop EXIT
trap 'stop; exit 0' INT TERM

# The server's first lines go to the log until it is ready, then everything goes to the terminal.
"$bin/vtl" serve --data "$data" --listen "$listen" >"$log" 2>&1 &
server=$!
for _ in $(seq 100); do
  grep -q '^ready' "$log" && break
  kill -0 "$server" 2>/dev/null || { cat "$log" >&2; exit 1; }
  sleep 0.1
done
grep -q '^ready' "$log" || { cat "$log" >&2; echo "the server did not become ready within 10 s" >&2; exit 1; }
cat "$log"

if [ "${1:-}" = --demo ]; then
  "$bin/vtl-demo" "$listen"
  exit
fi

changer=$(grep -o 'iqn[^ ]*mediachanger' "$log" | head -1)
drive=$(grep -o 'iqn[^ ]*tapedrive-01' "$log" | head -1)
cat <<TEXT

The library is being served from $data. On this machine, in another terminal, as root
(apt-get install open-iscsi mtx mt-st lsscsi):

  iscsiadm -m discovery -t sendtargets -p $listen
  iscsiadm -m node -p $listen --login
  lsscsi -g                                    # ten tapes and a medium changer

  CHANGER=\$(readlink -f /dev/tape/by-path/*$changer-lun-0-changer 2>/dev/null || lsscsi -g | awk '/mediumx/{print \$NF; exit}')
  TAPE=\$(readlink -f /dev/tape/by-path/*$drive-lun-0-nst)

  mtx -f \$CHANGER status
  mtx -f \$CHANGER load 1 0                     # slot 1 into drive 0
  mt -f \$TAPE status
  tar -b 512 -cf \$TAPE /etc                    # write
  mt -f \$TAPE rewind
  tar -b 512 -tf \$TAPE                         # read back
  mt -f \$TAPE offline
  mtx -f \$CHANGER unload 1 0

  iscsiadm -m node -p $listen --logout

Without an initiator:  $bin/vtl library show --data $data
Stop with Ctrl-C.
TEXT
tail -n +"$(($(wc -l <"$log") + 1))" -f --pid="$server" "$log" &
wait "$server"
