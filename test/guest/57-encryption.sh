# Tape encryption by stenc, as an operator uses it: on, off, mixed, the wrong key, key descriptions, raw reading; and
# what the disk holds meanwhile. Logical block protection, which no tool in Debian sets, by sg_raw.
# limit: 240
# shellcheck source=lib.sh
. /vtl/lib.sh
serve --cartridges 20
must "login" login changer 1
must "load slot 1 into drive 0" mtx -f "$changer_sg" load 1 0
tape=${nst[1]} raw=${sg[1]}
size=65536

# Key files of stenc: the key in hexadecimal, then what is to be recorded with the blocks.
printf '%064d\nSeptember tapes\n' 1 >/run/key
printf '%064d\nanother\n' 2 >/run/wrong
keys() { # what stenc's arguments...
  local what=$1
  shift
  check "$what" stenc -f "$tape" -a 1 "$@"
}
again() { mt -f "$tape" rewind; }
status() { # what TEXT: of `stenc --detail`
  check "$1" stenc -f "$tape" --detail
  says "$1: $2" "$2"
}

# ---- on
status "stenc shows a drive without encryption" 'Drive Encryption: +off'
keys "on" -e on -k /run/key
status "stenc shows it" 'Drive Encryption: +on'
says "and the drive's key" 'September tapes'
check "write 20 records" device write "$tape" 1 20 $size
again
check "read with the key" device read "$tape" 1 0 $size
same "all of it" "20 read" "$output"
again
status "the volume is encrypted" 'Encrypted and able to decrypt'

# ---- off, the wrong key
keys "off" -e off
again
status "the volume cannot be read" 'unable to decrypt'
says "but says by which key it can" 'September tapes'
refused "reading without a key" 'E(IO|ACCES)' device read "$tape" 1 1 $size
check "READ POSITION" sg_raw -r 20 -o /run/position "$raw" 34 00 00 00 00 00 00 00 00 00
same "the tape has not moved" " 00 00 00 00" "$(od -An -tx1 -j 4 -N 4 /run/position)"
again
refused "READ, past st" 'Data Protect' sg_raw -r 512 "$raw" 08 02 00 02 00 00
says "its sense: unable to decrypt" 'Unable to decrypt data'
keys "the wrong key" -e mixed -k /run/wrong
again
refused "READ with the wrong key" 'Data Protect' sg_raw -r 512 "$raw" 08 02 00 02 00 00
says "its sense: incorrect key" 'Incorrect data encryption key'

# ---- mixed: what is not encrypted reads, too; on: it does not
keys "off, to append in clear" -e off
check "to the end" mt -f "$tape" eod
check "write 5 records in clear" device write "$tape" 2 5 $size
keys "mixed" -e mixed -k /run/key
again
check "read what is encrypted" device read "$tape" 1 0 $size
same "all of it" "20 read" "$output"
check "read what is not" device read "$tape" 2 0 $size
same "all of it" "5 read" "$output"
keys "on" -e on -k /run/key
check "to the second file" bash -c "mt -f $tape rewind && mt -f $tape fsf 1"
refused "READ of a clear block" 'Data Protect' sg_raw -r 512 "$raw" 08 02 00 02 00 00
says "its sense: unencrypted" 'Unencrypted data encountered while decrypting'

# ---- raw reading
again
refused "raw reading of blocks that were not allowed it" 'Data Protect' bash -c \
  "stenc -f $tape -a 1 -e rawread -k /run/key >/dev/null && sg_raw -r 512 $raw 08 02 00 02 00 00"
says "its sense: not raw read enabled" 'not raw read enabled'
check "to the end" mt -f "$tape" eod
keys "on, and raw reading allowed" -e on -k /run/key --unprotect
check "write a record" device write "$tape" 3 1 32768
keys "rawread" -e rawread -k /run/key
check "to that record" bash -c "mt -f $tape rewind && mt -f $tape fsf 2"
check "raw READ" sg_raw -r 65536 -o /run/raw "$raw" 08 02 01 00 00 00
same "it begins as raw blocks do" VTRX "$(head -c 4 /run/raw)"

# ---- --ckod: the key goes with the cartridge
keys "on, until the cartridge is unloaded" -e on -k /run/key --ckod
must "unload" mtx -f "$changer_sg" unload 1 0
must "load it again" mtx -f "$changer_sg" load 1 0
within 20 sg_turs "$raw" >/dev/null
again
refused "the key has gone" 'E(IO|ACCES)' device read "$tape" 1 1 $size
keys "the key again" -e on -k /run/key
again
check "and it reads" device read "$tape" 1 0 $size

# ---- logical block protection (sg_raw): mode page 0Ah/F0h, CRC32C
keys "off" -e off
check "to the end" mt -f "$tape" eod
printf '\0\0\0\x10\0\0\0\0\x4a\xf0\0\x1c\x02\x04\xc0' >/run/lbp
truncate -s 40 /run/lbp
check "VPD page B5h" sg_vpd --page=0xb5 "$raw"
says "it offers both methods" 'method: 2|[Mm]ethod.*2'
check "protection on" sg_raw -s 40 -i /run/lbp "$raw" 55 10 00 00 00 00 00 00 28 00
printf '123456789\x83\x92\x06\xe3' >/run/right # CRC32C E3069283h, its last byte first
printf '123456789\xe3\x06\x92\x83' >/run/false
check "WRITE with the right check value" sg_raw -s 13 -i /run/right "$raw" 0a 00 00 00 0d 00
refused "WRITE with a wrong one" 'Hardware Error' sg_raw -s 13 -i /run/false "$raw" 0a 00 00 00 0d 00
says "its sense: guard check failed" 'guard check failed'
check "a filemark" sg_raw "$raw" 10 00 00 00 01 00
check "back over it, and over the record" bash -c \
  "sg_raw $raw 11 01 ff ff ff 00; sg_raw $raw 11 00 ff ff ff 00"
check "READ with protection" sg_raw -r 13 -o /run/back "$raw" 08 00 00 00 0d 00
check "what was written comes back, and its check value" cmp /run/right /run/back
printf '\0\0\0\x10\0\0\0\0\x4a\xf0\0\x1c' >/run/lbp
truncate -s 40 /run/lbp
check "protection off" sg_raw -s 40 -i /run/lbp "$raw" 55 10 00 00 00 00 00 00 28 00

# ---- and on the disk
must "unload" mtx -f "$changer_sg" unload 1 0
check "vtl cartridge verify needs no key" host vtl cartridge verify VTL001L8
logout
summary
