// What single values must look like. A check gives "" or what is allowed. Private to vtl/config.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "scsi/smc/profile.h"

namespace vtl::config {

std::optional<std::uint64_t> parse_count(std::string_view text);  // decimal digits only
std::optional<std::array<std::uint8_t, 8>> parse_naa(std::string_view text);
std::string format_naa(const std::array<std::uint8_t, 8>& naa);

std::string check_serial(std::string_view text, std::size_t min, std::size_t max);
std::string check_library_name(std::string_view text);
std::string check_iqn_prefix(std::string_view text);
std::string check_network(std::string_view text);    // "192.0.2.0/24", "2001:db8::7"
std::string check_initiator(std::string_view text);  // folded to lower case
std::string check_user(std::string_view text);
// Says what is wrong, without the secret.
std::string check_secret(std::string_view text, bool long_secrets = false);

std::string folded(std::string_view text);   // ASCII letters to lower case: RFC 7143 4.2.7.2
std::string profile_names();                 // "stk-l700, aws, ..."
std::string device_name(std::size_t drive);  // 1: "tapedrive-01"

}  // namespace vtl::config
