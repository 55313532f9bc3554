// What every bad input is measured against: a server on which somebody else works.
//
// The server is started once for all tests, as starting one costs more than most of them. At drive
// 2 a neighbour is logged in all the while, with a WRITE in flight of which the server has asked
// for the data. When a test is over - its connections are closed by then - the server runs, holds
// no more buffers and descriptors than before and has no session but the neighbour's; the WRITE
// gets its data and ends GOOD, and what was written is read again. At the end of the program the
// server has to stop in order: a sanitizer's finding fails the run.
#pragma once

#include "library.h"
#include "raw_session.h"

class Neighbour {
 public:
  // kPatient has the limits' defaults but for two sessions a target, and CHAP at drive 4; kStrict
  // the shortest times and small numbers.
  enum class Server { kPatient, kStrict };
  explicit Neighbour(Server server = Server::kPatient);
  ~Neighbour();
  Neighbour(const Neighbour&) = delete;
  Neighbour& operator=(const Neighbour&) = delete;

  Daemon& daemon();
  std::uint16_t port() { return daemon().port(); }
  RawSession& neighbour();
  // Drives 1 and 2 have a tape; 3 has none; 4 asks for CHAP, and has none.
  std::string drive(int number) { return daemon().drive(number); }
  // A session at drive 1, past its unit attentions, with the tape at its beginning.
  RawSession session(const RawLogin& login = {});
  // The rest of the checks before the end, as often as one likes.
  void at_peace();
  std::uint64_t reached(const std::string& limit);  // how often

  static constexpr const char* kUser = "backup01";
  static constexpr const char* kSecret = "correct-horse-b";

  struct Served;  // the server and who is there all the time

 private:
  Served& served_;
  RawPdu r2t_;
  ByteString record_;
};
