// A library in memory for tests of the changer: moves at once, or when the test says so, and fails
// on demand.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "scsi/check.h"
#include "scsi/smc/inventory.h"

namespace test {

class FakeInventory : public scsi::smc::Inventory {
 public:
  using Element = scsi::smc::Element;
  using Type = scsi::smc::ElementType;

  struct Sizes {
    std::uint16_t storage = 6, import_export = 2, drives = 2;
  };
  // The address map of an STK L700.
  explicit FakeInventory(Sizes sizes) {
    add(Type::kTransport, 1, 1);
    add(Type::kImportExport, 10, sizes.import_export);
    add(Type::kDrive, 500, sizes.drives);
    add(Type::kStorage, 1000, sizes.storage);
    for (std::uint16_t i = 0; i < sizes.drives; ++i) {
      std::string serial = "DRV000000" + std::to_string(i % 10);
      at(static_cast<std::uint16_t>(500 + i)).drive_identifier =
          "IBM     ULT3580-TD8     " + serial;
    }
  }
  FakeInventory() : FakeInventory(Sizes()) {}

  Element& at(std::uint16_t address) {
    const auto it = std::find_if(elements_.begin(), elements_.end(),
                                 [&](const Element& e) { return e.address == address; });
    VTL_CHECK(it != elements_.end());
    return *it;
  }
  void put(std::uint16_t address, const std::string& barcode) {
    at(address).full = true;
    at(address).barcode = barcode;
  }
  // Behind those there are.
  void add_storage(std::uint16_t count) {
    add(Type::kStorage, static_cast<std::uint16_t>(elements_.back().address + 1), count);
  }
  scsi::smc::InventoryObserver* observer() { return observer_; }

  std::vector<std::string> log;  // "move 1000 500", "lock", ...
  // What the next moves end with, instead of being done.
  std::deque<scsi::smc::MoveResult> failures;
  // Moves wait here until the test calls them, if it wants that.
  bool wait = false;
  std::vector<std::function<void()>> waiting;

  // --- Inventory ---------------------------------------------------------------------------------
  std::span<const Element> elements() const override { return elements_; }
  void move(std::uint16_t source, std::uint16_t destination,
            scsi::Done<scsi::smc::MoveOutcome> done) override {
    log.push_back("move " + std::to_string(source) + " " + std::to_string(destination));
    end(std::move(done), [this, source, destination] { carry({{source, destination}}); });
  }
  void exchange(std::uint16_t source, std::uint16_t first, std::uint16_t second,
                scsi::Done<scsi::smc::MoveOutcome> done) override {
    log.push_back("exchange " + std::to_string(source) + " " + std::to_string(first) + " " +
                  std::to_string(second));
    end(std::move(done), [this, source, first, second] {
      carry({{first, second}, {source, first}});
    });
  }
  void lock_door(bool locked) override { log.push_back(locked ? "lock" : "unlock"); }
  void observe(scsi::smc::InventoryObserver* observer) override { observer_ = observer; }

 private:
  struct Step {
    std::uint16_t from, to;
  };
  void add(Type type, std::uint16_t first, std::uint16_t count) {
    for (std::uint16_t i = 0; i < count; ++i) {
      Element e;
      e.address = static_cast<std::uint16_t>(first + i);
      e.type = type;
      elements_.push_back(e);
    }
  }
  void carry(const std::vector<Step>& steps) {
    std::vector<Element> taken;
    for (const Step& step : steps) {
      Element& from = at(step.from);
      taken.push_back(from);
      from.full = false;
      from.barcode.clear();
      from.source.reset();
      from.cleaning = from.worm = from.placed_by_operator = false;
      from.labelled = true;
    }
    for (std::size_t i = 0; i < steps.size(); ++i) {
      Element& to = at(steps[i].to);
      to.full = true;
      to.barcode = taken[i].barcode;
      to.cleaning = taken[i].cleaning;
      to.worm = taken[i].worm;
      to.labelled = taken[i].labelled;
      to.placed_by_operator = false;
      to.source = taken[i].type == Type::kDrive ? taken[i].source : taken[i].address;
    }
  }
  void end(scsi::Done<scsi::smc::MoveOutcome> done, std::function<void()> act) {
    auto shared = std::make_shared<scsi::Done<scsi::smc::MoveOutcome>>(std::move(done));
    const auto finish = [this, shared, act] {
      scsi::smc::MoveOutcome outcome;
      if (!failures.empty()) {
        outcome.result = failures.front();
        failures.pop_front();
      } else {
        act();
      }
      (*shared)(outcome);
    };
    if (wait)
      waiting.push_back(finish);
    else
      finish();
  }

  std::vector<Element> elements_;
  scsi::smc::InventoryObserver* observer_ = nullptr;
};

}  // namespace test
