// A library with cartridges that are labels, bays that are pockets, and an executor that runs when
// it is told to.
#pragma once

#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "memory_files.h"
#include "vtl/library/barcode.h"
#include "vtl/library/journal.h"
#include "vtl/library/library.h"

using scsi::smc::Element;
using scsi::smc::ElementType;
using scsi::smc::MoveOutcome;
using scsi::smc::MoveResult;

class ManualExecutor final : public vtl::Executor {
 public:
  vtl::Strand make_strand(std::string_view) override { return {++strands_}; }
  void close_strand(vtl::Strand) override {}
  void submit(vtl::Strand, vtl::Job job, scsi::Callback done) override {
    jobs_.emplace_back(std::move(job), std::move(done));
  }
  bool step() {
    if (jobs_.empty()) return false;
    auto [job, done] = std::move(jobs_.front());
    jobs_.pop_front();
    job();
    job = {};
    done();
    return true;
  }
  void run() {
    while (step()) {
    }
  }
  void forget() { jobs_.clear(); }

 private:
  std::uint32_t strands_ = 0;
  std::deque<std::pair<vtl::Job, scsi::Callback>> jobs_;
};

// Only its label is looked at.
class LabelMedium final : public scsi::ssc::TapeMedium {
 public:
  explicit LabelMedium(scsi::ssc::MediumInfo info) : info_(std::move(info)) {}
  const scsi::ssc::MediumInfo& info() const override { return info_; }
  void load(scsi::ssc::LoadRecord, scsi::Done<scsi::ssc::LoadOutcome> done) override { done({}); }
  void unload(scsi::Done<scsi::ssc::WriteOutcome> done) override { done({}); }
  std::uint32_t partition_count() const override { return 1; }
  scsi::ssc::PartitionInfo partition(std::uint32_t) const override { return {}; }
  scsi::ssc::Position position() const override { return {}; }
  std::uint64_t buffered_objects() const override { return 0; }
  std::uint64_t buffered_bytes() const override { return 0; }
  std::optional<scsi::ssc::MediumFault> take_deferred_fault() override { return {}; }
  bool append_failed() const override { return false; }
  void set_handling(const scsi::ssc::BlockHandling&) override {}
  void next_block(scsi::Done<scsi::ssc::NextBlock> done) override { done({}); }
  void write(scsi::Buffer, std::uint32_t, scsi::ssc::WriteMode,
             scsi::Done<scsi::ssc::WriteOutcome> done) override {
    done({});
  }
  void write_filemarks(std::uint32_t, scsi::ssc::WriteMode,
                       scsi::Done<scsi::ssc::WriteOutcome> done) override {
    done({});
  }
  void read(std::uint32_t, std::uint32_t, scsi::Done<scsi::ssc::ReadOutcome> done) override {
    done({});
  }
  void space(scsi::ssc::SpaceUnit, std::int64_t,
             scsi::Done<scsi::ssc::SpaceOutcome> done) override {
    done({});
  }
  void locate_object(std::uint32_t, std::uint64_t,
                     scsi::Done<scsi::ssc::SpaceOutcome> done) override {
    done({});
  }
  void locate_file(std::uint32_t, std::uint64_t,
                   scsi::Done<scsi::ssc::SpaceOutcome> done) override {
    done({});
  }
  void locate_end_of_data(std::uint32_t, scsi::Done<scsi::ssc::SpaceOutcome> done) override {
    done({});
  }
  void erase(scsi::Done<scsi::ssc::WriteOutcome> done) override { done({}); }
  void format(std::vector<std::uint64_t>, scsi::Done<scsi::ssc::WriteOutcome> done) override {
    done({});
  }
  void set_compression(bool) override {}
  void flush(scsi::ssc::WriteMode, scsi::Done<scsi::ssc::WriteOutcome> done) override { done({}); }
  std::vector<scsi::ssc::Attribute> host_attributes(std::uint32_t) const override { return {}; }
  void write_host_attributes(std::uint32_t, std::vector<scsi::ssc::Attribute>,
                             scsi::Done<scsi::ssc::WriteOutcome> done) override {
    done({});
  }

 private:
  scsi::ssc::MediumInfo info_;
};

class LabelStore final : public vtl::CartridgeStore {
 public:
  std::map<std::string, vtl::CartridgeSummary> cartridges;
  std::string fail_create;  // of this barcode
  std::string fail_remove;
  std::string busy;

