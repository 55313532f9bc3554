// What crosses between a transport and a logical unit: a command, its reply, and who they belong
// to.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scsi/buffer.h"
#include "scsi/sense.h"

namespace scsi {

// SAM-5 5.3.1
enum class SamStatus : std::uint8_t {
  kGood = 0x00,
  kCheckCondition = 0x02,
  kBusy = 0x08,
  kReservationConflict = 0x18,
  kTaskSetFull = 0x28,
  kAcaActive = 0x30,
  kTaskAborted = 0x40,
};

// SAM-5 8.6; the values are those of the iSCSI ATTR field.
enum class TaskAttribute : std::uint8_t { kUntagged, kSimple, kOrdered, kHeadOfQueue, kAca };

// An I_T nexus while its session lives. A slot is used again under a higher generation, so an id
// that was kept too long matches nothing.
struct NexusId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  auto operator<=>(const NexusId&) const = default;
};

using TaskTag = std::uint32_t;

// What a logical unit may know of a nexus beyond its id. `transport_id` is the initiator port's
// TransportID (SPC-4 7.6.4) as opaque bytes: the same initiator port has the same one in every
// session.
struct NexusInfo {
  NexusId id;
  std::vector<std::byte> transport_id;
  std::uint16_t relative_target_port = 1;
  bool replaces_lost_nexus = false;  // session reinstatement: 29/07 is due
};

struct Command {
  NexusId nexus;
  TaskTag tag = 0;
  TaskAttribute attribute = TaskAttribute::kSimple;
  std::array<std::byte, 32> cdb{};
  std::uint8_t cdb_length = 16;       // bytes of `cdb` that the transport delivered
  std::uint32_t expected_length = 0;  // expected data transfer length, bytes
  bool reads = false;                 // the initiator expects data-in
  bool writes = false;                // the initiator offers data-out
};

struct Reply {
  SamStatus status = SamStatus::kGood;
  std::optional<Sense> sense;
  SliceList data_in;
  // What the command's own fields ask to be transferred, bytes (data-in or data-out); the residual
  // is computed from it and `expected_length` in one function of the engine.
  std::uint32_t required_length = 0;
};

// iSCSI and SAM: U when less than expected was transferred, O when more was needed. Never both,
// never with 0.
struct Residual {
  std::uint32_t underflow = 0;
  std::uint32_t overflow = 0;
};

enum class TaskFunction : std::uint8_t {
  kAbortTask,
  kAbortTaskSet,
  kClearAca,
  kClearTaskSet,
  kLogicalUnitReset,
  kTargetReset,  // warm and cold: the difference is the transport's
  kQueryTask,
  kQueryTaskSet,
  kNexusReset,
};

enum class TaskFunctionResult : std::uint8_t {
  kComplete,
  kNoSuchTask,
  kNoSuchLun,
  kNotSupported,
  kRejected,
};

// Implemented by the transport's connection. All calls are made on the logical unit's thread, and
// may be made from inside submit(), data_out() or manage().
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  // The command at the head of the queue passed its gates and wants its `length` bytes of data-out,
  // which the sink delivers in one contiguous Buffer through data_out(). length >= 1 and <=
  // expected_length.
  virtual void want(NexusId nexus, TaskTag tag, std::uint32_t length) = 0;
  // The end of the command. data_in is already cut to the expected length.
  virtual void complete(NexusId nexus, TaskTag tag, Reply reply, Residual residual) = 0;
  // The task was aborted by another nexus, a reset or itself: no reply will follow, forget it.
  virtual void aborted(NexusId nexus, TaskTag tag) = 0;
};

}  // namespace scsi
