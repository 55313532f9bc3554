// Walks everything that a device does not have: each operation code, service action, VPD page, mode
// page and log page that its table or its lists do not name is refused, and by the field that says
// it.
#pragma once

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>
#include <span>
#include <string>

#include "scsi/command_table.h"
#include "test/unit/support/recorder.h"

namespace test {

inline void walk_unknown_opcodes(Recorder& recorder, scsi::NexusId nexus,
                                 std::span<const scsi::CommandRow> rows) {
  for (unsigned opcode = 0; opcode < 256; ++opcode) {
    std::set<std::int32_t> actions;
    for (const scsi::CommandRow& row : rows)
      if (row.opcode == opcode) actions.insert(row.service_action);
    INFO("operation code " << opcode);
    if (actions.contains(scsi::kNoServiceAction)) continue;
    for (std::int32_t action = 0; action < 32; ++action) {
      if (actions.contains(action)) continue;
      std::vector<std::uint8_t> cdb(16);
      cdb[0] = static_cast<std::uint8_t>(opcode);
      cdb[1] = static_cast<std::uint8_t>(action);
      INFO("service action " << action);
      CHECK(sense_of(recorder.run(nexus, cdb)) ==
            (actions.empty() ? "5/20/00" : "5/24/00 cdb byte 1 bit 4"));
      if (actions.empty()) break;  // no service action: one is like the other
    }
  }
}

// Of VPD pages, by page 00h.
inline void walk_unknown_vpd(Recorder& recorder, scsi::NexusId nexus) {
  const auto list = recorder.run(nexus, {0x12, 1, 0, 0, 0xFF, 0}).data();
  REQUIRE(list.size() > 4);
  const std::set<std::byte> known(list.begin() + 4, list.end());
  for (unsigned page = 0; page < 256; ++page) {
    INFO("page " << page);
    const auto end = recorder.run(nexus, {0x12, 1, static_cast<std::uint8_t>(page), 0x10, 0, 0});
    if (known.contains(static_cast<std::byte>(page))) {
      CHECK(sense_of(end) == "0/00/00");
      CHECK(end.data().at(1) == static_cast<std::byte>(page));
    } else {
      CHECK(sense_of(end) == "5/24/00 cdb byte 2 bit 7");
    }
    // PAGE CODE without EVPD
    if (page != 0)
      CHECK(sense_of(recorder.run(nexus, {0x12, 0, static_cast<std::uint8_t>(page), 0, 0xFF, 0})) ==
            "5/24/00 cdb byte 2 bit 7");
  }
}

struct Pages {
  std::set<std::pair<unsigned, unsigned>> known;  // page and subpage
  bool has_page(unsigned page) const {
    return std::any_of(known.begin(), known.end(), [&](const auto& p) { return p.first == page; });
  }
};

// Of log pages: page 00h/FFh names the known ones. A subpage FFh asks for all of a page, if the
// device has any.
inline void walk_unknown_log_pages(Recorder& recorder, scsi::NexusId nexus) {
  const auto sense = [&](unsigned page, unsigned subpage) {
    return recorder.run(nexus, {0x4D, 0, static_cast<std::uint8_t>(0x40 | page),
                                static_cast<std::uint8_t>(subpage), 0, 0, 0, 0x10, 0, 0});
  };
  const auto list = sense(0, 0xFF).data();
  REQUIRE(list.size() > 4);
  Pages pages;
  for (std::size_t i = 4; i + 1 < list.size(); i += 2)
    pages.known.insert(
        {std::to_integer<unsigned>(list[i]) & 0x3F, std::to_integer<unsigned>(list[i + 1])});
  for (unsigned page = 0; page < 0x40; ++page) {
    for (unsigned subpage = 0; subpage < 256; ++subpage) {
      INFO("page " << page << " subpage " << subpage);
      const auto end = sense(page, subpage);
      if (pages.known.contains({page, subpage})) {
        CHECK(sense_of(end) == "0/00/00");
        CHECK((std::to_integer<unsigned>(end.data().at(0)) & 0x3F) == page);
      } else {
        CHECK(sense_of(end).starts_with(pages.has_page(page) ? "5/24/00 cdb byte 3"
                                                             : "5/24/00 cdb byte 2"));
      }
    }
  }
}

// Of mode pages: 3Fh/FFh brings the known ones.
inline void walk_unknown_mode_pages(Recorder& recorder, scsi::NexusId nexus) {
  const auto sense = [&](unsigned page, unsigned subpage) {
    return recorder.run(nexus, {0x5A, 8, static_cast<std::uint8_t>(page),
                                static_cast<std::uint8_t>(subpage), 0, 0, 0, 0x10, 0, 0});
  };
  const auto all = sense(0x3F, 0xFF).data();
  REQUIRE(all.size() > 8);
  Pages pages;
  for (std::size_t i = 8; i + 3 < all.size();) {
    const auto first = std::to_integer<unsigned>(all[i]);
    const bool sub = (first & 0x40) != 0;
    pages.known.insert({first & 0x3F, sub ? std::to_integer<unsigned>(all[i + 1]) : 0});
    i += sub ? 4 + std::to_integer<std::size_t>(all[i + 2]) * 256 +
                   std::to_integer<std::size_t>(all[i + 3])
             : 2 + std::to_integer<std::size_t>(all[i + 1]);
  }
  REQUIRE(pages.known.size() > 2);
  for (unsigned page = 1; page < 0x3F; ++page) {
    for (unsigned subpage = 0; subpage < 0xFF; ++subpage) {
      INFO("page " << page << " subpage " << subpage);
      const auto end = sense(page, subpage);
      if (pages.known.contains({page, subpage}))
        CHECK(sense_of(end) == "0/00/00");
      else
        CHECK(sense_of(end).starts_with(pages.has_page(page) ? "5/24/00 cdb byte 3"
                                                             : "5/24/00 cdb byte 2"));
    }
  }
}

}  // namespace test
