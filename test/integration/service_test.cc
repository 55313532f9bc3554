// What a service manager has of the server, and its administrator: readiness, the journal, and
// files that the service can use whoever made them.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "library.h"

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A variable of the environment, for what is started while it lives.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

// What a service manager listens at: "" where nothing has come.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  ~NotifySocket() { ::close(fd_); }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  std::string next() const {
    std::array<char, 256> text{};
    const ssize_t n = ::recv(fd_, text.data(), text.size(), 0);
    return {text.data(), n > 0 ? static_cast<std::size_t>(n) : 0};
  }

 private:
  int fd_;
};

std::string owner(const std::string& path) {
  struct stat info {};
  REQUIRE(::lstat(path.c_str(), &info) == 0);
  return std::to_string(info.st_uid) + ":" + std::to_string(info.st_gid);
}

}  // namespace

TEST_CASE("a service manager is told when the server can be used, once") {
  Library library;
  REQUIRE(library.daemon.stop() == 0);
  const std::string path = library.dir / "notify";
  const NotifySocket manager(path);
  {
    const Variable variable("NOTIFY_SOCKET", path);
    library.daemon.start();
  }
  CHECK(manager.next() == "READY=1");
  CHECK(manager.next().empty());
  REQUIRE(library.daemon.stop() == 0);
  {
    const Variable variable("NOTIFY_SOCKET", library.dir / "nobody");
    library.daemon.start();  // serves all the same
  }
  CHECK(has(library.daemon.log(), "cannot tell " + library.dir / "nobody"));
}

TEST_CASE("systemd's journal has levels, and no second time in each line") {
  Library library;
  CHECK_FALSE(library.daemon.log().starts_with("<"));
  REQUIRE(library.daemon.stop() == 0);
  struct stat log {};
  REQUIRE(::stat((library.daemon.data() + ".log").c_str(), &log) == 0);
  const auto stream = std::to_string(log.st_dev) + ":" + std::to_string(log.st_ino);
  {
    const Variable variable("JOURNAL_STREAM", stream);
    library.daemon.start({"--no-sandbox"});
  }
  CHECK(has(library.daemon.log(), "<6>listening on "));
  CHECK(has(library.daemon.log(), "\n<4>without a sandbox"));
  REQUIRE(library.daemon.stop() == 0);
  {
    const Variable variable("JOURNAL_STREAM", stream + "0");  // another file's
    library.daemon.start();
  }
  CHECK_FALSE(has(library.daemon.log(), "<6>"));
}

TEST_CASE("root's commands and server leave the owner of a directory nothing that it cannot use") {
  const TempDir dir;
  Daemon daemon(dir / "library");
  const std::string data = daemon.data();
  REQUIRE(::mkdir(data.c_str(), 0700) == 0);
  const auto everything = [&data] {
    std::vector<std::string> all = {data};
    for (const auto& entry : std::filesystem::recursive_directory_iterator(data))
      all.push_back(entry.path());
    return all;
  };
  // The service's user; without root's rights it is oneself.
  uid_t service = ::geteuid();
  gid_t group = ::getegid();
  if (service == 0) {
    service = group = 65534;
    REQUIRE(::chmod(dir.path().c_str(), 0755) == 0);
    REQUIRE(::lchown(data.c_str(), service, group) == 0);
  }
  REQUIRE(run_vtl({"init", "--data", data, "--cartridges", "2"}).code == 0);
  write_text(dir / "secret", "secret-0123456\n");
  write_text(dir / "tape", std::string(100000, 'x'));
  REQUIRE(::chmod((dir / "tape").c_str(), 0644) == 0);
  CHECK(run_vtl({"cartridge", "create", "--data", data, "ABC001L8"}).code == 0);
  CHECK(
      run_vtl({"cartridge", "import", "--data", data, "ABC002L8", dir / "tape", "--format", "raw"})
          .code == 0);
  CHECK(run_vtl({"library", "grow", "--data", data, "--slots", "300"}).code == 0);
  CHECK(run_vtl({"auth", "add", "--data", data, "host01", "--secret-file", dir / "secret"}).code ==
        0);
  daemon.start();
  CHECK(run_vtl({"cartridge", "create", "--data", data, "ABC003L8"}).code == 0);
  for (const std::string& path : everything()) {
    INFO(path);
    CHECK(owner(path) == std::to_string(service) + ":" + std::to_string(group));
  }
  const std::string status = read_text("/proc/" + std::to_string(daemon.pid()) + "/status");
  const std::string id = std::to_string(service);
  CHECK(has(status, "\nUid:\t" + id + "\t" + id + "\t" + id + "\t" + id + "\n"));
  if (::geteuid() != 0) return;  // whoever has groups has them
  CHECK(has(status, "\nGid:\t" + id + "\t" + id + "\t" + id + "\t" + id + "\n"));
  CHECK(has(status, "\nGroups:\t \n"));
  REQUIRE(daemon.stop() == 0);

  // What names a file of root's is written as the directory's owner, too.
  const std::string target = dir / "of-root";
  REQUIRE(::mkdir(target.c_str(), 0755) == 0);
  std::string yaml = read_text(data + "/vtl.yaml");
  replace_in(yaml, "#secrets_file: secrets.yaml", "secrets_file: " + target + "/secrets.yaml");
  write_text(data + "/vtl.yaml", yaml);
  CHECK(run_vtl({"auth", "add", "--data", data, "host02", "--secret-file", dir / "secret"}).code ==
        1);
  CHECK(std::filesystem::is_empty(target));
  // And a library that is root's in a directory that is not is left as it is.
  REQUIRE(::lchown((data + "/vtl.yaml").c_str(), 0, 0) == 0);
  const auto refused = run_vtl({"config", "check", "--data", data});
  CHECK(refused.code == 1);
  CHECK(has(refused.err, "chown -R"));
}
