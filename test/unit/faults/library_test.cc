// Every operation on a file failing in turn while a library makes, moves, loads, writes, unloads,
// protects, takes out, brings in and deletes cartridges: what was done is done, what was not done
// is not half done, and the next life finds it so.
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdio>
#include <set>

#include "test/unit/cartridge/tape_fixture.h"
#include "vtl/library/barcode.h"
#include "vtl/library/journal.h"
#include "vtl/library/library.h"
#include "vtl/library/pool_store.h"

using namespace vtl;
using namespace vtl::test;
using scsi::smc::ElementType;
using Failure = MemoryFiles::Failure;

namespace {

constexpr std::uint16_t kDrive = 500, kDoor = 10, kSlot = 1000;
const std::string kOld = "OLD001L8", kNew = "NEW001L8";

// A drive without commands: it loads what it is given.
class Pocket final : public DriveBay {
 public:
  void load(std::unique_ptr<TapeMedium> cartridge, scsi::Done<BayLoad> done) override {
    medium = std::move(cartridge);
    medium->load({"IBM", "1"}, [this, done = std::move(done)](LoadOutcome out) mutable {
      loaded = !out.fault;
      done({true, out.fault ? out.fault->detail : std::string()});
    });
  }
  void unload(scsi::Done<BayUnload> done) override {
    auto out = [this, done = std::move(done)](WriteOutcome outcome) mutable {
      loaded = false;
      done({BayUnload::Result::kRemoved, outcome.fault ? outcome.fault->detail : std::string(),
            std::move(medium)});
    };
    if (!loaded) return out({});
    medium->unload(std::move(out));
  }
  bool prevented() const override { return false; }
  std::unique_ptr<TapeMedium> medium;
  bool loaded = false;
};

// A life of the process that owns the library.
class Life {
 public:
  Life(MemoryFiles& files, std::uint32_t seed)
      : executor(seed), store(store_options(), files, {&executor}) {
    LibraryOptions options;
    options.geometry = {{1, 1}, {kSlot, 4}, {kDoor, 1}, {kDrive, 1}};
    options.drive_identifiers = {"IBM     ULT3580-TD8     0000000001"};
    options.journal_path = "/lib/journal";
    library = std::make_unique<Library>(std::move(options), store, files, executor,
                                        std::vector<DriveBay*>{&bay});
  }
  ~Life() {
    executor.forget();
    library.reset();
    bay.medium.reset();
    executor.forget();
  }
  static PoolStoreOptions store_options() {
    PoolStoreOptions options;
    options.pool_dir = "/lib/pool";
    options.segment_mib = 1;
    options.now_ns = [] { return std::uint64_t{1'700'000'000'000'000'000}; };
    options.medium.now_ns = options.now_ns;
    options.random = [](scsi::MutableBytes out) {
      for (std::byte& b : out) b = std::byte{0x5A};
    };
    return options;
  }
  // Runs an operation that ends with an Outcome, a MoveOutcome or a WriteOutcome.
  template <class Result, class Call>
  Result wait(Call call) {
    std::optional<Result> result;
    call(scsi::Done<Result>([&](Result r) { result = std::move(r); }));
    while (!result && executor.step()) {
    }
    VTL_CHECK(result.has_value());
    return std::move(*result);
  }
  std::string open() {
    const auto opened = wait<Outcome>([&](auto done) { library->open(std::move(done)); });
    executor.run();
    return opened.error;
  }
  bool create(const std::string& barcode) {
    CreateRequest request;
    request.cartridges = {label_of_barcode(barcode).label};
    return wait<Outcome>([&](auto done) { library->create(request, std::move(done)); }).ok();
  }
  bool move(std::uint16_t from, std::uint16_t to) {
    return wait<scsi::smc::MoveOutcome>([&](auto done) {
             library->move(from, to, std::move(done));
           }).result == scsi::smc::MoveResult::kMoved;
  }
  bool write(const std::string& text) {
    if (!bay.loaded) return false;
    const auto out = wait<WriteOutcome>([&](auto done) {
      bay.medium->write(buffer_of(text), static_cast<std::uint32_t>(text.size()),
                        WriteMode::kDurable, std::move(done));
    });
    return !out.fault && !out.full;
  }
  bool protect(const std::string& barcode, bool on) {
    return wait<Outcome>(
               [&](auto done) { library->set_write_protected(barcode, on, std::move(done)); })
        .ok();
  }
  bool take_out(const std::string& barcode) {
    return wait<Outcome>([&](auto done) { library->take_out(barcode, std::move(done)); }).ok();
  }
  bool insert(const std::string& barcode) {
    return wait<Outcome>([&](auto done) {
             library->insert(barcode, ElementType::kStorage, std::nullopt, std::move(done));
           })
        .ok();
  }
  Outcome remove(const std::string& barcode) {
    return wait<Outcome>([&](auto done) { library->remove(barcode, std::move(done)); });
  }

