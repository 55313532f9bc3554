#include "vtl/config/config.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "scsi/smc/profile.h"
#include "vtl/config/init.h"
#include "vtl/config/rules.h"

using namespace vtl::config;

namespace {

// Files in memory.
struct Files {
  std::map<std::string, SourceFile> files;
  ReadFile reader() const {
    return [this](const std::string& path) -> std::variant<SourceFile, std::string> {
      const auto found = files.find(path);
      if (found == files.end()) return "cannot be opened: No such file or directory";
      return found->second;
    };
  }
};

const std::string kLibrary =
    "library:\n"                                                           // 1
    "  name: tapes\n"                                                      // 2
    "  changer: {serial: CHANGER001, naa: 5025654000000001}\n"             // 3
    "  drives:\n"                                                          // 4
    "    - {serial: DRIVE00001, naa: 5025654000000002}\n"                  // 5
    "    - {serial: DRIVE00002, naa: 5025654000000003, generation: 7}\n";  // 6

Loaded load_text(const std::string& text, std::uint32_t mode = 0600) {
  Files files;
  files.files["/data/vtl.yaml"] = {text, mode};
  return load("/data/vtl.yaml", files.reader());
}

// The one error that `text` has, as a person sees it.
std::string only_error(const std::string& text, std::uint32_t mode = 0600) {
  const Loaded loaded = load_text(text, mode);
  CHECK_FALSE(loaded.config.has_value());
  for (const Problem& problem : loaded.errors) INFO(to_string(problem));
  REQUIRE(loaded.errors.size() == 1);
  return to_string(loaded.errors[0]);
}

std::string with(const std::string& more) { return kLibrary + more; }  // more begins on line 7

// Takes the # from keys that show a default; prose has a space behind its #.
std::string uncommented(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] != '#' || i + 1 == text.size() || text[i + 1] == ' ') out += text[i];
  return out;
}

RandomBytes seeded(unsigned seed) {
  return [engine = std::make_shared<std::mt19937>(seed)](std::span<std::byte> out) {
    for (std::byte& byte : out) byte = static_cast<std::byte>((*engine)());
  };
}

}  // namespace

TEST_CASE("a short file gets every default") {
  const Loaded loaded = load_text(kLibrary);
  for (const Problem& problem : loaded.errors) UNSCOPED_INFO(to_string(problem));
  REQUIRE(loaded.config);
  const Config& config = *loaded.config;
  CHECK(config.library.profile == "stk-l700");
  CHECK(config.library.iqn_prefix == "iqn.2026-11.local.vtl");
  CHECK(config.library.slots == 228);
  CHECK(config.library.ie_slots == 20);
  REQUIRE(config.library.drives.size() == 2);
  CHECK(config.library.drives[0].generation == 8);
  CHECK(config.library.drives[1].generation == 7);
  CHECK(config.library.drives[1].identity.naa ==
        std::array<std::uint8_t, 8>{0x50, 0x25, 0x65, 0x40, 0, 0, 0, 3});
  REQUIRE(config.listen.size() == 1);
  CHECK(to_string(config.listen[0]) == "127.0.0.1:3260");
  CHECK(config.iscsi == IscsiConfig{});
  CHECK(config.storage == StorageConfig{});
  CHECK(config.storage.compression == Compression::kLz4);  // as a drive comes: DCE = 1
  CHECK(changer_target_name(config.library) == "iqn.2026-11.local.vtl:tapes-mediachanger");
  CHECK(drive_target_name(config.library, 0) == "iqn.2026-11.local.vtl:tapes-tapedrive-01");
  CHECK(drive_target_name(config.library, 9) == "iqn.2026-11.local.vtl:tapes-tapedrive-10");
  CHECK(loaded.warnings.empty());
}

TEST_CASE("drives are IBM's, unless the library or they themselves say otherwise") {
  const auto families = [](const std::string& text) {
    const Loaded loaded = load_text(text);
    REQUIRE(loaded.config);
    return loaded.config->library.drives[0].family + " " + loaded.config->library.drives[1].family;
  };
  std::string text = kLibrary;
  CHECK(families(text) == "ibm ibm");
  // A library that was made before there were others keeps what it has, whatever its profile.
  CHECK(families("library:\n  profile: hp-msl\n" + text.substr(text.find("  name"))) == "ibm ibm");
  text.insert(text.find(", generation: 7"), ", identity: quantum");
  CHECK(families(text) == "ibm quantum");
  text.insert(text.find("  name"), "  drive_identity: hp\n");
  CHECK(families(text) == "hp quantum");
}

