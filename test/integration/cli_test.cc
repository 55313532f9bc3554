// The command line: what it makes, shows, refuses, and ends with.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <thread>

#include "library.h"

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Directory {
  Directory() {
    const Ended made = run_vtl({"init", "--data", data});
    REQUIRE(made.code == 0);
  }
  TempDir dir;
  std::string data = dir / "library";
};

}  // namespace

TEST_CASE("version, help and usage") {
  CHECK(has(run_vtl({"--version"}).out, "vtl "));
  CHECK(has(run_vtl({"--help"}).out, "Exit status"));
  CHECK(run_vtl({}).code == 2);
  CHECK(run_vtl({"frobnicate"}).code == 2);
  CHECK(run_vtl({"cartridge", "create", "ABC123L8", "--capacity", "lots", "--data", "/x"}).code ==
        2);
  CHECK(run_vtl({"library", "show", "--data", ""}).code == 2);
  const Ended no_data = run_vtl({"library", "show"});
  CHECK(no_data.code == 2);
  CHECK(has(no_data.err, "vtl: --data is required"));
  CHECK(has(run_vtl({"init", "--help"}).out, " spectrum-protect"));
  CHECK(has(run_vtl({"cartridge", "export", "--help"}).out, " directory "));
}

TEST_CASE("commands leave no core dump, in which there could be secrets") {
  // Held up where it prints, at a pipe that is full. What may not be dumped has its entries in
  // /proc owned by root (proc(5)), so it runs as somebody else.
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  REQUIRE(::fcntl(pipe[1], F_SETPIPE_SZ, 4096) == 4096);
  const std::string full(4096, '.');
  REQUIRE(::write(pipe[1], full.data(), full.size()) == 4096);
  const std::string binary = vtl_binary();
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe[1], 1);
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(126);
    ::execl(binary.c_str(), binary.c_str(), "profile", "list", nullptr);
    ::_exit(127);
  }
  const std::string proc = "/proc/" + std::to_string(child);
  for (int i = 0; i < 1000 && !has(read_text(proc + "/stat"), "(vtl) S"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(has(read_text(proc + "/stat"), "(vtl) S"));
  struct stat of_environment {};
  CHECK(::stat((proc + "/environ").c_str(), &of_environment) == 0);
  CHECK(of_environment.st_uid != (::geteuid() == 0 ? 65534 : ::geteuid()));
  ::close(pipe[0]);
  ::close(pipe[1]);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("warnings of a command go to standard error, beside the result") {
  Directory directory;
  std::filesystem::remove_all(directory.data + "/pool/carts/VTL004L8");
  const Ended listed = run_vtl({"cartridge", "list", "--json", "--data", directory.data});
  CHECK(listed.code == 0);
  CHECK(listed.out.substr(0, 1) == "{");
  CHECK(listed.err.substr(0, 33) == "vtl: warning: cartridge VTL004L8 ");
}

TEST_CASE("profiles are listed and shown, and init chooses one for an application") {
  CHECK(has(run_vtl({"profile", "list"}).out, "\nquantum-scalar "));
  CHECK(has(run_vtl({"profile", "show", "ibm-3584"}).out, "IBM 03584L32 0402"));
  CHECK(has(run_vtl({"profile", "show", "hp-msl"}).out, "HP Ultrium 6-SCSI by default"));
  const Ended unknown = run_vtl({"profile", "show", "ibm"});
  CHECK(unknown.code == 1);
  CHECK(has(unknown.err, "vtl profile list"));
  CHECK(run_vtl({"init", "--for", "word", "--data", "/nowhere"}).code == 2);
  CHECK(run_vtl({"init", "--generation", "8,9", "--data", "/nowhere"}).code == 2);
  std::string parent = "/tmp/vtl-for-XXXXXX";
  REQUIRE(::mkdtemp(parent.data()) != nullptr);
  const Ended made = run_vtl(
      {"init", "--for", "spectrum-protect", "--cartridges", "0", "--data", parent + "/library"});
  CHECK(made.code == 0);
  CHECK(has(made.out, "Chosen for IBM Spectrum Protect:\n  profile ibm-3584: "));
  CHECK(run_vtl({"library", "grow", "--slots", "300", "--data", parent + "/library"}).out ==
        "300 slots, 20 import/export slots, 10 drives\n");
  CHECK(run_vtl({"library", "grow", "--slots", "299", "--data", parent + "/library"}).code == 1);
  CHECK(run_vtl({"config", "check", "--data", parent + "/library"}).code == 0);
  std::filesystem::remove_all(parent);
}

TEST_CASE("many cartridges that want attention are one warning, and all in library alerts") {
  Directory directory;
  for (const char* barcode : {"VTL004L8", "VTL005L8", "VTL006L8"})
    std::filesystem::remove_all(directory.data + "/pool/carts/" + barcode);
  const Ended listed = run_vtl({"cartridge", "list", "--data", directory.data});
  CHECK(std::count(listed.err.begin(), listed.err.end(), '\n') == 1);
  CHECK(has(listed.err, "VTL004L8"));
  CHECK(has(listed.err, "and 2 more"));
  CHECK(has(listed.err, "vtl library alerts"));
  CHECK(vtl_json({"library", "alerts", "--data", directory.data})["alerts"].size() == 3);
}

TEST_CASE("what a user gets wrong is told with what is allowed") {
  Directory directory;
  const std::string& data = directory.data;
  const auto told = [&](std::vector<std::string> arguments, const std::string& part) {
    const Ended ended = run_vtl(arguments);
    CAPTURE(arguments, ended.err);
    CHECK(ended.code == 2);
    CHECK(has(ended.err, part));
  };
  const std::string port = "127.0.0.1:" + std::to_string(free_port());
  for (const char* wrong : {"", "abc", "-1", "0", "2.5", "99999999999"})
    told({"serve", "--data", data, "--listen", port, "--threads", wrong},
         std::string("--threads: found \"") + wrong + "\", allowed: auto, or a number from 1");
  told({"serve", "--data", data, "--listen", port, "--threads", "100"}, "allowed: auto, or 1 to 6");
  told({"cartridge", "create", "ABC001L8", "--capacity", "1PB", "--data", data},
       "--capacity: found \"1PB\", allowed: a size above 0, in kB, MB, GB, TB or KiB");
  told({"init", "--data", data + "2", "--drives", "many"}, "--drives: found \"many\", allowed: ");
  told({"frobnicate"}, "there is no command \"frobnicate\"; commands are: init, serve");
  told({"library", "frobnicate"}, "there is no command \"frobnicate\"; commands are: show");
  told({"cartridge"}, "a command is missing; commands are: create");
  told({"cartridge", "repair", "--data", data}, "barcode is required");
  const Ended prefix =
      run_vtl({"cartridge", "create", "--prefix", "ABCDEFGH", "--data", directory.data});
  CHECK(has(prefix.err, "prefix: found \"ABCDEFGH\", allowed: up to 5 of A-Z and 0-9"));
  CHECK(has(run_vtl({"help"}).out, "Exit status"));
  CHECK(run_vtl({"help", "cartridge", "create"}).out ==
        run_vtl({"cartridge", "create", "--help"}).out);
}

TEST_CASE("nothing that any command makes can be read by others") {
  TempDir dir;
  const std::string data = dir / "library";
  const mode_t mask = ::umask(0);  // the commands inherit it
  REQUIRE(run_vtl({"init", "--data", data}).code == 0);
  REQUIRE(run_vtl({"cartridge", "create", "NEW001L8", "--data", data}).code == 0);
  Daemon daemon(data);
  daemon.start();
  REQUIRE(run_vtl({"cartridge", "create", "NEW002L8", "--data", data}).code == 0);
  REQUIRE(run_vtl({"library", "move", "VTL001L8", "drive-1", "--data", data}).code == 0);
  REQUIRE(run_vtl({"cartridge", "verify", "VTL002L8", "--data", data}).code == 0);
  CHECK(daemon.stop() == 0);
  ::umask(mask);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data)) {
    CAPTURE(entry.path());
    ++files;
    CHECK((static_cast<unsigned>(entry.status().permissions()) & 077) == 0);
  }
  CHECK(files > 60);
}

