# Bacula: two backups onto two tapes by its own mtx-changer, with barcodes as labels, and both restored and compared.
# limit: 420
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --slots 8 --ie-slots 2 --cartridges 4
must "a network within the guest" private_network
must "login" login changer 1 2
must "Bacula's storage daemon: configuration" bacula_sd

mkdir -p /run/data/one /run/data/two
head -c 30000001 /dev/urandom >/run/data/one/noise
cp -r /etc /run/data/one/
yes 'the quick brown fox' | head -c 20000000 >/run/data/two/text
head -c 15000000 /dev/urandom >/run/data/two/noise

job() { # name directory pool
  printf 'FileSet { Name = %s; Include { Options { signature = SHA1 }; File = /run/data/%s } }
    Pool { Name = %s; Pool Type = Backup }
    Job { Name = %s; Type = Backup; Level = Full; Client = fd; FileSet = %s; Storage = robot; Pool = %s; Messages = std }\n' \
    "$1" "$1" "$2" "$1" "$1" "$2"
}
{
  printf 'Director { Name = dir; DIRport = 9101; DirAddress = 10.9.9.9; QueryFile = /etc/bacula/scripts/query.sql
    WorkingDirectory = /run/bacula; PidDirectory = /run/bacula; Password = secret; Messages = std }
    Catalog { Name = catalog; dbname = bacula; dbuser = ""; dbpassword = "" }
    Client { Name = fd; Address = 10.9.9.9; FDPort = 9102; Catalog = catalog; Password = secret }
    Autochanger { Name = robot; Address = 10.9.9.9; SDPort = 9103; Password = secret; Device = robot; Media Type = LTO
      Autochanger = robot; Maximum Concurrent Jobs = 2 }
    Messages { Name = std; catalog = all; append = /run/bacula/log = all; console = all }\n'
  job one First
  job two Second
  printf 'Job { Name = restore; Type = Restore; Client = fd; FileSet = one; Storage = robot; Pool = First; Messages = std
    Where = /run/back }\n'
} >/run/bacula/dir.conf
printf 'FileDaemon { Name = fd; FDport = 9102; FDAddress = 10.9.9.9; WorkingDirectory = /run/bacula; PidDirectory = /run/bacula }
  Director { Name = dir; Password = secret }\nMessages { Name = std; director = dir = all }\n' >/run/bacula/fd.conf
printf 'Director { Name = dir; DIRport = 9101; address = 10.9.9.9; Password = secret }\n' >/run/bacula/console.conf
must "its catalog" bash -c \
  'sqlite3 /run/bacula/bacula.db </usr/share/dbconfig-common/data/bacula-director-sqlite3/install/sqlite3'

must "bacula-dir takes its configuration" bacula-dir -t -c /run/bacula/dir.conf
must "bacula-sd" bacula-sd -c /run/bacula/sd.conf
must "bacula-fd" bacula-fd -c /run/bacula/fd.conf
must "bacula-dir" bacula-dir -c /run/bacula/dir.conf
console() { # command line... ; its output in $output
  printf '%s\n' "$@" | timeout 60 bconsole -c /run/bacula/console.conf >/run/console 2>&1
  output=$(</run/console)
}
must "bacula-dir answers" within 30 bash -c 'echo quit | bconsole -c /run/bacula/console.conf'

# ---- the changer, as the storage daemon sees it
console "status slots storage=robot drive=0" quit
says "Bacula sees slot 1 and its barcode" '1[ |*]+VTL001L8'
console "label storage=robot pool=First slots=1 drive=0 barcodes yes" yes quit
says "the first tape is labelled by its barcode" 'VTL001L8.*successfully created'
console "label storage=robot pool=Second slots=2 drive=0 barcodes yes" yes quit
says "the second tape, too" 'VTL002L8.*successfully created'

[ $failed = 0 ] || exit 1 # the jobs would wait for tapes

# ---- two jobs, two tapes; then what they wrote, read again
console "run job=one yes" "run job=two yes" wait messages "list jobs" quit
says "the first backup" 'one +\| [^|]+\| B +\| F +\|[^|]+\|[^|]+\| T '
says "the second backup" 'two +\| [^|]+\| B +\| F +\|[^|]+\|[^|]+\| T '
console "list media" quit
says "the first is on the first tape" 'VTL001L8 +\| Append +\| 1 +\| [3-9][0-9]{7} '
says "the second on the second" 'VTL002L8 +\| Append +\| 1 +\| [3-9][0-9]{7} '
for id in 1 2; do
  console "restore jobid=$id where=/run/back restorejob=restore all done yes" wait messages quit
  says "restore of job $id" 'Restore OK'
done
check "the first comes back, every byte" diff -r --no-dereference /run/data/one /run/back/run/data/one
check "and the second" diff -r --no-dereference /run/data/two /run/back/run/data/two

# ---- let go
console "release storage=robot drive=0" "unmount storage=robot drive=0" "unmount storage=robot drive=1" quit
same "Bacula's log has no complaint" '' "$(grep -E 'Error:|Fatal|Alert:|Warning:|[Ii]ntervention' /run/bacula/log)"
logout
summary
