// Thousands of random commands to a changer on a library - moves, loads, exchanges, inventories,
// resets, drives that prevent or jam, disks that fail, power that goes - against a model of where
// each cartridge must be. A failing seed is named and lives the same life again.
#include <map>
#include <random>

#include "rig.h"
#include "scsi/smc/changer.h"
#include "test/unit/support/recorder.h"

namespace {

using test::sense_of;

// Where every cartridge is, and where it was last moved from; by the rules of SMC-3, on its own.
struct Shelf {
  struct Cartridge {
    std::string barcode;
    int source = 0;  // 0: none
    friend bool operator==(const Cartridge&, const Cartridge&) = default;
  };
  std::map<int, Cartridge> at;
  friend bool operator==(const Shelf&, const Shelf&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Shelf& shelf) {
    for (const auto& [place, cartridge] : shelf.at)
      out << place << ':' << cartridge.barcode << '<' << cartridge.source << ' ';
    return out;
  }

  static bool is_place(int a) {
    return (a >= 1000 && a < 1010) || (a >= 10 && a < 13) || is_drive(a);
  }
  static bool is_drive(int a) { return a >= 500 && a < 503; }
  void carry(int from, int to) {
    Cartridge cartridge = at.at(from);
    at.erase(from);
    if (!is_drive(from)) cartridge.source = from;
    at[to] = cartridge;
  }
};

class Life {
 public:
  explicit Life(std::uint32_t seed)
      : random_(seed),
        rig_({{"AAA001L8", 1000},
              {"AAA002L8", 1001},
              {"AAA003L9", 1002},
              {"AAA004LY", 10},
              {"CLN001CU", 1009},
              {"unlabelled-1", 1005},
              {"AAA005L7", 500},
              {"AAA006L8", 502}}) {
    shelf_.at = {{1000, {"AAA001L8"}}, {1001, {"AAA002L8"}}, {1002, {"AAA003L9"}},
                 {10, {"AAA004LY"}},   {1009, {"CLN001CU"}}, {1005, {"unlabelled-1"}},
                 {500, {"AAA005L7"}},  {502, {"AAA006L8"}}};
    plug_in();
  }

  void live(int commands) {
    for (int i = 0; i < commands; ++i) {
      INFO("command " << i);
      one();
      check();
    }
    power(false);
    check();
  }
  struct Counts {
    int done = 0, refused = 0, failed = 0, resets = 0, crashes = 0, half = 0;
  } counts;

 private:
  // What a command should do: the sense of its end, and the shelf after it if that is GOOD. A drive
  // that jams (4/53/00) has the cartridge on record until it is put back.
  struct Forecast {
    std::string sense = "0/00/00";
    Shelf after;
  };

  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  bool chance(int percent) { return pick(100) < percent; }
  int place() {
    const int where = pick(20);
    if (where == 0) return pick(2) == 0 ? 999 : 1;  // no such place; the robot
    if (where < 9) return 500 + pick(3);
    if (where < 12) return 10 + pick(3);
    return 1000 + pick(10);
  }

  void plug_in() {
    changer_ = std::make_unique<scsi::smc::Changer>(scsi::smc::ChangerOptions(), *rig_.library);
    recorder_ = std::make_unique<test::Recorder>(*changer_);
    scsi::NexusInfo host;
    host.id = nexus_;
    host.transport_id.assign(24, std::byte{1});
    changer_->nexus_established(host);
    attentions();
  }
  void attentions() {
    while (recorder_->run(nexus_, {0, 0, 0, 0, 0, 0}).reply.sense) {
    }
  }

  PocketBay& bay(int drive) { return *rig_.bays[static_cast<std::size_t>(drive - 500)]; }

