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

// What a cartridge's own superblock says of its place; used when the journal has to be rebuilt.
struct PlaceHint {
  std::optional<std::uint16_t> element;
};

struct CartridgeSummary {
  CartridgeLabel label;
  bool write_protected = false;
  bool clean =
      true;  // unloaded in good order; otherwise the figures are those of the last good unload
  std::uint64_t capacity_bytes = 0;  // of all partitions, nominal
  std::uint64_t used_bytes = 0;      // as stored
  std::uint64_t objects = 0, filemarks = 0;
  std::uint64_t load_count = 0;
  std::uint32_t partitions = 1;
  std::uint64_t created_unix_ns = 0;
  PlaceHint hint;
};

class CartridgeStore {
 public:
  virtual ~CartridgeStore() = default;

  // --- blocking, on the strand
  // ------------------------------------------------------------------------------------
  virtual Result<std::vector<std::string>>
  list() = 0;  // barcodes, sorted; reads one directory, not the cartridges
  virtual Result<CartridgeSummary> read_summary(const std::string& barcode) = 0;
  // The cartridge exists wholly and durably, or not at all. capacity 0: the generation's.
  virtual Status create(const CartridgeLabel& label, std::uint64_t capacity_bytes) = 0;
  virtual Status remove(const std::string& barcode) = 0;
  virtual Status set_write_protected(const std::string& barcode, bool on) = 0;
  virtual Status set_place_hint(const std::string& barcode, PlaceHint hint) = 0;

  // --- on the loop
  // --------------------------------------------------------------------------------------------------
  virtual std::unique_ptr<scsi::ssc::TapeMedium> make_medium(const CartridgeLabel& label) = 0;
};

}  // namespace vtl
