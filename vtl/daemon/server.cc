#include "vtl/daemon/server.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <ostream>
#include <utility>

#include "scsi/buffer.h"
#include "transport/net/listener.h"
#include "vtl/daemon/control.h"
#include "vtl/daemon/devices.h"
#include "vtl/daemon/log.h"
#include "vtl/daemon/loop_clock.h"
#include "vtl/daemon/management.h"
#include "vtl/daemon/pool_watch.h"
#include "vtl/daemon/scrubber.h"
#include "vtl/daemon/settings.h"
#include "vtl/daemon/system.h"
#include "vtl/interchange/import.h"

namespace vtl::daemon {
namespace {

using std::chrono::milliseconds;

// A stop: hosts are asked to log out and get this long, then they are dropped;
constexpr milliseconds kLogoutGrace{2000};
// and the disks get this long to take what was accepted.
constexpr milliseconds kStopLimit{30000};
// Records that wait for a full batch are written out after so long.
constexpr milliseconds kSettleEvery{250};
// And the pool is looked at each so many times: 10 seconds.
constexpr std::uint64_t kLookAtPoolEvery = 40;
// A drive that has been empty for so many times: 10 seconds.
constexpr std::uint64_t kEmptyForLong = 40;

PoolWatchOptions pool_watch_options(const DataDirectory& directory, const std::string& pool) {
  PoolWatchOptions options;
  options.pool_directory = pool;
  options.damaged_journal = damaged_journal_path(directory.path);
  options.low_water_bytes = directory.config.storage.low_water_bytes;
  // Below the store's own limit not even the smallest piece of a segment can be had.
  options.full_bytes = MediumOptions().hard_water_bytes + (32u << 20);
  return options;
}

class Server {
 public:
  Server(DataDirectory directory, std::string version, std::ostream& out);

  // Empty, or why it cannot serve.
  std::vector<std::string> listen(const std::vector<config::Endpoint>& endpoints);
  ExitCode run();

 private:
  void opened(Outcome outcome);
  void settle();
  void give_memory_back();
  void stop();
  void connection_gone();
  void stop_drives();
  void drive_stopped(std::size_t index, const scsi::ssc::WriteOutcome& outcome);
  void stop_library();
  [[noreturn]] void give_up(const std::string& why);
  ScrubOptions scrub_options();
  nlohmann::json describe_server() const;
  nlohmann::json describe_drive(std::size_t index) const;
  std::vector<std::unique_ptr<DriveBay>> make_drives();

  DataDirectory directory_;
  std::string version_;
  std::ostream& out_;
  auth::AccessPolicy policy_;
  scsi::BufferPool buffers_;  // outlives everything that may hold a buffer
  net::Loop loop_;
  LoopClock clock_{loop_};
  std::vector<Drive*> drives_;  // the room's bays
  LibraryRoom room_;
  scsi::Target changer_target_;
  std::unique_ptr<scsi::smc::Changer> changer_;
  iscsi::Portal portal_;
  Management management_;
  ControlServer control_;
  PoolWatch pool_watch_;
  Scrubber scrubber_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  net::Timer settle_timer_;
  std::uint64_t settled_ = 0;             // times
  std::vector<std::uint64_t> empty_for_;  // likewise, by drive
  net::Timer grace_timer_;
  net::Timer limit_timer_;
  net::Signal terminate_;
  net::Signal interrupt_;

