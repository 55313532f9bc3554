# A cartridge filled to early warning and to its end, and an archive over two cartridges.
# shellcheck source=lib.sh
. /vtl/lib.sh
must "vtl init" host init --cartridges 20 --capacity 128MiB
# the records are words that repeat: a tape holds as much of them as it says only without
must "nothing is compressed" host config storage "  compression: none"
start
must "login" login changer 1
must "load slot 1 into drive 0" mtx -f "$changer_sg" load 1 0
tape=${nst[1]}
tape() { mt -f "$tape" "$@"; }
size=65536

# ---- early warning: st hands the drive's warning on as ENOSPC for the write after it
refused "writing 64 KiB records ends with ENOSPC" '^[0-9]+ written, ENOSPC$' device write "$tape" 1 0 $size
records=${output%% *}
note "$records records before early warning"
if [ "$records" -ge $((128 * 16 * 3 / 4)) ] && [ "$records" -le $((128 * 16)) ]; then
  pass "that is near the capacity"
else
  fail "that is near the capacity" "$records records of 64 KiB on 128 MiB"
fi
# closing wrote a filemark
at "the filemark is written" "$tape" 1 0 $((records + 1))
check "a trailer can be written behind early warning" bash -c "device write $tape 2 1 $size || device write $tape 2 1 $size"
check "and a filemark" tape weof 1
check "rewind" tape rewind
check "every record before early warning reads back" device read "$tape" 1 0 $size
same "as many as were written" "$records read" "$output"
check "the trailer reads back" device read "$tape" 2 1 $size

# ---- the end, behind early warning
must "rewind" tape rewind
must "erase" tape erase 0
check "writing on to the end: nothing but ENOSPC" device fill "$tape" 3 $size
note "$output"
[[ $output =~ ^([0-9]+)\ before\ early\ warning,\ ([0-9]+)\ in\ all$ ]]
all=${BASH_REMATCH[2]:-0}
same "early warning comes where it came before" "$records" "${BASH_REMATCH[1]:-0}"
if [ "$all" -gt $((records + 16)) ] && [ "$all" -le $((128 * 16 + 16)) ]; then
  pass "there is room behind early warning, and an end"
else
  fail "there is room behind early warning, and an end" "$all records"
fi
check "rewind" tape rewind
check "every record that was taken reads back" device read "$tape" 3 "$all" $size
check "overwriting from the beginning" bash -c "mt -f $tape rewind && device write $tape 4 10 $size"
check "frees the rest" bash -c "mt -f $tape eod && mt -f $tape tell"
says "ten records and a filemark" 'At block 11\.'
check "tapeinfo" tapeinfo -f "${sg[1]}"
says "the drive says that it cannot compress" 'DataCompCapable: no'

# ---- tar over two cartridges
must "unload" mtx -f "$changer_sg" unload 1 0
must "load slot 2" mtx -f "$changer_sg" load 2 0
mkdir /tmp/data
head -c 160000000 /dev/urandom >/tmp/data/big
sum=$(sha256sum </tmp/data/big)
cat >/tmp/next <<END
#!/bin/bash
mt -f $tape rewind && mtx -f $changer_sg unload 2 0 && mtx -f $changer_sg load 3 0 && echo \$TAR_VOLUME >>/tmp/volumes
END
cat >/tmp/first <<END
#!/bin/bash
mt -f $tape rewind && mtx -f $changer_sg unload 2 0 && mtx -f $changer_sg load 3 0
END
chmod +x /tmp/next /tmp/first
check "tar -M goes on to the next cartridge" tar -b 128 -cMF /tmp/next -f "$tape" -C /tmp data
same "once" 2 "$(</tmp/volumes)"
must "back to the first cartridge" bash -c "mt -f $tape rewind && mtx -f $changer_sg unload 3 0 && mtx -f $changer_sg load 2 0"
mkdir /tmp/back
check "tar -M reads both" tar -b 128 -xMF /tmp/first -f "$tape" -C /tmp/back
same "the same bytes" "$sum" "$(sha256sum </tmp/back/data/big)"
logout
summary
