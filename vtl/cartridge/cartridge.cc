#include "vtl/cartridge/cartridge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "scsi/ssc/profile.h"
#include "vtl/cartridge/format.h"
#include "vtl/cartridge/superblock.h"

namespace vtl {
namespace {

constexpr std::uint32_t kMaxSegmentMib = 1024;

std::string carts_directory(const std::string& pool_dir) { return pool_dir + "/carts"; }
std::string trash_directory(const std::string& pool_dir) { return pool_dir + "/trash"; }
std::string incoming_directory(const std::string& pool_dir) { return pool_dir + "/.incoming"; }

// Durable with its content; the directory is the caller's to sync.
Status write_file(FileSystem& files, const std::string& path, scsi::Bytes bytes) {
  auto file = files.open(path, FileSystem::Mode::kCreate);
  if (!file) return file.error();
  if (const Status status = (*file)->pwrite(bytes, 0); !status) return status;
  return (*file)->fdatasync();
}

// The first that fails ends the row.
template <class... Steps>
Status in_order(Steps&&... steps) {
  Status status = ok_status();
  ((status = steps(), status.ok()) && ...);
  return status;
}

Status remove_all(FileSystem& files, const std::string& path, const std::stop_token& stop = {}) {
  if (stop.stop_requested()) return IoError{ECANCELED, path};
  const Status removed = files.remove(path);
  if (removed || removed.error().code == ENOENT) return ok_status();
  const auto names = files.list(path);
  if (!names) return removed;
  for (const std::string& name : *names)
    if (const Status status = remove_all(files, path + "/" + name, stop); !status) return status;
  return files.remove(path);
}

Status may_change(const Label& label, const std::string& dir) {
  if (label.damaged)
    return IoError{EROFS, dir + "/CART: damaged; the cartridge stays write-protected"};
  if ((label.cart.feat_ro_compat & ~format::kKnownReadOnlyCompat) != 0)
    return IoError{EROFS, dir + "/CART: a newer version has written it, and only it may change it"};
  return ok_status();
}

IoError invalid(std::string text) { return {EINVAL, std::move(text)}; }

std::optional<IoError> objection(const CartridgeSpec& spec,
                                 const scsi::ssc::Generation* generation) {
  const auto allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  if (spec.barcode.empty() || spec.barcode.size() > 32 ||
      !std::all_of(spec.barcode.begin(), spec.barcode.end(), allowed))
    return invalid(
        fmt::format("barcode \"{}\": 1 to 32 letters, digits, _ or - are allowed", spec.barcode));
  if (generation == nullptr)
    return invalid(fmt::format("{}: there is no LTO generation {}", spec.barcode, spec.generation));
  if (spec.worm && generation->medium_type_worm == 0)
    return invalid(fmt::format("{}: {} has no WORM cartridges", spec.barcode, generation->name));
  if (spec.capacity_bytes != 0 && spec.capacity_bytes < kMinCapacityBytes)
    return invalid(fmt::format(
        "{}: a capacity of {} bytes is too small: the smallest is {}, so that a block of the "
        "largest size, {}, still fits between early warning and the end",
        spec.barcode, spec.capacity_bytes, kMinCapacityBytes, kMaxBlockBytes));
  if (spec.segment_mib == 0 || spec.segment_mib > kMaxSegmentMib)
    return invalid(fmt::format("{}: a segment has 1 to {} MiB, not {}", spec.barcode,
                               kMaxSegmentMib, spec.segment_mib));
  if (spec.uuid == Uuid{}) return invalid(spec.barcode + ": a cartridge needs a UUID");
  return std::nullopt;
}

}  // namespace

Uuid make_uuid(std::array<std::byte, 16> random) {
  random[6] = (random[6] & std::byte{0x0F}) | std::byte{0x40};
  random[8] = (random[8] & std::byte{0x3F}) | std::byte{0x80};
  return random;
}

std::string to_string(const Uuid& uuid) {
  std::string out;
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += fmt::format("{:02x}", std::to_integer<unsigned>(uuid[i]));
  }
  return out;
}

// --- pool

