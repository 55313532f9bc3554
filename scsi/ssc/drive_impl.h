// The inside of a tape drive, shared by the files that hold its command handlers. Nobody else
// includes this.
#pragma once

#include <array>
#include <map>
#include <utility>

#include "scsi/ssc/encryption.h"
#include "scsi/ssc/fault_sense.h"
#include "scsi/ssc/partition_layout.h"
#include "scsi/ssc/tape_drive.h"
#include "scsi/tape_alert.h"

namespace scsi::ssc {

// TapeAlert flags that this drive can raise (SSC-4 table A.1).
namespace alert {
inline constexpr std::uint8_t kHardError = 0x03;
inline constexpr std::uint8_t kMedia = 0x04;
inline constexpr std::uint8_t kReadFailure = 0x05;
inline constexpr std::uint8_t kWriteFailure = 0x06;
inline constexpr std::uint8_t kWriteProtect = 0x09;
inline constexpr std::uint8_t kNoRemoval = 0x0A;
inline constexpr std::uint8_t kCleaningMedia = 0x0B;
inline constexpr std::uint8_t kUnsupportedFormat = 0x0C;
inline constexpr std::uint8_t kMemoryFailure = 0x0F;
inline constexpr std::uint8_t kReadOnlyFormat = 0x11;
inline constexpr std::uint8_t kDirectoryCorrupted = 0x12;
inline constexpr std::uint8_t kExpiredCleaning = 0x16;
inline constexpr std::uint8_t kLoadFailure = 0x37;
inline constexpr std::uint8_t kWormOverwrite = 0x3C;
inline constexpr std::array kAll = {
    kHardError,          kMedia,           kReadFailure,       kWriteFailure,  kWriteProtect,
    kNoRemoval,          kCleaningMedia,   kUnsupportedFormat, kMemoryFailure, kReadOnlyFormat,
    kDirectoryCorrupted, kExpiredCleaning, kLoadFailure,       kWormOverwrite};
}  // namespace alert

inline constexpr std::uint32_t kDecimalMb = 1'000'000;
inline constexpr std::uint32_t kBinaryMb = 1u << 20;

// A command of the drive is one buffer: what the pool's largest holds (SPC-4 allows any smaller
// limit).
inline constexpr std::uint64_t kMaxTransferBytes = BufferPool::kLargest;

// A data set is some megabytes, by generation; this one is nominal.
inline constexpr std::uint64_t data_sets(std::uint64_t medium_bytes) {
  return medium_bytes / 5'000'000;
}
// Ratio x 100 of what the host sent or got to what the medium took or gave; 100 where nothing
// moved.
inline constexpr std::uint64_t ratio_percent(std::uint64_t host_bytes, std::uint64_t medium_bytes) {
  return medium_bytes == 0 ? 100 : host_bytes * 100 / medium_bytes;
}

struct TapeDrive::Impl {
  // How an operation on the medium ended: nothing, or why not.
  using Outcome = std::optional<Sense>;

  enum class Load {
    kEmpty,
    kLoading,  // 2/04/01
    kReady,
    kUnloading,  // 2/04/07
    kSeated,     // unloaded and held: 2/04/02
    kEjected,    // unloaded, waits for the robot: 2/3A/00
    kRefused,    // in the drive, cannot be used: `refusal` says why
  };

  // What goes on while commands run: a load, an unload, or what a command with IMMED = 1 began.
  enum class Background { kNone, kLoad, kUnload, kRewind, kLocate, kErase, kFormat, kVerify };

  // Since the process started, or LOG SELECT with PCR = 1.
  struct Counters {
    std::uint64_t host_bytes_written = 0, host_bytes_read = 0;
    std::uint64_t write_errors = 0, read_errors = 0;
  };

  // Of the cartridge that is in, since it was loaded.
  struct Mount {
    std::uint64_t host_bytes_written = 0, host_bytes_read = 0;
    std::uint64_t write_errors = 0, read_errors = 0;
    std::uint64_t began_ms = 0, took_ms = 0;  // the load itself
  };

  // What media took and gave, after compression, since the process started.
  struct Moved {
    std::uint64_t written = 0, read = 0;
  };

