# SIGKILL to the daemon in the middle of writing; it starts again, and the tape holds what was acknowledged.
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --cartridges 20
discover >/dev/null
setting node.session.timeo.replacement_timeout 60
must "login" login changer 1 2
must "load slot 1 into drive 0" mtx -f "$changer_sg" load 1 0
must "load slot 2 into drive 1" mtx -f "$changer_sg" load 2 1
tape=${nst[1]}
size=65536
session=$(session_of 1)
state() { [ "$(<"$session/state")" = LOGGED_IN ]; }
online() { [ "$(position "$tape" | grep -o 'ONLINE.*')" = "ONLINE IM_REP_EN" ]; }

for round in 1 2; do
  must "round $round: rewind" within 20 mt -f "$tape" rewind
  must "round $round: write 100 records and a filemark" device write "$tape" 1 100 $size
  writing "$tape" $size
  must "round $round: kill -9 of the daemon" host kill
  pause 1
  must "round $round: it starts again" host start
  check "round $round: the session comes back by itself" within 60 state
  writer_told "round $round"
  # (no position yet: the unit attention of the new start went to the filemark that st tried at the writer's close)
  check "round $round: the cartridge is loaded" within 20 online
  check "round $round: rewind" within 20 mt -f "$tape" rewind
  check "round $round: the file that a filemark closed" device read "$tape" 1 0 $size
  same "round $round: is whole" "100 read" "$output"
  # what followed was buffered: a prefix of it, undamaged, and then the end of data
  reads_prefix "round $round" "$tape" $size 0
  check "round $round: and then the end of data, not an error of the medium" mt -f "$tape" eod
  check "round $round: a filemark there" mt -f "$tape" weof 1
  check "round $round: another file behind it" device write "$tape" 3 10 $size
  check "round $round: back to it" mt -f "$tape" asf 2
  check "round $round: it reads back" device read "$tape" 3 10 $size
done

# ---- killed while nobody works: st learns at its next open that the position is lost
must "position in file 1 of drive 0" bash -c "mt -f $tape rewind && mt -f $tape fsf 1"
must "kill -9 of the daemon" host kill
must "it starts again" host start
check "the session comes back" within 60 state
check "mt status" within 30 bash -c "mt -f $tape status | grep ONLINE"
same "the tape is at its beginning, and st knows" "file 0 block 0: BOT ONLINE IM_REP_EN" "$(position "$tape")"
check "mtx status" mtx -f "$changer_sg" status
says "drive 0 holds its cartridge" 'Data Transfer Element 0:Full \(Storage Element 1 Loaded\)'
says "drive 1 holds its cartridge" 'Data Transfer Element 1:Full \(Storage Element 2 Loaded\)'
must "a move after the crash" mtx -f "$changer_sg" unload 2 1

# ---- killed right behind a move: each cartridge is in one place
must "load slot 3 into drive 1" mtx -f "$changer_sg" load 3 1
must "kill -9 of the daemon" host kill
must "it starts again" host start
check "the changer comes back" within 60 sg_turs "$changer_sg"
check "mtx status" mtx -f "$changer_sg" status
says "the move that was answered is kept" 'Data Transfer Element 1:Full \(Storage Element 3 Loaded\)'
same "twenty cartridges, none lost, none twice" 20 "$(grep -oE 'VolumeTag *= *[A-Z0-9]+' <<<"$output" | sed 's/.*= *//' | sort -u | wc -l)"
same "and none in two places" 20 "$(grep -c 'VolumeTag *= *[A-Z0-9]' <<<"$output")"
check "unload" bash -c "mtx -f $changer_sg unload 1 0 && mtx -f $changer_sg unload 3 1"
check "vtl cartridge verify --all" host vtl cartridge verify --all
same "all good" 20 "$(grep -c ': all good$' <<<"$output")"
check "logout" logout
summary
