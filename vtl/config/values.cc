// Sizes, addresses and names as people write them.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <charconv>

#include "vtl/config/config.h"

namespace vtl::config {

namespace {

struct Unit {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::array<Unit, 9> kUnits{{{"TiB", 1ull << 40},
                                      {"TB", 1'000'000'000'000},
                                      {"GiB", 1ull << 30},
                                      {"GB", 1'000'000'000},
                                      {"MiB", 1ull << 20},
                                      {"MB", 1'000'000},
                                      {"KiB", 1ull << 10},
                                      {"kB", 1'000},
                                      {"B", 1}}};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

bool parse_port(std::string_view text, std::uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse_address(const std::string& text, Endpoint& out) {
  std::array<unsigned char, 16> bytes{};
  out.address = text;
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) {
    out.ipv6 = false;
    out.loopback = bytes[0] == 127;
    return true;
  }
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) {
    out.ipv6 = true;
    out.loopback =
        bytes == std::array<unsigned char, 16>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    return true;
  }
  return false;
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  // Whole and fractional digits apart: "2.5TB" is exact, a double would not always be.
  std::uint64_t whole = 0;
  const char* const end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, whole);
  if (error != std::errc()) return std::nullopt;
  std::string_view rest(after, static_cast<std::size_t>(end - after));
  std::string_view fraction;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    fraction = rest.substr(0, rest.find_first_not_of("0123456789"));
    if (fraction.empty() || fraction.size() > 12) return std::nullopt;
    rest.remove_prefix(fraction.size());
  }
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  std::uint64_t unit = rest.empty() ? 1 : 0;
  for (const Unit& known : kUnits)
    if (same_name(rest, known.name)) unit = known.bytes;
  if (unit == 0) return std::nullopt;

  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(whole, unit, &bytes)) return std::nullopt;
  if (!fraction.empty()) {
    std::uint64_t scale = 1, digits = 0;
    for (const char c : fraction) {
      scale *= 10;
      digits = digits * 10 + static_cast<std::uint64_t>(c - '0');
    }
    std::uint64_t part = 0;
    if (__builtin_mul_overflow(digits, unit, &part) || part % scale != 0) return std::nullopt;
    if (__builtin_add_overflow(bytes, part / scale, &bytes)) return std::nullopt;
  }
  return bytes;
}

std::string format_size(std::uint64_t bytes) {
  std::string best = std::to_string(bytes);
  for (const Unit& unit : kUnits) {
    if (unit.bytes == 1 || bytes == 0 || bytes % unit.bytes != 0) continue;
    std::string text = std::to_string(bytes / unit.bytes) + std::string(unit.name);
    if (text.size() <= best.size()) best = std::move(text);
  }
  return best;
}

std::string to_string(const Endpoint& endpoint) {
  const std::string port = ":" + std::to_string(endpoint.port);
  return endpoint.ipv6 ? "[" + endpoint.address + "]" + port : endpoint.address + port;
}

std::variant<Endpoint, std::string> parse_endpoint(std::string_view text) {
  const auto wrong = [&] {
    return fmt::format(
        "found \"{}\", allowed is a numeric address with an optional port, such as 127.0.0.1:3260 "
        "or [::1]:3260",
        text.substr(0, 80));
  };
  Endpoint endpoint;
  std::string_view address = text, port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return wrong();
    address = text.substr(1, close - 1);
    std::string_view rest = text.substr(close + 1);
    has_port = !rest.empty();
    if (has_port && !rest.starts_with(':')) return wrong();
    if (has_port) port = rest.substr(1);
  } else if (const std::size_t colon = text.find(':');
             colon != std::string_view::npos &&
             text.find(':', colon + 1) == std::string_view::npos) {
    address = text.substr(0, colon);
    port = text.substr(colon + 1);
    has_port = true;
  }
  if (!parse_address(std::string(address), endpoint)) return wrong();
  if (text.starts_with('[') && !endpoint.ipv6) return wrong();
  if (has_port && !parse_port(port, endpoint.port)) return wrong();
  return endpoint;
}

std::string changer_target_name(const LibraryConfig& library) {
  return fmt::format("{}:{}-mediachanger", library.iqn_prefix, library.name);
}

std::string drive_target_name(const LibraryConfig& library, std::size_t index) {
  return fmt::format("{}:{}-tapedrive-{:02}", library.iqn_prefix, library.name, index + 1);
}

const AccessRule& access_rule(const AccessConfig& access, const std::string& device) {
  const auto found = access.devices.find(device);
  return found == access.devices.end() ? access.targets : found->second;
}

std::vector<std::string> check_listen(const Config& config) {
  std::vector<std::string> problems;
  bool chap = config.access.targets.chap;
  for (const auto& [device, rule] : config.access.devices) chap = chap && rule.chap;
  if (chap || config.allow_insecure_listen) return problems;
  for (const Endpoint& endpoint : config.listen) {
    if (endpoint.loopback) continue;
    problems.push_back(
        fmt::format("{} can be reached from other machines, and not every target asks for CHAP: "
                    "anyone there could read and "
                    "overwrite tapes. Set access.targets.chap and an account, listen on 127.0.0.1 "
                    "only, or, where the network is "
                    "trusted, set allow_insecure_listen: true",
                    to_string(endpoint)));
  }
  return problems;
}

std::uint32_t max_threads(const Config& config) {
  const std::uint64_t devices = config.library.drives.size() + 1;
  const std::uint64_t most = std::min(devices, config.storage.buffer_bytes / kLeastLoopBytes);
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(most, 1));
}

std::string check_threads(const Config& config) {
  const std::uint32_t most = max_threads(config);
  if (config.iscsi.threads <= most) return "";
  return fmt::format(
      "found {}, allowed: auto, or 1 to {}: there are {} devices, and each thread takes at least "
      "{} "
      "of storage.buffer_bytes, which is {}",
      config.iscsi.threads, most, config.library.drives.size() + 1, format_size(kLeastLoopBytes),
      format_size(config.storage.buffer_bytes));
}

std::string to_string(const Problem& problem) {
  std::string text = problem.file;
  if (problem.line > 0) text += fmt::format(":{}", problem.line);
  if (!problem.key.empty()) text += ": " + problem.key;
  return text + ": " + problem.text;
}

}  // namespace vtl::config
