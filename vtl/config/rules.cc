#include "vtl/config/rules.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace vtl::config {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_name_character(char c) { return is_digit(c) || is_lower(c) || c == '-' || c == '.'; }

// RFC 7143 4.2.7.1
constexpr std::size_t kLongestName = 223;
// "-tapedrive-NNNNN" and the colon: what a target name adds to its parts.
constexpr std::size_t kLongestPrefix = 120, kLongestLibrary = 64;

bool all_name_characters(std::string_view text, std::string_view also = "") {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_name_character(c) || also.find(c) != std::string_view::npos;
  });
}

// "iqn.2026-11.local.vtl": RFC 7143 4.2.7.5
bool is_iqn(std::string_view text) {
  if (!text.starts_with("iqn.") || text.size() < 13) return false;
  const std::string_view date = text.substr(4, 8);
  for (std::size_t i = 0; i < 7; ++i)
    if (i == 4 ? date[i] != '-' : !is_digit(date[i])) return false;
  const int month = (date[5] - '0') * 10 + (date[6] - '0');
  return month >= 1 && month <= 12 && date[7] == '.' && text[12] != ':';
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

}  // namespace

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::array<std::uint8_t, 8>> parse_naa(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.size() != 16 || error != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  // SPC-4 7.8.6.6: NAA 5h is IEEE Registered, 3h locally assigned.
  if (value >> 60 != 5 && value >> 60 != 3) return std::nullopt;
  std::array<std::uint8_t, 8> naa{};
  for (int i = 7; i >= 0; --i, value >>= 8)
    naa[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(value);
  return naa;
}

std::string format_naa(const std::array<std::uint8_t, 8>& naa) {
  std::string text;
  for (const std::uint8_t byte : naa) text += fmt::format("{:02x}", byte);
  return text;
}

std::string check_serial(std::string_view text, std::size_t min, std::size_t max) {
  const bool characters = std::all_of(text.begin(), text.end(),
                                      [](char c) { return is_digit(c) || (c >= 'A' && c <= 'Z'); });
  if (characters && text.size() >= min && text.size() <= max) return "";
  if (min == max) return fmt::format("exactly {} characters of A-Z 0-9", min);
  return fmt::format("{} to {} characters of A-Z 0-9", min, max);
}

std::string check_library_name(std::string_view text) {
  if (!text.empty() && text.size() <= kLongestLibrary && all_name_characters(text)) return "";
  return fmt::format("1 to {} characters of a-z 0-9 - .", kLongestLibrary);
}

std::string check_iqn_prefix(std::string_view text) {
  if (is_iqn(text) && text.size() <= kLongestPrefix && all_name_characters(text, ":")) return "";
  return fmt::format(
      "iqn.YYYY-MM.<domain>, as iqn.2026-11.local.vtl, at most {} characters of a-z 0-9 - . :",
      kLongestPrefix);
}

std::string check_initiator(std::string_view text) {
  const bool eui = text.starts_with("eui.") && text.size() == 20 && is_hex(text.substr(4));
  const bool naa = text.starts_with("naa.") && (text.size() == 20 || text.size() == 36) &&
                   is_hex(text.substr(4));
  // Letters beyond ASCII are legal in a name; what initiators send then is UTF-8.
  const bool plain = std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == 0x7f || c == '"' || c == ',';
  });
  if ((is_iqn(text) || eui || naa) && plain && text.size() <= kLongestName) return "";
  return "an iSCSI name: iqn.YYYY-MM.<domain>[:<more>], eui.<16 hex digits> or naa.<16 or 32 hex "
         "digits>";
}

std::string check_network(std::string_view text) {
  constexpr std::string_view kAllowed =
      "an address or a network, such as 192.0.2.7, 192.0.2.0/24, 2001:db8::/32";
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string address(text.substr(0, slash));
  std::array<std::uint8_t, 16> bytes{};
  const bool ipv4 = ::inet_pton(AF_INET, address.c_str(), bytes.data()) == 1;
  if (!ipv4 && ::inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1)
    return std::string(kAllowed);
  const std::size_t size = ipv4 ? 32 : 128;
  std::optional<std::uint64_t> bits = size;
  if (slash < text.size()) bits = parse_count(text.substr(slash + 1));
  if (!bits || *bits > size) return fmt::format("{}; at most {} bits", kAllowed, size);
  for (std::size_t bit = *bits; bit < size; ++bit)
    if ((bytes[bit / 8] & 0x80 >> bit % 8) != 0)
      return fmt::format("{}; the bits beyond the first {} are not 0", kAllowed, *bits);
  return "";
}

std::string check_user(std::string_view text) {
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= ' ' && c != 0x7f;
  });
  if (!text.empty() && text.size() <= 255 && printable) return "";
  return "1 to 255 printable characters";
}

std::string check_secret(std::string_view text, bool long_secrets) {
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!printable)
    return "found a character that not every initiator takes, allowed: printable ASCII without "
           "spaces";
  // RFC 7143 9.2.1 wants 96 bits; Microsoft's initiator takes no more than 16 bytes.
  const std::size_t max = long_secrets ? 255 : 16;
  if (text.size() >= 12 && text.size() <= max) return "";
  if (text.size() > max && !long_secrets)
    return fmt::format(
        "found {} characters, allowed: 12 to 16, as Windows takes no more; where no Windows host "
        "logs in, access.long_secrets: true allows 255",
        text.size());
  return fmt::format("found {} characters, allowed: 12 to {}", text.size(), max);
}

std::string folded(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string profile_names() {
  std::string names;
  for (const auto& profile : scsi::smc::library_profiles())
    names += (names.empty() ? "" : ", ") + std::string(profile.name);
  return names;
}

std::string device_name(std::size_t drive) { return fmt::format("tapedrive-{:02}", drive); }

}  // namespace vtl::config
