// Who may log in, while the server serves: accounts by `vtl auth`, rules and addresses by
// `vtl reload` and SIGHUP. Sessions go on.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "library.h"
#include "raw_session.h"

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

LoginOptions chap(const std::string& user, const std::string& password) {
  LoginOptions options;
  options.user = user;
  options.password = password;
  return options;
}

struct Access {
  Library library;
  const std::string& data() const { return library.daemon.data(); }
  std::string yaml() const { return library.daemon.data() + "/vtl.yaml"; }

  void listen(const std::string& list) {
    std::string text = read_text(yaml());
    const std::size_t at = text.find("listen: [");
    text.replace(at, text.find('\n', at) - at, "listen: [" + list + "]");
    write_text(yaml(), text);
  }

  void edit(const std::string& from, const std::string& to) {
    std::string text = read_text(yaml());
    replace_in(text, from, to);
    write_text(yaml(), text);
  }
  Ended vtl(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--data", data()});
    return run_vtl(arguments);
  }
  Ended auth(const std::string& what, const std::string& user, const std::string& secret,
             std::vector<std::string> more = {}) {
    const std::string file = library.dir / "secret";
    write_text(file, secret + "\n");
    std::vector<std::string> arguments = {"auth", what, user, "--secret-file", file};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return vtl(arguments);
  }
  // And out again: a session that is only dropped is in the next one's way until that is noticed.
  std::string login(int drive, LoginOptions options = {}) {
    Initiator session(std::move(options));
    std::string error = session.login(library.daemon.portal(), library.daemon.drive(drive));
    if (error.empty()) CHECK(session.logout());
    return error;
  }
};

bool alive(Initiator& session) { return session.in({0x12, 0, 0, 0, 36, 0}, 36).good(); }

}  // namespace

