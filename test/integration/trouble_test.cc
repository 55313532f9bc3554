// Trouble around the server: each has a clear message or its defined sense, and harms nobody else.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <thread>

#include "library.h"

namespace {

// Of the first line that has this in it.
std::string line_of(const std::string& text, const std::string& part) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(text.find(part));
  return std::to_string(1 + std::count(text.begin(), end, '\n'));
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string any_port() { return "127.0.0.1:" + std::to_string(free_port()); }

// The largest file of a cartridge: its first segment.
std::string segment_of(const std::string& data, const std::string& barcode) {
  std::string largest;
  std::uintmax_t size = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(data + "/pool/carts/" + barcode)) {
    if (entry.is_regular_file() && entry.file_size() > size) {
      size = entry.file_size();
      largest = entry.path();
    }
  }
  return largest;
}

nlohmann::json alerts(const std::string& data) {
  return vtl_json({"library", "alerts", "--data", data})["alerts"];
}

}  // namespace

TEST_CASE("a second server, and a command beside a kill") {
  Library library;
  const Ended second = run_vtl({"serve", "--data", library.daemon.data(), "--listen", any_port()});
  CHECK(second.code == 4);
  CHECK(has(second.err, std::to_string(library.daemon.pid())));
  // A kill leaves lock file and socket behind; neither is in the way.
  library.daemon.stop(9);
  CHECK(run_vtl({"library", "show", "--data", library.daemon.data()}).code == 0);
  library.daemon.start();
  CHECK(run_vtl({"library", "show", "--data", library.daemon.data()}).code == 0);
  CHECK(library.daemon.stop() == 0);
}

TEST_CASE("two libraries that name the same pool") {
  Library library;
  const std::string pool = library.daemon.data() + "/pool";
  const std::string other = library.dir / "other";
  REQUIRE(run_vtl({"init", "--data", other, "--cartridges", "1"}).code == 0);
  const std::string own = read_text(other + "/vtl.yaml");
  std::string yaml = own;
  replace_in(yaml, "#pool: pool", "pool: " + pool);
  write_text(other + "/vtl.yaml", yaml);
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"serve", "--listen", any_port()},
        {"library", "show"},
        {"cartridge", "delete", "VTL001L8"}}) {
    CAPTURE(command[0]);
    std::vector<std::string> all = command;
    all.insert(all.end(), {"--data", other});
    const Ended refused = run_vtl(all);
    CHECK(refused.code == 4);
    CHECK(has(refused.err, "pool " + pool + " is in use"));
    CHECK(has(refused.err, "pid " + std::to_string(library.daemon.pid())));
    CHECK(has(refused.err, library.daemon.data()));
    CHECK(has(refused.err, other + "/vtl.yaml:" + line_of(yaml, "pool: ") + ": storage.pool: "));
  }
  // The pool's own library is served and managed on, and alone again afterwards.
  CHECK(run_vtl({"library", "show", "--data", library.daemon.data()}).code == 0);
  CHECK(library.daemon.stop() == 0);
  CHECK(run_vtl({"library", "show", "--data", library.daemon.data()}).code == 0);
  CHECK(run_vtl({"library", "show", "--data", other}).code == 0);
  // A folder that is no pool is left as it is.
  yaml = own;
  replace_in(yaml, "#pool: pool", "pool: " + other);
  write_text(other + "/vtl.yaml", yaml);
  const Ended no_pool = run_vtl({"library", "show", "--data", other});
  CHECK(no_pool.code == 3);
  CHECK(has(no_pool.err, other + " is no pool"));
  CHECK(run_vtl({"config", "check", "--data", other}).code == 3);
  CHECK_FALSE(std::filesystem::exists(other + "/LOCK"));
}

