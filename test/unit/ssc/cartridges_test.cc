// Every drive with every cartridge: what it takes, what it only reads, what it refuses, and how
// hosts are told (LTO's compatibility matrix); and WORM, in every place where a host looks for it.
#include "test/unit/ssc/rig.h"

using namespace test;
using scsi::ssc::Access;
using scsi::ssc::DriveFamily;
using scsi::ssc::find_generation;
using scsi::ssc::Generation;

namespace {

struct Pair {
  const DriveFamily* family;
  std::uint8_t drive, cartridge;
};
std::vector<Pair> pairs() {
  std::vector<Pair> out;
  for (const DriveFamily& family : scsi::ssc::drive_families())
    for (std::uint8_t drive = 1; drive <= 10; ++drive)
      for (std::uint8_t cartridge = 1; cartridge <= 10; ++cartridge)
        if (!family.model(drive).product.empty()) out.push_back({&family, drive, cartridge});
  return out;
}

struct Loaded : Rig {
  explicit Loaded(const Pair& pair, bool worm = false) : Rig(pair.drive, pair.family->name) {
    auto cartridge = std::make_unique<MemoryMedium>(pair.cartridge);
    cartridge->label().worm = worm;
    load(std::move(cartridge));
  }
  std::string sense(const Cdb& cdb) { return sense_of(run(cdb)); }
  bool alert(unsigned flag) {
    const Data page = run({0x4D, 0, 0x6E, 0, 0, 0, 0, 0x10, 0, 0}).data();
    return be(page, 4 + 5 * (flag - 1) + 4, 1) != 0;
  }
  Data header() { return run({0x1A, 0, 0, 0, 12, 0}).data(); }
  Data media(unsigned flags) { return run({0x44, u8(flags), 0, 0, 0, 0, 0, 0x10, 0, 0}).data(); }
};

const Cdb kReady{0x00}, kErase{0x19}, kFormat{0x04}, kSetCapacity{0x0B, 0, 0, 0x80, 0, 0};

}  // namespace

TEST_CASE("Cartridges: every drive with every generation") {
  for (const Pair& pair : pairs()) {
    INFO(pair.family->name << " LTO-" << int(pair.drive) << ", cartridge " << int(pair.cartridge));
    Loaded rig(pair);
    const Generation& drive = *find_generation(pair.drive);
    const Generation& cartridge = *find_generation(pair.cartridge);
    const Access access = scsi::ssc::drive_access(pair.drive, pair.cartridge);
    const Data header = rig.header();
    if (access == Access::kNone) {
      CHECK(rig.sense(kReady) == "3/30/00");
      CHECK(rig.sense({0x1B, 0, 0, 0, 1, 0}) == "3/30/00");
      CHECK(rig.sense({0x08, 0, 0, 0, 10, 0}) == "3/30/00");
      CHECK(be(header, 1, 1) == 0);
      CHECK(be(header, 4, 1) == drive.density_code);
      CHECK(rig.alert(0x0C));
      CHECK(rig.remove()->result == scsi::ssc::RemoveOutcome::Result::kRemoved);
      continue;
    }
    const bool writes = access == Access::kReadWrite;
    CHECK(good(rig.run(kReady)));
    CHECK(be(header, 2, 1) == (writes ? 0x10u : 0x90u));
    CHECK(be(header, 4, 1) == cartridge.density_code);
    CHECK(be(rig.media(1), 4, 1) == cartridge.density_code);
    CHECK((be(rig.media(1), 6, 1) & 0x80) == (writes ? 0x80u : 0u));  // WRTOK
    CHECK(rig.sense({0x08, 0, 0, 0, 10, 0}) == "8/00/05");
    CHECK(good(rig.filemarks(0)));
    if (!writes) {
      CHECK(sense_of(rig.write(10)) == "7/27/00");
      CHECK(sense_of(rig.filemarks(1)) == "7/27/00");
      for (const Cdb& cdb : {kErase, kFormat, kSetCapacity}) CHECK(rig.sense(cdb) == "7/27/00");
      CHECK(rig.alert(0x11));
    } else {
      CHECK(good(rig.write(10)));
      CHECK(good(rig.filemarks(1)));
      CHECK(good(rig.rewind()));
      CHECK(rig.read(10).data() == pattern(10));
    }
    for (const unsigned flag : {0x09u, 0x0Cu}) CHECK_FALSE(rig.alert(flag));
  }
}

TEST_CASE("Cartridges: WORM, in every place where a host looks for it") {
  for (const Pair& pair : pairs()) {
    const Access access = scsi::ssc::drive_access(pair.drive, pair.cartridge);
    const Generation& cartridge = *find_generation(pair.cartridge);
    if (access == Access::kNone || cartridge.medium_type_worm == 0) continue;
    for (const bool worm : {false, true}) {
      INFO(pair.family->name << " LTO-" << int(pair.drive) << ", cartridge " << int(pair.cartridge)
                             << (worm ? ", WORM" : ""));
      Loaded rig(pair, worm);
      const bool by_generation = pair.family->medium_type_tells_generation;
      const unsigned type = by_generation
                                ? worm ? cartridge.medium_type_worm : cartridge.medium_type_data
                                : unsigned{worm};
      CHECK(be(rig.header(), 1, 1) == type);
      CHECK(be(rig.run({0x5A, 8, 0x1D, 0, 0, 0, 0, 0, 0xFF, 0}).data(), 8 + 2, 1) == worm);
      CHECK(be(rig.run({0x8C, 0, 0, 0, 0, 0, 0, 0, 4, 8, 0, 0, 0, 10, 0, 0}).data(), 9, 1) ==
            (worm ? 0x80u : 0u));
      if (pair.family->has_log_page(0x17, pair.drive))
        CHECK(be(rig.run({0x4D, 0, 0x57, 0, 0, 0, 0x81, 0, 9, 0}).data(), 8, 1) == worm);
      const Data types = rig.media(3);
      REQUIRE(types.size() == 4 + 56);
      CHECK(be(types, 4, 1) == type);
      CHECK((scsi::as_text(types).substr(4 + 36, 20).find("WORM") != std::string_view::npos) ==
            worm);
      // That the drive can have such a cartridge, it says whichever is in.
      CHECK(be(rig.run({0x12, 1, 0xB0, 1, 0, 0}).data(), 4, 1) == 1);
      CHECK(be(rig.run({0x12, 0, 0, 0, 96, 0}).data(), 40, 1) == pair.family->worm_in_inquiry);
      if (!worm || access != Access::kReadWrite) continue;
      CHECK(good(rig.write(10)));
      CHECK(good(rig.rewind()));
      CHECK(sense_of(rig.write(10)) == "7/30/0C");
      CHECK(rig.sense(kErase) == "7/30/0C");
      CHECK(rig.alert(0x3C));
      CHECK(rig.read(10).data() == pattern(10));
    }
  }
}
