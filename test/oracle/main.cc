// vtl_drive_oracle [--seed N] [--seeds N] [--commands M]: a drive and its oracle live through
// random commands; the first disagreement ends it, with the fewest steps that show it.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "test/oracle/generator.h"
#include "test/oracle/world.h"

using namespace oracle;

namespace {

std::uint64_t g_seed = 0;  // for the last words of a failed VTL_CHECK

extern "C" void on_abort(int) {
  std::fprintf(stderr, "seed %llu\n", static_cast<unsigned long long>(g_seed));
  std::_Exit(1);
}

// The first thing that is wrong; `steps` then ends with the step that shows it.
std::string live(std::uint64_t seed, std::uint64_t commands, std::vector<Step>& steps,
                 Counts& counts) {
  World world(seed);
  Random random(seed * 2);
  Generator generator(random, world.oracle());
  for (std::uint64_t i = 0; i < commands; ++i) {
    steps.push_back(generator.next());
    if (std::string wrong = world.step(steps.back(), counts); !wrong.empty()) return wrong;
  }
  return {};
}

std::string replay(std::uint64_t seed, std::vector<Step>& steps) {
  World world(seed);
  Counts counts;
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (std::string wrong = world.step(steps[i], counts); !wrong.empty()) {
      steps.resize(i + 1);
      return wrong;
    }
  return {};
}

// Leaves out whatever the disagreement does not need, in pieces of half, a quarter, ...
void shrink(std::uint64_t seed, std::vector<Step>& steps, std::string& wrong) {
  for (std::size_t piece = steps.size() / 2; piece > 0; piece /= 2) {
    for (std::size_t from = 0; from + 1 < steps.size();) {
      std::vector<Step> fewer(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(from));
      const std::size_t to = std::min(from + piece, steps.size() - 1);
      fewer.insert(fewer.end(), steps.begin() + static_cast<std::ptrdiff_t>(to), steps.end());
      const std::uint8_t opcode = steps.back().cdb[0];
      std::string still = replay(seed, fewer);
      if (still.substr(0, 60) == wrong.substr(0, 60) && fewer.back().cdb[0] == opcode) {
        steps = std::move(fewer);
        wrong = std::move(still);
      } else {
        from = to;
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first = 1, seeds = 0, commands = 10'000;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seed") == 0) first = value;
    if (std::strcmp(argv[i], "--seeds") == 0) seeds = value;
    if (std::strcmp(argv[i], "--commands") == 0) commands = value;
  }
  if (seeds == 0) seeds = argc > 1 ? 1 : 110;
  std::signal(SIGABRT, on_abort);
  Counts counts;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    g_seed = seed;
    std::vector<Step> steps;
    std::string wrong = live(seed, commands, steps, counts);
    if (wrong.empty()) continue;
    const std::size_t at = steps.size();
    std::fprintf(stderr, "step %zu: %s\n", at, wrong.c_str());
    shrink(seed, steps, wrong);
    for (const Step& step : steps) std::fprintf(stderr, "  %s\n", step.text().c_str());
    std::fprintf(stderr, "%s\nagain: vtl_drive_oracle --seed %llu --commands %zu (%llu in all)\n",
                 wrong.c_str(), static_cast<unsigned long long>(seed), at,
                 static_cast<unsigned long long>(counts.commands));
    return 1;
  }
  std::printf("%s\n", counts.text().c_str());
}
