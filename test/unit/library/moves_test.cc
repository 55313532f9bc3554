#include "rig.h"

TEST_CASE("elements: ascending, all types, nothing lost") {
  Rig rig({{"AAA001L8", 1000}, {"AAA002LY", 10}, {"CLN001CU", 1009}, {"AAA003L8", 0}});
  CHECK(rig.open_error.empty());
  CHECK(rig.settled);
  const auto elements = rig.library->elements();
  REQUIRE(elements.size() == 17);
  for (std::size_t i = 1; i < elements.size(); ++i)
    CHECK(elements[i - 1].address < elements[i].address);
  CHECK(elements[0].type == ElementType::kTransport);
  CHECK(rig.element(10).worm);
  CHECK(rig.element(10).type == ElementType::kImportExport);
  CHECK(rig.element(1009).cleaning);
  CHECK(rig.element(501).drive_identifier == "drive two");
  CHECK_FALSE(rig.library->find("AAA003L8")->type);
  rig.check_whole(4);
}

TEST_CASE("a move between every pair of places") {
  const std::vector<int> places = {1000, 1005, 10, 12, 500, 502};
  for (const int from : places) {
    for (const int to : places) {
      INFO(from << " to " << to);
      Rig rig({{"AAA001L8", from}, {"AAA002L8", 1001}});
      REQUIRE(rig.at(from) == "AAA001L8");
      CHECK(rig.move(from, to).result == MoveResult::kMoved);
      CHECK(rig.at(to) == "AAA001L8");
      if (from != to) CHECK_FALSE(rig.element(from).full);
      rig.check_whole(2);
      const bool from_drive = from >= 500 && from <= 502;
      if (from != to)
        CHECK(rig.element(to).source ==
              (from_drive ? std::nullopt : std::optional(static_cast<std::uint16_t>(from))));
      rig.start();
      CHECK(rig.open_error.empty());
      CHECK(rig.at(to) == "AAA001L8");
      rig.check_whole(2);
    }
  }
}

TEST_CASE("the source is the slot it came from, through drives and restarts") {
  Rig rig;
  CHECK(rig.move(1000, 500).result == MoveResult::kMoved);
  CHECK(rig.element(500).source == 1000);
  CHECK(rig.move(500, 501).result == MoveResult::kMoved);
  CHECK(rig.element(501).source == 1000);
  rig.start();
  CHECK(rig.element(501).source == 1000);
  CHECK(rig.bays[1]->barcode() == "AAA001L8");
  CHECK(rig.move(501, 1007).result == MoveResult::kMoved);
  CHECK(rig.element(1007).source == 1000);
  CHECK(rig.move(1007, 10).result == MoveResult::kMoved);
  CHECK(rig.element(10).source == 1007);
  CHECK_FALSE(rig.element(10).placed_by_operator);
}

TEST_CASE("moves that are refused") {
  Rig rig({{"AAA001L8", 1000}, {"AAA002L8", 1001}, {"AAA003L8", 500}});
  const auto [from, to, result] =
      GENERATE(table<int, int, MoveResult>({{999, 1005, MoveResult::kNoSuchElement},
                                            {1000, 1010, MoveResult::kNoSuchElement},
                                            {1000, 13, MoveResult::kNoSuchElement},
                                            {1000, 503, MoveResult::kNoSuchElement},
                                            {1000, 1, MoveResult::kNoSuchElement},
                                            {1, 1000, MoveResult::kNoSuchElement},
                                            {1002, 1005, MoveResult::kSourceEmpty},
                                            {501, 1005, MoveResult::kSourceEmpty},
                                            {1002, 1002, MoveResult::kSourceEmpty},
                                            {1000, 1001, MoveResult::kDestinationFull},
                                            {1000, 500, MoveResult::kDestinationFull}}));
  const std::string before = rig.files.text(Rig::kJournal);
  CHECK(rig.move(from, to).result == result);
  CHECK(rig.files.text(Rig::kJournal) == before);
  rig.check_whole(3);
}

TEST_CASE("source and destination alike") {
  Rig rig({{"AAA001L8", 1000}, {"AAA003L8", 500}});
  CHECK(rig.move(1000, 1000).result == MoveResult::kMoved);
  CHECK(rig.bays[0]->loads == 1);
  CHECK(rig.move(500, 500).result == MoveResult::kMoved);  // unloads and loads again
  CHECK(rig.bays[0]->loads == 2);
  rig.check_whole(2);
}

