// A command that is under way in a session while others are asked in it.
#pragma once

#include <chrono>
#include <initializer_list>
#include <memory>
#include <string>

#include "test/integration/initiator.h"

struct scsi_task;

// Outlived by its session.
class Pending {
 public:
  enum class Data { kNone, kOut, kIn };
  // `name` is for people. `data` goes out, or is as long as what may come in.
  Pending(Initiator& session, std::string name, std::initializer_list<int> cdb,
          Data direction = Data::kNone, ByteString data = {});
  ~Pending();  // it is not waited for any more
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;

  // Serves its session; whether the answer has come within this time.
  bool answered(std::chrono::milliseconds limit);
  // Throws std::runtime_error if there is no answer within a minute.
  const CommandResult& wait();
  const CommandResult& result() const { return state_->result; }
  // ABORT TASK; 0 is "complete". No answer comes then.
  int abort();

 private:
  struct State {
    ByteString data;
    CommandResult result;
    bool ended = false;
  };
  Initiator& session_;
  const std::string name_;
  std::unique_ptr<State> state_ = std::make_unique<State>();
  scsi_task* task_;
};