  SeededExecutor executor;
  PoolStore store;
  Pocket bay;
  std::unique_ptr<Library> library;
};

// What must hold, whatever failed.
struct Known {
  std::vector<std::uint16_t> old_places = {kSlot};  // 0: outside
  std::vector<std::string> old_tape;                // acknowledged
  bool new_may_be = false, new_must_be = false;
  bool delete_again = false;  // the person was asked to: the files are gone, its entry is not
};

void make_library(MemoryFiles& files) {
  VTL_CHECK(files.make_directory("/lib").ok());
  VTL_CHECK(create_pool(files, "/lib/pool", {test_uuid(9), 1}).ok());
  PoolStore store(Life::store_options(), files);
  JournalEntry entry;
  entry.label = label_of_barcode(kOld).label;
  entry.address = kSlot;
  VTL_CHECK(store.create(entry.label, 0).ok());
  VTL_CHECK(Journal::create(files, "/lib/journal", {{kOld, entry}}).ok());
  VTL_CHECK(files.sync_directory("").ok());
}

// Ends where the power goes.
Known story(MemoryFiles& files) {
  Known known;
  Life life(files, 7);
  if (!life.open().empty()) return known;
  const auto moved = [&](std::uint16_t from, std::uint16_t to) {
    known.old_places.push_back(to);
    if (life.move(from, to)) known.old_places = {to};
    // A record that could not be made durable may be found all the same, or not.
  };
  known.new_may_be = true;
  known.new_must_be = life.create(kNew);
  moved(kSlot, kDrive);
  for (const char* text : {"first", "second"})
    if (life.write(text)) known.old_tape.emplace_back(text);
  moved(kDrive, kSlot + 2);
  (void)life.protect(kOld, true);
  (void)life.protect(kOld, false);
  moved(kSlot + 2, kDoor);
  known.old_places.push_back(0);
  if (life.take_out(kOld)) known.old_places = {0};
  for (std::uint16_t slot = kSlot; slot < kSlot + 4; ++slot) known.old_places.push_back(slot);
  (void)life.insert(kOld);
  const bool was = known.new_must_be;
  known.new_must_be = false;
  if (was) {
    const Outcome removed = life.remove(kNew);
    if (removed.ok()) known.new_may_be = false;
    known.delete_again = removed.error.find("delete it again") != std::string::npos;
  }
  if (files.has_power()) {
    bool closed = false;
    life.library->close([&] { closed = true; });
    life.executor.run();
    CHECK(closed);
  }
  return known;
}

void check_next_life(MemoryFiles& files, const Known& known) {
  Life life(files, 8);
  REQUIRE(life.open() == "");
  std::set<std::string> seen;
  for (const Placement& placement : life.library->cartridges()) {
    INFO(placement.label.barcode);
    CHECK(seen.insert(placement.label.barcode).second);
    // What the library knows of is whole.
    const std::string& barcode = placement.label.barcode;
    if (barcode == kNew && known.delete_again) continue;
    CHECK(read_summary(files, cartridge_directory("/lib/pool", barcode)));
  }
  if (known.delete_again && seen.count(kNew) != 0) {
    CHECK(life.remove(kNew).error == "");
    CHECK_FALSE(life.library->find(kNew));
    seen.erase(kNew);
  }
  CHECK(seen.count(kOld) == 1);
  if (known.new_must_be) CHECK(seen.count(kNew) == 1);
  if (!known.new_may_be) CHECK(seen.count(kNew) == 0);
  std::size_t full = 0;
  for (const auto& element : life.library->elements()) full += element.full;
  CHECK(full <= seen.size());
  const auto old = life.library->find(kOld);
  REQUIRE(old);
  const std::uint16_t at = old->type ? old->address : std::uint16_t{0};
  INFO("at " << at);
  CHECK(std::count(known.old_places.begin(), known.old_places.end(), at) != 0);
  // And it works: the tape goes into the drive and says what was acknowledged.
  if (at == 0) REQUIRE(life.insert(kOld));
  if (at != kDrive) REQUIRE(life.move(life.library->find(kOld)->address, kDrive));
  REQUIRE(life.bay.loaded);
  for (const std::string& text : known.old_tape) {
    const auto out =
        life.wait<ReadOutcome>([&](auto done) { life.bay.medium->read(100, 1, std::move(done)); });
    CHECK(text_of(out.data) == text);
  }
  REQUIRE(life.move(kDrive, kSlot + 3));
  if (seen.count(kNew) == 0) CHECK(life.create(kNew));
}

}  // namespace

