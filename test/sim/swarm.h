// What one seed turns on. Each fault is on in some worlds and off in others, so that what one fault
// would hide is seen where it is off.
#pragma once

#include <string>

#include "test/sim/random.h"

namespace sim {

struct Swarm {
  // Disk.
  bool fail_reads = false, fail_writes = false, fail_syncs = false, fail_names = false;
  bool no_space = false, slow = false;
  bool power_cuts = false, kills = false;
  // Lines.
  bool cuts = false, half_open = false, delays = false, tiny_pieces = false;
  // Hosts.
  bool task_management = false, digests = false, initial_r2t = false, immediate_data = true;
  bool erase = false, overwrite = false;
  bool fixed_blocks = false, reserve = false, prevent = false, exchange = false;
  bool intruders = false;  // a second host at each drive
  bool claims = false;     // a drive of its own, for persistent reservations
  bool chap = false;       // everybody has to prove who it is; and somebody calls who cannot
  unsigned drives = 1, cartridges = 2, depth = 1, steps = 2000;
  std::uint32_t largest_record = 2000;
  bool compression = false, small_queue = false;

  std::uint32_t segment_objects = 1u << 20;

  bool harsh = false;    // much more of it
  bool cutting = false;  // power goes and processes die again and again, and nothing else fails

  bool disk_fails() const { return fail_reads || fail_writes || fail_syncs || fail_names; }
  bool lines_fail() const { return cuts || half_open; }
  std::string text() const;
};

Swarm make_swarm(Random& random, std::uint64_t seed);

// What happened, over all worlds.
struct Counts {
  std::uint64_t worlds = 0, commands = 0, records_verified = 0, barriers = 0, moves = 0,
                connections = 0, cuts = 0, crashes = 0, faults = 0, write_faults = 0,
                write_faults_told = 0, stalls = 0, managements = 0, claims = 0, chap_logins = 0,
                logins_refused = 0, discoveries = 0, steps = 0, given_up = 0;
  void add(const Counts& other);
  std::string text() const;
};

}  // namespace sim
