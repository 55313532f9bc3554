// TapeAlert: 64 flags and the log pages that show them (SSC-4 8.2.5, SMC-3; page 2Eh and page 12h).
//
// Page 2Eh shows each nexus what was raised and not yet read by that nexus: reading clears the
// flags that were in the answer, for the reader. Page 12h shows what holds, and clears nothing.
#pragma once

#include <cstdint>
#include <map>

#include "scsi/log_pages.h"

namespace scsi {

class TapeAlert {
 public:
  void raise(std::uint8_t flag);  // 1 to 64
  void clear(std::uint8_t flag);  // the condition ended: for every nexus
  void clear_all();
  bool is_raised(std::uint8_t flag) const;

  void nexus_lost(NexusId nexus);

  // Both refer to this object, which outlives the log engine.
  LogPage page_2e();
  LogPage page_12();

 private:
  static std::uint64_t mask(std::uint8_t flag);
  std::uint64_t raised_ = 0;  // flag 1 is the most significant bit
  std::map<NexusId, std::uint64_t> already_read_;
};

}  // namespace scsi
