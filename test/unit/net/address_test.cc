#include "transport/net/address.h"

#include <catch2/catch.hpp>

using net::Address;

TEST_CASE("addresses are written as they are read") {
  for (const char* text : {"127.0.0.1:3260", "0.0.0.0:0", "192.0.2.1:65535", "[::1]:3260", "[::]:1",
                           "[2001:db8::1]:3260"}) {
    const auto address = Address::parse(text);
    REQUIRE(address.has_value());
    CHECK(address->to_string() == text);
  }
}

TEST_CASE("what is no address is refused") {
  for (const char* text : {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                           "127.0.0.1:3260x", "127.0.0:1", "localhost:3260", "::1:3260", "[::1]",
                           "[]:3260", "[127.0.0.1]:1", "[::1%nosuchdevice]:1"}) {
    CAPTURE(text);
    CHECK(!Address::parse(text).has_value());
  }
}

TEST_CASE("loopback, and IPv4 inside of IPv6") {
  CHECK(Address::parse("127.1.2.3:1")->loopback());
  CHECK(Address::parse("[::1]:1")->loopback());
  CHECK(Address::parse("[::ffff:127.0.0.1]:1")->loopback());
  CHECK(!Address::parse("128.0.0.1:1")->loopback());
  CHECK(!Address::parse("[::]:1")->loopback());
  CHECK(Address::parse("[::ffff:192.0.2.9]:7")->to_string() == "192.0.2.9:7");
  CHECK(Address::parse("[::ffff:192.0.2.9]:7")->host() == "192.0.2.9");
}
