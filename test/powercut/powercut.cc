// Cuts the power while tapes are written and moved, and checks what survived.
//
// The server runs on a real file system, that on a disk which forgets what was not flushed. After a
// cut the survivors are mounted and the server is started again: every object before the last
// acknowledged synchronising command is there, bit by bit; what follows of the tape is what was
// sent, in order, and ends between two objects; an overwritten tape is the old one or the new one,
// never a mixture; each cartridge is in one element, where its last acknowledged move put it.
//
// usage: vtl_powercut ext4|xfs|btrfs ROUNDS [all|sync|cut|move [SEED]]
//
// "sync", "cut" and "move" are negative controls: they take from the server all its fdatasync,
// those of the cartridges' labels, where cuts are recorded, or those of the journal, which has the
// moves. Then losses must show, or the run has failed.
#include <signal.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <optional>
#include <random>

#include "test/integration/library.h"
#include "test/powercut/mounted_disk.h"
#include "test/powercut/station.h"
#include "test/powercut/tape.h"

namespace {

int power_cuts = 0;
using std::chrono::milliseconds;

// A new file system with a new library on it; the rounds that follow age them.
class World {
 public:
  World(const std::string& file_system, std::string forget)
      : forget_(std::move(forget)), disk_(dir_.path(), file_system), daemon_(dir_ / "library") {
    std::filesystem::create_directory_symlink(disk_.path() + "/library", daemon_.data());
    const std::string data = disk_.path() + "/library";
    vtl({"init", "--data", data, "--slots", "10", "--drives", "2", "--cartridges", "0"});
    // Small segments: a tape of a few megabytes has some, and overwriting throws some away.
    std::string yaml = read_text(data + "/vtl.yaml");
    replace_in(yaml, "#segment_mib: 256", "segment_mib: 4");
    replace_in(yaml, "#max_sessions_per_target: 1", "max_sessions_per_target: 2");
    write_text(data + "/vtl.yaml", yaml);
    disk_.sync();  // vtl.yaml is ours now
    vtl({"cartridge", "create", "--data", data, "--prefix", "CUT", "--count", "4"});
    for (int n = 0; n < 2; ++n) {
      std::array<Tape, 2> tapes;
      for (int i = 0; i < 2; ++i) {
        tapes.at(static_cast<std::size_t>(i)).barcode =
            "CUT00" + std::to_string(2 * n + i + 1) + "L8";
        tapes.at(static_cast<std::size_t>(i)).element = kFirstSlot + 2 * n + i;
      }
      stations_.at(static_cast<std::size_t>(n)).emplace(daemon_, n + 1, std::move(tapes));
    }
    start();
  }

  // Returns what happened, in words.
  std::string round(Random& random) {
    // Now and then the server alone dies first: what it had written and not synchronised is then in
    // the system's memory, and the one after it builds on that.
    if (random() % 4 == 0) {
      work_until(random, [&] { daemon_.stop(SIGKILL); });
      start_again();
    }
    std::string survived;
    work_until(random, [&] {
      survived = disk_.cut_power(random(), random() % 60);
      ++power_cuts;
      // Time enough to acknowledge what can no longer be kept.
      std::this_thread::sleep_for(milliseconds(random() % 20));
      daemon_.stop(SIGKILL);
    });
    disk_.power_on();
    if (random() % 4 == 0) cut_recovery(random);
    std::string promised;
    for (auto& station : stations_) {
      for (const Tape& tape : station->tapes()) promised += " " + std::to_string(tape.promised());
    }
    return survived + " volatile sectors survived; promised" + promised + "; there" + start_again();
  }

  // Every tape once more, and the offline check of each.
  void finish() {
    for (auto& station : stations_) station->exchange();
    for (auto& station : stations_) station->detach();
    if (const int code = daemon_.stop(); code != 0) {
      throw Loss("the last stop ended with " + std::to_string(code));
    }
    for (auto& station : stations_) {
      for (const Tape& tape : station->tapes()) {
        const Ended verified =
            run_vtl({"cartridge", "verify", tape.barcode, "--data", daemon_.data()});
        if (verified.code != 0) throw Loss("verify: " + verified.out + verified.err);
      }
    }
  }

 private:
  static void vtl(const std::vector<std::string>& arguments) {
    if (const Ended ended = run_vtl(arguments); ended.code != 0) {
      throw std::runtime_error("vtl " + arguments[0] + ": " + ended.err);
    }
  }

  void work_until(Random& random, const std::function<void()>& end) {
    std::atomic<bool> cut = false;
    std::vector<std::future<void>> working;
    for (auto& station : stations_) {
      working.push_back(std::async(
          std::launch::async, [&cut, &station, seed = random()] { station->work(cut, seed); }));
    }
    std::this_thread::sleep_for(milliseconds(10 + random() % 600));
    cut = true;
    end();
    for (auto& one : working) one.get();
    for (auto& station : stations_) station->detach();
  }