TEST_CASE("removal from a drive is prevented") {
  Rig rig({{"AAA001L8", 500}});
  SECTION("known beforehand") { rig.bays[0]->is_prevented = true; }
  SECTION("found when unloading") { rig.bays[0]->prevented_late = true; }
  CHECK(rig.move(500, 1000).result == MoveResult::kRemovalPrevented);
  CHECK(rig.move(500, 500).result == MoveResult::kRemovalPrevented);
  rig.check_whole(1);
  CHECK(rig.element(500).accessible == !rig.bays[0]->is_prevented);
  rig.bays[0]->is_prevented = rig.bays[0]->prevented_late = false;
  CHECK(rig.move(500, 1000).result == MoveResult::kMoved);
}

TEST_CASE("what is prevented is removal: an empty drive takes a cartridge") {
  Rig rig;
  rig.bays[0]->is_prevented = true;
  CHECK(rig.element(500).accessible);
  CHECK(rig.move(1000, 500).result == MoveResult::kMoved);
  CHECK_FALSE(rig.element(500).accessible);
  CHECK(rig.move(500, 1000).result == MoveResult::kRemovalPrevented);
}

TEST_CASE("a drive that does not let go") {
  Rig rig({{"AAA001L8", 500}});
  rig.bays[0]->fail_unload = true;
  const MoveOutcome outcome = rig.move(500, 1000);
  CHECK(outcome.result == MoveResult::kUnloadFailed);
  CHECK(outcome.detail == "stuck");
  rig.check_whole(1);
}

TEST_CASE("a drive that does not take it: nothing moved, in the journal as well") {
  SECTION("from a slot") {
    Rig rig;
    rig.bays[1]->refuse_load = true;
    CHECK(rig.move(1000, 501).result == MoveResult::kLoadFailed);
    CHECK(rig.at(1000) == "AAA001L8");
    rig.check_whole(2);
    rig.start();
    CHECK(rig.at(1000) == "AAA001L8");
    rig.check_whole(2);
  }
  SECTION("from a drive, which takes it back") {
    Rig rig({{"AAA001L8", 500}});
    rig.bays[1]->refuse_load = true;
    CHECK(rig.move(500, 501).result == MoveResult::kLoadFailed);
    CHECK(rig.bays[0]->barcode() == "AAA001L8");
    rig.check_whole(1);
  }
}

TEST_CASE("a cartridge whose label cannot be read is not loaded") {
  Rig rig;
  rig.store.cartridges.erase("AAA001L8");
  CHECK(rig.move(1000, 500).result == MoveResult::kLoadFailed);
  CHECK(rig.at(1000) == "AAA001L8");
  CHECK(rig.move(1000, 1005).result == MoveResult::kMoved);  // but may change its slot
}

TEST_CASE("what cannot be loaded is told, with the drive and why") {
  Rig rig;
  std::vector<std::string> told;
  rig.options.load_failed = [&](const std::string& barcode, const std::string& text) {
    told.push_back(barcode + ": " + text);
  };
  rig.start();
  SECTION("its label cannot be read") {
    rig.store.cartridges.erase("AAA001L8");
    CHECK(rig.move(1000, 500).result == MoveResult::kLoadFailed);
    CHECK(told == std::vector<std::string>{"AAA001L8: cartridge AAA001L8 cannot be loaded in drive "
                                           "1 (element 500): AAA001L8: there is no cartridge"});
  }
  SECTION("the drive cannot use it") {
    rig.bays[1]->finds = "too new";
    const MoveOutcome outcome = rig.move(1000, 501);
    CHECK(outcome.result == MoveResult::kMoved);
    CHECK(outcome.detail == "too new");
    CHECK(rig.at(501) == "AAA001L8");
    CHECK(told.size() == 1);
    CHECK(rig.move(501, 1000).detail.empty());
    CHECK(rig.move(1000, 500).detail.empty());
    CHECK(told.size() == 1);
  }
  SECTION("nor at a start") {
    CHECK(rig.move(1000, 501).result == MoveResult::kMoved);
    rig.store.cartridges.erase("AAA001L8");
    rig.start();
    REQUIRE(told.size() == 1);
    CHECK(told[0].find("drive 2 (element 501)") != std::string::npos);
  }
}

