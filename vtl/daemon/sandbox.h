// What a server gives up when it has started: it needs no more of the system than files, TCP and
// its own threads, and whoever takes it over through a bug gets no more.
#pragma once

#include <string>

namespace vtl::daemon {

// For this process, for good, all of its threads: no new privileges, no core dumps and no tracing
// by others of its user (PR_SET_DUMPABLE), and a list of system calls beside which there are none:
// they end in ENOSYS, as on a kernel that does not have them. No program can be started, no memory
// made executable, no socket but TCP's and Unix' be had, and no connection made to anybody. Empty;
// or what could not be done, and why.
std::string enter_sandbox();

// Secrets never reach a core dump or a debugger of this user.
void forbid_core_dumps();

}  // namespace vtl::daemon
