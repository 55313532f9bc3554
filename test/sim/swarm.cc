#include "test/sim/swarm.h"

#include <fmt/format.h>

#include <algorithm>

namespace sim {

Swarm make_swarm(Random& random, std::uint64_t seed) {
  Swarm s;
  s.harsh = seed % 4 == 3;
  s.cutting = seed % 4 == 1;
  s.chap = seed % 4 == 2;
  const auto half = [&] { return random.chance(500); };
  // Now and then a world without any fault: what fails there fails for everyone.
  if (!random.chance(100)) {
    for (bool* fault : {&s.fail_reads, &s.fail_writes, &s.fail_syncs, &s.fail_names, &s.no_space})
      *fault = random.chance(300);
    for (bool* fault : {&s.slow, &s.power_cuts, &s.kills, &s.cuts, &s.half_open, &s.delays})
      *fault = random.chance(400);
  }
  for (bool* choice : {&s.tiny_pieces, &s.task_management, &s.digests, &s.initial_r2t, &s.erase,
                       &s.overwrite, &s.compression, &s.small_queue, &s.fixed_blocks, &s.reserve,
                       &s.prevent, &s.exchange, &s.intruders, &s.claims})
    *choice = half();
  s.immediate_data = random.chance(700);
  s.drives = 1 + static_cast<unsigned>(random.below(3));
  s.cartridges = s.drives + static_cast<unsigned>(random.below(3));
  s.depth = 1 + static_cast<unsigned>(half() ? 0 : random.below(4));
  s.steps = 1000 + static_cast<unsigned>(random.below(4000));
  constexpr std::uint32_t kLargest[] = {600, 5000, 70'000, 300'000};
  s.largest_record = kLargest[random.below(4)];
  constexpr std::uint32_t kSegmentObjects[] = {3, 10, 40, 1u << 20};
  s.segment_objects = kSegmentObjects[random.below(4)];
  // A reset by one host leaves another's commands without an answer, and it would wait for ever.
  if (s.task_management) s.intruders = false;
  if (!s.cutting) return s;
  for (bool* other : {&s.fail_reads, &s.fail_writes, &s.fail_syncs, &s.fail_names, &s.no_space,
                      &s.slow, &s.half_open, &s.delays})
    *other = false;
  s.power_cuts = s.overwrite = true;
  s.largest_record = std::min(s.largest_record, 5000u);
  return s;
}

std::string Swarm::text() const {
  std::string out = fmt::format(
      "{} drives, {} cartridges, depth {}, records to {}, segments to {} objects:", drives,
      cartridges, depth, largest_record, segment_objects);
  const auto add = [&](bool on, const char* name) {
    if (on) out += std::string(" ") + name;
  };
  add(harsh, "harsh");
  add(cutting, "cutting");
  add(fail_reads, "fail-reads");
  add(fail_writes, "fail-writes");
  add(fail_syncs, "fail-syncs");
  add(fail_names, "fail-names");
  add(no_space, "no-space");
  add(slow, "slow");
  add(power_cuts, "power-cuts");
  add(kills, "kills");
  add(cuts, "cuts");
  add(half_open, "half-open");
  add(delays, "delays");
  add(tiny_pieces, "tiny-pieces");
  add(task_management, "task-management");
  add(digests, "digests");
  add(initial_r2t, "initial-r2t");
  add(immediate_data, "immediate-data");
  add(erase, "erase");
  add(overwrite, "overwrite");
  add(compression, "compression");
  add(small_queue, "small-queue");
  add(fixed_blocks, "fixed-blocks");
  add(reserve, "reserve");
  add(prevent, "prevent");
  add(exchange, "exchange");
  add(intruders, "intruders");
  add(claims, "claims");
  add(chap, "chap");
  return out;
}

void Counts::add(const Counts& o) {
  worlds += o.worlds;
  commands += o.commands;
  records_verified += o.records_verified;
  barriers += o.barriers;
  moves += o.moves;
  connections += o.connections;
  cuts += o.cuts;
  crashes += o.crashes;
  faults += o.faults;
  write_faults += o.write_faults;
  write_faults_told += o.write_faults_told;
  stalls += o.stalls;
  managements += o.managements;
  claims += o.claims;
  chap_logins += o.chap_logins;
  logins_refused += o.logins_refused;
  discoveries += o.discoveries;
  steps += o.steps;
  given_up += o.given_up;
}

std::string Counts::text() const {
  return fmt::format(
      "{} seeds: {} commands, {} records read and right, {} barriers, {} moves; {} crashes, {} "
      "disk faults, {} write errors told (and {} as deferred errors), {} stalls, {} connections "
      "({} cut), {} logins with CHAP, {} refused, {} discoveries, {} task managements, {} claims; "
      "{} steps; "
      "{} given up for too many possibilities",
      worlds, commands, records_verified, barriers, moves, crashes, faults, write_faults,
      write_faults_told, stalls, connections, cuts, chap_logins, logins_refused, discoveries,
      managements, claims, steps, given_up);
}

}  // namespace sim