TEST_CASE("every move is in the server's log: what, from, to, for whom, and why not") {
  Library library;
  const std::string& data = library.daemon.data();
  library.load(1);
  REQUIRE(run_vtl({"library", "move", "VTL001L8", "slot-1", "--data", data}).code == 0);
  REQUIRE(run_vtl({"library", "move", "slot-2", "ie-1", "--data", data}).code == 0);
  REQUIRE(run_vtl({"library", "move", "VTL002L8", "outside", "--data", data}).code == 0);
  REQUIRE(run_vtl({"library", "move", "VTL002L8", "slot-2", "--data", data}).code == 0);
  std::filesystem::remove(data + "/pool/carts/VTL003L8/CART");
  {
    Initiator changer = library.attach_changer();
    CHECK(move_medium(changer, kFirstSlot + 2, kFirstDrive + 2).sense_code() == "4/53/00");
  }
  const std::string log = library.daemon.log();
  for (const char* line :
       {"info    moved VTL001L8 from slot-1 to drive-1, for iqn.2026-11.local.test:initiator",
        "info    moved VTL001L8 from drive-1 to slot-1, for a command",
        "info    moved VTL002L8 from slot-2 to ie-1, for a command",
        "info    moved VTL002L8 from ie-1 to outside, for a command",
        "info    moved VTL002L8 from outside to slot-2, for a command",
        "warning not moved: VTL003L8 from slot-3 to drive-3, for "
        "iqn.2026-11.local.test:initiator: the drive did not take the cartridge"}) {
    CAPTURE(line);
    CHECK(has(log, line));
  }
}

TEST_CASE("library show says what a drive does with its cartridge") {
  Library library;
  const std::string& data = library.daemon.data();
  const auto state = [&](int number) {
    const auto shown = vtl_json({"library", "show", "--data", data});
    for (const auto& element : shown["elements"])
      if (element["name"] == "drive-" + std::to_string(number))
        return element["drive"]["state"].get<std::string>();
    return std::string();
  };
  Initiator drive = library.load(1);
  CHECK(state(1) == "loaded");
  CHECK(state(2) == "empty");
  REQUIRE(drive.none({0x1B, 0, 0, 0, 0, 0}).good());  // UNLOAD
  CHECK(state(1) == "unloaded");
  REQUIRE(drive.none({0x1B, 0, 0, 0, 1, 0}).good());  // LOAD
  CHECK(state(1) == "loaded");
}

TEST_CASE("a cartridge that cannot be loaded is an alert, with drive and reason, until it can") {
  // The scrub would find it as well, and say so.
  Library library({},
                  [](std::string& yaml) { replace_in(yaml, "#scrub_days: 30", "scrub_days: 0"); });
  const std::string& data = library.daemon.data();
  const std::string cart = data + "/pool/carts/VTL003L8/CART";
  const std::string label = read_text(cart);
  const auto move = [&](const std::string& from, const std::string& to) {
    return run_vtl({"library", "move", from, to, "--data", data});
  };
  SECTION("no label, and no segment that says what it is") {
    std::filesystem::remove(cart);
    CHECK(has(move("VTL003L8", "drive-3").err, cart));
    const nlohmann::json found = alerts(data);
    REQUIRE(found.size() == 1);
    CHECK(found[0]["cause"] == "load-failed");
    CHECK(found[0]["barcode"] == "VTL003L8");
    CHECK(has(found[0]["text"], "VTL003L8 cannot be loaded in drive 3 (element 502): "));
    CHECK(has(library.daemon.log(), found[0]["text"]));
    CHECK(has(run_vtl({"cartridge", "list", "--data", data}).out, "CANNOT BE READ"));
    write_text(cart, label);
    CHECK(move("VTL003L8", "drive-3").code == 0);
    CHECK(alerts(data).empty());
  }
  SECTION("both copies of the label are damaged, while no server runs") {
    REQUIRE(library.daemon.stop() == 0);
    write_text(cart, std::string(label.size(), 'x'));
    CHECK(run_vtl({"cartridge", "verify", "VTL003L8", "--data", data}).code == 1);
    CHECK(move("VTL003L8", "drive-3").code == 1);
    library.daemon.start();
    CHECK(move("VTL003L8", "drive-3").code == 1);
    CHECK(alerts(data)[0]["cause"] == "load-failed");
  }
  SECTION("of a generation that the drive cannot use") {
    REQUIRE(run_vtl({"cartridge", "create", "NEW001L9", "--data", data}).code == 0);
    const Ended moved = move("NEW001L9", "drive-3");
    CHECK(moved.code == 0);
    CHECK(has(moved.err, "LTO-8 drives cannot read a cartridge of generation 9"));
    CHECK(has(run_vtl({"library", "show", "--data", data}).out, "CANNOT USE ITS CARTRIDGE"));
    CHECK(alerts(data)[0]["place"] == "drive-3");
    CHECK(has(library.daemon.log(), "moved NEW001L9 from slot-21 to drive-3, where it cannot be"));
    REQUIRE(move("NEW001L9", "slot-40").code == 0);
    CHECK(alerts(data)[0]["place"] == "slot-40");  // where it is now
    CHECK(alerts(data)[0]["raised_in"] == "drive-3");
  }
}

