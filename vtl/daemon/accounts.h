// The accounts of a data directory: changed in its secrets file, which only the service can read.
#pragma once

#include <functional>
#include <string>

#include "vtl/config/config.h"
#include "vtl/daemon/data_directory.h"

namespace vtl::daemon {

// Reads the accounts, has `change` work on them ("" or why it does not), and writes what is kept in
// the secrets file: aside, durable, with mode 0600 and the owner of the directory, then over the
// old one. Several processes take turns. A server has to be told afterwards.
Problems change_accounts(const std::string& data_directory,
                         const std::function<std::string(config::AccessConfig&)>& change);

}  // namespace vtl::daemon
