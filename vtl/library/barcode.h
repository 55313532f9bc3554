// Barcodes of LTO cartridges: a volume name and a two-character media type, "VTL001L8".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "vtl/library/cartridge_store.h"

namespace vtl {

// Empty if `barcode` may be a cartridge's name: 6 to 30 of A-Z 0-9 (backup software drops or
// refuses the rest, and the name is a folder's). Otherwise what is wrong with it.
std::string check_barcode(std::string_view barcode);

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

// Media names in backup software are a barcode's last six characters: they must not meet (a barcode
// shorter than that counts whole).
class BarcodeSet {
 public:
  // The barcode that it would clash with; may be itself.
  std::optional<std::string> clash(std::string_view barcode) const;
  void insert(std::string_view barcode);
  void erase(std::string_view barcode);

 private:
  std::unordered_map<std::string, std::string> by_tail_;
};

}  // namespace vtl