  bool stopping_ = false;
  bool drives_stopping_ = false;
  std::size_t drives_left_ = 0;
  ExitCode result_ = kExitDone;
};

Server::Server(DataDirectory directory, std::string version, std::ostream& out)
    : directory_(std::move(directory)),
      version_(std::move(version)),
      out_(out),
      policy_(access_policy(directory_.config)),
      buffers_({directory_.config.storage.buffer_bytes,
                directory_.config.storage.buffer_bytes_per_drive}),
      room_(loop_, directory_, make_drives()),
      portal_(portal_options(directory_.config), policy_, buffers_, random_bytes, log),
      management_({directory_.config, room_.library, *room_.files, *room_.executor, room_.trash,
                   room_.alerts, room_.scrub_log, room_.pool_path,
                   [this] { return describe_server(); },
                   [this](std::size_t index) { return describe_drive(index); },
                   [this] { return scrubber_.describe(); },
                   [this](const std::string& barcode) { scrubber_.release(barcode); }}),
      control_(loop_, management_),
      pool_watch_(pool_watch_options(directory_, room_.pool_path), room_.library, room_.alerts,
                  *room_.files, *room_.executor),
      scrubber_(scrub_options(), room_.scrub_log, room_.library, room_.alerts, *room_.files,
                *room_.executor),
      settle_timer_(loop_),
      grace_timer_(loop_),
      limit_timer_(loop_),
      terminate_(loop_, SIGTERM, [this] { stop(); }),
      interrupt_(loop_, SIGINT, [this] { stop(); }) {
  empty_for_.resize(drives_.size());
  room_.wanted = [this](const std::string& barcode) { scrubber_.release(barcode); };
}

ScrubOptions Server::scrub_options() {
  const config::StorageConfig& storage = directory_.config.storage;
  ScrubOptions options;
  options.days = storage.scrub_days;
  options.bytes_per_second = storage.scrub_bytes_per_second;
  options.io = storage.io_mode == config::IoMode::kPaced ? FileSystem::Io::kBuffered
                                                         : FileSystem::Io::kDirect;
  options.pool_directory = room_.pool_path;
  options.log_path = room_.scrub_log_path;
  options.now_ms = wall_clock_ms;
  options.worked_on = [this](const std::string& barcode) { return management_.works_on(barcode); };
  options.log = log_warning;
  return options;
}

std::vector<std::unique_ptr<DriveBay>> Server::make_drives() {
  std::vector<std::unique_ptr<DriveBay>> bays;
  for (std::size_t i = 0; i < directory_.config.library.drives.size(); ++i) {
    Drive::MakeAlarm make_alarm;
    if (directory_.config.storage.realistic) make_alarm = [this] { return clock_.make_alarm(); };
    auto drive =
        std::make_unique<Drive>(drive_options(directory_.config.library, i), std::move(make_alarm));
    drives_.push_back(drive.get());
    bays.push_back(std::move(drive));
  }
  return bays;
}

std::vector<std::string> Server::listen(const std::vector<config::Endpoint>& endpoints) {
  std::vector<std::string> errors;
  for (const config::Endpoint& endpoint : endpoints) {
    const auto address = net::Address::parse(to_string(endpoint));
    if (!address) {
      errors.push_back("cannot listen on " + to_string(endpoint) +
                       ": not an address of this machine");
      continue;
    }
    auto listener =
        std::make_unique<net::Listener>(loop_, [this](std::string local, std::string peer) {
          return portal_.accept(std::move(local), std::move(peer));
        });
    // Beside an IPv4 address of the same port, IPv6 keeps to itself.
    const bool ipv6_only =
        endpoint.ipv6 && std::any_of(endpoints.begin(), endpoints.end(), [&](const auto& other) {
          return !other.ipv6 && other.port == endpoint.port;
        });
    if (std::string error = listener->open(*address, ipv6_only); !error.empty()) {
      errors.push_back(std::move(error));
      continue;
    }
    listener->on_idle([this] { connection_gone(); });
    listeners_.push_back(std::move(listener));
  }
  return errors;
}

ExitCode Server::run() {
  loop_.set_busy_poll(std::chrono::microseconds(directory_.config.iscsi.busy_poll_us));
  // What an import or a deletion had not finished when power went. Imports begin after this.
  interchange::clear_incoming(*room_.files, room_.pool_path);
  room_.trash.empty();
  loop_.post([this] {
    room_.library.open([this](Outcome outcome) { opened(std::move(outcome)); },
                       [] { log_debug("cartridges that were in drives are loaded again"); });
  });
  loop_.run();
  return result_;
}

void Server::opened(Outcome outcome) {
  if (!outcome.ok()) {
    log_error(outcome.error);
    result_ = kExitFailed;
    loop_.stop();
    return;
  }
  const config::LibraryConfig& library = directory_.config.library;
  changer_ = std::make_unique<scsi::smc::Changer>(changer_options(library), room_.library);
  changer_target_.add(0, *changer_);
  const auto announce = [this](const std::string& name, const scsi::Identity& identity) {
    out_ << fmt::format("{}  {} {}  {}\n", name, identity.vendor, identity.product,
                        identity.serial);
  };
  portal_.add_target(config::changer_target_name(library), library.name + " changer",
                     changer_target_);
  announce(config::changer_target_name(library), changer_options(library).identity);
  for (std::size_t i = 0; i < drives_.size(); ++i) {
    portal_.add_target(config::drive_target_name(library, i),
                       fmt::format("{} drive {}", library.name, i + 1), drives_[i]->target());
    announce(config::drive_target_name(library, i), drive_options(library, i).identity);
  }
  if (const std::string error = control_.open(directory_.path); !error.empty()) {
    log_error(error);
    result_ = kExitFailed;
    loop_.stop();
    return;
  }
  for (const auto& listener : listeners_) {
    listener->start();
    log_info("listening on " + listener->address().to_string());
  }
  scrubber_.begin();
  settle();
  out_ << "ready\n" << std::flush;
}

void Server::settle() {
  for (Drive* drive : drives_) drive->settle();
  give_memory_back();
  scrubber_.tick(kSettleEvery.count());
  if (settled_++ % kLookAtPoolEvery == 0) pool_watch_.look();
  settle_timer_.start(kSettleEvery, [this] { settle(); });
}

// A drive that has been empty for a while will not want its buffers soon. Stages and indexes went
// with its cartridge; what the allocator keeps of them goes, too.
void Server::give_memory_back() {
  bool give = false;
  for (std::size_t i = 0; i < drives_.size(); ++i) {
    empty_for_[i] = drives_[i]->state().full ? 0 : empty_for_[i] + 1;
    give = give || empty_for_[i] == kEmptyForLong;
  }
  if (!give) return;
  buffers_.trim();
  ::malloc_trim(0);
}

// First signal: in good order. Second: at once.
void Server::stop() {
  if (stopping_) give_up("stopped at once by a second signal");
  stopping_ = true;
  log_info("stopping: hosts are asked to log out, then everything accepted is written to disk");
  limit_timer_.start(kStopLimit, [this] {
    give_up(fmt::format("the disks did not take everything within {} seconds",
                        kStopLimit.count() / 1000));
  });
  for (const auto& listener : listeners_) listener->stop_accepting();
  clock_.hurry();
  portal_.shut_down();
  grace_timer_.start(kLogoutGrace, [this] {
    for (const auto& listener : listeners_) listener->drop_connections();
  });
  connection_gone();
}

void Server::connection_gone() {
  if (!stopping_ || drives_stopping_) return;
  for (const auto& listener : listeners_) {
    if (listener->connections() > 0) return;
  }
  drives_stopping_ = true;
  grace_timer_.stop();
  // A request may wait for a move, and a move for a drive: the drives are stopped after the last
  // answer.
  control_.close(
      [this] { management_.close([this] { scrubber_.close([this] { stop_drives(); }); }); });
}

void Server::stop_drives() {
  settle_timer_.stop();
  drives_left_ = drives_.size() + 1;
  for (std::size_t i = 0; i < drives_.size(); ++i) {
    drives_[i]->device().shut_down(
        [this, i](scsi::ssc::WriteOutcome outcome) { drive_stopped(i, outcome); });
  }
  if (--drives_left_ == 0) stop_library();
}

void Server::drive_stopped(std::size_t index, const scsi::ssc::WriteOutcome& outcome) {
  if (outcome.fault) {
    result_ = kExitNotDurable;
    log_error(
        fmt::format("drive {}, cartridge {}: {} objects that were accepted are not on disk: {}",
                    index + 1, drives_[index]->device().state().barcode,
                    outcome.fault->objects_lost, outcome.fault->detail));
  }
  if (--drives_left_ == 0) stop_library();
}

void Server::stop_library() {
  room_.trash.stop();
  room_.library.close([this] {
    log_info("stopped");
    loop_.stop();
  });
}

// The state that is left is what a power failure would leave: the next start recovers it.
void Server::give_up(const std::string& why) {
  log_error(why);
  for (std::size_t i = 0; i < drives_.size(); ++i) {
    const Dirty dirty = drives_[i]->dirty();
    if (dirty.objects == 0) continue;
    log_error(fmt::format(
        "drive {}, cartridge {}: {} objects ({} bytes) that were accepted may not be on disk",
        i + 1, drives_[i]->device().state().barcode, dirty.objects, dirty.bytes));
  }
  std::_Exit(kExitNotDurable);
}

nlohmann::json Server::describe_server() const {
  auto sessions = nlohmann::json::array();
  for (const auto& session : portal_.sessions()) {
    sessions.push_back({{"target", session.target},
                        {"initiator", session.initiator},
                        {"address", session.peer_address}});
  }
  auto listening = nlohmann::json::array();
  for (const auto& listener : listeners_) listening.push_back(listener->address().to_string());
  return {{"version", version_},
          {"pid", ::getpid()},
          {"listening", std::move(listening)},
          {"buffers_lent_bytes", buffers_.lent_bytes()},
          {"buffers_resident_bytes", buffers_.resident_bytes()},
          {"sessions", std::move(sessions)}};
}

nlohmann::json Server::describe_drive(std::size_t index) const {
  const auto state = drives_[index]->device().state();
  const Dirty dirty = drives_[index]->dirty();
  return {{"loaded", state.loaded},
          {"prevented", state.prevented},
          {"position", state.position.object},
          {"file", state.position.filemarks},
          {"partition", state.position.partition},
          {"buffered_bytes", state.buffered_bytes},
          {"dirty_bytes", dirty.bytes},
          {"dirty_objects", dirty.objects},
          {"append_failed", state.append_failed}};
}

// Each connection is a descriptor, and so are a cartridge's segments.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

ExitCode serve(const ServeOptions& options, std::ostream& out) {
  OpenedDirectory opened = open_data_directory(options.data_directory);
  start_log(opened.directory ? opened.directory->config.log_level : config::LogLevel::kInfo);
  for (const std::string& warning : opened.problems.warnings) log_warning(warning);
  for (const std::string& error : opened.problems.errors) log_error(error);
  if (!opened.directory) return opened.problems.code;

  config::Config& config = opened.directory->config;
  if (!options.listen.empty()) {
    config.listen = options.listen;
    const std::vector<std::string> problems = config::check_listen(config);
    for (const std::string& problem : problems) log_error(problem);
    if (!problems.empty()) return kExitConfig;
  }
  config.storage.realistic = config.storage.realistic || options.realistic;
  if (config.storage.realistic) log_info("drives take the time of real ones (realistic)");
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  const std::vector<config::Endpoint> endpoints = config.listen;
  Server server(std::move(*opened.directory), options.version, out);
  const std::vector<std::string> problems = server.listen(endpoints);
  for (const std::string& problem : problems) log_error(problem);
  if (!problems.empty()) return kExitFailed;
  return server.run();
}

}  // namespace vtl::daemon
