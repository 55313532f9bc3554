// Devices on several threads: what crosses from one to another, while they are busy.
#include <signal.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <thread>

#include "library.h"
#include "raw.h"

namespace {

using Clock = std::chrono::steady_clock;

// With 11 devices on three threads the changer has drives 3, 6 and 9 beside it; the others are on
// two threads of their own.
struct ThreeThreads : Library {
  explicit ThreeThreads(const std::function<void(std::string&)>& edit = {})
      : Library({}, [&](std::string& yaml) {
          replace_in(yaml, "#threads: auto", "threads: 3");
          if (edit) edit(yaml);
        }) {}
};

// Catch's macros are for one thread: what a client finds wrong is kept, the first of it.
struct Client {
  template <class Work>
  explicit Client(Work work)
      : thread([this, work] {
          try {
            work(*this);
          } catch (const std::exception& error) {
            wrong = error.what();
          }
        }) {}
  void want(bool right, const std::string& what) {
    if (!right) throw std::runtime_error(what);
  }
  std::string wrong;
  std::thread thread;
};

std::string join(std::vector<std::unique_ptr<Client>>& clients) {
  std::string wrong;
  for (const auto& client : clients) {
    client->thread.join();
    if (wrong.empty()) wrong = client->wrong;
  }
  return wrong;
}

void write_and_read(Client& client, Initiator& drive, std::uint64_t seed) {
  client.want(rewind_tape(drive).good(), "rewind");
  for (std::uint64_t i = 0; i < 10; ++i)
    client.want(write_block(drive, pattern(65536, seed + i)).good(), "write");
  client.want(write_filemarks(drive, 1).good() && rewind_tape(drive).good(), "filemark");
  for (std::uint64_t i = 0; i < 10; ++i)
    client.want(read_block(drive, 65536).data == pattern(65536, seed + i), "read");
  client.want(read_block(drive, 65536).filemark(), "filemark is not there");
}

}  // namespace

TEST_CASE("cartridges go from thread to thread while drives write and read") {
  ThreeThreads library;
  std::atomic<bool> stop{false};
  std::vector<std::unique_ptr<Client>> clients;
  for (int n = 1; n <= 7; ++n) {
    auto drive = std::make_shared<Initiator>(library.load(n));
    clients.push_back(std::make_unique<Client>([drive, n, &stop](Client& client) {
      for (std::uint64_t round = 0; !stop; ++round)
        write_and_read(client, *drive, round * 100 + static_cast<std::uint64_t>(n));
      client.want(drive->logout(), "logout");
    }));
  }
  Initiator changer = library.attach_changer();
  // One cartridge through drives on all three threads, and what was written in each is there in the
  // next.
  int place = kFirstSlot + 7;
  for (std::uint64_t round = 0; round < 4; ++round) {
    for (int n = 8; n <= 10; ++n) {
      CAPTURE(round, n);
      REQUIRE(move_medium(changer, place, kFirstDrive + n - 1).good());
      place = kFirstDrive + n - 1;
      Initiator drive = library.attach_drive(n);
      REQUIRE(drive.wait_ready().good());
      const std::uint64_t written = round * 3 + static_cast<std::uint64_t>(n - 8);
      for (std::uint64_t i = 0; i < written; ++i)
        CHECK(read_block(drive, 30000).data == pattern(30000, i));
      CHECK(write_block(drive, pattern(30000, written)).good());
      CHECK(drive.logout());
    }
    const auto shown = vtl_json({"library", "show", "--data", library.daemon.data()});
    int loaded = 0;
    for (const auto& element : shown["elements"])
      if (element.contains("drive") && element["drive"]["loaded"] == true) ++loaded;
    CHECK(loaded == 8);
    REQUIRE(move_medium(changer, place, kFirstSlot + 7).good());
    place = kFirstSlot + 7;
  }
  stop = true;
  CHECK(join(clients) == "");
  CHECK(library.daemon.stop() == 0);
}

