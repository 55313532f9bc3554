#include "vtl/daemon/management.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "vtl/config/init.h"
#include "vtl/daemon/data_directory.h"
#include "vtl/daemon/describe.h"
#include "vtl/daemon/fields.h"
#include "vtl/daemon/management_impl.h"
#include "vtl/daemon/system.h"

namespace vtl::daemon {

using nlohmann::json;
using scsi::smc::ElementType;
using Done = scsi::Done<Answer>;

Answer failure(int status, std::string text) { return {status, {{"error", std::move(text)}}}; }

Answer no_cartridge(std::string_view barcode) {
  return failure(404, fmt::format("there is no cartridge {}", barcode));
}

namespace {

// Nothing if `path` is not of this pattern; what stands for its '*' otherwise.
std::optional<std::string> match(std::string_view pattern, std::string_view path) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) {
    if (pattern == path) return "";
    return std::nullopt;
  }
  const std::string_view head = pattern.substr(0, star);
  const std::string_view tail = pattern.substr(star + 1);
  if (path.size() <= head.size() + tail.size() || path.substr(0, head.size()) != head ||
      path.substr(path.size() - tail.size()) != tail) {
    return std::nullopt;
  }
  path.remove_prefix(head.size());
  path.remove_suffix(tail.size());
  if (path.find('/') != std::string_view::npos) return std::nullopt;
  return std::string(path);
}

std::optional<std::uint64_t> job_id(std::string_view text) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

}  // namespace

using Impl = Management::Impl;

const Impl::Route Impl::kRoutes[] = {
    {"GET", "/v1/server", &Impl::show_server},
    {"POST", "/v1/reload", &Impl::reload},
    {"GET", "/v1/library", &Impl::show_library},
    {"PATCH", "/v1/library", &Impl::change_library},
    {"POST", "/v1/moves", &Impl::move},
    {"GET", "/v1/cartridges", &Impl::list_cartridges},
    {"POST", "/v1/cartridges", &Impl::create_cartridges},
    {"GET", "/v1/cartridges/*", &Impl::show_cartridge},
    {"PATCH", "/v1/cartridges/*", &Impl::change_cartridge},
    {"DELETE", "/v1/cartridges/*", &Impl::delete_cartridge},
    {"POST", "/v1/cartridges/*/verify", &Impl::verify},
    {"POST", "/v1/cartridges/*/repair", &Impl::repair},
    {"POST", "/v1/cartridges/*/import", &Impl::import_cartridge},
    {"POST", "/v1/cartridges/*/export", &Impl::export_cartridge},
    {"GET", "/v1/alerts", &Impl::list_alerts},
    {"DELETE", "/v1/alerts", &Impl::clear_alerts},
    {"GET", "/v1/jobs", &Impl::list_jobs},
    {"GET", "/v1/jobs/*", &Impl::show_job},
    {"DELETE", "/v1/jobs/*", &Impl::cancel_job},
};

Management::Management(ManagementParts parts) : impl_(std::make_unique<Impl>(std::move(parts))) {}
Management::~Management() = default;

void Management::handle(Request request, Done done) {
  if (impl_->closing) return done(failure(503, "the server is stopping"));
  bool path_known = false;
  for (const Impl::Route& route : Impl::kRoutes) {
    const auto argument = match(route.pattern, request.path);
    if (!argument) continue;
    path_known = true;
    if (route.method != request.method) continue;
    Impl::Call call{*argument, std::move(request.body), std::move(done)};
    return (impl_.get()->*route.handler)(std::move(call));
  }
  done(path_known ? failure(405, "this resource has no such method")
                  : failure(404, "there is no such resource"));
}

bool Management::works_on(const std::string& barcode) const { return impl_->jobs.busy(barcode); }

void Management::close(scsi::Callback done) {
  impl_->closing = true;
  impl_->jobs.close(std::move(done));
}

scsi::Done<Outcome> Impl::answer_outcome(Done done, int status, json body, std::string done_text) {
  return [this, done = std::move(done), status, body = std::move(body),
          done_text = std::move(done_text)](Outcome outcome) mutable {
    if (!outcome.ok()) return done(failure(409, std::move(outcome.error)));
    log_done(done_text);
    done({status, std::move(body)});
  };
}

void Impl::reload(Call&& call) {
  Fields fields(call.body);
  const bool end_sessions = fields.flag("end_sessions").value_or(false);
  if (const std::string problem = fields.problem(); !problem.empty())
    return call.done(failure(400, problem));
  if (!parts.reload) return call.done(failure(409, "no server runs on this directory"));
  parts.reload(end_sessions, std::move(call.done));
}

void Impl::show_server(Call&& call) {
  if (!parts.server) return call.done(failure(404, "no server runs on this directory"));
  parts.server([done = std::move(call.done)](json body) mutable { done({200, std::move(body)}); });
}

void Impl::show_library(Call&& call) {
  if (!parts.drives) return call.done({200, library_with({})});
  parts.drives([this, done = std::move(call.done)](std::vector<json> drives) mutable {
    done({200, library_with(std::move(drives))});
  });
}