  explicit Impl(TapeDriveOptions drive_options);
  struct Table;
  static std::span<const CommandRow> rows(const DriveFamily& family,
                                          std::uint8_t generation);  // rows.cc
  PrimaryOptions primary_options();

  // --- state (tape_drive.cc) ---
  TapeDriveOptions options;
  const DriveFamily& family;
  const Generation& generation;
  TapeDrive* unit = nullptr;
  std::unique_ptr<TapeMedium> medium;
  Load load = Load::kEmpty;
  bool shut_down = false;  // for good: no LOAD opens the cartridge again
  Sense refusal;
  Access access = Access::kNone;
  TapeAlert alerts;
  Counters counters;
  Mount mount;
  Moved moved_before;    // by cartridges that are gone
  Moved moved_at_reset;  // what moved() was when the counters were reset
  std::uint64_t loads = 0;
  std::uint64_t cleanings = 0;
  std::uint64_t started_ms = 0;
  Background background = Background::kNone;
  Callback after_background;      // a robot's operation that waits for it
  bool at_early_warning = false;  // what the last write said, while nothing has moved since
  // What ALLOW OVERWRITE has allowed in append-only mode, once, while nothing has moved since.
  enum class Allowed { kNothing, kOverwrite, kFormat } allowed = Allowed::kNothing;
  // The partitions that MODE SELECT of page 11h has asked for, bytes each: for FORMAT MEDIUM.
  std::optional<std::vector<std::uint64_t>> staged;

  // MODE SELECT has changed how blocks are written, or where: what was accepted before goes first.
  bool flush_owed = false;
  bool interrupted = false;  // by a reset: a verification that goes on for nobody ends

  EncryptionParameters encryption;

  // Who wrote last: a write fault is told to that nexus. When the nexus goes its port is
  // remembered, and the next session of the same port is told what `untold` says.
  std::optional<NexusId> writer;
  std::vector<std::byte> writer_port;
  std::optional<Sense> untold;
  std::uint64_t objects_lost = 0;  // to the last write fault
  // Faults of operations whose command was answered already, by nexus.
  std::map<NexusId, Sense> deferred;

  bool ready() const { return load == Load::kReady && background == Background::kNone; }
  std::optional<Sense> not_ready() const;
  // `sense`, with how far the operation is that goes on after its command (SPC-4 4.5.2.4.4): a host
  // that polls takes sense without it for the end of the operation.
  Sense in_progress(Sense sense) const;
  ModePages& modes() { return unit->mode_pages(); }
  const ModePages& modes() const { return unit->mode_pages(); }
  std::uint64_t now_ms() const { return options.now_ms ? options.now_ms() : 0; }

  // Calls `work` when neither a command nor a background operation runs; `work` ends with
  // unit->resume().
  void exclusively(Callback work);
  void begin_background(Background what);
  void end_background(Callback tell = {});  // `tell` before a waiting robot's turn
  // Runs `work`, which ends with an Outcome. IMMED = 1: the status is sent as soon as it has begun,
  // a failure becomes deferred sense of the same nexus.
  template <class Work>
  void run(Task& task, bool immediate, Background what, Work work);

  // Checks the cartridge that is in and loads it; ends with the fault that stands in the way.
  void start_load(std::optional<NexusId> commanded_by, Done<std::optional<MediumFault>> done);
  // Cleans with the cartridge that is in, and ejects it (cleaning.cc).
  void start_cleaning(Done<std::optional<MediumFault>> done);
  void start_unload(Load then, Done<WriteOutcome> done);
  // Before the cartridge is closed: what its writer has not been told yet is kept for that nexus.
  std::optional<MediumFault> keep_write_fault();
  void defer_to_writer(Sense sense);
  void note(const MediumFault& fault);    // counts it and raises its TapeAlert flags
  Sense fault(const MediumFault& fault);  // does that, and gives its sense

