// vtl_sim [--seeds N] [--seed S] [--trace]: worlds of seeds S to S + N - 1.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "test/sim/world.h"

namespace {

// Every so many worlds one is lived through twice.
constexpr std::uint64_t kTwiceEvery = 20;
char replay_line[100];

void aborted(int) {
  std::fflush(stdout);
  std::fputs(replay_line, stderr);
  std::_Exit(1);
}

int usage() {
  std::fputs("usage: vtl_sim [--seeds N] [--seed FIRST] [--trace]\n", stderr);
  return 2;
}

}  // namespace

namespace sim {

void broken(const std::string& what) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s\n%s", what.c_str(), replay_line);
  std::_Exit(1);
}

}  // namespace sim

int main(int argc, char** argv) {
  std::uint64_t first = 1, seeds = 0;
  bool trace = false, named = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--trace") {
      trace = true;
      continue;
    }
    std::uint64_t& number = option == "--seed" ? first : seeds;
    if ((option != "--seed" && option != "--seeds") || ++i == argc) return usage();
    named = named || option == "--seed";
    const char* end = argv[i] + std::strlen(argv[i]);
    if (std::from_chars(argv[i], end, number).ptr != end) return usage();
  }
  if (seeds == 0) seeds = named ? 1 : 1000;
  std::signal(SIGABRT, aborted);
  sim::Counts counts;
  const auto started = std::chrono::steady_clock::now();
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    fmt::format_to_n(replay_line, sizeof replay_line - 1, "replay: {} --seed {} --trace\n{}",
                     "build/release/bin/vtl_sim", seed, '\0');
    sim::World world(seed, trace);
    world.run();
    counts.add(world.counts());
    if (seed % kTwiceEvery != 0) continue;
    sim::World again(seed, false);
    again.run();
    sim::check(again.trace_crc() == world.trace_crc(), "the same seed gives another trace");
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  std::printf("%s\n%.1f s\n", counts.text().c_str(), took.count());
  return 0;
}
