// Everything that a drive does not have is refused, and the field pointer says where: opcodes,
// service actions, pages and subpages of every kind, values of fields. What it does have is taken
// from its own lists, so that a list cannot say one thing and the commands another.
#include <set>

#include "test/unit/ssc/rig.h"
#include "test/unit/support/row_walker.h"

using namespace test;

namespace {

constexpr std::uint8_t kGenerations[] = {3, 4, 5, 6, 7, 8, 9, 10};

// Every drive there is.
struct Model {
  std::uint8_t generation;
  std::string_view family;
};
std::vector<Model> models() {
  std::vector<Model> out;
  for (const scsi::ssc::DriveFamily& family : scsi::ssc::drive_families())
    for (const std::uint8_t generation : kGenerations)
      if (!family.model(generation).product.empty()) out.push_back({generation, family.name});
  return out;
}

struct Loaded : Rig {
  explicit Loaded(std::uint8_t generation, std::string_view family = "ibm")
      : Rig(generation, family) {
    load(std::make_unique<MemoryMedium>(generation));
  }
  const Ended& ask(std::initializer_list<unsigned> cdb) {
    Cdb bytes_of;
    for (const unsigned byte : cdb) bytes_of.push_back(u8(byte));
    return run(bytes_of);
  }
};

// Pages and subpages that a list of both names has.
std::set<std::pair<unsigned, unsigned>> log_pages(Loaded& rig) {
  const Data list = rig.ask({0x4D, 0, 0x40, 0xFF, 0, 0, 0, 0x10, 0, 0}).data();
  std::set<std::pair<unsigned, unsigned>> out;
  for (std::size_t at = 4; at < list.size(); at += 2)
    out.emplace(be(list, at, 1), be(list, at + 1, 1));
  return out;
}
std::set<std::pair<unsigned, unsigned>> mode_pages(Loaded& rig) {
  const Data all = rig.ask({0x5A, 0x08, 0x3F, 0xFF, 0, 0, 0, 0x10, 0, 0}).data();
  std::set<std::pair<unsigned, unsigned>> out;
  for (std::size_t at = 8; at < all.size();) {
    const bool subpage = (be(all, at, 1) & 0x40) != 0;
    out.emplace(be(all, at, 1) & 0x3F, subpage ? be(all, at + 1, 1) : 0);
    at += subpage ? 4 + be(all, at + 2, 2) : 2 + be(all, at + 1, 1);
  }
  return out;
}

}  // namespace

TEST_CASE("Walk: every row of every generation is well formed and refuses every reserved bit") {
  for (const auto& [generation, family] : models()) {
    INFO(family << " LTO-" << int(generation));
    Loaded rig(generation, family);
    check_table(rig.drive.rows());
    walk_reserved_bits(rig.sink, rig.a, rig.drive.rows());
  }
}

TEST_CASE("Walk: REPORT SUPPORTED OPERATION CODES says of each row what the row says") {
  for (const auto& [generation, family] : models()) {
    INFO(family << " LTO-" << int(generation));
    Loaded rig(generation, family);
    const Data all = rig.ask({0xA3, 0x0C, 0x80, 0, 0, 0, 0, 0, 0x40, 0}).data();
    REQUIRE(all.size() == 4 + 20 * rig.drive.rows().size());
    std::size_t at = 4;
    for (const scsi::CommandRow& row : rig.drive.rows()) {
      INFO(row.name);
      const bool service = row.service_action != scsi::kNoServiceAction;
      const unsigned action = service ? static_cast<unsigned>(row.service_action) : 0;
      CHECK(be(all, at, 1) == row.opcode);
      CHECK(be(all, at + 2, 2) == action);
      CHECK(be(all, at + 5, 1) == (service ? 0x03u : 0x02u));
      CHECK(be(all, at + 6, 2) == row.cdb_length);
      CHECK(be(all, at + 8, 4) == 0x000A0000);
      CHECK(be(all, at + 16, 4) == row.recommended_timeout_s);
      at += 20;
      Data one = bytes({0, 0x83, 0, row.cdb_length});
      for (std::size_t i = 0; i < row.cdb_length; ++i)
        one.push_back(static_cast<std::byte>(i == 1 && service ? (row.usage[1] & 0xE0u) | action
                                                               : row.usage[i]));
      const unsigned form = service ? 2 : 1;
      for (const unsigned options : {form, 3u}) {
        const Data told =
            rig.ask({0xA3, 0x0C, 0x80 | options, row.opcode, 0, action, 0, 0, 1, 0}).data();
        REQUIRE(told.size() == one.size() + 12);
        CHECK(Data(told.begin(), told.begin() + std::ptrdiff_t(one.size())) == one);
        CHECK(be(told, one.size() + 8, 4) == row.recommended_timeout_s);
      }
      CHECK(sense_of(rig.ask({0xA3, 0x0C, 3 - form, row.opcode, 0, action, 0, 0, 1, 0})) ==
            "5/24/00 cdb byte 2 bit 2");
    }
  }
}