TEST_CASE("values arrive where they belong") {
  const Loaded loaded = load_text(with(R"(listen: ["127.0.0.1:4000", "::1", "[::1]:4001"]
access:
  accounts:
    - {user: host1, secret: abcdefgh1234}
    - {user: host2, secret: abcdefgh12345678}
  own: {user: lib, secret: zyxwvuts9876}
  algorithms: [sha-256, md5]
  discovery: {chap: true}
  targets: {chap: true, users: [host1], initiators: [iqn.1993-08.org.Debian:01:ABC]}
  devices:
    tapedrive-02: {users: [host2]}
    mediachanger: {chap: false}
iscsi: {max_burst_length: 512KiB, header_digest: false, command_window: 64}
storage: {pool: /srv/pool, io_mode: paced, compression: none, buffer_bytes: 1GiB}
log: {level: debug}
)"));
  for (const Problem& problem : loaded.errors) UNSCOPED_INFO(to_string(problem));
  REQUIRE(loaded.config);
  const Config& config = *loaded.config;
  REQUIRE(config.listen.size() == 3);
  CHECK(to_string(config.listen[1]) == "[::1]:3260");
  CHECK(config.listen[1].ipv6);
  CHECK(config.listen[2].loopback);
  CHECK(config.access.accounts[1].secret.reveal() == "abcdefgh12345678");
  CHECK(config.access.own->user == "lib");
  CHECK(config.access.algorithms == std::vector{ChapAlgorithm::kSha256, ChapAlgorithm::kMd5});
  CHECK(config.access.discovery.chap);
  const AccessRule& second = access_rule(config.access, "tapedrive-02");
  CHECK(second.chap);
  CHECK(second.users == std::vector<std::string>{"host2"});
  CHECK(second.initiators == std::vector<std::string>{"iqn.1993-08.org.debian:01:abc"});
  CHECK_FALSE(access_rule(config.access, "mediachanger").chap);
  CHECK(access_rule(config.access, "tapedrive-01") == config.access.targets);
  CHECK(config.iscsi.max_burst_length == 524288);
  CHECK_FALSE(config.iscsi.header_digest);
  CHECK(config.iscsi.command_window == 64);
  CHECK(config.storage.pool == "/srv/pool");
  CHECK(config.storage.io_mode == IoMode::kPaced);
  CHECK(config.storage.compression == Compression::kNone);
  CHECK(config.storage.buffer_bytes == 1u << 30);
  CHECK(config.log_level == LogLevel::kDebug);
}

TEST_CASE("an error names file, line, key, what was found and what is allowed") {
  const auto [more, expected] = GENERATE(table<std::string, std::string>({
      {"log: {level: loud}\n",
       R"(/data/vtl.yaml:7: log.level: found "loud", allowed: one of error, warning, info, debug)"},
      {"iscsi:\n  command_window: 0\n",
       R"(/data/vtl.yaml:8: iscsi.command_window: found "0", allowed: 1 to 1024)"},
      {"iscsi:\n  command_window: 1025\n",
       R"(/data/vtl.yaml:8: iscsi.command_window: found "1025", allowed: 1 to 1024)"},
      {"iscsi:\n  threads: 0\n",
       R"(/data/vtl.yaml:8: iscsi.threads: found "0", allowed: auto, or a number from 1)"},
      {"iscsi:\n  threads: 4\n",
       "/data/vtl.yaml:8: iscsi.threads: found 4, allowed: auto, or 1 to 3: there are 3 devices, "
       "and "
       "each thread takes at least 32MiB of storage.buffer_bytes, which is 256MiB"},
      {"iscsi:\n  threads: 3\nstorage: {buffer_bytes: 64MiB}\n",
       "/data/vtl.yaml:8: iscsi.threads: found 3, allowed: auto, or 1 to 2: there are 3 devices, "
       "and "
       "each thread takes at least 32MiB of storage.buffer_bytes, which is 64MiB"},
      {"iscsi:\n  command_window: 5x\n",
       R"(/data/vtl.yaml:8: iscsi.command_window: found "5x", allowed: 1 to 1024)"},
      {"iscsi:\n  max_burst_length: 511\n",
       R"(/data/vtl.yaml:8: iscsi.max_burst_length: found "511", allowed: 512 to 16777215 (suffixes KiB MiB GiB TiB, kB MB GB TB))"},
      {"iscsi:\n\n\n  max_burst_length: 16MiB\n",
       R"(/data/vtl.yaml:10: iscsi.max_burst_length: found "16MiB", allowed: 512 to 16777215 (suffixes KiB MiB GiB TiB, kB MB GB TB))"},
      {"iscsi:\n  header_digest: yes\n",
       R"(/data/vtl.yaml:8: iscsi.header_digest: found "yes", allowed: true or false)"},
      {"iscsi:\n  max_burst_length: 128KiB\n",
       "/data/vtl.yaml:7: iscsi.first_burst_length: found 256KiB, allowed: at most "
       "max_burst_length, which is 128KiB"},
      {"iscsi:\n  max_burst_lenght: 1MiB\n",
       R"(/data/vtl.yaml:8: iscsi."max_burst_lenght": unknown key; did you mean "max_burst_length"?)"},
      {"lisen: 127.0.0.1\n", R"(/data/vtl.yaml:7: "lisen": unknown key; did you mean "listen"?)"},
      {"log: {quite: 1}\n", R"(/data/vtl.yaml:7: log."quite": unknown key; allowed: level)"},
      {"iscsi: 5\n", "/data/vtl.yaml:7: iscsi: found a single value, allowed: keys with values"},
      {"iscsi: [5]\n", "/data/vtl.yaml:7: iscsi: found a list, allowed: keys with values"},
      {"log:\n  level:\n", "/data/vtl.yaml:8: log.level: found nothing, allowed: a single value"},
      {"log:\n  level: [info]\n",
       "/data/vtl.yaml:8: log.level: found a list, allowed: a single value"},
      {"log: {level: info}\nlog: {level: info}\n",
       "/data/vtl.yaml:8: log: found a second time; the first is on line 7"},
      {"log:\n  level: info\n  level: info\n",
       "/data/vtl.yaml:9: log.level: found a second time; the first is on line 8"},
      {"listen: localhost\n",
       R"(/data/vtl.yaml:7: listen: found "localhost", allowed is a numeric address with an optional port, such as 127.0.0.1:3260 or [::1]:3260)"},
      {"listen:\n  - 127.0.0.1\n  - 127.0.0.1:65536\n",
       R"(/data/vtl.yaml:9: listen[2]: found "127.0.0.1:65536", allowed is a numeric address with an optional port, such as 127.0.0.1:3260 or [::1]:3260)"},
      {"listen:\n  - 127.0.0.1\n  - 127.0.0.1:3260\n",
       "/data/vtl.yaml:9: listen[2]: found 127.0.0.1:3260 a second time"},
      {"listen: []\n",
       "/data/vtl.yaml:7: listen: found an empty list, allowed: at least one address"},
      {"listen: 0.0.0.0\n",
       "/data/vtl.yaml:7: listen: 0.0.0.0:3260 can be reached from other machines, and not every "
       "target asks for CHAP: "
       "anyone there could read and overwrite tapes. Set access.targets.chap and an account, "
       "listen on 127.0.0.1 only, "
       "or, where the network is trusted, set allow_insecure_listen: true"},
      {"storage: {io_mode: fast}\n",
       R"(/data/vtl.yaml:7: storage.io_mode: found "fast", allowed: one of auto, direct, paced)"},
      {"storage:\n  scrub_days: 4000\n",
       R"(/data/vtl.yaml:8: storage.scrub_days: found "4000", allowed: 0 to 3650)"},
      {"storage:\n  scrub_bytes_per_second: 100kB\n",
       R"(/data/vtl.yaml:8: storage.scrub_bytes_per_second: found "100kB", allowed: 1MiB to 10GiB (suffixes KiB MiB GiB TiB, kB MB GB TB))"},
      {"storage:\n  segment_mib: 0\n",
       R"(/data/vtl.yaml:8: storage.segment_mib: found "0", allowed: 1 to 1024)"},
      {"storage: {buffer_bytes: 64MiB, buffer_bytes_per_drive: 65MiB}\n",
       "/data/vtl.yaml:7: storage.buffer_bytes_per_drive: found 65MiB, allowed: at most "
       "buffer_bytes, which is 64MiB"},
      {"access: {algorithms: [md4]}\n",
       R"(/data/vtl.yaml:7: access.algorithms[1]: found "md4", allowed: sha3-256, sha-256, sha-1, md5)"},
      {"access: {algorithms: [md5, md5]}\n",
       "/data/vtl.yaml:7: access.algorithms[2]: found md5 a second time"},
      {"access: {algorithms: []}\n",
       "/data/vtl.yaml:7: access.algorithms: found an empty list, allowed: at least one"},
      {"access:\n  accounts:\n    - {user: a}\n",
       R"(/data/vtl.yaml:9: access.accounts[1]: key "secret" is missing)"},
      {"access:\n  accounts:\n    - {user: a, secret: short}\n",
       "/data/vtl.yaml:9: access.accounts[1].secret: found 5 characters, allowed: 12 to 16"},
      {"access:\n  accounts:\n    - {user: a, secret: seventeen-letters}\n",
       "/data/vtl.yaml:9: access.accounts[1].secret: found 17 characters, allowed: 12 to 16, as "
       "Windows takes no more; where no Windows host logs in, access.long_secrets: true allows "
       "255"},
      {"access:\n  accounts:\n    - {user: a, secret: 'with spaces in'}\n",
       "/data/vtl.yaml:9: access.accounts[1].secret: found a character that not every initiator "
       "takes, allowed: "
       "printable ASCII without spaces"},
      {"access:\n  accounts:\n    - {user: a, secret: aaaaaaaaaaaa}\n    - {user: a, secret: "
       "bbbbbbbbbbbb}\n",
       R"(/data/vtl.yaml:10: access.accounts[2].user: found "a" a second time)"},
      {"access:\n  accounts:\n    - {user: a, secret: aaaaaaaaaaaa}\n  own: {user: b, secret: "
       "aaaaaaaaaaaa}\n",
       R"(/data/vtl.yaml:7: access: account "a" has the same secret as own: the two directions must differ)"},
      {"access:\n  targets: {chap: true}\n",
       "/data/vtl.yaml:7: access: chap is true, but there is no account: nobody could log in"},
      {"access:\n  targets: {users: [nobody]}\n",
       R"(/data/vtl.yaml:8: access.targets.users[1]: found "nobody", which is not among the accounts)"},
      {"access:\n  targets: {initiators: [debian]}\n",
       R"(/data/vtl.yaml:8: access.targets.initiators[1]: found "debian", allowed: an iSCSI name: iqn.YYYY-MM.<domain>[:<more>], eui.<16 hex digits> or naa.<16 or 32 hex digits>)"},
      {"access:\n  devices:\n    tapedrive-03: {chap: false}\n",
       "/data/vtl.yaml:9: access.devices.tapedrive-03: there is no such device, allowed: "
       "mediachanger, tapedrive-01 to "
       "tapedrive-02"},
      {"access:\n  secrets_file: no.yaml\n",
       "/data/vtl.yaml:8: access.secrets_file: /data/no.yaml cannot be opened: No such file or "
       "directory"},
      {"allow_insecure_listen: 1\n",
       R"(/data/vtl.yaml:7: allow_insecure_listen: found "1", allowed: true or false)"},
      {"log: &x {level: info}\niscsi: *x\n",
       "/data/vtl.yaml:8: not valid YAML: an alias (*name) is not allowed here: write the value "
       "out"},
      {"log:\n\tlevel: info\n", "/data/vtl.yaml:8: found a tab before the key, allowed: blanks"},
      // What may be a secret that slipped is not shown.
      {"access:\n  accounts:\n    - {user: a, secret: aaaaaaaaaaaa, hunter2hunter2}\n",
       "/data/vtl.yaml:9: access.accounts[1]: unknown key; allowed: initiators, secret, user"},
      {"? [a, b]\n: c\n", "/data/vtl.yaml:7: not valid YAML: a key must be plain text"},
      {"---\nlog: {}\n", "/data/vtl.yaml:8: found a second YAML document (---), allowed is one"},
  }));
  CHECK(only_error(with(more)) == expected);
}

TEST_CASE("errors in the library section") {
  const auto [line, text, expected] = GENERATE(table<std::size_t, std::string, std::string>({
      {2, "  name: Tapes\n",
       R"(:2: library.name: found "Tapes", allowed: 1 to 64 characters of a-z 0-9 - .)"},
      {2, "  profile: l700\n", R"(:2: library.profile: found "l700", allowed: )" + profile_names()},
      {2, "  barcode_characters: 7\n",
       R"(:2: library.barcode_characters: found "7", allowed: 6, 8 or all)"},
      {2, "  iqn_prefix: iqn.2026-13.local\n",
       R"(:2: library.iqn_prefix: found "iqn.2026-13.local", allowed: iqn.YYYY-MM.<domain>, as iqn.2026-11.local.vtl, at most 120 characters of a-z 0-9 - . :)"},
      {2, "  slots: 0\n",
       R"(:2: library.slots: found "0", allowed: 1 to 64536 (profile stk-l700))"},
      {2, "  slots: 64537\n",
       R"(:2: library.slots: found "64537", allowed: 1 to 64536 (profile stk-l700))"},
      {2, "  ie_slots: 491\n",
       R"(:2: library.ie_slots: found "491", allowed: 0 to 490 (profile stk-l700))"},
      {2, "  ie_slots: -1\n",
       R"(:2: library.ie_slots: found "-1", allowed: 0 to 490 (profile stk-l700))"},
      {3, "", R"(:1: library: key "changer" is missing: serial and naa of the medium changer)"},
      {3, "  changer: {naa: 5025654000000001}\n",
       R"(:3: library.changer: key "serial" is missing)"},
      {3, "  changer: {serial: CHANGER0000001, naa: 5025654000000001}\n",
       R"(:3: library.changer.serial: found "CHANGER0000001", allowed: 10 to 12 characters of A-Z 0-9)"},
      {3, "  changer: {serial: CHANGER001, naa: 2025654000000001}\n",
       R"(:3: library.changer.naa: found "2025654000000001", allowed: 16 hexadecimal digits, the first of them 5 or 3)"},
      {5, "    - {serial: DRIVE0001, naa: 5025654000000002}\n",
       R"(:5: library.drives[1].serial: found "DRIVE0001", allowed: exactly 10 characters of A-Z 0-9)"},
      {5, "    - {serial: drive00001, naa: 5025654000000002}\n",
       R"(:5: library.drives[1].serial: found "drive00001", allowed: exactly 10 characters of A-Z 0-9)"},
      {5, "    - {serial: DRIVE00001, naa: 50256540000000022}\n",
       R"(:5: library.drives[1].naa: found "50256540000000022", allowed: 16 hexadecimal digits, the first of them 5 or 3)"},
      {6, "    - {serial: DRIVE00001, naa: 5025654000000003}\n",
       ":6: library.drives[2].serial: found DRIVE00001 a second time: every device has its own"},
      {6, "    - {serial: DRIVE00002, naa: 5025654000000001}\n",
       ":6: library.drives[2].naa: found 5025654000000001 a second time: every device has its own"},
      {6, "    - {serial: DRIVE00002, naa: 5025654000000003, generation: 4}\n",
       R"(:6: library.drives[2].generation: found "4", allowed: 5 to 9)"},
      {6, "    - {serial: DRIVE00002, naa: 5025654000000003, identity: sony}\n",
       R"(:6: library.drives[2].identity: found "sony", allowed: ibm, hp, quantum)"},
      {2, "  drive_identity: IBM\n",
       R"(:2: library.drive_identity: found "IBM", allowed: ibm, hp, quantum)"},
      {6, "    - DRIVE00002\n",
       ":6: library.drives[2]: found a single value, allowed: keys with values"},
  }));
  std::string file;
  std::size_t at = 0;
  for (std::size_t n = 1; n <= 6; ++n) {
    const std::size_t end = kLibrary.find('\n', at) + 1;
    file += n == line ? text : kLibrary.substr(at, end - at);
    at = end;
  }
  const Loaded loaded = load_text(file);
  REQUIRE_FALSE(loaded.errors.empty());
  CHECK(to_string(loaded.errors[0]) == "/data/vtl.yaml" + expected);
}

TEST_CASE("a file that cannot be read is named once") {
  const Loaded missing = load("/nonexistent/vtl.yaml");
  REQUIRE(missing.errors.size() == 1);
  CHECK(to_string(missing.errors[0]) ==
        "/nonexistent/vtl.yaml: cannot be opened: No such file or directory");
  const Loaded folder = load("/tmp");
  REQUIRE(folder.errors.size() == 1);
  CHECK(to_string(folder.errors[0]) == "/tmp: is not a file");
}

TEST_CASE("all errors of a file are told, by line") {
  const Loaded loaded =
      load_text("log: {level: loud}\nlibrary:\n  slots: 0\n  frobs: 1\niscsi: {data_digest: 2}\n");
  std::vector<int> lines;
  for (const Problem& problem : loaded.errors) lines.push_back(problem.line);
  // level; changer and drives missing; slots; frobs; data_digest
  CHECK(lines == std::vector<int>{1, 2, 2, 3, 4, 5});
  CHECK_FALSE(loaded.config);
}

TEST_CASE("sizes above the real model's warn") {
  const Loaded loaded = load_text("library:\n  slots: 679\n" + kLibrary.substr(9));
  REQUIRE(loaded.config);
  REQUIRE(loaded.warnings.size() == 1);
  CHECK(to_string(loaded.warnings[0]) ==
        "/data/vtl.yaml:2: library.slots: 679 is more than the 678 of a real STK L700: some backup "
        "software may object");
  CHECK(load_text("library:\n  slots: 678\n" + kLibrary.substr(9)).warnings.empty());
}

TEST_CASE("secrets are kept from other users") {
  const std::string accounts = "accounts:\n  - {user: a, secret: aaaaaaaaaaaa}\n";
  SECTION("in vtl.yaml") {
    const std::string text = with("access:\n  accounts:\n    - {user: a, secret: aaaaaaaaaaaa}\n");
    CHECK(load_text(text, 0600).config);
    CHECK(only_error(text, 0640) ==
          "/data/vtl.yaml:7: access: the file holds secrets and can be read by others (mode 0640), "
          "allowed: 0600; run "
          "chmod 600 /data/vtl.yaml, or keep accounts and own in a secrets_file");
    CHECK_FALSE(load_text(text, 0604).config);
    CHECK(load_text(kLibrary, 0644).config);  // no secrets, no matter
  }
  SECTION("in a file of their own") {
    Files files;
    files.files["/data/vtl.yaml"] = {
        with("access: {secrets_file: s.yaml, targets: {chap: true}}\n"), 0644};
    files.files["/data/s.yaml"] = {accounts + "own: {user: b, secret: bbbbbbbbbbbb}\n", 0600};
    Loaded loaded = load("/data/vtl.yaml", files.reader());
    for (const Problem& problem : loaded.errors) UNSCOPED_INFO(to_string(problem));
    REQUIRE(loaded.config);
    CHECK(loaded.config->access.accounts.at(0).user == "a");
    CHECK(loaded.config->access.own->secret.reveal() == "bbbbbbbbbbbb");

    files.files["/data/s.yaml"].mode = 0644;
    loaded = load("/data/vtl.yaml", files.reader());
    REQUIRE(loaded.errors.size() == 1);
    CHECK(to_string(loaded.errors[0]) ==
          "/data/s.yaml: the file can be read by others (mode 0644), allowed: 0600; run chmod 600 "
          "/data/s.yaml");

    files.files["/data/s.yaml"] = {"accounts:\n  - {user: a, secret: aaaaaaaaaaaa\n\n", 0600};
    loaded = load("/data/vtl.yaml", files.reader());
    CHECK_FALSE(loaded.config);
    CHECK(loaded.errors[0].file == "/data/s.yaml");
    CHECK(loaded.errors[0].text == "not valid YAML");

    files.files["/data/s.yaml"] = {accounts + "listen: 127.0.0.1\n", 0600};
    loaded = load("/data/vtl.yaml", files.reader());
    REQUIRE(loaded.errors.size() == 1);
    CHECK(to_string(loaded.errors[0]).find("/data/s.yaml:3: \"listen\": unknown key") == 0);
  }
  SECTION("never shown") {
    const Loaded loaded = load_text(
        with("access:\n  accounts:\n    - {user: a, secret: hunter2}\n  own: {secret: hunter3}\n"));
    CHECK_FALSE(loaded.config);
    for (const Problem& problem : loaded.errors)
      CHECK(to_string(problem).find("hunter") == std::string::npos);
  }
}

TEST_CASE("an address that others reach wants CHAP for every target") {
  const std::string chap =
      "access:\n  accounts: [{user: a, secret: aaaaaaaaaaaa}]\n  targets: {chap: true}\n";
  CHECK(load_text(with("listen: 0.0.0.0\n" + chap)).config);
  CHECK(load_text(with("listen: '::'\n" + chap)).config);
  CHECK_FALSE(
      load_text(with("listen: '::'\n" + chap + "  devices: {tapedrive-01: {chap: false}}\n"))
          .config);
  CHECK(load_text(with("listen: 192.0.2.1\nallow_insecure_listen: true\n")).config);
  CHECK(load_text(with("listen: 127.1.2.3\n")).config);
  Config config = *load_text(kLibrary).config;
  CHECK(check_listen(config).empty());
  config.listen.push_back(std::get<Endpoint>(parse_endpoint("10.0.0.1:0")));
  CHECK(check_listen(config).size() == 1);
}

TEST_CASE("sizes") {
  CHECK(parse_size("0") == 0u);
  CHECK(parse_size("1048576") == 1048576u);
  CHECK(parse_size("64KiB") == 65536u);
  CHECK(parse_size("64 kib") == 65536u);
  CHECK(parse_size("2.5TB") == 2'500'000'000'000u);
  CHECK(parse_size("0.5KiB") == 512u);
  CHECK(parse_size("12TB") == 12'000'000'000'000u);
  CHECK(parse_size("16777215TiB") == 16777215ull << 40);
  for (const char* bad : {"", "KiB", "-1", "1.KiB", ".5KiB", "0.3B", "1XB", "1KiB ", "16777216TiB",
                          "18446744073709551616", "1e3", "0x10", "1.1234567890123TB"})
    CHECK_FALSE(parse_size(bad).has_value());
  for (const std::uint64_t bytes : {0ull, 1ull, 999ull, 1000ull, 1024ull, 262144ull, 16777215ull,
                                    12'000'000'000'000ull, 1ull << 40, ~0ull})
    CHECK(parse_size(format_size(bytes)) == bytes);
  CHECK(format_size(262144) == "256KiB");
  CHECK(format_size(12'000'000'000'000) == "12TB");
  CHECK(format_size(1000001) == "1000001");
}

TEST_CASE("the written file reads back, and shows every key") {
  InitOptions options;
  options.profile = GENERATE("stk-l700", "aws", "ibm-3584");
  options.drives = 10;
  const InitPlan plan = plan_init(options, seeded(1));
  REQUIRE(plan.config);
  const std::string text = write_default(*plan.config);
  Loaded loaded = load_text(text);
  for (const Problem& problem : loaded.errors) UNSCOPED_INFO(to_string(problem));
  UNSCOPED_INFO(text);
  REQUIRE(loaded.config);
  CHECK(*loaded.config == *plan.config);

  // Comments are broken into lines anywhere.
  std::string words;
  for (std::istringstream in(text); in;) {
    std::string word;
    if (in >> word && word != "#") words += word + " ";
  }
  for (const char* range : {"sleeps at once. 0 to 1000. ", "0: never. 0 to 3650. ",
                            "How much of that in a second. 1MiB to 10GiB. "})
    CHECK(words.find(range) != std::string::npos);

  // The defaults behind # are those of the program: taking the # away changes nothing.
  const std::string shown = uncommented(text);
  REQUIRE(shown != text);
  loaded = load_text(shown);
  for (const Problem& problem : loaded.errors) UNSCOPED_INFO(to_string(problem));
  REQUIRE(loaded.config);
  CHECK(*loaded.config == *plan.config);
  for (const char* key : {"profile",
                          "iqn_prefix",
                          "name",
                          "slots",
                          "ie_slots",
                          "barcode_characters",
                          "changer",
                          "drives",
                          "listen",
                          "allow_insecure_listen",
                          "algorithms",
                          "chap",
                          "users",
                          "initiators",
                          "max_recv_data_segment_length",
                          "send_timeout_ms",
                          "busy_poll_us",
                          "threads",
                          "pool",
                          "segment_mib",
                          "low_water_bytes",
                          "scrub_days",
                          "scrub_bytes_per_second",
                          "compression",
                          "level"})
    CHECK(shown.find(std::string(key) + ":") != std::string::npos);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    CHECK(end - at <= 100);
    at = end + 1;
  }
}

