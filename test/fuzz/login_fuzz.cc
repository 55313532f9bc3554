// Login: any sequence of requests, with CHAP required: nobody gets in who does not know the secret,
// and nothing is left.
//
// Input: requests separated by FFh; of each the first two bytes are bytes 1 (T, C, CSG, NSG) and 15
// (TSIH) of the header, the rest is text in which '\n' stands for NUL.
#include <algorithm>
#include <cstdint>

#include "fuzz_world.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auth::AccessPolicy policy;
  policy.any_target.accounts.push_back({"alice", auth::Secret("secret-of-alice")});
  policy.any_target.mutual = auth::Account{"library", auth::Secret("secret-library1")};
  policy.discovery = policy.any_target;
  fuzz::World world(policy);
  {
    fuzz::Peer peer(world);
    const std::uint8_t* const end = data + size;
    while (data < end && !peer.connection->wants_close()) {
      const std::uint8_t* const stop = std::find(data, end, std::uint8_t{0xFF});
      iscsi::Header header{};
      header[0] = std::byte{0x43};
      if (data < stop) header[1] = std::byte{*data++};
      if (data < stop) header[15] = std::byte{*data++};
      std::vector<std::byte> text;
      for (; data < stop; ++data) text.push_back(*data == '\n' ? std::byte{0} : std::byte{*data});
      if (text.size() > 9000) text.resize(9000);
      peer.write(fuzz::pdu_bytes(header, text));
      if (data < end) ++data;
    }
    if (!world.portal->sessions().empty()) std::abort();
    peer.pass(std::chrono::seconds(30));
    if (!peer.connection->wants_close()) std::abort();  // a login ends, one way or the other
  }
  if (world.pool.lent_bytes() != 0) std::abort();
  return 0;
}
