// What a server can still do, and what not any more. In a process of its own: there is no way back.
#include "vtl/daemon/sandbox.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <functional>
#include <string>
#include <thread>

namespace {

// Runs `what` sandboxed; true if it says so.
bool sandboxed(const std::function<bool()>& what) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(vtl::daemon::enter_sandbox().empty() ? (what() ? 0 : 1) : 2);
  int status = 0;
  ::waitpid(pid, &status, 0);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) != 2);
  return WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("the sandbox lets a server work") {
  CHECK(sandboxed([] {
    const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0;
  }));
  CHECK(sandboxed([] {
    bool ran = false;
    std::thread([&] { ran = ::open("/dev/null", O_WRONLY | O_CLOEXEC) >= 0; }).join();
    return ran;
  }));
  CHECK(sandboxed([] {
    return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
           MAP_FAILED;
  }));
}

TEST_CASE("no program is started, no process made, no other socket had, no memory made code") {
  CHECK(sandboxed([] {
    char name[] = "/bin/true";
    char* const arguments[] = {name, nullptr};
    ::execv(name, arguments);
    return errno == ENOSYS;
  }));
  CHECK(sandboxed([] { return ::fork() < 0; }));
  CHECK(sandboxed([] { return ::socket(AF_NETLINK, SOCK_RAW, 0) < 0; }));
  CHECK(sandboxed([] { return ::socket(AF_PACKET, SOCK_RAW, 0) < 0; }));
  CHECK(sandboxed([] {
    return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
           MAP_FAILED;
  }));
  CHECK(sandboxed([] { return ::setuid(0) < 0 && errno == ENOSYS; }));
  CHECK(sandboxed([] { return ::kill(::getppid(), 0) < 0; }));
  CHECK(sandboxed([] { return ::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0) < 0; }));
  CHECK(sandboxed([] {
    rlimit limit{};
    return ::prlimit(::getppid(), RLIMIT_NOFILE, nullptr, &limit) < 0 &&
           ::getrlimit(RLIMIT_NOFILE, &limit) == 0;
  }));
}

TEST_CASE("nobody is connected to, by TCP or otherwise") {
  const auto to_loopback = [] {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(9);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  };
  for (const int type : {SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET})
    for (const int family : {AF_INET, AF_INET6, AF_UNIX})
      CHECK(sandboxed([&] { return ::socket(family, type | SOCK_CLOEXEC, 0) < 0; }));
  CHECK(sandboxed([&] {
    const sockaddr_in address = to_loopback();
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 &&
           errno == ENOSYS;
  }));
  CHECK(sandboxed([&] {
    const sockaddr_in address = to_loopback();
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    return ::sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
                    reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 &&
           errno == ENOSYS;
  }));
}

TEST_CASE("where somebody else has forbidden it to limit itself, it says so") {
  const pid_t pid = ::fork();
  if (pid == 0) {
    // As a service manager or a container does whose list does not have seccomp(2).
    scmp_filter_ctx outer = seccomp_init(SCMP_ACT_ALLOW);
    seccomp_rule_add(outer, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(seccomp), 0);
    if (seccomp_load(outer) != 0) ::_exit(2);
    const std::string problem = vtl::daemon::enter_sandbox();
    ::_exit(problem.starts_with("cannot limit system calls: ") ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("the sandbox holds for threads that are there already, and forbids core dumps") {
  CHECK(sandboxed([] { return ::prctl(PR_GET_DUMPABLE) == 0; }));
  const pid_t pid = ::fork();
  if (pid == 0) {
    int result = 1;
    std::atomic<bool> ready = false;
    std::thread early([&] {
      while (!ready) std::this_thread::yield();
      result = ::socket(AF_NETLINK, SOCK_RAW, 0) < 0 ? 0 : 1;
    });
    const bool entered = vtl::daemon::enter_sandbox().empty();
    ready = true;
    early.join();
    ::_exit(entered ? result : 2);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
