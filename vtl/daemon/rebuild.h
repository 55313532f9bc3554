// `vtl library rebuild`: a new journal, when the old one is damaged or lost.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "vtl/daemon/data_directory.h"

namespace vtl::daemon {

// From what the cartridges' labels say of their places; `report` gets a line for each. No server
// may run. A journal that is in order is left alone, unless `force`.
Problems rebuild_library(const std::string& data_directory, bool force,
                         const std::function<void(std::string_view)>& report);

}  // namespace vtl::daemon