json Impl::library_with(std::vector<json> drives) const {
  drives.resize(parts.config.library.drives.size(), json::object());
  auto elements = json::array();
  std::size_t drive = 0;
  for (const scsi::smc::Element& element : parts.library.elements()) {
    elements.push_back(describe_element(parts.config, element));
    if (element.type != ElementType::kDrive) continue;
    drives[drive].update(describe_drive(drive));
    elements.back()["drive"] = std::move(drives[drive]);
    ++drive;
  }
  const config::LibraryConfig& library = parts.config.library;
  return {{"name", library.name},
          {"profile", library.profile},
          {"serial", library.changer.serial},
          {"target", config::changer_target_name(library)},
          {"door_locked", parts.library.door_locked()},
          {"elements", std::move(elements)},
          {"scrub", parts.scrub ? parts.scrub() : json()},
          {"alerts", parts.alerts.describe()}};
}

void Impl::change_library(Call&& call) {
  Fields fields(call.body);
  const auto slots = fields.number("slots", 1, 0xFFFF);
  const auto ie_slots = fields.number("ie_slots", 0, 0xFFFF);
  const auto drives = fields.number("drives", 1, 0xFFFF);
  const auto generation = fields.number("generation", 5, 9);
  std::string problem = fields.problem();
  if (problem.empty() && !slots && !ie_slots && !drives)
    problem = "slots, ie_slots or drives must be given";
  const config::LibraryConfig& now = parts.config.library;
  const std::size_t drives_wanted = drives.value_or(now.drives.size());
  if (problem.empty() && generation && drives_wanted <= now.drives.size())
    problem = "generation is that of drives which are added, and none are";
  if (!problem.empty()) return call.done(failure(400, std::move(problem)));
  if (growing)
    return call.done(failure(409, "another command makes the library larger; wait for it"));
  config::Growth growth{static_cast<std::uint32_t>(slots.value_or(now.slots)),
                        static_cast<std::uint32_t>(ie_slots.value_or(now.ie_slots)),
                        {}};
  if (growth.slots < now.slots || growth.ie_slots < now.ie_slots ||
      drives_wanted < now.drives.size()) {
    return call.done(failure(
        409, fmt::format("there are {} slots, {} import/export slots and {} drives; only more can "
                         "be had while cartridges may lie in them: for fewer, stop the server, "
                         "change {} and start it again",
                         now.slots, now.ie_slots, now.drives.size(), "vtl.yaml")));
  }
  const auto new_generation =
      static_cast<std::uint8_t>(generation.value_or(now.drives.back().generation));
  while (now.drives.size() + growth.drives.size() < drives_wanted)
    growth.drives.push_back(
        {config::draw_identity(random_bytes), new_generation, now.drives.back().family});
  growing = true;
  const std::size_t first_new = now.drives.size();
  parts.grow(std::move(growth),
             [this, first_new, done = std::move(call.done)](Outcome outcome) mutable {
               growing = false;
               if (!outcome.ok()) return done(failure(409, std::move(outcome.error)));
               const config::LibraryConfig& library = parts.config.library;
               json added = json::array();
               for (std::size_t i = first_new; i < library.drives.size(); ++i)
                 added.push_back(describe_drive(i));
               log_done(fmt::format("{} slots, {} import/export slots and {} drives from now on",
                                    library.slots, library.ie_slots, library.drives.size()));
               done({200,
                     {{"slots", library.slots},
                      {"ie_slots", library.ie_slots},
                      {"drives", library.drives.size()},
                      {"added_drives", std::move(added)}}});
             });
}

json Impl::describe_drive(std::size_t index) const {
  const config::Drive& drive = parts.config.library.drives[index];
  return {{"number", index + 1},
          {"serial", drive.identity.serial},
          {"generation", drive.generation},
          {"target", config::drive_target_name(parts.config.library, index)}};
}

void Impl::list_alerts(Call&& call) { call.done({200, {{"alerts", parts.alerts.describe()}}}); }

void Impl::clear_alerts(Call&& call) {
  if (!parts.server)
    return call.done(
        failure(409, "no server runs on this directory, and only a server keeps alerts"));
  call.done({200, {{"cleared", parts.alerts.clear()}}});
}

void Impl::list_jobs(Call&& call) { call.done({200, {{"jobs", jobs.describe_all()}}}); }

void Impl::show_job(Call&& call) {
  const auto id = job_id(call.argument);
  json body = id ? jobs.describe(*id) : json();
  call.done(body.is_null() ? failure(404, "there is no such job") : Answer{200, std::move(body)});
}

void Impl::cancel_job(Call&& call) {
  const auto id = job_id(call.argument);
  if (!id || !jobs.cancel(*id)) return call.done(failure(404, "there is no such job"));
  call.done({202, jobs.describe(*id)});
}

void Impl::verify(Call&& call) { call.done(job_requests.verify(call.argument, call.body)); }
void Impl::repair(Call&& call) { call.done(job_requests.repair(call.argument, call.body)); }

void Impl::import_cartridge(Call&& call) {
  job_requests.import_cartridge(call.argument, call.body, std::move(call.done));
}

void Impl::export_cartridge(Call&& call) {
  call.done(job_requests.export_cartridge(call.argument, call.body));
}

}  // namespace vtl::daemon
