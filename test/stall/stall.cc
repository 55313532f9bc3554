// The disk under a running server stops to answer, and nobody but those who need it may notice.
//
// The real server on a real file system on a disk that holds every read, write and flush until this
// program has all the answers that must come meanwhile; so there are no times to be met. Each
// answer that does not come within half a minute is a failure.
//
// usage: vtl_stall [ext4|xfs|btrfs [SCENARIO]]     a number from 1; all of them
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "test/stall/host.h"

namespace {

using std::chrono::milliseconds;
using OnDisk = World::OnDisk;

constexpr int kFreeSlot = kFirstSlot + 8;

void wait_for_log(World& world, const std::string& text) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (world.daemon.log().find(text) == std::string::npos) {
    check(std::chrono::steady_clock::now() < limit, "the log does not say: " + text);
    std::this_thread::sleep_for(milliseconds(10));
  }
}

// Three drives wait for the disk, each in another way, a fourth is being loaded from it; the fifth
// drive, the changer, the command line and everybody who comes are served.
void others_go_on(World& world) {
  Host one(world, 1), two(world, 2), healthy(world, 3), four(world, 4);
  Initiator changer = world.changer();
  for (Host* host : {&one, &four}) {
    host->write(6);
    host->write_filemark();
  }
  one.write(6);
  expect(rewind_tape(four.session), "REWIND");

  world.stall();
  const Waiting filemark = begin_filemark(one);
  world.wait_until_held();
  const Waiting full = fill(two);
  Waiting reading = begin_read(four);

  for (Host* host : {&one, &two, &four}) ask(host->session, host->name);
  healthy.stream();
  ask_changer(changer, "the changer");
  expect(move_medium(changer, kFirstSlot + 5, kFreeSlot), "MOVE MEDIUM of another cartridge");
  ask_command_line(world);

  // Others come, and take the drive's tasks away.
  for (int n : {1, 2, 4}) {
    Initiator other = world.drive(n);
    ask(other, "another host at drive " + std::to_string(n));
    if (n != 4) continue;
    check(reading->abort() == 0, "ABORT TASK");
    reading.reset();
    const Waiting again = begin_read(four);
    check_waits(*again, "a READ");
    check(other.lun_reset() == 0, "LOGICAL UNIT RESET");
    other.clear_unit_attentions();
    ask(other, "who has reset drive 4");
    check(other.logout(), "Logout");
  }
  four.session.clear_unit_attentions();
  ask(four.session, "who was reset");

  const Waiting loading = begin_move(changer, kFirstSlot + 4, kFirstDrive + 4);
  Initiator another = world.changer(), five = world.drive(5);
  ask(changer, "who moves");
  ask_changer(another, "another host at the changer");
  ask(five, "drive 5, which is being loaded");
  ask_command_line(world);
  healthy.stream();
  check(run_vtl({"reload", "--data", world.daemon.data()}).code == 0, "vtl reload");
  for (Host* host : {&one, &two}) ask(host->session, host->name);
  check_waits(*filemark, "WRITE FILEMARKS");
  check_waits(*loading, "MOVE MEDIUM from the disk");

  world.disk.turn(DiskSwitch::To::kServe);
  expect(filemark->wait(), "WRITE FILEMARKS, when the disk was back");
  one.tape.synchronised();
  expect(full->wait(), "WRITE, when the disk was back");
  two.write_filemark();
  expect(loading->wait(), "MOVE MEDIUM, when the disk was back");
  expect(five.wait_ready(), "drive 5");
  for (Host* host : {&one, &two, &healthy, &four}) host->read_back();
}

// A stop waits for the disk, and what was accepted is there: also what was not synchronised.
void stop_waits(World& world) {
  std::map<int, Tape> tapes;
  {
    Host one(world, 1), healthy(world, 3);
    healthy.stream();
    one.write(1);  // there is room from here on
    world.stall();
    one.write(40);
    world.wait_until_held();
    ::kill(world.daemon.pid(), SIGTERM);
    std::this_thread::sleep_for(milliseconds(3000));  // hosts are waited for so long
    check(world.daemon.running(), "it stopped before the disk had everything");
    one.tape.synchronised();
    tapes.emplace(1, one.tape);
    tapes.emplace(3, healthy.tape);
  }
  world.disk.turn(DiskSwitch::To::kServe);
  check(world.daemon.wait(std::chrono::seconds(60)) == 0, "a stop in order ended otherwise");
  world.start();
  for (auto& [number, tape] : tapes) {
    Initiator session = world.drive(number);
    expect(session.wait_ready(), "the drive, after the start");
    const std::size_t written = tape.size();
    check(tape.check(session) == written, "a stop in order has lost something");
  }
}