  // In the order of the checks: addresses, source, destination, PREVENT.
  Forecast move(int from, int to) {
    Forecast forecast{"0/00/00", shelf_};
    const auto end = [&](const char* sense) { return Forecast{sense, shelf_}; };
    if (!Shelf::is_place(from) || !Shelf::is_place(to)) return end("5/21/01");
    if (!shelf_.at.contains(from)) return end("5/3B/0E");
    if (from != to && shelf_.at.contains(to)) return end("5/3B/0D");
    if (from == to && !Shelf::is_drive(from)) return forecast;
    if (Shelf::is_drive(from) && bay(from).is_prevented) return end("5/53/02");
    if (Shelf::is_drive(from) && bay(from).fail_unload) return end("4/53/01");
    forecast.after.carry(from, to);
    if (Shelf::is_drive(to) && bay(to).refuse_load) forecast.sense = "4/53/00";
    return forecast;
  }
  Forecast exchange(int source, int first, int second) {
    Forecast forecast{"0/00/00", shelf_};
    const auto end = [&](const char* sense) { return Forecast{sense, shelf_}; };
    if (!Shelf::is_place(source) || !Shelf::is_place(first) || !Shelf::is_place(second))
      return end("5/21/01");
    if (source == first) return end("5/24/00 cdb byte 6 bit 7");
    if (!shelf_.at.contains(source) || !shelf_.at.contains(first)) return end("5/3B/0E");
    if (second != source && shelf_.at.contains(second)) return end("5/3B/0D");
    for (const int from : {first, source})
      if (Shelf::is_drive(from) && bay(from).is_prevented) return end("5/53/02");
    for (const int from : {first, source})
      if (Shelf::is_drive(from) && bay(from).fail_unload) return end("4/53/01");
    const auto incoming = shelf_.at.at(source);
    const auto outgoing = shelf_.at.at(first);
    forecast.after.at.erase(source);
    forecast.after.at.erase(first);
    forecast.after.at[second] = {outgoing.barcode,
                                 Shelf::is_drive(first) ? outgoing.source : first};
    forecast.after.at[first] = {incoming.barcode,
                                Shelf::is_drive(source) ? incoming.source : source};
    return forecast;
  }

  void one() {
    for (int drive = 500; drive < 503; ++drive) {
      bay(drive).is_prevented = chance(10);
      bay(drive).fail_unload = chance(3);
      bay(drive).refuse_load = false;
    }
    const auto two = [](int v) {
      return std::pair{static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v & 0xFF)};
    };
    const int from = place(), to = place(), third = chance(50) ? from : place();
    const auto [f1, f2] = two(from);
    const auto [t1, t2] = two(to);
    const auto [s1, s2] = two(third);
    Forecast forecast;
    std::vector<std::uint8_t> cdb;
    const int what = pick(10);
    if (what < 7) {
      // A drive that jams, where its own cartridge is not what would have to go back in.
      if (Shelf::is_drive(to) && from != to) bay(to).refuse_load = chance(5);
      forecast = move(from, to);
      cdb = {0xA5, 0, 0, 1, f1, f2, t1, t2, 0, 0, 0, 0};
    } else if (what < 9) {
      forecast = exchange(from, to, third);
      cdb = {0xA6, 0, 0, 1, f1, f2, t1, t2, s1, s2, 0, 0};
    } else {
      forecast.after = shelf_;
      cdb = {0x07, 0, 0, 0, 0, 0};
    }

    const int trouble = pick(12);
    last_ = "command " + std::to_string(what) + ": " + std::to_string(from) + ' ' +
            std::to_string(to) + ' ' + std::to_string(third) + ", trouble " +
            std::to_string(trouble) + ", should end " + forecast.sense;
    if (trouble == 0) return interrupted(cdb, forecast);
    if (trouble == 1) return reset(cdb, forecast);
    if (trouble == 2) return failing(cdb, forecast);
    const std::string sense = run(cdb);
    REQUIRE(sense == forecast.sense);
    if (sense != "0/00/00") {
      ++counts.refused;
      return;
    }
    ++counts.done;
    shelf_ = forecast.after;
    maybe_.reset();
  }

  std::string run(const std::vector<std::uint8_t>& cdb) {
    recorder_->submit(nexus_, cdb);
    rig_.executor.run();
    REQUIRE(recorder_->ended.size() == 1);
    const std::string sense = sense_of(recorder_->ended.front());
    recorder_->ended.clear();
    return sense;
  }

