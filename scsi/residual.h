// How a command's data is cut and what residual that leaves (SAM-5 5.4.3, RFC 7143 11.4.5): the one
// place.
#pragma once

#include "scsi/command.h"

namespace scsi {

// What a command did with data-out: the length it asked for, and what it got.
struct DataOut {
  std::uint32_t needed = 0;
  std::uint32_t taken = 0;
};

// Cuts reply.data_in to the allocation length, then to what the initiator expects, and computes the
// residual. A direction that the initiator did not announce counts as 0 bytes expected. When the
// command asks for more than is expected the residual is an overflow, whatever was transferred;
// else what was expected and not transferred is an underflow.
Residual settle(const Command& command, Reply& reply,
                std::optional<std::uint32_t> allocation_length, DataOut data_out);

}  // namespace scsi