Status create_pool(FileSystem& files, const std::string& pool_dir, const PoolSpec& spec) {
  format::Pool pool;
  pool.uuid = spec.uuid;
  pool.created_ns = spec.created_ns;
  std::array<std::byte, format::kBlock> block{};
  format::encode_pool(pool, block);
  // POOL comes last: with it, everything else is there.
  return in_order([&] { return files.make_directory(pool_dir); },
                  [&] { return files.make_directory(carts_directory(pool_dir)); },
                  [&] { return files.make_directory(trash_directory(pool_dir)); },
                  [&] { return files.make_directory(incoming_directory(pool_dir)); },
                  [&] { return write_file(files, pool_dir + "/POOL", block); },
                  [&] { return files.sync_directory(pool_dir); });
}

Result<PoolSpec> read_pool(FileSystem& files, const std::string& pool_dir) {
  auto file = files.open(pool_dir + "/POOL", FileSystem::Mode::kRead);
  if (!file) return file.error();
  std::array<std::byte, format::kBlock> block{};
  const auto got = (*file)->pread(block, 0);
  if (!got) return got.error();
  const auto pool = format::decode_pool(block);
  if (!pool) return IoError{EBADMSG, pool_dir + "/POOL: damaged"};
  if (pool->major != format::kMajor || (pool->feat_incompat & ~format::kKnownIncompat) != 0)
    return IoError{EPROTONOSUPPORT, pool_dir + "/POOL: its format is newer than this program"};
  return PoolSpec{pool->uuid, pool->created_ns};
}

Status empty_trash(FileSystem& files, const std::string& pool_dir, std::stop_token stop) {
  const auto names = files.list(trash_directory(pool_dir));
  if (!names) return names.error();
  Status status = ok_status();
  for (const std::string& name : *names)
    if (Status removed = remove_all(files, trash_directory(pool_dir) + "/" + name, stop); !removed)
      status = removed;
  return status;
}

std::uint64_t low_water(std::uint64_t configured_bytes, std::uint64_t total_bytes) {
  if (configured_bytes != 0) return configured_bytes;
  return std::min(std::max(total_bytes / 20, std::uint64_t{20} << 30), total_bytes / 10);
}

std::string cartridge_directory(const std::string& pool_dir, std::string_view barcode) {
  return fmt::format("{}/{}", carts_directory(pool_dir), barcode);
}

Result<std::vector<std::string>> list_cartridges(FileSystem& files, const std::string& pool_dir) {
  auto names = files.list(carts_directory(pool_dir));
  if (names) std::erase_if(*names, [](const std::string& name) { return name.starts_with("."); });
  return names;
}

// --- cartridge

Status create_cartridge(FileSystem& files, const std::string& pool_dir, const CartridgeSpec& spec) {
  const scsi::ssc::Generation* generation = scsi::ssc::find_generation(spec.generation);
  if (auto error = objection(spec, generation)) return *error;
  const std::string dir = cartridge_directory(pool_dir, spec.barcode);
  const auto there = files.exists(dir);
  if (!there) return there.error();
  if (*there)
    return IoError{EEXIST, spec.barcode + ": there is a cartridge with this barcode already"};

  format::Cart cart;
  cart.segment_mib = spec.segment_mib;
  cart.uuid = spec.uuid;
  cart.barcode = spec.barcode;
  cart.created_ns = spec.created_ns;
  cart.generation = spec.generation;
  cart.density = generation->density_code;
  cart.worm = spec.worm;
  cart.cleaning = spec.cleaning;
  cart.owner_library = spec.library;
  cart.set(format::kClean, true);
  format::PartitionRow& row = cart.partitions[0];
  row.dirgen = 1;
  row.capacity_bytes = spec.capacity_bytes != 0
                           ? spec.capacity_bytes
                           : std::uint64_t{generation->capacity_mb} * 1'000'000;
  row.early_warning_bytes = early_warning_bytes(row.capacity_bytes);
  std::array<std::byte, 2 * format::kBlock> slots{};
  format::encode_cart(cart, scsi::MutableBytes(slots).first(format::kBlock));
  const auto mam = format::encode_mam({});

  // Built aside and renamed, so that a cartridge is there whole or not at all.
  const std::string aside = fmt::format("{}/{}.new", incoming_directory(pool_dir), spec.barcode);
  return in_order(
      [&] { return remove_all(files, aside); },  // of an earlier crash
      [&] { return files.make_directory(aside); },
      [&] {
        return files.make_directory(aside + "/" + format::partition_directory(0, row.dirgen));
      },
      [&] { return write_file(files, aside + "/CART", slots); },
      [&] { return write_file(files, aside + "/MAM", *mam); },
      [&] { return files.sync_directory(aside); }, [&] { return files.rename(aside, dir); },
      [&] { return files.sync_directory(carts_directory(pool_dir)); });
}

