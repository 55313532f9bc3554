#include "vtl/daemon/scrubber.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "vtl/cartridge/cartridge.h"
#include "vtl/daemon/system.h"

namespace vtl::daemon {

using Cause = Alerts::Cause;

namespace {

constexpr std::uint64_t kDayMs = 24ull * 60 * 60 * 1000;
constexpr std::uint64_t kLookEveryMs = 10'000;
constexpr std::uint64_t kSaveEveryMs = 60'000;

}  // namespace

// The cartridge that is being read. The strand has its own hand on what it works with.
struct Scrubber::Run {
  std::string barcode;
  std::shared_ptr<CartridgeScrub> scrub;
  std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);
  ScrubState state;  // as of the last whole step
};

Scrubber::Scrubber(ScrubOptions options, ScrubLog& log, Library& library, Alerts& alerts,
                   FileSystem& files, Executor& executor)
    : options_(std::move(options)),
      log_(log),
      library_(library),
      alerts_(alerts),
      files_(files),
      executor_(executor),
      strand_(executor.make_strand("scrub")) {}

Scrubber::~Scrubber() { executor_.close_strand(strand_); }

void Scrubber::begin() { raise_damage(alerts_, log_, library_); }

// --- what is to be read

bool Scrubber::may_read(const Placement& placement) const {
  return placement.type && *placement.type != scsi::smc::ElementType::kDrive &&
         !options_.worked_on(placement.label.barcode);
}

// One that was begun, else one that never was, else the one whose turn is longest ago.
std::optional<std::string> Scrubber::next_due() const {
  const std::uint64_t now = options_.now_ms();
  const std::uint64_t interval = options_.days * kDayMs;
  std::optional<std::string> best;
  std::uint64_t best_at = 0;
  for (const Placement& placement : library_.cartridges()) {
    if (!may_read(placement)) continue;
    const ScrubLog::Entry* entry = log_.find(placement.label.barcode);
    if (entry != nullptr && entry->unfinished) return placement.label.barcode;
    const std::uint64_t at = entry == nullptr ? 0 : entry->at_ms;
    // One that could not be read is tried again tomorrow.
    const std::uint64_t due = at != 0 && !entry->last.error.empty() ? kDayMs : interval;
    if (at != 0 && now - std::min(now, at) < due) continue;
    if (best && at >= best_at) continue;
    best = placement.label.barcode;
    best_at = at;
  }
  return best;
}

// --- reading

void Scrubber::tick(std::uint64_t elapsed_ms) {
  since_ms_ += elapsed_ms;
  if (closing_ || working_) return;
  const auto rate = static_cast<std::int64_t>(options_.bytes_per_second);
  credit_bytes_ =
      std::min(credit_bytes_ + rate * static_cast<std::int64_t>(elapsed_ms) / 1000, rate);
  if (run_ != nullptr) return step();
  if (log_.changed() && since_ms_ >= kSaveEveryMs) return save();
  idle_ms_ -= std::min(idle_ms_, elapsed_ms);
  if (options_.days == 0 || idle_ms_ != 0) return;
  const std::optional<std::string> due = next_due();
  if (!due) {
    idle_ms_ = kLookEveryMs;
    return;
  }
  run_ = std::make_unique<Run>();
  run_->barcode = *due;
  if (const ScrubLog::Entry* entry = log_.find(*due); entry != nullptr && entry->unfinished)
    run_->state = *entry->unfinished;
  run_->scrub = std::make_shared<CartridgeScrub>(
      files_, cartridge_directory(options_.pool_directory, *due), options_.io, run_->state);
  step();
}

void Scrubber::step() {
  if (credit_bytes_ <= 0) return;
  working_ = true;
  struct Step {
    bool more = false;
    std::uint64_t bytes = 0;
  };
  const auto step = std::make_shared<Step>();
  executor_.submit(
      strand_,
      [scrub = run_->scrub, stop = run_->stop, step, most = credit_bytes_] {
        const std::uint64_t before = scrub->state().report.bytes;
        step->more = scrub->step(static_cast<std::uint64_t>(most), *stop);
        const std::uint64_t after = scrub->state().report.bytes;
        step->bytes = after - std::min(before, after);
      },
      [this, life = std::weak_ptr<char>(life_), stop = run_->stop, step] {
        if (life.expired()) return;
        working_ = false;
        credit_bytes_ -= static_cast<std::int64_t>(step->bytes);
        // What was read while somebody took the cartridge is not to be trusted.
        if (!*stop) stepped(step->more);
        if (closing_) save();
      });
}

