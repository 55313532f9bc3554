#!/usr/bin/env bash
# Installs what the tests need, builds, and runs all tests of the push lane; ends with ctest's summary.
#
#   test/run.sh              everything that a push must pass
#   test/run.sh --full       and the long runs: more kills, more seeds, every fault of the sweeps
#   test/run.sh -R PATTERN   only the tests whose names match (any further argument goes to ctest)
set -euo pipefail
cd "$(dirname "$0")/.."

# Another checkout of the same sources finds its objects in the cache.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

lane=push
if [ "${1:-}" = --full ]; then lane=full; shift; fi

examples/install-packages examples/packages test/packages

for preset in release asan tsan; do
  # A build directory of another lane keeps its objects; only the list of tests changes.
  cmake --preset "$preset" -DVTL_LANE="$lane" >/dev/null
done
cmake --build --preset release
cmake --build --preset release --target vtl_integration vtl_kill9 vtl_session_fuzz vtl_soak vtl_powercut vtl_stall \
  vtl_sim vtl_drive_oracle bench vtl_path
cmake --build --preset asan --target unit_tests fuzz_replay vtl_sim vtl_drive_oracle vtl
cmake --build --preset tsan --target vtl
if [ "$lane" = full ]; then
  cmake --preset fuzz >/dev/null
  cmake --build --preset fuzz --target fuzz_search
fi

exec ctest --test-dir build/release --output-on-failure --no-tests=error "$@"
