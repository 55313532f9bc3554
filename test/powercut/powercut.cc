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
#include "test/powercut/tape.h"

namespace {

using Random = std::mt19937_64;

int power_cuts = 0;
using std::chrono::milliseconds;

std::string describe(const CommandResult& result) {
  return result.transport_error.empty() ? "sense " + result.sense_code() : result.transport_error;
}

void expect(const CommandResult& result, const std::string& what) {
  if (!result.good()) throw Loss(what + ": " + describe(result));
}

// A drive, and the two cartridges that take turns in it.
class Station {
 public:
  Station(Daemon& daemon, int number, std::array<Tape, 2> tapes)
      : daemon_(daemon), number_(number), tapes_(std::move(tapes)) {}

  std::array<Tape, 2>& tapes() { return tapes_; }

  // After a start: the tape in the drive is what it may be.
  std::size_t check() {
    attach();
    if (!loaded_) exchange();
    expect(drive_->wait_ready(), "the drive is not ready");
    return at_ = loaded_->check(*drive_);
  }

  // Writes and moves until a command fails, which it may from the moment that `cut` is set.
  void work(const std::atomic<bool>& cut, std::uint64_t seed) {
    try {
      Random random(seed);
      const std::uint64_t objects_a_filemark =
          std::array<std::uint64_t, 3>{8, 40, 300}.at(random() % 3);
      for (;;) step(random, objects_a_filemark);
    } catch (const std::exception&) {
      if (!cut) throw;
    }
  }

  // Puts the other tape in, and reads it.
  void exchange() {
    Tape& next = loaded_ == &tapes_[0] ? tapes_[1] : tapes_[0];
    if (loaded_ != nullptr) move(*loaded_, home(*loaded_));
    move(next, kFirstDrive + number_ - 1);
    expect(drive_->wait_ready(), "the drive is not ready");
    at_ = next.check(*drive_);
  }

  // The server is gone.
  void detach() {
    drive_.reset();
    changer_.reset();
    loaded_ = nullptr;
  }

 private:
  int home(const Tape& tape) const {
    return kFirstSlot + 2 * (number_ - 1) + static_cast<int>(&tape - tapes_.data());
  }

  void attach() {
    if (drive_) return;
    LoginOptions name;
    name.initiator += std::to_string(number_);
    changer_.emplace(Initiator::attach(daemon_.portal(), daemon_.changer(), name));
    drive_.emplace(Initiator::attach(daemon_.portal(), daemon_.drive(number_), name));
    for (Tape& tape : tapes_) {
      if (tape.element == kFirstDrive + number_ - 1) loaded_ = &tape;
    }
  }

  void move(Tape& tape, int element) {
    tape.maybe_in = element;
    expect(move_medium(*changer_, tape.element, element), "MOVE MEDIUM");
    if (&tape == loaded_) tape.synchronised();
    loaded_ = &tape == loaded_ ? nullptr : &tape;
    tape.element = element;
    tape.maybe_in = 0;
  }

  void step(Random& random, std::uint64_t objects_a_filemark) {
    const std::uint64_t choice = random() % 1000;
    if (choice < 4) return exchange();
    if (choice < 25) return locate(random() % 3 == 0 ? 0 : random() % (at_ + 1));
    if (choice < 45) {  // to end of data: what is buffered is written, and not synchronised
      expect(space(*drive_, 3, 0), "SPACE");
      at_ = loaded_->size();
      return;
    }
    if (random() % objects_a_filemark == 0) {
      const bool immediate = random() % 3 == 0;
      send({0, 0});
      expect(write_filemarks(*drive_, 1, immediate), "WRITE FILEMARKS");
      if (!immediate) loaded_->synchronised();
      return;
    }
    static constexpr std::array<std::size_t, 6> kSizes = {1, 512, 4096, 65536, 262144, 262144};
    const Object record{kSizes.at(random() % kSizes.size()), random()};
    send(record);
    expect(write_block(*drive_, pattern(record.size, record.seed)), "WRITE");
  }

  void send(const Object& object) { loaded_->sent(at_++, object); }

  void locate(std::uint64_t object) {
    const auto byte = [object](int n) { return static_cast<int>(object >> (8 * n) & 0xff); };
    expect(drive_->none({0x2b, 0, 0, byte(3), byte(2), byte(1), byte(0), 0, 0, 0}), "LOCATE");
    at_ = object;
  }

  Daemon& daemon_;
  const int number_;
  std::array<Tape, 2> tapes_;
  Tape* loaded_ = nullptr;
  std::size_t at_ = 0;  // the position
  std::optional<Initiator> drive_, changer_;
};

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
