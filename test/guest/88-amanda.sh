# Amanda: amtapetype of a tape, then a dump over two small ones of the changer, and what it dumped fetched and compared,
# by amfetchdump and by amrecover.
# limit: 420
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --slots 8 --ie-slots 2 --cartridges 3 --capacity 128MiB
must "a tape for amtapetype, in slot 4" host vtl cartridge create BIG101L8 --capacity 256MiB
must "a network within the guest" private_network
hostname guest
echo 10.9.9.9 guest localhost >/etc/hosts
must "login" login changer 1
tape=${nst[1]}

# what its packages' installation would have done
mkdir -p /var/log/amanda /var/lib/amanda/gnutar-lists /run/amanda/{info,log,index} /etc/amanda/test /run/data/dir /run/back
touch /var/lib/amanda/amandates
chown -R backup:backup /var/log/amanda /var/lib/amanda /run/amanda /etc/amanda /run/back
chmod 666 "$tape" "$changer_sg" "${sg[1]}"
amanda() { # program argument...
  (cd /run/amanda && PATH=$PATH:/usr/sbin timeout 200 setpriv --reuid=backup --regid=backup --groups=backup,disk,tape "$@")
}
cat >/etc/amanda/test/amanda.conf <<END
org "test"
dumpuser "backup"
infofile "/run/amanda/info"
logdir "/run/amanda/log"
indexdir "/run/amanda/index"
tapelist "/run/amanda/tapelist"
define changer robot {
  tpchanger "chg-robot:$changer_sg"
  property "tape-device" "0=tape:$tape"
  property "use-slots" "1-3"
  property "load-poll" "0s poll 1s until 30s"
  changerfile "/run/amanda/changer"
}
tpchanger "robot"
define tapetype SMALL {
  length 120 mbytes
  filemark 0 kbytes
  part-size 10 mbytes
  part-cache-type memory
}
tapetype SMALL
labelstr "^TEST-[0-9]+\$"
autolabel "TEST-%" any
dumpcycle 0
runspercycle 1
tapecycle 3
runtapes 3
define dumptype plain {
  program "GNUTAR"
  auth "local"
  compress none
  index yes
  estimate client
}
END
echo 'guest /run/data/dir plain' >/etc/amanda/test/disklist
: >/run/amanda/tapelist
chown -R backup:backup /etc/amanda /run/amanda

must "amanda.conf is right" amanda amgetconf test dumpuser
# ---- how large is a tape?
must "load slot 4" mtx -f "$changer_sg" load 4 0
# (it looks for compression by writing for a minute, and fails where the tape ends before: a second here)
sed -i 's/\(compression_check_time = \)60/\11/' /usr/sbin/amtapetype
start=$EPOCHREALTIME
must "amtapetype" amanda amtapetype test -f -o tapedev="tape:$tape" -t SMALL "tape:$tape"
note "amtapetype: $((${EPOCHREALTIME%.*} - ${start%.*})) s"
[[ $output =~ length\ ([0-9]+)\ kbytes ]]
size=${BASH_REMATCH[1]:-0}
if [ "$size" -gt 225000 ] && [ "$size" -le 262144 ]; then pass "it finds the size"; else fail "it finds the size" "$output"; fi
says "it finds early warning" 'LEOM'
must "unload" bash -c "mt -f $tape rewind; mtx -f $changer_sg unload 4 0"

# ---- the changer
must "amtape inventory" amanda amtape test inventory
says "barcodes" 'slot 1:.*barcode VTL001L8'
check "amtape slot 2" amanda amtape test slot 2
check "amtape eject or reset" amanda amtape test reset

# ---- 150 MB onto tapes of 120
head -c 140000001 /dev/urandom >/run/data/dir/noise
yes 'the quick brown fox' | head -c 10000000 >/run/data/dir/text
must "amdump" amanda amdump test
check "amtoc or amadmin find" amanda amadmin test find
says "it went onto the first tape" 'TEST-1'
says "and onto the second" 'TEST-2'
check "amcheckdump reads both" amanda amcheckdump test
check "amfetchdump" bash -c "cd /run/back && PATH=\$PATH:/usr/sbin timeout 200 setpriv --reuid=backup --regid=backup \
  --groups=backup,disk,tape amfetchdump -a -l -p test guest /run/data/dir 2>/run/amanda/fetch | tar -x -C /run/back"
check "every byte comes back" diff -r /run/data/dir /run/back

# ---- a person looks for a file in the index, and has it back from the tapes
rm -rf /run/back/*
printf '%s\n' 'sethost guest' 'setdisk /run/data/dir' 'add text' 'lcd /run/back' 'setdevice robot' extract Y Y quit >/run/recover
recover() { # amrecover wants to be root, and answers
  (cd /run/back && PATH=$PATH:/usr/sbin timeout 200 amrecover test -s guest -t guest -o auth=local </run/recover)
}
check "amrecover" recover
says "the index knows the file" 'Added file /text'
says "and its tapes" 'TEST-1 TEST-2'
check "it is as it was" cmp /run/data/dir/text /run/back/text
[ $failed = 0 ] || note "$(cat /run/amanda/log/oldlog/log* /run/amanda/log/log.2* /run/amanda/fetch)"
summary