TEST_CASE("the empty elements of each type are counted") {
  Directory directory;
  CHECK(has(run_vtl({"library", "show", "--data", directory.data}).out,
            "208 empty slots, 20 empty import/export slots"));
}

TEST_CASE("a command that is told to end while it copies leaves nothing behind") {
  Directory directory;
  const std::string big = directory.dir / "big";
  write_text(big, "");
  std::filesystem::resize_file(big, std::uintmax_t{1} << 40);  // sparse, and never read to its end
  const std::string incoming = directory.data + "/pool/.incoming";
  const int signal = GENERATE(SIGINT, SIGTERM, SIGHUP);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::execl(vtl_binary().c_str(), "vtl", "cartridge", "import", "INT001L8", big.c_str(), "--format",
            "raw", "--data", directory.data.c_str(), nullptr);
    ::_exit(127);
  }
  for (int i = 0; i < 6000 && !std::filesystem::exists(incoming + "/INT001L8"); ++i) {
    ::usleep(10000);
  }
  ::kill(child, signal);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
  CHECK(std::filesystem::is_empty(incoming));
  CHECK(run_vtl({"cartridge", "show", "INT001L8", "--data", directory.data}).code == 1);
}

TEST_CASE("library show --watch shows the drives every second, as long as a server runs") {
  Directory directory;
  const std::vector<std::string> watch = {"library", "show", "--watch", "--data", directory.data};
  const Ended without = run_vtl(watch);
  CHECK(without.code == 1);
  CHECK(has(without.err, "no server runs on " + directory.data));

  Daemon daemon(directory.data);
  daemon.start();
  std::thread stop([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(2500));
    daemon.stop();
  });
  const Ended watched = run_vtl(watch);
  stop.join();
  CHECK(watched.code == 1);
  std::size_t times = 0;
  for (std::size_t at = 0; (at = watched.out.find("DIRTY", at)) != std::string::npos; ++at) ++times;
  CHECK(times >= 2);
  CHECK(has(watched.out, "drive-10"));
  CHECK_FALSE(has(watched.out, "slot-1"));
}

