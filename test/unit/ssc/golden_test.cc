// Bytes that stay what they are: test/golden/tape_drive.txt and what differs in drives of other
// families, and what sg3-utils, an independent reader, makes of the same pages.
//
// A golden case is four lines: "# clause", "name", "in" with a CDB, "out" with the data that a
// loaded LTO-8 drive answers. A change of a line is a change of what clients see: say why in the
// commit.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "test/unit/ssc/golden_rig.h"

using namespace test;

namespace {

struct Case {
  std::string name;
  Cdb in;
  std::string out;  // hex
};

std::string hex(const Data& data) {
  std::string out;
  char two[4];
  for (const std::byte b : data) {
    std::snprintf(two, sizeof two, "%02x ", std::to_integer<unsigned>(b));
    out += two;
  }
  if (!out.empty()) out.pop_back();
  return out;
}

std::vector<Case> cases(const std::string& name = "tape_drive.txt") {
  std::ifstream file(VTL_SOURCE_DIR "/test/golden/" + name);
  REQUIRE(file.good());
  std::vector<Case> out;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    std::string rest;
    std::getline(words >> std::ws, rest);
    if (key == "name") {
      out.push_back({rest, {}, {}});
    } else if (key == "in") {
      std::istringstream bytes_in(rest);
      for (unsigned value = 0; bytes_in >> std::hex >> value;)
        out.back().in.push_back(Rig::u8(value));
    } else if (key == "out") {
      out.back().out = rest;
    }
  }
  return out;
}

struct Loaded : Rig {
  explicit Loaded(std::string_view family = "ibm") : Rig(8, family) {
    auto cartridge = std::make_unique<MemoryMedium>();
    cartridge->set_capacity(11'900'000'000'000, 12'000'000'000'000);
    load(std::move(cartridge));
  }
};

