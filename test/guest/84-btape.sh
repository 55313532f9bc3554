# Bacula's btape on a drive and its changer: its `test` - append, positions, bsr, autochanger - and its `fill`, to the
# end of a small cartridge and back.
# limit: 420
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --slots 8 --ie-slots 2 --cartridges 3 --capacity 2GiB
must "a small cartridge, in slot 4" host vtl cartridge create SML101L8 --capacity 448MiB
must "login" login changer 1
must "Bacula's configuration" bacula_sd

# It asks, and reads the answers from a pipe as they are wanted.
btape() { # what answer...
  local what=$1 start=$SECONDS
  shift
  printf '%s\n' "$@" | timeout 200 /usr/sbin/btape -c /run/bacula/sd.conf "${nst[1]}" >/run/btape 2>&1
  output=$(</run/btape)
  note "$what: $((SECONDS - start)) s"
}

# ---- test. It has the changer unload the drive and load slot 1, where the tape is
must "load slot 1" mtx -f "$changer_sg" load 1 0
btape "btape test" test y quit
says "blocks written and read, and positions" 'Write, rewind, and re-read test'
says "which are found again" 'Block position test'
says "appending" 'Append files test'
says "to the right file" 'in file 4. I am at file 4. This is correct!'
same "what it finds there is what it says to expect" "$(sed -n '/^=== Sample/,/^=== End/p' /run/btape | sed '1d;$d')" \
  "$(sed -n '/^Doing Bacula scan/,/^Total files/p' /run/btape | sed 1d)"
says "the last block, backwards" 'Block re-read correct. Test succeeded!'
says "forward space" 'in file 5. I am at file 5. This is correct!'
says "autochanger" 'The test autochanger worked!!'
same "everything that it checks is right" '' "$(grep -E 'NOT correct|ERR|Error|failed' /run/btape)"

# ---- fill, of the small cartridge: it takes what is in slot 1
must "put the small one there" bash -c "mtx -f $changer_sg unload 5 0 && mtx -f $changer_sg transfer 4 1 && mtx -f $changer_sg load 1 0"
btape "btape fill" fill s quit
says "it meets the end of the tape" 'End of Volume "TestVolume1" at [0-9]+:[0-9]+ on device'
says "and reads the last block at once" 'Re-read of last block succeeded'
says "and again after a rewind" 'The last block on the tape matches. Test succeeded'
[ $failed = 0 ] || note "$output"
logout
summary
