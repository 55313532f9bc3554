// What a partition holds, found from its files: by its SEGTAB after a clean unload, else from the
// segments themselves (FORMAT.md, "Recovery"). Strand side.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "vtl/cartridge/fault.h"
#include "vtl/cartridge/format.h"
#include "vtl/cartridge/index.h"

namespace vtl {

struct RecoveryInput {
  const format::Cart* cart = nullptr;
  std::string cartridge_dir;
  bool read_only = false;  // nothing may be moved, removed or repaired
  bool use_table = true;   // SEGTAB, where it is in order
  // Moves a segment that a cut has voided to the trash.
  std::function<Status(const std::string& name)> discard;
  std::function<bool(PartitionLog& log)>
      repair;  // writes the footer of the last, unsealed segment anew
  std::function<bool(PartitionLog& log)> mend_header;  // likewise its header
  std::vector<std::string>* notes = nullptr;  // for people: everything that was not as it should be
};

// Moves `what`, a path inside the cartridge, to quarantine/; replaces nothing that is there.
Status set_aside(FileSystem& files, const std::string& cartridge_dir, const std::string& what,
                 const std::string& name);
// `path`, or with a number behind it, so that nothing there is replaced.
Result<std::string> free_name(FileSystem& files, const std::string& path);

// Fills segments, tail_index, end_of_data and so on. A fault: it could not be read at all.
MaybeFault recover_partition(PartitionLog& log, const RecoveryInput& input);

}  // namespace vtl
