// Hosts: what they write and read, what they ask meanwhile, and their commands that wait for the
// disk. All of it throws std::runtime_error when an answer is wrong or does not come.
#pragma once

#include <memory>
#include <string>

#include "test/powercut/tape.h"
#include "test/stall/pending.h"
#include "test/stall/world.h"

inline constexpr std::size_t kRecord = 256u << 10;

std::string describe(const CommandResult& result);
void check(bool holds, const std::string& what);
void expect(const CommandResult& result, const std::string& what);  // GOOD

// A drive, what its tape must hold, and the session that writes it.
struct Host {
  Host(World& world, int number);
  ByteString next_record();
  void write(int records);
  void write_filemark();
  void read_back();
  // On the healthy disk: some records, a filemark, all of it read.
  void stream();

  std::string name;
  Initiator session;
  Tape tape;
  std::size_t at = 0;
};

// --- what is answered whatever a disk does

// By a session that has a command under way, too: a ping, how the unit is, and who.
void ask(Initiator& session, const std::string& who);
void ask_changer(Initiator& session, const std::string& who);
void ask_command_line(World& world);

// --- commands that wait for the disk

using Waiting = std::unique_ptr<Pending>;

Waiting begin_filemark(Host& host);
// Writes until the drive's buffer is full and a GOOD does not come.
Waiting fill(Host& host);
Waiting begin_read(Host& host);
Waiting begin_move(Initiator& changer, int source, int destination);
void check_waits(Pending& pending, const std::string& what);
