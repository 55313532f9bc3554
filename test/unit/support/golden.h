// Golden bytes: text files under test/golden. A case is a few "key: value" lines and ends at an
// empty line; a line that starts with a space goes on with the value before it, one with '#' is a
// comment. Values in hex may hold spaces.
#pragma once

#include <catch2/catch.hpp>

#include <cctype>
#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace test {

using GoldenCase = std::map<std::string, std::string>;

inline std::vector<GoldenCase> read_golden(const std::string& name) {
  std::ifstream file(std::string(VTL_SOURCE_DIR) + "/test/golden/" + name);
  INFO("golden file " << name);
  REQUIRE(file.good());
  std::vector<GoldenCase> cases(1);
  std::string line, key;
  while (std::getline(file, line)) {
    if (line.starts_with("#")) continue;
    if (line.empty()) {
      if (!cases.back().empty()) cases.emplace_back();
      key.clear();
    } else if (line.front() == ' ') {
      REQUIRE_FALSE(key.empty());
      cases.back()[key] += line;
    } else {
      const auto colon = line.find(':');
      INFO("line " << line);
      REQUIRE(colon != std::string::npos);
      key = line.substr(0, colon);
      cases.back()[key] = line.substr(std::min(line.size(), colon + 2));
    }
  }
  if (cases.back().empty()) cases.pop_back();
  return cases;
}

inline std::vector<std::uint8_t> golden_bytes(const std::string& hex) {
  std::vector<std::uint8_t> out;
  std::string digits;
  for (const char c : hex)
    if (std::isspace(static_cast<unsigned char>(c)) == 0) digits += c;
  REQUIRE(digits.size() % 2 == 0);
  for (std::size_t i = 0; i < digits.size(); i += 2)
    out.push_back(static_cast<std::uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  return out;
}

// Rows of 16 bytes, as a golden file has them.
template <class Bytes>
std::string golden_hex(const Bytes& bytes) {
  static const char* digits = "0123456789abcdef";
  std::string out;
  std::size_t i = 0;
  for (const auto byte : bytes) {
    const auto value = static_cast<std::uint8_t>(byte);
    if (i != 0) out += i % 16 == 0 ? "\n  " : " ";
    out += digits[value >> 4];
    out += digits[value & 15];
    ++i;
  }
  return out;
}

}  // namespace test