TEST_CASE("drives are added on every thread while hosts write, and stay") {
  ThreeThreads library;
  const std::string data = library.daemon.data();
  std::atomic<bool> stop{false};
  std::vector<std::unique_ptr<Client>> clients;
  for (int n = 1; n <= 3; ++n) {
    auto drive = std::make_shared<Initiator>(library.load(n));
    clients.push_back(std::make_unique<Client>([drive, n, &stop](Client& client) {
      for (std::uint64_t round = 0; !stop; ++round)
        write_and_read(client, *drive, round * 100 + static_cast<std::uint64_t>(n));
      client.want(drive->logout(), "logout");
    }));
  }
  Initiator changer = library.attach_changer();
  const auto before = Initiator::discover(library.daemon.portal());
  CHECK(before.size() == 11);
  const auto serial_of = [](Initiator& device) {
    return device.in({0x12, 1, 0x80, 0, 0xFF, 0}, 255).data;
  };
  const ByteString changer_serial = serial_of(changer);

  const Ended refused = run_vtl({"library", "grow", "--drives", "501", "--data", data});
  CHECK(refused.code == 1);
  CHECK(refused.err.find("491 drives cannot be added while the server runs") != std::string::npos);
  CHECK(run_vtl({"library", "grow", "--drives", "9", "--data", data}).code == 1);
  CHECK(changer.none({0, 0, 0, 0, 0, 0}).good());
  const Ended grown =
      run_vtl({"library", "grow", "--drives", "13", "--generation", "9", "--data", data});
  CHECK(grown.err == "");
  REQUIRE(grown.code == 0);
  CHECK(grown.out.find("228 slots, 20 import/export slots, 13 drives\ndrive-11  LTO-9  ") == 0);

  CHECK(changer.none({0, 0, 0, 0, 0, 0}).sense_code() == "6/2A/01");
  CHECK(changer.none({0, 0, 0, 0, 0, 0}).sense_code() == "6/28/00");
  CHECK(changer.none({0, 0, 0, 0, 0, 0}).good());
  CHECK(serial_of(changer) == changer_serial);
  const auto after = Initiator::discover(library.daemon.portal());
  REQUIRE(after.size() == 14);
  CHECK(std::equal(before.begin(), before.end(), after.begin()));
  CHECK(changer.in({0x1A, 8, 0x1D, 0, 0xFF, 0}, 255).data.at(21) == 13);

  // Element status names the new drives as they name themselves, and each takes a cartridge.
  std::vector<ByteString> serials;
  for (int n = 11; n <= 13; ++n) {
    CAPTURE(n);
    const int element = kFirstDrive + n - 1;
    CHECK(library.daemon.drive(n) == after.at(static_cast<std::size_t>(n)).first);
    const CommandResult status =
        changer.in({0xB8, 4, element >> 8, element & 0xFF, 0, 1, 1, 0, 0x10, 0, 0, 0}, 4096);
    REQUIRE(status.data.size() == 16 + 50);
    Initiator drive = library.attach_drive(n);
    CHECK(std::string(status.data.begin() + 32, status.data.begin() + 56) ==
          "IBM     ULT3580-TD9     ");
    serials.push_back(serial_of(drive));
    CHECK(std::equal(serials.back().begin() + 4, serials.back().end(), status.data.begin() + 56,
                     status.data.end()));
    REQUIRE(move_medium(changer, kFirstSlot + n, element).good());
    REQUIRE(drive.wait_ready().good());
    CHECK(write_block(drive, pattern(100000, static_cast<std::uint64_t>(n))).good());
    CHECK(write_filemarks(drive, 1).good());
  }
  stop = true;
  CHECK(join(clients) == "");

  // A kill, and everything is where it was.
  CHECK(library.daemon.stop(9) == 128 + 9);
  library.daemon.start();
  for (int n = 11; n <= 13; ++n) {
    CAPTURE(n);
    Initiator drive = library.attach_drive(n);
    CHECK(serial_of(drive) == serials.at(static_cast<std::size_t>(n - 11)));
    REQUIRE(drive.wait_ready().good());
    CHECK(read_block(drive, 100000).data == pattern(100000, static_cast<std::uint64_t>(n)));
  }
  CHECK(library.daemon.stop() == 0);
}

