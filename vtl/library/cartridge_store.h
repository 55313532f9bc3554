// CartridgeStore: what the library needs of the place where cartridges are kept. pool_store.h
// implements it over vtl/cartridge; tests keep labels in memory.
//
// The blocking calls run on the library's strand, one at a time; make_medium() runs on the loop.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scsi/ssc/medium.h"
#include "vtl/cartridge/cartridge.h"
#include "vtl/cartridge/file.h"

namespace vtl {

// What never changes on a cartridge.
struct CartridgeLabel {
  std::string barcode;
  std::uint8_t generation = 8;
  bool worm = false;
  bool cleaning = false;
  friend bool operator==(const CartridgeLabel&, const CartridgeLabel&) = default;
};
inline CartridgeLabel label_of(const scsi::ssc::MediumInfo& info) {
  return {info.barcode, info.generation, info.worm, info.cleaning};
}

class CartridgeStore {
 public:
  virtual ~CartridgeStore() = default;

  // --- blocking, on the strand
  virtual Result<std::vector<std::string>>
  list() = 0;  // barcodes, sorted; reads one directory, not the cartridges
  virtual Result<CartridgeSummary> read_summary(const std::string& barcode) = 0;
  // EAGAIN: somebody works on it beside the library, and a drive could not load it now.
  virtual Status check_idle(const std::string& barcode) = 0;
  // The cartridge exists wholly and durably, or not at all. capacity 0: the generation's.
  virtual Status create(const CartridgeLabel& label, std::uint64_t capacity_bytes) = 0;
  virtual Status remove(const std::string& barcode) = 0;
  virtual Status set_write_protected(const std::string& barcode, bool on) = 0;
  // Kept on the label for rebuild_journal(); 0: in no element.
  virtual Status set_element_hint(const std::string& barcode, std::uint16_t element) = 0;

  // --- on the loop
  // For drive n, from 0. Out of that drive it is good for nothing but to be put back.
  virtual std::unique_ptr<scsi::ssc::TapeMedium> make_medium(const CartridgeSummary& summary,
                                                             std::size_t drive) = 0;
};

}  // namespace vtl