  void put(const vtl::CartridgeLabel& label) {
    vtl::CartridgeSummary& summary = cartridges[label.barcode];
    summary.info.barcode = label.barcode;
    summary.info.generation = label.generation;
    summary.info.worm = label.worm;
    summary.info.cleaning = label.cleaning;
    summary.partitions.resize(1);
  }
  vtl::Result<std::vector<std::string>> list() override {
    std::vector<std::string> names;
    for (const auto& [barcode, summary] : cartridges) names.push_back(barcode);
    return names;
  }
  vtl::Result<vtl::CartridgeSummary> read_summary(const std::string& barcode) override {
    const auto found = cartridges.find(barcode);
    if (found == cartridges.end()) return vtl::IoError{ENOENT, barcode + ": there is no cartridge"};
    return found->second;
  }
  vtl::Status check_idle(const std::string& barcode) override {
    if (barcode == busy) return vtl::IoError{EAGAIN, barcode + ": locked"};
    return vtl::ok_status();
  }
  vtl::Status create(const vtl::CartridgeLabel& label, std::uint64_t) override {
    if (label.barcode == fail_create) return vtl::IoError{ENOSPC, label.barcode + ": no space"};
    put(label);
    return vtl::ok_status();
  }
  vtl::Status remove(const std::string& barcode) override {
    if (barcode == fail_remove) return vtl::IoError{EIO, barcode + ": cannot be removed"};
    if (cartridges.erase(barcode) == 0)
      return vtl::IoError{ENOENT, barcode + ": there is no cartridge"};
    return vtl::ok_status();
  }
  vtl::Status set_write_protected(const std::string& barcode, bool on) override {
    cartridges.at(barcode).info.write_protected = on;
    return vtl::ok_status();
  }
  vtl::Status set_element_hint(const std::string& barcode, std::uint16_t element) override {
    const auto found = cartridges.find(barcode);
    if (found == cartridges.end()) return vtl::IoError{ENOENT, barcode + ": there is no cartridge"};
    found->second.element_hint = element;
    return vtl::ok_status();
  }
  std::unique_ptr<scsi::ssc::TapeMedium> make_medium(const vtl::CartridgeSummary& summary,
                                                     std::size_t) override {
    return std::make_unique<LabelMedium>(summary.info);
  }
};

class PocketBay final : public vtl::DriveBay {
 public:
  std::unique_ptr<scsi::ssc::TapeMedium> medium;
  bool is_prevented = false, prevented_late = false, refuse_load = false, fail_unload = false;
  std::string finds;  // wrong with what it takes
  bool hold = false;  // answers wait for release()
  std::deque<scsi::Callback> held;
  int loads = 0;

  std::string barcode() const { return medium ? medium->info().barcode : ""; }
  void load(std::unique_ptr<scsi::ssc::TapeMedium> in, scsi::Done<vtl::BayLoad> done) override {
    REQUIRE(medium == nullptr);
    ++loads;
    vtl::BayLoad outcome;
    if (refuse_load) {
      outcome.taken = false;
      outcome.detail = "jammed";
    } else {
      medium = std::move(in);
      outcome.detail = finds;
    }
    answer([done = std::move(done), outcome = std::move(outcome)]() mutable {
      done(std::move(outcome));
    });
  }
  void unload(scsi::Done<vtl::BayUnload> done) override {
    using Result = vtl::BayUnload::Result;
    vtl::BayUnload outcome;
    outcome.result = is_prevented || prevented_late ? Result::kPrevented
                     : fail_unload                  ? Result::kFailed
                     : medium == nullptr            ? Result::kEmpty
                                                    : Result::kRemoved;
    if (fail_unload) outcome.detail = "stuck";
    if (outcome.result == Result::kRemoved) outcome.medium = std::move(medium);
    answer([done = std::move(done), outcome = std::move(outcome)]() mutable {
      done(std::move(outcome));
    });
  }
  bool prevented() const override { return is_prevented; }
  void release() {
    while (!held.empty()) {
      scsi::Callback next = std::move(held.front());
      held.pop_front();
      next();
    }
  }

 private:
  void answer(scsi::Callback done) {
    if (hold)
      held.push_back(std::move(done));
    else
      done();
  }
};

