#!/usr/bin/env bash
# The short list of .clang-tidy over the product's own sources, with the release build's flags.
# usage: test/layering/tidy.sh BUILD_DIR [FILE...]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1; shift
command -v clang-tidy >/dev/null || { echo "tidy: clang-tidy is missing (apt-get install clang-tidy)" >&2; exit 1; }
[ -f "$build/compile_commands.json" ] || { echo "tidy: no $build/compile_commands.json (cmake --preset release)" >&2; exit 1; }
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(git ls-files 'scsi/*.cc' 'auth/*.cc' 'transport/*.cc' 'vtl/*.cc')
printf '%s\0' "${files[@]}" | xargs -0 -n 4 -P "$(nproc)" clang-tidy -p "$build" --quiet 2>/dev/null
echo "tidy: ${#files[@]} sources are clean"