TEST_CASE("the control socket is for the server's user only") {
  Library library;
  struct stat info {};
  REQUIRE(::stat((library.daemon.data() + "/control.sock").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("a data directory with a long name") {
  TempDir dir;
  const std::string data = dir / std::string(150, 'd');
  REQUIRE(run_vtl({"init", "--data", data}).code == 0);
  Daemon daemon(data);
  daemon.start();
  CHECK(run_vtl({"library", "show", "--data", data}).code == 0);
  CHECK(vtl_json({"cartridge", "list", "--data", data})["cartridges"].size() == 20);
  CHECK(daemon.stop() == 0);
}

TEST_CASE("the port is taken") {
  Library first;
  TempDir dir;
  const std::string data = dir / "other";
  REQUIRE(run_vtl({"init", "--data", data}).code == 0);
  const Ended second = run_vtl({"serve", "--data", data, "--listen", first.daemon.portal()});
  CHECK(second.code == 1);
  CHECK(has(second.err, first.daemon.portal()));
  CHECK(has(second.err, "in use"));
}

TEST_CASE("directories that are no library") {
  TempDir dir;
  const Ended missing = run_vtl({"serve", "--data", dir / "nothing", "--listen", any_port()});
  CHECK(missing.code != 0);
  CHECK(has(missing.err, "vtl init"));
  const Ended empty = run_vtl({"serve", "--data", dir.path(), "--listen", any_port()});
  CHECK(empty.code == 3);
  CHECK(has(empty.err, "vtl.yaml"));
  CHECK(std::filesystem::is_empty(dir.path()));
}

TEST_CASE("a directory that this user may not read") {
  TempDir dir;
  const std::string data = dir / "library";
  REQUIRE(run_vtl({"init", "--data", data}).code == 0);
  REQUIRE(::chmod(dir.path().c_str(), 0755) == 0);
  if (::geteuid() != 0) REQUIRE(::chmod(data.c_str(), 0) == 0);
  const Ended ended = run_vtl_unprivileged({"serve", "--data", data, "--listen", any_port()});
  if (::geteuid() != 0) ::chmod(data.c_str(), 0700);
  CHECK(ended.code == 1);
  CHECK(has(ended.err, data));
  CHECK(has(ended.err, "Permission denied"));
}

TEST_CASE("damaged YAML names file, line and key, and nothing starts") {
  TempDir dir;
  const std::string data = dir / "library";
  REQUIRE(run_vtl({"init", "--data", data}).code == 0);
  std::string yaml = read_text(data + "/vtl.yaml");
  SECTION("an unknown key") {
    replace_in(yaml, "#max_burst_length: ", "max_brust_length: 1MiB\n  #max_burst_length: ");
    write_text(data + "/vtl.yaml", yaml);
    const Ended ended = run_vtl({"serve", "--data", data, "--listen", any_port()});
    CHECK(ended.code == 3);
    CHECK(has(ended.err, "max_brust_length"));
    CHECK(has(ended.err, "vtl.yaml:"));
    CHECK(run_vtl({"config", "check", "--data", data}).code == 3);
    CHECK(run_vtl({"library", "show", "--data", data}).code == 3);
  }
  SECTION("no YAML at all") {
    write_text(data + "/vtl.yaml", "library: [\n  {{{\n");
    const Ended ended = run_vtl({"serve", "--data", data, "--listen", any_port()});
    CHECK(ended.code == 3);
    CHECK(has(ended.err, "vtl.yaml"));
  }
  SECTION("a pool that is not there") {
    replace_in(yaml, "#pool: pool", "pool: elsewhere");
    write_text(data + "/vtl.yaml", yaml);
    const Ended ended = run_vtl({"serve", "--data", data, "--listen", any_port()});
    CHECK(ended.code == 3);
    CHECK(has(ended.err, "/vtl.yaml:" + line_of(yaml, "pool: ") + ": storage.pool: cannot open"));
    CHECK(has(ended.err, data + "/elsewhere"));
  }
  SECTION("a value out of range") {
    replace_in(yaml, "#command_window: 32", "command_window: 0");
    write_text(data + "/vtl.yaml", yaml);
    const Ended ended = run_vtl({"config", "check", "--data", data});
    CHECK(ended.code == 3);
    CHECK(has(ended.err, "command_window"));
  }
}

TEST_CASE("other machines need CHAP, or a configuration that says otherwise") {
  TempDir dir;
  const std::string data = dir / "library";
  REQUIRE(run_vtl({"init", "--data", data}).code == 0);
  const std::string everywhere = "0.0.0.0:" + std::to_string(free_port());
  const Ended refused = run_vtl({"serve", "--data", data, "--listen", everywhere});
  CHECK(refused.code == 3);
  CHECK(has(refused.err, "CHAP"));
  CHECK(has(refused.err, "allow_insecure_listen"));
}

TEST_CASE("a damaged block is a medium error; its neighbours can be read") {
  Library library;
  const std::string& data = library.daemon.data();
  {
    Initiator drive = library.load(1);
    for (std::uint64_t i = 0; i < 20; ++i) {
      REQUIRE(write_block(drive, pattern(50000, i)).good());
    }
    REQUIRE(write_filemarks(drive, 1).good());
  }
  REQUIRE(library.daemon.stop() == 0);
  const std::string segment = segment_of(data, "VTL001L8");
  std::string bytes = read_text(segment);
  // Inside of the eleventh record's data, wherever headers and alignment put it.
  const ByteString eleventh = pattern(50000, 10);
  const std::size_t at = bytes.find(std::string(eleventh.begin(), eleventh.begin() + 64));
  REQUIRE(at != std::string::npos);
  bytes[at + 1000] = static_cast<char>(bytes[at + 1000] ^ 0x40);
  write_text(segment, bytes);

  const Ended verified = run_vtl({"cartridge", "verify", "VTL001L8", "VTL002L8", "--data", data});
  CHECK(verified.code == 5);
  CHECK(has(verified.out, "VTL002L8: 0 blocks"));
  CHECK(has(verified.out, "lost: partition 0, object 10, 1 objects"));
  // Repair cannot bring it back, says so, and takes nothing else away.
  const Ended repaired = run_vtl({"cartridge", "repair", "VTL001L8", "--data", data});
  CHECK(repaired.code == 5);
  CHECK(has(repaired.out, "VTL001L8: 19 blocks"));
  CHECK(has(repaired.out, "lost: partition 0, object 10, 1 objects"));

  library.daemon.start();
  Initiator drive = library.attach_drive(1);
  REQUIRE(drive.wait_until_ready().good());
  CHECK(run_vtl({"cartridge", "repair", "VTL001L8", "--data", data}).code == 1);  // in a drive
  for (std::uint64_t i = 0; i < 20; ++i) {
    CAPTURE(i);
    const CommandResult read = read_block(drive, 50000);
    if (i == 10) {
      CHECK(read.sense_code() == "3/11/00");
    } else {
      CHECK(read.data == pattern(50000, i));
    }
  }
  CHECK(read_block(drive, 100).filemark());

  // The read and the verify before it have left their alerts.
  const nlohmann::json found = alerts(data);
  REQUIRE(found.size() == 2);
  CHECK(found[0]["cause"] == "damaged");
  CHECK(found[1]["cause"] == "read-failed");
  CHECK(found[1]["barcode"] == "VTL001L8");
  CHECK(found[1]["place"] == "drive-1");
  CHECK(has(found[1]["text"], "object 10 cannot be read"));
  CHECK(has(run_vtl({"library", "show", "--data", data}).out, "object 10 cannot be read"));
  CHECK(has(run_vtl({"cartridge", "show", "VTL001L8", "--data", data}).out, "DAMAGED"));
  CHECK(has(run_vtl({"library", "alerts", "--clear", "--data", data}).out, "2 alerts cleared"));
  CHECK(alerts(data).empty());
}

TEST_CASE("the background scrub finds damage in a slot and says so; verify finds it mended") {
  Library library;
  const std::string& data = library.daemon.data();
  {
    Initiator drive = library.load(1);
    for (std::uint64_t i = 0; i < 20; ++i) REQUIRE(write_block(drive, pattern(50000, i)).good());
    REQUIRE(write_filemarks(drive, 1).good());
  }
  REQUIRE(run_vtl({"library", "move", "drive-1", "slot-1", "--data", data}).code == 0);
  REQUIRE(library.daemon.stop() == 0);
  const std::string segment = segment_of(data, "VTL001L8");
  const std::string whole = read_text(segment);
  std::string bytes = whole;
  bytes[300'000] = static_cast<char>(bytes[300'000] ^ 0x40);
  write_text(segment, bytes);
  std::filesystem::remove(data + "/scrub.json");  // it was read already, maybe

  library.daemon.start();
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  while (alerts(data).empty() && std::chrono::steady_clock::now() < limit)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const nlohmann::json found = alerts(data);
  REQUIRE(found.size() == 1);
  CHECK(found[0]["cause"] == "damaged");
  CHECK(found[0]["barcode"] == "VTL001L8");
  CHECK(found[0]["place"] == "slot-1");
  CHECK(has(found[0]["text"], segment.substr(segment.rfind('/'))));
  const nlohmann::json shown = vtl_json({"cartridge", "show", "VTL001L8", "--data", data});
  CHECK(shown["scrub"]["damage"].size() == 1);
  CHECK(has(run_vtl({"cartridge", "list", "--data", data}).out, "DAMAGED"));
  CHECK(has(run_vtl({"library", "show", "--data", data}).out, "1 DAMAGED"));

  write_text(segment, whole);
  CHECK(run_vtl({"cartridge", "verify", "VTL001L8", "--data", data}).code == 0);
  CHECK(alerts(data).empty());
  // It is kept over a stop, and the alert of damage as well.
  write_text(segment, bytes);
  CHECK(run_vtl({"cartridge", "verify", "VTL001L8", "--data", data}).code == 5);
  REQUIRE(library.daemon.stop() == 0);
  REQUIRE(alerts(data).size() == 1);
  CHECK(alerts(data)[0]["cause"] == "damaged");
  CHECK(run_vtl({"library", "alerts", "--data", data}).err.empty());
  const Ended again = run_vtl({"cartridge", "verify", "VTL001L8", "--data", data});
  CHECK(again.code == 5);
  CHECK(again.err.empty());  // it does not tell to run itself
  write_text(segment, whole);
  library.daemon.start();
  CHECK(run_vtl({"cartridge", "verify", "VTL001L8", "--data", data}).code == 0);
  REQUIRE(library.daemon.stop() == 0);
  const nlohmann::json later = vtl_json({"cartridge", "show", "VTL001L8", "--data", data});
  CHECK(later["scrub"]["damage"].empty());
}

TEST_CASE("a cartridge whose label is gone harms no other") {
  Library library;
  const std::string& data = library.daemon.data();
  REQUIRE(library.daemon.stop() == 0);
  const std::string cart = data + "/pool/carts/VTL003L8";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(cart)) {
    if (entry.is_regular_file()) {
      std::string bytes = read_text(entry.path());
      std::fill(bytes.begin(), bytes.end(), '\x5a');
      write_text(entry.path(), bytes);
    }
  }
  library.daemon.start();
  Initiator other = library.load(1);
  CHECK(write_block(other, pattern(1000, 1)).good());
  Initiator changer = library.attach_changer();
  const CommandResult moved = move_medium(changer, kFirstSlot + 2, kFirstDrive + 2);
  if (moved.good()) {
    Initiator drive = library.attach_drive(3);
    const std::string sense = drive.clear_unit_attentions().sense_code();
    CHECK((sense == "3/31/00" || sense == "3/30/02" || sense.substr(0, 2) == "2/"));
  } else {
    CHECK(moved.sense_code().substr(0, 2) == "4/");
  }
  CHECK(run_vtl({"cartridge", "list", "--data", data}).code == 0);
  CHECK(write_block(other, pattern(1000, 2)).good());
}

TEST_CASE("a damaged journal is not guessed over") {
  Library library;
  REQUIRE(library.daemon.stop() == 0);
  const std::string journal = library.daemon.data() + "/journal";
  std::string bytes = read_text(journal);
  for (std::size_t i = 0; i < bytes.size(); i += 3) bytes[i] = '\x77';
  write_text(journal, bytes);
  const Ended ended = run_vtl({"serve", "--data", library.daemon.data(), "--listen", any_port()});
  CHECK(ended.code == 1);
  CHECK(has(ended.err, "journal"));
}

TEST_CASE("the disk is full", "[bulk]") {
  if (::geteuid() != 0) {
    FAIL("needs root, to mount a small file system");
  }
  TempDir dir;
  const std::string mount_point = dir / "small";
  REQUIRE(::mkdir(mount_point.c_str(), 0700) == 0);
  REQUIRE(::mount("tmpfs", mount_point.c_str(), "tmpfs", 0, "size=300m") == 0);
  {
    const std::string data = mount_point + "/library";
    REQUIRE(run_vtl({"init", "--data", data}).code == 0);
    Daemon daemon(data);
    daemon.start();
    {
      Initiator changer = Initiator::attach(daemon.portal(), daemon.changer());
      REQUIRE(move_medium(changer, kFirstSlot, kFirstDrive).good());
      REQUIRE(move_medium(changer, kFirstSlot + 1, kFirstDrive + 1).good());
    }
    Initiator drive = Initiator::attach(daemon.portal(), daemon.drive(1));
    const ByteString block = pattern(1u << 20, 3);
    bool warned = false;
    CommandResult result;
    int written = 0;
    for (; written < 400; ++written) {
      result = write_block(drive, block);
      if (result.sense_code() == "0/00/02") {
        warned = true;
      } else if (!result.good()) {
        break;
      }
    }
    INFO("after " << written << " blocks: " << result.sense_code());
    CHECK(warned);  // early warning comes first
    CHECK(written < 300);
    CHECK((result.sense_code() == "D/00/02" || result.sense_code() == "3/0C/00"));
    // Everything that was acknowledged is there.
    REQUIRE(rewind_tape(drive).good());
    for (int i = 0; i < written; ++i) REQUIRE(read_block(drive, block.size()).data == block);
    // Another drive answers, and the library can still move cartridges.
    Initiator other = Initiator::attach(daemon.portal(), daemon.drive(2));
    CHECK(other.none({0, 0, 0, 0, 0, 0}).good());
    other.logout();
    CHECK(run_vtl({"library", "move", "drive-2", "slot-2", "--data", data}).code == 0);
    // Overwriting from the beginning gives the space back.
    REQUIRE(rewind_tape(drive).good());
    CHECK(drive.none({0x19, 0, 0, 0, 0, 0}).good());
    drive.logout();
    CHECK(daemon.stop() == 0);
  }
  CHECK(::umount2(mount_point.c_str(), MNT_DETACH) == 0);
}

TEST_CASE("a stop while hosts write is orderly and bounded", "[bulk]") {
  Library library;
  Initiator drive = library.load(1);
  for (std::uint64_t i = 0; i < 100; ++i) {
    REQUIRE(write_block(drive, pattern(262144, i)).good());
  }
  const auto begun = std::chrono::steady_clock::now();
  CHECK(library.daemon.stop() == 0);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(20));
  CHECK(!std::filesystem::exists(library.daemon.data() + "/control.sock"));
  const auto shown = vtl_json({"cartridge", "show", "VTL001L8", "--data", library.daemon.data()});
  CHECK(shown["clean"] == true);
  CHECK(shown["partitions"][0]["objects"] == 100);
}
