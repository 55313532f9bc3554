// The secrets file as it is kept by commands, and what of a changed configuration has to wait.
#include "vtl/config/secrets.h"

#include <catch2/catch.hpp>
#include <map>

using namespace vtl::config;

namespace {

const std::string kConfig =
    "library:\n"
    "  name: tapes\n"
    "  changer: {serial: CHANGER001, naa: 5025654000000001}\n"
    "  drives:\n"
    "    - {serial: DRIVE00001, naa: 5025654000000002}\n";

struct Files {
  std::map<std::string, SourceFile> files;
  explicit Files(const std::string& more) { files["/data/vtl.yaml"] = {kConfig + more, 0600}; }
  ReadFile reader() const {
    return [this](const std::string& path) -> std::variant<SourceFile, std::string> {
      const auto found = files.find(path);
      if (found == files.end()) return std::string(kNoSuchFile);
      return found->second;
    };
  }
  Loaded read() const { return load("/data/vtl.yaml", reader()); }
  // What the command would do; writes the file if nothing is wrong.
  std::vector<std::string> change(const std::function<void(AccessConfig&)>& how) {
    const EditedSecrets edited = with_secrets(
        "/data/vtl.yaml",
        [&](AccessConfig& access) {
          how(access);
          return std::string();
        },
        reader());
    if (edited.errors.empty()) files[edited.path] = {edited.text, 0600};
    return edited.errors;
  }
  std::vector<std::string> add(const std::string& user, const std::string& secret,
                               std::vector<std::string> initiators = {}) {
    return change([&](AccessConfig& access) {
      access.accounts.push_back({user, Secret(secret), std::move(initiators), true});
    });
  }
};

bool has(const std::vector<std::string>& lines, const std::string& part) {
  for (const std::string& line : lines)
    if (line.find(part) != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("accounts that were added are read again as they were") {
  Files files("access:\n  targets: {chap: true}\n");
  CHECK(files.read().errors.size() == 1);  // nobody could log in
  CHECK(files.add("backup'01", "it's-a-\"secret\"").empty());
  CHECK(files.add("b: {x}", "#not-a-comment", {"iqn.1993-08.org.debian:01:abc"}).empty());
  CHECK(files
            .change([](AccessConfig& access) {
              access.own = Account{"library", Secret("battery-staple"), {}, true};
            })
            .empty());
  const Loaded loaded = files.read();
  REQUIRE(loaded.config);
  const AccessConfig& access = loaded.config->access;
  REQUIRE(access.accounts.size() == 2);
  CHECK(access.accounts[0].user == "backup'01");
  CHECK(access.accounts[0].secret.reveal() == "it's-a-\"secret\"");
  CHECK(access.accounts[1].user == "b: {x}");
  CHECK(access.accounts[1].secret.reveal() == "#not-a-comment");
  CHECK(access.accounts[1].initiators == std::vector<std::string>{"iqn.1993-08.org.debian:01:abc"});
  CHECK(access.own->secret.reveal() == "battery-staple");
}

TEST_CASE("a change that would leave a wrong configuration is not made") {
  Files files("access:\n  targets: {chap: true}\n  discovery: {chap: true, users: [alice]}\n");
  CHECK(has(files.add("bob", "secret-of-bob12"), "alice"));
  REQUIRE(files.add("alice", "secret-of-alice").empty());
  CHECK(has(files.add("alice", "another-secret1"), "a second time"));
  CHECK(has(files.add("carol", "short"), "12 to 16"));
  const auto too_long = files.add("carol", "seventeen-letters");
  CHECK(has(too_long, "Windows"));
  CHECK(has(too_long, "access.long_secrets"));
  CHECK_FALSE(has(too_long, "seventeen-letters"));
  CHECK(has(files.change([](AccessConfig& access) { access.accounts.clear(); }), "no account"));
  CHECK(has(files.change([](AccessConfig& access) {
    access.own = Account{"library", Secret("secret-of-alice"), {}, true};
  }),
            "the two directions must differ"));
  CHECK(files.read().config->access.accounts.size() == 1);
}

TEST_CASE("longer secrets where they were asked for") {
  Files files("access:\n  long_secrets: true\n");
  CHECK(files.add("alice", std::string(255, 'x')).empty());
  CHECK(has(files.add("bob", std::string(256, 'x')), "12 to 255"));
}

TEST_CASE("accounts of vtl.yaml stay there; a file that is not understood is not overwritten") {
  Files files("access:\n  accounts:\n    - {user: root, secret: secret-of-root1}\n");
  REQUIRE(files.add("alice", "secret-of-alice").empty());
  CHECK(files.files["/data/secrets.yaml"].text.find("root") == std::string::npos);
  CHECK(files.read().config->access.accounts.size() == 2);
  for (const char* broken :
       {"accounts: [", "accounts:\n  - {user: x, secret: short}\n", "what: 1\n"}) {
    files.files["/data/secrets.yaml"] = {broken, 0600};
    CHECK_FALSE(files.add("bob", "secret-of-bob12").empty());
    CHECK(files.files["/data/secrets.yaml"].text == broken);
  }
}

TEST_CASE("addresses are checked, and told with line and key") {
  for (const char* bad : {"192.0.2.1/24", "192.0.2.0/33", "host", "2001:db8::/129", "192.0.2"}) {
    const Loaded loaded =
        Files("access:\n  targets: {addresses: [\"" + std::string(bad) + "\"]}\n").read();
    REQUIRE(loaded.errors.size() == 1);
    CHECK(to_string(loaded.errors[0])
              .find("/data/vtl.yaml:7: access.targets.addresses[1]: found \"" + std::string(bad)) ==
          0);
  }
  const Loaded good =
      Files("access:\n  targets: {addresses: [192.0.2.0/24, \"2001:db8::/32\", \"::1\"]}\n").read();
  REQUIRE(good.config);
  CHECK(good.config->access.targets.addresses.size() == 3);
}

TEST_CASE("what waits for a new start is named, and nothing else") {
  const auto read = [](const std::string& more) { return *Files(more).read().config; };
  const Config running = read("");
  CHECK(changes_for_restart(running, read("listen: [127.0.0.2]\nlog: {level: debug}\n")).empty());
  const auto lines =
      changes_for_restart(running, read("iscsi: {command_window: 64}\nstorage: {pool: /tapes}\n"));
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == "iscsi.command_window is 32; it becomes 64 at the next start");
  CHECK(lines[1] == "storage.pool is pool; it becomes /tapes at the next start");
  Config other = running;
  other.library.drives[0].generation = 5;
  CHECK(changes_for_restart(running, other).size() == 1);
  other = running;
  other.library.drives.push_back(other.library.drives[0]);
  other.library.slots = 5;
  CHECK(changes_for_restart(running, other).size() == 2);
}