  // --- transfer.cc
  void read_block_limits(Task& task);
  void read(Task& task);
  void write(Task& task);
  struct Transfer {
    bool fixed = false;
    bool sili = false;
    std::uint32_t block_bytes = 0;
    std::uint32_t count = 0;                    // blocks
    std::uint32_t length = 0;                   // as the CDB has it: blocks or bytes
    Protection protection = Protection::kNone;  // its four bytes count in all of these
    std::uint32_t key_instance = 0;             // of the encryption that held when it began
    std::uint32_t bytes() const { return block_bytes * count; }
    std::uint32_t data_bytes() const { return block_bytes - protection_bytes(protection); }
  };
  // FIXED and SILI (`flags`, bits 0 and 1) and TRANSFER LENGTH of a six-byte CDB; fails the task
  // and gives nothing where they are invalid. The medium is told how this nexus wants blocks to be
  // handled.
  std::optional<Transfer> transfer_of(Task& task, std::uint8_t flags);
  Reply read_reply(const Transfer& transfer, ReadOutcome outcome);
  Reply write_reply(const Transfer& transfer, WriteOutcome outcome);
  void append(Task& task, const Transfer& transfer);
  Outcome zone_sense(
      const WriteOutcome& outcome) const;  // early warning, programmable early warning

  // --- protection.cc: logical block protection
  std::span<const Protection> protection_methods() const;
  ModePage protection_page();
  VpdPage protection_vpd();
  Protection protection_of(NexusId nexus, std::uint8_t flag) const;
  Protection write_protection(NexusId nexus) const;
  Protection read_protection(NexusId nexus) const;
  Outcome check_protection(const Transfer& transfer, Bytes data);

  // --- security.cc: tape encryption
  void security_protocol_in(Task& task);
  void security_protocol_out(Task& task);
  void encryption_page(Task& task, std::uint32_t page);
  void next_block_status(Task& task);
  void encryption_changed(const EncryptionParameters::Affected& affected, Asc asc);
  bool reserved(NexusId nexus) const;  // it holds a reservation
  BlockHandling handling_of(NexusId nexus) const;
  Outcome locked_out(NexusId nexus) const;
  Outcome encryption_refusal(NexusId nexus) const;  // of a WRITE
  bool encryptable() const;                         // the cartridge that is in

  // --- verify.cc
  void verify(Task& task);
  void compare(Task& task, const Transfer& transfer);
  void verify_on(Task& task, bool immediate, std::uint32_t filemarks, bool to_end);
  struct Verification;
  void step(const std::shared_ptr<Verification>& verification);
  void verified(const std::shared_ptr<Verification>& verification, const ReadOutcome& outcome);

  // --- position.cc
  void rewind(Task& task);
  void space_6(Task& task);
  void space_16(Task& task);
  void locate_10(Task& task);
  void locate_16(Task& task);
  void read_position_short(Task& task);
  void read_position_long(Task& task);
  void read_position_extended(Task& task);
  void space(Task& task, std::int64_t count);
  void locate(Task& task, std::uint8_t destination, std::uint8_t partition_byte,
              std::uint64_t target);
  Outcome located(const SpaceOutcome& outcome);
  std::uint8_t position_flags() const;  // BOP, EOP, BPEW
  // What holds only where the medium stands.
  void leave_position() {
    at_early_warning = false;
    allowed = Allowed::kNothing;
  }
  bool past_programmable_early_warning() const;

  // --- media_ops.cc
  void load_unload(Task& task);
  void load_cartridge(Task& task, bool immediate);
  void unload_cartridge(Task& task, bool immediate, bool hold);
  void write_filemarks(Task& task);
  void end_filemarks(Task& task, std::uint32_t count, const WriteOutcome& outcome);
  void erase(Task& task);
  // Why the cartridge may not be written: WP (7/27), a latched write fault (3/0C/00), append-only
  // mode (7/50/01).
  Outcome write_refusal(Allowed needed = Allowed::kOverwrite);
  Outcome append_refusal() const;  // a latched write fault alone
  // WORM: only at end of data, or over filemarks that end the data; then `done` with nothing.
  void check_worm_position(Done<Outcome> done);
  bool write_protected() const;
  void wrote(Task& task) {
    writer = task.nexus();
    allowed = Allowed::kNothing;
  }

