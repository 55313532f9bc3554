#include "rig.h"

using vtl::CreateRequest;
using vtl::Outcome;

namespace {

CreateRequest request(const std::vector<std::string>& barcodes,
                      CreateRequest::Where where = CreateRequest::Where::kSlot) {
  CreateRequest out;
  for (const std::string& barcode : barcodes)
    out.cartridges.push_back(vtl::label_of_barcode(barcode, 8).label);
  out.where = where;
  return out;
}

std::string create(Rig& rig, const CreateRequest& what) {
  return rig.ask([&](auto done) { rig.library->create(what, std::move(done)); });
}
std::string remove(Rig& rig, const std::string& barcode) {
  return rig.ask([&](auto done) { rig.library->remove(barcode, std::move(done)); });
}
std::string insert(Rig& rig, const std::string& barcode, ElementType type,
                   std::optional<std::uint16_t> element = {}) {
  return rig.ask([&](auto done) { rig.library->insert(barcode, type, element, std::move(done)); });
}
std::string take_out(Rig& rig, const std::string& barcode) {
  return rig.ask([&](auto done) { rig.library->take_out(barcode, std::move(done)); });
}
std::string protect(Rig& rig, const std::string& barcode, bool on) {
  return rig.ask(
      [&](auto done) { rig.library->set_write_protected(barcode, on, std::move(done)); });
}

}  // namespace

TEST_CASE("create: into the first free slots, told once, there after a restart") {
  Rig rig;
  CHECK(create(rig, request({"BBB001L8", "BBB002LY"})).empty());
  CHECK(rig.at(1002) == "BBB001L8");
  CHECK(rig.at(1003) == "BBB002LY");
  CHECK(rig.element(1003).worm);
  CHECK(rig.observer.changed == 1);
  CHECK(rig.observer.accessed == 0);
  rig.check_whole(4);
  rig.start();
  CHECK(rig.at(1003) == "BBB002LY");
  rig.check_whole(4);
}

TEST_CASE("create: at the door, and outside") {
  Rig rig;
  CHECK(create(rig, request({"BBB001L8"}, CreateRequest::Where::kImportExport)).empty());
  CHECK(rig.at(10) == "BBB001L8");
  CHECK(rig.element(10).placed_by_operator);
  CHECK(rig.observer.accessed == 1);
  CHECK(create(rig, request({"BBB002L8"}, CreateRequest::Where::kOutside)).empty());
  CHECK_FALSE(rig.library->find("BBB002L8")->type);
  CHECK(rig.observer.changed == 0);
  rig.library->lock_door(true);
  CHECK(create(rig, request({"BBB003L8"}, CreateRequest::Where::kImportExport)).find("locked") !=
        std::string::npos);
  CHECK(create(rig, request({"BBB003L8"})).empty());
  rig.check_whole(5);
  rig.start();
  CHECK(rig.element(10).placed_by_operator);
  CHECK_FALSE(rig.library->find("BBB002L8")->type);
  rig.check_whole(5);
}

TEST_CASE("create: all or none") {
  Rig rig;
  CHECK(create(rig, request({"BBB001L8", "AAA001L8"})) == "barcode AAA001L8 is taken already");
  CHECK(create(rig, request({"BBB001L8", "CCB001L8"})) ==
        "barcode CCB001L8 ends in the same six characters as BBB001L8: backup software would take "
        "them for one cartridge");
  CHECK(create(rig, request({"XXA001L8"})).find("ends in the same six characters as AAA001L8") !=
        std::string::npos);
  std::vector<std::string> nine;
  for (std::uint32_t i = 0; i < 9; ++i) nine.push_back(vtl::numbered_barcode("BBB", i, 8));
  CHECK(create(rig, request(nine)) ==
        "there is room for 8 more cartridges in the slots, not for 9");
  rig.store.fail_create = "BBB002L8";
  CHECK(create(rig, request({"BBB001L8", "BBB002L8"})) == "BBB002L8: no space");
  CHECK(rig.store.cartridges.size() == 2);
  CHECK(rig.observer.changed == 0);
  rig.check_whole(2);
  rig.start();
  rig.check_whole(2);
  rig.store.fail_create.clear();
  nine.pop_back();
  CHECK(create(rig, request(nine)).empty());
}

