#!/bin/bash
# start: systemd
# limit: 540
# The unit as it is installed, by its own head, under systemd as the first process: what a service's administrator does and
# what must hold then - readiness, confinement, reload, a killed server, a wrong configuration, a pool on another disk, an
# upgrade, a restart of the machine.
. /vtl/lib.sh
cd /vtl/product || exit
state=/var/lib/vtl data=/var/lib/vtl/library
portal=127.0.0.1:3260
shown() { systemctl show vtl.service -P "$1"; }
serving() { { : <>"/dev/tcp/${portal/:/\/}"; } 2>/dev/null; }
journal() { journalctl -u vtl.service -o cat --no-pager "$@"; }
drop_in() { # NAME, text from standard input
  mkdir -p /etc/systemd/system/vtl.service.d
  cat >"/etc/systemd/system/vtl.service.d/$1.conf"
  systemctl daemon-reload
}
tape_is() { # FILE: it is what the tape of drive 1 begins with
  mt -f "${nst[1]}" rewind && dd if="${nst[1]}" bs=256k 2>/dev/null | cmp - "$1"
}

if [ -e $state/restarted ]; then
  check "after a restart of the machine it serves" systemctl is-active vtl
  within 20 devices
  same "open-iscsi has logged in to all by itself, as it came after" 11 "$(iscsiadm -m session 2>/dev/null | wc -l)"
  check "its pool's disk is there" mountpoint /srv/tapes
  check "the tape is in its drive, with what was written" tape_is /usr/bin/bash
  check "the machine goes down while hosts are logged in: stopped in order" grep -q '^stopped$' <(journal -b -1)
  summary
fi

cp -n lib/* /usr/local/lib/ && ldconfig
useradd --create-home somebody

# ---- installed, by the head of the unit
sed -n 's/^#   \(useradd\|install\|runuser\)/\1/p' examples/vtl.service >/run/install
same "the unit says how to install it, in five lines" 5 "$(wc -l </run/install)"
while read -r line; do must "$line" bash -c "$line"; done </run/install
check "started is what serves: a connection, at once" serving
check "the unit is as systemd wants it" systemd-analyze verify vtl.service
same "and nothing was said of that" "" "$output"
same "the state directory is the service's" "vtl vtl 700" "$(stat -c '%U %G %a' $state)"
same "and all that is in it" "" "$(find $state ! -user vtl -o ! -group vtl -o -perm /077)"
same "the program is root's" "root root 755" "$(stat -c '%U %G %a' /usr/local/bin/vtl)"

# ---- confined
pid=$(shown MainPID)
uid=$(id -u vtl)
status=$(<"/proc/$pid/status")
for line in "Uid:	$uid	$uid	$uid	$uid" "CapPrm:	0000000000000000" "CapEff:	0000000000000000" \
  "CapBnd:	0000000000000000" "NoNewPrivs:	1" "Seccomp:	2"; do
  check "its status has $line" grep -qxF "$line" <<<"$status"
done
check "the unit lets it schedule itself for throughput" grep -q SCHED_BATCH <(chrt -p "$pid")
check "no core dump" grep -Eq '^Max core file size +0 +0 ' "/proc/$pid/limits"
same "the root that it sees is read-only" "/ ro" \
  "$(awk '$5 == "/" { split($6, o, ","); print $5, o[1] }' "/proc/$pid/mountinfo")"
check "root's commands work" vtl library show --data $data
check "those of its user as well" runuser -u vtl -- vtl library show --data $data
refused "nobody else's" "Permission denied" runuser -u somebody -- vtl library show --data $data

# ---- in use
modprobe -a iscsi_tcp st sg ch
must "the kernel's initiator logs in to all" login
check "mtx loads a tape" mtx -f "$changer_sg" load 1 0
mt -f "${nst[1]}" setblk 0
check "dd writes" dd if=/usr/bin/bash of="${nst[1]}" bs=256k
check "and reads the same" tape_is /usr/bin/bash
check "systemctl reload" systemctl reload vtl
same "sessions go on" 11 "$(iscsiadm -m session | wc -l)"

# ---- files that come and go
head -c 300000 /dev/urandom >/tmp/tape.raw
chmod 644 /tmp/tape.raw
check "import from /tmp" vtl cartridge import --data $data --format raw IMP001L8 /tmp/tape.raw
check "export to the state directory" vtl cartridge export --data $data --format raw IMP001L8 $state/tape.raw
check "the same bytes" cmp /tmp/tape.raw $state/tape.raw
for path in /tmp /var/tmp /srv; do
  refused "export to $path is refused: nobody would find it" "Read-only" \
    vtl cartridge export --data $data --format raw IMP001L8 $path/gone.raw
done

# ---- accounts, the log
printf 'secret-0123456\n' >$HOME/secret
check "root adds an account" vtl auth add --data $data host01 --secret-file $HOME/secret
check "the server can read it" systemctl reload vtl
same "nothing is root's in there" "" "$(find $state ! -user vtl -o ! -group vtl)"
journalctl --sync
same "no secret is in the journal" "" "$(journalctl --no-pager | grep secret-01)"
same "lines have one time, the journal's" "" "$(journal | grep -E '^20[0-9]{2}-')"
check "what happened is there" grep -q '^moved VTL001L8 from slot-1 to drive-1, for iqn' <(journal)
same "and no warning" "" "$(journal -p warning)"

# ---- a wrong configuration
cp -p $data/vtl.yaml $HOME/vtl.yaml
sed -i 's/^  slots: .*/  slots: many/' $data/vtl.yaml
refused "a reload of what is wrong fails" "" systemctl reload vtl
check "and why is in the journal" grep -q 'slots: found "many"' <(journal)
check "the server goes on" serving
systemctl restart vtl 2>/dev/null
pause 3
same "a restart with it ends" "failed 3" "$(shown ActiveState) $(shown ExecMainStatus)"
same "and is not tried again" 0 "$(shown NRestarts)"
check "that is an error in the journal" grep -q 'slots: found "many"' <(journal -p err)

