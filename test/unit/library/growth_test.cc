// Elements that are added while the library is open.
#include "rig.h"

namespace {

std::string grow(Rig& rig, std::uint32_t slots, std::uint32_t import_export,
                 std::vector<vtl::Growth::NewDrive> drives = {}) {
  return rig.ask([&](auto done) {
    rig.library->grow({slots, import_export, std::move(drives)}, std::move(done));
  });
}

}  // namespace

TEST_CASE("more slots: what is there stays where it is, and hosts are told once") {
  Rig rig({{"AAA001L8", 1000}, {"AAA002L8", 500}, {"AAA003L8", 10}});
  REQUIRE(rig.move(500, 501).result == MoveResult::kMoved);
  CHECK(grow(rig, 14, 5).empty());
  CHECK(rig.observer.added == 1);
  CHECK(rig.observer.changed == 0);
  CHECK(rig.library->elements().size() == 1 + 14 + 5 + 3);
  CHECK(rig.element(501).drive_identifier == "drive two");
  CHECK(rig.element(14).type == ElementType::kImportExport);
  CHECK(rig.move(1000, 1013).result == MoveResult::kMoved);
  CHECK(rig.move(501, 14).result == MoveResult::kMoved);
  rig.check_whole(3);
  // The next start, with the same configuration, finds it so.
  rig.options.geometry = {{1, 1}, {1000, 14}, {10, 5}, {500, 3}};
  rig.start();
  CHECK(rig.at(1013) == "AAA001L8");
  CHECK(rig.at(14) == "AAA002L8");
  rig.check_whole(3);
}

TEST_CASE("a move that waits is served by the library that has grown") {
  Rig rig;
  std::optional<MoveOutcome> moved;
  rig.library->grow({20, 3, {}}, [](vtl::Outcome outcome) { CHECK(outcome.ok()); });
  rig.library->move(1000, 1019, [&](MoveOutcome outcome) { moved = outcome; });
  rig.executor.run();
  REQUIRE(moved);
  CHECK(moved->result == MoveResult::kMoved);
  CHECK(rig.at(1019) == "AAA001L8");
}

TEST_CASE("fewer, or more than there are addresses for: refused, and nobody is told") {
  Rig rig;
  CHECK(grow(rig, 9, 3).find("elements are added only") == 0);
  CHECK(grow(rig, 10, 2).find("elements are added only") == 0);
  CHECK(grow(rig, 64537, 3) == "there are not so many addresses");
  CHECK(grow(rig, 10, 491) == "there are not so many addresses");  // the drives begin at 500
  CHECK(rig.observer.added == 0);
  CHECK(rig.library->elements().size() == 17);
  CHECK(grow(rig, 64536, 490).empty());
  CHECK(rig.library->elements().size() == 1 + 64536 + 490 + 3);
  CHECK(rig.move(1000, 65535).result == MoveResult::kMoved);
}

TEST_CASE("cartridges whose place was taken away are in it again") {
  Rig rig({{"AAA001L8", 1000}, {"AAA002L8", 1009}});
  rig.options.geometry.storage.count = 5;
  rig.start();
  CHECK_FALSE(rig.library->find("AAA002L8")->type);
  CHECK(grow(rig, 8, 3).empty());
  CHECK_FALSE(rig.library->find("AAA002L8")->type);
  CHECK(grow(rig, 10, 3).empty());
  CHECK(rig.at(1009) == "AAA002L8");
  rig.check_whole(2);
}

