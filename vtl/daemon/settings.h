// From the configuration's shape into the shapes that the other rooms take.
#pragma once

#include <string>
#include <vector>

#include "auth/access.h"
#include "transport/iscsi/portal.h"
#include "vtl/config/config.h"
#include "vtl/library/pool_store.h"

namespace vtl::daemon {

auth::AccessPolicy access_policy(const config::Config& config);
iscsi::PortalOptions portal_options(const config::Config& config);
// `pool_directory` is absolute or relative to the working directory.
PoolStoreOptions store_options(const config::Config& config, const std::string& pool_directory);
// The pool's folder: config.storage.pool inside of `data_directory`, unless it is absolute.
std::string pool_directory(const config::Config& config, const std::string& data_directory);

}  // namespace vtl::daemon