TEST_CASE("what a host forbids on one thread the changer knows on another") {
  ThreeThreads library;
  for (const int n : {1, 2, 3}) {
    Initiator drive = library.load(n);
    Initiator changer = library.attach_changer();
    // The access bit of the drive's element descriptor (READ ELEMENT STATUS, SMC-3 6.14).
    const auto accessible = [&] {
      const CommandResult status =
          changer.in({0xB8, 4, 0x01, 0xF4 + n - 1, 0, 1, 0, 0, 0x10, 0, 0, 0}, 4096);
      REQUIRE(status.good());
      return (status.data.at(8 + 8 + 2) & 0x08) != 0;
    };
    for (int round = 0; round < 50; ++round) {
      CAPTURE(n, round);
      REQUIRE(drive.none({0x1E, 0, 0, 0, 1, 0}).good());
      CHECK(!accessible());
      REQUIRE(drive.none({0x1E, 0, 0, 0, 0, 0}).good());
      CHECK(accessible());
    }
    REQUIRE(drive.none({0x1E, 0, 0, 0, 1, 0}).good());
    CHECK(move_medium(changer, kFirstDrive + n - 1, kFirstSlot + n - 1).sense_code() == "5/53/02");
    CHECK(drive.logout());
    CHECK(move_medium(changer, kFirstDrive + n - 1, kFirstSlot + n - 1).good());
    CHECK(changer.logout());
  }
}

TEST_CASE("a stop while hosts on every thread write") {
  ThreeThreads library;
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<std::atomic<std::uint64_t>> written(6);
  for (int n = 1; n <= 6; ++n) {
    auto drive = std::make_shared<Initiator>(library.load(n));
    clients.push_back(std::make_unique<Client>([drive, &count = written[n - 1]](Client&) {
      while (write_block(*drive, pattern(20000, count)).good()) ++count;
    }));
  }
  while (written[5] < 20) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto begun = Clock::now();
  CHECK(library.daemon.stop() == 0);
  CHECK(Clock::now() - begun < std::chrono::seconds(20));
  CHECK(join(clients) == "");
  // On one thread again: what was acknowledged is there.
  library.daemon.start({"--threads", "1"});
  for (int n = 1; n <= 6; ++n) {
    CAPTURE(n);
    Initiator drive = library.attach_drive(n);
    REQUIRE(drive.wait_ready().good());
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i < written[n - 1]; ++i)
      if (read_block(drive, 20000).data != pattern(20000, i)) ++wrong;
    CHECK(wrong == 0);
  }
}

TEST_CASE("a second signal ends it at once, and says what may be lost") {
  ThreeThreads library;
  Initiator drive = library.load(1);
  REQUIRE(write_block(drive, pattern(100000, 1)).good());
  ::kill(library.daemon.pid(), SIGTERM);
  const int code = library.daemon.stop(SIGTERM);
  CHECK((code == 6 || code == 0));  // 0: it was faster
}

TEST_CASE("failed logins slow down their address on every thread") {
  ThreeThreads library([](std::string& yaml) {
    replace_in(yaml, "\naccess:\n",
               "\naccess:\n  accounts:\n    - {user: backup01, secret: \"correct-horse-b\"}\n");
    replace_in(yaml, "  targets:\n    #chap: false\n", "  targets:\n    chap: true\n");
  });
  LoginOptions options;
  options.user = "backup01";
  options.password = "wrong-horse-bb";
  const auto begun = Clock::now();
  for (const int n : {1, 2, 3}) {
    Initiator wrong(options);
    CHECK(wrong.login(library.daemon.portal(), library.daemon.drive(n)) != "");
  }
  CHECK(Clock::now() - begun > std::chrono::milliseconds(1700));  // 250, 500 and 1000
  options.password = "correct-horse-b";
  Initiator right(options);
  CHECK(right.login(library.daemon.portal(), library.daemon.drive(1)) == "");
}

