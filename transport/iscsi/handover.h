// A connection between two portals: several portals may share the targets of one group, each on a
// loop of its own. All log in at the portal that accepts, which therefore knows everything that
// limits and authentication want to know; whoever has logged in to a target of another portal goes
// there as values, before a session exists.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "transport/iscsi/login.h"

namespace iscsi {

// A login that has ended well and is not answered yet. No pointer into the portal that it leaves.
struct Handover {
  std::size_t portal = 0;  // that has the target
  std::uint64_t id = 0;    // under which the portal that it leaves goes on counting it
  std::string local_address, peer_address;
  std::vector<std::string> other_addresses;
  std::string target;
  LoginIdentity identity;  // without its target
  Parameters parameters;
  LoginRequest request;  // the last one, and its response
  Login::Result result;
  std::uint32_t stat_sn = 0;
  std::vector<std::byte> received;  // what came after the last request
};

// What the portal that accepted a connection is told of it afterwards.
enum class Elsewhere { kSessionEnded, kGone };

}  // namespace iscsi