TEST_CASE("create: many take their time, and moves do not wait for them") {
  Rig rig;
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < 100; ++i) names.push_back(vtl::numbered_barcode("BBB", i, 8));
  std::optional<std::string> error;
  rig.library->create(request(names, CreateRequest::Where::kOutside),
                      [&](vtl::Outcome outcome) { error = outcome.error; });
  std::optional<MoveOutcome> moved;
  rig.library->operator_move(1000, 1005, [&](MoveOutcome outcome) { moved = outcome; });
  while (!moved) REQUIRE(rig.executor.step());
  CHECK(moved->result == MoveResult::kMoved);
  CHECK(!error);
  CHECK(rig.store.cartridges.size() < 50);
  // None of them can be seen before all can, but their names are taken already.
  CHECK_FALSE(rig.library->find("BBB001L8"));
  CHECK(create(rig, request({"BBB099L8"})) == "barcode BBB099L8 is taken already");
  rig.executor.run();
  REQUIRE(error);
  CHECK(error->empty());
  CHECK(rig.library->find("BBB099L8"));
  rig.check_whole(102);
}

TEST_CASE("create: what takes the room meanwhile, or closes, leaves nothing of it") {
  Rig rig;
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < 8; ++i) names.push_back(vtl::numbered_barcode("BBB", i, 8));
  std::optional<std::string> error;
  rig.library->create(request(names), [&](vtl::Outcome outcome) { error = outcome.error; });
  SECTION("a move into the last free slot") {
    bool there = false;
    rig.library->create(request({"CCC001L8"}), [&](vtl::Outcome outcome) { there = outcome.ok(); });
    rig.executor.run();
    CHECK(there);
    REQUIRE(error);
    CHECK(*error == "there is room for 7 more cartridges in the slots, not for 8");
    rig.check_whole(3);
    CHECK(create(rig, request({"BBB001L8"})).empty());  // its name is free again
  }
  SECTION("closed") {
    bool closed = false;
    rig.library->close([&] { closed = true; });
    CHECK(!closed);
    rig.executor.run();
    CHECK(closed);
    REQUIRE(error);
    CHECK(*error == "the library is closed");
    CHECK(rig.store.cartridges.size() == 2);
  }
}

TEST_CASE("create: power goes, or the journal fails") {
  for (std::uint64_t n = 1; n < 8; ++n) {
    const bool crash = n % 2 == 0;
    Rig rig;
    rig.files.fail_at((n + 1) / 2, !crash);
    const std::string error = create(rig, request({"BBB001L8"}));
    if (crash) {
      rig.files.crash(MemoryFiles::Survives::kEverything);
      // The rest of a crash: what would have been cleared up was not.
      rig.store.put(vtl::label_of_barcode("BBB001L8").label);
    }
    rig.files.fail_at(0);
    rig.start();
    const auto placement = rig.library->find("BBB001L8");
    if (error.empty()) CHECK((placement && placement->type));
    if (!error.empty() && !crash) CHECK_FALSE(placement);
    rig.check_whole(2 + (placement ? 1 : 0));
  }
}

TEST_CASE("remove") {
  Rig rig({{"AAA001L8", 1000},
           {"AAA002L8", 500},
           {"AAA003L8", 10},
           {"AAA004L8", 0},
           {"AAA005LY", 1005}});
  CHECK(remove(rig, "NONE01L8") == "there is no cartridge NONE01L8");
  CHECK(remove(rig, "AAA002L8") ==
        "cartridge AAA002L8 is in drive 1 (element 500): move it to a slot first");
  CHECK(remove(rig, "AAA001L8").empty());
  CHECK_FALSE(rig.element(1000).full);
  CHECK(rig.observer.changed == 1);
  CHECK(remove(rig, "AAA003L8").empty());
  CHECK(rig.observer.accessed == 1);
  CHECK(remove(rig, "AAA004L8").empty());
  CHECK(rig.observer.changed + rig.observer.accessed == 2);

  vtl::CartridgeSummary& worm = rig.store.cartridges.at("AAA005LY");
  worm.partitions[0].end_of_data = 1;
  CHECK(remove(rig, "AAA005LY") == "cartridge AAA005LY is WORM and holds data: it is not deleted");
  worm.partitions[0].end_of_data = 0;
  worm.clean = false;
  CHECK_FALSE(remove(rig, "AAA005LY").empty());
  worm.clean = true;
  CHECK(remove(rig, "AAA005LY").empty());
  rig.check_whole(1);
  rig.start();
  rig.check_whole(1);
  CHECK(create(rig, request({"AAA001L8"})).empty());  // its name is free again
}

