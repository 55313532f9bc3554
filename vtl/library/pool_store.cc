#include "vtl/library/pool_store.h"

#include <cerrno>
#include <utility>

namespace vtl {

PoolStore::PoolStore(PoolStoreOptions options, FileSystem& files, std::vector<Executor*> executors)
    : options_(std::move(options)), files_(files), executors_(std::move(executors)) {
  options_.medium.random = options_.random;
}

Result<std::vector<std::string>> PoolStore::list() {
  return list_cartridges(files_, options_.pool_dir);
}

Result<CartridgeSummary> PoolStore::read_summary(const std::string& barcode) {
  const std::string directory = cartridge_directory(options_.pool_dir, barcode);
  Result<CartridgeSummary> summary = vtl::read_summary(files_, directory);
  // A copy under another name must not be taken for the cartridge it was made of.
  if (summary && summary->info.barcode != barcode)
    return IoError{EBADMSG, directory + ": its label says that it is cartridge " +
                                summary->info.barcode +
                                ": give the directory that name, or take it out of the pool"};
  return summary;
}

Status PoolStore::check_idle(const std::string& barcode) {
  return vtl::check_idle(files_, cartridge_directory(options_.pool_dir, barcode));
}

Status PoolStore::create(const CartridgeLabel& label, std::uint64_t capacity_bytes) {
  CartridgeSpec spec;
  spec.barcode = label.barcode;
  spec.generation = label.generation;
  spec.worm = label.worm;
  spec.cleaning = label.cleaning;
  spec.capacity_bytes = capacity_bytes;
  spec.segment_mib = options_.segment_mib;
  std::array<std::byte, 16> random{};
  options_.random(random);
  spec.uuid = make_uuid(random);
  spec.created_ns = options_.now_ns();
  return create_cartridge(files_, options_.pool_dir, spec);
}

Status PoolStore::remove(const std::string& barcode) {
  return delete_cartridge(files_, options_.pool_dir, barcode);
}

Status PoolStore::set_write_protected(const std::string& barcode, bool on) {
  return set_write_protect(files_, cartridge_directory(options_.pool_dir, barcode), on);
}

Status PoolStore::set_element_hint(const std::string& barcode, std::uint16_t element) {
  return vtl::set_element_hint(files_, cartridge_directory(options_.pool_dir, barcode), element);
}

std::unique_ptr<scsi::ssc::TapeMedium> PoolStore::make_medium(const CartridgeSummary& summary,
                                                              std::size_t drive) {
  VTL_CHECK(drive < executors_.size());
  if (options_.loading) options_.loading(summary.info.barcode);
  return vtl::make_medium(files_, *executors_[drive], summary, options_.medium);
}

}  // namespace vtl
