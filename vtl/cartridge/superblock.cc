#include "vtl/cartridge/superblock.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <map>
#include <utility>
#include <vector>

namespace vtl {
namespace {

std::string cart_path(const std::string& dir) { return dir + "/CART"; }

}  // namespace

// Identity from the first readable segment header of the newest directory of each partition.
std::optional<format::Cart> rebuild_cart(FileSystem& files, const std::string& dir) {
  const auto names = files.list(dir);
  if (!names) return std::nullopt;
  std::map<std::uint32_t, std::uint32_t> newest;
  for (const std::string& name : *names)
    if (const auto parsed = format::parse_partition_directory(name);
        parsed && parsed->partition < format::kMaxPartitions)
      newest[parsed->partition] = std::max(newest[parsed->partition], parsed->dirgen);

  std::optional<format::Cart> cart;
  for (const auto& [partition, dirgen] : newest) {
    const std::string directory = dir + "/" + format::partition_directory(partition, dirgen);
    const auto segments = files.list(directory);
    if (!segments) continue;
    for (const std::string& name : *segments) {
      if (!format::parse_segment_name(name)) continue;
      auto file = files.open(directory + "/" + name, FileSystem::Mode::kRead);
      if (!file) continue;
      std::array<std::byte, format::kBlock> block{};
      const auto got = (*file)->pread(block, 0);
      if (!got || *got != block.size()) continue;
      const auto header = format::decode_segment_header(block);
      if (!header || header->partition != partition || (cart && header->uuid != cart->uuid))
        continue;
      if (!cart) {
        cart.emplace();
        cart->uuid = header->uuid;
        cart->barcode = header->barcode;
        cart->created_ns = header->created_ns;
        cart->generation = header->generation;
        cart->density = header->density;
        cart->worm = header->worm;
        cart->partition_count = header->partition_count;
        cart->segment_mib = header->segment_mib;
      }
      cart->partitions[partition].capacity_bytes = header->capacity_bytes;
      break;
    }
  }
  // Also of those that nothing was written to.
  if (cart)
    for (const auto& [partition, dirgen] : newest) cart->partitions[partition].dirgen = dirgen;
  if (cart && (cart->partition_count == 0 || cart->partition_count > format::kMaxPartitions))
    return std::nullopt;
  return cart;
}

std::array<std::optional<format::Cart>, 2> read_cart_copies(FileSystem& files,
                                                            const std::string& dir) {
  std::array<std::optional<format::Cart>, 2> copies;
  const auto file = files.open(cart_path(dir), FileSystem::Mode::kRead);
  if (!file) return copies;
  for (std::size_t slot = 0; slot < copies.size(); ++slot) {
    std::array<std::byte, format::kBlock> block{};
    if ((*file)->pread(block, slot * format::kBlock)) copies[slot] = format::decode_cart(block);
  }
  return copies;
}

bool other_copy_is_torn(FileSystem& files, const std::string& dir, const format::Cart& cart) {
  const auto file = files.open(cart_path(dir), FileSystem::Mode::kRead);
  std::array<std::byte, format::kBlock> valid{}, other{};
  if (!file || !(*file)->pread(other, (~cart.gen & 1) * format::kBlock)) return false;
  format::encode_cart(cart, valid);
  // Where all labels of a cartridge are alike: in magic and version, in what it was made as, in its
  // keys, and in the zeros behind the last field.
  constexpr std::pair<std::size_t, std::size_t> kAlike[] = {
      {0, 12}, {24, 99}, {100, 102}, {512, 2212}, {2536, format::kBlock}};
  for (const auto& [from, to] : kAlike)
    if (!std::equal(valid.begin() + from, valid.begin() + to, other.begin() + from)) return false;
  constexpr std::size_t kGen = 16, kCleanGen = 2528;  // in the first sector, and in another
  const auto number = [&](std::size_t at) {
    return scsi::ByteReader(scsi::Bytes(other).subspan(at, 8)).u64();
  };
  // The label before a clean one was whole when that was written.
  if (number(kGen) + 1 == cart.gen) return !cart.has(format::kClean);
  // The one of a clean unload is all there if both sectors say so.
  return number(kGen) == cart.gen + 1 && number(kCleanGen) != cart.gen + 1;
}

Result<format::Cart> read_cart(FileSystem& files, const std::string& dir) {
  auto file = files.open(cart_path(dir), FileSystem::Mode::kRead);
  if (!file) return file.error();
  std::array<std::byte, 2 * format::kBlock> slots{};
  const auto got = (*file)->pread(slots, 0);
  if (!got) return got.error();
  std::optional<format::Cart> best;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    auto cart =
        format::decode_cart(scsi::Bytes(slots).subspan(slot * format::kBlock, format::kBlock));
    if (cart && (!best || cart->gen > best->gen)) best = std::move(cart);
  }
  if (!best) return IoError{EBADMSG, cart_path(dir) + ": both copies of the label are damaged"};
  if (best->major == format::kMajor &&
      (best->partition_count == 0 || best->partition_count > format::kMaxPartitions ||
       best->segment_mib == 0))
    return IoError{EBADMSG, cart_path(dir) + ": the label makes no sense"};
  return *best;
}

