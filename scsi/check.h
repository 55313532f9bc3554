// VTL_CHECK: an assertion that stays on in release builds. For programmer errors only - a broken
// contract between two parts of this program. Input from a wire, a disk or a person is never
// asserted on.
#pragma once

namespace scsi {
// Prints where and what to standard error and aborts.
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
}  // namespace scsi

#define VTL_CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::scsi::check_failed(#condition, __FILE__, __LINE__))