TEST_CASE("init makes a library once") {
  TempDir dir;
  const std::string data = dir / "library";
  const Ended first = run_vtl({"init", "--data", data, "--cartridges", "3", "--barcode-prefix",
                               "ABC", "--capacity", "200MB", "--generation", "7"});
  REQUIRE(first.code == 0);
  const std::string yaml = read_text(data + "/vtl.yaml");
  const auto list = vtl_json({"cartridge", "list", "--data", data})["cartridges"];
  REQUIRE(list.size() == 3);
  CHECK(list[0]["barcode"] == "ABC001L7");
  CHECK(list[2]["barcode"] == "ABC003L7");
  CHECK(list[0]["capacity_bytes"] == 200000000);
  CHECK(list[0]["place"]["name"] == "slot-1");

  const Ended second = run_vtl({"init", "--data", data});
  CHECK(second.code == 1);
  CHECK(has(second.err, "nothing was changed"));
  CHECK(read_text(data + "/vtl.yaml") == yaml);
  CHECK(run_vtl({"config", "check", "--data", data}).code == 0);
}

TEST_CASE("init refuses what cannot be, and leaves nothing behind") {
  TempDir dir;
  const std::string data = dir / "library";
  for (const std::vector<std::string>& options : {std::vector<std::string>{"--profile", "nothing"},
                                                  {"--slots", "70000"},
                                                  {"--cartridges", "300"},
                                                  {"--barcode-prefix", "lower"},
                                                  {"--capacity", "1MB"},
                                                  {"--capacity", "0"},
                                                  {"--drives", "0"},
                                                  {"--generation", "4"}}) {
    std::vector<std::string> all = {"init", "--data", data};
    all.insert(all.end(), options.begin(), options.end());
    CAPTURE(options[0]);
    const Ended ended = run_vtl(all);
    CHECK(ended.code == 2);
    CHECK(has(ended.err, options[0]));
    CHECK(!std::filesystem::exists(data));
  }
  const Ended warned = run_vtl({"init", "--data", data, "--slots", "1000"});
  CHECK(warned.code == 0);
  CHECK(has(warned.err, "warning"));
}

TEST_CASE("the big profile is ready within a second with 1000 cartridges") {
  TempDir dir;
  const std::string data = dir / "library";
  REQUIRE(run_vtl({"init", "--data", data, "--profile", "aws", "--cartridges", "999"}).code == 0);
  REQUIRE(run_vtl({"cartridge", "create", "LAST01L5", "--data", data}).code == 0);
  Daemon daemon(data);
  const auto begun = std::chrono::steady_clock::now();
  daemon.start();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  WARN("ready after " << took.count() << " s");
  CHECK(daemon.stop() == 0);
}

