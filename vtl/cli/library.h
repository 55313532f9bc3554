// The commands of `vtl library` that have a file of their own.
#pragma once

#include "vtl/cli/command.h"

namespace vtl::cli {

void add_library_show(CLI::App& group, Result& result);
void add_library_alerts(CLI::App& group, Result& result);

}  // namespace vtl::cli
