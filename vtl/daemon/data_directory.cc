#include "vtl/daemon/data_directory.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "vtl/cartridge/cartridge.h"
#include "vtl/cartridge/io_mode.h"
#include "vtl/daemon/describe.h"
#include "vtl/daemon/devices.h"
#include "vtl/daemon/log.h"
#include "vtl/daemon/settings.h"
#include "vtl/daemon/system.h"

namespace vtl::daemon {
namespace {

std::vector<DriveBay*> pointers(const std::vector<std::unique_ptr<DriveBay>>& bays) {
  std::vector<DriveBay*> out;
  for (const auto& bay : bays) out.push_back(bay.get());
  return out;
}

LibraryOptions library_options(const DataDirectory& directory, Alerts& alerts) {
  LibraryOptions options;
  options.geometry = geometry_of(directory.config.library);
  options.drive_identifiers = drive_identifiers(directory.config.library);
  options.journal_path = directory.path + "/journal";
  options.barcode_characters = barcode_characters(directory.config.library);
  options.log = [](std::string_view text) { log_warning(text); };
  options.alert = [&alerts](const std::string& barcode, std::string text) {
    alerts.raise(Alerts::Cause::kPlace, barcode, std::move(text));
  };
  // What the medium itself has found is told already, before this.
  options.load_failed = [&alerts](const std::string& barcode, std::string text) {
    if (alerts.has(Alerts::Cause::kLoadFailed, barcode))
      log_warning(text);
    else
      alerts.raise(Alerts::Cause::kLoadFailed, barcode, std::move(text));
  };
  return options;
}

// Empty if the directory can be worked in.
std::string directory_problem(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) {
      return path + " does not exist; make a library with: vtl init --data " + path;
    }
    return "cannot open " + path + ": " + std::strerror(errno);
  }
  if (!S_ISDIR(info.st_mode)) return path + " is not a directory";
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
    return "cannot work in " + path + ": " + std::strerror(errno) +
           "; the user of vtl needs to read and write it";
  }
  return {};
}

// Empty if the pool that is configured is one.
std::string pool_problem(const std::string& pool) {
  struct stat info {};
  if (::stat(pool.c_str(), &info) != 0) {
    return fmt::format("cannot open {}: {}; it is the folder that holds the cartridges", pool,
                       std::strerror(errno));
  }
  if (!S_ISDIR(info.st_mode)) return pool + " is not a folder; it is to hold the cartridges";
  if (::stat((pool + "/carts").c_str(), &info) == 0) return {};
  return fmt::format(
      "{} is no pool: cannot open its folder carts: {}; name the folder that vtl init has made, "
      "which is DIR/pool",
      pool, std::strerror(errno));
}

}  // namespace

std::string become_owner(const std::string& data_directory) {
  struct stat info {};
  if (::geteuid() != 0 || ::stat(data_directory.c_str(), &info) != 0 || info.st_uid == 0) return {};
  struct stat config {};
  const std::string path = config_path(data_directory);
  if (::stat(path.c_str(), &config) == 0 && config.st_uid != info.st_uid)
    return fmt::format(
        "{} belongs to user {}, but {} to user {}; root works there as the directory's owner, who "
        "could not use that: chown -R {} {}",
        data_directory, info.st_uid, path, config.st_uid, info.st_uid, data_directory);
  if (::setgroups(0, nullptr) == 0 && ::setgid(info.st_gid) == 0 && ::setuid(info.st_uid) == 0)
    return {};
  return fmt::format("cannot work as the owner of {}, user {}: {}; run vtl as that user",
                     data_directory, info.st_uid, std::strerror(errno));
}

std::string damaged_journal_path(const std::string& data_directory) {
  return data_directory + "/journal.damaged";
}

std::string config_path(const std::string& data_directory) { return data_directory + "/vtl.yaml"; }