TEST_CASE("a drive more: the others stay what they are, and cartridges go into it and out of it") {
  Rig rig({{"AAA001L8", 1000}, {"AAA002L8", 500}});
  PocketBay fourth;
  CHECK(grow(rig, 10, 3, {{"drive four", &fourth}}).empty());
  CHECK(rig.observer.added == 1);
  CHECK(rig.observer.changed == 0);
  CHECK(rig.library->elements().size() == 1 + 10 + 3 + 4);
  CHECK(rig.element(502).drive_identifier == "drive three");
  CHECK(rig.element(503).drive_identifier == "drive four");
  CHECK(rig.element(503).type == ElementType::kDrive);
  CHECK_FALSE(rig.element(503).full);
  CHECK(rig.bays[0]->loads == 1);  // at the start; not again
  CHECK(rig.move(1000, 503).result == MoveResult::kMoved);
  CHECK(fourth.barcode() == "AAA001L8");
  fourth.is_prevented = true;
  CHECK_FALSE(rig.element(503).accessible);
  CHECK(rig.element(502).accessible);
  CHECK(rig.move(503, 1000).result == MoveResult::kRemovalPrevented);
  fourth.is_prevented = false;
  CHECK(rig.exchange(503, 500, 503) == MoveResult::kMoved);
  CHECK(fourth.barcode() == "AAA002L8");
  CHECK(rig.bays[0]->barcode() == "AAA001L8");
  CHECK(rig.move(503, 1001).result == MoveResult::kMoved);
  rig.check_whole(2);
}

TEST_CASE("as many drives as there are addresses, and no more") {
  Rig rig;
  std::vector<PocketBay> bays(498);
  std::vector<vtl::Growth::NewDrive> drives;
  for (PocketBay& bay : bays) drives.push_back({"another", &bay});
  CHECK(grow(rig, 10, 3, drives) == "there are not so many addresses");  // slots begin at 1000
  CHECK(rig.library->elements().size() == 17);
  CHECK(rig.observer.added == 0);
  drives.pop_back();
  CHECK(grow(rig, 10, 3, drives).empty());
  CHECK(rig.move(1000, 999).result == MoveResult::kMoved);
  CHECK(bays[496].barcode() == "AAA001L8");
  rig.library.reset();
}

TEST_CASE("a drive is added while another loads: the moves wait for their turn") {
  Rig rig;
  PocketBay fourth;
  rig.bays[0]->hold = true;
  std::vector<std::string> ended;
  const auto note = [&](std::string what) {
    return [&ended, what](auto outcome) {
      if constexpr (std::is_same_v<decltype(outcome), MoveOutcome>)
        CHECK(outcome.result == MoveResult::kMoved);
      else
        CHECK(outcome.error.empty());
      ended.push_back(what);
    };
  };
  rig.library->move(1000, 500, note("move"));
  rig.executor.run();
  rig.library->grow({10, 3, {{"drive four", &fourth}}}, note("grow"));
  rig.library->move(1001, 503, note("second move"));
  rig.executor.run();
  CHECK(ended.empty());
  CHECK(rig.library->elements().size() == 17);
  rig.bays[0]->hold = false;
  rig.bays[0]->release();
  rig.executor.run();
  CHECK(ended == std::vector<std::string>{"move", "grow", "second move"});
  CHECK(fourth.barcode() == "AAA002L8");
  rig.library.reset();
}

TEST_CASE("a cartridge on record in a drive that was taken away is loaded when the drive is back") {
  Rig rig({{"AAA001L8", 1000}, {"AAA002L8", 502}, {"CLN003L8", 501}});
  rig.options.geometry.drives.count = 1;
  rig.options.drive_identifiers.resize(1);
  rig.library.reset();
  PocketBay first, second, third;
  rig.library = std::make_unique<vtl::Library>(rig.options, rig.store, rig.files, rig.executor,
                                               std::vector<vtl::DriveBay*>{&first});
  CHECK(rig.ask([&](auto done) { rig.library->open(std::move(done)); }).empty());
  CHECK_FALSE(rig.library->find("AAA002L8")->type);
  CHECK(grow(rig, 10, 3, {{"drive two", &second}, {"drive three", &third}}).empty());
  CHECK(rig.at(502) == "AAA002L8");
  CHECK(third.barcode() == "AAA002L8");
  CHECK(rig.at(501) == "CLN003L8");
  CHECK(second.barcode().empty());  // ejected, as after a start
  CHECK(rig.move(502, 1005).result == MoveResult::kMoved);
  CHECK(third.barcode().empty());
  rig.library.reset();
}