TEST_CASE("remove: failures on the way") {
  SECTION("the files stay") {
    Rig rig;
    rig.store.fail_remove = "AAA001L8";
    CHECK(remove(rig, "AAA001L8") == "AAA001L8: cannot be removed");
    rig.check_whole(2);
    rig.start();
    CHECK(rig.at(1000) == "AAA001L8");
  }
  SECTION("the journal cannot be told: asking again finishes it") {
    Rig rig;
    rig.files.fail_at(3);
    CHECK(remove(rig, "AAA001L8").find("delete it again") != std::string::npos);
    CHECK(rig.at(1000) == "AAA001L8");
    rig.files.fail_at(0);
    CHECK(remove(rig, "AAA001L8").empty());
    rig.check_whole(1);
  }
  SECTION("also of a WORM cartridge, whose files can no longer be asked whether they hold data") {
    Rig rig({{"AAA001LY", 1000}});
    rig.files.fail_at(3);
    CHECK(remove(rig, "AAA001LY").find("delete it again") != std::string::npos);
    rig.files.fail_at(0);
    CHECK(remove(rig, "AAA001LY").empty());
    rig.check_whole(0);
  }
  SECTION("power goes before the commit: the next start finishes it") {
    Rig rig;
    rig.files.fail_at(3);
    CHECK_FALSE(remove(rig, "AAA001L8").empty());
    rig.files.crash(MemoryFiles::Survives::kNothing);
    rig.start();
    CHECK(rig.open_error.empty());
    CHECK_FALSE(rig.element(1000).full);
    CHECK_FALSE(rig.library->find("AAA001L8"));
    rig.check_whole(1);
  }
}

TEST_CASE("through the door and back") {
  Rig rig({{"AAA001L8", 1000}, {"AAA002L8", 0}});
  CHECK(insert(rig, "AAA002L8", ElementType::kImportExport).empty());
  CHECK(rig.at(10) == "AAA002L8");
  CHECK(rig.element(10).placed_by_operator);
  CHECK_FALSE(rig.element(10).source);
  CHECK(rig.observer.accessed == 1);
  CHECK(insert(rig, "AAA002L8", ElementType::kImportExport) ==
        "cartridge AAA002L8 is in import/export slot 1 (element 10) already");
  CHECK(take_out(rig, "AAA001L8") ==
        "cartridge AAA001L8 is in slot 1 (element 1000): move it to an import/export slot first");
  CHECK(rig.move(1000, 11).result == MoveResult::kMoved);
  CHECK(take_out(rig, "AAA001L8").empty());
  CHECK(rig.observer.accessed == 2);
  CHECK(take_out(rig, "AAA001L8") == "cartridge AAA001L8 is outside already");
  CHECK(take_out(rig, "NONE01L8") == "there is no cartridge NONE01L8");
  rig.check_whole(2);
  rig.start();
  CHECK_FALSE(rig.library->find("AAA001L8")->type);
  CHECK(insert(rig, "AAA001L8", ElementType::kStorage, 1007).empty());
  CHECK(rig.at(1007) == "AAA001L8");
  CHECK(rig.observer.changed == 1);
  CHECK_FALSE(rig.element(1007).placed_by_operator);
}

TEST_CASE("insert: elements that will not do") {
  Rig rig({{"AAA001L8", 1000}, {"AAA002L8", 0}});
  CHECK(insert(rig, "AAA002L8", ElementType::kStorage, 1000) ==
        "slot 1 (element 1000) holds cartridge AAA001L8");
  CHECK(insert(rig, "AAA002L8", ElementType::kStorage, 10) == "element 10 is not a slot");
  CHECK(insert(rig, "AAA002L8", ElementType::kStorage, 9) == "element 9 is not a slot");
  CHECK(insert(rig, "AAA002L8", ElementType::kImportExport, 500) ==
        "element 500 is not an import/export slot");
  for (const ElementType inside : {ElementType::kDrive, ElementType::kTransport})
    CHECK(insert(rig, "AAA002L8", inside, inside == ElementType::kDrive ? 500 : 1) ==
          "cartridge AAA002L8 is outside: it comes in through an import/export slot, or into a "
          "slot");
  CHECK(insert(rig, "NONE01L8", ElementType::kStorage) == "there is no cartridge NONE01L8");
  CHECK(create(rig,
               request({"BBB001L8", "BBB002L8", "BBB003L8"}, CreateRequest::Where::kImportExport))
            .empty());
  CHECK(insert(rig, "AAA002L8", ElementType::kImportExport) == "every import/export slot is full");
}

