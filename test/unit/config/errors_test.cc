// What is wrong with a configuration file, in words for people; and files that are damaged.
#include <sstream>

#include "config_files.h"
#include "vtl/config/rules.h"

using namespace vtl::config;

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
       "each thread takes at least 32MiB of storage.buffer_bytes, which is 192MiB"},
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
