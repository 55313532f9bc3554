// A small library in a directory of its own, and its server: what most tests start from.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "initiator.h"
#include "vtl_process.h"

// stk-l700 addresses.
inline constexpr int kFirstDrive = 500;
inline constexpr int kFirstSlot = 1000;
inline constexpr int kFirstDoor = 10;

struct Library {
  // Made with 10 drives, and served. `edit` may change vtl.yaml before.
  explicit Library(const std::vector<std::string>& init_options = {},
                   const std::function<void(std::string& yaml)>& edit = {});

  Initiator attach_changer(LoginOptions options = {}) {
    return Initiator::attach(daemon.portal(), daemon.changer(), std::move(options));
  }
  Initiator attach_drive(int number, LoginOptions options = {}) {
    return Initiator::attach(daemon.portal(), daemon.drive(number), std::move(options));
  }
  // Slot n to drive n, through the changer; then the drive's session, ready.
  Initiator load(int number, LoginOptions options = {});

  TempDir dir;
  Daemon daemon;
};

// Replaces the one occurrence of `from`; throws if there is none or more.
void replace_in(std::string& text, const std::string& from, const std::string& to);
