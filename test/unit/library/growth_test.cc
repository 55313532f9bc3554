// Elements that are added while the library is open.
#include "rig.h"

namespace {

std::string grow(Rig& rig, std::uint32_t slots, std::uint32_t import_export) {
  return rig.ask([&](auto done) { rig.library->grow(slots, import_export, std::move(done)); });
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
  rig.library->grow(20, 3, [](vtl::Outcome outcome) { CHECK(outcome.ok()); });
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
