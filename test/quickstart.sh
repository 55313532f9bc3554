#!/usr/bin/env bash
# The README's first command, as a new user types it: on an empty directory, and again on what it left.
set -euo pipefail
cd "$(dirname "$0")/.."
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
export VTL_DATA=$home/vtl-data VTL_LISTEN=127.0.0.1:13263
examples/quickstart.sh --demo
cp "$VTL_DATA/vtl.yaml" "$home/before"
examples/quickstart.sh --demo
cmp "$home/before" "$VTL_DATA/vtl.yaml"
