// FORMAT.md: names of directories and segments.
#include <fmt/format.h>

#include <charconv>

#include "vtl/cartridge/format.h"

namespace vtl::format {

namespace {
template <class T>
bool parse_number(std::string_view text, int base, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end == text.data() + text.size();
}
}  // namespace

std::string partition_directory(std::uint32_t partition, std::uint32_t dirgen) {
  return fmt::format("p{}.{}", partition, dirgen);
}

std::string segment_name(std::uint32_t seq, std::uint32_t epoch) {
  return fmt::format("{:010}-{:08x}.seg", seq, epoch);
}

std::optional<SegmentName> parse_segment_name(std::string_view name) {
  SegmentName out{};
  if (name.size() != 23 || name[10] != '-' || name.substr(19) != ".seg" ||
      !parse_number(name.substr(0, 10), 10, out.seq) ||
      !parse_number(name.substr(11, 8), 16, out.epoch))
    return std::nullopt;
  return out;
}

std::optional<PartitionName> parse_partition_directory(std::string_view name) {
  PartitionName out{};
  const std::size_t dot = name.find('.');
  if (name.empty() || name[0] != 'p' || dot == std::string_view::npos ||
      !parse_number(name.substr(1, dot - 1), 10, out.partition) ||
      !parse_number(name.substr(dot + 1), 10, out.dirgen))
    return std::nullopt;
  return out;
}

}  // namespace vtl::format