CheckedConfig check_config(const std::string& data_directory) {
  CheckedConfig out;
  const std::string path = config_path(data_directory);
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
    out.problems = {
        kExitConfig,
        {path + " does not exist; make a library with: vtl init --data " + data_directory},
        {}};
    return out;
  }
  config::Loaded loaded = config::load(path);
  for (const auto& error : loaded.errors) out.problems.errors.push_back(to_string(error));
  for (const auto& warning : loaded.warnings) out.problems.warnings.push_back(to_string(warning));
  if (!out.problems.errors.empty() || !loaded.config) {
    out.problems.code = kExitConfig;
    return out;
  }
  for (std::string& problem : config::check_listen(*loaded.config)) {
    out.problems.errors.push_back(path + ": " + std::move(problem));
  }
  for (std::string& problem : auth::policy_problems(access_policy(*loaded.config))) {
    out.problems.errors.push_back(path + ": access: " + std::move(problem));
  }
  const std::string pool = pool_directory(*loaded.config, data_directory);
  out.pool_line = loaded.pool_line;
  if (std::string problem = pool_problem(pool); !problem.empty()) {
    out.problems.errors.push_back(
        to_string(config::Problem{path, loaded.pool_line, "storage.pool", std::move(problem)}));
  } else if (loaded.config->storage.io_mode == config::IoMode::kDirect &&
             !direct_io_works(*make_posix_file_system(), pool + "/POOL")) {
    out.problems.errors.push_back(to_string(config::Problem{
        path, loaded.io_mode_line, "storage.io_mode",
        fmt::format("found direct, but the file system of {} has no direct I/O, allowed "
                    "there: auto, paced",
                    pool)}));
  }
  if (!out.problems.errors.empty()) {
    out.problems.code = kExitConfig;
    return out;
  }
  out.config = std::move(loaded.config);
  return out;
}

OpenedDirectory open_data_directory(const std::string& path) {
  OpenedDirectory out;
  std::string problem = become_owner(path);
  if (problem.empty()) problem = directory_problem(path);
  if (!problem.empty()) {
    out.problems = {kExitFailed, {std::move(problem)}, {}};
    return out;
  }
  // The configuration first: in a directory that is no library, no lock file is left behind.
  CheckedConfig checked = check_config(path);
  out.problems = std::move(checked.problems);
  if (!checked.config) return out;
  const std::string pool = pool_directory(*checked.config, path);
  DataDirectory directory{path, {}, {}, std::move(*checked.config)};
  problem = directory.lock.acquire(path);
  if (!problem.empty()) {
    out.problems.code = directory.lock.in_use() ? kExitInUse : kExitFailed;
    out.problems.errors.push_back(std::move(problem));
    return out;
  }
  problem = directory.pool_lock.acquire_pool(pool, path);
  if (!problem.empty()) {
    out.pool_in_use = directory.pool_lock.in_use();
    out.problems.code = out.pool_in_use ? kExitInUse : kExitFailed;
    out.problems.errors.push_back(to_string(
        config::Problem{config_path(path), checked.pool_line, "storage.pool", std::move(problem)}));
    return out;
  }
  out.directory = std::move(directory);
  return out;
}

namespace {

void take(Alerts& alerts, const MediumAlert& alert) {
  using Kind = MediumAlert::Kind;
  using Cause = Alerts::Cause;
  switch (alert.kind) {
    case Kind::kLoaded:
      for (const Cause over : {Cause::kWriteFailed, Cause::kLoadFailed, Cause::kNote})
        alerts.settle(over, alert.barcode);
      return;
    case Kind::kLoadFailed:
      return alerts.raise(Cause::kLoadFailed, alert.barcode, alert.text);
    case Kind::kNote:
      return alerts.raise(Cause::kNote, alert.barcode, alert.text);
    case Kind::kReadFailed:
      return alerts.raise(Cause::kReadFailed, alert.barcode, alert.text);
    case Kind::kWriteFailed:
      return alerts.raise(Cause::kWriteFailed, alert.barcode, alert.text);
    case Kind::kPoolLow:
      return alerts.raise(Cause::kPoolLow, "", alert.text);
    case Kind::kPoolFull:
      return alerts.raise(Cause::kPoolFull, "", alert.text);
  }
}

// Media speak on the loops of their drives; who listens is on the library's.
PoolStoreOptions room_options(LibraryRoom& room, net::Loop& loop, PoolStoreOptions options) {
  options.loading = [&room](const std::string& barcode) {
    if (room.wanted) room.wanted(barcode);
  };
  options.medium.discarded = [&room, &loop] { loop.post([&room] { room.trash.empty(); }); };
  options.medium.alert = [&room, &loop](const MediumAlert& alert) {
    loop.post([&room, alert] { take(room.alerts, alert); });
  };
  return options;
}

// Where a cartridge is, in people's words.
std::string place_name(const config::Config& config, const Library& library,
                       const std::string& barcode) {
  const auto placement = library.find(barcode);
  return placement && placement->type ? element_name(config, placement->address) : "";
}

}  // namespace

