// A foreign initiator: libiscsi, wrapped so that a test says what it means in a line.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

struct iscsi_context;

using ByteString = std::vector<std::uint8_t>;

struct LoginOptions {
  std::string initiator = "iqn.2026-11.local.test:initiator";
  std::uint32_t isid = 0;      // 0: another one each time, and with it another initiator port
  std::string user, password;  // CHAP, if given
  std::string target_user, target_password;  // mutual
  bool header_digest = false;
  bool immediate_data = true;
  bool initial_r2t = false;
  int timeout_seconds = 120;  // sanitizers are slow
};

// How a command ended.
struct CommandResult {
  int status = -1;  // SAM; 0 GOOD, 2 CHECK CONDITION; -1: the connection broke
  ByteString data;
  ByteString sense;           // as it came
  std::int64_t residual = 0;  // > 0 underflow, < 0 overflow
  std::string transport_error;

  bool good() const { return status == 0; }
  // "5/24/00" from fixed or descriptor sense, "D5/24/00" if deferred; "" if there is none.
  std::string sense_code() const;
  bool filemark() const;
  bool end_of_medium() const;
  bool incorrect_length() const;
  std::optional<std::int32_t> information() const;  // of fixed sense
};

class Initiator {
 public:
  explicit Initiator(LoginOptions options = {});
  ~Initiator();  // drops the connection without logout
  Initiator(Initiator&& other) noexcept : iscsi_(std::exchange(other.iscsi_, nullptr)) {}
  Initiator(const Initiator&) = delete;
  Initiator& operator=(const Initiator&) = delete;

  // Empty, or libiscsi's error text.
  std::string login(const std::string& portal, const std::string& target);
  // Throws std::runtime_error instead, and eats the unit attentions of a new nexus.
  static Initiator attach(const std::string& portal, const std::string& target,
                          LoginOptions options = {});
  // Target names and "address,tpgt"; throws if the discovery session fails.
  static std::vector<std::pair<std::string, std::string>> discover(const std::string& portal,
                                                                   LoginOptions options = {});
  bool logout();

  CommandResult none(std::initializer_list<int> cdb);
  CommandResult in(std::initializer_list<int> cdb, std::size_t expected);
  CommandResult out(std::initializer_list<int> cdb, const ByteString& data);
  CommandResult out(std::initializer_list<int> cdb, const void* data, std::size_t size);

  // TEST UNIT READY until the unit attentions are gone; the last answer.
  CommandResult clear_unit_attentions();
  // Likewise, and while a cartridge is being loaded (2/04/01: after a crash it is recovered), at
  // most a minute.
  CommandResult wait_ready();
  // And as long as the drive is becoming ready, at most 10 s.
  CommandResult wait_until_ready();

  // Task management; 0 is "complete".
  int lun_reset();
  int abort_task_set();
  int target_warm_reset();
  bool nop_out(const std::string& payload);

  iscsi_context* context() { return iscsi_; }

 private:
  CommandResult command(std::initializer_list<int> cdb, int direction, const void* data,
                        std::size_t size);
  iscsi_context* iscsi_ = nullptr;
};

// Tape commands in variable block mode, on a drive.
CommandResult write_block(Initiator& drive, const ByteString& data);
CommandResult write_filemarks(Initiator& drive, int count, bool immediate = false);
CommandResult read_block(Initiator& drive, std::size_t length);
CommandResult rewind_tape(Initiator& drive);
CommandResult space(Initiator& drive, int code, std::int32_t count);
std::uint64_t position(Initiator& drive);  // READ POSITION, long form: object number
CommandResult move_medium(Initiator& changer, int source, int destination);

// `size` bytes that depend on `seed` and do not repeat soon.
ByteString pattern(std::size_t size, std::uint64_t seed);
