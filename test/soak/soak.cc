// Ten drives that write, read, space, locate and change tapes through the changer, against the real
// server on loopback, for as long as is said. Every byte that is written is read and compared, the
// server's memory, files and disk stay flat, it stops cleanly, and every cartridge verifies.
//
// usage: vtl_soak SECONDS [SEED]     the seed is printed
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <random>
#include <stdexcept>
#include <thread>

#include "test/soak/drive.h"
#include "test/soak/watch.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kDrives = 10;
constexpr int kCartridges = 16;  // some are always in slots, and each comes into every drive

// Small segments, so that many are sealed, opened and thrown away.
void edit(std::string& yaml) {
  replace_in(yaml, "#segment_mib: 256", "segment_mib: 16");
  replace_in(yaml, "#low_water_bytes: 0", "low_water_bytes: 1MiB");
}

struct Crew {
  Clock::time_point end;
  std::atomic<bool> failed{false};
  std::atomic<int> working{kDrives};
  std::mutex mutex;
  std::string error;  // the first

  bool over() const { return failed || Clock::now() >= end; }
  void fail(const std::string& text) {
    const std::lock_guard lock(mutex);
    if (!failed.exchange(true)) error = text;
  }
};

void run_drive(Crew& crew, soak::Drive drive) {
  try {
    drive.work([&] { return crew.over(); });
    --crew.working;
    if (!crew.failed) drive.check_tapes();
  } catch (const std::exception& error) {
    --crew.working;
    crew.fail(error.what());
  }
}

void print(const char* what, const soak::Totals& totals, const soak::Robot& robot, double seconds) {
  std::printf(
      "%s: %.0f s; %.1f GB written (%llu objects), %.1f GB read and right (%llu objects), "
      "%llu overwrites, %llu positionings, %llu moves, %llu logins\n",
      what, seconds, static_cast<double>(totals.bytes_written) / 1e9,
      static_cast<unsigned long long>(totals.objects_written),
      static_cast<double>(totals.bytes_read) / 1e9,
      static_cast<unsigned long long>(totals.objects_read),
      static_cast<unsigned long long>(totals.overwrites),
      static_cast<unsigned long long>(totals.positionings),
      static_cast<unsigned long long>(robot.moves()),
      static_cast<unsigned long long>(totals.logins));
  std::fflush(stdout);
}

void run(int seconds, std::uint64_t seed) {
  Library library({"--cartridges", std::to_string(kCartridges)}, edit);
  soak::Robot robot(library, kCartridges);
  soak::Totals totals;
  soak::Watch watch;
  Crew crew;
  const auto start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  crew.end = start + std::chrono::seconds(seconds);
  std::vector<std::thread> threads;
  std::mt19937_64 seeds(seed);
  for (int i = 1; i <= kDrives; ++i)
    threads.emplace_back([&, drive_seed = seeds(), i] {
      run_drive(crew, soak::Drive(library, robot, totals, i, drive_seed));
    });
  double told = 0;
  while (crew.working > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    watch.add(soak::sample(library.daemon.pid(), library.daemon.data()));
    if (elapsed() - told < 60) continue;
    told = elapsed();
    print("so far", totals, robot, elapsed());
  }
  for (std::thread& thread : threads) thread.join();
  if (crew.failed) throw std::runtime_error(crew.error);
  print("all", totals, robot, elapsed());
  std::printf("%s\n", watch.text().c_str());
  watch.check_flat();
  if (const int code = library.daemon.stop(); code != 0)
    throw std::runtime_error("the server stopped with " + std::to_string(code) + ": " +
                             library.daemon.log());
  for (const auto& tape : robot.tapes()) {
    const Ended verified =
        run_vtl({"cartridge", "verify", tape->barcode(), "--data", library.daemon.data()});
    if (verified.code != 0) throw std::runtime_error("verify: " + verified.out + verified.err);
  }
  std::printf("%d cartridges verified\n", kCartridges);
}

}  // namespace

int main(int argc, char** argv) {
  const int seconds = argc > 1 ? std::atoi(argv[1]) : 0;
  if (seconds < 5) {
    std::fputs("usage: vtl_soak SECONDS [SEED], at least 5 seconds\n", stderr);
    return 2;
  }
  const std::uint64_t seed =
      argc > 2 ? std::strtoull(argv[2], nullptr, 10) : std::random_device{}();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  try {
    run(seconds, seed);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "FAILED: %s\n", error.what());
    return 1;
  }
  return 0;
}
