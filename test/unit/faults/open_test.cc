// F15, F17: who may open a cartridge, and which.
#include "test/unit/faults/rig.h"
#include "vtl/cartridge/format.h"

using namespace vtl::test;

TEST_CASE("F15: a cartridge that another process has open does not become ready") {
  Rig rig;
  rig.host->load();
  rig.write(0, 3);
  Drive second(rig.files, rig.executor);
  second.insert();
  CHECK(second.test_unit_ready() == "2/04/03");
  CHECK(second.load_again() == "2/04/03");
  CHECK(second.write(9) == "2/04/03");
  CHECK(rig.host->filemarks(1) == "GOOD");  // the first does not notice
  CHECK(rig.host->tape() == "b0 b1 b2 |");
  CHECK(rig.host->unload() == "GOOD");
  CHECK(second.load_again() == "GOOD");
  CHECK(second.command({0x11, 3}) == "GOOD");
  CHECK(second.position() == "4/1");
}

TEST_CASE("F17: what a newer version has written is not touched") {
  Rig rig;
  Drive& host = *rig.host;
  host.load();
  rig.write(0, 3);
  REQUIRE(host.unload() == "GOOD");
  const auto change = [&](auto&& edit) {
    for (const std::size_t slot : {0u, 4096u})
      rig.files.edit(kDir + "/CART", [&](auto& bytes) {
        const scsi::MutableBytes block = scsi::MutableBytes(bytes).subspan(slot, 4096);
        auto cart = vtl::format::decode_cart(block);
        if (!cart) return;
        edit(*cart);
        vtl::format::encode_cart(*cart, block);
      });
  };
  const auto unreadable = [&] {
    CHECK(host.load_again() == "3/30/02");
    CHECK(host.test_unit_ready() == "3/30/02");
    CHECK(host.write(9) == "3/30/02");
    CHECK(host.tape_alerts() == std::vector<unsigned>{0x0C, 0x37});
  };
  SECTION("a feature that it cannot do without") {
    change([](auto& cart) { cart.feat_incompat = 4; });
    unreadable();
  }
  SECTION("a major version") {
    change([](auto& cart) { cart.major = 2; });
    unreadable();
  }
  SECTION("a feature that forbids writing only") {
    change([](auto& cart) { cart.feat_ro_compat = 4; });
    CHECK(host.load_again() == "GOOD");
    CHECK(host.write_protected());
    CHECK(host.tape() == "b0 b1 b2");
    CHECK(host.write(9) == "7/27/02");
  }
}

TEST_CASE("The switch on the case is told apart from what the cartridge is protected for") {
  Rig rig;
  rig.host->load();
  rig.write(0, 1);
  REQUIRE(rig.host->unload() == "GOOD");
  REQUIRE(set_write_protect(rig.files, kDir, true).ok());
  REQUIRE(rig.host->load_again() == "GOOD");
  CHECK(rig.host->write(1) == "7/27/00");
}
