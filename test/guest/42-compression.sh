# st with compression and without: how much of the tape the same data takes, by the drive's log pages; and that mt's
# switch holds for the drive, as it says, and not for what was written before.
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --cartridges 4 --capacity 1GiB
must "login" login changer 1
must "load slot 1 into drive 0" mtx -f "$changer_sg" load 1 0
tape=${nst[1]} drive=${sg[1]}
tape() { mt -f "$tape" "$@"; }
# the megabytes used of the tape (page 17h), what the last reads and writes were compressed to (page 1Bh)
used() {
  check "volume statistics" sg_logs -p 0x17 "$drive"
  [[ $output =~ Total\ used\ native\ capacity\ \[MB\]:\ ([0-9]+) ]]
  used=${BASH_REMATCH[1]:-none}
}
ratio() { # Write or Read
  check "compression statistics" sg_logs -p 0x1b "$drive"
  [[ $output =~ $1\ compression\ ratio\ x100:\ ([0-9]+) ]]
  ratio=${BASH_REMATCH[1]:-0}
}
text() { yes 'the quick brown fox jumps over the lazy dog' | head -c 41943040; } # 160 records of 256 KiB
store() { text | dd of="$tape" bs=262144 iflag=fullblock; }

check "tapeinfo" tapeinfo -f "$drive"
says "compression is on as it comes" 'DataCompEnabled: yes'
check "40 MB of text, compressed" store
used
if [ "$used" -lt 10 ]; then pass "they take little of the tape"; else fail "they take little of the tape" "$used MB"; fi
ratio Write
if [ "$ratio" -gt 400 ]; then pass "the drive tells its ratio"; else fail "the drive tells its ratio" "$ratio"; fi

check "mt compression 0" tape compression 0
check "tapeinfo" tapeinfo -f "$drive"
says "compression is off" 'DataCompEnabled: no'
before=$used
check "the same, not compressed" store
used
if [ $((used - before)) -ge 41 ]; then pass "they take what they are"; else fail "they take what they are" "$used MB, $before before"; fi

# reading depends on how it was written, not on the switch
check "rewind" tape rewind
check "the first file comes back" bash -c "dd if=$tape bs=262144 | sha256sum"
first=$(grep -o '^[0-9a-f]\{64\}' <<<"$output")
check "the second file comes back" bash -c "dd if=$tape bs=262144 | sha256sum"
second=$(grep -o '^[0-9a-f]\{64\}' <<<"$output")
sum=$(text | sha256sum)
same "as it was written" "${sum%% *}" "$first"
same "both" "${sum%% *}" "$second"

check "mt compression 1" tape compression 1
check "tapeinfo" tapeinfo -f "$drive"
says "compression is on again" 'DataCompEnabled: yes'
check "rewind" tape rewind
check "what does not compress, compressed" bash -c "head -c 20971520 /dev/urandom | dd of=$tape bs=262144 iflag=fullblock"
used
if [ "$used" -ge 20 ] && [ "$used" -le 22 ]; then pass "takes what it is, no more"; else fail "takes what it is, no more" "$used MB"; fi
logout
summary
