// What Management's source files share. Private to vtl/daemon.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vtl/daemon/log.h"
#include "vtl/daemon/management.h"
#include "vtl/daemon/management_jobs.h"

namespace vtl::daemon {

struct Management::Impl {
  using json = nlohmann::json;
  using Done = scsi::Done<Answer>;

  explicit Impl(ManagementParts given)
      : parts(std::move(given)), jobs(parts.executor, parts.wanted), job_requests(parts, jobs) {}

  struct Call {
    std::string argument;  // what stood for the pattern's '*'
    json body;
    Done done;
  };
  struct Route {
    std::string_view method;
    std::string_view pattern;
    void (Impl::*handler)(Call&&);
  };
  static const Route kRoutes[];

  // --- management.cc: the server, the library, alerts, jobs
  void show_server(Call&& call);
  void reload(Call&& call);
  void show_library(Call&& call);
  void change_library(Call&& call);
  json library_with(std::vector<json> drives) const;
  json describe_drive(std::size_t index) const;  // who it is
  void list_alerts(Call&& call);
  void clear_alerts(Call&& call);
  void list_jobs(Call&& call);
  void show_job(Call&& call);
  void cancel_job(Call&& call);
  void verify(Call&& call);
  void repair(Call&& call);
  void import_cartridge(Call&& call);
  void export_cartridge(Call&& call);

  // --- management_cartridges.cc: cartridges, and where they lie
  void list_cartridges(Call&& call);
  void show_cartridge(Call&& call);
  void create_cartridges(Call&& call);
  void change_cartridge(Call&& call);
  void delete_cartridge(Call&& call);
  void move(Call&& call);
  // Reads one label after the other: each is a turn of the library's strand, so that moves get in
  // between.
  void list_from(std::shared_ptr<std::vector<Placement>> all, json out, Done done);
  // For an operation of the library: `status` and `body`, or 409 with its reason. What was done,
  // and that it was done for a person, is logged by a server; a command without one says so itself.
  scsi::Done<Outcome> answer_outcome(Done done, int status, json body, std::string done_text);
  void log_done(const std::string& text) const {
    if (parts.server) log_info(text + ", for a command");
  }
  void move_from_outside(const std::string& barcode, const std::string& destination, Done done);
  json moved(std::string_view barcode) const;

  ManagementParts parts;
  Jobs jobs;
  JobRequests job_requests;
  bool growing = false;
  bool closing = false;
};

}  // namespace vtl::daemon