  // --- partitions.cc
  void format_medium(Task& task);
  void set_capacity(Task& task);
  Outcome format_refusal();
  void format(Task& task, std::vector<std::uint64_t> capacities);
  std::uint8_t max_partitions() const;          // of the cartridge in this drive
  std::vector<std::uint64_t> geometry() const;  // capacities of the partitions, bytes
  std::uint64_t capacity_of_medium() const;     // their sum
  std::uint64_t full_capacity() const;          // before SET CAPACITY
  Tape tape() const;
  struct Requested {
    std::optional<Sense> refused;
    std::vector<std::uint64_t> capacities;
  };
  Requested requested_partitions(Bytes page) const;  // by a page 11h
  void forget_staged();

  // --- append_only.cc
  void allow_overwrite(Task& task);
  bool append_only() const;
  std::optional<Sense> check_write_mode(Bytes page) const;  // of a page 10h/01h
  // Why what needs this may not be done where the medium stands.
  Outcome append_only_refusal(Allowed needed) const;
  void leave_append_only();

  // --- diagnostics.cc
  void report_identifying_information(Task& task);
  void read_media_serial_number(Task& task);
  std::vector<std::byte> dump() const;

  // --- density.cc
  void report_density_support(Task& task);

  // --- attributes.cc
  void read_attribute_values(Task& task);
  void read_attribute_list(Task& task);
  void read_logical_volume_list(Task& task);
  void read_partition_list(Task& task);
  void read_supported_attributes(Task& task);
  void write_attribute(Task& task);
  bool attribute_partition_exists(Task& task) const;  // fails the task if not
  void store_attributes(Task& task, std::uint32_t partition, std::vector<Attribute> written);
  std::vector<Attribute> attributes(std::uint32_t partition) const;
  std::vector<std::byte> medium_usage_history() const;
  std::vector<std::byte> partition_usage_history() const;

  // --- pages as data: vpd.cc, mode_data.cc, log_data.cc, volume_log.cc
  InquiryOptions inquiry_options();
  ModeOptions mode_options();
  std::uint8_t medium_type(const Generation& of_medium, bool worm) const;
  ModePage partition_page();
  void apply_compression();  // as mode pages 0Fh and 10h have it
  std::vector<LogPage> log_pages();
  std::uint32_t very_high_frequency_data() const;
  std::vector<LogParameter> sequential_access() const;
  std::vector<LogParameter> temperature() const;
  std::vector<LogParameter> device_statistics() const;
  std::vector<LogParameter> compression_statistics(bool with_enabled) const;
  std::vector<LogParameter> tape_usage() const;
  std::vector<LogParameter> tape_capacity() const;
  std::vector<LogParameter> performance_characteristics() const;
  std::vector<LogParameter> volume_statistics() const;
  // What a partition holds up to early warning, what is used of it, what is left; bytes. The same
  // numbers go into log pages 17h and 31h and into MAM 0000h and 0001h.
  struct Capacity {
    std::uint64_t maximum, used, remaining;
  };
  Capacity capacity(std::uint32_t partition) const;
  Moved moved() const;
  void reset_counters();

  // Handlers of command rows.
  template <void (Impl::*method)(Task&)>
  static void call(LogicalUnit& logical_unit, Task& task) {
    (static_cast<TapeDrive&>(logical_unit).impl_.get()->*method)(task);
  }
};

template <class Work>
void TapeDrive::Impl::run(Task& task, bool immediate, Background what, Work work) {
  if (!immediate) {
    work(Done<Outcome>([&task](Outcome sense) {
      if (sense)
        task.fail(*sense);
      else
        task.good();
    }));
    return;
  }
  begin_background(what);
  work(Done<Outcome>([this, nexus = task.nexus()](Outcome sense) {
    if (sense && unit->find_nexus(nexus) != nullptr) {
      sense->deferred = true;
      deferred.insert_or_assign(nexus, *sense);
    } else if (sense && sense->asc == Asc::kWriteError) {
      defer_to_writer(*sense);
    }
    end_background();
  }));
  task.good();
}

}  // namespace scsi::ssc
