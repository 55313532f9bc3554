// Numbers of slots are changed in a vtl.yaml, drives are added, and nothing else is changed.
#include "vtl/config/edit.h"

#include <catch2/catch.hpp>

using namespace vtl::config;

namespace {

const std::string kDevices =
    "  changer: {serial: CHANGER001, naa: 5025654000000001}\n"
    "  drives:\n"
    "    - {serial: DRIVE00001, naa: 5025654000000002}\n";

Edited edit(const std::string& text, std::uint32_t slots, std::uint32_t ie_slots,
            std::vector<Drive> drives = {}) {
  const ReadFile read = [&](const std::string& path) -> std::variant<SourceFile, std::string> {
    if (path != "/data/vtl.yaml") return std::string(kNoSuchFile);
    return SourceFile{text, 0600};
  };
  const Loaded now = load("/data/vtl.yaml", read);
  return with_growth("/data/vtl.yaml", now.config ? now.config->library : LibraryConfig(),
                     {slots, ie_slots, std::move(drives)}, read);
}

Drive drive(const std::string& serial, std::uint8_t last_of_naa, std::uint8_t generation) {
  return {{serial, {0x50, 0x25, 0x65, 0x40, 0, 0, 0, last_of_naa}}, generation};
}

}  // namespace

TEST_CASE("the numbers change where they stand; comments, order and spaces stay") {
  const Edited edited = edit(
      "# slots: 7\nlibrary:\n  slots: 20   # 20 slots\n" + kDevices + "  ie_slots: 5\nlog: {}\n",
      300, 46);
  CHECK(edited.error.empty());
  CHECK(edited.config.library.slots == 300);
  CHECK(edited.config.library.ie_slots == 46);
  CHECK(edited.text == "# slots: 7\nlibrary:\n  slots: 300   # 20 slots\n" + kDevices +
                           "  ie_slots: 46\nlog: {}\n");
}

TEST_CASE("a number that is not there is put in") {
  const Edited edited = edit("library:\n  # who\n" + kDevices, 300, 46);
  CHECK(edited.error.empty());
  CHECK(edited.text == "library:\n  # who\n  ie_slots: 46\n  slots: 300\n" + kDevices);
}

TEST_CASE("refused: what is not right, and what cannot be told apart") {
  const std::string good = "library:\n  slots: 20\n" + kDevices;
  CHECK(edit(good, 64537, 20).error ==
        "library.slots: found \"64537\", allowed: 1 to 64536 (profile "
        "stk-l700)");
  CHECK(edit("library:\n  slots: x\n" + kDevices, 30, 20).error.find("library.slots") !=
        std::string::npos);
  CHECK_FALSE(edit("library: {slots: 20, changer: {serial: CHANGER001, naa: 5025654000000001}, "
                   "drives: [{serial: DRIVE00001, naa: 5025654000000002}]}\n",
                   30, 10)
                  .error.empty());
  CHECK_FALSE(with_growth("/data/vtl.yaml", {}, {30, 10, {}}, [](const std::string&) {
                return std::variant<SourceFile, std::string>("cannot be opened");
              }).error.empty());
}

TEST_CASE("drives are added behind those there are, however these are written") {
  const std::string sizes = "library:\n  ie_slots: 5\n  slots: 20\n";
  const std::string first =
      "    - {serial: \"DRIVE00002\", naa: \"5025654000000012\", generation: 8, identity: ibm}\n";
  const std::string second =
      "    - {serial: \"DRIVE00003\", naa: \"5025654000000013\", generation: 9, identity: ibm}\n";
  const std::vector<Drive> two = {drive("DRIVE00002", 0x12, 8), drive("DRIVE00003", 0x13, 9)};
  SECTION("a line each") {
    const Edited edited = edit(sizes + kDevices + "  # the end\nlog: {}\n", 20, 5, two);
    CHECK(edited.error.empty());
    CHECK(edited.text == sizes + kDevices + first + second + "  # the end\nlog: {}\n");
    REQUIRE(edited.config.library.drives.size() == 3);
    CHECK(edited.config.library.drives[0].identity.serial == "DRIVE00001");
    CHECK(edited.config.library.drives[2] == two[1]);
  }
  SECTION("several lines each, and the last of the file without an end") {
    const std::string head = sizes +
                             "  changer: {serial: CHANGER001, naa: 5025654000000001}\n  drives:\n"
                             "    - serial: DRIVE00001   # the first\n      naa: 5025654000000002";
    const Edited edited = edit(head, 20, 5, two);
    CHECK(edited.error.empty());
    CHECK(edited.text == head + "\n" + first + second);
  }
  SECTION("not indented") {
    const std::string head = sizes + "  changer: {serial: CHANGER001, naa: 5025654000000001}\n" +
                             "  drives:\n  - {serial: DRIVE00001, naa: 5025654000000002}\n";
    const Edited edited = edit(head, 20, 5, two);
    CHECK(edited.error.empty());
    CHECK(edited.text == head + first.substr(2) + second.substr(2));
  }
}

TEST_CASE("a file that somebody has changed since it was read is not added to") {
  const std::string text = "library:\n  slots: 20\n" + kDevices;
  const ReadFile read = [&](const std::string& path) -> std::variant<SourceFile, std::string> {
    if (path != "/data/vtl.yaml") return std::string(kNoSuchFile);
    return SourceFile{text, 0600};
  };
  LibraryConfig running = load("/data/vtl.yaml", read).config->library;
  CHECK(with_growth("/data/vtl.yaml", running, {30, 20, {}}, read).error.empty());
  running.drives.push_back(drive("DRIVE00009", 0x19, 8));
  CHECK(with_growth("/data/vtl.yaml", running, {30, 20, {}}, read).error ==
        "/data/vtl.yaml: library: it was changed since the server read it; restart the server "
        "first");
}

TEST_CASE("drives that cannot be added") {
  const std::string good = "library:\n  slots: 20\n  ie_slots: 5\n" + kDevices;
  CHECK(edit(good, 20, 5, {drive("DRIVE00001", 0x12, 8)}).error ==
        "library.drives[2].serial: found DRIVE00001 a second time: every device has its own");
  CHECK(edit(good, 20, 5, {drive("DRIVE00002", 0x02, 8)}).error.find("a second time") !=
        std::string::npos);
  std::vector<Drive> many;
  for (int i = 0; i < 500; ++i) {
    many.push_back(drive("D" + std::to_string(100000000 + i), static_cast<std::uint8_t>(i), 8));
    many.back().identity.naa[6] = static_cast<std::uint8_t>(1 + i / 256);
  }
  CHECK(edit(good, 20, 5, many).error ==
        "library.drives: found 501 drives, allowed: 1 to 500 (profile stk-l700)");
  const std::string flow =
      "library:\n  slots: 20\n  ie_slots: 5\n  changer: {serial: CHANGER001, naa: "
      "5025654000000001}\n  drives: [{serial: DRIVE00001, naa: 5025654000000002}]\n";
  const Edited refused = edit(flow, 20, 5, {drive("DRIVE00002", 0x12, 8)});
  CHECK(refused.error.find("it is not clear where slots, ie_slots and drives stand") !=
        std::string::npos);
}