TEST_CASE("a locked door") {
  Rig rig({{"AAA001L8", 10}, {"AAA002L8", 0}});
  rig.library->lock_door(true);
  CHECK(rig.library->door_locked());
  CHECK(take_out(rig, "AAA001L8") ==
        "an initiator has locked the import/export door: cartridge AAA001L8 cannot be taken out");
  CHECK(insert(rig, "AAA002L8", ElementType::kImportExport) ==
        "an initiator has locked the import/export door: cartridge AAA002L8 cannot be inserted");
  CHECK(remove(rig, "AAA001L8") ==
        "an initiator has locked the import/export door: cartridge AAA001L8 cannot be deleted");
  CHECK(rig.move(10, 1000).result == MoveResult::kMoved);  // the robot is inside
  rig.library->lock_door(false);
  CHECK(insert(rig, "AAA002L8", ElementType::kImportExport).empty());
}

TEST_CASE("write protection is a switch on the case") {
  Rig rig;
  CHECK(protect(rig, "AAA001L8", true).empty());
  CHECK(rig.store.cartridges.at("AAA001L8").info.write_protected);
  CHECK(protect(rig, "AAA001L8", false).empty());
  CHECK_FALSE(rig.store.cartridges.at("AAA001L8").info.write_protected);
  CHECK(rig.move(1000, 501).result == MoveResult::kMoved);
  CHECK(protect(rig, "AAA001L8", true) ==
        "cartridge AAA001L8 is in drive 2 (element 501): its switch can be reached when it is in a "
        "slot");
  CHECK(protect(rig, "NONE01L8", true) == "there is no cartridge NONE01L8");
  CHECK(rig.observer.changed + rig.observer.accessed == 0);
}

TEST_CASE("a person's move is told to the changer's initiators, the robot's is not") {
  Rig rig;
  CHECK(rig.move(1000, 1005).result == MoveResult::kMoved);
  CHECK(rig.observer.changed == 0);
  std::optional<MoveResult> result;
  rig.library->operator_move(1005, 1000, [&](MoveOutcome outcome) { result = outcome.result; });
  rig.executor.run();
  CHECK(result == MoveResult::kMoved);
  CHECK(rig.observer.changed == 1);
  rig.library->operator_move(1005, 1000, [&](MoveOutcome outcome) { result = outcome.result; });
  rig.executor.run();
  CHECK(result == MoveResult::kSourceEmpty);
  CHECK(rig.observer.changed == 1);
  CHECK(rig.observer.accessed == 0);
  // Hosts look again at import/export elements only when they are told that those were accessed.
  rig.library->operator_move(1000, 10, [&](MoveOutcome outcome) { result = outcome.result; });
  rig.executor.run();
  CHECK(result == MoveResult::kMoved);
  CHECK(rig.observer.changed == 2);
  CHECK(rig.observer.accessed == 1);
  rig.library->operator_move(10, 11, [&](MoveOutcome outcome) { result = outcome.result; });
  rig.executor.run();
  CHECK(rig.observer.changed == 2);
  CHECK(rig.observer.accessed == 2);
  // To where it is: nothing has happened.
  rig.library->operator_move(11, 11, [&](MoveOutcome outcome) { result = outcome.result; });
  rig.executor.run();
  CHECK(result == MoveResult::kMoved);
  CHECK(rig.observer.accessed == 2);
}

