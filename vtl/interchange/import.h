// A whole cartridge from a foreign format: it appears in the pool complete, or not at all.
#pragma once

#include <string>

#include "vtl/interchange/format.h"

namespace vtl::interchange {

// Makes the cartridge beside the others (<pool>/.incoming), fills it, and renames it into the pool
// when everything is durable. `spec` as for create_cartridge(). Afterwards Library::adopt() makes
// it known to a library that runs. Blocking.
Report import_cartridge(FileSystem& files, const std::string& pool_dir, const CartridgeSpec& spec,
                        const Format& format, const std::string& path, const ImportOptions& options,
                        const Progress& progress = {});

// Partition 0 of a cartridge that is in no drive.
Report export_cartridge(FileSystem& files, const std::string& cartridge_dir, const Format& format,
                        const std::string& path, const ExportOptions& options,
                        const Progress& progress = {});

// What imports that a crash cut short have left goes into the pool's trash: at once, whatever its
// size. For the start of a server; empty_trash() gives the space back.
void clear_incoming(FileSystem& files, const std::string& pool_dir);

}  // namespace vtl::interchange
