// The configuration that `vtl init` draws and writes.
#include <set>
#include <sstream>

#include "config_files.h"
#include "scsi/smc/profile.h"

using namespace vtl::config;

namespace {

// Takes the # from keys that show a default; prose has a space behind its #.
std::string uncommented(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] != '#' || i + 1 == text.size() || text[i + 1] == ' ') out += text[i];
  return out;
}

}  // namespace

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
  config.iscsi.tell_all_addresses = true;
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
