#include "vtl/daemon/listeners.h"

#include <algorithm>
#include <utility>

#include "vtl/daemon/log.h"

namespace vtl::daemon {

Listeners::Listeners(net::Loop& loop, net::Sockets& sockets, net::Listener::Accept accept)
    : loop_(loop), sockets_(sockets), accept_(std::move(accept)) {}

std::vector<std::string> Listeners::prepare(const std::vector<config::Endpoint>& endpoints) {
  std::vector<std::string> errors;
  prepared_.clear();
  std::vector<net::Listener*> leaving;
  for (const One& one : open_)
    if (std::find(endpoints.begin(), endpoints.end(), one.endpoint) == endpoints.end())
      leaving.push_back(one.listener.get());
  for (const config::Endpoint& endpoint : endpoints) {
    const bool held = std::any_of(open_.begin(), open_.end(),
                                  [&](const One& one) { return one.endpoint == endpoint; });
    if (held) continue;
    const auto address = net::Address::parse(to_string(endpoint));
    if (!address) {
      errors.push_back("cannot listen on " + to_string(endpoint) +
                       ": not an address of this machine");
      continue;
    }
    // Beside an IPv4 address of the same port, IPv6 keeps to itself.
    const bool ipv6_only =
        endpoint.ipv6 && std::any_of(endpoints.begin(), endpoints.end(), [&](const auto& other) {
          return !other.ipv6 && other.port == endpoint.port;
        });
    auto listener = std::make_unique<net::Listener>(loop_, sockets_, accept_);
    if (std::string error = listener->open(*address, ipv6_only, leaving); !error.empty()) {
      errors.push_back(std::move(error));
      continue;
    }
    prepared_.push_back({endpoint, std::move(listener)});
  }
  if (errors.empty())
    wanted_ = endpoints;
  else
    prepared_.clear();
  return errors;
}

void Listeners::switch_over() {
  if (stopped_) return;
  for (One& one : prepared_) {
    one.listener->start();
    log_info("listening on " + one.listener->address().to_string());
  }
  std::erase_if(open_, [this](const One& one) {
    const bool goes = std::find(wanted_.begin(), wanted_.end(), one.endpoint) == wanted_.end();
    if (goes) log_info("no longer listening on " + one.listener->address().to_string());
    return goes;
  });
  std::move(prepared_.begin(), prepared_.end(), std::back_inserter(open_));
  prepared_.clear();
}

void Listeners::stop_accepting() {
  stopped_ = true;
  prepared_.clear();
  for (const One& one : open_) one.listener->stop_accepting();
}

std::vector<std::string> Listeners::addresses() const {
  std::vector<std::string> out;
  for (const One& one : open_) out.push_back(one.listener->address().to_string());
  return out;
}

std::vector<std::string> Listeners::beside(const std::string& address) const {
  const auto asked = net::Address::parse(address);
  std::vector<std::string> out;
  for (const One& one : open_) {
    const net::Address here = one.listener->address();
    if (here.host() == "0.0.0.0" || here.host() == "::") continue;
    if (here.loopback() && !(asked && asked->loopback())) continue;
    if (here.to_string() != address) out.push_back(here.to_string());
  }
  return out;
}

}  // namespace vtl::daemon
