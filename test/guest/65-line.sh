# The line between initiator and target breaks in the middle of writing: silently, and by a closed connection.
# The initiator finds its way back by itself; what it wrote and was told is safe is on the tape.
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --cartridges 20
discover >/dev/null
# in seconds: how long the initiator keeps commands waiting for a lost session, and how it finds out
setting node.session.timeo.replacement_timeout 30
setting 'node.conn[0].timeo.noop_out_interval' 2
setting 'node.conn[0].timeo.noop_out_timeout' 3
must "login" login changer 1
must "load slot 1 into drive 0" mtx -f "$changer_sg" load 1 0
tape=${nst[1]}
tape() { mt -f "$tape" "$@"; }
size=65536
session=$(session_of 1)
state() { [ "$(<"$session/state")" = "$1" ]; }

pull() { ip neigh replace 127.0.0.1 lladdr 02:00:00:00:00:99 dev vec0 nud permanent; } # packets to nobody
plug() { ip neigh replace 127.0.0.1 lladdr "$HOST_MAC" dev vec0 nud permanent; }
cut() { device cut "$PORT"; }

noticed() { ! state LOGGED_IN; }

# what: writes a first file, breaks the line by BREAK in the second; mends it by MEND, if any, when the initiator
# has noticed
broken() { # what break [mend]
  local what=$1
  must "$what: rewind" within 20 mt -f "$tape" rewind
  must "$what: write a first file" device write "$tape" 1 50 $size
  writing "$tape" $size
  check "$what: the line breaks" "$2"
  if [ -n "${3:-}" ]; then
    check "$what: the initiator notices" within 60 noticed
    check "$what: the line is mended" "$3"
  fi
  check "$what: the session comes back" within 40 state LOGGED_IN
  # a connection that is closed between two commands loses none, and the writer goes on: then once more
  if [ "$2" = cut ]; then
    for _ in {1..10}; do
      within 3 bash -c "! kill -0 $writer 2>/dev/null" >/dev/null && break
      cut >/dev/null
      within 40 state LOGGED_IN
    done
  fi
  writer_told "$what"
  check "$what: rewind" within 20 mt -f "$tape" rewind
  check "$what: the first file, closed by a filemark" device read "$tape" 1 0 $size
  same "$what: all of it" "50 read" "$output"
  reads_prefix "$what" "$tape" $size "$written"
  check "$what: writing goes on behind the first file" bash -c "mt -f $tape asf 1 && device write $tape 3 20 $size &&
    mt -f $tape asf 1 && device read $tape 3 20 $size"
}

broken "a pulled cable" pull plug
broken "a closed connection" cut
# a short break is not seen by the program at all: TCP repairs it
must "rewind" tape rewind
device write "$tape" 4 600 $size /run/short >/tmp/writer 2>&1 &
writer=$!
check "writing" within 60 test -e /run/short
pull
pause 1
plug
if wait $writer; then pass "a break of one second: the writer does not notice"; else fail "a break of one second: the writer does not notice" "$(</tmp/writer)"; fi
check "rewind" tape rewind
check "all 600 records are there" device read "$tape" 4 600 $size

# ---- the line breaks while nobody works: what the sessions held is free
must "lock" tape lock
check "every connection is closed" cut
check "the sessions come back" within 40 state LOGGED_IN
check "the cartridge is free to go" within 40 mtx -f "$changer_sg" unload 1 0
must "load slot 1 again" mtx -f "$changer_sg" load 1 0
must "rewind" tape rewind
must "a record, a filemark, another record" bash -c "device write $tape 5 1 $size && device write $tape 6 1 $size"

# ---- while the line is down somebody changes the cartridge: the host must learn of it before it writes on
must "fsf" bash -c "mt -f $tape rewind && mt -f $tape fsf 1"
check "every connection is closed" cut
pull
check "the operator takes the cartridge out" host vtl library move drive-1 slot-1
check "and puts another one in" host vtl library move slot-2 drive-1
plug
check "the session comes back" within 60 state LOGGED_IN
same "st knows that the tape is another" "file 0 block 0: BOT ONLINE IM_REP_EN" "$(position "$tape")"
check "logout" logout
summary
