// Where a server listens: prepared as a whole, or not at all.
#include "vtl/daemon/listeners.h"

#include <catch2/catch.hpp>

using namespace vtl;
using namespace vtl::daemon;

TEST_CASE("addresses that cannot be had change nothing, now or at the next change") {
  net::Loop loop;
  net::Sockets sockets(loop);
  Listeners listeners(loop, sockets, [](std::string, std::string) { return nullptr; });
  const config::Endpoint free{"127.0.0.1", 0, false, true};
  const config::Endpoint nobodys{"192.0.2.1", 3260, false, false};  // RFC 5737: no machine's
  REQUIRE(listeners.prepare({free}).empty());
  listeners.switch_over();
  const auto before = listeners.addresses();
  REQUIRE(before.size() == 1);

  const auto problems = listeners.prepare({nobodys});
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].find("cannot listen on 192.0.2.1:3260") != std::string::npos);
  listeners.switch_over();
  CHECK(listeners.addresses() == before);

  const config::Endpoint ipv6{"::1", 0, true, true};
  REQUIRE(listeners.prepare({ipv6}).empty());
  CHECK(listeners.addresses() == before);
  listeners.switch_over();
  REQUIRE(listeners.addresses().size() == 1);
  CHECK(listeners.addresses()[0].starts_with("[::1]:"));
}

TEST_CASE("beside an address a host is told those by which it may come as well") {
  net::Loop loop;
  net::Sockets sockets(loop);
  Listeners listeners(loop, sockets, [](std::string, std::string) { return nullptr; });
  REQUIRE(listeners
              .prepare({{"127.0.0.1", 0, false, true},
                        {"::1", 0, true, true},
                        {"0.0.0.0", 0, false, false},
                        {"::", 0, true, false}})
              .empty());
  CHECK(listeners.beside("127.0.0.1:1").empty());  // not yet
  listeners.switch_over();
  const auto all = listeners.addresses();
  REQUIRE(all.size() == 4);
  CHECK(listeners.beside(all[0]) == std::vector<std::string>{all[1]});
  CHECK(listeners.beside(all[1]) == std::vector<std::string>{all[0]});
  CHECK(listeners.beside("127.0.0.2:1") == std::vector<std::string>{all[0], all[1]});
  CHECK(listeners.beside("192.0.2.1:3260").empty());  // from elsewhere: of no use there
}
