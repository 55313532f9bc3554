#include "vtl/daemon/device_loops.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace vtl::daemon {

DeviceLoops::DeviceLoops(const config::Config& config, const auth::AccessPolicy& access,
                         bool pool_in_memory, std::size_t loops, scsi::Target& changer,
                         const ReservationFolder& reservations)
    : drives_(config.library.drives.size()) {
  const config::LibraryConfig& library = config.library;
  for (std::size_t i = 0; i < loops; ++i) {
    all_.push_back(std::make_unique<DeviceLoop>(
        config, access, pool_in_memory, loops, i,
        [this](net::Socket::Departure departure) { carry(std::move(departure)); }, reservations));
    iscsi::Portal& portal = all_.back()->portal();
    const std::string name = config::changer_target_name(library),
                      alias = library.name + " changer";
    if (i == 0)
      portal.add_target(name, alias, changer);
    else
      portal.add_target_elsewhere(name, alias, 0);
    const LoopShare share = loop_share(config, loops, i);
    left_for_reserves_.push_back(left_for_reserves(share));
    options_.push_back(share.portal);
  }
  for (std::size_t d = 0; d < drives_; ++d) {
    for (const auto& loop : all_) loop->add_drive(new_drive(library, d));
  }
  sockets().on_idle([this] { idle(); });
}

DeviceLoops::~DeviceLoops() { clear(); }

DeviceLoop& DeviceLoops::loop_of(std::size_t drive) const {
  return *all_[loop_of_drive(drive, all_.size())];
}

std::unique_ptr<iscsi::Connection> DeviceLoops::accept(std::string local, std::string peer,
                                                       std::vector<std::string> others) {
  return all_.front()->portal().accept(std::move(local), std::move(peer), std::move(others));
}

NewDrive DeviceLoops::new_drive(const config::LibraryConfig& library, std::size_t number) const {
  return {number, loop_of_drive(number, all_.size()), config::drive_target_name(library, number),
          fmt::format("{} drive {}", library.name, number + 1), drive_options(library, number)};
}

std::vector<std::unique_ptr<DriveBay>> DeviceLoops::bays(std::size_t first) {
  std::vector<std::unique_ptr<DriveBay>> bays;
  for (std::size_t i = first; i < drives_; ++i) {
    DeviceLoop& there = loop_of(i);
    bays.push_back(std::make_unique<BayPort>(home(), there.loop(), *there.drive(i)));
  }
  return bays;
}

std::vector<Executor*> DeviceLoops::executors(std::size_t first) {
  std::vector<Executor*> executors;
  for (std::size_t i = first; i < drives_; ++i) executors.push_back(&loop_of(i).executor());
  return executors;
}

std::size_t DeviceLoops::take_reserve(std::size_t drive, std::vector<std::size_t>& left) const {
  const std::size_t loop = loop_of_drive(drive, all_.size());
  const Reserve reserve = reserve_of_device(options_[loop]);
  std::size_t& here = left[loop];
  if (here < reserve.least_bytes) return 0;
  const std::size_t taken = std::min(here, reserve.usual_bytes);
  here -= taken;
  return taken;
}

std::string DeviceLoops::room_for(std::size_t more_drives) const {
  std::vector<std::size_t> left = left_for_reserves_;
  for (std::size_t i = 0; i < more_drives; ++i) {
    if (take_reserve(drives_ + i, left) != 0) continue;
    return fmt::format(
        "{} drives cannot be added while the server runs, {} can: storage.buffer_bytes is dealt "
        "out to the devices there were at its start; add them with the server stopped",
        more_drives, i);
  }
  return "";
}

void DeviceLoops::add_drives(const config::LibraryConfig& library, scsi::Callback done) {
  std::vector<NewDrive> drives;
  for (; drives_ < library.drives.size(); ++drives_) {
    drives.push_back(new_drive(library, drives_));
    drives.back().reserve_bytes = take_reserve(drives_, left_for_reserves_);
  }
  auto left = std::make_shared<std::size_t>(all_.size());
  auto end = std::make_shared<scsi::Callback>(std::move(done));
  for (const auto& loop : all_) {
    loop->loop().post([&there = *loop, &home = home(), drives, left, end] {
      for (const NewDrive& drive : drives) there.add_drive(drive);
      home.post([left, end] {
        if (--*left == 0) (*end)();
      });
    });
  }
}

// --- threads

void DeviceLoops::start() {
  for (std::size_t i = 1; i < all_.size(); ++i) {
    threads_.emplace_back([loop = &all_[i]->loop(), name = fmt::format("vtl loop {}", i + 1)] {
      ::pthread_setname_np(::pthread_self(), name.c_str());
      loop->run();
    });
  }
  on_each([](DeviceLoop& loop) { loop.settle(); });
}

