// Barcodes of LTO cartridges: a volume name and a two-character media type, "VTL001L8".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "scsi/smc/inventory.h"
#include "vtl/library/cartridge_store.h"

namespace vtl {

// Empty if `barcode` may be a cartridge's name: 6 to 30 of A-Z 0-9 (backup software drops or
// refuses the rest, and the name is a folder's). Otherwise what is wrong with it.
std::string check_barcode(std::string_view barcode);

// A cartridge without a label is called "unlabelled-7" by its owner: a name that no bar code can
// say. The changer's reader tells nothing of it.
bool is_unlabelled(std::string_view name);
std::string unlabelled_name(std::uint32_t number);

// The label that a barcode implies: generation and WORM by its suffix, cleaning by "CLN".
// `generation` overrides; it is needed where the suffix says nothing. An error text if they
// contradict each other or nothing says it.
struct LabelOutcome {
  CartridgeLabel label;
  std::string error;  // empty: good
};
LabelOutcome label_of_barcode(std::string_view barcode,
                              std::optional<std::uint8_t> generation = {});

// "VTL", 7, 8 -> "VTL007L8": prefix, digits up to six characters in all, suffix of the generation.
// Empty if the number does not fit or there is no such suffix.
std::string numbered_barcode(std::string_view prefix, std::uint32_t number, std::uint8_t generation,
                             bool worm = false);

// Media names in backup software are the last six characters of what the changer tells of a
// barcode: they must not meet (one shorter than that counts whole).
class BarcodeSet {
 public:
  // `told`: how much of a barcode the changer tells, from its beginning.
  explicit BarcodeSet(std::size_t told = scsi::smc::kVolumeTagCharacters) : told_(told) {}
  // The barcode that it would clash with; may be itself.
  std::optional<std::string> clash(std::string_view barcode) const;
  // "", or what a message about a clash says of how much is told.
  std::string as_told() const;
  void insert(std::string_view barcode);
  void erase(std::string_view barcode);

 private:
  std::string tail_of(std::string_view barcode) const;
  std::size_t told_;
  std::unordered_map<std::string, std::string> by_tail_;
};

}  // namespace vtl