class Observer final : public scsi::smc::InventoryObserver {
 public:
  int changed = 0, accessed = 0, added = 0;
  void inventory_changed() override { ++changed; }
  void import_export_accessed() override { ++accessed; }
  void elements_added() override { ++added; }
};

// Slots 1000-1009, import/export 10-12, drives 500-502.
struct Rig {
  static constexpr const char* kJournal = "/d/journal";
  MemoryFiles files;
  LabelStore store;
  ManualExecutor executor;
  std::vector<std::unique_ptr<PocketBay>> bays;
  Observer observer;
  std::vector<std::string> log;
  vtl::LibraryOptions options;
  std::unique_ptr<vtl::Library> library;

  // `places`: barcode and element; 0 is outside.
  explicit Rig(const std::vector<std::pair<std::string, int>>& places = {{"AAA001L8", 1000},
                                                                         {"AAA002L8", 1001}}) {
    options.geometry = {{1, 1}, {1000, 10}, {10, 3}, {500, 3}};
    options.drive_identifiers = {"drive one", "drive two", "drive three"};
    options.journal_path = kJournal;
    options.log = [this](std::string_view text) { log.emplace_back(text); };
    (void)files.make_directory("/d");
    vtl::Journal::State state;
    for (const auto& [barcode, address] : places) {
      const auto label = vtl::label_of_barcode(barcode, 8).label;
      store.put(label);
      if (address != 0) state[barcode] = {label, static_cast<std::uint16_t>(address), {}, false};
    }
    REQUIRE(vtl::Journal::create(files, kJournal, state));
    start();
  }
  void start() {
    library.reset();
    bays.clear();
    std::vector<vtl::DriveBay*> ports;
    for (int i = 0; i < 3; ++i)
      ports.push_back(bays.emplace_back(std::make_unique<PocketBay>()).get());
    library = std::make_unique<vtl::Library>(options, store, files, executor, ports);
    library->observe(&observer);
    open_error = "never";
    library->open([this](vtl::Outcome outcome) { open_error = outcome.error; },
                  [this] { settled = true; });
    executor.run();
  }
  std::string open_error;
  bool settled = false;

  MoveOutcome move(int source, int destination) {
    std::optional<MoveOutcome> result;
    library->move(static_cast<std::uint16_t>(source), static_cast<std::uint16_t>(destination),
                  [&](MoveOutcome outcome) { result = std::move(outcome); });
    executor.run();
    REQUIRE(result);
    return *result;
  }
  MoveResult exchange(int source, int first, int second) {
    std::optional<MoveOutcome> result;
    library->exchange(static_cast<std::uint16_t>(source), static_cast<std::uint16_t>(first),
                      static_cast<std::uint16_t>(second),
                      [&](MoveOutcome outcome) { result = std::move(outcome); });
    executor.run();
    REQUIRE(result);
    return result->result;
  }
  // An administrative operation's error; "" is success.
  template <class Operation>
  std::string ask(Operation operation) {
    std::optional<std::string> error;
    operation([&](vtl::Outcome outcome) { error = std::move(outcome.error); });
    executor.run();
    REQUIRE(error);
    return *error;
  }
  const Element& element(int address) const {
    for (const Element& element : library->elements())
      if (element.address == address) return element;
    FAIL("no element " << address);
    throw 0;
  }
  std::string at(int address) const { return element(address).barcode; }
  // Every cartridge in exactly one place, and the drives hold what the elements say.
  void check_whole(std::size_t cartridges) const {
    std::multiset<std::string> seen;
    for (const Element& element : library->elements()) {
      CHECK(element.full == !element.barcode.empty());
      if (element.full) seen.insert(element.barcode);
    }
    std::size_t outside = 0;
    for (const auto& placement : library->cartridges()) {
      CHECK(seen.count(placement.label.barcode) == (placement.type ? 1u : 0u));
      outside += placement.type ? 0 : 1;
    }
    CHECK(seen.size() + outside == cartridges);
    for (int i = 0; i < 3; ++i) {
      const std::string in_bay = bays[static_cast<std::size_t>(i)]->barcode();
      // On record only: a cleaning cartridge that was in a drive at the start, and an exception.
      if (in_bay != at(500 + i))
        CHECK((in_bay.empty() && (element(500 + i).cleaning || element(500 + i).exception)));
    }
  }
};
