#include "vtl/daemon/rebuild.h"

#include "vtl/daemon/describe.h"
#include "vtl/daemon/log.h"
#include "vtl/daemon/settings.h"
#include "vtl/library/journal.h"

namespace vtl::daemon {

Problems rebuild_library(const std::string& data_directory, bool force,
                         const std::function<void(std::string_view)>& report) {
  OpenedDirectory opened = open_data_directory(data_directory);
  if (!opened.directory) return std::move(opened.problems);
  start_command_log();
  Problems out;
  const config::Config& config = opened.directory->config;
  const std::string journal = data_directory + "/journal";
  auto files = make_posix_file_system();
  if (!force && Journal::open(*files, journal)) {
    out.code = kExitFailed;
    out.errors.push_back(
        journal + " is in order: nothing was changed (--force makes a new one all the same)");
    return out;
  }
  PoolStore store(store_options(config, pool_directory(config, data_directory)), *files);
  const Status rebuilt =
      rebuild_journal(*files, store, geometry_of(config.library), journal, report);
  if (rebuilt) return out;
  out.code = kExitFailed;
  out.errors.push_back(rebuilt.error().what);
  return out;
}

}  // namespace vtl::daemon
