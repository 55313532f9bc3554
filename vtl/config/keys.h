// The plain keys of vtl.yaml, one row each: reading, ranges, writing and the comment in a new file
// all come from here. Private to vtl/config.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <concepts>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vtl/config/config.h"

namespace vtl::config {

// S is the struct that the key's value goes into.
template <class S>
struct Key {
  std::string_view name;
  std::string comment;
  // Takes a value; an error says what is allowed.
  std::function<std::string(S&, const std::string&)> read;
  std::function<std::string(const S&)> write;
};

template <class S, std::unsigned_integral T>
Key<S> number(std::string_view name, T S::*member, std::uint64_t min, std::uint64_t max,
              std::string_view comment) {
  return {
      name, fmt::format("{} {} to {}.", comment, min, max),
      [=](S& out, const std::string& text) -> std::string {
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc() || end != text.data() + text.size() || value < min || value > max)
          return fmt::format("{} to {}", min, max);
        out.*member = static_cast<T>(value);
        return "";
      },
      [=](const S& in) { return std::to_string(in.*member); }};
}

template <class S, std::unsigned_integral T>
Key<S> size(std::string_view name, T S::*member, std::uint64_t min, std::uint64_t max,
            std::string_view comment) {
  const bool bounded = max < (1ull << 60);  // as no disk is
  return {name,
          bounded ? fmt::format("{} {} to {}.", comment, format_size(min), format_size(max))
                  : std::string(comment),
          [=](S& out, const std::string& text) -> std::string {
            const auto value = parse_size(text);
            if (!value || *value < min || *value > max)
              return fmt::format("{} to {} (suffixes KiB MiB GiB TiB, kB MB GB TB)",
                                 format_size(min), format_size(max));
            out.*member = static_cast<T>(*value);
            return "";
          },
          [=](const S& in) { return format_size(in.*member); }};
}

template <class S>
Key<S> flag(std::string_view name, bool S::*member, std::string_view comment) {
  return {name, std::string(comment),
          [=](S& out, const std::string& text) -> std::string {
            if (text != "true" && text != "false") return "true or false";
            out.*member = text == "true";
            return "";
          },
          [=](const S& in) { return std::string(in.*member ? "true" : "false"); }};
}

template <class E>
struct Choice {
  std::string_view name;
  E value;
};
template <class E>
std::string names_of(std::span<const Choice<E>> choices) {
  std::string text;
  for (const auto& choice : choices) text += (text.empty() ? "" : ", ") + std::string(choice.name);
  return text;
}

template <class S, class E>
Key<S> choice(std::string_view name, E S::*member, std::span<const Choice<E>> choices,
              std::string_view comment) {
  return {name, std::string(comment),
          [=](S& out, const std::string& text) -> std::string {
            for (const auto& known : choices) {
              if (known.name != text) continue;
              out.*member = known.value;
              return "";
            }
            return "one of " + names_of(choices);
          },
          [=](const S& in) {
            for (const auto& known : choices)
              if (known.value == in.*member) return std::string(known.name);
            return std::string();
          }};
}

inline constexpr Choice<ChapAlgorithm> kChapAlgorithms[] = {{"sha3-256", ChapAlgorithm::kSha3_256},
                                                            {"sha-256", ChapAlgorithm::kSha256},
                                                            {"sha-1", ChapAlgorithm::kSha1},
                                                            {"md5", ChapAlgorithm::kMd5}};

const std::vector<Key<IscsiConfig>>& iscsi_keys();
const std::vector<Key<StorageConfig>>& storage_keys();
const std::vector<Key<Config>>& log_keys();

// "- {serial: ..., naa: ..., generation: 8}": a drive as a line of library.drives.
std::string drive_line(const Drive& drive);

}  // namespace vtl::config