TEST_CASE("accounts come and go while sessions go on") {
  Access a;
  Initiator session = a.library.attach_drive(1);
  const Ended added = a.auth("add", "backup01", "correct-horse-b");
  CHECK(added.code == 0);
  CHECK(has(added.out, "Added account \"backup01\""));
  CHECK(has(added.out, "Changed: access"));
  struct stat info {};
  REQUIRE(::stat((a.data() + "/secrets.yaml").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);

  a.edit("  targets:\n    #chap: false\n", "  targets:\n    chap: true\n");
  const Ended reloaded = a.vtl({"reload"});
  CHECK(reloaded.code == 0);
  CHECK(has(reloaded.err, "is logged in to " + a.library.daemon.drive(1) +
                              " and would not be let in any more; its session goes on"));
  CHECK(alive(session));
  CHECK(a.login(2) != "");
  CHECK(a.login(2, chap("backup01", "correct-horse-b")) == "");

  CHECK(a.auth("rotate", "backup01", "correct-horse-c").code == 0);
  CHECK(a.login(2, chap("backup01", "correct-horse-b")) != "");
  CHECK(a.login(2, chap("backup01", "correct-horse-c")) == "");

  CHECK(a.auth("add", "backup02", "battery-staple-", {"--initiator", "iqn.2026-11.local.test:two"})
            .code == 0);
  CHECK(a.login(3, chap("backup02", "battery-staple-")) != "");
  LoginOptions two = chap("backup02", "battery-staple-");
  two.initiator = "iqn.2026-11.local.test:two";
  CHECK(a.login(3, two) == "");

  const Ended listed = a.vtl({"auth", "list"});
  CHECK(has(listed.out, "backup01"));
  CHECK(has(listed.out, "iqn.2026-11.local.test:two"));
  for (const std::string& text : {listed.out, added.out, added.err, a.library.daemon.log()}) {
    CHECK_FALSE(has(text, "horse"));
    CHECK_FALSE(has(text, "staple"));
  }
  CHECK(a.vtl({"auth", "remove", "backup02"}).code == 0);
  CHECK(a.login(3, two) != "");
  // The last one stays as long as somebody is asked for it.
  const Ended last = a.vtl({"auth", "remove", "backup01"});
  CHECK(last.code == 1);
  CHECK(has(last.err, "there is no account: nobody could log in"));
  CHECK(a.login(2, chap("backup01", "correct-horse-c")) == "");

  CHECK(alive(session));
  CHECK(a.vtl({"reload", "--end-sessions"}).code == 0);
  bool ended = false;
  for (int i = 0; i < 200 && !ended; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ended = vtl_json({"iscsi", "show", "--data", a.data()})["sessions"].empty();
  }
  CHECK(ended);
}

TEST_CASE("secrets are not taken from the command line, and not if they are no good") {
  TempDir dir;
  const std::string data = dir / "library";
  REQUIRE(run_vtl({"init", "--data", data}).code == 0);
  CHECK(run_vtl({"auth", "add", "backup01", "correct-horse-b", "--data", data}).code == 2);
  CHECK(run_vtl({"auth", "add", "--data", data}).code == 2);
  const Ended none =
      run_vtl({"auth", "add", "backup01", "--data", data});  // standard input is empty
  CHECK(none.code == 1);
  CHECK(has(none.err, "standard input"));
  write_text(dir / "secret", "short\n");
  const Ended too_short =
      run_vtl({"auth", "add", "x", "--secret-file", dir / "secret", "--data", data});
  CHECK(too_short.code == 1);
  CHECK(has(too_short.err, "found 5 characters, allowed: 12 to 16"));
  write_text(dir / "secret", "seventeen-letters");
  CHECK(has(run_vtl({"auth", "add", "x", "--secret-file", dir / "secret", "--data", data}).err,
            "access.long_secrets"));
  CHECK_FALSE(std::filesystem::exists(data + "/secrets.yaml"));
  // Without a server it is a file that the next start reads.
  write_text(dir / "secret", "correct-horse-b");
  CHECK(
      run_vtl({"auth", "add", "--own", "library", "--secret-file", dir / "secret", "--data", data})
          .code == 0);
  CHECK(has(run_vtl({"auth", "list", "--data", data}).out, "mutual CHAP"));
  CHECK(
      run_vtl({"auth", "rotate", "nobody", "--secret-file", dir / "secret", "--data", data}).code ==
      1);
  CHECK(run_vtl({"auth", "remove", "--own", "--data", data}).code == 0);
  const Ended reload = run_vtl({"reload", "--data", data});
  CHECK(reload.code == 1);
  CHECK(has(reload.err, "no server runs"));
}

TEST_CASE("a reload with an error changes nothing, and says file, line and key") {
  Access a;
  a.edit("  targets:\n    #chap: false\n", "  targets:\n    addresses: [10.0.0.0/8]\n");
  a.edit("  #command_window: 32\n", "  command_window: lots\n");
  const Ended refused = a.vtl({"reload"});
  CHECK(refused.code == 3);
  CHECK(has(refused.err, a.yaml() + ":"));
  CHECK(has(refused.err, ": iscsi.command_window: found \"lots\", allowed: 1 to 1024"));
  CHECK(has(refused.err, "nothing was changed"));
  CHECK(has(a.library.daemon.log(), "iscsi.command_window: found \"lots\""));
  CHECK(a.login(1) == "");

  // Right again: the rule holds; what waits for a new start is named.
  a.edit("  command_window: lots\n", "  command_window: 64\n");
  Initiator session = a.library.attach_drive(1);
  const Ended taken = a.vtl({"reload"});
  CHECK(taken.code == 0);
  CHECK(has(taken.err, "iscsi.command_window is 32; it becomes 64 at the next start"));
  CHECK(alive(session));
  CHECK(a.login(2) != "");
  // By signal, too.
  a.edit("addresses: [10.0.0.0/8]", "addresses: [127.0.0.0/8, \"::1\"]");
  a.edit("  #level: info\n", "  level: debug\n");
  REQUIRE(::kill(a.library.daemon.pid(), SIGHUP) == 0);
  for (int i = 0; i < 100 && !has(a.library.daemon.log(), "reload: access, log.level changed"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(a.login(2) == "");
  CHECK(alive(session));
}

TEST_CASE("SIGHUP at any moment of a start neither ends it nor lets anybody in too early") {
  Access a;
  REQUIRE(a.library.daemon.stop() == 0);
  const auto before = std::signal(SIGHUP, SIG_IGN);  // as nohup has it, so from the first moment on
  std::atomic<bool> stop = false;
  std::thread signals([&] {
    for (; !stop; std::this_thread::sleep_for(std::chrono::milliseconds(1)))
      if (const pid_t pid = a.library.daemon.pid(); pid > 0) ::kill(pid, SIGHUP);
  });
  a.library.daemon.start();
  stop = true;
  signals.join();
  std::signal(SIGHUP, before);
  const auto log = [&] { return a.library.daemon.log(); };
  for (int i = 0; i < 100 && !has(log(), "reload: nothing is different"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(log().find(" devices on ") < log().find("reload: "));
  CHECK(a.login(1) == "");
}

TEST_CASE("secrets that others can read are not taken over, nor served with") {
  Access a;
  REQUIRE(a.auth("add", "backup01", "correct-horse-b").code == 0);
  a.edit("  targets:\n    #chap: false\n", "  targets:\n    chap: true\n");
  REQUIRE(a.vtl({"reload"}).code == 0);
  const std::string secrets = a.data() + "/secrets.yaml";
  std::string text = read_text(secrets);
  replace_in(text, "correct-horse-b", "correct-horse-c");
  write_text(secrets, text);
  REQUIRE(::chmod(secrets.c_str(), 0640) == 0);
  const Ended refused = a.vtl({"reload"});
  CHECK(refused.code == 3);
  CHECK(has(refused.err, secrets + ": the file can be read by others (mode 0640), allowed: 0600"));
  CHECK(a.login(1, chap("backup01", "correct-horse-c")) != "");
  CHECK(a.login(1, chap("backup01", "correct-horse-b")) == "");
  REQUIRE(a.library.daemon.stop() == 0);
  CHECK(a.vtl({"serve"}).code == 3);
}

TEST_CASE("a secrets file that cannot be replaced stays as it is, and so does the server") {
  Access a;
  REQUIRE(a.auth("add", "backup01", "correct-horse-b").code == 0);
  a.edit("  targets:\n    #chap: false\n", "  targets:\n    chap: true\n");
  REQUIRE(a.vtl({"reload"}).code == 0);
  const std::string secrets = a.data() + "/secrets.yaml";
  const std::string before = read_text(secrets);
  std::filesystem::create_directories(secrets + ".new/in the way");
  const Ended refused = a.auth("rotate", "backup01", "correct-horse-c");
  CHECK(refused.code == 1);
  CHECK(has(refused.err, "cannot write " + secrets));
  CHECK_FALSE(has(refused.err, "horse"));
  CHECK(read_text(secrets) == before);
  CHECK(a.login(1, chap("backup01", "correct-horse-b")) == "");
}

TEST_CASE("of many changes at once all are taken, and the server has the last") {
  Access a;
  REQUIRE(a.auth("add", "backup00", "correct-horse-b").code == 0);
  a.edit("  targets:\n    #chap: false\n", "  targets:\n    chap: true\n");
  REQUIRE(a.vtl({"reload"}).code == 0);
  const std::string file = a.library.dir / "secret";
  std::vector<std::thread> commands;
  std::atomic<int> failed = 0;
  for (int n = 1; n <= 6; ++n) {
    commands.emplace_back([&, user = "backup0" + std::to_string(n)] {
      const Ended ended = run_vtl({"auth", "add", user, "--secret-file", file, "--data", a.data()});
      if (ended.code != 0) ++failed;
    });
  }
  for (std::thread& command : commands) command.join();
  CHECK(failed == 0);
  for (int n = 0; n <= 6; ++n)
    CHECK(a.login(1, chap("backup0" + std::to_string(n), "correct-horse-b")) == "");
}

TEST_CASE("other addresses to listen on, without dropping sessions") {
  Access a;
  Initiator session = a.library.attach_drive(1);
  REQUIRE(a.library.daemon.stop() == 0);
  const std::string first = std::to_string(a.library.daemon.port());
  const std::string second = std::to_string(free_port());
  const auto listen = [&](const std::string& list) { a.listen(list); };
  a.edit("#listen: ", "listen: ");
  a.edit("#allow_insecure_listen: false", "allow_insecure_listen: true");
  listen("\"127.0.0.1:" + first + "\"");
  a.library.daemon.start_as_configured();
  Initiator kept = a.library.attach_drive(1);
  const std::string drive = a.library.daemon.drive(2);
  const auto login = [&](const std::string& portal) {
    Initiator attempt;
    return attempt.login(portal, drive) == "" && attempt.logout();
  };

  listen("\"127.0.0.1:" + second + "\", \"[::1]:" + second + "\"");
  CHECK(a.vtl({"reload"}).code == 0);
  CHECK(login("127.0.0.1:" + second));
  CHECK(login("[::1]:" + second));
  CHECK(Initiator::discover("[::1]:" + second).front().second == "[::1]:" + second + ",1");
  CHECK_FALSE(login("127.0.0.1:" + first));
  CHECK(alive(kept));

  // An address that contains the one that is held.
  listen("\"0.0.0.0:" + second + "\"");
  CHECK(a.vtl({"reload"}).code == 0);
  CHECK(login("127.0.0.1:" + second));
  CHECK_FALSE(login("[::1]:" + second));
  // SendTargets tells the address that the host came to: one of none would be of no use to it.
  CHECK(Initiator::discover("127.0.0.2:" + second).front().second == "127.0.0.2:" + second + ",1");
  listen("\"[::]:" + second + "\"");
  CHECK(a.vtl({"reload"}).code == 0);
  for (const std::string host : {"127.0.0.3", "[::1]"})
    CHECK(Initiator::discover(host + ":" + second).front().second == host + ":" + second + ",1");

  // One that somebody else has: nothing changes, the rules neither.
  const int other = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(first)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  ::setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  REQUIRE(::bind(other, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(other, 1) == 0);
  listen("\"127.0.0.1:" + first + "\"");
  a.edit("  targets:\n    #chap: false\n", "  targets:\n    addresses: [10.0.0.0/8]\n");
  const Ended refused = a.vtl({"reload"});
  ::close(other);
  CHECK(refused.code == 3);
  CHECK(has(refused.err, "cannot listen on 127.0.0.1:" + first));
  CHECK(login("127.0.0.1:" + second));
  CHECK(alive(kept));
}

TEST_CASE("discovery tells all addresses where that is wanted, also those of a reload") {
  Access a;
  REQUIRE(a.library.daemon.stop() == 0);
  const std::string port = ":" + std::to_string(a.library.daemon.port());
  a.edit("#listen: ", "listen: ");
  a.edit("#tell_all_addresses: false", "tell_all_addresses: true");
  a.listen("\"127.0.0.1" + port + "\", \"[::1]" + port + "\"");
  a.library.daemon.start_as_configured();
  const std::string drive = a.library.daemon.drive(1);
  const auto told = [&] {
    RawSession discovery(a.library.daemon.port(), "");
    discovery.send(discovery.text(), text_of({"SendTargets=" + drive}));
    return discovery.expect(kTextResponse).data;
  };
  const auto both = [&](const std::string& other) {
    return text_of({"TargetName=" + drive, "TargetAddress=127.0.0.1" + port + ",1",
                    "TargetAddress=" + other + port + ",1"});
  };
  CHECK(told() == both("[::1]"));
  a.listen("\"127.0.0.1" + port + "\", \"127.0.0.5" + port + "\"");
  CHECK(a.vtl({"reload"}).code == 0);
  CHECK(told() == both("127.0.0.5"));
}

TEST_CASE("a server is sandboxed, all of its threads, and says when it is not") {
  Library library;
  const auto status = [&] {
    std::string all;
    const std::string tasks = "/proc/" + std::to_string(library.daemon.pid()) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks))
      all += read_text(task.path() / "status");
    return all;
  };
  CHECK_FALSE(has(status(), "Seccomp:\t0"));
  CHECK(has(status(), "Seccomp:\t2"));
  CHECK_FALSE(has(status(), "NoNewPrivs:\t0"));
  REQUIRE(library.daemon.stop() == 0);
  library.daemon.start({"--no-sandbox"});
  CHECK(has(status(), "Seccomp:\t0"));
  CHECK(has(library.daemon.log(), "without a sandbox"));
}

TEST_CASE("limits that were reached are counted and shown") {
  Library library;
  Initiator first = library.attach_drive(1);
  LoginOptions other;
  other.initiator = "iqn.2026-11.local.test:other";
  Initiator second(other);
  CHECK(second.login(library.daemon.portal(), library.daemon.drive(1)) != "");
  const auto server = vtl_json({"iscsi", "show", "--data", library.daemon.data()});
  CHECK(server["limits"].size() == 17);
  for (const auto& limit : server["limits"])
    if (limit["name"] == "in-use") CHECK(limit["reached"].get<int>() >= 1);
  const Ended shown = run_vtl({"iscsi", "show", "--data", library.daemon.data()});
  CHECK(has(shown.out, library.daemon.drive(1)));
  CHECK(has(shown.out, "connections-per-address"));
}