  void serve() {
    if (!forget_.empty()) ::setenv("LD_PRELOAD", forget_.c_str(), 1);
    daemon_.start();
    ::unsetenv("LD_PRELOAD");
  }

  // The power goes again while the server makes its start.
  void cut_recovery(Random& random) {
    auto serving = std::async(std::launch::async, [this] { serve(); });
    disk_.cut_power(random(), random() % 20);
    ++power_cuts;
    try {
      serving.get();
      daemon_.stop(SIGKILL);
    } catch (const std::exception&) {  // it did not come far
    }
    disk_.power_on();
  }

  // Returns how many objects there are on the tapes in the drives.
  std::string start() {
    serve();
    find_cartridges();
    std::string there;
    for (auto& station : stations_) there += " " + std::to_string(station->check());
    return there;
  }

  // A server that does not start any more, or has a tape that it cannot load, has lost all of it.
  std::string start_again() {
    try {
      return start();
    } catch (const std::exception& error) {
      throw Loss(error.what());
    }
  }

  void find_cartridges() {
    std::map<std::string, std::vector<int>> where;
    const auto shown = vtl_json({"library", "show", "--data", daemon_.data()});
    for (const auto& element : shown.at("elements")) {
      if (element.at("barcode").is_null()) continue;
      where[element.at("barcode").get<std::string>()].push_back(element.at("address").get<int>());
    }
    for (auto& station : stations_) {
      for (Tape& tape : station->tapes()) {
        const std::vector<int>& elements = where[tape.barcode];
        if (elements.size() != 1) {
          throw Loss(tape.barcode + " is in " + std::to_string(elements.size()) + " elements");
        }
        if (elements[0] != tape.element && elements[0] != tape.maybe_in) {
          throw Loss(tape.barcode + " is in element " + std::to_string(elements[0]) +
                     ", and was moved to " + std::to_string(tape.element));
        }
        tape.element = elements[0];
        tape.maybe_in = 0;
      }
    }
  }

  std::string forget_;  // what to preload
  TempDir dir_;
  MountedDisk disk_;
  Daemon daemon_;
  std::array<std::optional<Station>, 2> stations_;
};

std::string shim() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "libforget_sync.so";
}

void run(const std::string& file_system, int rounds, const std::string& forget, Random& random) {
  constexpr int kRoundsOfAWorld = 8;
  std::optional<World> world;
  for (int round = 1; round <= rounds; ++round) {
    if (!world) world.emplace(file_system, forget);
    std::printf("%s round %d: ", file_system.c_str(), round);
    std::printf("%s\n", world->round(random).c_str());
    std::fflush(stdout);
    if (round % kRoundsOfAWorld != 0 && round != rounds) continue;
    world->finish();
    world.reset();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string file_system = argc > 1 ? argv[1] : "ext4";
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  const std::string mode = argc > 3 ? argv[3] : "all";
  const std::uint64_t seed =
      argc > 4 ? std::strtoull(argv[4], nullptr, 10) : std::random_device{}();
  const std::string again = "vtl_powercut " + file_system + " " + std::to_string(rounds) + " " +
                            mode + " " + std::to_string(seed);
  std::printf("%s\n", again.c_str());
  // What the server is to forget to synchronise: files by the end of their names.
  static const std::map<std::string, std::string> kControls = {
      {"sync", ""}, {"cut", "/CART"}, {"move", "/journal"}};
  const bool control = kControls.count(mode) != 0;
  if (!control && mode != "all") {
    std::fprintf(stderr, "usage: vtl_powercut ext4|xfs|btrfs ROUNDS [all|sync|cut|move [SEED]]\n");
    return 2;
  }
  if (control) ::setenv("VTL_FORGET_SYNC", kControls.at(mode).c_str(), 1);
  Random random(seed);
  try {
    keep_mounts_private();
    run(file_system, rounds, control ? shim() : "", random);
  } catch (const Loss& loss) {
    const bool bites = control && power_cuts > 0;
    std::fprintf(stderr, "%s: %s\n", bites ? "as it must be" : "FAILED", loss.what());
    if (!bites) std::fprintf(stderr, "again with: %s\n", again.c_str());
    return bites ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "FAILED: %s\nagain with: %s\n", error.what(), again.c_str());
    return 1;
  }
  std::printf("%d power cuts survived\n", power_cuts);
  if (control) std::fprintf(stderr, "FAILED: nothing was lost; this rig does not bite\n");
  return control ? 1 : 0;
}
