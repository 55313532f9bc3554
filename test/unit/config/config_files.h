// Configuration files in memory.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <random>

#include "vtl/config/config.h"
#include "vtl/config/init.h"

namespace vtl::config {

// Files in memory.
struct Files {
  std::map<std::string, SourceFile> files;
  ReadFile reader() const {
    return [this](const std::string& path) -> std::variant<SourceFile, std::string> {
      const auto found = files.find(path);
      if (found == files.end()) return "cannot be opened: No such file or directory";
      return found->second;
    };
  }
};

inline const std::string kLibrary =
    "library:\n"                                                           // 1
    "  name: tapes\n"                                                      // 2
    "  changer: {serial: CHANGER001, naa: 5025654000000001}\n"             // 3
    "  drives:\n"                                                          // 4
    "    - {serial: DRIVE00001, naa: 5025654000000002}\n"                  // 5
    "    - {serial: DRIVE00002, naa: 5025654000000003, generation: 7}\n";  // 6

inline Loaded load_text(const std::string& text, std::uint32_t mode = 0600) {
  Files files;
  files.files["/data/vtl.yaml"] = {text, mode};
  return load("/data/vtl.yaml", files.reader());
}

// The one error that `text` has, as a person sees it.
inline std::string only_error(const std::string& text, std::uint32_t mode = 0600) {
  const Loaded loaded = load_text(text, mode);
  CHECK_FALSE(loaded.config.has_value());
  for (const Problem& problem : loaded.errors) INFO(to_string(problem));
  REQUIRE(loaded.errors.size() == 1);
  return to_string(loaded.errors[0]);
}

inline std::string with(const std::string& more) {
  return kLibrary + more;
}  // more begins on line 7

inline RandomBytes seeded(unsigned seed) {
  return [engine = std::make_shared<std::mt19937>(seed)](std::span<std::byte> out) {
    for (std::byte& byte : out) byte = static_cast<std::byte>((*engine)());
  };
}

}  // namespace vtl::config
