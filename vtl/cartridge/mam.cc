#include "vtl/cartridge/mam.h"

#include <algorithm>
#include <cerrno>

namespace vtl {

using scsi::ssc::Attribute;

MamStore::MamStore(FileSystem& files, const std::string& cartridge_dir)
    : files_(&files), path_(cartridge_dir + "/MAM") {}

MaybeFault MamStore::load() {
  mam_ = {};
  auto file = files_->open(path_, FileSystem::Mode::kRead);
  if (!file && file.error().code == ENOENT) return std::nullopt;
  if (!file) return make_fault(Fault::Kind::kAttributeStore, file.error().what);
  std::vector<std::byte> bytes(2 * format::kMamSlotBytes);
  const auto got = (*file)->pread(bytes, 0);
  if (!got) return make_fault(Fault::Kind::kAttributeStore, got.error().what);
  bytes.resize(*got);
  bool found = false;
  for (std::size_t at = 0; at < bytes.size(); at += format::kMamSlotBytes) {
    const std::size_t length = std::min(format::kMamSlotBytes, bytes.size() - at);
    auto slot = format::decode_mam(scsi::Bytes(bytes).subspan(at, length));
    if (slot && (!found || slot->gen > mam_.gen)) {
      mam_ = std::move(*slot);
      found = true;
    }
  }
  if (found || bytes.empty()) return std::nullopt;
  return make_fault(Fault::Kind::kAttributeStore, path_ + ": both copies are damaged");
}

MaybeFault MamStore::write(std::uint32_t partition, const std::vector<Attribute>& attributes) {
  format::Mam next = mam_;
  for (const Attribute& attribute : attributes) {
    std::erase_if(next.attributes, [&](const format::MamAttribute& a) {
      return a.partition == partition && a.attribute.id == attribute.id;
    });
    if (!attribute.value.empty())
      next.attributes.push_back({static_cast<std::uint8_t>(partition), attribute});
  }
  std::sort(next.attributes.begin(), next.attributes.end(), [](const auto& a, const auto& b) {
    return std::pair(a.partition, a.attribute.id) < std::pair(b.partition, b.attribute.id);
  });
  return save(std::move(next));
}

void MamStore::formatted(std::uint32_t formats) {
  if (mam_.formats >= formats) return;
  mam_.formats = formats;
  std::erase_if(mam_.attributes, [](const format::MamAttribute& a) {
    return a.partition != 0 || scsi::ssc::describes_partition(a.attribute.id);
  });
}

MaybeFault MamStore::save() { return save(mam_); }

MaybeFault MamStore::save(format::Mam next) {
  ++next.gen;
  const auto encoded = format::encode_mam(next);
  if (!encoded)
    return make_fault(Fault::Kind::kAttributeStore, path_ + ": no room for more attributes");
  auto file = files_->open(path_, FileSystem::Mode::kReadWrite);
  if (!file) return make_fault(Fault::Kind::kAttributeStore, file.error().what);
  const auto place = [](const format::Mam& mam) { return (mam.gen & 1) * format::kMamSlotBytes; };
  // The slot that stays must be durable before the other is touched; a process that was killed, or
  // a sync that has failed, may have left it in the system's memory only.
  Status status = ok_status();
  if (!durable_) {
    status = write_again(**file, place(mam_), format::kMamSlotBytes);
    if (status) status = (*file)->fdatasync();
    durable_ = status.ok();
  }
  if (status) status = (*file)->pwrite(*encoded, place(next));
  if (status) status = (*file)->fdatasync();
  if (!status) return make_fault(Fault::Kind::kAttributeStore, status.error().what);
  mam_ = std::move(next);
  return std::nullopt;
}

std::vector<Attribute> MamStore::attributes(std::uint32_t partition) const {
  std::vector<Attribute> out;
  for (const format::MamAttribute& a : mam_.attributes)
    if (a.partition == partition) out.push_back(a.attribute);
  return out;
}

}  // namespace vtl
