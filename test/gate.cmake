# What test/run.sh runs. All of it is listed here, in the release build's ctest; sanitized programs come from the
# other presets' build directories.
set(asan ${CMAKE_SOURCE_DIR}/build/asan/bin)
set(tsan ${CMAKE_SOURCE_DIR}/build/tsan/bin)
set(release ${CMAKE_SOURCE_DIR}/build/release/bin)
set(test ${CMAKE_SOURCE_DIR}/test)

function(vtl_gate name)
  cmake_parse_arguments(arg "SERIAL" "TIMEOUT" "COMMAND;ENVIRONMENT" ${ARGN})
  add_test(NAME ${name} COMMAND ${arg_COMMAND} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} RUN_SERIAL ${arg_SERIAL}
                       ENVIRONMENT "${arg_ENVIRONMENT}")
endfunction()

vtl_gate(layering TIMEOUT 60 COMMAND ${test}/layering/check.py)
vtl_gate(format TIMEOUT 120 COMMAND ${test}/layering/format.sh)

get_property(units GLOBAL PROPERTY VTL_UNITS)
foreach(unit ${units})
  vtl_gate(${unit} TIMEOUT 1200 COMMAND ${asan}/${unit})
endforeach()
get_property(fuzzers GLOBAL PROPERTY VTL_FUZZERS)
foreach(fuzzer ${fuzzers})
  vtl_gate(${fuzzer} TIMEOUT 120 COMMAND ${asan}/${fuzzer}_replay ${test}/fuzz/corpus/${fuzzer})
endforeach()
vtl_gate(sim TIMEOUT 600 COMMAND ${release}/vtl_sim --seeds 1000)
vtl_gate(sim_sweep TIMEOUT 120 COMMAND ${release}/vtl_sim --sweep --stride 3)
vtl_gate(sim_asan TIMEOUT 600 COMMAND ${asan}/vtl_sim --seed 1001 --seeds 200)
vtl_gate(drive_oracle TIMEOUT 300 COMMAND ${release}/vtl_drive_oracle --seeds 110)
vtl_gate(drive_oracle_asan TIMEOUT 300 COMMAND ${asan}/vtl_drive_oracle --seed 1001 --seeds 10 --commands 5000)
vtl_gate(tidy SERIAL TIMEOUT 1200 COMMAND ${test}/layering/tidy.sh ${CMAKE_SOURCE_DIR}/build/release)

# What a block costs the server, in instructions.
vtl_gate(instructions TIMEOUT 120 COMMAND ${test}/bench/instructions)

# The README's first command, as a new user types it.
vtl_gate(quickstart SERIAL TIMEOUT 300 COMMAND ${test}/quickstart.sh)

# The real program: libiscsi against a daemon that ThreadSanitizer watches, kill -9, a Linux kernel. One at a time: they
# want the machine for themselves.
vtl_gate(integration SERIAL TIMEOUT 900 COMMAND ${release}/vtl_integration
         ENVIRONMENT "VTL_BINARY=${tsan}/vtl;TSAN_OPTIONS=halt_on_error=1 exitcode=66 second_deadlock_stack=1")
vtl_gate(tshark SERIAL TIMEOUT 600 COMMAND ${test}/integration/tshark-check ${release})
vtl_gate(kill9 SERIAL TIMEOUT 600 COMMAND ${release}/vtl_kill9 5)
vtl_gate(session_fuzz SERIAL TIMEOUT 200 COMMAND ${release}/vtl_session_fuzz 15 1
         ENVIRONMENT "VTL_BINARY=${asan}/vtl;ASAN_OPTIONS=quarantine_size_mb=64")
vtl_gate(soak SERIAL TIMEOUT 300 COMMAND ${release}/vtl_soak 20)
vtl_gate(powercut SERIAL TIMEOUT 120 COMMAND ${release}/vtl_powercut ext4 10)
vtl_gate(powercut_control SERIAL TIMEOUT 120 COMMAND ${release}/vtl_powercut ext4 5 sync)
vtl_gate(stall SERIAL TIMEOUT 180 COMMAND ${release}/vtl_stall ext4)
vtl_gate(confined SERIAL TIMEOUT 600 COMMAND ${test}/confined/run ${CMAKE_SOURCE_DIR}/build/release)
vtl_gate(guest SERIAL TIMEOUT 1800 COMMAND ${test}/guest/all)

# The long runs.
if(VTL_LANE STREQUAL full)
  vtl_gate(guest_long SERIAL TIMEOUT 1800
           COMMAND ${test}/guest/all ${test}/guest/66-cable.sh ${test}/guest/73-storm.sh
           ENVIRONMENT "VTL_LANE=full")
  vtl_gate(soak_long SERIAL TIMEOUT 4500 COMMAND ${release}/vtl_soak 3600)
  vtl_gate(kill9_long SERIAL TIMEOUT 3600 COMMAND ${release}/vtl_kill9 100)
  foreach(file_system ext4 xfs btrfs)
    vtl_gate(powercut_${file_system} SERIAL TIMEOUT 1800 COMMAND ${release}/vtl_powercut ${file_system} 100)
    foreach(control sync cut move)
      vtl_gate(powercut_${file_system}_${control} SERIAL TIMEOUT 300
               COMMAND ${release}/vtl_powercut ${file_system} 20 ${control})
    endforeach()
  endforeach()
  foreach(file_system xfs btrfs)
    vtl_gate(stall_${file_system} SERIAL TIMEOUT 180 COMMAND ${release}/vtl_stall ${file_system})
  endforeach()
  # 100 000 with those of the push.
  vtl_gate(sim_long TIMEOUT 7200 COMMAND ${release}/vtl_sim --seed 1201 --seeds 98800)
  vtl_gate(sim_sweep_long TIMEOUT 3600 COMMAND ${release}/vtl_sim --sweep)
  foreach(fuzzer ${fuzzers})
    vtl_gate(search_${fuzzer} TIMEOUT 900 COMMAND ${test}/fuzz/search ${fuzzer} 600)
  endforeach()
  vtl_gate(session_fuzz_long SERIAL TIMEOUT 1200 COMMAND ${release}/vtl_session_fuzz 600
           ENVIRONMENT "VTL_BINARY=${asan}/vtl;ASAN_OPTIONS=quarantine_size_mb=64")
  vtl_gate(cartridge_long TIMEOUT 7200 COMMAND ${asan}/unit_cartridge
           ENVIRONMENT "VTL_SWEEP=full;VTL_CRASH_ROUNDS=3000;VTL_DAMAGE_ROUNDS=3000")
endif()
