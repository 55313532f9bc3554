#include "vtl/daemon/manager.h"

#include <fmt/format.h>
#include <span>

#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "vtl/daemon/control.h"
#include "vtl/daemon/devices.h"
#include "vtl/daemon/log.h"
#include "vtl/daemon/scrubber.h"

namespace vtl::daemon {
namespace {

class RemoteManager final : public Manager {
 public:
  explicit RemoteManager(std::unique_ptr<ControlClient> client) : client_(std::move(client)) {}
  std::variant<Answer, std::string> call(Request request) override {
    return client_->call(request);
  }

 private:
  std::unique_ptr<ControlClient> client_;
};

std::vector<std::unique_ptr<DriveBay>> parked_bays(std::span<const config::Drive> drives) {
  std::vector<std::unique_ptr<DriveBay>> bays;
  for (const config::Drive& drive : drives)
    bays.push_back(std::make_unique<ParkedBay>(drive.generation));
  return bays;
}

// The loop runs only inside of the calls; jobs run on their strands in between.
class LocalManager final : public Manager {
 public:
  explicit LocalManager(DataDirectory directory)
      : directory_(std::move(directory)),
        room_(loop_, directory_, parked_bays(directory_.config.library.drives), {},
              [this](std::string_view text) { told_.emplace_back(text); }),
        management_({directory_.config,
                     room_.library,
                     *room_.files,
                     *room_.executor,
                     room_.trash,
                     room_.alerts,
                     room_.scrub_log,
                     room_.pool_path,
                     [this](config::Growth growth, scsi::Done<Outcome> done) {
                       grow(std::move(growth), std::move(done));
                     },
                     {},
                     {},
                     {},
                     {}}) {}
  ~LocalManager() override {
    loop_.post(
        [this] { management_.close([this] { room_.library.close([this] { loop_.stop(); }); }); });
    loop_.run();
    if (room_.scrub_log.changed())
      (void)ScrubLog::write(*room_.files, room_.scrub_log_path, room_.scrub_log.text());
  }

  // Empty, or what is wrong with the library. One warning, however many cartridges want attention:
  // `library alerts` tells of each.
  std::string open(std::vector<std::string>& warnings) {
    std::string error;
    loop_.post([&] {
      room_.library.open([&](Outcome outcome) {
        error = std::move(outcome.error);
        loop_.stop();
      });
    });
    loop_.run();
    if (!error.empty()) return error;
    if (told_.size() == 1) warnings.push_back(told_.front());
    if (told_.size() > 1)
      warnings.push_back(fmt::format("{}; and {} more: \"vtl library alerts\" lists them",
                                     told_.front(), told_.size() - 1));
    raise_damage(room_.alerts, room_.scrub_log, room_.library);
    return error;
  }

  std::variant<Answer, std::string> call(Request request) override {
    std::optional<Answer> answer;
    loop_.post([&, request = std::move(request)]() mutable {
      management_.handle(std::move(request), [&](Answer given) {
        answer = std::move(given);
        loop_.stop();
      });
    });
    loop_.run();
    return std::move(*answer);
  }

 private:
  void grow(config::Growth growth, scsi::Done<Outcome> done) {
    const std::size_t drives = growth.drives.size();
    grow_config(directory_, *room_.files, *room_.executor, std::move(growth),
                [this, drives, done = std::move(done)](std::string error) mutable {
                  if (!error.empty()) return done(Outcome{std::move(error)});
                  room_.grow(directory_.config.library,
                             parked_bays(std::span(directory_.config.library.drives).last(drives)),
                             std::vector<Executor*>(drives, room_.executor.get()), std::move(done));
                });
  }

  DataDirectory directory_;
  net::Loop loop_;
  // By alerts. After the opening nobody listens: what a command finds, it prints itself.
  std::vector<std::string> told_;
  LibraryRoom room_;
  Management management_;
};

}  // namespace

Manager::Opened Manager::open(const std::string& data_directory,
                              std::chrono::milliseconds patience) {
  OpenedDirectory opened;
  const auto limit = std::chrono::steady_clock::now() + patience;
  for (;;) {
    if (auto client = ControlClient::connect(data_directory)) {
      return {std::make_unique<RemoteManager>(std::move(client)), {}};
    }
    opened = open_data_directory(data_directory);
    // In use, and no server answers: another command, or a server that starts or stops.
    if (opened.problems.code != kExitInUse || opened.pool_in_use ||
        std::chrono::steady_clock::now() >= limit)
      break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  if (!opened.directory) return {nullptr, std::move(opened.problems)};
  start_command_log();
  auto manager = std::make_unique<LocalManager>(std::move(*opened.directory));
  if (std::string error = manager->open(opened.problems.warnings); !error.empty()) {
    opened.problems.code = kExitFailed;
    opened.problems.errors.push_back(std::move(error));
    return {nullptr, std::move(opened.problems)};
  }
  return {std::move(manager), std::move(opened.problems)};
}

}  // namespace vtl::daemon
