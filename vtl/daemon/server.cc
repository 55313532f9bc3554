#include "vtl/daemon/server.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <ostream>
#include <utility>

#include "transport/iscsi/session.h"
#include "vtl/daemon/control.h"
#include "vtl/daemon/describe.h"
#include "vtl/daemon/device_loops.h"
#include "vtl/daemon/devices.h"
#include "vtl/daemon/listeners.h"
#include "vtl/daemon/log.h"
#include "vtl/daemon/management.h"
#include "vtl/daemon/pool_watch.h"
#include "vtl/daemon/reload.h"
#include "vtl/daemon/reservation_file.h"
#include "vtl/daemon/sandbox.h"
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
// The pool is looked at so often.
constexpr milliseconds kLookAtPoolEvery{10000};
// And the scrubber goes on so often.
constexpr milliseconds kTickEvery{250};
// Loops do not block: what they are asked they answer in this time, or never.
constexpr milliseconds kAnswerLimit{1000};

PoolWatchOptions pool_watch_options(const DataDirectory& directory, const std::string& pool) {
  PoolWatchOptions options;
  options.pool_directory = pool;
  options.damaged_journal = damaged_journal_path(directory.path);
  options.low_water_bytes = directory.config.storage.low_water_bytes;
  // Below the store's own limit not even the smallest piece of a segment can be had.
  options.full_bytes = MediumOptions().hard_water_bytes + (32u << 20);
  return options;
}

std::size_t thread_count(const config::Config& config) {
  if (config.iscsi.threads != 0) return config.iscsi.threads;
  return std::min(usable_processors(), config::max_threads(config));
}

bool pool_in_memory(const DataDirectory& directory) {
  const auto space =
      make_posix_file_system()->space(pool_directory(directory.config, directory.path));
  return space && space->in_memory;
}

class Server {
 public:
  Server(DataDirectory directory, const ServeOptions& options, std::ostream& out);
  ~Server() { loops_.clear(); }

  // Takes the ports. Empty, or why it cannot serve.
  std::vector<std::string> listen() { return listeners_.prepare(directory_.config.listen); }
  ExitCode run();

 private:
  void opened(Outcome outcome);
  void harden();
  // Targets, for whoever reads the standard output.
  std::string lines_of_drives(std::size_t first) const;
  void grow(config::Growth growth, scsi::Done<Outcome> done);
  void tick();
  void hang_up();
  void stop();
  void connection_gone();
  void stop_drives();
  void drives_stopped(const std::vector<DeviceLoop::DriveEnd>& ends);
  void give_up(const std::string& why);
  nlohmann::json describe(const DeviceLoop::Report& report) const;
  ScrubOptions scrub_options();
  ReservationFolder found_reservations();

  DataDirectory directory_;
  const ServeOptions options_;
  std::ostream& out_;
  ReservationFolder reservations_;
  scsi::Target changer_target_;
  DeviceLoops loops_;
  net::Loop& loop_;  // the first of them
  LibraryRoom room_;
  std::unique_ptr<ReservationFile> changer_reservations_;
  std::unique_ptr<scsi::smc::Changer> changer_;
  Management management_;
  ControlServer control_;
  PoolWatch pool_watch_;
  Scrubber scrubber_;
  Listeners listeners_;
  Reload reload_;
  net::Timer tick_timer_;
  std::uint64_t ticks_ = 0;
  net::Timer grace_timer_;
  net::Timer limit_timer_;
  net::Signal terminate_;
  net::Signal interrupt_;
  net::Signal hangup_;

  bool serving_ = false;
  bool reload_wanted_ = false;
  bool stopping_ = false;
  bool drives_stopping_ = false;
  ExitCode result_ = kExitDone;
};

std::string_view name_of(scsi::ssc::TapeDrive::State::Load load) {
  using Load = scsi::ssc::TapeDrive::State::Load;
  switch (load) {
    case Load::kEmpty:
      return "empty";
    case Load::kLoading:
      return "loading";
    case Load::kReady:
      return "loaded";
    case Load::kUnloading:
      return "unloading";
    case Load::kUnloaded:
      return "unloaded";
    case Load::kRefused:
      return "refused";
  }
  return "?";
}

nlohmann::json drive_description(const DeviceLoop::Report::OfDrive& drive) {
  const scsi::ssc::TapeDrive::State& state = drive.state;
  return {{"state", name_of(state.load)},
          {"loaded", state.loaded},
          {"prevented", state.prevented},
          {"position", state.position.object},
          {"file", state.position.filemarks_known ? nlohmann::json(state.position.filemarks)
                                                  : nlohmann::json()},
          {"partition", state.position.partition},
          {"buffered_bytes", state.buffered_bytes},
          {"dirty_bytes", drive.dirty.bytes},
          {"dirty_objects", drive.dirty.objects},
          {"append_failed", state.append_failed}};
}

