#include <fmt/format.h>

#include <set>

#include "test/sim/hosts.h"
#include "test/sim/world.h"
#include "transport/iscsi/text.h"

namespace sim {

Caller::Caller(World& world) : Host(world, drive_target(0), 90) {}

bool Caller::wants_line() { return !world_.calm() && world_.random().chance(20); }

void Caller::disguise(InitiatorOptions& options) {
  kind_ = static_cast<Kind>(world_.random().below(6));
  options.name = kName;
  options.discovery = kind_ == Kind::kDiscovery || kind_ == Kind::kBlindDiscovery;
  if (kind_ == Kind::kNoSecret || kind_ == Kind::kBlindDiscovery) options.chap.reset();
  if (kind_ == Kind::kWrongSecret) options.chap->secret[0] ^= 1;
  if (kind_ == Kind::kUnknownUser) options.chap->user += '1';
}

void Caller::call() {
  if (kind_ != Kind::kNoLogin) return Host::call();
  ++world_.count().logins_refused;
  Cdb rewind{};
  rewind[0] = std::byte{0x01};
  initiator_->command(rewind, 0, {}, [](const Answer&) {
    broken("a command of somebody who has not logged in was answered");
  });
}

void Caller::login_ended(std::uint16_t status) {
  constexpr std::uint16_t kAuthenticationFailure = 0x0201;
  if (kind_ == Kind::kDiscovery) return Host::login_ended(status);
  check(status == kAuthenticationFailure,
        fmt::format("somebody without the secret is told {:04x}", status));
  ++world_.count().logins_refused;
}

bool Caller::act_online() {
  if (asked_ || !initiator_->may_send()) return false;
  if (heard_list_) {
    initiator_->logout();
    return true;
  }
  asked_ = true;
  initiator_->send_targets([this](const std::string& text) {
    const auto pairs = iscsi::parse_text(text);
    check(pairs.has_value(), "a list of targets that cannot be read");
    std::set<std::string> names, expected = {kChangerTarget};
    for (std::size_t i = 0; i < world_.swarm().drives; ++i) expected.insert(drive_target(i));
    if (world_.swarm().claims) expected.insert(kClaimedTarget);
    for (const auto& [key, value] : *pairs)
      key == "TargetName" ? void(names.insert(value))
                          : check(key == "TargetAddress" && value == "192.0.2.1:3260,1",
                                  "a target elsewhere: " + value);
    check(names == expected && pairs->size() == 2 * names.size(), "not the targets there are");
    asked_ = false;
    heard_list_ = true;
    ++world_.count().discoveries;
  });
  return true;
}

}  // namespace sim
