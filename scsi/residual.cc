#include "scsi/residual.h"

#include <algorithm>

namespace scsi {

Residual settle(const Command& command, Reply& reply,
                std::optional<std::uint32_t> allocation_length, DataOut data_out) {
  if (allocation_length) truncate(reply.data_in, *allocation_length);
  const auto offered = static_cast<std::uint32_t>(total_size(reply.data_in));
  const bool out = data_out.needed != 0;
  const std::uint32_t expected =
      (out ? command.writes : command.reads) ? command.expected_length : 0;
  if (!out) truncate(reply.data_in, expected);

  const std::uint32_t needed = std::max({reply.required_length, offered, data_out.needed});
  if (needed > expected) return {.underflow = 0, .overflow = needed - expected};
  const std::uint32_t transferred = out ? data_out.taken : std::min(offered, expected);
  return {.underflow = command.expected_length - transferred, .overflow = 0};
}

}  // namespace scsi
