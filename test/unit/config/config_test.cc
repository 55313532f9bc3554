// What a configuration file says arrives where it belongs.
#include "config_files.h"
#include "vtl/config/rules.h"

using namespace vtl::config;

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
