# 200 MB by tar onto two drives at once: several files on a tape, variable and fixed blocks, compared by hash.
# limit: 240
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --cartridges 20
must "login" login changer 1 2
must "load slot 1 into drive 0" mtx -f "$changer_sg" load 1 0
must "load slot 2 into drive 1" mtx -f "$changer_sg" load 2 1

# a part that compresses, a part that does not, many small files
mkdir -p /tmp/a /tmp/b
head -c 70000001 /dev/urandom >/tmp/a/noise
yes 'the quick brown fox jumps over the lazy dog' | head -c 30000007 >/tmp/a/text
head -c 60000003 /dev/urandom >/tmp/b/noise
head -c 39000000 /dev/zero >/tmp/b/zeros
mkdir /tmp/b/small
for n in {1..300}; do printf '%*d' "$n" "$n" >"/tmp/b/small/$n"; done
hashes() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }
hashes /tmp/a >/tmp/a.sum
hashes /tmp/b >/tmp/b.sum

both() { # what command: the command with 1 and with 2, at the same time
  local what=$1 first second
  "$2" 1 >/tmp/out1 2>&1 &
  first=$!
  "$2" 2 >/tmp/out2 2>&1 &
  second=$!
  if wait "$first"; then pass "$what, drive 0"; else fail "$what, drive 0" "$(</tmp/out1)"; fi
  if wait "$second"; then pass "$what, drive 1"; else fail "$what, drive 1" "$(</tmp/out2)"; fi
}
# drive 1: variable, 256 KiB records. drive 2: fixed, 64 KiB blocks, 256 KiB at a time. Two archives on each
mode() { if [ "$1" = 1 ]; then mt -f "${nst[1]}" setblk 0; else mt -f "${nst[2]}" setblk 65536; fi; }
write_both() {
  mode "$1" && tar -b 512 -cf "${nst[$1]}" -C /tmp a && tar -b 512 -cf "${nst[$1]}" -C /tmp b
}
read_first() {
  mt -f "${nst[$1]}" rewind && mkdir -p "/tmp/back$1" && tar -b 512 -xf "${nst[$1]}" -C "/tmp/back$1" &&
    hashes "/tmp/back$1/a" | diff - /tmp/a.sum && rm -rf "/tmp/back$1"
}
read_second() {
  mt -f "${nst[$1]}" rewind && mt -f "${nst[$1]}" fsf 1 && mkdir -p "/tmp/back$1" &&
    tar -b 512 -xf "${nst[$1]}" -C "/tmp/back$1" && hashes "/tmp/back$1/b" | diff - /tmp/b.sum && rm -rf "/tmp/back$1"
}
start=$EPOCHREALTIME
both "tar writes 200 MB as two files" write_both
note "both drives in $((${EPOCHREALTIME%.*} - ${start%.*})) s"
same "two files on drive 0" "file 2 block 0" "$(position "${nst[1]}" | sed 's/:.*//')"
same "two files on drive 1" "file 2 block 0" "$(position "${nst[2]}" | sed 's/:.*//')"
both "the second archive comes back" read_second
both "the first archive comes back" read_first
check "a tape written in fixed mode reads in variable mode" bash -c "mt -f ${nst[2]} setblk 0 && mt -f ${nst[2]} rewind &&
  tar -b 128 -tf ${nst[2]} | grep -c ^a/"

# the other drive reads it too
check "swap the cartridges" bash -c "mtx -f $changer_sg unload 1 0 && mtx -f $changer_sg unload 2 1 && mtx -f $changer_sg load 1 1"
check "compare in the other drive, tar --diff" bash -c "mt -f ${nst[2]} setblk 0 && tar -b 512 -df ${nst[2]} -C /tmp"
logout
summary