TEST_CASE("Walk: opcodes and service actions that no row has") {
  const auto [generation, family] = GENERATE(from_range(models()));
  INFO(family << " LTO-" << int(generation));
  Loaded rig(generation, family);
  std::map<unsigned, std::set<unsigned>>
      rows;  // service actions by opcode; none: no service action
  for (const scsi::CommandRow& row : rig.drive.rows()) {
    rows[row.opcode];
    if (row.service_action >= 0) rows[row.opcode].insert(static_cast<unsigned>(row.service_action));
  }
  unsigned opcodes = 0, actions = 0;
  for (unsigned opcode = 0; opcode < 256; ++opcode) {
    INFO("opcode " << opcode);
    if (!rows.contains(opcode)) {
      ++opcodes;
      CHECK(sense_of(rig.ask({opcode})) == "5/20/00");
      for (const unsigned extra : {0x1Fu, 0xFFu})
        CHECK(sense_of(rig.ask({opcode, extra, extra, extra})) == "5/20/00");
      CHECK(rig.ask({0xA3, 0x0C, 1, opcode, 0, 0, 0, 0, 1, 0}).data() == bytes({0, 1, 0, 0}));
      continue;
    }
    if (rows[opcode].empty()) continue;
    for (unsigned action = 0; action < 32; ++action) {
      if (rows[opcode].contains(action)) continue;
      ++actions;
      CHECK(sense_of(rig.ask({opcode, action})) == "5/24/00 cdb byte 1 bit 4");
    }
  }
  CHECK(opcodes > 180);
  CHECK(actions > 150);
  // Those of LTO's neighbours that programs try: READ REVERSE, RECOVER BUFFERED DATA, the
  // explicit-address commands of SSC-4, READ ELEMENT STATUS ATTACHED.
  for (const unsigned opcode : {0x0Fu, 0x14u, 0x80u, 0x81u, 0x88u, 0x8Au, 0x8Fu, 0x93u, 0xB4u})
    CHECK(sense_of(rig.ask({opcode})) == "5/20/00");
}

TEST_CASE("Walk: mode pages and subpages") {
  for (const auto& [generation, family] : models()) {
    Loaded rig(generation, family);
    const auto known = mode_pages(rig);
    CHECK(known.size() > 8);
    for (unsigned page = 0; page < 0x3F; ++page) {
      const bool page_known = known.lower_bound({page, 0}) != known.lower_bound({page + 1, 0});
      for (const unsigned subpage : {0u, 1u, 2u, 0x20u, 0xF0u, 0xF1u, 0xFEu}) {
        INFO(family << " LTO-" << int(generation) << " page " << page << "/" << subpage);
        const std::string sense = sense_of(rig.ask({0x5A, 8, page, subpage, 0, 0, 0, 0x10, 0, 0}));
        if (known.contains({page, subpage}) || (page == 0 && subpage == 0))
          CHECK(sense == "0/00/00");
        else
          CHECK(sense ==
                (page_known || page == 0 ? "5/24/00 cdb byte 3" : "5/24/00 cdb byte 2 bit 5"));
        CHECK(sense_of(rig.ask({0x1A, 8, page, subpage, 255, 0})) == sense);
      }
    }
    for (const unsigned subpage : {1u, 0x20u, 0xFEu})
      CHECK(sense_of(rig.ask({0x5A, 8, 0x3F, subpage, 0, 0, 0, 0x10, 0, 0})) ==
            "5/24/00 cdb byte 3");
    CHECK(sense_of(rig.ask({0x5A, 8, 0xCF, 0, 0, 0, 0, 0x10, 0, 0})) == "5/39/00");
  }
}

