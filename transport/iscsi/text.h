// key=value text of Login and Text PDUs (RFC 7143 6.1): NUL-terminated pairs, possibly in several
// PDUs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "scsi/bytes.h"

namespace iscsi {

using KeyValue = std::pair<std::string, std::string>;

inline constexpr std::size_t kMaxKeyLength = 63;
inline constexpr std::size_t kMaxValueLength = 255;
inline constexpr std::size_t kMaxNameLength = 223;  // of an iSCSI name (RFC 7143 4.2.7.2)

// The pairs of a whole text, in order; nothing if it is malformed: a pair without '=', a key that
// is empty, too long or has other characters than the RFC gives it, no NUL at the end. Values may
// have any length here, as the limit depends on the key. Empty strings between NULs are passed
// over: some initiators pad with them.
std::optional<std::vector<KeyValue>> parse_text(std::string_view text);

void append_text(std::string& text, std::string_view key, std::string_view value);

// An unsigned number, decimal without leading zeros or 0x hex; nothing if it is no such thing or
// does not fit.
std::optional<std::uint32_t> parse_number(std::string_view text);
// Whether this could be an iSCSI name at all: prefix, length, characters (RFC 3722, ASCII only).
// Folded case.
bool valid_iscsi_name(std::string_view name);

// For a log line: printable ASCII as it is, the rest as \xNN, cut to a sensible length.
std::string printable(std::string_view text);

}  // namespace iscsi
