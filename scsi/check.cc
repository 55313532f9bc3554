#include "scsi/check.h"

#include <cstdio>
#include <cstdlib>

namespace scsi {

void check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "vtl: internal error at %s:%d: %s does not hold\n", file, line, expression);
  std::abort();
}

}  // namespace scsi
