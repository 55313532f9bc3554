// Where a medium's fault becomes sense data: the only place.
#pragma once

#include "scsi/sense.h"
#include "scsi/ssc/medium.h"

namespace scsi::ssc {

// Found by the command that reports it. INFORMATION is the caller's: what it means depends on the
// command.
Sense sense_of(const MediumFault& fault);

// Why encryption keeps a block from being read or written (SSC-5).
Sense sense_of(CipherRefusal refusal);
// Other parameters hold than those that the nexus has set, or begun with.
Sense key_changed();

// Found after the command that caused it was acknowledged (SPC-4 4.5.5): response code 71h,
// INFORMATION counts the objects that were accepted and are not on the medium.
Sense deferred_sense_of(const MediumFault& fault);

}  // namespace scsi::ssc
