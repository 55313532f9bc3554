// TCP endpoints as people write them: "192.0.2.1:3260", "[::1]:3260".
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace net {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  // Numeric only: "A.B.C.D:PORT" or "[V6]:PORT"; nothing if it is neither.
  static std::optional<Address> parse(std::string_view text);

  int family() const { return storage.ss_family; }
  // 127.0.0.0/8, ::1 and the former mapped into IPv6.
  bool loopback() const;
  // An IPv4 address that came in over an IPv6 socket (::ffff:a.b.c.d) is written as what it is.
  std::string host() const;
  std::uint16_t port() const;
  std::string to_string() const;  // SendTargets' form: "192.0.2.1:3260", "[::1]:3260"
};

}  // namespace net
