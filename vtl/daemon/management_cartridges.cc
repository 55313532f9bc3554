// Cartridges made, changed and deleted; and moved by a person.
#include <fmt/format.h>

#include <optional>
#include <utility>

#include "vtl/daemon/describe.h"
#include "vtl/daemon/fields.h"
#include "vtl/daemon/management_impl.h"
#include "vtl/daemon/settings.h"
#include "vtl/library/barcode.h"

namespace vtl::daemon {

using nlohmann::json;
using scsi::smc::ElementType;
using Done = scsi::Done<Answer>;
using Impl = Management::Impl;

namespace {

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

}  // namespace vtl::daemon