  // Power goes while the command is under way, or after it.
  void interrupted(const std::vector<std::uint8_t>& cdb, const Forecast& forecast) {
    recorder_->submit(nexus_, cdb);
    for (int steps = pick(5); steps > 0 && rig_.executor.step(); --steps) {
    }
    const bool answered = !recorder_->ended.empty();
    if (answered && sense_of(recorder_->ended.front()) == "0/00/00") {
      shelf_ = forecast.after;
      maybe_.reset();
    } else if (forecast.sense == "0/00/00" || (!answered && forecast.sense == "4/53/00")) {
      maybe_ = forecast.after;
      ++counts.half;
    }
    power(true);
  }

  // The host that asked hears nothing; what was begun is finished all the same.
  void reset(const std::vector<std::uint8_t>& cdb, const Forecast& forecast) {
    ++counts.resets;
    recorder_->submit(nexus_, cdb);
    for (int steps = pick(4); steps > 0 && rig_.executor.step(); --steps) {
    }
    changer_->manage(scsi::TaskFunction::kLogicalUnitReset, nexus_, {},
                     [](scsi::TaskFunctionResult) {});
    rig_.executor.run();
    recorder_->ended.clear();
    attentions();
    if (forecast.sense == "0/00/00") shelf_ = forecast.after;
    maybe_.reset();
  }

  // One operation on the journal's file fails.
  void failing(const std::vector<std::uint8_t>& cdb, const Forecast& forecast) {
    rig_.files.fail_at(static_cast<std::uint64_t>(1 + pick(6)), true);
    const std::string sense = run(cdb);
    rig_.files.fail_at(0);
    if (sense == "0/00/00") {
      REQUIRE(forecast.sense == "0/00/00");
      shelf_ = forecast.after;
      maybe_.reset();
      ++counts.done;
      return;
    }
    // The drive jams, and then the disk fails: the record cannot be put right, and says so.
    if (sense == "4/53/00" && seen() == forecast.after) {
      shelf_ = forecast.after;
      for (const auto& [place, cartridge] : shelf_.at)
        if (Shelf::is_drive(place) && bay(place).medium == nullptr)
          CHECK((rig_.element(place).exception || rig_.element(place).cleaning));
      return;
    }
    if (sense != forecast.sense) {
      REQUIRE(sense == "4/44/00");
      ++counts.failed;
      // Until the next record it is not certain what the disk would show.
      if (forecast.sense == "0/00/00") maybe_ = forecast.after;
    }
  }

  void power(bool cut) {
    changer_.reset();
    rig_.executor.forget();
    if (cut) {
      ++counts.crashes;
      using Survives = MemoryFiles::Survives;
      const Survives kept[] = {Survives::kNothing, Survives::kHalf, Survives::kEverything};
      rig_.files.crash(kept[pick(3)]);
    }
    rig_.start();
    REQUIRE(rig_.open_error.empty());
    plug_in();
    if (maybe_ && seen() == *maybe_) shelf_ = *maybe_;
    maybe_.reset();
  }

  Shelf seen() const {
    Shelf shelf;
    for (const Element& element : rig_.library->elements())
      if (element.full) shelf.at[element.address] = {element.barcode, element.source.value_or(0)};
    return shelf;
  }

  void check() {
    INFO(last_);
    REQUIRE(seen() == shelf_);
    rig_.check_whole(8);
  }

  std::mt19937 random_;
  Rig rig_;
  std::unique_ptr<scsi::smc::Changer> changer_;
  std::unique_ptr<test::Recorder> recorder_;
  scsi::NexusId nexus_{1, 1};
  std::string last_;  // what was asked for, for a failure
  Shelf shelf_;
  std::optional<Shelf> maybe_;  // what a restart may show instead
};

}  // namespace

TEST_CASE("Random commands, faults, resets and power cuts: no cartridge is lost or doubled") {
  Life::Counts all;
  for (std::uint32_t seed = 1; seed <= 100; ++seed) {
    INFO("seed " << seed);
    Life life(seed);
    life.live(250);
    all.done += life.counts.done;
    all.refused += life.counts.refused;
    all.failed += life.counts.failed;
    all.resets += life.counts.resets;
    all.crashes += life.counts.crashes;
    all.half += life.counts.half;
  }
  // It has met all of it, and not now and then.
  CHECK(all.done > 5000);
  CHECK(all.refused > 5000);
  CHECK(all.failed > 100);
  CHECK(all.resets > 1000);
  CHECK(all.crashes > 1000);
  CHECK(all.half > 100);
}
