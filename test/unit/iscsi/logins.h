// Policies, accounts and first requests of a login, and what is checked of every refusal.
#pragma once

#include "world.h"

namespace iscsi::test {

inline auth::AccessPolicy chap_policy(bool mutual = false) {
  auth::AccessPolicy policy;
  policy.any_target.accounts.push_back({"alice", auth::Secret("secret-of-alice")});
  if (mutual) policy.any_target.mutual = auth::Account{"library", auth::Secret("secret-library1")};
  return policy;
}

inline LoginOptions alice() {
  LoginOptions options;
  options.user = "alice";
  options.secret = "secret-of-alice";
  return options;
}

inline const std::vector<KeyValue> kNames = {
    {"InitiatorName", kInitiatorName}, {"SessionType", "Normal"}, {"TargetName", kDrive}};

inline std::vector<KeyValue> names_and(std::vector<KeyValue> more) {
  auto all = kNames;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// A failed login: the status, T=0, and the connection closes when that has been sent.
inline void check_refused(ScriptedInitiator& i, const Received& response, std::uint16_t status) {
  const LoginResponse login = response.as<LoginResponse>();
  CHECK(login.status == status);
  CHECK(!login.transit);
  CHECK(login.next == Stage::kSecurity);
  CHECK(login.tsih == 0);
  CHECK(i.closed());
}

inline Received first_request(ScriptedInitiator& i, LoginRequest request, const std::string& text) {
  request.task_tag = 1;
  i.send(request.encode(), scsi::as_bytes(text));
  i.pass(5s);  // authentication failures take their time
  return i.expect(Opcode::kLoginResponse);
}

}  // namespace iscsi::test