struct Lift {
  World& world;
  ~Lift() { world.disk.turn(DiskSwitch::To::kServe); }
};

// Everything is on the disk: the journal, reservations, the log, the control socket.
void all_of_it_stalls(World& world) {
  {
    Host one(world, 1);
    Initiator changer = world.changer(), two = world.drive(2);
    ask_command_line(world);
    one.write(6);
    one.write_filemark();
    one.write(6);
    world.stall();
    const Waiting filemark = begin_filemark(one);
    world.wait_until_held();
    const Waiting moving = begin_move(changer, kFirstSlot + 1, kFreeSlot);
    ByteString key(24);
    key[15] = 1;  // SERVICE ACTION RESERVATION KEY
    key[20] = 1;  // APTPL
    Pending registering(two, "PERSISTENT RESERVE OUT", {0x5f, 0, 0, 0, 0, 0, 0, 0, 24, 0},
                        Pending::Data::kOut, key);
    auto reloading = std::async(std::launch::async, [&] {
      return run_vtl({"reload", "--data", world.daemon.data()});
    });
    const Lift lift{world};
    // Long enough for the system to write by itself what it does every few seconds.
    for (int round = 0; round < 3; ++round) {
      std::this_thread::sleep_for(std::chrono::seconds(3));
      ask(one.session, "drive 1");
      ask(changer, "who moves");
      Initiator other = world.changer(), at_one = world.drive(1), at_two = world.drive(2);
      ask_changer(other, "another host at the changer");
      ask(at_one, "another host at drive 1");
      ask(at_two, "another host at drive 2");
      ask_command_line(world);
      check(at_two.logout(), "Logout");
    }
    check_waits(*filemark, "WRITE FILEMARKS");
    check_waits(*moving, "MOVE MEDIUM");

    world.disk.turn(DiskSwitch::To::kServe);
    reloading.wait();
    expect(filemark->wait(), "WRITE FILEMARKS, when the disk was back");
    one.tape.synchronised();
    expect(moving->wait(), "MOVE MEDIUM, when the disk was back");
    expect(registering.wait(), "PERSISTENT RESERVE OUT, when the disk was back");
    one.read_back();
  }
  check(world.daemon.stop() == 0, "a stop in order ended otherwise");
}

// Who cannot wait for a stop says so twice, and is told what may be lost.
void stop_at_once(World& world) {
  Tape tape;
  {
    Host one(world, 1);
    one.write(6);
    one.write_filemark();
    one.write(6);
    world.stall();
    const Waiting filemark = begin_filemark(one);
    world.wait_until_held();
    ::kill(world.daemon.pid(), SIGTERM);
    wait_for_log(world, "stopping: ");
    ::kill(world.daemon.pid(), SIGTERM);
    wait_for_log(world, "stopped at once by a second signal");
    wait_for_log(world,
                 World::barcode(1) + ": 7 objects (1572864 bytes) that were accepted may not");
    tape = one.tape;
  }
  world.disk.turn(
      DiskSwitch::To::kServe);  // the system keeps a process until its disk has answered
  check(world.daemon.wait(std::chrono::seconds(60)) == 6,
        "a stop that lost something ended otherwise");
  world.start();
  Initiator session = world.drive(1);
  expect(session.wait_ready(), "the drive, after the start");
  tape.check(session);  // throws if something is missing that was promised
}

