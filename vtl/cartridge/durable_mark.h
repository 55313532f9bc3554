// DurableMark: the file DURABLE of one partition, which says how much of its log was durable when a
// synchronisation last succeeded (FORMAT.md, "DURABLE").
//
// A record tells what was durable before it was written; what the last synchronisation made durable
// no record tells. With this a load can tell damage there from what a crash has torn. It is written
// after every synchronisation and not synchronised itself: lost, or left behind by a power failure,
// it only proves less. Strand side.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "vtl/cartridge/file.h"
#include "vtl/cartridge/format.h"

namespace vtl {

class DurableMark {
 public:
  DurableMark(FileSystem& files, const std::string& partition_directory)
      : files_(files), path_(partition_directory + "/DURABLE") {}

  // What it says about this partition under this cut; nothing: it says nothing.
  std::optional<format::Durable> read(const Uuid& uuid, std::uint32_t partition,
                                      std::uint32_t cut_epoch) const;
  // Only after a successful synchronisation. Writes when something has changed.
  Status write(const format::Durable& durable);

 private:
  FileSystem& files_;
  std::string path_;
  std::unique_ptr<File> file_;
  std::optional<format::Durable> written_;
};

}  // namespace vtl
