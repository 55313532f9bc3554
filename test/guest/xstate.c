// Preloaded into the guest's kernel (User-mode Linux 6.1), which keeps the floating point state of its processes in a
// buffer made for AVX-512. On a processor with more state (AMX) the host's PTRACE_SETREGSET takes nothing but all of it,
// answers EFAULT, and the guest dies before its first process. Here the state that the guest has no room for is left at
// its initial value, which is what it is as long as nobody in the guest uses AMX.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { kHeader = 512, kLargest = 65536 };  // XSTATE_BV stands at the head of the XSAVE header (Intel SDM 13.4.2)
static const uint64_t kKnown = 0x2ff;      // x87, SSE, AVX, MPX, AVX-512, PKRU

typedef long Ptrace(int request, pid_t pid, void* address, void* data);

long ptrace(enum __ptrace_request request, ...) {
  static Ptrace* next;
  static char state[kLargest];
  static size_t size;  // of the host's whole state
  va_list arguments;
  va_start(arguments, request);
  const pid_t pid = va_arg(arguments, pid_t);
  void* const address = va_arg(arguments, void*);
  void* const data = va_arg(arguments, void*);
  va_end(arguments);
  if (!next) next = (Ptrace*)dlsym(RTLD_NEXT, "ptrace");

  if (request != PTRACE_SETREGSET || (uintptr_t)address != NT_X86_XSTATE) return next(request, pid, address, data);
  const struct iovec* const known = data;
  struct iovec whole = {state, sizeof state};
  if (size == 0) {
    const long result = next(PTRACE_GETREGSET, pid, address, &whole);
    if (result < 0) return result;
    size = whole.iov_len;
  }
  if (known->iov_len >= size) return next(request, pid, address, data);
  memset(state, 0, size);
  memcpy(state, known->iov_base, known->iov_len);
  uint64_t present;
  memcpy(&present, state + kHeader, sizeof present);
  present &= kKnown;
  memcpy(state + kHeader, &present, sizeof present);
  whole.iov_len = size;
  return next(request, pid, address, &whole);
}