TEST_CASE("cartridges are made, protected and deleted, with and without a server") {
  Directory directory;
  const std::string& data = directory.data;
  Daemon daemon(data);
  const bool served = GENERATE(false, true);
  CAPTURE(served);
  if (served) daemon.start();

  CHECK(run_vtl({"cartridge", "create", "NEW001L8", "--capacity", "1TB", "--data", data}).code ==
        0);
  CHECK(vtl_json({"cartridge", "show", "NEW001L8", "--data", data})["capacity_bytes"] ==
        1000000000000);
  const auto made =
      vtl_json({"cartridge", "create", "--prefix", "NEW", "--count", "2", "--data", data});
  CHECK(made["created"] == nlohmann::json::array({"NEW002L8", "NEW003L8"}));
  // The last six characters are what backup software sees.
  const Ended clash = run_vtl({"cartridge", "create", "XXW001L8", "--data", data});
  CHECK(clash.code == 1);
  CHECK(has(clash.err, "NEW001L8"));
  CHECK(run_vtl({"cartridge", "create", "bad!", "--data", data}).code == 1);
  CHECK(run_vtl({"cartridge", "create", "--worm", "--prefix", "WRM", "--data", data}).code == 0);
  CHECK(vtl_json({"cartridge", "show", "WRM001LY", "--data", data})["worm"] == true);

  CHECK(run_vtl({"cartridge", "protect", "NEW001L8", "--data", data}).code == 0);
  CHECK(vtl_json({"cartridge", "show", "NEW001L8", "--data", data})["write_protected"] == true);
  CHECK(run_vtl({"cartridge", "unprotect", "NEW001L8", "--data", data}).code == 0);
  CHECK(vtl_json({"cartridge", "show", "NEW001L8", "--data", data})["write_protected"] == false);

  CHECK(run_vtl({"cartridge", "delete", "NEW001L8", "NEW002L8", "--data", data}).code == 0);
  const Ended gone = run_vtl({"cartridge", "show", "NEW001L8", "--data", data});
  CHECK(gone.code == 1);
  CHECK(has(gone.err, "NEW001L8"));
  CHECK(run_vtl({"cartridge", "verify", "--all", "--data", data}).code == 0);

  const Ended table = run_vtl({"cartridge", "list", "--data", data});
  CHECK(table.out.substr(0, 8) == "BARCODE ");
  CHECK(has(run_vtl({"library", "show", "--data", data}).out, "drive-10"));
  if (served) CHECK(daemon.stop() == 0);
}

TEST_CASE("what a host wrote comes out as a file, and goes in again") {
  Library library;
  const std::string& data = library.daemon.data();
  {
    Initiator drive = library.load(1);
    for (std::uint64_t i = 0; i < 5; ++i) {
      REQUIRE(write_block(drive, pattern(1000 + i, i)).good());
    }
    REQUIRE(write_filemarks(drive, 1).good());
    REQUIRE(write_block(drive, pattern(70000, 9)).good());
    REQUIRE(write_filemarks(drive, 2).good());
    // Loaded: nobody else may have it.
    const Ended busy =
        run_vtl({"cartridge", "export", "VTL001L8", library.dir / "busy.tap", "--data", data});
    CHECK(busy.code == 1);
    CHECK(has(busy.err, "VTL001L8 is loaded in a drive"));
  }
  REQUIRE(run_vtl({"library", "move", "drive-1", "slot-1", "--data", data}).code == 0);
  const std::string tap = library.dir / "tape.tap";
  const auto job = vtl_json({"cartridge", "export", "VTL001L8", tap, "--data", data});
  CHECK(job["details"]["blocks"] == 6);
  CHECK(job["details"]["filemarks"] == 3);
  CHECK(job["unit"] == "objects");
  CHECK(job["total"] == 9);
  CHECK(has(run_vtl({"cartridge", "import", "IMP001L8", "/nonexistent", "--data", data}).err,
            "/nonexistent does not exist"));
  CHECK(run_vtl({"cartridge", "export", "VTL001L8", tap, "--data", data}).code == 1);  // is there
  CHECK(run_vtl({"cartridge", "import", "IMP001L8", tap, "--data", data}).code == 0);

  REQUIRE(run_vtl({"library", "move", "IMP001L8", "drive-2", "--data", data}).code == 0);
  Initiator drive = library.attach_drive(2);
  REQUIRE(drive.wait_ready().good());
  for (std::uint64_t i = 0; i < 5; ++i) {
    REQUIRE(read_block(drive, 1000 + i).data == pattern(1000 + i, i));
  }
  CHECK(read_block(drive, 100).filemark());
  CHECK(read_block(drive, 70000).data == pattern(70000, 9));
  CHECK(read_block(drive, 100).filemark());
  CHECK(read_block(drive, 100).filemark());
  CHECK(read_block(drive, 100).sense_code() == "8/00/05");
}
