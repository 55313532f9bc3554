// PDUs that several tests send in full feature phase, and what is checked of every Reject.
#pragma once

#include "world.h"

namespace iscsi::test {

inline TaskManagementRequest manage(ScriptedInitiator& i, std::uint8_t function,
                                    std::uint32_t referenced = kReservedTag) {
  TaskManagementRequest pdu;
  pdu.immediate = true;
  pdu.function = function;
  pdu.task_tag = i.next_task_tag++;
  pdu.referenced_tag = referenced;
  pdu.cmd_sn = i.cmd_sn;
  pdu.ref_cmd_sn = i.cmd_sn - 1;
  return pdu;
}

inline RejectReason rejected(ScriptedInitiator& i, const Header& header, const Data& data = {},
                             const Data& ahs = {}) {
  i.send(header, data, ahs);
  const Received pdu = i.expect(Opcode::kReject);
  CHECK(task_tag_of(pdu.header) == kReservedTag);
  REQUIRE(pdu.data.size() == 48 + ahs.size());
  Header sent = header;
  if (!ahs.empty()) sent[4] = static_cast<std::byte>(ahs.size() / 4);
  if (!data.empty()) set_data_length(sent, static_cast<std::uint32_t>(data.size()));
  CHECK(std::equal(sent.begin(), sent.end(), pdu.data.begin()));
  return pdu.as<Reject>().reason;
}

inline NopOut nop(ScriptedInitiator& i, bool immediate = true) {
  NopOut pdu;
  pdu.immediate = immediate;
  pdu.task_tag = i.next_task_tag++;
  pdu.cmd_sn = immediate ? i.cmd_sn : i.cmd_sn++;
  return pdu;
}

inline LoginOptions discovery() {
  LoginOptions options;
  options.discovery = true;
  options.keys = {{"MaxRecvDataSegmentLength", "32768"}};
  return options;
}

inline std::unique_ptr<ScriptedInitiator> discover(World& world, LoginOptions options = discovery(),
                                                   const std::string& local = "192.0.2.1:3260") {
  auto i = world.connect("192.0.2.7:40000", local);
  REQUIRE(status_of(i->login(options)) == 0);
  return i;
}

}  // namespace iscsi::test
