// OpenCartridge::format: other partitions for a cartridge, whole or not at all (FORMAT.md, "Write
// protocol").
#include <algorithm>

#include "vtl/cartridge/cartridge.h"
#include "vtl/cartridge/open_cartridge.h"

namespace vtl {

MaybeFault OpenCartridge::format(const std::vector<std::uint64_t>& capacities) {
  VTL_CHECK(!capacities.empty() && capacities.size() <= format::kMaxPartitions);
  if (failed_) return refusal();
  if (info().write_protected)
    return make_fault(Fault::Kind::kWriteError, info().write_protect_reason);
  if (cart_.worm)
    return make_fault(Fault::Kind::kWriteError, "a WORM cartridge cannot be formatted");

  const format::Cart before = cart_;
  std::uint64_t full = cart_.full_capacity_bytes, sum = 0;
  if (full == 0)
    for (std::uint32_t p = 0; p < partition_count(); ++p)
      full += cart_.partitions[p].capacity_bytes;
  for (std::size_t p = 0; p < capacities.size(); ++p) {
    sum += capacities[p];
    const std::uint32_t dirgen = cart_.partitions[p].dirgen + 1;
    cart_.partitions[p] = {};
    cart_.partitions[p].dirgen = dirgen;
    cart_.partitions[p].capacity_bytes = capacities[p];
    cart_.partitions[p].early_warning_bytes = early_warning_bytes(capacities[p]);
  }
  cart_.partition_count = static_cast<std::uint8_t>(capacities.size());
  cart_.full_capacity_bytes = sum == full ? 0 : full;
  cart_.initialization_count = std::max(cart_.initialization_count, mam_.formats() + 1) + 1;

  const auto directory = [this](std::uint32_t p) {
    return dir_ + "/" + format::partition_directory(p, cart_.partitions[p].dirgen);
  };
  Status status = ok_status();
  std::uint32_t made = 0;
  while (status && made < partition_count())
    if (status = files_.make_directory(directory(made)); status) ++made;
  if (!status) {
    // For want of space nothing was changed.
    Fault fault = write_fault(status.error());
    while (made-- != 0) (void)files_.remove(directory(made));
    cart_ = before;
    return is_out_of_space(status.error()) ? fault : final_fault(std::move(fault));
  }
  if (status = files_.sync_directory(dir_); !status) {
    cart_ = before;
    return final_fault(write_fault(status.error()));
  }
  // The label is one block: with it, all of the old geometry gives way to all of the new one.
  if (MaybeFault fault = begin_epoch()) {
    cart_ = before;
    return fault;
  }
  for (std::uint32_t p = 0; p < before.partition_count; ++p) {
    writers_[p].reset();
    if (const Status gone = discard(logs_[p]->directory); !gone)
      notes_.push_back(gone.error().what);
    logs_[p].reset();
  }
  pending_.clear();
  current_ = 0;
  for (std::uint32_t p = 0; p < partition_count(); ++p)
    logs_[p] = std::make_unique<PartitionLog>(files_, cart_.uuid, p, cart_.partitions[p].dirgen,
                                              dir_, io_);
  mam_.formatted(cart_.initialization_count - 1);
  // What is not said here, the next load finds by the count.
  if (MaybeFault fault = mam_.save()) notes_.push_back(fault->detail);
  return std::nullopt;
}

}  // namespace vtl