void Scrubber::stepped(bool more) {
  const std::size_t known = run_->state.report.damage.size();
  run_->state = run_->scrub->state();
  const ScrubReport& report = run_->state.report;
  if (more) {
    if (report.damage.size() > known) tell(alerts_, run_->barcode, report);
    return;
  }
  const auto run = std::exchange(run_, nullptr);
  let_go(std::move(run->scrub));
  if (!library_.find(run->barcode)) return;
  // Damage of an earlier step is told already.
  const bool told = report.damage.size() == known && alerts_.has(Cause::kDamaged, run->barcode);
  if (!told || report.damage.empty()) tell(alerts_, run->barcode, report);
  log_.finished(run->barcode, options_.now_ms(), report);
}

void Scrubber::release(const std::string& barcode) {
  if (run_ == nullptr || run_->barcode != barcode) return;
  *run_->stop = true;
  log_.interrupted(barcode, std::move(run_->state));
  let_go(std::move(run_->scrub));
  run_.reset();
}

// What it has open is closed where it was opened: on some file systems that asks the disk, too.
void Scrubber::let_go(std::shared_ptr<CartridgeScrub> scrub) {
  executor_.submit(
      strand_, [scrub = std::move(scrub)] {}, [] {});
}

// --- remembering

void Scrubber::save() {
  if (!log_.changed()) return saved();
  log_.saved();
  since_ms_ = 0;
  working_ = true;
  const auto status = std::make_shared<Status>(ok_status());
  executor_.submit(
      strand_,
      [&files = files_, path = options_.log_path, text = log_.text(), status] {
        *status = ScrubLog::write(files, path, text);
      },
      [this, life = std::weak_ptr<char>(life_), status] {
        if (life.expired()) return;
        working_ = false;
        if (!*status)
          options_.log("when cartridges were scrubbed cannot be written down: " +
                       status->error().what);
        saved();
      });
}

void Scrubber::saved() {
  if (!closed_) return;
  auto closed = std::move(closed_);
  closed();
}

void Scrubber::close(scsi::Callback done) {
  closing_ = true;
  closed_ = std::move(done);
  if (run_ != nullptr) release(std::string(run_->barcode));
  if (!working_) save();
}

// --- telling

nlohmann::json Scrubber::describe() const {
  std::uint64_t never = 0, damaged = 0, oldest_ms = 0;
  for (const Placement& placement : library_.cartridges()) {
    const ScrubLog::Entry* entry = log_.find(placement.label.barcode);
    if (entry == nullptr || entry->at_ms == 0) {
      ++never;
      continue;
    }
    if (!entry->last.damage.empty()) ++damaged;
    if (oldest_ms == 0 || entry->at_ms < oldest_ms) oldest_ms = entry->at_ms;
  }
  nlohmann::json out = {{"cartridge", nullptr},
                        {"never", never},
                        {"damaged", damaged},
                        {"oldest", nullptr},
                        {"days", options_.days}};
  if (run_ != nullptr) out["cartridge"] = run_->barcode;
  if (oldest_ms != 0) out["oldest"] = iso_time(oldest_ms * 1'000'000);
  return out;
}

void tell(Alerts& alerts, const std::string& barcode, const ScrubReport& report) {
  if (report.damage.empty()) {
    if (!report.error.empty()) return;  // nothing is known
    alerts.settle(Cause::kDamaged, barcode);
    alerts.settle(Cause::kReadFailed, barcode);
    return;
  }
  std::string text = barcode + ": damage was found: " + report.damage.front().what;
  if (report.damage.size() > 1) text += fmt::format("; and {} more", report.damage.size() - 1);
  alerts.raise(Cause::kDamaged, barcode,
               text + fmt::format("; \"vtl cartridge verify {}\" names the blocks", barcode));
}

void raise_damage(Alerts& alerts, const ScrubLog& log, const Library& library) {
  for (const Placement& placement : library.cartridges()) {
    const ScrubLog::Entry* entry = log.find(placement.label.barcode);
    if (entry != nullptr && !entry->last.damage.empty())
      tell(alerts, placement.label.barcode, entry->last);
  }
}

}  // namespace vtl::daemon
