// How a failed system call becomes a medium's fault.
#pragma once

#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "scsi/ssc/medium.h"
#include "vtl/cartridge/file.h"

namespace vtl {

using Fault = scsi::ssc::MediumFault;
using MaybeFault = std::optional<Fault>;

inline Fault make_fault(Fault::Kind kind, std::string detail) {
  return {kind, 0, std::move(detail)};
}
inline Fault write_fault(const IoError& error) {
  return make_fault(is_out_of_space(error) ? Fault::Kind::kNoSpace : Fault::Kind::kWriteError,
                    error.what);
}
// A file that is not there is an extent lost, anything else a medium that cannot be read.
inline Fault read_fault(const IoError& error) {
  return make_fault(error.code == ENOENT ? Fault::Kind::kObjectMissing : Fault::Kind::kReadError,
                    error.what);
}

}  // namespace vtl