namespace {

// Aside, with the old file's permissions - it may hold secrets -, and over it. On a strand.
std::string replace_config(FileSystem& files, const std::string& directory,
                           const std::string& text) {
  const std::string path = config_path(directory), aside = path + ".new";
  const auto left_over = files.exists(aside);
  if (left_over && *left_over) (void)files.remove(aside);
  auto file = files.open(aside, FileSystem::Mode::kCreate);
  if (!file) return file.error().what;
  std::error_code error;
  std::filesystem::permissions(aside, std::filesystem::status(path, error).permissions(), error);
  Status status = error ? Status(IoError{error.value(), aside + ": " + error.message()})
                        : (*file)->pwrite(scsi::as_bytes(text), 0);
  if (status) status = (*file)->fdatasync();
  if (status) status = files.rename(aside, path);
  if (status) status = files.sync_directory(directory);
  return status ? "" : status.error().what;
}

}  // namespace

void grow_config(DataDirectory& directory, FileSystem& files, Executor& executor,
                 config::Growth growth, scsi::Done<std::string> done) {
  const Strand strand = executor.make_strand("configuration");
  auto edited = std::make_shared<config::Edited>();
  executor.submit(
      strand,
      [edited, path = directory.path, now = directory.config.library, growth, &files] {
        *edited = config::with_growth(config_path(path), now, growth);
        if (edited->error.empty()) edited->error = replace_config(files, path, edited->text);
      },
      [edited, strand, growth, &directory, &executor, done = std::move(done)]() mutable {
        executor.close_strand(strand);
        if (edited->error.empty()) {
          config::LibraryConfig& library = directory.config.library;
          library.slots = growth.slots;
          library.ie_slots = growth.ie_slots;
          library.drives.insert(library.drives.end(), growth.drives.begin(), growth.drives.end());
        }
        done(std::move(edited->error));
      });
}

LibraryRoom::LibraryRoom(net::Loop& loop, const DataDirectory& directory,
                         std::vector<std::unique_ptr<DriveBay>> given,
                         std::vector<Executor*> executors,
                         std::function<void(std::string_view)> alert_log)
    : pool_path(pool_directory(directory.config, directory.path)),
      files(make_posix_file_system()),
      executor(make_thread_executor(
          [&loop](scsi::Callback callback) { loop.post(std::move(callback)); })),
      trash(*executor, *files, pool_path),
      alerts({wall_clock_ms,
              [this, &config = directory.config](const std::string& barcode) {
                return place_name(config, library, barcode);
              },
              std::move(alert_log)}),
      scrub_log_path(directory.path + "/scrub.json"),
      scrub_log(ScrubLog::read(*files, scrub_log_path)),
      store(room_options(*this, loop, store_options(directory.config, pool_path)), *files,
            !executors.empty() ? std::move(executors)
                               : std::vector<Executor*>(given.size(), executor.get())),
      bays(std::move(given)),
      library(library_options(directory, alerts), store, *files, *executor, pointers(bays)) {}

void LibraryRoom::grow(const config::LibraryConfig& config,
                       std::vector<std::unique_ptr<DriveBay>> given,
                       std::vector<Executor*> executors, scsi::Done<Outcome> done) {
  std::vector<std::string> identifiers = drive_identifiers(config);
  VTL_CHECK(bays.size() + given.size() == identifiers.size() && executors.size() == given.size());
  Growth growth{config.slots, config.ie_slots, {}};
  for (std::size_t i = 0; i < given.size(); ++i) {
    store.add_drive(*executors[i]);
    growth.drives.push_back({std::move(identifiers[bays.size()]), given[i].get()});
    bays.push_back(std::move(given[i]));
  }
  library.grow(std::move(growth), std::move(done));
}

}  // namespace vtl::daemon
