#!/usr/bin/env bash
# Every source is formatted as .clang-format says. `test/layering/format.sh --fix` formats them.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v clang-format >/dev/null || { echo "format: clang-format is missing (apt-get install clang-format)" >&2; exit 1; }
mode=(--dry-run --Werror)
[ "${1:-}" = --fix ] && mode=(-i)
git ls-files -z --cached --others --exclude-standard '*.h' '*.cc' | xargs -0 -r clang-format "${mode[@]}"
