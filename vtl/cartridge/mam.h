// The MAM file: host attributes of all partitions, in two slots written in turn. What the device
// itself keeps - load history, counters, volume change reference - is in CART. Strand side.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vtl/cartridge/fault.h"
#include "vtl/cartridge/file.h"
#include "vtl/cartridge/format.h"

namespace vtl {

class MamStore {
 public:
  MamStore(FileSystem& files, const std::string& cartridge_dir);
  // A missing file is an empty one; when neither slot is valid, a fault, and the attributes are
  // empty.
  MaybeFault load();
  // An empty value removes. All of them or, with a fault, none; durable.
  MaybeFault write(std::uint32_t partition, const std::vector<scsi::ssc::Attribute>& attributes);
  std::vector<scsi::ssc::Attribute> attributes(std::uint32_t partition) const;  // ascending

 private:
  FileSystem* files_;
  std::string path_;
  format::Mam mam_;
  bool durable_ = false;  // mam_ is
};

}  // namespace vtl
