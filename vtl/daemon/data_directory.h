// A data directory: DIR/vtl.yaml, DIR/journal, DIR/pool, DIR/vtl.lock, DIR/control.sock.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "transport/net/loop.h"
#include "vtl/cartridge/executor.h"
#include "vtl/cartridge/file.h"
#include "vtl/cartridge/trash.h"
#include "vtl/config/config.h"
#include "vtl/config/edit.h"
#include "vtl/daemon/alerts.h"
#include "vtl/daemon/data_lock.h"
#include "vtl/daemon/scrub_log.h"
#include "vtl/library/library.h"
#include "vtl/library/pool_store.h"

namespace vtl::daemon {

// What a process ends with; README.md of vtl/cli tells people.
enum ExitCode {
  kExitDone = 0,
  kExitFailed = 1,     // it was refused, or went wrong
  kExitUsage = 2,      // the command line is not right
  kExitConfig = 3,     // DIR/vtl.yaml is not right, or is not there
  kExitInUse = 4,      // another process works on the directory, or on its pool
  kExitDamaged = 5,    // verify found damage
  kExitNotDurable = 6  // stopped, and not everything that was accepted is on disk
};

struct Problems {
  ExitCode code = kExitDone;
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
};

// The journal that `library rebuild` could not read, kept until somebody removes it.
std::string damaged_journal_path(const std::string& data_directory);
std::string config_path(const std::string& data_directory);

// Root works as the owner of the directory, from here on: a service that runs as that user could
// use nothing of what root had made, and names files that root would then write. Before anything in
// it is looked at; for others, and where it is root's or does not exist, nothing. Empty, or why
// that cannot be.
std::string become_owner(const std::string& data_directory);

// The configuration alone, without the lock: `config check`.
struct CheckedConfig {
  std::optional<config::Config> config;
  int pool_line = 0;  // of storage.pool; 0: it is not there
  Problems problems;
};
CheckedConfig check_config(const std::string& data_directory);

// The lock and what it protects.
struct DataDirectory {
  std::string path;
  DataLock lock;
  DataLock pool_lock;
  config::Config config;
};
struct OpenedDirectory {
  std::optional<DataDirectory> directory;
  bool pool_in_use = false;  // by the process of another data directory
  Problems problems;
};
OpenedDirectory open_data_directory(const std::string& path);

// Writes what there is more of into DIR/vtl.yaml, on the executor, and takes it over into
// `directory`, which outlives the answer: "", or why not.
void grow_config(DataDirectory& directory, FileSystem& files, Executor& executor,
                 config::Growth growth, scsi::Done<std::string> done);

// What a server and an offline command have in common: the store, and the library with its bays.
// Destroy on the loop's thread, before the loop, when nothing is under way.
struct LibraryRoom {
  // `executors`: of each drive's loop; none: the drives have no loops of their own. `alert_log`
  // hears the text of every alert.
  LibraryRoom(net::Loop& loop, const DataDirectory& directory,
              std::vector<std::unique_ptr<DriveBay>> bays, std::vector<Executor*> executors,
              std::function<void(std::string_view)> alert_log);
  // The library takes over what `config` has more of than it has; `bays` and `executors` are those
  // of the new drives.
  void grow(const config::LibraryConfig& config, std::vector<std::unique_ptr<DriveBay>> bays,
            std::vector<Executor*> executors, scsi::Done<Outcome> done);
  std::string pool_path;
  std::unique_ptr<FileSystem> files;
  std::unique_ptr<Executor> executor;
  Trash trash;
  Alerts alerts;
  const std::string scrub_log_path;
  ScrubLog scrub_log;
  // Set by whoever reads cartridges on the side: somebody wants this one now.
  std::function<void(const std::string& barcode)> wanted;
  PoolStore store;
  std::vector<std::unique_ptr<DriveBay>> bays;
  Library library;
};

}  // namespace vtl::daemon