TEST_CASE("Walk: MODE SELECT, each bit that is not to be changed, and lengths") {
  for (const auto& [generation, family] : models()) {
    Loaded rig(generation, family);
    for (const auto& [page, subpage] : mode_pages(rig)) {
      const auto sense = [&rig, page = page, subpage = subpage](unsigned control) {
        return rig.ask({0x5A, 8, control << 6 | page, subpage, 0, 0, 0, 0x10, 0, 0}).data();
      };
      const Data now = sense(0), changeable = sense(1);
      REQUIRE(now.size() == changeable.size());
      const auto select = [&rig](Data list) {
        list[0] = list[1] = std::byte{0};
        const std::size_t size = list.size();
        return sense_of(rig.send({0x55, 0x10, 0, 0, 0, 0, 0, Rig::u8(size >> 8), Rig::u8(size), 0},
                                 std::move(list)));
      };
      // Buffer ratios, and switches of which hosts write back more than they mean.
      const bool tolerant = subpage == 0 && (page == 0x02 || page == 0x10);
      const std::size_t length_at = 8 + (subpage != 0 ? 2 : 1);
      for (std::size_t at = 8 + (subpage != 0 ? 4 : 2); at < now.size(); ++at) {
        for (unsigned bit = 0; bit < 8; ++bit) {
          if ((std::to_integer<unsigned>(changeable[at]) >> bit & 1) != 0) continue;
          INFO(family << " LTO-" << int(generation) << " page " << page << "/" << subpage
                      << " byte " << at << " bit " << bit);
          Data list = now;
          list[at] ^= static_cast<std::byte>(1u << bit);
          CHECK(select(list) == (tolerant ? "0/00/00"
                                          : "5/26/00 list byte " + std::to_string(at) + " bit " +
                                                std::to_string(bit)));
        }
      }
      INFO(family << " LTO-" << int(generation) << " page " << page << "/" << subpage);
      Data longer = now;
      longer.push_back(std::byte{0});
      const std::size_t last_of_length = subpage != 0 ? length_at + 1 : length_at;
      longer[last_of_length] = static_cast<std::byte>(be(now, last_of_length, 1) + 1);
      CHECK(select(longer) == "5/26/00 list byte " + std::to_string(length_at));
      CHECK(select(Data(now.begin(), now.end() - 1)) == "5/1A/00");
      CHECK(sense(0) == now);
    }
  }
}

TEST_CASE("Walk: log pages, VPD pages") {
  for (const auto& [generation, family] : models()) {
    Loaded rig(generation, family);
    const auto known = log_pages(rig);
    CHECK(known.size() > 10);
    for (unsigned page = 0; page < 0x40; ++page) {
      const bool page_known = known.lower_bound({page, 0}) != known.lower_bound({page + 1, 0});
      for (const unsigned subpage : {0u, 1u, 0x64u, 0xFEu, 0xFFu}) {
        INFO(family << " LTO-" << int(generation) << " page " << page << "/" << subpage);
        const std::string sense =
            sense_of(rig.ask({0x4D, 0, 0x40u | page, subpage, 0, 0, 0, 0x10, 0, 0}));
        if (known.contains({page, subpage}))
          CHECK(sense == "0/00/00");
        else
          CHECK(sense == (page_known ? "5/24/00 cdb byte 3" : "5/24/00 cdb byte 2 bit 5"));
      }
    }
    const Data list = rig.ask({0x12, 1, 0, 1, 0, 0}).data();
    std::set<unsigned> pages;
    for (std::size_t at = 4; at < list.size(); ++at)
      pages.insert(std::to_integer<unsigned>(list[at]));
    for (unsigned page = 0; page < 256; ++page) {
      INFO("VPD page " << page);
      CHECK(sense_of(rig.ask({0x12, 1, page, 1, 0, 0})) ==
            (pages.contains(page) ? "0/00/00" : "5/24/00 cdb byte 2 bit 7"));
      if (page != 0)
        CHECK(sense_of(rig.ask({0x12, 0, page, 1, 0, 0})) == "5/24/00 cdb byte 2 bit 7");
    }
  }
}

