#include "scsi/identity.h"

#include <string_view>

namespace scsi {

std::string t10_identifier(const Identity& identity) {
  const auto padded = [](std::string_view text, std::size_t width) {
    std::string field(text.substr(0, width));
    field.resize(width, ' ');
    return field;
  };
  // SPC-4 7.8.6.4: vendor identification, then a vendor specific identifier. A drive's serial has
  // ten characters; a changer's may have more and is not cut.
  std::string serial = identity.serial;
  if (serial.size() < 10) serial.resize(10, ' ');
  return padded(identity.vendor, 8) + padded(identity.product, 16) + serial;
}

}  // namespace scsi
