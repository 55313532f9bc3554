#include "vtl/daemon/management.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "scsi/ssc/profile.h"
#include "vtl/config/init.h"
#include "vtl/daemon/data_directory.h"
#include "vtl/daemon/describe.h"
#include "vtl/daemon/fields.h"
#include "vtl/daemon/log.h"
#include "vtl/daemon/management_jobs.h"
#include "vtl/daemon/settings.h"
#include "vtl/daemon/system.h"
#include "vtl/library/barcode.h"

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

// The first `count` barcodes of this prefix that meet none there is. An error text if there are not
// so many.
std::string number_cartridges(const Library& library, std::string_view prefix, std::uint64_t count,
                              std::uint8_t generation, bool worm, BarcodeSet taken,
                              std::vector<CartridgeLabel>& out) {
  if (numbered_barcode(prefix, 1, generation).empty())
    return fmt::format(
        "prefix: found \"{}\", allowed: up to 5 of A-Z and 0-9; a number and the media type of "
        "LTO-{} make a barcode of eight characters of it",
        prefix.substr(0, 40), generation);
  if (numbered_barcode(prefix, 1, generation, worm).empty())
    return fmt::format("worm: LTO-{} has no WORM cartridges", generation);
  for (const Placement& placement : library.cartridges()) taken.insert(placement.label.barcode);
  for (std::uint32_t number = 1; out.size() < count; ++number) {
    const std::string barcode = numbered_barcode(prefix, number, generation, worm);
    if (barcode.empty()) {
      return fmt::format(
          "prefix {}: only {} of {} barcodes of six characters and a media type of LTO-{} are free",
          prefix, out.size(), count, generation);
    }
    if (taken.clash(barcode)) continue;
    LabelOutcome label = label_of_barcode(barcode, generation);
    if (!label.error.empty()) return label.error;
    taken.insert(barcode);
    out.push_back(std::move(label.label));
  }
  return {};
}

void number_unlabelled(const Library& library, std::uint64_t count, std::uint8_t generation,
                       std::vector<CartridgeLabel>& out) {
  for (std::uint32_t number = 1; out.size() < count; ++number) {
    CartridgeLabel label{.barcode = unlabelled_name(number), .generation = generation};
    if (!library.find(label.barcode)) out.push_back(std::move(label));
  }
}

}  // namespace

struct Management::Impl {
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