std::string line_of(const std::string& target, const scsi::Identity& identity) {
  return fmt::format("{}  {} {}  {}\n", target, identity.vendor, identity.product, identity.serial);
}

// What the command line says beside the configuration.
void override_config(const ServeOptions& options, config::Config& config) {
  if (!options.listen.empty()) config.listen = options.listen;
  config.storage.realistic = config.storage.realistic || options.realistic;
  if (options.threads) config.iscsi.threads = *options.threads;
}

Server::Server(DataDirectory directory, const ServeOptions& options, std::ostream& out)
    : directory_(std::move(directory)),
      options_(options),
      out_(out),
      reservations_(found_reservations()),
      loops_(directory_.config, access_policy(directory_.config), pool_in_memory(directory_),
             thread_count(directory_.config), changer_target_, reservations_),
      loop_(loops_.home()),
      room_(loop_, directory_, loops_.bays(), loops_.executors(), log_warning),
      management_({directory_.config, room_.library, *room_.files, *room_.executor, room_.trash,
                   room_.alerts, room_.scrub_log, room_.pool_path,
                   [this](config::Growth growth, scsi::Done<Outcome> done) {
                     grow(std::move(growth), std::move(done));
                   },
                   [this](scsi::Done<nlohmann::json> done) {
                     loops_.report(
                         [this, done = std::move(done)](DeviceLoop::Report report) mutable {
                           done(describe(report));
                         });
                   },
                   [this](bool end_sessions, scsi::Done<Answer> done) {
                     reload_.run(end_sessions, std::move(done));
                   },
                   [this](scsi::Done<std::vector<nlohmann::json>> done) {
                     loops_.report([done = std::move(done)](DeviceLoop::Report report) mutable {
                       std::vector<nlohmann::json> drives;
                       for (const auto& drive : report.drives)
                         drives.push_back(drive_description(drive));
                       done(std::move(drives));
                     });
                   },
                   [this] { return scrubber_.describe(); },
                   [this](const std::string& barcode) { scrubber_.release(barcode); }}),
      control_(loop_, management_),
      pool_watch_(pool_watch_options(directory_, room_.pool_path), room_.library, room_.alerts,
                  *room_.files, *room_.executor),
      scrubber_(scrub_options(), room_.scrub_log, room_.library, room_.alerts, *room_.files,
                *room_.executor),
      listeners_(loop_, loops_.sockets(),
                 [this](std::string local, std::string peer) {
                   std::vector<std::string> others;
                   if (directory_.config.iscsi.tell_all_addresses)
                     others = listeners_.beside(local);
                   return loops_.accept(std::move(local), std::move(peer), std::move(others));
                 }),
      reload_(directory_, *room_.executor, loops_, listeners_,
              [this](config::Config& config) { override_config(options_, config); }),
      tick_timer_(loop_),
      grace_timer_(loop_),
      limit_timer_(loop_),
      terminate_(loop_, SIGTERM, [this] { stop(); }),
      interrupt_(loop_, SIGINT, [this] { stop(); }),
      hangup_(loop_, SIGHUP, [this] { hang_up(); }) {
  loops_.on_idle([this] { connection_gone(); });
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

// What goes wrong later is told on the loop that the alerts live on.
ReservationFolder Server::found_reservations() {
  ReservationFolder folder = ReservationFolder::read(
      *make_posix_file_system(), directory_.path + "/reservations", directory_.config.library);
  for (const auto& [serial, kept] : folder.kept)
    log_info(fmt::format("{} is registered with by {} initiator ports, as kept in {}/{}", serial,
                         kept.registrations.size(), folder.path, serial));
  for (const std::string& stranger : folder.strangers) log_warning(stranger);
  folder.failed = [this](std::string text) {
    loop_.post([this, text = std::move(text)] {
      room_.alerts.raise(Alerts::Cause::kReservations, "", text);
    });
  };
  return folder;
}

ExitCode Server::run() {
  // What an import or a deletion had not finished when power went. Imports begin after this.
  interchange::clear_incoming(*room_.files, room_.pool_path);
  room_.trash.empty();
  loops_.start();
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
  for (const std::string& problem : reservations_.problems)
    room_.alerts.raise(Alerts::Cause::kReservations, "", problem);
  const config::LibraryConfig& library = directory_.config.library;
  scsi::smc::ChangerOptions changer = changer_options(library);
  changer_reservations_ = std::make_unique<ReservationFile>(
      *room_.files, *room_.executor, reservations_, changer.identity.serial, "the changer");
  changer.persistence = changer_reservations_->options();
  changer.move_ended = [&config = directory_.config](const scsi::smc::MoveEnd& end) {
    const std::string line = describe_move(config, end.cartridges, end.addresses, end.outcome,
                                           iscsi::initiator_name(end.transport_id));
    end.outcome.result == scsi::smc::MoveResult::kMoved ? log_info(line) : log_warning(line);
  };
  changer_ = std::make_unique<scsi::smc::Changer>(std::move(changer), room_.library);
  changer_target_.add(0, *changer_);
  out_ << line_of(config::changer_target_name(library), changer_options(library).identity)
       << lines_of_drives(0) << std::flush;
  if (const std::string error = control_.open(directory_.path); !error.empty()) {
    log_error(error);
    result_ = kExitFailed;
    loop_.stop();
    return;
  }
  listeners_.switch_over();
  scrubber_.begin();
  tick();
  if (const std::string problem = notify_ready(); !problem.empty()) log_warning(problem);
  harden();
  log_info(fmt::format("{} devices on {} threads", library.drives.size() + 1, loops_.size()));
  out_ << "ready\n" << std::flush;
  serving_ = true;
  if (reload_wanted_) hang_up();
}

// A reload, which lets connections in where the configuration says: not before there is something
// to log in to.
void Server::hang_up() {
  reload_wanted_ = !serving_;
  if (serving_ && !stopping_) reload_.run(false, [](const Answer&) {});
}

#ifdef __SANITIZE_ADDRESS__
// Its search for leaks traces the process at the end.
constexpr bool kTraced = true;
#else
constexpr bool kTraced = false;
#endif

// When everything has been opened: less is needed to go on.
void Server::harden() {
  if (kTraced) {
    log_warning("without a sandbox: this program was built with AddressSanitizer");
  } else if (!options_.sandbox) {
    log_warning("without a sandbox (--no-sandbox): core dumps may hold secrets");
  } else if (const std::string problem = enter_sandbox(); !problem.empty()) {
    log_warning("the sandbox is incomplete: " + problem);
  }
}

std::string Server::lines_of_drives(std::size_t first) const {
  const config::LibraryConfig& library = directory_.config.library;
  std::string lines;
  for (std::size_t i = first; i < library.drives.size(); ++i)
    lines += line_of(config::drive_target_name(library, i), drive_options(library, i).identity);
  return lines;
}

// The configuration first: what is in it alone will be there after the next start. Then the drives,
// and last the library, which tells the changer's hosts of them.
void Server::grow(config::Growth growth, scsi::Done<Outcome> done) {
  if (std::string why = loops_.room_for(growth.drives.size()); !why.empty())
    return done(Outcome{std::move(why)});
  const std::size_t first = directory_.config.library.drives.size();
  grow_config(
      directory_, *room_.files, *room_.executor, std::move(growth),
      [this, first, done = std::move(done)](std::string error) mutable {
        if (!error.empty()) return done(Outcome{std::move(error)});
        const config::LibraryConfig& library = directory_.config.library;
        loops_.add_drives(library, [this, first, &library, done = std::move(done)]() mutable {
          // Whoever takes the standard output may let us wait.
          const Strand strand = room_.executor->make_strand("announce");
          room_.executor->submit(
              strand, [&out = out_, lines = lines_of_drives(first)] { out << lines << std::flush; },
              [this, first, strand, &library, done = std::move(done)]() mutable {
                room_.executor->close_strand(strand);
                room_.grow(library, loops_.bays(first), loops_.executors(first), std::move(done));
              });
        });
      });
}

void Server::tick() {
  scrubber_.tick(kTickEvery.count());
  if (ticks_++ % (kLookAtPoolEvery / kTickEvery) == 0) pool_watch_.look();
  tick_timer_.start(kTickEvery, [this] { tick(); });
}

// First signal: in good order. Second: at once.
void Server::stop() {
  if (stopping_) return give_up("stopped at once by a second signal");
  stopping_ = true;
  log_info("stopping: hosts are asked to log out, then everything accepted is written to disk");
  limit_timer_.start(kStopLimit, [this] {
    give_up(fmt::format("the disks did not take everything within {} seconds",
                        kStopLimit.count() / 1000));
  });
  listeners_.stop_accepting();
  loops_.shut_down();
  grace_timer_.start(kLogoutGrace, [this] { loops_.drop_connections(); });
  connection_gone();
}

void Server::connection_gone() {
  if (!stopping_ || drives_stopping_ || loops_.connections() > 0) return;
  drives_stopping_ = true;
  grace_timer_.stop();
  // A request may wait for a move, and a move for a drive: the drives are stopped after the last
  // answer.
  control_.close(
      [this] { management_.close([this] { scrubber_.close([this] { stop_drives(); }); }); });
}

void Server::stop_drives() {
  tick_timer_.stop();
  loops_.stop_drives(
      [this](const std::vector<DeviceLoop::DriveEnd>& ends) { drives_stopped(ends); });
}

void Server::drives_stopped(const std::vector<DeviceLoop::DriveEnd>& ends) {
  for (const DeviceLoop::DriveEnd& end : ends) {
    if (!end.outcome.fault) continue;
    result_ = kExitNotDurable;
    log_error(fmt::format(
        "drive {}, cartridge {}: {} objects that were accepted are not on disk: {}", end.number + 1,
        end.barcode, end.outcome.fault->objects_lost, end.outcome.fault->detail));
  }
  room_.trash.stop();
  room_.library.close([this] {
    log_info("stopped");
    loops_.stop();
    loop_.stop();
  });
}

// The state that is left is what a power failure would leave: the next start recovers it.
void Server::give_up(const std::string& why) {
  log_error(why);
  const auto end = [] {
    flush_log(kAnswerLimit);
    std::_Exit(kExitNotDurable);
  };
  limit_timer_.start(kAnswerLimit, end);
  loops_.report([end](const DeviceLoop::Report& report) {
    for (const auto& drive : report.drives) {
      if (drive.dirty.objects == 0) continue;
      log_error(fmt::format(
          "drive {}, cartridge {}: {} objects ({} bytes) that were accepted may not be on disk",
          drive.number + 1, drive.state.barcode, drive.dirty.objects, drive.dirty.bytes));
    }
    end();
  });
}

nlohmann::json Server::describe(const DeviceLoop::Report& report) const {
  auto sessions = nlohmann::json::array();
  for (const auto& session : report.sessions) {
    sessions.push_back({{"target", session.target},
                        {"initiator", session.initiator},
                        {"address", session.peer_address}});
  }
  return {{"version", options_.version},
          {"pid", ::getpid()},
          {"threads", loops_.size()},
          {"listening", listeners_.addresses()},
          {"limits", describe_limits(directory_.config.iscsi, report.limits)},
          {"buffers_lent_bytes", report.buffers_lent_bytes},
          {"buffers_resident_bytes", report.buffers_resident_bytes},
          {"sessions", std::move(sessions)}};
}

// Each connection is a descriptor, and so are a cartridge's segments.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

// sched(7): a thread that wakes then waits for the running one's turn to end, and finds more work
// at once (test/bench/README.md). Without it everything works too; the threads to come inherit it.
// Who has chosen another policy is left to it.
void schedule_for_throughput() {
  const sched_param param{};
  if (::sched_getscheduler(0) == SCHED_OTHER) (void)::sched_setscheduler(0, SCHED_BATCH, &param);
}

ExitCode serve_logged(const ServeOptions& options, std::ostream& out) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);  // a reload, once there is something to reload
  if (options.sandbox && !kTraced) forbid_core_dumps();  // before there is a secret
  OpenedDirectory opened = open_data_directory(options.data_directory);
  start_log(opened.directory ? opened.directory->config.log_level : config::LogLevel::kInfo);
  for (const std::string& warning : opened.problems.warnings) log_warning(warning);
  for (const std::string& error : opened.problems.errors) log_error(error);
  if (!opened.directory) return opened.problems.code;

  config::Config& config = opened.directory->config;
  override_config(options, config);
  const std::vector<std::string> wrong = config::check_listen(config);
  for (const std::string& problem : wrong) log_error(problem);
  if (!wrong.empty()) return kExitConfig;
  if (config.storage.realistic) log_info("drives take the time of real ones (realistic)");
  if (options.threads) {
    if (const std::string problem = config::check_threads(config); !problem.empty()) {
      log_error("--threads: " + problem);
      return kExitUsage;
    }
  }
  raise_descriptor_limit();
  schedule_for_throughput();
  Server server(std::move(*opened.directory), options, out);
  const std::vector<std::string> problems = server.listen();
  for (const std::string& problem : problems) log_error(problem);
  if (!problems.empty()) return kExitFailed;
  return server.run();
}

}  // namespace

ExitCode serve(const ServeOptions& options, std::ostream& out) {
  const ExitCode code = serve_logged(options, out);
  flush_log(kAnswerLimit);
  return code;
}

}  // namespace vtl::daemon
