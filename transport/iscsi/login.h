// The login phase of one connection (RFC 7143 6.3): stages, authentication, negotiation.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "auth/chap.h"
#include "transport/iscsi/params.h"
#include "transport/iscsi/pdu.h"
#include "transport/iscsi/portal_state.h"

namespace iscsi {

// Class and detail of a Login Response (RFC 7143 11.13.5).
enum class LoginStatus : std::uint16_t {
  kSuccess = 0x0000,
  kInitiatorError = 0x0200,
  kAuthenticationFailure = 0x0201,
  kAuthorizationFailure = 0x0202,
  kNotFound = 0x0203,
  kUnsupportedVersion = 0x0205,
  kTooManyConnections = 0x0206,
  kMissingParameter = 0x0207,
  kSessionTypeNotSupported = 0x0209,
  kSessionDoesNotExist = 0x020A,
  kInvalidRequest = 0x020B,
  kTargetError = 0x0300,
  kServiceUnavailable = 0x0301,
  kOutOfResources = 0x0302,
};

// Who wants which session with whom; settled by the first request.
struct LoginIdentity {
  std::string initiator;                // folded case
  const TargetEntry* target = nullptr;  // nullptr: a discovery session
  Isid isid{};
  std::uint16_t tsih = 0;  // 0: a new session
  std::uint16_t connection_id = 0;
  std::uint32_t first_cmd_sn = 0;
  std::string user;  // that it has proved to be by CHAP; empty: nobody asked
};

// Takes one Login Request after the other and makes the response to each. It decides nothing about
// other sessions: when it says kComplete, the connection establishes the session, sets the TSIH and
// sends the last response.
class Login {
 public:
  // `host`: where it comes from.
  Login(Portal::State& portal, std::string host);

  enum class Progress { kMore, kComplete, kFailed };
  struct Result {
    Progress progress = Progress::kMore;
    LoginResponse response;  // without numbers
    std::string text;
    std::string reason;  // kFailed: why, for the log
    Limit limit = Limit::kBadLogin;
  };
  Result receive(const LoginRequest& request, scsi::Bytes data);

  // What a failure at this point looks like: also for what only the connection knows.
  static Result failure(const LoginRequest& request, LoginStatus status, std::string reason);

  const LoginIdentity& identity() const { return identity_; }
  // The initiator has proved itself, and not merely been let in.
  bool proved() const { return chap_ != nullptr && authenticated_; }
  // The account that it named, if there is one.
  std::string account() const { return chap_ ? chap_->account() : std::string(); }
  const Parameters& parameters() const { return negotiation_.parameters(); }

  static constexpr std::size_t kMaxRounds = 32;

 private:
  struct Failure {
    LoginStatus status;
    std::string reason;
    std::optional<Limit> limit = {};  // if it is none that goes with the status
  };
  using Check = std::optional<Failure>;

  Check check_header(const LoginRequest& request);
  Check identify(const LoginRequest& request, const std::vector<KeyValue>& pairs);
  Check answer(const LoginRequest& request, const std::vector<KeyValue>& pairs);
  Check security(const std::vector<KeyValue>& chap_keys, const std::string* method, bool transit);

  Portal::State& portal_;
  const std::string host_;
  const std::shared_ptr<const auth::AccessPolicy> access_;
  LoginIdentity identity_;
  const auth::AccessRule* rule_ = nullptr;
  Negotiation negotiation_;
  std::unique_ptr<auth::ChapTarget> chap_;
  bool authenticated_ = false;
  std::set<std::string, std::less<>> security_keys_;
  std::vector<KeyValue> answers_;

  std::optional<LoginRequest> first_;
  Stage stage_ = Stage::kSecurity;
  std::size_t rounds_ = 0;
  std::string text_;  // of the request so far: it may come in several PDUs
  bool identified_ = false;
};

}  // namespace iscsi