Status sync_cart(FileSystem& files, const std::string& dir) {
  auto file = files.open(cart_path(dir), FileSystem::Mode::kReadWrite);
  if (!file) return file.error();
  for (const std::size_t slot : {0u, 1u})  // each for itself: one may be unreadable
    if (Status again = write_again(**file, slot * format::kBlock, format::kBlock); !again)
      return again;
  return (*file)->fdatasync();
}

Status write_cart(FileSystem& files, const std::string& dir, format::Cart& cart) {
  auto file = files.open(cart_path(dir), FileSystem::Mode::kReadWrite);
  if (!file) return file.error();
  ++cart.gen;
  std::array<std::byte, format::kBlock> block{};
  format::encode_cart(cart, block);
  Status status = (*file)->pwrite(block, (cart.gen & 1) * format::kBlock);
  if (status) status = (*file)->fdatasync();
  // What was to replace the older slot may be half there; only the newer one is to be relied upon.
  if (!status) --cart.gen;
  return status;
}

scsi::ssc::MediumInfo medium_info(const Label& label) {
  const format::Cart& cart = label.cart;
  scsi::ssc::MediumInfo info;
  info.barcode = cart.barcode;
  for (std::size_t i = 0; i < 8; ++i)
    info.serial += fmt::format("{:02X}", std::to_integer<unsigned>(cart.uuid[i]));
  info.generation = cart.generation;
  info.worm = cart.worm;
  info.full_capacity_bytes = cart.full_capacity_bytes;
  info.smallest_partition_bytes = kMinCapacityBytes;
  info.cleaning = cart.cleaning;
  if (label.damaged) {
    info.write_protect_reason = "its label is damaged; what is known of it comes from its segments";
  } else if ((cart.feat_ro_compat & ~format::kKnownReadOnlyCompat) != 0) {
    info.write_protect_reason = "a newer version has written it";
  } else if (cart.has(format::kRetrievedReadOnly)) {
    info.write_protect_reason = "it was retrieved from the shelf for reading only";
  } else if (cart.has(format::kWriteProtect)) {
    info.write_protect_reason = "its write-protect switch is on";
  }
  info.write_protected = !info.write_protect_reason.empty();
  info.software_protected = info.write_protected && !cart.has(format::kWriteProtect);
  const auto seconds = static_cast<std::time_t>(cart.created_ns / 1'000'000'000);
  std::tm date{};
  ::gmtime_r(&seconds, &date);
  info.manufactured =
      fmt::format("{:04}{:02}{:02}", date.tm_year + 1900, date.tm_mon + 1, date.tm_mday);
  info.load_count = cart.load_count;
  info.initialization_count = cart.initialization_count;
  info.volume_change_reference = cart.volume_change_reference;
  info.last_loads = cart.last_loads;
  info.bytes_written_life = cart.bytes_written_life;
  info.bytes_read_life = cart.bytes_read_life;
  info.bytes_written_load = cart.bytes_written_load;
  info.bytes_read_load = cart.bytes_read_load;
  return info;
}

Result<Label> read_label(FileSystem& files, const std::string& dir) {
  Result<format::Cart> cart = read_cart(files, dir);
  if (cart) {
    if (!format::is_compatible(*cart))
      return IoError{
          EPROTONOSUPPORT,
          fmt::format(
              "{}: format {}.{} or a feature of it (incompat {:#x}) is newer than this program",
              dir, cart->major, cart->minor, cart->feat_incompat)};
    return Label{std::move(*cart), false};
  }
  if (cart.error().code != EBADMSG && cart.error().code != ENOENT) return cart.error();
  if (auto rebuilt = rebuild_cart(files, dir)) return Label{std::move(*rebuilt), true};
  return cart.error();
}

}  // namespace vtl
