#include "auth/network.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace auth {
namespace {

constexpr unsigned kMappedBits = 96;  // RFC 4291 2.5.5.2: of ::ffff:0:0/96

struct Parsed {
  std::array<std::uint8_t, 16> bytes{};
  bool ipv4 = false;
};

std::optional<Parsed> parse_address(std::string_view text) {
  const std::string name(text.substr(0, text.find('%')));
  Parsed out;
  if (::inet_pton(AF_INET6, name.c_str(), out.bytes.data()) == 1) return out;
  out.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  out.ipv4 = true;
  if (::inet_pton(AF_INET, name.c_str(), out.bytes.data() + 12) == 1) return out;
  return {};
}

bool same_bits(const std::array<std::uint8_t, 16>& a, const std::array<std::uint8_t, 16>& b,
               unsigned bits) {
  const unsigned whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + whole, b.begin())) return false;
  return bits % 8 == 0 || ((a[whole] ^ b[whole]) >> (8 - bits % 8)) == 0;
}

}  // namespace

std::optional<Network> Network::parse(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  if (text.find('%') != std::string_view::npos) return {};
  const auto parsed = parse_address(text.substr(0, slash));
  if (!parsed) return {};
  Network out{parsed->bytes, 128};
  if (slash < text.size()) {
    unsigned bits = 0;
    const char* const end = text.data() + text.size();
    const auto [after, error] = std::from_chars(text.data() + slash + 1, end, bits);
    if (error != std::errc() || after != end || bits > (parsed->ipv4 ? 32u : 128u)) return {};
    out.prefix_bits = parsed->ipv4 ? kMappedBits + bits : bits;
  }
  std::array<std::uint8_t, 16> host = out.address;
  for (unsigned bit = 0; bit < out.prefix_bits; ++bit)
    host[bit / 8] = static_cast<std::uint8_t>(host[bit / 8] & ~(0x80u >> bit % 8));
  if (std::any_of(host.begin(), host.end(), [](std::uint8_t b) { return b != 0; })) return {};
  return out;
}

bool Network::contains(std::string_view address_text) const {
  const auto parsed = parse_address(address_text);
  return parsed && same_bits(address, parsed->bytes, prefix_bits);
}

std::string owner_of(std::string_view address_text) {
  auto parsed = parse_address(address_text);
  constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (!parsed || std::equal(kMapped.begin(), kMapped.end(), parsed->bytes.begin()))
    return std::string(address_text);
  std::fill(parsed->bytes.begin() + 8, parsed->bytes.end(), std::uint8_t{0});
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET6, parsed->bytes.data(), text.data(), text.size());
  return std::string(text.data()) + "/64";
}

}  // namespace auth
