// The scrubber over a small library in memory: whose turn it is, who is not held up, what is
// remembered and told. And the alerts by themselves.
#include "vtl/daemon/scrubber.h"

#include <catch2/catch.hpp>

#include "test/unit/cartridge/memory_files.h"
#include "test/unit/cartridge/seeded_executor.h"
#include "vtl/daemon/pool_watch.h"
#include "vtl/library/journal.h"
#include "vtl/library/pool_store.h"

using namespace vtl;
using namespace vtl::daemon;
using Cause = Alerts::Cause;
using nlohmann::json;

namespace {

constexpr std::uint64_t kDay = 24ull * 60 * 60 * 1000;

// A drive that holds what it is given and opens nothing.
class Bay final : public DriveBay {
 public:
  void load(std::unique_ptr<scsi::ssc::TapeMedium> medium, scsi::Done<BayLoad> done) override {
    medium_ = std::move(medium);
    done(BayLoad{});
  }
  void unload(scsi::Done<BayUnload> done) override {
    BayUnload out;
    out.medium = std::move(medium_);
    done(std::move(out));
  }
  bool prevented() const override { return false; }

 private:
  std::unique_ptr<scsi::ssc::TapeMedium> medium_;
};

// Two cartridges of three blocks in slots 1000 and 1001, one drive at 500.
struct Fixture {
  Fixture() {
    REQUIRE(files.make_directory("/d"));
    REQUIRE(create_pool(files, "/pool", {}));
    Journal::State state;
    for (const char* barcode : {"VTL001L8", "VTL002L8"}) {
      CartridgeSpec spec;
      spec.barcode = barcode;
      spec.segment_mib = 1;
      spec.uuid[0] = std::byte{1};
      spec.uuid[1] = static_cast<std::byte>(barcode[5]);
      REQUIRE(create_cartridge(files, "/pool", spec));
      auto writer = CartridgeWriter::open(files, cartridge_directory("/pool", barcode),
                                          CartridgeWriter::At::kBeginning);
      REQUIRE(writer);
      const std::vector<std::byte> block(900'000, std::byte{7});
      for (int i = 0; i < 3; ++i) REQUIRE((*writer)->write_block(block));
      REQUIRE((*writer)->finish());
      state[barcode].label = {barcode, 8, false, false};
      state[barcode].address = static_cast<std::uint16_t>(1000 + state.size() - 1);
    }
    REQUIRE(Journal::create(files, "/d/journal", state));
    start();
  }
  void start() {
    scrubber.reset();
    library.reset();
    alerts.clear();
    LibraryOptions options;
    options.geometry = {{1, 1}, {1000, 4}, {10, 1}, {500, 1}};
    options.drive_identifiers = {"drive"};
    options.journal_path = "/d/journal";
    options.alert = [this](const std::string& barcode, std::string text) {
      alerts.raise(Cause::kPlace, barcode, std::move(text));
    };
    library =
        std::make_unique<Library>(options, store, files, executor, std::vector<DriveBay*>{&bay});
    std::string error = "not opened";
    library->open([&](Outcome outcome) { error = outcome.error; });
    executor.run();
    REQUIRE(error.empty());
    log = ScrubLog::read(files, "/d/scrub.json");
    ScrubOptions scrub;
    scrub.days = 30;
    scrub.bytes_per_second = 1u << 20;
    scrub.pool_directory = "/pool";
    scrub.log_path = "/d/scrub.json";
    scrub.now_ms = [this] { return now_ms; };
    scrub.worked_on = [this](const std::string& barcode) { return barcode == worked_on; };
    scrub.log = [](std::string_view) {};
    scrubber = std::make_unique<Scrubber>(scrub, log, *library, alerts, files, executor);
    scrubber->begin();
  }
  void tick(int times = 1) {
    while (times-- > 0) {
      now_ms += 250;
      scrubber->tick(250);
      executor.run();
    }
  }
  void finish() {
    for (int i = 0; i < 400; ++i) tick();
  }
  json reading() const { return scrubber->describe()["cartridge"]; }
  std::string move(std::uint16_t from, std::uint16_t to) {
    std::string detail = "never";
    library->move(from, to, [&](scsi::smc::MoveOutcome outcome) {
      detail = outcome.result == scsi::smc::MoveResult::kMoved ? "" : outcome.detail + "!";
    });
    executor.run();
    return detail;
  }
  void damage(const std::string& barcode) {
    const auto segments = files.find("/" + barcode + "/p0");
    for (const std::string& path : segments)
      if (path.ends_with(".seg"))
        return files.edit(path, [](auto& bytes) { bytes.at(6000) ^= std::byte{1}; });
    FAIL("no segment");
  }

  std::uint64_t now_ms = 1'700'000'000'000;
  std::string worked_on;
  test::MemoryFiles files;
  test::SeededExecutor executor;
  Bay bay;
  Alerts alerts{{[this] { return now_ms; }, [](const std::string&) { return std::string("slot"); },
                 [](std::string_view) {}}};
  PoolStore store{[this] {
                    PoolStoreOptions options;
                    options.pool_dir = "/pool";
                    options.random = [](scsi::MutableBytes) {};
                    options.now_ns = [] { return std::uint64_t{1}; };
                    options.loading = [this](const std::string& barcode) {
                      scrubber->release(barcode);
                    };
                    return options;
                  }(),
                  files,
                  {&executor}};
  std::unique_ptr<Library> library;
  ScrubLog log;
  std::unique_ptr<Scrubber> scrubber;
};

}  // namespace

TEST_CASE("each cartridge is read once, then after so many days again") {
  Fixture f;
  CHECK(f.scrubber->describe()["never"] == 2);
  f.tick();
  CHECK(f.reading() == "VTL001L8");
  CHECK(f.log.describe("VTL001L8").is_null());
  f.finish();
  CHECK(f.reading().is_null());
  for (const char* barcode : {"VTL001L8", "VTL002L8"}) {
    const json entry = f.log.describe(barcode);
    CHECK(entry["bytes"] > 2'700'000);
    CHECK(entry["damage"].empty());
    CHECK(entry["at"].get<std::string>().substr(0, 10) == "2023-11-14");
  }
  CHECK(f.scrubber->describe()["never"] == 0);
  const std::uint64_t before = f.files.operations();
  f.finish();
  CHECK(f.files.operations() - before < 10);  // the log was written, nothing was read
  f.now_ms += 30 * kDay;
  f.finish();
  CHECK(f.log.describe("VTL001L8")["at"].get<std::string>().substr(0, 10) == "2023-12-14");
  CHECK(f.alerts.describe().empty());
}

TEST_CASE("no more than the configured rate is read") {
  Fixture f;
  int ticks = 0;
  while (f.log.describe("VTL002L8").is_null() && ++ticks < 1000) f.tick();
  // 5.4 MB at 1 MiB a second are 5.2 seconds; at the end, one piece may come early.
  CHECK(ticks >= 17);
  CHECK(ticks <= 24);
}

TEST_CASE("a cartridge that is wanted is let go of at once, and read on later") {
  Fixture f;
  f.tick(2);
  REQUIRE(f.reading() == "VTL001L8");
  // A step is under way while the robot comes.
  for (int i = 0; i < 4; ++i) f.scrubber->tick(250);
  CHECK(f.move(1000, 500).empty());
  CHECK(f.reading() != "VTL001L8");
  f.finish();
  CHECK(f.log.describe("VTL001L8").is_null());
  CHECK_FALSE(f.log.describe("VTL002L8").is_null());
  CHECK(f.move(500, 1003).empty());
  f.finish();
  CHECK(f.log.describe("VTL001L8")["damage"].empty());
}

TEST_CASE("one that a job works on, and one in a drive, are left alone") {
  Fixture f;
  f.worked_on = "VTL001L8";
  CHECK(f.move(1001, 500).empty());
  f.finish();
  CHECK(f.reading().is_null());
  CHECK(f.scrubber->describe()["never"] == 2);
}

TEST_CASE("damage is an alert until it is found whole again; both survive a restart") {
  Fixture f;
  f.damage("VTL002L8");
  f.finish();
  REQUIRE(f.alerts.describe().size() == 1);
  CHECK(f.alerts.describe()[0]["cause"] == "damaged");
  CHECK(f.alerts.describe()[0]["barcode"] == "VTL002L8");
  CHECK(f.log.describe("VTL002L8")["damage"].size() == 1);
  CHECK(f.scrubber->describe()["damaged"] == 1);

  bool closed = false;
  f.scrubber->close([&] { closed = true; });
  f.executor.run();
  CHECK(closed);
  f.start();
  CHECK(f.alerts.has(Cause::kDamaged, "VTL002L8"));
  CHECK(f.log.describe("VTL002L8")["damage"].size() == 1);
  f.finish();
  CHECK(f.scrubber->describe()["never"] == 0);

  f.damage("VTL002L8");  // the same bit once more
  f.now_ms += 31 * kDay;
  f.finish();
  CHECK(f.alerts.describe().empty());
}

TEST_CASE("a label that is lost, with nothing left that says what it was, is damage") {
  Fixture f;
  for (const std::string& path : f.files.find("/VTL002L8/")) (void)f.files.remove(path);
  f.finish();
  CHECK(f.alerts.has(Cause::kDamaged, "VTL002L8"));
  CHECK(f.log.describe("VTL002L8")["damage"][0]["what"].get<std::string>().find("/CART") !=
        std::string::npos);
  CHECK_FALSE(f.alerts.has(Cause::kDamaged, "VTL001L8"));
}

TEST_CASE("a stop amid a cartridge remembers where it was") {
  Fixture f;
  f.tick(3);
  REQUIRE(f.reading() == "VTL001L8");
  for (int i = 0; i < 4; ++i) f.scrubber->tick(250);
  bool closed = false;
  f.scrubber->close([&] { closed = true; });
  CHECK_FALSE(closed);
  f.executor.run();
  CHECK(closed);
  f.start();
  REQUIRE(f.log.find("VTL001L8") != nullptr);
  CHECK(f.log.find("VTL001L8")->unfinished->report.bytes > 0);
  CHECK(f.log.describe("VTL001L8").is_null());
  f.finish();
  CHECK(f.log.describe("VTL001L8")["bytes"] > 2'700'000);
}

TEST_CASE("a record that is damaged or lost costs another scrub, nothing else") {
  test::MemoryFiles files;
  REQUIRE(files.make_directory("/d"));
  for (const char* text : {"", "{", "[1]", "{\"A\": 3}", "{\"A\": {\"at_ms\": \"x\"}}"}) {
    (void)files.remove("/d/scrub.json");
    REQUIRE(ScrubLog::write(files, "/d/scrub.json", text));
    CHECK(ScrubLog::read(files, "/d/scrub.json").find("A") == nullptr);
  }
  CHECK(ScrubLog::read(files, "/nowhere").text() == "{}\n");
}

TEST_CASE("alerts count up, show the newest text, and go when they are settled") {
  std::uint64_t now_ms = 1'700'000'000'000;
  std::vector<std::string> logged;
  std::string place = "drive-2";
  Alerts alerts({[&] { return now_ms; }, [&](const std::string&) { return place; },
                 [&](std::string_view text) { logged.emplace_back(text); }});
  alerts.raise(Cause::kReadFailed, "VTL001L8", "object 1");
  now_ms += 60'000;
  alerts.raise(Cause::kReadFailed, "VTL001L8", "object 2");
  alerts.raise(Cause::kNote, "VTL001L8", "index rebuilt");
  alerts.raise(Cause::kNote, "VTL001L8", "label damaged");
  alerts.raise(Cause::kPoolLow, "", "the pool is low");
  CHECK(logged.size() == 5);
  CHECK(logged[0] == "drive-2: object 1");
  CHECK(logged[4] == "the pool is low");
  place = "slot-7";
  const json all = alerts.describe();
  REQUIRE(all.size() == 4);
  CHECK(all[0] == json{{"cause", "read-failed"},
                       {"barcode", "VTL001L8"},
                       {"place", "slot-7"},
                       {"raised_in", "drive-2"},
                       {"text", "object 2"},
                       {"count", 2},
                       {"first", "2023-11-14T22:13:20Z"},
                       {"last", "2023-11-14T22:14:20Z"}});
  CHECK(all[3]["barcode"].is_null());
  alerts.settle(Cause::kNote, "VTL001L8");
  CHECK(alerts.describe().size() == 2);
  alerts.settle_all("VTL001L8");
  CHECK(alerts.describe().size() == 1);
  CHECK(alerts.clear() == 1);
  for (int i = 0; i < 1000; ++i) alerts.raise(Cause::kNote, "VTL001L8", std::to_string(i));
  CHECK(alerts.describe().size() == 500);
  CHECK(alerts.describe().back()["text"] == "999");
}

TEST_CASE("the pool is watched: low, full, files gone and back, a journal that was rebuilt") {
  Fixture f;
  PoolWatchOptions options;
  options.pool_directory = "/pool";
  options.damaged_journal = "/d/journal.damaged";
  options.low_water_bytes = 100u << 20;
  options.full_bytes = 50u << 20;
  PoolWatch watch(options, *f.library, f.alerts, f.files, f.executor);
  const auto causes = [&] {
    watch.look();
    watch.look();
    f.executor.run();
    std::string text;
    for (const json& one : f.alerts.describe()) text += one["cause"].get<std::string>() + " ";
    return text;
  };
  CHECK(causes().empty());
  const std::uint64_t used = f.files.used_bytes();
  f.files.total_bytes = used + (80u << 20);
  CHECK(causes() == "pool-low ");
  f.files.total_bytes = used + (20u << 20);
  CHECK(causes() == "pool-low pool-full ");
  f.files.total_bytes = 1ull << 40;
  CHECK(causes().empty());

  f.alerts.raise(Cause::kPlace, "VTL001L8", "no files");
  REQUIRE(f.files.rename("/pool/carts/VTL001L8", "/pool/elsewhere"));
  CHECK(causes() == "place ");
  REQUIRE(f.files.rename("/pool/elsewhere", "/pool/carts/VTL001L8"));
  CHECK(causes().empty());

  REQUIRE(ScrubLog::write(f.files, "/d/journal.damaged", "x"));
  CHECK(causes() == "journal ");
  CHECK(f.alerts.clear() == 1);
  CHECK(causes().empty());  // it was seen
  REQUIRE(f.files.remove("/d/journal.damaged"));
  CHECK(causes().empty());
}
