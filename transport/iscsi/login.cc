#include "transport/iscsi/login.h"

#include <algorithm>

namespace iscsi {
namespace {

const std::string* value_of(const std::vector<KeyValue>& pairs, std::string_view key) {
  const auto found =
      std::find_if(pairs.begin(), pairs.end(), [&](const KeyValue& p) { return p.first == key; });
  return found == pairs.end() ? nullptr : &found->second;
}

bool in_list(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (list.substr(0, comma) == item) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

}  // namespace

Login::Login(Portal::State& portal, std::string host)
    : portal_(portal),
      host_(std::move(host)),
      access_(portal.access),
      negotiation_(portal.options) {}

namespace {

Limit limit_of(LoginStatus status) {
  switch (status) {
    case LoginStatus::kAuthenticationFailure:
      return Limit::kAuthentication;
    case LoginStatus::kAuthorizationFailure:
    case LoginStatus::kNotFound:
      return Limit::kNotAllowed;
    case LoginStatus::kServiceUnavailable:
      return Limit::kInUse;
    default:
      return Limit::kBadLogin;
  }
}

}  // namespace

Login::Result Login::failure(const LoginRequest& request, LoginStatus status, std::string reason) {
  Result result;
  result.progress = Progress::kFailed;
  result.response.current = request.current == Stage::kInvalid ? Stage::kSecurity : request.current;
  result.response.isid = request.isid;
  result.response.tsih = 0;
  result.response.task_tag = request.task_tag;
  result.response.status = static_cast<std::uint16_t>(status);
  result.reason = std::move(reason);
  result.limit = limit_of(status);
  return result;
}

Login::Result Login::receive(const LoginRequest& request, scsi::Bytes data) {
  const auto fail = [&](const Failure& f) {
    Result result = failure(request, f.status, f.reason);
    if (f.limit) result.limit = *f.limit;
    return result;
  };
  const auto invalid = [&](const char* reason) {
    return failure(request, LoginStatus::kInvalidRequest, reason);
  };
  if (auto bad = check_header(request)) return fail(*bad);
  // Nobody gets in by rules that do not hold any more.
  if (access_ != portal_.access)
    return failure(request, LoginStatus::kServiceUnavailable,
                   "who may log in has been changed meanwhile; the next login meets the new rules");
  const auto too_much = [&](const char* reason) {
    return fail({LoginStatus::kInvalidRequest, reason, Limit::kLoginText});
  };
  if (++rounds_ > kMaxRounds) return too_much("the login takes too many requests");
  if (text_.size() + data.size() > portal_.options.max_text_bytes)
    return too_much("the login's text is too long");
  text_.append(scsi::as_text(data));

  Result result;
  result.response.current = request.current;
  result.response.isid = request.isid;
  result.response.task_tag = request.task_tag;
  if (request.more) return result;  // RFC 7143 6.2: an empty response fetches the rest

  const auto pairs = parse_text(text_);
  text_.clear();
  if (!pairs) return invalid("the login's text is malformed");
  answers_.clear();
  if (!identified_) {
    if (auto bad = identify(request, *pairs)) return fail(*bad);
    identified_ = true;
  }
  if (auto bad = answer(request, *pairs)) return fail(*bad);
  for (const auto& [key, value] : answers_) append_text(result.text, key, value);
  if (result.text.size() > kLoginDataLimit) return invalid("the answers would be too long");

  if (request.transit && authenticated_) {
    result.response.transit = true;
    result.response.next = request.next;
    stage_ = request.next;
    if (stage_ == Stage::kFullFeature) result.progress = Progress::kComplete;
  }
  return result;
}

Login::Check Login::check_header(const LoginRequest& request) {
  const auto invalid = [](const char* reason) {
    return Failure{LoginStatus::kInvalidRequest, reason};
  };
  if (request.version_min > 0)
    return Failure{LoginStatus::kUnsupportedVersion,
                   "the initiator wants a later version of iSCSI"};
  if (request.current != Stage::kSecurity && request.current != Stage::kOperational)
    return invalid("the request is in a stage that there is not");
  if (request.transit) {
    if (request.more) return invalid("the request has both T and C set");
    if (request.next == Stage::kInvalid || request.next <= request.current)
      return invalid("the request asks for a stage that does not follow");
  }
  if (!first_) {
    first_ = request;
    stage_ = request.current;
    identity_.isid = request.isid;
    identity_.tsih = request.tsih;
    identity_.connection_id = request.connection_id;
    identity_.first_cmd_sn = request.cmd_sn;
    return {};
  }
  if (request.isid != first_->isid || request.tsih != first_->tsih ||
      request.task_tag != first_->task_tag || request.connection_id != first_->connection_id)
    return invalid("ISID, TSIH, ITT or CID changed during the login");
  if (request.current != stage_) return invalid("the request is in another stage than the login");
  return {};
}

// The first whole request says who is there and what it wants (RFC 7143 6.3.1).
Login::Check Login::identify(const LoginRequest& request, const std::vector<KeyValue>& pairs) {
  const std::string* initiator = value_of(pairs, "InitiatorName");
  if (initiator == nullptr) return Failure{LoginStatus::kMissingParameter, "no InitiatorName"};
  identity_.initiator = auth::fold_case(*initiator);
  if (!valid_iscsi_name(identity_.initiator))
    return Failure{LoginStatus::kInvalidRequest, "InitiatorName is no iSCSI name"};

  const std::string* type = value_of(pairs, "SessionType");
  if (type != nullptr && *type != "Normal" && *type != "Discovery")
    return Failure{LoginStatus::kSessionTypeNotSupported, "unknown SessionType"};
  if (type != nullptr && *type == "Discovery") {
    rule_ = &access_->discovery;
    negotiation_.for_discovery();
    if (request.tsih != 0)
      return Failure{LoginStatus::kSessionDoesNotExist, "TSIH of a discovery session"};
  } else {
    const std::string* name = value_of(pairs, "TargetName");
    if (name == nullptr) return Failure{LoginStatus::kMissingParameter, "no TargetName"};
    identity_.target = portal_.find_target(auth::fold_case(*name));
    if (identity_.target == nullptr)
      return Failure{LoginStatus::kNotFound, "unknown target \"" + *name + "\""};
    rule_ = &access_->rule_for(identity_.target->name);
  }
  // Who may not use a target is not told that there is one: 0203, as for any other name. Discovery
  // is no secret: 0202.
  if (!rule_->allows(identity_.initiator, host_))
    return Failure{
        identity_.target != nullptr ? LoginStatus::kNotFound : LoginStatus::kAuthorizationFailure,
        "this initiator, or its address, is not among those allowed"};
  authenticated_ = !rule_->chap_required();

  if (identity_.target != nullptr) {
    // Microsoft's initiator stalls without it in the very first answer.
    answers_.emplace_back("TargetPortalGroupTag",
                          std::to_string(portal_.options.target_portal_group_tag));
    if (!identity_.target->alias.empty())
      answers_.emplace_back("TargetAlias", identity_.target->alias);
  }
  return {};
}

Login::Check Login::answer(const LoginRequest& request, const std::vector<KeyValue>& pairs) {
  const Failure invalid{LoginStatus::kInvalidRequest, "a key is malformed or comes twice"};
  std::vector<KeyValue> chap_keys;
  const std::string* method = nullptr;
  for (const KeyValue& pair : pairs) {
    const bool chap = pair.first.starts_with("CHAP_");
    const bool method_offer = pair.first == "AuthMethod" && request.current == Stage::kSecurity;
    if (!chap && !method_offer) {
      if (negotiation_.receive(pair, true, answers_) == Negotiation::Verdict::kProtocolError)
        return invalid;
      continue;
    }
    // CHAP's values are checked by CHAP, whose errors are authentication failures.
    if (!security_keys_.insert(pair.first).second)
      return Failure{LoginStatus::kAuthenticationFailure, pair.first + " comes twice"};
    if (request.current != Stage::kSecurity)
      return Failure{LoginStatus::kAuthenticationFailure,
                     pair.first + " outside of the security stage"};
    if (chap) {
      chap_keys.push_back(pair);
    } else {
      method = &pair.second;
    }
  }
  negotiation_.end_request(answers_);

  if (request.current == Stage::kSecurity) {
    if (auto bad = security(chap_keys, method, request.transit)) return bad;
  } else {
    if (!authenticated_)
      return Failure{LoginStatus::kAuthenticationFailure, "CHAP is required and was skipped"};
    negotiation_.declare(answers_);
  }
  return {};
}

Login::Check Login::security(const std::vector<KeyValue>& chap_keys, const std::string* method,
                             bool transit) {
  const auto failed = [](std::string reason) {
    return Failure{LoginStatus::kAuthenticationFailure, std::move(reason)};
  };
  bool progress = false;
  if (method != nullptr) {
    const char* ours = rule_->chap_required() ? "CHAP" : "None";
    if (!in_list(*method, ours))
      return failed("no common AuthMethod: the initiator offers \"" + *method + "\", " + ours +
                    " is needed");
    answers_.emplace_back("AuthMethod", ours);
    if (rule_->chap_required())
      chap_ = std::make_unique<auth::ChapTarget>(*rule_, identity_.initiator, access_->algorithms,
                                                 portal_.challenges, portal_.random);
    progress = true;
  }
  if (!chap_keys.empty()) {
    if (!chap_ || authenticated_) return failed("CHAP keys where none are due");
    auto step = chap_->receive(chap_keys);
    if (step.progress != auth::ChapTarget::Progress::kMore &&
        portal_.failures.locked(host_, chap_->account(), portal_.now))
      return Failure{LoginStatus::kAuthenticationFailure,
                     "too many failed logins from this address, or with this account: it is locked "
                     "for a minute after the last",
                     Limit::kLockedOut};
    if (step.progress == auth::ChapTarget::Progress::kFailed) return failed(std::move(step.reason));
    answers_.insert(answers_.end(), step.keys.begin(), step.keys.end());
    if (step.progress == auth::ChapTarget::Progress::kDone) {
      authenticated_ = true;
      identity_.user = chap_->user();
    }
    progress = true;
  }
  // T=1 beside an offer only says that the initiator has no more to say (RFC 7143 appendix B does
  // it); T=1 with nothing is an attempt to walk past.
  if (transit && !authenticated_ && !progress)
    return failed("the initiator wants to leave the security stage without CHAP");
  return {};
}

}  // namespace iscsi