// The disk comes back, and what it was asked has failed.
void comes_back_with_errors(World& world) {
  std::map<int, Tape> tapes;
  {
    Host one(world, 1), two(world, 2), healthy(world, 3);
    for (Host* host : {&one, &two}) {
      host->write(6);
      host->write_filemark();
    }
    one.write(6);
    world.stall();
    const Waiting filemark = begin_filemark(one);
    world.wait_until_held();
    const Waiting full = fill(two);
    healthy.stream();
    world.disk.turn(DiskSwitch::To::kFail);
    for (Pending* lost : {filemark.get(), full.get()})
      check(lost->wait().sense_code() == "3/0C/00",
            "a write that failed: " + describe(lost->result()));
    for (Host* host : {&one, &two}) {
      ask(host->session, host->name);
      check(write_block(host->session, pattern(kRecord, 1)).sense_code() == "3/0C/00",
            host->name + " writes on after an error");
    }
    healthy.stream();
    ask_command_line(world);
    for (Host* host : {&one, &two, &healthy})
      tapes.emplace(host == &one ? 1 : host == &two ? 2 : 3, host->tape);
  }
  check(world.daemon.stop() == 0, "hosts were told what is lost, and the stop ended otherwise");
  world.repair();
  world.start();
  for (auto& [number, tape] : tapes) {
    Initiator session = world.drive(number);
    expect(session.wait_ready(), "the drive, after the repair");
    tape.check(session);  // throws if something is missing that was promised
  }
}

// Standard error is a pipe that nobody empties.
struct FullPipe {
  explicit FullPipe(std::string where) : path(std::move(where)) {
    std::remove(path.c_str());
    check(::mkfifo(path.c_str(), 0600) == 0, "mkfifo " + path);
    fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
    check(::fcntl(fd, F_SETPIPE_SZ, 4096) >= 0, "F_SETPIPE_SZ");
  }
  ~FullPipe() {
    ::close(fd);
    std::remove(path.c_str());
  }
  FullPipe(const FullPipe&) = delete;
  FullPipe& operator=(const FullPipe&) = delete;
  std::string take() const {
    std::string text(4096, '\0');
    const ssize_t n = ::read(fd, text.data(), text.size());
    return text.substr(0, n > 0 ? static_cast<std::size_t>(n) : 0);
  }
  std::string path;
  int fd = -1;
};

void nobody_takes_the_log(World& world) {
  check(world.daemon.stop() == 0, "a stop in order ended otherwise");
  const FullPipe log(world.daemon.data() + ".log");
  world.start();
  Host host(world, 3);
  constexpr int kLogins = 60;  // a line each, and one for its end
  for (int n = 0; n < kLogins; ++n)
    ask(*std::make_unique<Initiator>(world.drive(1)), "who logs in");
  host.stream();
  // Whoever reads on has them all.
  std::string all;
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  const auto logins = [&all] {
    int count = 0;
    const std::string line = "tapedrive-01\n";
    for (std::size_t at = 0; (at = all.find(line, at)) != std::string::npos; ++at) ++count;
    return count;
  };
  while (logins() < kLogins) {
    all += log.take();
    check(std::chrono::steady_clock::now() < limit, "lines of the log are missing:\n" + all);
  }
}

struct Scenario {
  const char* what;
  OnDisk on_disk;
  void (*run)(World&);
};

constexpr Scenario kScenarios[] = {
    {"the pool stalls", OnDisk::kPool, others_go_on},
    {"cartridges of a pool in memory stall", OnDisk::kCartridges, others_go_on},
    {"a stop meanwhile", OnDisk::kPool, stop_waits},
    {"a stop at once", OnDisk::kPool, stop_at_once},
    {"everything stalls", OnDisk::kEverything, all_of_it_stalls},
    {"the disk comes back with errors", OnDisk::kPool, comes_back_with_errors},
    {"nobody takes the log", OnDisk::kPool, nobody_takes_the_log},
};

}  // namespace

int main(int argc, char** argv) {
  const std::string file_system = argc > 1 ? argv[1] : "ext4";
  const int only = argc > 2 ? std::atoi(argv[2]) : 0;
  int number = 0, failed = 0;
  keep_mounts_private();
  for (const Scenario& scenario : kScenarios) {
    if (++number != only && only != 0) continue;
    std::printf("%s, %d: %s\n", file_system.c_str(), number, scenario.what);
    std::fflush(stdout);
    try {
      World world(file_system, scenario.on_disk);
      try {
        scenario.run(world);
      } catch (const std::exception& error) {
        throw std::runtime_error(error.what() + ("\n" + world.daemon.log()));
      }
    } catch (const std::exception& error) {
      std::fprintf(stderr, "FAILED: %s\n", error.what());
      ++failed;
    }
  }
  return failed == 0 ? 0 : 1;
}