TEST_CASE("a cartridge that a job reads is not loaded: the drive could not open it") {
  Rig rig({{"AAA001L8", 1000}, {"AAA002L8", 500}});
  rig.store.busy = "AAA001L8";
  const std::string before = rig.files.text(Rig::kJournal);
  const MoveOutcome outcome = rig.move(1000, 501);
  CHECK(outcome.result == MoveResult::kLoadFailed);
  CHECK(outcome.detail == "cartridge AAA001L8 is being read by a job");
  CHECK(rig.exchange(1000, 500, 1004) == MoveResult::kLoadFailed);
  CHECK(rig.files.text(Rig::kJournal) == before);
  CHECK(rig.bays[0]->loads == 1);  // it was not even unloaded
  rig.check_whole(2);
  CHECK(rig.move(1000, 1005).result == MoveResult::kMoved);  // but may change its slot
  rig.store.busy = "AAA002L8";                               // by the drive that it is in
  CHECK(rig.move(500, 501).result == MoveResult::kMoved);
  rig.store.busy.clear();
  CHECK(rig.move(1005, 500).result == MoveResult::kMoved);
  rig.check_whole(2);
}

TEST_CASE("a drive's cartridge without files stays on record and can be moved out") {
  Rig rig({{"AAA001L8", 500}});
  rig.store.cartridges.clear();
  rig.start();
  CHECK(rig.open_error.empty());
  CHECK(rig.log.size() == 2);  // no files; cannot be loaded
  CHECK(rig.at(500) == "AAA001L8");
  CHECK(rig.move(500, 1000).result == MoveResult::kMoved);
  CHECK(rig.at(1000) == "AAA001L8");
}

TEST_CASE("exchange") {
  Rig rig({{"AAA001L8", 1000}, {"AAA002L8", 500}, {"AAA003L8", 501}});
  SECTION("slot, drive, slot") {
    CHECK(rig.exchange(1000, 500, 1004) == MoveResult::kMoved);
    CHECK(rig.at(500) == "AAA001L8");
    CHECK(rig.at(1004) == "AAA002L8");
    CHECK_FALSE(rig.element(1000).full);
    CHECK(rig.element(500).source == 1000);
  }
  SECTION("second equals source: a swap") {
    CHECK(rig.exchange(1000, 500, 1000) == MoveResult::kMoved);
    CHECK(rig.at(500) == "AAA001L8");
    CHECK(rig.at(1000) == "AAA002L8");
  }
  SECTION("two drives swap") {
    CHECK(rig.exchange(500, 501, 500) == MoveResult::kMoved);
    CHECK(rig.at(500) == "AAA003L8");
    CHECK(rig.at(501) == "AAA002L8");
  }
  SECTION("drive, drive, drive") {
    CHECK(rig.exchange(500, 501, 502) == MoveResult::kMoved);
    CHECK(rig.at(501) == "AAA002L8");
    CHECK(rig.at(502) == "AAA003L8");
  }
  SECTION("refused") {
    CHECK(rig.exchange(1002, 500, 1004) == MoveResult::kSourceEmpty);
    CHECK(rig.exchange(1000, 1003, 1004) == MoveResult::kSourceEmpty);
    CHECK(rig.exchange(1000, 500, 501) == MoveResult::kDestinationFull);
    CHECK(rig.exchange(1000, 500, 500) == MoveResult::kDestinationFull);
    CHECK(rig.exchange(500, 500, 1004) == MoveResult::kDestinationFull);
    CHECK(rig.exchange(1000, 500, 1) == MoveResult::kNoSuchElement);
    CHECK(rig.exchange(1, 500, 1000) == MoveResult::kNoSuchElement);
  }
  SECTION("all or nothing: the second drive does not let go") {
    rig.bays[0]->prevented_late = true;  // 500 is unloaded second
    CHECK(rig.exchange(500, 501, 502) == MoveResult::kRemovalPrevented);
    CHECK(rig.bays[0]->barcode() == "AAA002L8");
    CHECK(rig.bays[1]->barcode() == "AAA003L8");
    CHECK(rig.bays[1]->loads == 2);
  }
  rig.check_whole(3);
  rig.start();
  rig.check_whole(3);
}

TEST_CASE("moves run one at a time, in order") {
  Rig rig;
  rig.bays[0]->hold = true;
  std::vector<int> order;
  rig.library->move(1000, 500, [&](MoveOutcome outcome) {
    CHECK(outcome.result == MoveResult::kMoved);
    order.push_back(1);
  });
  rig.library->move(1001, 1005, [&](MoveOutcome outcome) {
    CHECK(outcome.result == MoveResult::kMoved);
    order.push_back(2);
  });
  rig.executor.run();
  CHECK(order.empty());
  CHECK(rig.at(1001) == "AAA002L8");
  rig.bays[0]->release();
  rig.executor.run();
  CHECK(order == std::vector<int>{1, 2});
  rig.check_whole(2);
}

