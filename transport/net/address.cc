#include "transport/net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <array>
#include <charconv>
#include <cstring>

namespace net {
namespace {

sockaddr_in as_v4(const sockaddr_storage& storage) {
  sockaddr_in out{};
  std::memcpy(&out, &storage, sizeof out);
  return out;
}

sockaddr_in6 as_v6(const sockaddr_storage& storage) {
  sockaddr_in6 out{};
  std::memcpy(&out, &storage, sizeof out);
  return out;
}

std::optional<in_addr> mapped_v4(const sockaddr_storage& storage) {
  const sockaddr_in6 v6 = as_v6(storage);
  if (!IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) return std::nullopt;
  in_addr out{};
  std::memcpy(&out, &v6.sin6_addr.s6_addr[12], sizeof out);
  return out;
}

}  // namespace

std::optional<Address> Address::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view port_text = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc() || end != port_text.data() + port_text.size()) return std::nullopt;

  std::string_view host_text = text.substr(0, colon);
  Address out;
  if (host_text.size() > 2 && host_text.front() == '[' && host_text.back() == ']') {
    std::string host(host_text.substr(1, host_text.size() - 2));
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    if (const std::size_t percent = host.find('%'); percent != std::string::npos) {
      v6.sin6_scope_id = if_nametoindex(host.c_str() + percent + 1);
      if (v6.sin6_scope_id == 0) return std::nullopt;
      host.resize(percent);
    }
    if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) != 1) return std::nullopt;
    std::memcpy(&out.storage, &v6, sizeof v6);
    out.length = sizeof v6;
    return out;
  }
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  if (inet_pton(AF_INET, std::string(host_text).c_str(), &v4.sin_addr) != 1) return std::nullopt;
  std::memcpy(&out.storage, &v4, sizeof v4);
  out.length = sizeof v4;
  return out;
}

bool Address::loopback() const {
  const auto v4_loopback = [](in_addr address) { return ntohl(address.s_addr) >> 24 == 127; };
  if (family() == AF_INET) return v4_loopback(as_v4(storage).sin_addr);
  if (const auto v4 = mapped_v4(storage)) return v4_loopback(*v4);
  const sockaddr_in6 v6 = as_v6(storage);
  return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

std::string Address::host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (family() == AF_INET) {
    const sockaddr_in v4 = as_v4(storage);
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  } else if (const auto v4 = mapped_v4(storage)) {
    inet_ntop(AF_INET, &*v4, text.data(), text.size());
  } else {
    const sockaddr_in6 v6 = as_v6(storage);
    inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  }
  return text.data();
}

std::uint16_t Address::port() const {
  return ntohs(family() == AF_INET ? as_v4(storage).sin_port : as_v6(storage).sin6_port);
}

std::string Address::to_string() const {
  const std::string name = host();
  const bool v6 = name.find(':') != std::string::npos;
  return (v6 ? "[" + name + "]" : name) + ":" + std::to_string(port());
}

}  // namespace net
