// What clients send, step by step, and what has to come back: test/golden/transcripts. They are
// replays from the clients' published sources and documents, not recordings.
//
// A step has "in", a CDB. What it sends is "send", hex or "pattern N" (N bytes of the test's
// pattern). Expected are "sense" (none: GOOD) with its flags, "out" (all of the data), "begins"
// (the first of them), "at N" (some of them) and "bytes" (how many). A step with "drive" begins
// anew with a drive of that LTO generation (and "family") and a cartridge of it, of native capacity
// or of "capacity" MiB with the last quarter behind early warning; "partitions" and "worm" say what
// else it is.
#include "test/unit/ssc/golden_rig.h"

using namespace test;

namespace {

Data data_of(const std::string& text) {
  if (text.starts_with("pattern ")) return pattern(std::stoul(text.substr(8)));
  Data out;
  for (const std::uint8_t byte : golden_bytes(text)) out.push_back(std::byte{byte});
  return out;
}

std::string outcome_of(const Ended& end) {
  if (good(end)) return "";
  if (end.reply.status == scsi::SamStatus::kReservationConflict) return "conflict";
  const std::string flags = flags_of(end);
  return sense_of(end) + (flags.empty() ? "" : " " + flags);
}

std::string text_at(const GoldenCase& step, const std::string& key) {
  const auto found = step.find(key);
  return found == step.end() ? "" : found->second;
}

void play(const std::string& name) {
  const std::vector<GoldenCase> steps = read_golden("transcripts/" + name);
  CHECK(steps.size() > 5);
  std::unique_ptr<Rig> rig;
  std::size_t number = 0;
  for (const GoldenCase& step : steps) {
    INFO(name << ", step " << ++number << ": " << text_at(step, "step"));
    if (step.contains("drive")) rig = golden_rig(step);
    if (!step.contains("in")) continue;
    REQUIRE(rig != nullptr);
    const scsi::NexusId nexus = text_at(step, "from") == "b" ? rig->b : rig->a;
    const Cdb cdb = golden_bytes(step.at("in"));
    if (step.contains("send"))
      rig->send(cdb, data_of(step.at("send")), nexus);
    else
      rig->run(cdb, nexus, 1u << 20);
    CHECK(outcome_of(rig->last) == text_at(step, "sense"));
    const Data data = rig->last.data();
    const auto check_at = [&](std::size_t at, const std::string& hex) {
      const Data expected = data_of(hex);
      const std::size_t begin = std::min(at, data.size());
      const std::size_t end = std::min(begin + expected.size(), data.size());
      CHECK(golden_hex(Data(data.begin() + std::ptrdiff_t(begin),
                            data.begin() + std::ptrdiff_t(end))) == golden_hex(expected));
    };
    for (const auto& [key, value] : step) {
      if (key == "out") CHECK(golden_hex(data) == golden_hex(data_of(value)));
      if (key == "begins") check_at(0, value);
      if (key.starts_with("at ")) check_at(std::stoul(key.substr(3)), value);
      if (key == "bytes") CHECK(data.size() == std::stoul(value));
    }
  }
}

}  // namespace

TEST_CASE("Replayed: LTFS attaches, formats, mounts, writes its index, recovers, unformats") {
  play("ltfs.txt");
}
TEST_CASE("Replayed: LTFS as it is used: append-only mode, block protection, the end of the tape") {
  play("ltfs_use.txt");
}
TEST_CASE("Replayed: LTFS after a host that went away") { play("ltfs_takeover.txt"); }
TEST_CASE("Replayed: LTFS on drives of HP and Quantum") { play("ltfs_families.txt"); }
TEST_CASE("Replayed: Linux st and mt") { play("st.txt"); }
TEST_CASE("Replayed: Proxmox Backup Server") { play("proxmox.txt"); }
TEST_CASE("Replayed: the Windows tape class driver") { play("windows.txt"); }
TEST_CASE("Replayed: Windows' own minidriver for LTO") { play("ltotape.txt"); }
TEST_CASE("Replayed: NetBackup at a drive") { play("netbackup.txt"); }
TEST_CASE("Replayed: Spectrum Protect at a drive") { play("spectrum_protect.txt"); }
TEST_CASE("Replayed: Veeam at a drive") { play("veeam.txt"); }
