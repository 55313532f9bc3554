#include "vtl/daemon/device_loop.h"

#include <fmt/format.h>
#include <malloc.h>

#include <chrono>
#include <utility>

#include "vtl/daemon/log.h"
#include "vtl/daemon/loop_executor.h"
#include "vtl/daemon/system.h"

namespace vtl::daemon {
namespace {

// Records that wait for a full batch are written out after so long.
constexpr std::chrono::milliseconds kSettleEvery{250};
// A drive that was found empty so many times has been so for 10 seconds.
constexpr std::uint64_t kEmptyForLong = 40;

std::unique_ptr<Executor> make_executor(net::Loop& loop, bool pool_in_memory) {
  auto threads =
      make_thread_executor([&loop](scsi::Callback callback) { loop.post(std::move(callback)); });
  if (!pool_in_memory) return threads;
  return std::make_unique<LoopExecutor>(loop, std::move(threads));
}

}  // namespace

DeviceLoop::DeviceLoop(const config::Config& config, const auth::AccessPolicy& access,
                       bool pool_in_memory, std::size_t loops, std::size_t index,
                       net::Sockets::Carry carry, const ReservationFolder& reservations)
    : index_(index),
      realistic_(config.storage.realistic),
      compresses_(config.storage.compression != config::Compression::kNone),
      reservation_folder_(reservations),
      buffers_(loop_share(config, loops, index).buffers),
      clock_(std::make_unique<LoopClock>(loop_)),
      files_(make_posix_file_system()),
      executor_(make_executor(loop_, pool_in_memory)),
      portal_(std::make_unique<iscsi::Portal>(loop_share(config, loops, index).portal, access,
                                              buffers_, random_bytes, log)),
      sockets_(std::make_unique<net::Sockets>(loop_, std::move(carry))),
      settle_timer_(std::make_unique<net::Timer>(loop_)) {
  loop_.set_busy_poll(std::chrono::microseconds(config.iscsi.busy_poll_us));
}

void DeviceLoop::add_drive(NewDrive drive) {
  VTL_CHECK(drive.number == drives_.size());
  drives_.emplace_back();
  empty_for_.push_back(0);
  if (drive.loop != index_) {
    portal_->add_target_elsewhere(std::move(drive.target), std::move(drive.alias), drive.loop);
    return;
  }
  Drive::MakeAlarm make_alarm;
  if (realistic_) make_alarm = [this] { return clock_->make_alarm(); };
  reservations_.push_back(std::make_unique<ReservationFile>(
      *files_, *executor_, reservation_folder_, drive.options.identity.serial,
      fmt::format("drive {}", drive.number + 1)));
  drive.options.persistence = reservations_.back()->options();
  drive.options.compresses = compresses_;
  drives_.back() = std::make_unique<Drive>(std::move(drive.options), std::move(make_alarm));
  portal_->add_target(std::move(drive.target), std::move(drive.alias), drives_.back()->target(),
                      drive.reserve_bytes);
}

void DeviceLoop::settle() {
  for (const auto& drive : drives_) {
    if (drive) drive->settle();
  }
  give_memory_back();
  settle_timer_->start(kSettleEvery, [this] { settle(); });
}

// A drive that has been empty for a while will not want its buffers and stages soon. Indexes went
// with its cartridge; what the allocator keeps of them goes, too.
void DeviceLoop::give_memory_back() {
  bool give = false;
  for (std::size_t i = 0; i < drives_.size(); ++i) {
    if (!drives_[i]) continue;
    empty_for_[i] = drives_[i]->device().state().present ? 0 : empty_for_[i] + 1;
    give = give || empty_for_[i] == kEmptyForLong;
  }
  if (!give) return;
  buffers_.trim();
  executor_->stages().trim();
// A sanitizer's allocator is not the C library's, which was never set up then, and which two
// threads would set up at a time.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  ::malloc_trim(0);
#endif
}

void DeviceLoop::shut_down() {
  clock_->hurry();
  portal_->shut_down();
}

void DeviceLoop::adopt(net::Socket::Departure departure,
                       std::function<void(iscsi::Elsewhere)> tell) {
  sockets_->add(departure.fd, portal_->adopt(*departure.handover, std::move(tell),
                                             std::chrono::steady_clock::now()));
}

DeviceLoop::Report DeviceLoop::report() const {
  Report report;
  for (std::size_t i = 0; i < drives_.size(); ++i) {
    if (drives_[i]) report.drives.push_back({i, drives_[i]->device().state(), drives_[i]->dirty()});
  }
  report.sessions = portal_->sessions();
  report.limits = portal_->limit_hits();
  report.buffers_lent_bytes = buffers_.lent_bytes();
  report.buffers_resident_bytes = buffers_.resident_bytes();
  return report;
}

void DeviceLoop::stop_drives(scsi::Done<std::vector<DriveEnd>> done) {
  settle_timer_->stop();
  struct Ends {
    std::size_t left = 1;
    std::vector<DriveEnd> all;
    scsi::Done<std::vector<DriveEnd>> done;
    void one_less() {
      if (--left == 0) done(std::move(all));
    }
  };
  const auto ends = std::make_shared<Ends>();
  ends->done = std::move(done);
  for (std::size_t i = 0; i < drives_.size(); ++i) {
    if (!drives_[i]) continue;
    ++ends->left;
    scsi::ssc::TapeDrive& device = drives_[i]->device();
    device.shut_down([ends, i, &device](scsi::ssc::WriteOutcome outcome) {
      ends->all.push_back({i, device.state().barcode, std::move(outcome)});
      ends->one_less();
    });
  }
  ends->one_less();
}

void DeviceLoop::clear() {
  settle_timer_.reset();
  sockets_.reset();
  portal_.reset();
  drives_.clear();
  reservations_.clear();
  clock_.reset();
  executor_.reset();
}

}  // namespace vtl::daemon
