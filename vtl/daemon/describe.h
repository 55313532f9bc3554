// The JSON shapes of the management interface, in one place. README.md lists them for people.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "transport/iscsi/limits.h"
#include "vtl/config/config.h"
#include "vtl/library/library.h"

namespace vtl::daemon {

// "storage", "import-export", "drive", "transport".
std::string_view element_type_name(scsi::smc::ElementType type);
// "slot-1", "ie-1", "drive-1", "robot": what people call an element, counted from 1 within its
// type.
std::string element_name(const config::Config& config, std::uint16_t address);
// "there is no element "slot-999"", and which there are.
std::string no_element(const config::Config& config, std::string_view text);
// Either the address ("1000") or the name ("slot-1").
std::optional<std::uint16_t> find_element(const config::Config& config, std::string_view text);

// For the log: "moved VTL001L8 from slot-1 to drive-1, for iqn.x:y", or that it was not, and why.
std::string describe_move(const config::Config& config, const std::vector<std::string>& cartridges,
                          const std::vector<std::uint16_t>& addresses,
                          const scsi::smc::MoveOutcome& outcome, std::string_view by);
// Why a move was refused, in a person's words.
std::string explain(const scsi::smc::MoveOutcome& outcome);

Geometry geometry_of(const config::LibraryConfig& library);

// {"address", "name", "type", "barcode" or null, "source" or null, "accessible",
// "placed_by_operator"}
nlohmann::json describe_element(const config::Config& config, const scsi::smc::Element& element);
// {"address", "name", "type"} or null for a cartridge that is outside.
nlohmann::json describe_place(const config::Config& config, const Placement& placement);
// Label and place, and the figures of `summary` if there is one.
nlohmann::json describe_cartridge(const config::Config& config, const Placement& placement,
                                  const CartridgeSummary* summary);

// [{"name", "value": as configured, or null where there is no key, "answer", "reached": how often}]
nlohmann::json describe_limits(const config::IscsiConfig& config, const iscsi::LimitHits& hits);

}  // namespace vtl::daemon