TEST_CASE("closing: what runs ends, what waits is refused") {
  Rig rig;
  rig.bays[0]->hold = true;
  std::vector<MoveResult> results;
  const auto keep = [&](MoveOutcome outcome) { results.push_back(outcome.result); };
  bool closed = false;
  rig.library->move(1000, 500, keep);
  rig.library->move(1001, 1005, keep);
  rig.executor.run();
  rig.library->close([&] { closed = true; });
  rig.library->move(1001, 1006, keep);
  CHECK_FALSE(closed);
  rig.bays[0]->release();
  rig.executor.run();
  CHECK(closed);
  CHECK(results.size() == 3);
  CHECK(std::count(results.begin(), results.end(), MoveResult::kMoved) == 1);
  CHECK(rig.at(500) == "AAA001L8");
}

TEST_CASE("the library may go away with things under way") {
  Rig rig;
  rig.bays[0]->hold = true;
  bool told = false;
  rig.library->move(1000, 500, [&](MoveOutcome) { told = true; });
  rig.library->move(1001, 1005, [&](MoveOutcome) { told = true; });
  SECTION("in a job") { rig.executor.step(); }
  SECTION("in a drive") { rig.executor.run(); }
  rig.library.reset();
  rig.executor.run();
  for (auto& bay : rig.bays) bay->release();
  CHECK_FALSE(told);
}

TEST_CASE("a reply may let go of the library") {
  Rig rig;
  rig.library->move(1000, 1005, [&](MoveOutcome) { rig.library.reset(); });
  rig.library->move(1005, 1000, [](MoveOutcome) { FAIL("the library has gone"); });
  rig.executor.run();
  CHECK(rig.library == nullptr);
  rig.start();
  CHECK(rig.at(1005) == "AAA001L8");
}

TEST_CASE("every file operation fails once: the move is made or it is not") {
  const auto [from, to] =
      GENERATE(table<int, int>({{1000, 1005}, {1000, 501}, {500, 1005}, {500, 501}}));
  for (std::uint64_t n = 1;; ++n) {
    INFO(from << " to " << to << ", operation " << n);
    Rig rig({{"AAA001L8", from}, {"AAA002L8", 1001}});
    rig.files.fail_at(n, true);
    const std::uint64_t before = rig.files.operations();
    const MoveOutcome outcome = rig.move(from, to);
    const bool swept = rig.files.operations() - before < n;
    if (outcome.result != MoveResult::kMoved) {
      CHECK(outcome.result == MoveResult::kJournalFailed);
      CHECK(rig.at(from) == "AAA001L8");
    } else {
      CHECK(rig.at(to) == "AAA001L8");
    }
    rig.check_whole(2);
    rig.files.fail_at(0);
    const std::string place = rig.library->find("AAA001L8")->address == from ? "from" : "to";
    // The next move mends the journal.
    CHECK(rig.move(1001, 1002).result == MoveResult::kMoved);
    rig.start();
    CHECK(rig.open_error.empty());
    CHECK(rig.at(place == "from" ? from : to) == "AAA001L8");
    rig.check_whole(2);
    if (swept) break;
    REQUIRE(n < 50);
  }
}

TEST_CASE(
    "power goes at every file operation: no cartridge is lost or doubled, and what was told "
    "holds") {
  const auto [from, to] =
      GENERATE(table<int, int>({{1000, 1005}, {1000, 501}, {500, 1005}, {500, 501}}));
  const auto survives = GENERATE(MemoryFiles::Survives::kNothing, MemoryFiles::Survives::kHalf,
                                 MemoryFiles::Survives::kEverything);
  for (std::uint64_t n = 1;; ++n) {
    INFO(from << " to " << to << ", operation " << n);
    Rig rig({{"AAA001L8", from}, {"AAA002L8", 1001}});
    rig.files.fail_at(n);
    const std::uint64_t before = rig.files.operations();
    const MoveOutcome outcome = rig.move(from, to);
    const bool swept = rig.files.operations() - before < n;
    rig.files.crash(survives);
    rig.start();
    CHECK(rig.open_error.empty());
    rig.check_whole(2);
    if (outcome.result == MoveResult::kMoved)
      CHECK(rig.at(to) == "AAA001L8");
    else
      CHECK((rig.at(from) == "AAA001L8" || rig.at(to) == "AAA001L8"));
    CHECK(rig.move(1001, 1002).result == MoveResult::kMoved);
    if (swept) break;
    REQUIRE(n < 50);
  }
}

