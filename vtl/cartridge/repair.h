// What of a cartridge can be made anew from the rest of it: its label from its segments, the index
// of a segment from its records, the file for host attributes as an empty one. Looked for by
// verify_cartridge(), put right by repair_cartridge(). Blocks.
#pragma once

#include <string>
#include <vector>

#include "vtl/cartridge/cartridge.h"
#include "vtl/cartridge/open_cartridge.h"

namespace vtl {

// Sentences for people: what is damaged, or with `mend`, what was damaged and is not any more.
using Findings = std::vector<std::string>;

struct LabelFindings {
  Findings damaged;
  Findings torn;  // by a crash, as may happen; nothing is lost, and the next load mends it
};
// CART and MAM, before the cartridge is opened. What was damaged goes to quarantine/, never away.
Result<LabelFindings> check_label(FileSystem& files, const std::string& dir, bool mend);
// Headers, indexes and trailers of its sealed segments, while it is open.
Result<Findings> check_segments(OpenCartridge& cartridge, bool mend);

}  // namespace vtl
