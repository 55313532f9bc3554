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

}  // namespace

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
  nlohmann::json out = {{"barcode", placement.label.barcode},
                        {"generation", placement.label.generation},
                        {"generation_name", generation_name(placement.label.generation)},
                        {"worm", placement.label.worm},
                        {"cleaning", placement.label.cleaning},
                        {"place", describe_place(config, placement)}};
  if (summary == nullptr) return out;
  std::uint64_t capacity = 0;
  std::uint64_t used = 0;
  auto partitions = nlohmann::json::array();
  for (const PartitionSummary& partition : summary->partitions) {
    capacity += partition.capacity_bytes;
    used += partition.used_bytes;
    partitions.push_back({{"capacity_bytes", partition.capacity_bytes},
                          {"used_bytes", partition.used_bytes},
                          {"objects", partition.end_of_data},
                          {"filemarks", partition.filemarks}});
  }
  out["serial"] = summary->info.serial;
  out["capacity_bytes"] = capacity;
  out["used_bytes"] = used;
  out["partitions"] = std::move(partitions);
  out["write_protected"] = summary->info.write_protected;
  out["write_protect_reason"] = summary->info.write_protect_reason;
  out["load_count"] = summary->info.load_count;
  // A cleaning cartridge is used up by being loaded.
  if (placement.label.cleaning)
    out["cleanings_left"] =
        scsi::ssc::kCleaningUses -
        std::min<std::uint64_t>(summary->info.load_count, scsi::ssc::kCleaningUses);
  out["bytes_written_life"] = summary->info.bytes_written_life;
  out["bytes_read_life"] = summary->info.bytes_read_life;
  out["created"] = iso_time(summary->created_ns);
  out["clean"] = summary->clean;  // false: in use, or not unloaded in order: the figures are older
  out["label_damaged"] = summary->label_damaged;
  out["directory"] = summary->directory;
  return out;
}

}  // namespace vtl::daemon
