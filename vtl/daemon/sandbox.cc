#include "vtl/daemon/sandbox.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <memory>

namespace vtl::daemon {
namespace {

// By what they are for. What a newer C library would rather use is there as well.
constexpr int kAllowed[] = {
    // files
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(close),
    SCMP_SYS(close_range),
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(preadv),
    SCMP_SYS(pwritev),
    SCMP_SYS(preadv2),
    SCMP_SYS(pwritev2),
    SCMP_SYS(lseek),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(sync_file_range),
    SCMP_SYS(fallocate),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fadvise64),
    SCMP_SYS(readahead),
    SCMP_SYS(copy_file_range),
    SCMP_SYS(sendfile),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(statfs),
    SCMP_SYS(fstatfs),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(getdents64),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(rmdir),
    SCMP_SYS(link),
    SCMP_SYS(linkat),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(chmod),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),
    SCMP_SYS(utimensat),
    SCMP_SYS(umask),
    SCMP_SYS(getcwd),
    SCMP_SYS(fcntl),
    SCMP_SYS(flock),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    SCMP_SYS(pipe),
    SCMP_SYS(pipe2),
    // memory
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(msync),
    SCMP_SYS(mincore),
    SCMP_SYS(mlock),
    SCMP_SYS(munlock),
    SCMP_SYS(membarrier),
    // connections
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    // waiting
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    // threads
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(gettid),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_setaffinity),
    SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler),
    SCMP_SYS(getcpu),
    SCMP_SYS(arch_prctl),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    // signals
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    // itself
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage),
    SCMP_SYS(times),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    SCMP_SYS(getrandom),
};

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, Release>;

// 0, or a negative error number.
int allow_some(scmp_filter_ctx filter, int call, std::initializer_list<scmp_arg_cmp> when) {
  return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, static_cast<unsigned>(when.size()),
                                when.begin());
}

scmp_arg_cmp masked(unsigned argument, scmp_datum_t mask, scmp_datum_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}
scmp_arg_cmp equal(unsigned argument, scmp_datum_t value) {
  return {argument, SCMP_CMP_EQ, value, 0};
}

int fill(scmp_filter_ctx filter) {
  int error = 0;
  const auto note = [&](int result) {
    // -EDOM: this machine has no such call.
    if (result != 0 && result != -EDOM && error == 0) error = result;
  };
  note(seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1));
  for (const int call : kAllowed) note(seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0));
  // Memory is data, or code that was there from the beginning.
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)})
    note(allow_some(filter, call, {masked(2, PROT_EXEC, 0)}));
  // Threads, no processes. The flags of clone3() cannot be seen from here: the C library takes
  // clone() where there is none.
  note(allow_some(filter, SCMP_SYS(clone), {masked(0, CLONE_THREAD, CLONE_THREAD)}));
  // Streams that others connect to: no connect(), nor what sending makes of one.
  constexpr scmp_datum_t kType = 0xF;  // without SOCK_NONBLOCK and SOCK_CLOEXEC
  for (const int family : {AF_INET, AF_INET6, AF_UNIX})
    note(allow_some(filter, SCMP_SYS(socket),
                    {equal(0, static_cast<scmp_datum_t>(family)), masked(1, kType, SOCK_STREAM)}));
  note(allow_some(filter, SCMP_SYS(sendto), {masked(3, MSG_FASTOPEN, 0)}));
  note(allow_some(filter, SCMP_SYS(sendmsg), {masked(2, MSG_FASTOPEN, 0)}));
  // To itself only: abort() signals, the C library asks for limits.
  note(allow_some(filter, SCMP_SYS(tgkill), {equal(0, static_cast<scmp_datum_t>(::getpid()))}));
  note(allow_some(filter, SCMP_SYS(prlimit64), {equal(0, 0)}));
  for (const scmp_datum_t request :
       {scmp_datum_t{FIONBIO}, scmp_datum_t{FIONREAD}, scmp_datum_t{FIOCLEX}})
    note(allow_some(filter, SCMP_SYS(ioctl), {equal(1, request)}));
  // Is standard error a terminal? The log asks.
  note(allow_some(filter, SCMP_SYS(ioctl), {equal(1, TCGETS)}));
  for (const int option : {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE})
    note(allow_some(filter, SCMP_SYS(prctl), {equal(0, static_cast<scmp_datum_t>(option))}));
  return error;
}

}  // namespace

void forbid_core_dumps() { (void)::prctl(PR_SET_DUMPABLE, 0); }

std::string enter_sandbox() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return std::string("cannot give up new privileges: ") + std::strerror(errno);
  forbid_core_dumps();
  const Filter filter(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)));
  int error = filter == nullptr ? -ENOMEM : fill(filter.get());
  if (error == 0) error = seccomp_load(filter.get());
  return error == 0 ? "" : std::string("cannot limit system calls: ") + std::strerror(-error);
}

}  // namespace vtl::daemon
