#include "vtl/daemon/fields.h"

#include <fmt/format.h>

#include <utility>

namespace vtl::daemon {

Fields::Fields(const nlohmann::json& object) : object_(object) {
  if (!object.is_object()) wrong("the request's body must be a JSON object");
}

std::optional<std::string> Fields::text(const std::string& name) {
  const nlohmann::json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  wrong(fmt::format("{}: a text is expected", name));
  return std::nullopt;
}

std::optional<std::uint64_t> Fields::number(const std::string& name, std::uint64_t min,
                                            std::uint64_t max) {
  const nlohmann::json* value = find(name);
  if (value == nullptr) return std::nullopt;
  // A document made by the program itself holds its small numbers as signed ones.
  if (value->is_number_unsigned() ||
      (value->is_number_integer() && value->get<std::int64_t>() >= 0)) {
    const auto number = value->get<std::uint64_t>();
    if (number >= min && number <= max) return number;
  }
  wrong(fmt::format("{}: found {}, allowed are whole numbers from {} to {}", name, value->dump(),
                    min, max));
  return std::nullopt;
}

std::optional<bool> Fields::flag(const std::string& name) {
  const nlohmann::json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  wrong(fmt::format("{}: true or false is expected", name));
  return std::nullopt;
}

std::string Fields::required_text(const std::string& name) {
  const auto value = text(name);
  if (!value && problem_.empty()) wrong(fmt::format("{} is missing", name));
  return value.value_or("");
}

std::string Fields::problem() {
  if (problem_.empty()) {
    for (const auto& [name, value] : object_.items()) {
      if (known_.count(name) == 0) wrong(fmt::format("{}: there is no such member here", name));
    }
  }
  return problem_;
}

const nlohmann::json* Fields::find(const std::string& name) {
  known_.insert(name);
  if (!object_.is_object()) return nullptr;
  const auto it = object_.find(name);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

void Fields::wrong(std::string text) {
  if (problem_.empty()) problem_ = std::move(text);
}

}  // namespace vtl::daemon
