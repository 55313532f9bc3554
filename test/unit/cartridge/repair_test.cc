// Verify finds each kind of damage and says what to do about it; repair makes anew what can be made
// anew, says what is lost, deletes nothing, and the second time has nothing to do.
#include "test/unit/cartridge/player.h"
#include "vtl/cartridge/format.h"
#include "vtl/cartridge/scrub.h"
#include "vtl/cartridge/superblock.h"

using namespace vtl;
using namespace vtl::test;
using Texts = std::vector<std::string>;

namespace {

std::string nth(std::size_t i) { return block_text(i, 100'000); }

// Blocks 0..29 and a filemark behind every tenth, in three segments; unloaded.
struct Written : TapeFixture {
  Written() {
    REQUIRE_FALSE(tape.load());
    for (std::size_t i = 0; i < 30; ++i) {
      REQUIRE_FALSE(tape.write(nth(i)).fault);
      if (i % 10 == 9) REQUIRE_FALSE(tape.filemarks(1).fault);
    }
    REQUIRE_FALSE(tape.unload().fault);
    tape.medium.reset();
    segments = files.find(".seg");
    REQUIRE(segments.size() == 3);
  }
  void flip(const std::string& path, std::size_t at) {
    files.edit(path, [&](std::vector<std::byte>& bytes) { bytes[at] ^= std::byte{0x10}; });
  }
  void flip_block(std::size_t i) {
    for (const std::string& path : segments) {
      std::size_t at = std::string::npos;
      files.edit(path, [&](auto& bytes) { at = scsi::as_text(bytes).find(nth(i).substr(0, 64)); });
      if (at != std::string::npos) return flip(path, at + 5000);
    }
    FAIL();
  }
  std::size_t size(const std::string& path) {
    std::size_t n = 0;
    files.edit(path, [&](auto& bytes) { n = bytes.size(); });
    return n;
  }
  VerifyReport verify() {
    auto report = verify_cartridge(files, kDir);
    REQUIRE(report);
    return *report;
  }
  RepairReport repair() {
    auto report = repair_cartridge(files, kDir);
    INFO((report ? std::string() : report.error().what));
    REQUIRE(report);
    return *report;
  }
  // That something was set aside is said as long as it is there.
  static Texts without_quarantine(Texts notes) {
    std::erase_if(notes, [](const std::string& n) { return n.find("/quarantine: ") != n.npos; });
    return notes;
  }
  // After a repair: nothing more to do, and the cartridge loads without a word.
  void expect_mended(std::size_t objects_lost = 0) {
    const RepairReport again = repair();
    CHECK(again.repaired == Texts{});
    CHECK(without_quarantine(again.after.notes) == Texts{});
    const VerifyReport verified = verify();
    CHECK(verified.repairable == Texts{});
    CHECK(without_quarantine(verified.notes) == Texts{});
    CHECK((verified.notes.empty() == files.find("/quarantine/").empty()));
    std::uint64_t lost = 0;
    for (const Damage& damage : verified.damage) lost += damage.objects;
    CHECK(lost == objects_lost);
    CHECK(verified.blocks + verified.filemarks + lost == objects);
    tape.alerts.clear();
    REQUIRE_FALSE(tape.load());
    CHECK(tape.alerts == Texts{});
    for (const std::size_t object : {0u, 12u, 31u}) {
      REQUIRE_FALSE(tape.locate(object).fault);
      CHECK(text_of(tape.read().data) == nth(object - object / 11));
    }
    REQUIRE_FALSE(tape.unload().fault);
  }
  Texts segments;
  std::size_t objects = 33;
};

bool says(const Texts& texts, const std::string& part) {
  for (const std::string& text : texts)
    if (text.find(part) != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("Repair: a cartridge in order is left as it is") {
  Written f;
  CHECK(f.verify().repairable == Texts{});
  const RepairReport report = f.repair();
  CHECK(report.repaired == Texts{});
  CHECK(report.after.blocks == 30);
  CHECK(report.after.filemarks == 3);
  CHECK(report.after.damage.empty());
  f.expect_mended();
}

TEST_CASE("Repair: a label of which both copies are gone is made from the segments") {
  Written f;
  const bool missing = GENERATE(true, false);
  if (missing) {
    f.files.unlink(kDir + "/CART");
  } else {
    f.flip(kDir + "/CART", 100);
    f.flip(kDir + "/CART", 4196);
  }
  CHECK(says(f.verify().repairable, "both copies of the label are damaged"));
  CHECK(read_summary(f.files, kDir)->label_damaged);  // verify only looks
  const RepairReport report = f.repair();
  REQUIRE(report.repaired.size() == 1);
  CHECK(says(report.repaired, "a new one was made from the segments"));
  CHECK(report.after.damage.empty());
  CHECK(f.files.has(kDir + "/quarantine/CART") == !missing);
  const auto summary = read_summary(f.files, kDir);
  REQUIRE(summary);
  CHECK_FALSE(summary->label_damaged);
  CHECK(summary->uuid == test_uuid(1));
  CHECK(summary->info.barcode == "VTL001L8");
  CHECK(summary->info.write_protected);
  CHECK(summary->partitions.at(0).end_of_data == 33);
  CHECK(summary->partitions.at(0).capacity_bytes == 1ull << 30);
  f.expect_mended();
  REQUIRE(set_write_protect(f.files, kDir, false));
  REQUIRE_FALSE(f.tape.load());
  REQUIRE_FALSE(f.tape.locate_end().fault);
  CHECK_FALSE(f.tape.write("more", WriteMode::kDurable).fault);
}

TEST_CASE("Repair: one copy of the label") {
  Written f;
  f.flip(kDir + "/CART", GENERATE(100u, 4196u));
  CHECK(says(f.repair().repaired, "one of the two copies of the label is damaged"));
  const auto copies = read_cart_copies(f.files, kDir);
  CHECK((copies[0] && copies[1]));
  f.expect_mended();
}

TEST_CASE(
    "Verify: one copy of the label, which closing the cartridge writes anew, is told as such") {
  Written f;
  f.flip(kDir + "/CART", GENERATE(100u, 4196u));
  const VerifyReport found = f.verify();
  CHECK(says(found.repairable, "one of the two copies of the label is damaged"));
  CHECK(says(found.notes, "written anew when the cartridge was closed"));
  CHECK(f.verify().repairable == Texts{});
}

namespace {

// In use when power went, in the middle of writing a label: of the copy that was being written the
// first sector is there and another is not, or the other way round.
struct TornLabel : Written {
  explicit TornLabel(bool first_sector) {
    REQUIRE_FALSE(tape.load());
    REQUIRE_FALSE(tape.locate_end().fault);
    REQUIRE_FALSE(tape.write("more", WriteMode::kDurable).fault);
    ++objects;
    tape.vanish();
    label = *read_cart(files, kDir);
    format::Cart next = label;
    ++next.gen;
    next.bytes_written_life += 4;  // in the fifth sector
    format::encode_cart(next, slot);
    edit([&](scsi::MutableBytes bytes) {
      constexpr std::size_t kSector = 512;
      const auto begin = slot.begin() + (first_sector ? 0 : kSector);
      const auto end = first_sector ? slot.begin() + kSector : slot.end();
      std::copy(begin, end, bytes.begin() + (begin - slot.begin()));
    });
    REQUIRE_FALSE(read_cart_copies(files, kDir)[~label.gen & 1]);
  }
  template <class Edit>
  void edit(Edit change) {  // of the torn copy
    files.edit(kDir + "/CART", [&](std::vector<std::byte>& bytes) {
      change(scsi::MutableBytes(bytes).subspan((~label.gen & 1) * format::kBlock, format::kBlock));
    });
  }
  format::Cart label;
  std::array<std::byte, format::kBlock> slot{};
};

}  // namespace

TEST_CASE("Verify: a copy of the label that a crash has torn is no damage, and mended by the way") {
  TornLabel f(GENERATE(true, false));
  const VerifyReport found = f.verify();
  CHECK(found.repairable == Texts{});
  CHECK(found.damage.empty());
  REQUIRE(found.notes.size() == 2);
  CHECK(says(found.notes, "a crash has cut short the writing of one of the two copies"));
  CHECK(says(found.notes, "written anew when the cartridge was closed"));
  f.expect_mended();
}

TEST_CASE("Repair: a copy of the label that a crash has torn") {
  TornLabel f(GENERATE(true, false));
  const RepairReport report = f.repair();
  CHECK(report.repaired == Texts{});
  CHECK(says(report.after.notes,
             "cut short the writing of one of the two copies of the label; "
             "the other is whole; it was written anew from the other"));
  f.expect_mended();
}

TEST_CASE(
    "Verify: a copy of the label that cannot be torn is damaged, though the tape was in use") {
  TornLabel f(true);
  // In its name; in a key; in what is always zero; its number; made whole but for its checksum,
  // and that of a clean unload.
  switch (const int what = GENERATE(0, 1, 2, 3, 4); what) {
    case 4:
      f.label.gen += 1;
      f.label.clean_gen = f.label.gen;
      f.label.set(format::kClean, true);
      format::encode_cart(f.label, f.slot);
      f.label.gen -= 1;
      f.edit([&](scsi::MutableBytes bytes) {
        std::copy(f.slot.begin(), f.slot.end(), bytes.begin());
      });
      f.edit([](scsi::MutableBytes bytes) { bytes[12] ^= std::byte{1}; });
      break;
    default:
      constexpr std::size_t kWhere[] = {60, 1000, 4000, 16};
      f.edit([&](scsi::MutableBytes bytes) { bytes[kWhere[what]] ^= std::byte{1}; });
  }
  CHECK(says(f.verify().repairable, "one of the two copies of the label is damaged"));
  f.expect_mended();
}

TEST_CASE("Repair: a sector of the label that the disk cannot read") {
  Written f;
  const auto label = read_cart(f.files, kDir);
  REQUIRE(label);
  const std::uint64_t bad = (label->gen & 1) == 0 ? 4096 : 0;  // the older copy
  f.files.bad_block = [&](const std::string& path, std::uint64_t offset, std::size_t length) {
    return path.ends_with("/CART") && offset < bad + 4096 && bad < offset + length;
  };
  CHECK(verify_cartridge(f.files, kDir).error().code == EIO);
  // A disk puts another sector in the place of one that is written.
  f.files.inject = [&](const std::string& what, const std::string& path) {
    if (what == "pwrite" && path.ends_with("/CART")) f.files.bad_block = nullptr;
    return 0;
  };
  CHECK(says(f.repair().repaired, "it was written anew from the other"));
  f.files.inject = nullptr;
  f.expect_mended();
}

TEST_CASE("Repair: the attributes that hosts have written") {
  Written f;
  const bool missing = GENERATE(true, false);
  if (missing) {
    f.files.unlink(kDir + "/MAM");
  } else {
    f.flip(kDir + "/MAM", 9);
  }
  CHECK(says(f.verify().repairable, "/MAM"));
  CHECK(says(f.repair().repaired, "a new, empty one was made"));
  CHECK(f.files.has(kDir + "/quarantine/MAM") == !missing);
  f.expect_mended();
  REQUIRE_FALSE(f.tape.load());
  Attribute attribute;
  attribute.id = 0x0800;
  attribute.value = {std::byte{1}};
  CHECK_FALSE(f.tape.attributes({attribute}).fault);
}

TEST_CASE("Repair: headers, indexes and trailers") {
  Written f;
  const std::size_t segment = GENERATE(0u, 1u, 2u);
  const std::string path = f.segments[segment];
  const std::size_t size = f.size(path);
  const std::size_t header = 100, index = size - 8192 + 10, trailer = size - 4096 + 100;
  f.flip(path, GENERATE_COPY(header, index, trailer));
  const bool table = GENERATE(true, false);
  if (!table) f.files.unlink(f.files.find("SEGTAB").at(0));
  const VerifyReport found = f.verify();
  CHECK(found.damage.empty());
  CHECK((says(found.repairable, "its index or trailer is damaged") ||
         says(found.repairable, "its header is damaged") ||
         says(found.notes, "its trailer was damaged; it was rebuilt") ||
         says(found.notes, "SEGTAB: missing")));
  const RepairReport report = f.repair();
  CHECK(report.after.damage.empty());
  CHECK(report.after.repairable == Texts{});
  CHECK(f.size(path) == size);
  f.expect_mended();
  // Its checksum is that of what it is now.
  CartridgeScrub scrub(f.files, kDir, FileSystem::Io::kBuffered);
  const std::atomic<bool> stop = false;
  while (scrub.step(1u << 20, stop)) {
  }
  CHECK(scrub.state().report.damage.empty());
}

TEST_CASE("Repair: an index over a damaged record keeps what is left of that record") {
  Written f;
  f.flip_block(5);
  f.flip_block(14);
  for (const std::string& path : f.segments) f.flip(path, f.size(path) - 8192 + 10);
  std::vector<std::string> before;
  for (const std::string& path : f.segments)
    f.files.edit(path, [&](auto& bytes) { before.emplace_back(scsi::as_text(bytes)); });
  const RepairReport report = f.repair();
  CHECK(report.repaired.size() == 3);
  REQUIRE(report.after.damage.size() == 2);
  CHECK(report.after.damage[0].first_object == 5);
  CHECK(report.after.damage[1].first_object == 15);
  CHECK(report.after.repairable == Texts{});
  // Not a byte of the records has changed.
  for (std::size_t i = 0; i < 3; ++i)
    f.files.edit(f.segments[i], [&](auto& bytes) {
      const std::size_t records = before[i].size() - 8192;
      CHECK(scsi::as_text(bytes).substr(0, records) == before[i].substr(0, records));
    });
  f.expect_mended(2);
}

TEST_CASE("Repair: a segment that comes back is taken in again") {
  Written f;
  f.files.copy(f.segments[1], "/pool/elsewhere");
  f.files.unlink(f.segments[1]);
  const RepairReport without = f.repair();
  CHECK(without.after.damage.size() == 1);
  CHECK(says(without.after.notes, "are missing"));
  f.files.copy("/pool/elsewhere", f.segments[1]);
  CHECK(f.repair().after.damage.empty());
  f.expect_mended();
}

TEST_CASE("Repair: what the disk cannot read is not given up") {
  Written f;
  for (const std::string& table : f.files.find("SEGTAB")) f.files.unlink(table);
  f.files.bad_block = [&](const std::string& path, std::uint64_t offset, std::size_t length) {
    return path == f.segments[1] &&
           (offset < 4096 || offset + length > f.size(f.segments[1]) - 4096);
  };
  const RepairReport report = f.repair();
  CHECK(report.after.damage.size() == 1);
  CHECK(says(report.after.notes, "cannot be read; the cartridge is write-protected"));
  f.files.bad_block = nullptr;
  CHECK(f.repair().after.damage.empty());
  f.expect_mended();
}

TEST_CASE("Repair: refused where it must not be done") {
  Written f;
  REQUIRE_FALSE(f.tape.load());
  CHECK(repair_cartridge(f.files, kDir).error().code == EAGAIN);
  REQUIRE_FALSE(f.tape.unload().fault);
  CHECK(repair_cartridge(f.files, kDir, [](auto, auto) { return false; }).ok());  // 33 objects
  CHECK(repair_cartridge(f.files, "/pool/carts/NONE").error().code == ENOENT);
  for (const std::string& path : f.segments) f.files.unlink(path);
  f.files.unlink(kDir + "/CART");
  CHECK(repair_cartridge(f.files, kDir).error().code == EBADMSG);
}

TEST_CASE("Repair: may end anywhere, and is done again") {
  for (std::uint64_t n = 0; n < 400; ++n) {
    INFO("operation " << n);
    Written f;
    f.files.unlink(kDir + "/CART");
    f.files.unlink(kDir + "/MAM");
    for (const std::string& path : f.segments) f.flip(path, f.size(path) - 8192 + 10);
    f.files.fail_at(n, n % 2 == 0 ? MemoryFiles::Failure::kPowerCut : MemoryFiles::Failure::kEio);
    (void)repair_cartridge(f.files, kDir);
    const bool reached = f.files.failed();
    f.files.crash(n % 2 == 0 ? 0.5 : 1.0);
    const RepairReport report = f.repair();
    CHECK(report.after.damage.empty());
    CHECK(report.after.repairable == Texts{});
    CHECK(report.after.blocks == 30);
    if (!reached) break;
    n += 6;
  }
}