TEST_CASE("a person means the cartridge that is there now, not the one that comes meanwhile") {
  Rig rig;
  std::optional<MoveOutcome> ended;
  rig.library->move(1000, 1005, [](MoveOutcome) {});
  rig.library->move(1001, 1000, [](MoveOutcome) {});
  rig.library->operator_move(1000, 500, [&](MoveOutcome outcome) { ended = std::move(outcome); });
  rig.executor.run();
  REQUIRE(ended);
  CHECK(ended->result == MoveResult::kSourceEmpty);
  CHECK(ended->detail == "cartridge AAA001L8 was moved meanwhile");
  CHECK(rig.at(1000) == "AAA002L8");
  CHECK_FALSE(rig.element(500).full);
  rig.library->move(1005, 1009, [](MoveOutcome) {});
  rig.library->operator_move(1009, 501, [&](MoveOutcome outcome) { ended = std::move(outcome); });
  rig.executor.run();
  CHECK(ended->result == MoveResult::kSourceEmpty);
  CHECK(rig.at(1009) == "AAA001L8");
  CHECK(rig.observer.changed == 0);
  CHECK(rig.move(1000, 500).result == MoveResult::kMoved);  // and the queue goes on
}

TEST_CASE("adopting what was made beside the library") {
  Rig rig;
  CHECK(rig.library->barcode_problem("BBB001L8").empty());
  CHECK(rig.library->barcode_problem("AAA001L8") == "barcode AAA001L8 is taken already");
  CHECK_FALSE(rig.library->barcode_problem("a").empty());
  rig.store.put(vtl::label_of_barcode("BBB001L8").label);
  const auto adopt = [&](const char* name) {
    return rig.ask([&](auto done) { rig.library->adopt(name, std::move(done)); });
  };
  CHECK(adopt("BBB001L8").empty());
  CHECK_FALSE(rig.library->find("BBB001L8")->type);
  CHECK(adopt("BBB001L8") == "barcode BBB001L8 is taken already");
  CHECK(adopt("BBB002L8") == "BBB002L8: there is no cartridge");
  CHECK(insert(rig, "BBB001L8", ElementType::kStorage).empty());
  rig.check_whole(3);
}

TEST_CASE("labels are read on the strand") {
  Rig rig;
  std::optional<bool> found;
  rig.library->read_summary("AAA001L8", [&](auto summary) { found = summary.ok(); });
  rig.executor.run();
  CHECK(found == true);
  rig.library->read_summary("NONE01L8", [&](auto summary) { found = summary.ok(); });
  rig.executor.run();
  CHECK(found == false);
}

TEST_CASE("open: a journal that is damaged or not there says what to do, and changes nothing") {
  Rig rig;
  const std::string good = rig.files.text(Rig::kJournal);
  SECTION("damaged") {
    rig.files.put(Rig::kJournal, "vtl-journal 1\nnonsense\n" + good.substr(good.find('\n') + 1));
  }
  SECTION("gone") { (void)rig.files.remove(Rig::kJournal); }
  rig.start();
  CHECK(rig.open_error.find("vtl library rebuild") != std::string::npos);
  CHECK(rig.move(1000, 1001).result == MoveResult::kJournalFailed);
  CHECK_FALSE(create(rig, request({"BBB001L8"})).empty());

  std::vector<std::string> lines;
  rig.store.put(vtl::label_of_barcode("BBB001L8").label);
  REQUIRE(vtl::rebuild_journal(rig.files, rig.store, rig.options.geometry, Rig::kJournal,
                               [&](std::string_view line) { lines.emplace_back(line); }));
  CHECK(lines.size() == 3);
  rig.start();
  CHECK(rig.open_error.empty());
  CHECK(rig.at(1002) == "BBB001L8");
  rig.check_whole(3);
}

TEST_CASE("a rebuilt journal finds the cartridges where they were") {
  Rig rig({{"AAA001L8", 1000}, {"AAA002L8", 1001}, {"AAA003L8", 1002}, {"AAA004L8", 1003}});
  CHECK(rig.move(1000, 501).result == MoveResult::kMoved);
  CHECK(rig.move(1001, 12).result == MoveResult::kMoved);
  CHECK(rig.move(1002, 1009).result == MoveResult::kMoved);
  rig.store.cartridges.at("AAA004L8").element_hint = 12;  // taken
  rig.library.reset();
  rig.bays[1]->medium.reset();
  rig.files.put(Rig::kJournal, "nonsense");
  std::vector<std::string> lines;
  REQUIRE(vtl::rebuild_journal(rig.files, rig.store, rig.options.geometry, Rig::kJournal,
                               [&](std::string_view line) { lines.emplace_back(line); }));
  CHECK(lines ==
        std::vector<std::string>{
            "cartridge AAA001L8: drive 2 (element 501)",
            "cartridge AAA002L8: import/export slot 3 (element 12)",
            "cartridge AAA003L8: slot 10 (element 1009)",
            "cartridge AAA004L8: slot 1 (element 1000), a free one: its label names no place"});
  CHECK(rig.files.text("/d/journal.damaged") == "nonsense");
  rig.start();
  CHECK(rig.at(501) == "AAA001L8");
  CHECK(rig.at(12) == "AAA002L8");
  rig.check_whole(4);
}

