#include "test/sim/sweep.h"

#include <cstdio>

#include "test/sim/world.h"

namespace sim {

namespace {

constexpr std::uint64_t kSeed = 1;

// Loads, writes, overwrites, reads, erases, unloads and moves, and no fault but the one.
Swarm story() {
  Swarm swarm;
  swarm.drives = 1;
  swarm.cartridges = 2;
  swarm.depth = 2;
  swarm.steps = 1500;
  swarm.largest_record = 70'000;
  swarm.erase = swarm.overwrite = swarm.claims = true;
  return swarm;
}

struct Kind {
  OneFault::Kind kind;
  const char* name;
};
constexpr Kind kKinds[] = {{OneFault::Kind::kEio, "eio"},
                           {OneFault::Kind::kNoSpace, "no-space"},
                           {OneFault::Kind::kPowerCut, "power-cut"},
                           {OneFault::Kind::kKill, "kill"}};

}  // namespace

void sweep(const SweepOptions& options, void (*at)(const char* kind, std::uint64_t operation)) {
  World calm(kSeed, false, story(), std::nullopt);
  calm.run();
  const std::uint64_t operations = calm.file_operations();
  const Counts& what = calm.counts();
  std::printf("the story: %lu operations on files; %lu commands, %lu barriers, %lu moves\n",
              operations, what.commands, what.barriers, what.moves);
  check(what.moves >= 4 && what.barriers >= 4, "the story has become too short to prove anything");
  std::uint64_t first = 0;
  for (const Kind& kind : kKinds) {
    if (!options.kind.empty() && options.kind != kind.name) continue;
    Counts sum;
    std::uint64_t n = options.kind.empty() ? first++ % options.stride : options.operation;
    for (; n < operations; n += options.stride) {
      at(kind.name, n);
      World world(kSeed, !options.kind.empty(), story(), OneFault{n, kind.kind});
      world.run();
      check(world.counts().faults == 1, "the operation that was to fail did not come");
      sum.add(world.counts());
      if (!options.kind.empty()) break;
    }
    std::printf("%-9s at %lu of %lu operations: %lu commands, %lu write errors told, %lu crashes\n",
                kind.name, sum.faults, operations, sum.commands, sum.write_faults_told,
                sum.crashes);
  }
}

}  // namespace sim
