#include "transport/iscsi/text.h"

#include <algorithm>
#include <charconv>

namespace iscsi {
namespace {

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// RFC 7143 6.1: standard-label, with the characters that X- keys and the "#" ones may have.
bool valid_key(std::string_view key) {
  return !key.empty() && key.size() <= kMaxKeyLength &&
         std::all_of(key.begin(), key.end(), [](char c) {
           return is_letter_or_digit(c) || c == '.' || c == '-' || c == '+' || c == '@' ||
                  c == '_' || c == '#' || c == ':' || c == '/';
         });
}

}  // namespace

std::optional<std::vector<KeyValue>> parse_text(std::string_view text) {
  std::vector<KeyValue> pairs;
  while (!text.empty()) {
    const std::size_t end = text.find('\0');
    if (end == std::string_view::npos) return {};
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || !valid_key(pair.substr(0, equals))) return {};
    pairs.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return pairs;
}

void append_text(std::string& text, std::string_view key, std::string_view value) {
  text.append(key).append(1, '=').append(value).append(1, '\0');
}

std::optional<std::uint32_t> parse_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    base = 16;
  } else if (text.size() > 1 && text[0] == '0') {
    return {};  // RFC 7143 6.1: a decimal constant starts with another digit; this looks octal
  }
  std::uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value, base);
  if (text.empty() || result.ec != std::errc() || result.ptr != end) return {};
  return value;
}

bool valid_iscsi_name(std::string_view name) {
  if (name.size() > kMaxNameLength || name.size() <= 4) return false;
  if (!name.starts_with("iqn.") && !name.starts_with("eui.") && !name.starts_with("naa."))
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    // Beyond ASCII the RFC has a Unicode profile that no initiator makes use of; such bytes pass as
    // they are.
    return is_letter_or_digit(c) || c == '-' || c == '.' || c == ':' || c == '_' || (c & 0x80) != 0;
  });
}

std::string printable(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr std::size_t kMaxShown = 256;
  std::string out;
  for (const char c : text.substr(0, kMaxShown)) {
    if (c >= 0x20 && c < 0x7F && c != '\\') {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.append("\\x").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 0xF]);
    }
  }
  if (text.size() > kMaxShown) out += "...";
  return out;
}

}  // namespace iscsi
