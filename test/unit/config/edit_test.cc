// Numbers of slots are changed in a vtl.yaml, and nothing else is.
#include "vtl/config/edit.h"

#include <catch2/catch.hpp>

using namespace vtl::config;

namespace {

const std::string kDevices =
    "  changer: {serial: CHANGER001, naa: 5025654000000001}\n"
    "  drives:\n"
    "    - {serial: DRIVE00001, naa: 5025654000000002}\n";

Edited edit(const std::string& text, std::uint32_t slots, std::uint32_t ie_slots) {
  return with_sizes("/data/vtl.yaml", slots, ie_slots,
                    [&](const std::string&) -> std::variant<SourceFile, std::string> {
                      return SourceFile{text, 0600};
                    });
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
  CHECK_FALSE(with_sizes("/data/vtl.yaml", 30, 10, [](const std::string&) {
                return std::variant<SourceFile, std::string>("cannot be opened");
              }).error.empty());
}
