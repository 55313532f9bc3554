#include "vtl/daemon/pool_watch.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

#include "vtl/cartridge/cartridge.h"

namespace vtl::daemon {

using Cause = Alerts::Cause;

struct PoolWatch::Found {
  std::optional<SpaceInfo> space;      // nothing: it could not be asked
  std::map<std::string, bool> exists;  // of the cartridges that have an alert about their place
  bool journal_damaged = false;
};

PoolWatch::PoolWatch(PoolWatchOptions options, Library& library, Alerts& alerts, FileSystem& files,
                     Executor& executor)
    : options_(std::move(options)),
      library_(library),
      alerts_(alerts),
      files_(files),
      executor_(executor),
      strand_(executor.make_strand("pool watch")) {}

PoolWatch::~PoolWatch() { executor_.close_strand(strand_); }

void PoolWatch::look() {
  if (looking_) return;
  looking_ = std::make_shared<Found>();
  for (const std::string& barcode : alerts_.cartridges(Cause::kPlace))
    looking_->exists[barcode] = true;
  executor_.submit(
      strand_,
      [&files = files_, pool = options_.pool_directory, journal = options_.damaged_journal,
       found = looking_] {
        if (const auto space = files.space(pool)) found->space = *space;
        for (auto& [barcode, exists] : found->exists) {
          const auto there = files.exists(cartridge_directory(pool, barcode));
          if (there) exists = *there;
        }
        const auto there = files.exists(journal);
        found->journal_damaged = there && *there;
      },
      [this, life = std::weak_ptr<char>(life_)] {
        if (life.expired()) return;
        const auto found = std::exchange(looking_, nullptr);
        learn(*found);
      });
}

void PoolWatch::learn(const Found& found) {
  if (found.space) {
    const std::uint64_t free = found.space->free_bytes;
    const auto now = [&](Cause cause, bool holds, const char* what) {
      if (!holds) return alerts_.settle(cause, "");
      if (!alerts_.has(cause, ""))
        alerts_.raise(cause, "",
                      fmt::format("{}: {} MB are free: {}; free some, or give it more",
                                  options_.pool_directory, free / 1'000'000, what));
    };
    now(Cause::kPoolLow, free < low_water(options_.low_water_bytes, found.space->total_bytes),
        "every tape reports early warning");
    now(Cause::kPoolFull, free < options_.full_bytes, "nothing more can be written");
  }
  for (const auto& [barcode, exists] : found.exists) {
    const auto placement = library_.find(barcode);
    if (exists == (placement && placement->type)) alerts_.settle(Cause::kPlace, barcode);
  }
  if (!found.journal_damaged) {
    alerts_.settle(Cause::kJournal, "");
  } else if (!alerts_.has(Cause::kJournal, "") && !told_journal_) {
    alerts_.raise(Cause::kJournal, "",
                  fmt::format("the library's journal was rebuilt from the cartridges' labels: see "
                              "that they are where they should be, then remove {}",
                              options_.damaged_journal));
  }
  told_journal_ = found.journal_damaged;
}

}  // namespace vtl::daemon
