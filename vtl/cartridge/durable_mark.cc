#include "vtl/cartridge/durable_mark.h"

#include <array>
#include <cerrno>

namespace vtl {

std::optional<format::Durable> DurableMark::read(const Uuid& uuid, std::uint32_t partition,
                                                 std::uint32_t cut_epoch) const {
  const auto file = files_.open(path_, FileSystem::Mode::kRead);
  if (!file) return std::nullopt;
  std::array<std::byte, format::kDurableBytes> sector{};
  const Result<std::size_t> got = (*file)->pread(sector, 0);
  if (!got || *got != sector.size()) return std::nullopt;
  auto durable = format::decode_durable(sector);
  if (!durable || durable->uuid != uuid || durable->partition != partition ||
      durable->cut_epoch != cut_epoch)
    return std::nullopt;
  return durable;
}

Status DurableMark::write(const format::Durable& durable) {
  if (written_ == durable) return ok_status();
  if (file_ == nullptr) {
    auto file = files_.open(path_, FileSystem::Mode::kReadWrite);
    if (!file && file.error().code == ENOENT) file = files_.open(path_, FileSystem::Mode::kCreate);
    if (!file) return file.error();
    file_ = std::move(*file);
  }
  std::array<std::byte, format::kDurableBytes> sector{};
  format::encode_durable(durable, sector);
  const Status status = file_->pwrite(sector, 0);
  if (status) written_ = durable;
  return status;
}

}  // namespace vtl