// What a tool of sg3-utils says of these bytes.
std::string decode(const std::string& tool, const std::string& options, const Data& data) {
  if (std::system(("command -v " + tool + " >/dev/null").c_str()) != 0)
    FAIL(tool << " is missing: apt-get install sg3-utils");
  char path[] = "/tmp/vtl-golden-XXXXXX";
  const int fd = mkstemp(path);
  REQUIRE(fd >= 0);
  const std::string text = hex(data) + "\n";
  REQUIRE(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  close(fd);
  std::FILE* pipe = popen((tool + " " + options + path + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string out;
  char line[512];
  while (std::fgets(line, sizeof line, pipe) != nullptr) out += line;
  const int status = pclose(pipe);
  unlink(path);
  INFO(tool << " " << options << "\n" << out);
  CHECK(status == 0);
  return out;
}

bool contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return true;
  WARN("not found: " << part << "\nin:\n" << text);
  return false;
}

}  // namespace

TEST_CASE("Golden answers of a loaded LTO-8 drive") {
  const std::vector<Case> all = cases();
  CHECK(all.size() >= 20);
  for (const Case& each : all) {
    Loaded rig;
    const Data data = rig.run(each.in).data();
    INFO(each.name);
    CHECK(good(rig.last));
    CHECK(hex(data) == each.out);
  }
}

TEST_CASE("Golden answers of a loaded LTO-8 drive of another family") {
  const std::string family = GENERATE("hp", "quantum");
  const std::vector<Case> all = cases("tape_drive_" + family + ".txt");
  CHECK(all.size() >= 5);
  for (const Case& each : all) {
    Loaded rig(family);
    const Data data = rig.run(each.in).data();
    INFO(family << ": " << each.name);
    CHECK(good(rig.last));
    CHECK(hex(data) == each.out);
  }
}

TEST_CASE("Golden commands, one after the other") {
  std::unique_ptr<Rig> rig;
  const auto field = [](const GoldenCase& golden, const std::string& key) {
    Data out;
    if (const auto found = golden.find(key); found != golden.end())
      for (const std::uint8_t byte : golden_bytes(found->second)) out.push_back(std::byte{byte});
    return out;
  };
  for (const GoldenCase& golden : read_golden("tape_drive_commands.txt")) {
    INFO(golden.at("name"));
    if (golden.contains("drive")) rig = golden_rig(golden);
    REQUIRE(rig != nullptr);
    const Cdb cdb = golden_bytes(golden.at("cdb"));
    if (golden.contains("out"))
      rig->send(cdb, field(golden, "out"));
    else
      rig->run(cdb);
    const Ended& end = rig->last;
    CHECK(golden_hex(end.data()) == golden_hex(field(golden, "data")));
    const Data sense = end.reply.sense ? end.reply.sense->encode_fixed() : Data();
    CHECK(golden_hex(sense) == golden_hex(field(golden, "sense")));
    CHECK(good(end) == !golden.contains("sense"));
  }
}

TEST_CASE("Golden: every command of the table, every VPD, log and mode page is there") {
  std::set<std::pair<unsigned, int>> commands;
  std::set<unsigned> vpd, log;
  bool all_mode_pages = false;
  const auto note = [&](const Cdb& cdb) {
    commands.emplace(cdb[0], cdb[1] & 0x1F);
    if (cdb[0] == 0x12 && cdb[1] == 1) vpd.insert(cdb[2]);
    if (cdb[0] == 0x4D) log.insert(cdb[2] & 0x3Fu);
    if (cdb[0] == 0x5A && cdb[2] == 0x3F && cdb[3] == 0xFF) all_mode_pages = true;
  };
  for (const Case& each : cases()) note(each.in);
  for (const GoldenCase& each : read_golden("tape_drive_commands.txt"))
    note(golden_bytes(each.at("cdb")));
  for (const char* family : {"hp", "quantum"})
    for (const Case& each : cases("tape_drive_" + std::string(family) + ".txt")) note(each.in);
  CHECK(all_mode_pages);
  Loaded rig;
  for (const scsi::CommandRow& row : rig.drive.rows()) {
    INFO(row.name);
    const auto named = [&](const auto& seen) {
      return seen.first == row.opcode &&
             (row.service_action < 0 || seen.second == row.service_action);
    };
    CHECK(std::any_of(commands.begin(), commands.end(), named));
  }
  for (const scsi::ssc::DriveFamily& family : scsi::ssc::drive_families()) {
    Loaded of(family.name);
    for (const scsi::ssc::LogPageOf& page : family.log_pages) {
      INFO("log page " << int(page.page));
      CHECK(log.contains(page.page));
    }
    const Data list = of.run({0x12, 1, 0, 1, 0, 0}).data();
    for (std::size_t i = 4; i < list.size(); ++i) {
      INFO("VPD page " << std::to_integer<unsigned>(list[i]));
      CHECK(vpd.contains(std::to_integer<unsigned>(list[i])));
    }
  }
}

TEST_CASE("sg_inq reads the standard INQUIRY data") {
  Loaded rig;
  const std::string out =
      decode("sg_inq", "--descriptors --inhex=", rig.run({0x12, 0, 0, 0, 96}).data());
  for (const char* part : {"RMB=1", "PDT=1", "version=0x06  [SPC-4]", "length=96", "CmdQue=1",
                           "Vendor identification: IBM", "Product identification: ULT3580-TD8",
                           "Product revision level: N9M1", "SSC-4", "SPC-4", "iSCSI"})
    CHECK(contains(out, part));
}

TEST_CASE("sg_vpd reads the VPD pages") {
  Loaded rig;
  const auto vpd = [&](int page) {
    const Data data = rig.run({0x12, 1, Rig::u8(static_cast<unsigned>(page)), 1, 0}).data();
    char option[40];
    std::snprintf(option, sizeof option, "--page=0x%02x --inhex=", static_cast<unsigned>(page));
    return decode("sg_vpd", option, data);
  };
  const std::string supported = vpd(0x00);
  for (const char* part :
       {"[sv]", "[sn]", "[di]", "[ei]", "[mpp]", "[sad]", "[mas]", "[tas]", "[adsn]", "[dtde]"})
    CHECK(contains(supported, part));
  CHECK(contains(vpd(0x80), "VTL0000001"));
  const std::string identification = vpd(0x83);
  for (const char* part :
       {"vendor id: IBM", "vendor specific: ULT3580-TD8     VTL0000001", "0x5001020304050607",
        "Relative target port: 0x1", "iqn.2026-11.local.vtl:lib-tapedrive-01,t,0x0001",
        "iqn.2026-11.local.vtl:lib-tapedrive-01"})
    CHECK(contains(identification, part));
  CHECK(contains(vpd(0xB0), "WORM=1"));
  CHECK(contains(vpd(0xB1), "VTL0000001"));
  CHECK(contains(vpd(0xB2), "Flag01h: 0  02h: 0  03h: 1  04h: 1  05h: 1  06h: 1  07h: 0  08h: 0"));
  CHECK(contains(vpd(0xB4), "0x01f4"));
  CHECK(contains(vpd(0xB3), "VTLLIB0001"));
  vpd(0x86);
  vpd(0x87);
}

TEST_CASE("sg_logs reads the log pages") {
  Loaded rig;
  const auto log = [&](int page) {
    return decode(
        "sg_logs", "--pdt=1 --vendor=lto5 --in=",
        rig.run({0x4D, 0, Rig::u8(0x40u | static_cast<unsigned>(page)), 0, 0, 0, 0, 0x10, 0, 0})
            .data());
  };
  CHECK(contains(log(0x00), "0x2e"));
  CHECK(contains(log(0x0C), "Data bytes received with WRITE commands: 0"));
  CHECK(contains(log(0x11), "Very high frequency data:"));
  CHECK(contains(log(0x12), "Flag01h: 0"));
  CHECK(contains(log(0x14), "Lifetime media loads: 1"));
  const std::string volume = log(0x17);
  CHECK(contains(volume, "Page valid: 1"));
  CHECK(contains(volume, "Volume barcode: VTL001L8"));
  CHECK(contains(log(0x1B), "Read compression ratio x100: 100"));
  CHECK(contains(log(0x2E), "Write failure: 0"));
  CHECK(contains(log(0x31), "Main partition remaining capacity"));
  CHECK(contains(log(0x0D), "Current temperature = 36 C"));
  CHECK(contains(log(0x10), "Self-test results page"));
  for (const int page : {0x02, 0x03}) log(page);
}

TEST_CASE("sg_read_attr reads the attributes") {
  Loaded rig;
  const std::string out =
      decode("sg_read_attr",
             "--sa=0 --in=", rig.run({0x8C, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0}).data());
  for (const char* part : {"Medium serial number: MEM0000001", "Load count: 1",
                           "Volume identifier: VTL001L8", "Medium manufacture date: 20260102"})
    CHECK(contains(out, part));
}
