// A new library on disk: `vtl init` after its options have been checked.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "vtl/library/library.h"
#include "vtl/library/pool_store.h"

namespace vtl {

struct NewLibrary {
  std::string directory;    // made if it is not there; its parent must be
  std::string config_text;  // becomes DIR/vtl.yaml, written last: with it, the library exists
  std::string pool_dir;     // "DIR/pool"
  Geometry geometry;
  std::uint32_t cartridges = 20;  // into the first slots
  std::string barcode_prefix = "VTL";
  std::vector<std::uint8_t> generations = {8};  // of the cartridges: an equal share of each
  std::size_t barcode_characters = scsi::smc::kVolumeTagCharacters;  // that the changer tells
  std::uint64_t capacity_bytes = 0;                                  // of each; 0: the generation's
  std::uint32_t segment_mib = 256;
  std::function<void(scsi::MutableBytes)> random;
  std::function<std::uint64_t()> now_ns;  // unix time
};

// What can be said before anything is touched: an option that cannot be met ("--cartridges: ...").
// Empty: fine.
std::string check_new_library(const NewLibrary& library);

// Makes all of it or nothing. Refuses a directory that holds a library already, or anything else
// (but for vtl.lock and lost+found), and changes nothing there. What an interrupted attempt has
// left is cleared away first; a failed one clears up after itself. Files get the permissions that
// the process's umask leaves (the program sets 077). Blocking. `progress` hears of each
// cartridge.
Outcome create_library(
    FileSystem& files, const NewLibrary& library,
    const std::function<void(std::uint32_t done, std::uint32_t total)>& progress = {});

}  // namespace vtl