std::uint64_t early_warning_bytes(std::uint64_t capacity_bytes) {
  return std::min(std::max(capacity_bytes / 100, 16 * std::uint64_t{kMaxBlockBytes}),
                  capacity_bytes / 8);
}

Result<CartridgeSummary> read_summary(FileSystem& files, const std::string& dir) {
  const Result<Label> label = read_label(files, dir);
  if (!label) return label.error();
  const format::Cart& cart = label->cart;
  CartridgeSummary summary;
  summary.directory = dir;
  summary.uuid = cart.uuid;
  summary.info = medium_info(*label);
  summary.created_ns = cart.created_ns;
  summary.segment_mib = cart.segment_mib;
  for (std::uint32_t p = 0; p < cart.partition_count; ++p) {
    const format::PartitionRow& row = cart.partitions[p];
    summary.partitions.push_back(
        {row.capacity_bytes, row.clean_used, row.clean_eod, row.clean_filemarks});
  }
  summary.clean = cart.has(format::kClean);
  summary.element_hint = cart.element_hint;
  summary.label_damaged = label->damaged;
  return summary;
}

Status check_idle(FileSystem& files, const std::string& dir) {
  const auto lock = files.lock(dir + "/LOCK");
  return lock ? ok_status() : Status(lock.error());
}

Status set_write_protect(FileSystem& files, const std::string& dir, bool write_protected) {
  const auto lock = files.lock(dir + "/LOCK");
  if (!lock) return lock.error();
  Result<Label> label = read_label(files, dir);
  if (!label) return label.error();
  if (const Status status = may_change(*label, dir); !status) return status;
  if (label->cart.has(format::kWriteProtect) == write_protected) return ok_status();
  if (const Status synced = sync_cart(files, dir); !synced) return synced;
  label->cart.set(format::kWriteProtect, write_protected);
  // A table of segments belongs to the label that named it; clean_gen keeps that name.
  return write_cart(files, dir, label->cart);
}

Status set_element_hint(FileSystem& files, const std::string& dir, std::uint16_t element) {
  const auto lock = files.lock(dir + "/LOCK");
  if (!lock) return lock.error();
  Result<Label> label = read_label(files, dir);
  if (!label) return label.error();
  if (const Status status = may_change(*label, dir); !status) return status;
  if (label->cart.element_hint == element) return ok_status();
  if (const Status synced = sync_cart(files, dir); !synced) return synced;
  label->cart.element_hint = element;
  return write_cart(files, dir, label->cart);
}

Status delete_cartridge(FileSystem& files, const std::string& pool_dir, std::string_view barcode) {
  const std::string dir = cartridge_directory(pool_dir, barcode);
  const auto there = files.exists(dir);
  if (!there) return there.error();
  if (!*there) return IoError{ENOENT, fmt::format("{}: there is no such cartridge", barcode)};
  const auto lock = files.lock(dir + "/LOCK");
  if (!lock) return lock.error();
  // A name that no earlier deletion can have used.
  std::string to;
  for (unsigned n = 0;; ++n) {
    to = fmt::format("{}/deleted-{}-{}", trash_directory(pool_dir), barcode, n);
    const auto taken = files.exists(to);
    if (!taken) return taken.error();
    if (!*taken) break;
  }
  return in_order([&] { return files.rename(dir, to); },
                  [&] { return files.sync_directory(carts_directory(pool_dir)); });
}

}  // namespace vtl