TEST_CASE("Sweep: every operation on a file of a library's life fails in turn") {
  std::uint64_t operations = 0;
  {
    MemoryFiles files;
    make_library(files);
    const std::uint64_t before = files.operations();
    const Known known = story(files);
    operations = files.operations() - before;
    CHECK(known.old_tape.size() == 2);
    CHECK_FALSE(known.new_may_be);
    check_next_life(files, known);
  }
  REQUIRE(operations > 100);
  std::uint64_t swept = 0;
  for (const Failure failure :
       {Failure::kEio, Failure::kNoSpace, Failure::kShortWrite, Failure::kPowerCut}) {
    for (std::uint64_t n = 0; n < operations; ++n, ++swept) {
      INFO("operation " << n << " failure " << static_cast<int>(failure));
      MemoryFiles files(static_cast<std::uint32_t>(n + 1));
      make_library(files);
      files.fail_at(n, failure);
      const Known known = story(files);
      files.heal();
      if (failure == Failure::kPowerCut)
        files.crash(0.5);
      else
        files.kill();
      check_next_life(files, known);
    }
  }
  std::printf("library: %lu operations, %lu failures swept\n",
              static_cast<unsigned long>(operations), static_cast<unsigned long>(swept));
}

// F5: of a record whose sync has failed the system's memory may say that it is written, and the
// process be killed before it has cut it off. The next one builds upon what it reads.
TEST_CASE("F5: a record of the journal that a failed sync has left in memory only") {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    MemoryFiles files(seed);
    REQUIRE(files.make_directory("/lib"));
    REQUIRE(files.sync_directory(""));
    REQUIRE(Journal::create(files, "/lib/journal", {}));
    {
      const auto journal = Journal::open(files, "/lib/journal");
      REQUIRE(journal);
      files.broken = "fdatasync";
      files.inject = [&](const std::string& what, const std::string&) {
        if (what != "ftruncate") return 0;
        files.cut_power();
        return EIO;
      };
      REQUIRE_FALSE((*journal)->intent(std::string(600, 'x')));  // two sectors
    }
    files.broken.clear();
    files.inject = {};
    files.kill();
    {
      const auto journal = Journal::open(files, "/lib/journal");
      REQUIRE(journal);
      REQUIRE((*journal)->intent("delete " + kOld));
    }
    files.crash(0);
    const auto journal = Journal::open(files, "/lib/journal");
    REQUIRE((journal ? "" : journal.error().what) == "");
    CHECK((*journal)->open_intent() == "delete " + kOld);
  }
}

TEST_CASE("A cartridge whose directory was given another's name is not taken for that one") {
  MemoryFiles files;
  make_library(files);
  REQUIRE(
      files.rename(cartridge_directory("/lib/pool", kOld), cartridge_directory("/lib/pool", kNew)));
  Life life(files, 1);
  const auto summary = life.store.read_summary(kNew);
  REQUIRE_FALSE(summary);
  CHECK(summary.error().what.find("its label says that it is cartridge " + kOld) !=
        std::string::npos);
}