# ---- root, while nothing serves
cp -p $HOME/vtl.yaml $data/vtl.yaml
check "root makes a cartridge" vtl cartridge create --data $data NEW001L8
check "root adds slots" vtl library grow --data $data --slots 240
same "nothing is root's in there" "" "$(find $state ! -user vtl -o ! -group vtl)"
check "so it starts" systemctl start vtl
within 60 serving

# ---- killed
kill -KILL "$(shown MainPID)"
back() { [ "$(shown NRestarts) $(shown ActiveState)" = "1 active" ]; }
check "killed, it comes back by itself, once" within 20 back
check "and serves" serving
check "hosts come back" within 30 tape_is /usr/bin/bash

# ---- stopped while a host writes; the next program is there, as in an upgrade
dd if=/dev/zero of="${nst[1]}" bs=256k count=100000 2>/dev/null &
pause 2
line=$(grep /usr/local/bin /run/install)
check "over the program that runs: $line" bash -c "$line"
before=$SECONDS
check "a restart while a host writes" systemctl restart vtl
check "takes less than 15 s" test $((SECONDS - before)) -lt 15
check "in order" grep -q '^stopped$' <(journal)
wait
check "systemctl stop" systemctl stop vtl
same "ends well" "success 0 inactive" "$(shown Result) $(shown ExecMainStatus) $(shown ActiveState)"
iscsiadm -m node -u >/dev/null

# ---- a pool elsewhere, on a disk of its own
mkdir -p /srv/tapes
must "a disk" mke2fs -q -t ext4 /dev/ubdb
echo '/dev/ubdb /srv/tapes ext4 defaults 0 2' >>/etc/fstab
systemctl daemon-reload
must "its file system" mount /srv/tapes
mv $data/pool /srv/tapes/pool
chown vtl:vtl /srv/tapes
sed -i 's,^  #pool: .*,  pool: /srv/tapes/pool,' $data/vtl.yaml
refused "a pool where the unit lets it not write: no start" "" systemctl start vtl
check "and why is in the journal" grep -q '/srv/tapes/pool.*Read-only' <(journal -p err)
sed -n '/systemctl edit/,/ReadWritePaths/s/^#   //p' examples/vtl.service | drop_in pool
check "with what the unit's head says it starts" systemctl start vtl
must "a host logs in" login
check "and writes" dd if=/usr/bin/bash of="${nst[1]}" bs=256k
check "and reads the same" tape_is /usr/bin/bash

# ---- a port below 1024, only some networks
cp -p $data/vtl.yaml $HOME/vtl.yaml
echo 'listen: ["127.0.0.1:3260", "127.0.0.1:860"]' >>$data/vtl.yaml
refused "a port below 1024 is not its" "" systemctl reload vtl
check "and why is in the journal" grep -q '127.0.0.1:860' <(journal)
cp -p $HOME/vtl.yaml $data/vtl.yaml

# ---- restart of the machine, which is its own host
printf '[Unit]\nBefore=open-iscsi.service\n' | drop_in host
iscsiadm -m node -o update -n node.startup -v automatic
check "open-iscsi is told to log in at the start" systemctl enable open-iscsi
touch $state/restarted /vtl/again
summary
