// Kills the server at random moments while a tape is written, starts it again, and checks the tape:
// every object before the last acknowledged synchronising filemark is there, bit by bit; what
// follows of it is what was sent, in order, and ends cleanly between two objects.
//
// usage: vtl_kill9 [ROUNDS [SEED]]     default 5 rounds; the seed is printed
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <random>
#include <stdexcept>
#include <thread>

#include "test/integration/library.h"

namespace {

// What was sent, as one number an object: the size of a record, or 0 for a filemark. Its bytes
// follow from its place and the round that wrote it.
struct Sent {
  std::size_t size;
  std::uint64_t seed;
};

struct Tape {
  std::vector<Sent> objects;  // all that was sent, acknowledged or not
  std::size_t durable = 0;  // objects before and with the last acknowledged synchronising filemark
};

std::string describe(const CommandResult& result) {
  return result.transport_error.empty() ? "sense " + result.sense_code() : result.transport_error;
}

// Writes until the connection breaks.
void write_until_killed(Initiator& drive, Tape& tape, std::mt19937_64& random) {
  const std::size_t sizes[] = {1, 512, 4096, 65536, 262144, 262144, 262144, 1000000};
  std::size_t since_filemark = 0;
  for (;;) {
    const bool filemark = since_filemark > 0 && random() % 8 == 0;
    if (filemark) {
      // Immediate filemarks promise nothing.
      const bool immediate = random() % 4 == 0;
      tape.objects.push_back({0, 0});
      const CommandResult result = write_filemarks(drive, 1, immediate);
      if (result.status < 0 || result.status > 0xff) return;
      if (!result.good()) throw std::runtime_error("WRITE FILEMARKS: " + describe(result));
      if (!immediate) tape.durable = tape.objects.size();
      since_filemark = 0;
      continue;
    }
    const Sent record{sizes[random() % std::size(sizes)], random()};
    tape.objects.push_back(record);
    const CommandResult result = write_block(drive, pattern(record.size, record.seed));
    if (result.status < 0 || result.status > 0xff) return;
    if (!result.good()) throw std::runtime_error("WRITE: " + describe(result));
    ++since_filemark;
  }
}

// Reads all; returns how many objects there are.
std::size_t check(Initiator& drive, const Tape& tape) {
  if (!rewind_tape(drive).good()) throw std::runtime_error("REWIND failed");
  std::size_t at = 0;
  for (;; ++at) {
    const CommandResult read = drive.in({0x08, 2, 0x10, 0, 0, 0}, 1u << 20);  // SILI
    if (read.sense_code() == "8/00/05") break;
    if (at == tape.objects.size()) throw std::runtime_error("more on the tape than was ever sent");
    const Sent& sent = tape.objects[at];
    const std::string where = "object " + std::to_string(at) + ": ";
    if (sent.size == 0) {
      if (!read.filemark()) throw std::runtime_error(where + "no filemark, " + describe(read));
    } else if (!read.good()) {
      throw std::runtime_error(where + describe(read));
    } else if (read.data != pattern(sent.size, sent.seed)) {
      throw std::runtime_error(where + "not what was written");
    }
  }
  if (at < tape.durable) {
    throw std::runtime_error("only " + std::to_string(at) + " objects of " +
                             std::to_string(tape.durable) + " that were acknowledged");
  }
  return at;
}

void run(int rounds, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Library library;
  library.load(1).logout();
  Tape tape;
  for (int round = 1; round <= rounds; ++round) {
    {
      Initiator drive = library.attach_drive(1);
      if (round % 5 == 0) {  // overwrite from somewhere in the middle
        const std::size_t from = random() % (tape.objects.size() + 1);
        const int high = static_cast<int>(from >> 8 & 0xff), low = static_cast<int>(from & 0xff);
        const int top = static_cast<int>(from >> 16 & 0xff);
        if (!drive.none({0x2b, 0, 0, 0, top, high, low, 0, 0, 0}).good()) {
          throw std::runtime_error("LOCATE failed");
        }
        // Nothing behind is promised any more once the first write is taken.
        tape.objects.resize(from);
        tape.durable = std::min(tape.durable, from);
        const Sent record{4096, random()};
        tape.objects.push_back(record);
        if (!write_block(drive, pattern(record.size, record.seed)).good()) {
          throw std::runtime_error("overwriting failed");
        }
        // The old tail must not come back: not before this is synchronised can a kill undo the cut.
        tape.objects.push_back({0, 0});
        if (!write_filemarks(drive, 1).good()) throw std::runtime_error("WRITE FILEMARKS failed");
        tape.durable = tape.objects.size();
      }
      const auto delay = std::chrono::milliseconds(20 + random() % 1500);
      std::thread killer([&] {
        std::this_thread::sleep_for(delay);
        library.daemon.stop(9);
      });
      try {
        write_until_killed(drive, tape, random);
      } catch (...) {
        killer.join();
        throw;
      }
      killer.join();
    }
    library.daemon.start();
    Initiator drive = library.attach_drive(1);
    if (!drive.wait_ready().good()) throw std::runtime_error("the drive is not ready");
    const std::size_t there = check(drive, tape);
    std::printf("round %d: %zu objects sent, %zu promised, %zu there\n", round, tape.objects.size(),
                tape.durable, there);
    std::fflush(stdout);
    tape.objects.resize(there);
    if (round % 3 == 0) {
      // Reading leaves the position at end of data; so does SPACE.
      if (!rewind_tape(drive).good() || !space(drive, 3, 0).good()) {
        throw std::runtime_error("SPACE to end of data failed");
      }
      if (position(drive) != there) throw std::runtime_error("wrong position at end of data");
    }
    drive.logout();
  }
  if (library.daemon.stop() != 0) throw std::runtime_error("the last stop was not clean");
  const Ended verified =
      run_vtl({"cartridge", "verify", "VTL001L8", "--data", library.daemon.data()});
  if (verified.code != 0) throw std::runtime_error("verify: " + verified.out + verified.err);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 5;
  const std::uint64_t seed =
      argc > 2 ? std::strtoull(argv[2], nullptr, 10) : std::random_device{}();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  try {
    run(rounds, seed);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "FAILED: %s\nagain with: vtl_kill9 %d %llu\n", error.what(), rounds,
                 static_cast<unsigned long long>(seed));
    return 1;
  }
  std::printf("%d kills survived\n", rounds);
  return 0;
}
