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
  // The cartridge was formatted `formats` times. If not all of them are known here, what describes
  // its partitions goes: FORMAT MEDIUM did not come so far, or comes to it now. To be called after
  // load(); durable with the next write.
  void formatted(std::uint32_t formats);
  MaybeFault save();  // as it is
  std::uint32_t formats() const { return mam_.formats; }
  std::vector<scsi::ssc::Attribute> attributes(std::uint32_t partition) const;  // ascending

 private:
  MaybeFault save(format::Mam next);

  FileSystem* files_;
  std::string path_;
  format::Mam mam_;
  bool durable_ = false;  // mam_ is
};

}  // namespace vtl
