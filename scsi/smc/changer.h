// A medium changer (SMC-3 over SPC-4) as a logical unit of device type 08h.
#pragma once

#include <functional>
#include <memory>

#include "scsi/identity.h"
#include "scsi/logical_unit.h"
#include "scsi/smc/inventory.h"

namespace scsi::smc {

struct ChangerOptions {
  Identity identity;
  std::function<std::uint64_t()> now_ms;  // wall clock, milliseconds since 1970
};

class Changer : public LogicalUnit, public InventoryObserver {
 public:
  // `inventory` outlives the changer.
  Changer(ChangerOptions options, Inventory& inventory);
  ~Changer() override;

  void inventory_changed() override;
  void import_export_accessed() override;

  struct Impl;

 protected:
  std::optional<Sense> not_ready() const override;
  std::optional<Sense> take_deferred(const Task& task) override;
  bool reservation_conflict(const Task& task) const override;
  void on_nexus_established(const NexusInfo& nexus) override;
  void on_nexus_lost(const NexusInfo& nexus) override;
  void on_reset() override;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace scsi::smc
