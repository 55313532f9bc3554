#include "vtl/daemon/reload.h"

#include <fmt/format.h>

#include <utility>

#include "vtl/daemon/log.h"
#include "vtl/daemon/settings.h"

namespace vtl::daemon {
namespace {

Answer refused(const std::vector<std::string>& problems) {
  for (const std::string& problem : problems) log_error("reload: " + problem);
  log_error("reload: nothing was changed");
  return {
      409,
      {{"error", "the configuration is not right; nothing was changed"}, {"problems", problems}}};
}

nlohmann::json description(const std::vector<iscsi::Portal::SessionInfo>& sessions) {
  auto out = nlohmann::json::array();
  for (const auto& session : sessions)
    out.push_back({{"target", session.target},
                   {"initiator", session.initiator},
                   {"address", session.peer_address}});
  return out;
}

}  // namespace

Reload::Reload(DataDirectory& directory, Executor& executor, DeviceLoops& loops,
               Listeners& listeners, std::function<void(config::Config&)> override_config)
    : directory_(directory),
      executor_(executor),
      loops_(loops),
      listeners_(listeners),
      override_(std::move(override_config)) {}

void Reload::run(bool end_sessions, scsi::Done<Answer> done) {
  waiting_.push_back({end_sessions, std::move(done)});
  if (!running_) next();
}

void Reload::next() {
  running_ = !waiting_.empty();
  if (!running_) return;
  const bool end_sessions = waiting_.front().end_sessions;
  scsi::Done<Answer> done = [this,
                             answer = std::move(waiting_.front().done)](Answer given) mutable {
    answer(std::move(given));
    next();
  };
  waiting_.pop_front();
  const Strand strand = executor_.make_strand("reload");
  auto checked = std::make_shared<CheckedConfig>();
  executor_.submit(
      strand, [checked, path = directory_.path] { *checked = check_config(path); },
      [this, checked, strand, end_sessions, done = std::move(done)]() mutable {
        executor_.close_strand(strand);
        apply(std::move(*checked), end_sessions, std::move(done));
      });
}

void Reload::apply(CheckedConfig checked, bool end_sessions, scsi::Done<Answer> done) {
  if (!checked.config) return done(refused(checked.problems.errors));
  config::Config& config = *checked.config;
  std::vector<std::string> restart;
  const std::vector<config::Endpoint> in_file = config.listen;
  override_(config);
  if (config.listen != in_file)
    restart.push_back("listen does not count: the server was started with --listen");
  if (const auto problems = config::check_listen(config); !problems.empty())
    return done(refused(problems));
  if (const auto problems = listeners_.prepare(config.listen); !problems.empty())
    return done(refused(problems));

  // From here on nothing fails.
  for (const std::string& warning : checked.problems.warnings) log_warning(warning);
  for (std::string& change : config::changes_for_restart(directory_.config, config))
    restart.push_back(std::move(change));
  for (const std::string& change : restart) log_warning("reload: " + change);
  std::vector<std::string> changed = take_over(config);
  loops_.set_access(
      std::make_shared<const auth::AccessPolicy>(access_policy(config)), end_sessions,
      [this, end_sessions, restart = std::move(restart), changed = std::move(changed),
       warnings = std::move(checked.problems.warnings),
       done = std::move(done)](std::vector<iscsi::Portal::SessionInfo> strangers) mutable {
        listeners_.switch_over();
        for (const auto& session : strangers)
          log_warning(fmt::format(
              "{} at {} is logged in to {} and would not be let in any more: {}", session.initiator,
              session.peer_address, session.target,
              end_sessions ? "it is asked to log out"
                           : "its session goes on; \"vtl reload --end-sessions\" ends it"));
        std::string names;
        for (const std::string& name : changed) names += (names.empty() ? "" : ", ") + name;
        log_info("reload: " + (names.empty() ? "nothing is different" : names + " changed"));
        done({200,
              {{"changed", std::move(changed)},
               {"restart", std::move(restart)},
               {"warnings", std::move(warnings)},
               {"refused_sessions", description(strangers)},
               {"ended", end_sessions}}});
      });
}

std::vector<std::string> Reload::take_over(const config::Config& config) {
  std::vector<std::string> changed;
  config::Config& running = directory_.config;
  const auto take = [&](auto member, const char* name) {
    if (running.*member == config.*member) return;
    running.*member = config.*member;
    changed.emplace_back(name);
  };
  take(&config::Config::listen, "listen");
  take(&config::Config::allow_insecure_listen, "allow_insecure_listen");
  take(&config::Config::access, "access");
  take(&config::Config::log_level, "log.level");
  set_log_level(running.log_level);
  return changed;
}

}  // namespace vtl::daemon