TEST_CASE("open: places that are gone or taken") {
  Rig rig({{"AAA001L8", 1000}, {"AAA002L8", 1009}, {"AAA003L8", 502}});
  rig.options.geometry.storage.count = 5;
  rig.start();
  CHECK_FALSE(rig.library->find("AAA002L8")->type);
  CHECK(rig.log.size() == 1);
  rig.check_whole(3);
  // A wrong configuration, put right, has changed nothing.
  rig.options.geometry.storage.count = 10;
  rig.start();
  CHECK(rig.at(1009) == "AAA002L8");
  rig.check_whole(3);
  rig.options.geometry.storage.count = 5;
  rig.start();
  CHECK(insert(rig, "AAA002L8", ElementType::kStorage).empty());
  rig.options.geometry.storage.count = 10;
  rig.start();
  CHECK(rig.at(1001) == "AAA002L8");
  rig.check_whole(3);

  vtl::Journal::State state;
  for (const char* barcode : {"AAA001L8", "AAA002L8", "AAA003L8"})
    state[barcode] = {vtl::label_of_barcode(barcode).label, 1000, {}, false};
  REQUIRE(vtl::Journal::create(rig.files, Rig::kJournal, state));
  rig.start();
  CHECK(rig.at(1000) == "AAA001L8");
  rig.check_whole(3);
}

TEST_CASE("open: a cartridge does not come from an element that is gone") {
  Rig rig;
  CHECK(rig.move(1000, 500).result == MoveResult::kMoved);
  CHECK(rig.move(1001, 1009).result == MoveResult::kMoved);
  CHECK(rig.move(1009, 501).result == MoveResult::kMoved);
  rig.options.geometry.storage.count = 9;
  rig.start();
  CHECK(rig.element(500).source == 1000);
  CHECK_FALSE(rig.element(501).source);
  rig.check_whole(2);
}

TEST_CASE("open: a last record that was cut short is told of") {
  Rig rig;
  CHECK(rig.move(1000, 1005).result == MoveResult::kMoved);
  rig.library.reset();
  const std::string whole = rig.files.text(Rig::kJournal);
  rig.files.put(Rig::kJournal, whole.substr(0, whole.size() - 5));
  rig.start();
  CHECK(rig.open_error.empty());
  CHECK(rig.at(1000) == "AAA001L8");
  REQUIRE(rig.log.size() == 1);
  CHECK(rig.log[0].find("cut short") != std::string::npos);
  rig.check_whole(2);
}

TEST_CASE("operations asked for while opening wait") {
  Rig rig({{"AAA001L8", 500}});
  rig.library.reset();
  rig.bays[0] = std::make_unique<PocketBay>();
  rig.bays[0]->hold = true;
  rig.library = std::make_unique<vtl::Library>(
      rig.options, rig.store, rig.files, rig.executor,
      std::vector<vtl::DriveBay*>{rig.bays[0].get(), rig.bays[1].get(), rig.bays[2].get()});
  bool opened = false, settled = false;
  std::optional<MoveResult> result;
  rig.library->open([&](Outcome) { opened = true; }, [&] { settled = true; });
  rig.library->move(500, 1000, [&](MoveOutcome outcome) { result = outcome.result; });
  rig.executor.run();
  CHECK(opened);
  CHECK_FALSE(settled);
  CHECK_FALSE(result);
  CHECK(rig.at(500) == "AAA001L8");
  rig.bays[0]->hold = false;
  rig.bays[0]->release();
  rig.executor.run();
  CHECK(settled);
  CHECK(result == MoveResult::kMoved);
}
