#!/usr/bin/env bash
# The README's first command, as a new user types it: on an empty directory, and again on what it left, where by then
# a tape holds data that nobody may lose.
set -euo pipefail
cd "$(dirname "$0")/.."
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
export VTL_DATA=$home/vtl-data VTL_LISTEN=127.0.0.1:13263
examples/quickstart.sh --demo
cp "$VTL_DATA/vtl.yaml" "$home/before"

vtl=build/release/bin/vtl
first=VTL001L8
"$vtl" cartridge delete "$first"
"$vtl" cartridge import "$first" README.md --format raw
[ "$("$vtl" library show | awk '$1 == "slot-1" { print $3 }')" = "$first" ]
examples/quickstart.sh --demo
cmp "$home/before" "$VTL_DATA/vtl.yaml"
"$vtl" cartridge export "$first" "$home/README.md" --format raw
cmp README.md "$home/README.md"
# What the demo wrote is gone from the tape; the trash is emptied soon, or by the next start.
[ "$(du -sm "$VTL_DATA/pool/carts" | cut -f1)" -lt 300 ]
