// PoolStore: the library's cartridges in a pool directory of vtl/cartridge.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "vtl/cartridge/executor.h"
#include "vtl/cartridge/medium.h"
#include "vtl/library/cartridge_store.h"

namespace vtl {

struct PoolStoreOptions {
  std::string pool_dir;
  std::uint32_t segment_mib = 256;  // of cartridges made from now on
  MediumOptions medium;
  // Both are called on strands: from any thread.
  std::function<void(scsi::MutableBytes)> random;
  std::function<std::uint64_t()> now_ns;  // unix time
  // On the loop: a drive is about to get this cartridge. May be empty.
  std::function<void(const std::string& barcode)> loading = {};
};

class PoolStore final : public CartridgeStore {
 public:
  // `executors`: of each drive's loop, for the media in it. A tool that loads none passes none.
  PoolStore(PoolStoreOptions options, FileSystem& files, std::vector<Executor*> executors = {});

  // For one more drive. On the loop.
  void add_drive(Executor& executor) { executors_.push_back(&executor); }

  Result<std::vector<std::string>> list() override;
  Result<CartridgeSummary> read_summary(const std::string& barcode) override;
  Status check_idle(const std::string& barcode) override;
  Status create(const CartridgeLabel& label, std::uint64_t capacity_bytes) override;
  Status remove(const std::string& barcode) override;
  Status set_write_protected(const std::string& barcode, bool on) override;
  Status set_element_hint(const std::string& barcode, std::uint16_t element) override;
  std::unique_ptr<scsi::ssc::TapeMedium> make_medium(const CartridgeSummary& summary,
                                                     std::size_t drive) override;

 private:
  PoolStoreOptions options_;
  FileSystem& files_;
  std::vector<Executor*> executors_;
};

}  // namespace vtl
