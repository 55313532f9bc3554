// Addresses that are written as one: "192.0.2.0/24", "2001:db8::/32", or a single address.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace auth {

struct Network {
  std::array<std::uint8_t, 16> address{};  // IPv4 as ::ffff:a.b.c.d
  unsigned prefix_bits = 128;              // of these 16 bytes

  // Nothing unless it is a numeric address with or without "/BITS", and no bit beyond them is set.
  static std::optional<Network> parse(std::string_view text);
  // An address as text; an IPv4 address that was mapped into IPv6 is what it is. False of what is
  // none. The zone of a link-local one ("fe80::1%eth0") is passed over.
  bool contains(std::string_view address_text) const;
  friend bool operator==(const Network&, const Network&) = default;
};

// Whose an address is, as far as one can say: of an IPv6 address its /64 (RFC 4291 2.5.1), all of
// whose addresses one host can take; anything else as it is.
std::string owner_of(std::string_view address_text);

}  // namespace auth
