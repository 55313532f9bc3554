// vtl_sim [--seeds N] [--seed S] [--trace]: worlds of seeds S to S + N - 1.
// vtl_sim --sweep [--stride N] [--kind K --operation N]: one story, each of its operations failing.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "test/sim/sweep.h"
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
  std::fputs(
      "usage: vtl_sim [--seeds N] [--seed FIRST] [--trace]\n"
      "       vtl_sim --sweep [--stride N] [--kind eio|no-space|power-cut|kill --operation N]\n",
      stderr);
  return 2;
}

void about_to_live(const char* kind, std::uint64_t operation) {
  fmt::format_to_n(replay_line, sizeof replay_line - 1,
                   "replay: {} --sweep --kind {} --operation {}\n{}", "build/release/bin/vtl_sim",
                   kind, operation, '\0');
}

int run_sweep(int argc, char** argv) {
  sim::SweepOptions options;
  for (int i = 2; i < argc; i += 2) {
    const std::string_view option = argv[i];
    if (i + 1 == argc) return usage();
    if (option == "--kind") {
      options.kind = argv[i + 1];
      continue;
    }
    std::uint64_t& number = option == "--stride" ? options.stride : options.operation;
    const char* end = argv[i + 1] + std::strlen(argv[i + 1]);
    if ((option != "--stride" && option != "--operation") ||
        std::from_chars(argv[i + 1], end, number).ptr != end || options.stride == 0)
      return usage();
  }
  std::signal(SIGABRT, aborted);
  const auto started = std::chrono::steady_clock::now();
  sim::sweep(options, about_to_live);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  std::printf("%.1f s\n", took.count());
  return 0;
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
  if (argc > 1 && std::string_view(argv[1]) == "--sweep") return run_sweep(argc, argv);
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
