// The hosts of a world: one a drive, which writes and reads tapes, and one that has the robot move
// them. Each has one session at a time and comes back after it was cut off.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "test/sim/claims.h"
#include "test/sim/initiator.h"
#include "test/sim/line.h"
#include "test/sim/tape_model.h"

namespace sim {

class World;
class Random;

class Host {
 public:
  Host(World& world, std::string target, std::uint8_t number);
  virtual ~Host() = default;

  // Something of its own choice; false: it waits.
  bool act();
  void line_lost();
  void retire() { retiring_ = true; }  // logs out and stays away
  bool retired() const { return retiring_ && line_ == nullptr; }
  // It may arrive late, on the line that was given up with it, and take the next session's place.
  bool gave_a_login_up() const { return gave_a_login_up_; }
  virtual bool may_be_refused() const { return false; }
  bool logged_out() const { return initiator_ != nullptr && initiator_->logged_out(); }
  void receive(scsi::Bytes bytes);
  void flush();  // the initiator's output to the line

 protected:
  virtual bool act_online() = 0;
  virtual void forget_session() = 0;
  virtual bool busy() const = 0;
  virtual bool may_be_ended_unheard() const { return false; }
  virtual bool wants_line() { return true; }
  virtual void disguise(InitiatorOptions&) {}  // before it calls
  virtual void call();                         // its first words: a login
  virtual void login_ended(std::uint16_t status);

  World& world_;
  std::unique_ptr<Initiator> initiator_;
  bool waits_ = false;  // for a moment, not for an answer
  TimePoint wait_until_{};

 private:
  void connect();
  const std::string target_;
  const std::uint8_t number_;
  Line* line_ = nullptr;
  TimePoint heard_{};
  bool retiring_ = false, gave_a_login_up_ = false;
};

class DriveHost final : public Host {
 public:
  DriveHost(World& world, std::size_t drive);
  void verify_tape(const std::string& barcode);  // loads it, reads it all, puts it back
  bool reserves() const { return reserves_; }    // by its knowledge
  bool verified() const { return verifying_.empty(); }
  bool busy() const override { return !sent_.empty() || managing_; }

 private:
  struct Sent {
    std::uint32_t tag;
    Operation operation;
  };
  enum class Ready { kNo, kAsked, kMode, kReserve, kPosition, kYes };
  bool act_online() override;
  void forget_session() override;
  bool prepare();
  bool change_tapes();
  void choose();
  Ready next_to_prepare(Ready done) const;
  void write(std::uint32_t blocks);  // 0: one of any size
  void read_on();
  void send(const Operation& operation, Data record = {});
  void answered(std::uint32_t tag, const Answer& answer);
  void outcome(const Operation& operation, const Answer& answer, bool done);
  void manage();
  TapeModel* tape() const;

  const std::size_t drive_;
  std::deque<Sent> sent_;
  bool managing_ = false;
  Ready ready_ = Ready::kNo;
  std::string works_on_;  // the tape that it knows to be in the drive
  bool reserves_ = false, asked_to_prevent_ = false;
  bool give_back_ = false;  // the tape is to leave the drive
  bool was_unloaded_ = false;
  unsigned left_ = 0;  // operations until then
  std::uint64_t records_ = 0;
  bool reading_ = false;  // on to the end of data
  std::string verifying_;
  enum class Verify { kRewind, kRead, kDone } verify_ = Verify::kRewind;
};

// Another host at a drive in use: it must learn nothing that is not its own, and change nothing
// that another has reserved.
class Intruder final : public Host {
 public:
  Intruder(World& world, const DriveHost& owner, std::size_t drive);
  bool busy() const override { return waiting_ != 0; }

 private:
  bool act_online() override;
  void forget_session() override { waiting_ = 0; }

  const DriveHost& owner_;
  const std::size_t drive_;
  unsigned waiting_ = 0;
};

// One of several who want a drive for themselves, by PERSISTENT RESERVE.
class Claimant final : public Host {
 public:
  Claimant(World& world, unsigned index);
  bool busy() const override { return sent_.has_value(); }

 private:
  bool act_online() override;
  void forget_session() override;
  void login_ended(std::uint16_t status) override;
  bool may_be_ended_unheard() const override;
  ClaimOperation choose();

  const unsigned index_;
  std::optional<ClaimOperation> sent_;
};

// Somebody who may ask which targets there are and nothing else - and one who may not even do that,
// as it has no secret or a wrong one, or does not log in at all.
class Caller final : public Host {
 public:
  explicit Caller(World& world);
  static constexpr const char* kName = "iqn.1993-08.org.debian:01:caller";
  bool busy() const override { return asked_; }
  bool may_be_refused() const override { return kind_ != Kind::kDiscovery; }

 private:
  enum class Kind { kDiscovery, kNoSecret, kWrongSecret, kUnknownUser, kBlindDiscovery, kNoLogin };
  bool wants_line() override;
  void disguise(InitiatorOptions& options) override;
  void call() override;
  void login_ended(std::uint16_t status) override;
  bool act_online() override;
  void forget_session() override { asked_ = heard_list_ = false; }

  Kind kind_ = Kind::kDiscovery;
  bool asked_ = false, heard_list_ = false;
};

class ChangerHost final : public Host {
 public:
  explicit ChangerHost(World& world);
  // Puts some cartridge, or this one, into the drive; or takes what is in it to a slot. Of no
  // effect while another job is under way for the same drive.
  void load(std::size_t drive, const std::string& barcode = "");
  void unload(std::size_t drive);
  bool concerns(std::size_t drive) const;
  bool busy() const override { return busy_; }

 private:
  struct Job {
    std::size_t drive;
    bool to_drive;
    std::string barcode;  // to_drive: "" any
  };
  bool act_online() override;
  void forget_session() override;
  void move(const Job& job);
  void wrong_move();
  void send(std::uint16_t source, std::uint16_t destination, std::function<void(const Answer&)>,
            std::optional<std::uint16_t> second = {});
  std::optional<std::uint16_t> free_slot() const;

  std::deque<Job> jobs_;
  bool busy_ = false;
};

}  // namespace sim
