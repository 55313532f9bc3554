// The subcommands of vtl cartridge; each file adds its own.
#pragma once

#include "vtl/cli/command.h"

namespace vtl::cli {

void add_cartridge_jobs(CLI::App& group, Result& result);  // import, export, verify

}  // namespace vtl::cli
