// The members of a request's JSON object, taken one by one. The first thing that is wrong is kept;
// a member that nobody took is wrong as well.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

namespace vtl::daemon {

class Fields {
 public:
  // `object` outlives this.
  explicit Fields(const nlohmann::json& object);

  // Nothing if absent.
  std::optional<std::string> text(const std::string& name);
  std::optional<std::uint64_t> number(const std::string& name, std::uint64_t min,
                                      std::uint64_t max);
  std::optional<bool> flag(const std::string& name);
  std::string required_text(const std::string& name);

  // Empty: everything was as it should be. To be asked after the last member was taken.
  std::string problem();

 private:
  const nlohmann::json* find(const std::string& name);
  void wrong(std::string text);

  const nlohmann::json& object_;
  std::set<std::string> known_;
  std::string problem_;
};

}  // namespace vtl::daemon