void DeviceLoops::stop() {
  for (std::size_t i = 1; i <= threads_.size(); ++i) {
    all_[i]->loop().post([&loop = all_[i]->loop()] { loop.stop(); });
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void DeviceLoops::clear() {
  stop();
  idle_ = nullptr;
  for (const auto& loop : all_) loop->clear();
}

void DeviceLoops::on_each(void (*what)(DeviceLoop&)) {
  for (const auto& loop : all_) {
    loop->loop().post([&there = *loop, what] { what(there); });
  }
}

template <class Answer, class Question>
void DeviceLoops::ask(Question question, scsi::Done<std::vector<Answer>> done) {
  struct Answers {
    std::vector<Answer> all;
    std::size_t left;
    scsi::Done<std::vector<Answer>> done;
  };
  // Of this loop alone; the others only carry it about.
  auto answers = std::make_shared<Answers>();
  answers->all.resize(all_.size());
  answers->left = all_.size();
  answers->done = std::move(done);
  for (std::size_t i = 0; i < all_.size(); ++i) {
    all_[i]->loop().post([&there = *all_[i], &home = home(), question, answers, i] {
      question(there, [&home, answers, i](Answer answer) {
        home.post([answers, i, answer = std::move(answer)]() mutable {
          answers->all[i] = std::move(answer);
          if (--answers->left == 0) answers->done(std::move(answers->all));
        });
      });
    });
  }
}

// --- connections

// On the first loop, where all log in.
void DeviceLoops::carry(net::Socket::Departure departure) {
  DeviceLoop& there = *all_[departure.handover->portal];
  const auto tell = [this, id = departure.handover->id](iscsi::Elsewhere what) {
    home().post([this, id, what] {
      all_.front()->portal().counted_elsewhere(id, what);
      if (what == iscsi::Elsewhere::kGone) idle();
    });
  };
  there.loop().post([&there, tell, departure = std::move(departure)]() mutable {
    there.adopt(std::move(departure), tell);
  });
}

void DeviceLoops::shut_down() {
  // Before anything else is carried there: whoever comes later is turned away.
  all_.front()->shut_down();
  for (std::size_t i = 1; i < all_.size(); ++i) {
    all_[i]->loop().post([&there = *all_[i]] { there.shut_down(); });
  }
}

void DeviceLoops::drop_connections() {
  on_each([](DeviceLoop& loop) { loop.sockets().drop_all(); });
}

std::size_t DeviceLoops::connections() const { return all_.front()->portal().connections(); }

void DeviceLoops::on_idle(std::function<void()> idle) { idle_ = std::move(idle); }

void DeviceLoops::idle() {
  if (connections() == 0 && idle_) idle_();
}

// --- all together

void DeviceLoops::report(scsi::Done<DeviceLoop::Report> done) {
  using Report = DeviceLoop::Report;
  ask<Report>(
      [](DeviceLoop& loop, scsi::Done<Report> answer) { answer(loop.report()); },
      [done = std::move(done)](std::vector<Report> reports) mutable {
        Report all;
        for (Report& one : reports) {
          std::move(one.drives.begin(), one.drives.end(), std::back_inserter(all.drives));
          std::move(one.sessions.begin(), one.sessions.end(), std::back_inserter(all.sessions));
          for (std::size_t i = 0; i < all.limits.size(); ++i) all.limits[i] += one.limits[i];
          all.buffers_lent_bytes += one.buffers_lent_bytes;
          all.buffers_resident_bytes += one.buffers_resident_bytes;
        }
        std::sort(all.drives.begin(), all.drives.end(),
                  [](const auto& a, const auto& b) { return a.number < b.number; });
        std::sort(all.sessions.begin(), all.sessions.end(), [](const auto& a, const auto& b) {
          return std::tie(a.target, a.initiator) < std::tie(b.target, b.initiator);
        });
        done(std::move(all));
      });
}

void DeviceLoops::set_access(std::shared_ptr<const auth::AccessPolicy> access, bool end_them,
                             scsi::Done<std::vector<iscsi::Portal::SessionInfo>> done) {
  using Sessions = std::vector<iscsi::Portal::SessionInfo>;
  ask<Sessions>(
      [access = std::move(access), end_them](DeviceLoop& loop, scsi::Done<Sessions> answer) {
        answer(loop.portal().set_access(access, end_them));
      },
      [done = std::move(done)](std::vector<Sessions> some) mutable {
        Sessions all;
        for (Sessions& one : some) std::move(one.begin(), one.end(), std::back_inserter(all));
        done(std::move(all));
      });
}

void DeviceLoops::stop_drives(scsi::Done<std::vector<DeviceLoop::DriveEnd>> done) {
  using Ends = std::vector<DeviceLoop::DriveEnd>;
  ask<Ends>([](DeviceLoop& loop, scsi::Done<Ends> answer) { loop.stop_drives(std::move(answer)); },
            [done = std::move(done)](std::vector<Ends> ends) mutable {
              Ends all;
              for (Ends& some : ends) std::move(some.begin(), some.end(), std::back_inserter(all));
              done(std::move(all));
            });
}

}  // namespace vtl::daemon