  void show_server(Call&& call);
  void show_library(Call&& call);
  void change_library(Call&& call);
  json library_with(std::vector<json> drives) const;
  json describe_drive(std::size_t index) const;  // who it is
  void list_cartridges(Call&& call);
  void show_cartridge(Call&& call);
  void create_cartridges(Call&& call);
  void change_cartridge(Call&& call);
  void delete_cartridge(Call&& call);
  void move(Call&& call);
  void list_alerts(Call&& call);
  void clear_alerts(Call&& call);
  void list_jobs(Call&& call);
  void show_job(Call&& call);
  void cancel_job(Call&& call);
  void verify(Call&& call);
  void repair(Call&& call);
  void import_cartridge(Call&& call);
  void export_cartridge(Call&& call);

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

using Impl = Management::Impl;

const Impl::Route Impl::kRoutes[] = {
    {"GET", "/v1/server", &Impl::show_server},
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

void Impl::list_cartridges(Call&& call) {
  auto all = std::make_shared<std::vector<Placement>>(parts.library.cartridges());
  list_from(std::move(all), json::array(), std::move(call.done));
}

void Impl::list_from(std::shared_ptr<std::vector<Placement>> all, json out, Done done) {
  if (out.size() == all->size()) return done({200, {{"cartridges", std::move(out)}}});
  const std::string& barcode = (*all)[out.size()].label.barcode;
  parts.library.read_summary(barcode, [this, all, out = std::move(out), done = std::move(done)](
                                          Result<CartridgeSummary> summary) mutable {
    const Placement& placement = (*all)[out.size()];
    json one = describe_cartridge(parts.config, placement, summary ? &*summary : nullptr);
    one["scrub"] = parts.scrub_log.describe(placement.label.barcode);
    if (!summary) one["error"] = summary.error().what;
    out.push_back(std::move(one));
    list_from(std::move(all), std::move(out), std::move(done));
  });
}

void Impl::show_cartridge(Call&& call) {
  const auto placement = parts.library.find(call.argument);
  if (!placement) return call.done(no_cartridge(call.argument));
  parts.library.read_summary(
      placement->label.barcode,
      [this, placement, done = std::move(call.done)](Result<CartridgeSummary> summary) mutable {
        json body = describe_cartridge(parts.config, *placement, summary ? &*summary : nullptr);
        body["scrub"] = parts.scrub_log.describe(placement->label.barcode);
        if (!summary) body["error"] = summary.error().what;
        done({200, std::move(body)});
      });
}

void Impl::create_cartridges(Call&& call) {
  Fields fields(call.body);
  const auto barcode = fields.text("barcode");
  const auto prefix = fields.text("prefix");
  const auto count = fields.number("count", 1, 10000);
  const auto generation = fields.number("generation", 1, 10);
  const auto worm = fields.flag("worm");
  const auto unlabelled = fields.flag("unlabelled");
  const auto capacity = fields.number("capacity_bytes", kMinCapacityBytes, UINT64_MAX);
  const auto where = fields.text("where");
  std::string problem = fields.problem();

  CreateRequest request;
  request.capacity_bytes = capacity.value_or(0);
  if (where == "import-export") {
    request.where = CreateRequest::Where::kImportExport;
  } else if (where == "outside") {
    request.where = CreateRequest::Where::kOutside;
  } else if (where && where != "slot") {
    problem = "where: allowed are slot, import-export and outside";
  }
  std::optional<std::uint8_t> number;
  if (generation) number = static_cast<std::uint8_t>(*generation);
  if (problem.empty() &&
      barcode.has_value() + prefix.has_value() + unlabelled.value_or(false) != 1) {
    problem = "either barcode, prefix or unlabelled must be given";
  }
  if (problem.empty() && barcode && (count || worm)) {
    problem = "count and worm do not go with a barcode, which says itself what it is";
  }
  if (problem.empty() && barcode) {
    LabelOutcome label = label_of_barcode(*barcode, number);
    problem = std::move(label.error);
    request.cartridges.push_back(std::move(label.label));
  }
  const std::uint8_t usual = number.value_or(parts.config.library.drives.front().generation);
  if (problem.empty() && unlabelled.value_or(false)) {
    number_unlabelled(parts.library, count.value_or(1), usual, request.cartridges);
    for (CartridgeLabel& label : request.cartridges) label.worm = worm.value_or(false);
  }
  if (problem.empty() && prefix) {
    problem =
        number_cartridges(parts.library, *prefix, count.value_or(1), usual, worm.value_or(false),
                          BarcodeSet(barcode_characters(parts.config.library)), request.cartridges);
  }
  if (!problem.empty()) return call.done(failure(400, problem));

  json made = json::array();
  for (const CartridgeLabel& label : request.cartridges) made.push_back(label.barcode);
  std::string text = "made " + request.cartridges.front().barcode;
  if (request.cartridges.size() > 1)
    text += fmt::format(" to {}, {} cartridges", request.cartridges.back().barcode,
                        request.cartridges.size());
  parts.library.create(
      std::move(request),
      answer_outcome(std::move(call.done), 201, {{"created", std::move(made)}}, std::move(text)));
}

void Impl::change_cartridge(Call&& call) {
  Fields fields(call.body);
  const auto on = fields.flag("write_protected");
  std::string problem = fields.problem();
  if (problem.empty() && !on) problem = "write_protected is missing";
  if (!problem.empty()) return call.done(failure(400, problem));
  if (!parts.library.find(call.argument)) return call.done(no_cartridge(call.argument));
  json body = {{"barcode", call.argument}, {"write_protected", *on}};
  parts.library.set_write_protected(
      call.argument, *on,
      answer_outcome(std::move(call.done), 200, std::move(body),
                     call.argument + (*on ? " write-protected" : " made writable")));
}

void Impl::delete_cartridge(Call&& call) {
  if (!parts.library.find(call.argument)) return call.done(no_cartridge(call.argument));
  if (jobs.busy(call.argument)) {
    return call.done(failure(409, call.argument + " is being worked on by a job"));
  }
  if (parts.wanted) parts.wanted(call.argument);
  parts.library.remove(call.argument, [this, barcode = call.argument,
                                       done = std::move(call.done)](Outcome outcome) mutable {
    if (!outcome.ok()) return done(failure(409, std::move(outcome.error)));
    parts.trash.empty();
    parts.alerts.settle_all(barcode);
    parts.scrub_log.forget(barcode);
    log_done("deleted " + barcode);
    done({200, {{"deleted", barcode}}});
  });
}

// A source is an element or a cartridge; a destination is an element, or "outside" for what lies in
// the door.
void Impl::move(Call&& call) {
  Fields fields(call.body);
  const std::string from = fields.required_text("source");
  const std::string to = fields.required_text("destination");
  if (std::string problem = fields.problem(); !problem.empty()) {
    return call.done(failure(400, std::move(problem)));
  }
  std::optional<std::uint16_t> source = find_element(parts.config, from);
  std::string barcode;
  if (source) {
    for (const scsi::smc::Element& element : parts.library.elements()) {
      if (element.address == *source && element.full) barcode = element.barcode;
    }
  } else {
    const auto placement = parts.library.find(from);
    if (!placement) {
      return call.done(failure(
          404, no_element(parts.config, from) + "; nor is there a cartridge with this barcode"));
    }
    barcode = placement->label.barcode;
    if (!placement->type) return move_from_outside(barcode, to, std::move(call.done));
    source = placement->address;
  }
  if (barcode.empty()) {
    return call.done(
        failure(409, fmt::format("cannot move {}: there is no cartridge in it", from)));
  }
  if (to == "outside") {
    return parts.library.take_out(
        barcode,
        answer_outcome(std::move(call.done), 200, {{"barcode", barcode}, {"place", nullptr}},
                       fmt::format("moved {} from {} to outside", barcode,
                                   element_name(parts.config, *source))));
  }
  const auto destination = find_element(parts.config, to);
  if (!destination) return call.done(failure(404, no_element(parts.config, to)));
  parts.library.operator_move(
      *source, *destination,
      [this, barcode, from, to, addresses = std::vector{*source, *destination},
       done = std::move(call.done)](scsi::smc::MoveOutcome outcome) mutable {
        const bool made = outcome.result == scsi::smc::MoveResult::kMoved;
        const std::string line =
            describe_move(parts.config, {barcode}, addresses, outcome, "a command");
        if (parts.server) made ? log_info(line) : log_warning(line);
        if (!made)
          return done(
              failure(409, fmt::format("cannot move {} to {}: {}", from, to, explain(outcome))));
        json body = moved(barcode);
        if (!outcome.detail.empty()) body["problem"] = std::move(outcome.detail);
        done({200, std::move(body)});
      });
}

void Impl::move_from_outside(const std::string& barcode, const std::string& destination,
                             Done done) {
  const auto address = find_element(parts.config, destination);
  std::optional<ElementType> type;
  for (const scsi::smc::Element& element : parts.library.elements()) {
    if (address && element.address == *address) type = element.type;
  }
  if (!type) return done(failure(404, no_element(parts.config, destination)));
  parts.library.insert(barcode, *type, address,
                       [this, barcode, done = std::move(done)](Outcome outcome) mutable {
                         if (!outcome.ok()) return done(failure(409, std::move(outcome.error)));
                         json body = moved(barcode);
                         log_done(fmt::format("moved {} from outside to {}", barcode,
                                              body["place"]["name"].get<std::string>()));
                         done({200, std::move(body)});
                       });
}

json Impl::moved(std::string_view barcode) const {
  const auto placement = parts.library.find(barcode);
  return {{"barcode", barcode},
          {"place", placement ? describe_place(parts.config, *placement) : json()}};
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