TEST_CASE("values that differ from the defaults are written") {
  Config config = *plan_init({}, seeded(2)).config;
  config.library.barcode_characters = 6;
  config.listen = {std::get<Endpoint>(parse_endpoint("[::1]:4000")),
                   std::get<Endpoint>(parse_endpoint("127.0.0.1"))};
  config.allow_insecure_listen = true;
  config.iscsi.command_window = 7;
  config.iscsi.data_digest = false;
  config.iscsi.threads = 3;
  config.storage.io_mode = IoMode::kDirect;
  config.storage.low_water_bytes = 123456789;
  config.storage.scrub_days = 0;
  config.storage.scrub_bytes_per_second = 100'000'000;
  config.log_level = LogLevel::kWarning;
  config.access.algorithms = {ChapAlgorithm::kMd5};
  config.access.targets.initiators = {"iqn.1993-08.org.debian:01:abc"};
  config.access.devices["tapedrive-03"] = {false, {}, {"eui.0123456789abcdef"}};
  const Loaded loaded = load_text(write_default(config));
  for (const Problem& problem : loaded.errors) UNSCOPED_INFO(to_string(problem));
  REQUIRE(loaded.config);
  CHECK(*loaded.config == config);
}

TEST_CASE("init: defaults and limits come from the profile") {
  const auto* profile = scsi::smc::find_library_profile("stk-l700");
  InitPlan plan = plan_init({}, seeded(3));
  REQUIRE(plan.config);
  CHECK(plan.config->library.slots == profile->storage.default_count);
  CHECK(plan.config->library.drives.size() == 10);
  CHECK(plan.warnings.empty());

  plan = plan_init({.profile = "stk-l700", .slots = 679}, seeded(3));
  REQUIRE(plan.config);
  CHECK(
      plan.warnings ==
      std::vector<std::string>{
          "--slots: 679 is more than the 678 of a real STK L700: some backup software may object"});
  plan = plan_init({.profile = "stk-l700",
                    .generation = {{4, {}}},
                    .drives = 501,
                    .slots = 64537,
                    .ie_slots = 491},
                   seeded(3));
  CHECK_FALSE(plan.config);
  CHECK(plan.errors ==
        std::vector<std::string>{"--slots: found 64537, allowed: 1 to 64536 (profile stk-l700)",
                                 "--ie-slots: found 491, allowed: 0 to 490 (profile stk-l700)",
                                 "--generation: found 4, allowed: 5 to 9",
                                 "--drives: found 501, allowed: 1 to 500 (profile stk-l700)"});
  plan = plan_init({.profile = "l700"}, seeded(3));
  CHECK(plan.errors.size() == 1);
}

