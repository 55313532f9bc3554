#include "vtl/daemon/describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "scsi/check.h"
#include "scsi/smc/profile.h"
#include "scsi/ssc/profile.h"
#include "vtl/daemon/system.h"

namespace vtl::daemon {
namespace {

using scsi::smc::ElementType;

std::optional<std::uint32_t> whole_number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct NamedRun {
  std::string_view name;
  ElementRun run;
};

std::array<NamedRun, 4> named_runs(const Geometry& geometry) {
  return {{{"robot", geometry.transport},
           {"slot", geometry.storage},
           {"ie", geometry.import_export},
           {"drive", geometry.drives}}};
}

std::string generation_name(std::uint8_t number) {
  const auto* generation = scsi::ssc::find_generation(number);
  return generation == nullptr ? fmt::format("LTO-{}", number) : std::string(generation->name);
}

std::string_view explain(scsi::smc::MoveResult result) {
  using scsi::smc::MoveResult;
  switch (result) {
    case MoveResult::kMoved:
      return "moved";
    case MoveResult::kNoSuchElement:
      return "there is no such element";
    case MoveResult::kSourceEmpty:
      return "the source is empty";
    case MoveResult::kDestinationFull:
      return "the destination is full";
    case MoveResult::kRemovalPrevented:
      return "a host prevents the removal of this cartridge; let it release the drive first";
    case MoveResult::kLoadFailed:
      return "the drive did not take the cartridge; nothing was moved";
    case MoveResult::kUnloadFailed:
      return "the drive did not give the cartridge; nothing was moved";
    case MoveResult::kJournalFailed:
      return "the move could not be recorded in the journal; nothing was moved";
  }
  return "?";
}

}  // namespace

std::string explain(const scsi::smc::MoveOutcome& outcome) {
  std::string text(explain(outcome.result));
  if (!outcome.detail.empty()) text += " (" + outcome.detail + ")";
  return text;
}

std::string describe_move(const config::Config& config, const std::vector<std::string>& cartridges,
                          const std::vector<std::uint16_t>& addresses,
                          const scsi::smc::MoveOutcome& outcome, std::string_view by) {
  const auto name = [&](std::size_t i) { return element_name(config, addresses[i]); };
  // EXCHANGE MEDIUM: the first destination's cartridge goes to the second.
  std::string what = fmt::format("{} from {} to {}", cartridges[0], name(0), name(1));
  if (addresses.size() > 2) what += fmt::format(", {} to {}", cartridges[1], name(2));
  if (outcome.result != scsi::smc::MoveResult::kMoved)
    return fmt::format("not moved: {}, for {}: {}", what, by, explain(outcome));
  if (!outcome.detail.empty()) what += ", where it cannot be used";
  return fmt::format("moved {}, for {}", what, by);
}

std::string_view element_type_name(ElementType type) {
  switch (type) {
    case ElementType::kTransport:
      return "transport";
    case ElementType::kStorage:
      return "storage";
    case ElementType::kImportExport:
      return "import-export";
    case ElementType::kDrive:
      return "drive";
  }
  return "?";
}

Geometry geometry_of(const config::LibraryConfig& library) {
  const auto* profile = scsi::smc::find_library_profile(library.profile);
  VTL_CHECK(profile != nullptr);  // the configuration was checked
  return {{profile->transport.first, 1},
          {profile->storage.first, library.slots},
          {profile->import_export.first, library.ie_slots},
          {profile->drives.first, static_cast<std::uint32_t>(library.drives.size())}};
}

std::string element_name(const config::Config& config, std::uint16_t address) {
  for (const auto& [name, run] : named_runs(geometry_of(config.library))) {
    if (address >= run.first && address < run.first + run.count) {
      return fmt::format("{}-{}", name, address - run.first + 1);
    }
  }
  return fmt::format("{}", address);
}

std::optional<std::uint16_t> find_element(const config::Config& config, std::string_view text) {
  for (const auto& [name, run] : named_runs(geometry_of(config.library))) {
    if (const auto address = whole_number(text)) {
      if (*address >= run.first && *address < run.first + run.count) {
        return static_cast<std::uint16_t>(*address);
      }
    } else if (text.substr(0, name.size()) == name && text.substr(name.size(), 1) == "-") {
      const auto number = whole_number(text.substr(name.size() + 1));
      if (!number || *number < 1 || *number > run.count) return std::nullopt;
      return static_cast<std::uint16_t>(run.first + *number - 1);
    }
  }
  return std::nullopt;
}

std::string no_element(const config::Config& config, std::string_view text) {
  std::string names;
  for (const auto& [name, run] : named_runs(geometry_of(config.library))) {
    if (name == "robot" || run.count == 0) continue;
    if (!names.empty()) names += ", ";
    names += run.count == 1 ? fmt::format("{}-1", name)
                            : fmt::format("{0}-1 to {0}-{1}", name, run.count);
  }
  return fmt::format("there is no element \"{}\": they are called {}", text, names);
}

namespace {

// What is configured (empty: there is no key for it), and what a peer is told past it.
struct LimitText {
  std::string value;
  std::string_view answer;
};

LimitText text_of(iscsi::Limit limit, const config::IscsiConfig& config) {
  using iscsi::Limit;
  const auto ms = [](std::uint32_t value) { return fmt::format("{} ms", value); };
  switch (limit) {
    case Limit::kConnections:
      return {std::to_string(config.max_connections), "closed"};
    case Limit::kConnectionsPerAddress:
      return {std::to_string(config.max_connections_per_address), "closed"};
    case Limit::kLogins:
      return {std::to_string(config.max_logins), "the oldest is dropped"};
    case Limit::kLoginTime:
      return {ms(config.login_timeout_ms), "closed"};
    case Limit::kLoginText:
      return {config::format_size(config.max_text_bytes), "020B"};
    case Limit::kBadLogin:
      return {"", "0200, 0205 to 020B"};
    case Limit::kNotAllowed:
      return {"", "0203, 0202 of discovery"};
    case Limit::kAuthentication:
    case Limit::kLockedOut:
      return {"", "0201, late"};
    case Limit::kInUse:
      return {std::to_string(config.max_sessions_per_target), "0301"};
    case Limit::kCommandWindow:
      return {std::to_string(config.command_window), "passed over"};
    case Limit::kImmediate:
      return {"", "Reject 06"};
    case Limit::kText:
      return {config::format_size(config.max_text_bytes), "Reject 04"};
    case Limit::kQueued:
      return {config::format_size(config.max_queued_bytes), "its commands wait"};
    case Limit::kUnread:
      return {ms(config.send_timeout_ms), "dropped"};
    case Limit::kPduTime:
      return {ms(config.send_timeout_ms), "closed"};
    case Limit::kSilent:
      return {ms(config.ping_after_ms), "dropped"};
  }
  return {};
}

}  // namespace

nlohmann::json describe_limits(const config::IscsiConfig& config, const iscsi::LimitHits& hits) {
  auto out = nlohmann::json::array();
  for (std::size_t i = 0; i < hits.size(); ++i) {
    const auto limit = static_cast<iscsi::Limit>(i);
    const LimitText text = text_of(limit, config);
    out.push_back({{"name", name_of(limit)},
                   {"value", text.value.empty() ? nlohmann::json() : nlohmann::json(text.value)},
                   {"answer", text.answer},
                   {"reached", hits[i]}});
  }
  return out;
}

nlohmann::json describe_element(const config::Config& config, const scsi::smc::Element& element) {
  nlohmann::json out = {{"address", element.address},
                        {"name", element_name(config, element.address)},
                        {"type", element_type_name(element.type)},
                        {"barcode", nullptr},
                        {"labelled", element.labelled},
                        {"exception", element.exception},
                        {"source", nullptr},
                        {"accessible", element.accessible},
                        {"placed_by_operator", element.placed_by_operator}};
  if (element.full) out["barcode"] = element.barcode;
  if (element.source) out["source"] = *element.source;
  return out;
}

nlohmann::json describe_place(const config::Config& config, const Placement& placement) {
  if (!placement.type) return nullptr;
  return {{"address", placement.address},
          {"name", element_name(config, placement.address)},
          {"type", element_type_name(*placement.type)}};
}

nlohmann::json describe_cartridge(const config::Config& config, const Placement& placement,
                                  const CartridgeSummary* summary) {
  nlohmann::json out = {
      {"barcode", placement.label.barcode},
      {"generation", placement.label.generation},
      {"generation_name",
       placement.label.cleaning ? "cleaning" : generation_name(placement.label.generation)},
      {"worm", placement.label.worm},
      {"cleaning", placement.label.cleaning},
      {"place", describe_place(config, placement)}};
  if (summary == nullptr) return out;
  std::uint64_t capacity = 0;
  std::uint64_t used = 0;
  auto partitions = nlohmann::json::array();
  // What is on it the label says, and nothing else before it is read.
  const auto known = [&](std::uint64_t figure) {
    return summary->label_damaged ? nlohmann::json() : nlohmann::json(figure);
  };
  for (const PartitionSummary& partition : summary->partitions) {
    capacity += partition.capacity_bytes;
    used += partition.used_bytes;
    partitions.push_back({{"capacity_bytes", partition.capacity_bytes},
                          {"used_bytes", known(partition.used_bytes)},
                          {"objects", known(partition.end_of_data)},
                          {"filemarks", known(partition.filemarks)}});
  }
  out["serial"] = summary->info.serial;
  if (!placement.label.cleaning) {  // which holds no data
    out["capacity_bytes"] = capacity;
    out["used_bytes"] = known(used);
    out["partitions"] = std::move(partitions);
  }
  out["write_protected"] = summary->info.write_protected;
  out["write_protect_reason"] = summary->info.write_protect_reason;
  out["load_count"] = known(summary->info.load_count);
  // A cleaning cartridge is used up by being loaded.
  if (placement.label.cleaning && !summary->label_damaged)
    out["cleanings_left"] =
        scsi::ssc::kCleaningUses -
        std::min<std::uint64_t>(summary->info.load_count, scsi::ssc::kCleaningUses);
  out["bytes_written_life"] = known(summary->info.bytes_written_life);
  out["bytes_read_life"] = known(summary->info.bytes_read_life);
  out["created"] = iso_time(summary->created_ns);
  out["clean"] = summary->clean;  // false: in use, or not unloaded in order: the figures are older
  out["label_damaged"] = summary->label_damaged;
  out["directory"] = summary->directory;
  return out;
}

}  // namespace vtl::daemon