TEST_CASE("an exchange is whole or not at all when power goes") {
  const auto survives =
      GENERATE(MemoryFiles::Survives::kNothing, MemoryFiles::Survives::kEverything);
  for (std::uint64_t n = 1; n < 20; ++n) {
    INFO("operation " << n);
    Rig rig({{"AAA001L8", 1000}, {"AAA002L8", 500}});
    rig.files.fail_at(n);
    rig.exchange(1000, 500, 1000);
    rig.files.crash(survives);
    rig.start();
    rig.check_whole(2);
    CHECK((rig.at(500) == "AAA001L8") == (rig.at(1000) == "AAA002L8"));
  }
}

TEST_CASE("what cannot be loaded is an exception where it lies, until it can") {
  Rig rig({{"AAA001L8", 1000}, {"AAA002L8", 500}});
  CHECK_FALSE(rig.element(1000).exception);
  const auto files = rig.store.cartridges;
  SECTION("found at a move") {
    rig.store.cartridges.erase("AAA001L8");
    CHECK(rig.move(1000, 501).result == MoveResult::kLoadFailed);
  }
  SECTION("found at the start") {
    rig.store.cartridges.erase("AAA001L8");
    rig.start();
  }
  CHECK(rig.element(1000).exception);
  CHECK_FALSE(rig.element(500).exception);
  CHECK(rig.move(1000, 1005).result == MoveResult::kMoved);
  CHECK(rig.element(1005).exception);
  CHECK_FALSE(rig.element(1000).exception);
  rig.store.cartridges = files;
  CHECK(rig.move(1005, 501).result == MoveResult::kMoved);
  CHECK_FALSE(rig.element(501).exception);
}

TEST_CASE("half an exchange: the drive that took nothing is an exception, until it is emptied") {
  Rig rig({{"AAA001L8", 1000}, {"AAA002L8", 500}});
  rig.bays[0]->refuse_load = true;
  CHECK(rig.exchange(1000, 500, 1001) == MoveResult::kLoadFailed);
  CHECK(rig.at(500) == "AAA001L8");
  CHECK(rig.element(500).exception);
  CHECK_FALSE(rig.element(1001).exception);
  rig.bays[0]->refuse_load = false;
  CHECK(rig.move(500, 1000).result == MoveResult::kMoved);
  CHECK_FALSE(rig.element(1000).exception);
}

TEST_CASE("a cleaning cartridge that is in a drive at the start stays ejected") {
  Rig rig({{"CLN001CU", 500}, {"AAA001L8", 501}});
  CHECK(rig.element(500).full);
  CHECK_FALSE(rig.element(500).exception);
  CHECK(rig.bays[0]->loads == 0);
  CHECK(rig.bays[1]->loads == 1);
  CHECK(rig.move(500, 1000).result == MoveResult::kMoved);
  CHECK(rig.move(1000, 500).result == MoveResult::kMoved);
  CHECK(rig.bays[0]->loads == 1);
}

TEST_CASE("a cartridge without a label is moved by its place, and named by its owner") {
  Rig rig({{"unlabelled-1", 1000}});
  CHECK(rig.element(1000).full);
  CHECK_FALSE(rig.element(1000).labelled);
  CHECK(rig.element(1001).labelled);
  CHECK(rig.move(1000, 500).result == MoveResult::kMoved);
  CHECK_FALSE(rig.element(500).labelled);
  rig.start();
  CHECK(rig.library->find("unlabelled-1")->address == 500);
}

TEST_CASE("a thousand cartridges are there at once, and a thousand moves") {
  Rig rig(std::vector<std::pair<std::string, int>>{});
  rig.options.geometry = {{0, 1}, {20000, 1600}, {30000, 1600}, {10000, 3}};
  vtl::Journal::State state;
  for (std::uint16_t i = 0; i < 1000; ++i) {
    const auto label = vtl::label_of_barcode(vtl::numbered_barcode("VTL", i, 5)).label;
    rig.store.put(label);
    state[label.barcode] = {label, static_cast<std::uint16_t>(20000 + i), {}, false};
  }
  REQUIRE(vtl::Journal::create(rig.files, Rig::kJournal, state));
  rig.start();
  CHECK(rig.open_error.empty());
  CHECK(rig.library->elements().size() == 3204);
  CHECK(rig.library->cartridges().size() == 1000);
  for (int i = 0; i < 500; ++i) {
    REQUIRE(rig.move(20000 + i, 10000 + i % 3).result == MoveResult::kMoved);
    REQUIRE(rig.move(10000 + i % 3, 20000 + i).result == MoveResult::kMoved);
  }
  rig.start();
  CHECK(rig.at(20499) == vtl::numbered_barcode("VTL", 499, 5));
  CHECK(rig.files.content(Rig::kJournal).size() < 400000);
}
