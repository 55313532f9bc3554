#include "vtl/daemon/init.h"

#include <algorithm>
#include <utility>

#include "vtl/daemon/describe.h"
#include "vtl/daemon/settings.h"
#include "vtl/daemon/system.h"
#include "vtl/library/setup.h"

namespace vtl::daemon {

InitOutcome init(const InitOptions& options,
                 const std::function<void(std::uint32_t, std::uint32_t)>& progress) {
  InitOutcome out;
  config::InitPlan plan = config::plan_init(options.library, random_bytes);
  out.problems = {kExitUsage, std::move(plan.errors), std::move(plan.warnings)};
  if (!plan.config) return out;
  out.config = std::move(*plan.config);
  out.reasons = std::move(plan.reasons);

  const PoolStoreOptions store =
      store_options(out.config, pool_directory(out.config, options.data_directory));
  NewLibrary library;
  library.directory = options.data_directory;
  library.config_text = config::write_default(out.config);
  library.pool_dir = store.pool_dir;
  library.geometry = geometry_of(out.config.library);
  library.cartridges = options.cartridges;
  library.barcode_prefix = options.barcode_prefix;
  library.generations.clear();
  for (const config::Drive& drive : out.config.library.drives)
    if (std::find(library.generations.begin(), library.generations.end(), drive.generation) ==
        library.generations.end())
      library.generations.push_back(drive.generation);
  library.barcode_characters = barcode_characters(out.config.library);
  library.capacity_bytes = options.capacity_bytes;
  library.segment_mib = store.segment_mib;
  library.random = store.random;
  library.now_ns = store.now_ns;
  if (std::string wrong = check_new_library(library); !wrong.empty()) {
    out.problems.errors.push_back(std::move(wrong));
    return out;
  }
  if (std::string wrong = become_owner(options.data_directory); !wrong.empty()) {
    out.problems = {kExitFailed, {std::move(wrong)}, {}};
    return out;
  }
  const Outcome made = create_library(*make_posix_file_system(), library, progress);
  out.problems.code = made.ok() ? kExitDone : kExitFailed;
  if (!made.ok()) out.problems.errors.push_back(made.error);
  return out;
}

}  // namespace vtl::daemon