TEST_CASE("init: identities are drawn, unique and do not depend on sizes") {
  InitOptions options;
  options.drives = 100;
  const InitPlan plan = plan_init(options, seeded(4));
  REQUIRE(plan.config);
  std::set<std::string> serials{plan.config->library.changer.serial};
  for (const Drive& drive : plan.config->library.drives) {
    CHECK(drive.identity.serial.size() == 10);
    CHECK(drive.identity.naa[0] == 0x50);
    serials.insert(drive.identity.serial);
  }
  CHECK(serials.size() == 101);
  const InitPlan aws = plan_init({.profile = "aws"}, seeded(4));
  REQUIRE(aws.config);
  const std::string name = changer_target_name(aws.config->library);
  const std::string prefix = "iqn.1997-05.com.amazon:sgw-";
  CHECK(name.starts_with(prefix));
  CHECK(name.size() == prefix.size() + 8 + std::string("-mediachanger").size());
  CHECK(name.substr(prefix.size(), 8).find_first_not_of("0123456789abcdef") == std::string::npos);
}

TEST_CASE("damaged files are refused or read, and nothing worse") {
  std::mt19937 engine(GENERATE(range(1u, 9u)));
  const auto random = [&] { return static_cast<unsigned>(engine()); };
  const std::string good = write_default(*plan_init({}, seeded(5)).config) + "\n# end\n";
  for (int round = 0; round < 150; ++round) {
    std::string text = good;
    for (unsigned i = 0, n = 1 + random() % 6; i < n && !text.empty(); ++i) {
      const std::size_t at = random() % text.size();
      switch (random() % 5) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, random() % 40);
          break;
        case 2:
          text.insert(at, good.substr(random() % good.size(), random() % 60));
          break;
        case 3:
          text.insert(at,
                      std::string(1 + random() % 3, "[]{}:-\n #&*!|>'\"%@`,?\t"[random() % 22]));
          break;
        case 4:
          text.resize(at + 1);
          break;
      }
    }
    const Loaded loaded = load_text(text);
    CHECK(loaded.config.has_value() == loaded.errors.empty());
  }
  CHECK_FALSE(load_text(std::string(100000, '[')).config);
  CHECK_FALSE(load_text(std::string(100000, '{')).config);
  CHECK_FALSE(load_text("").config);
  CHECK_FALSE(load_text("# nothing\n").config);
  CHECK_FALSE(load_text(std::string("library:\0x", 10)).config);
  CHECK_FALSE(load_text("just text").config);
  CHECK_FALSE(load_text("\xff\xfe\x00\x01 \x80").config);
}