TEST_CASE("Walk: values of fields") {
  Loaded rig(8);
  for (unsigned code = 0; code < 16; ++code) {  // SPACE
    const std::string expected =
        code == 0 || code == 1 || code == 3 ? "0/00/00" : "5/24/00 cdb byte 1 bit 3";
    CHECK(sense_of(rig.ask({0x11, code})) == expected);
    CHECK(sense_of(rig.ask({0x91, code})) == expected);
  }
  CHECK(sense_of(rig.ask({0x92, 0x10})) == "5/24/00 cdb byte 1 bit 4");  // DEST_TYPE 2
  for (unsigned format = 3; format < 16; ++format)
    CHECK(sense_of(rig.ask({0x04, 0, format})) == "5/24/00 cdb byte 2 bit 3");
  CHECK(sense_of(rig.ask({0x1B, 0, 0, 0, 0x05})) == "5/24/00 cdb byte 4 bit 2");  // EOT
  CHECK(sense_of(rig.ask({0x1B, 0, 0, 0, 0x09})) == "5/24/00 cdb byte 4 bit 3");  // LOAD and HOLD
  for (unsigned mode = 0; mode < 32; ++mode) {  // READ BUFFER, WRITE BUFFER
    INFO("mode " << mode);
    if (mode != 2 && mode != 3 && mode != 0x0A && mode != 0x0B)
      CHECK(sense_of(rig.ask({0x3C, mode})) == "5/24/00 cdb byte 1 bit 4");
    if (mode != 0x0A) CHECK(sense_of(rig.ask({0x3B, mode})) == "5/24/00 cdb byte 1 bit 4");
  }
  for (unsigned options = 4; options < 8; ++options)
    CHECK(sense_of(rig.ask({0xA3, 0x0C, options, 8, 0, 0, 0, 0, 1, 0})) ==
          "5/24/00 cdb byte 2 bit 2");
  CHECK(sense_of(rig.ask({0xA3, 0x05, 0, 0, 0, 0, 0, 0, 1, 0, 0x02, 0})) ==
        "5/24/00 cdb byte 10 bit 7");
  CHECK(sense_of(rig.ask({0x10, 1, 0, 0, 0})) == "0/00/00");
  rig.set_block_length(0, 0);  // unbuffered
  CHECK(sense_of(rig.ask({0x10, 1, 0, 0, 1})) == "5/24/00 cdb byte 1 bit 0");
}

TEST_CASE("Walk: the LUN of SCSI-2 in bits 7-5 of byte 1 is nothing in CDBs of up to 12 bytes") {
  Loaded rig(8);
  CHECK(good(rig.ask({0x00, 0xE0})));
  CHECK(good(rig.ask({0x2B, 0x20, 0, 0, 0, 0, 0, 0, 0, 0})));
  CHECK(rig.ask({0xA0, 0x20, 0, 0, 0, 0, 0, 0, 0, 16}).data().size() == 16);
  // Its place in longer ones is a reserved field like others.
  CHECK(sense_of(rig.ask({0x92, 0x20})) == "5/24/00 cdb byte 1 bit 5");
  CHECK(sense_of(rig.ask({0x8C, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0})) ==
        "5/24/00 cdb byte 1 bit 6");
}

TEST_CASE("Walk: LTO-3 knows no encryption") {
  for (const std::uint8_t generation : kGenerations) {
    INFO("LTO-" << int(generation));
    Loaded rig(generation);
    for (const unsigned opcode : {0xA2u, 0xB5u}) {
      CHECK((sense_of(rig.ask({opcode})) == "5/20/00") == (generation == 3));
      CHECK(be(rig.ask({0xA3, 0x0C, 1, opcode, 0, 0, 0, 0, 1, 0}).data(), 1, 1) ==
            (generation == 3 ? 1 : 3));
    }
  }
}