TEST_CASE("the limits of connections hold over all threads") {
  ThreeThreads library([](std::string& yaml) {
    replace_in(yaml, "#max_connections: 256", "max_connections: 5");
    replace_in(yaml, "#max_connections_per_address: 64", "max_connections_per_address: 2");
  });
  std::vector<std::unique_ptr<Initiator>> sessions;
  for (int n = 1; n <= 5; ++n) {
    sessions.push_back(std::make_unique<Initiator>());
    REQUIRE(sessions.back()->login(library.daemon.portal(), library.daemon.drive(n)) == "");
  }
  {
    RawConnection sixth(library.daemon.port());
    CHECK(sixth.closed_within(5000));
  }
  REQUIRE(sessions.back()->logout());
  sessions.clear();
  // The ends reach the thread that accepts in their own time.
  const auto limit = Clock::now() + std::chrono::seconds(20);
  bool free = false;
  while (!free && Clock::now() < limit) {
    RawConnection one(library.daemon.port()), two(library.daemon.port());
    free = one.silent_for(200) && two.silent_for(200);
    if (!free) continue;
    RawConnection three(library.daemon.port());  // of this address, and not logged in
    CHECK(three.closed_within(5000));
  }
  CHECK(free);
}

TEST_CASE("a command right behind the login") {
  ThreeThreads library;
  for (const int n : {1, 2, 3}) {
    CAPTURE(n);
    RawConnection raw(library.daemon.port());
    Header login(0x43, 0x87);
    login.set8(8, 0x80).set32(16, 1).set32(24, 1);
    ByteString bytes = login.bytes;
    const ByteString keys = RawConnection::keys(
        {"InitiatorName=iqn.2026-11.local.test:raw", "TargetName=" + library.daemon.drive(n)});
    bytes[7] = static_cast<std::uint8_t>(keys.size());
    bytes.insert(bytes.end(), keys.begin(), keys.end());
    bytes.resize((bytes.size() + 3) / 4 * 4);
    Header inquiry(0x01, 0xC0);
    inquiry.set32(16, 2).set32(20, 36).set32(24, 1).set8(32, 0x12).set8(36, 36);
    bytes.insert(bytes.end(), inquiry.bytes.begin(), inquiry.bytes.end());
    REQUIRE(raw.send(bytes));
    const auto logged_in = raw.receive();
    REQUIRE(logged_in);
    CHECK(logged_in->opcode() == 0x23);
    CHECK(logged_in->header.at(36) == 0);
    const auto answer = raw.receive();
    REQUIRE(answer);
    CHECK(answer->opcode() == 0x25);
    CHECK(answer->data.size() == 36);
  }
}

TEST_CASE("as many threads as are wanted, within reason") {
  TempDir dir;
  const std::string data = dir / "library";
  REQUIRE(run_vtl({"init", "--data", data, "--drives", "2"}).code == 0);
  const std::string listen = "127.0.0.1:" + std::to_string(free_port());
  const Ended none = run_vtl({"serve", "--data", data, "--listen", listen, "--threads", "0"});
  CHECK(none.code == 2);
  CHECK(none.err.find("--threads: found \"0\"") != std::string::npos);
  const Ended many = run_vtl({"serve", "--data", data, "--listen", listen, "--threads", "4"});
  CHECK(many.code == 2);
  CHECK(many.err.find("1 to 3") != std::string::npos);
  Daemon daemon(data);
  daemon.start({"--threads", "3"});  // one for each device
  CHECK(daemon.log().find("3 devices on 3 threads") != std::string::npos);
  CHECK(Initiator::attach(daemon.portal(), daemon.drive(2)).in({0x12, 0, 0, 0, 36, 0}, 36).good());
  CHECK(daemon.stop() == 0);
}
