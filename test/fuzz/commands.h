// Any commands with any parameter lists, from several hosts, at a logical unit: each ends once,
// with a status and a sense that belong together.
//
// Input: actions. Below F0h a command: bit 0 which host, bits 1-2 how much data-in it expects, bit
// 3 the operation code as it comes (else one that the unit has), bit 4 data-out, bit 5 reserved
// bits as they come (else cleared, as chance would have all refused), bit 6 the length of the
// parameter list as it comes (else made right); then which operation code, the other 15 bytes, and
// with bit 4 a length and the data. From F0h up something else: see the fuzzers.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "scsi/logical_unit.h"

namespace fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  bool empty() const { return size_ == 0; }
  std::uint8_t byte() {
    if (size_ == 0) return 0;
    --size_;
    return *data_++;
  }
  std::vector<std::byte> bytes(std::size_t count) {
    std::vector<std::byte> out(std::min(count, size_));
    for (std::byte& b : out) b = std::byte{byte()};
    return out;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

// Where a command has the length of its data-out.
struct LengthField {
  std::uint8_t opcode, offset, width;
};
inline constexpr LengthField kLengthFields[] = {
    {0x0A, 2, 3}, {0x13, 2, 3}, {0x15, 4, 1}, {0x1D, 3, 2}, {0x3B, 6, 3},
    {0x4C, 7, 2}, {0x55, 7, 2}, {0x5F, 5, 4}, {0x82, 4, 1}, {0x8D, 10, 4},
    {0xA4, 6, 4}, {0xB5, 6, 4}, {0xB6, 8, 2},
};

class Hosts : public scsi::ReplySink {
 public:
  Hosts(scsi::LogicalUnit& unit, std::span<const scsi::CommandRow> rows)
      : unit_(unit), rows_(rows) {
    for (std::size_t i = 0; i < known_.size(); ++i) come(i);
  }

  void command(std::uint8_t action, Input& input) {
    scsi::Command command;
    const std::size_t host = action & 1;
    command.nexus = known_[host];
    command.tag = ++tag_;
    const scsi::CommandRow& row = rows_[input.byte() % rows_.size()];
    command.cdb[0] = std::byte{(action & 8) != 0 ? input.byte() : row.opcode};
    command.cdb_length = 16;
    for (std::size_t i = 1; i < row.usage.size(); ++i) {
      command.cdb[i] = std::byte{input.byte()};
      if ((action & 0x28) == 0) command.cdb[i] &= std::byte{row.usage[i]};
    }
    if ((action & 8) == 0 && row.service_action != scsi::kNoServiceAction)
      command.cdb[1] = (command.cdb[1] & std::byte{0xE0}) |
                       std::byte{static_cast<std::uint8_t>(row.service_action)};
    // 16 million filemarks are all right, but not in a medium that is in memory.
    if (command.cdb[0] == std::byte{0x10}) command.cdb[2] = std::byte{0};
    data_out_.clear();
    if ((action & 0x10) != 0) {
      data_out_ = input.bytes(input.byte() * 4u);
      command.writes = true;
      command.expected_length = static_cast<std::uint32_t>(data_out_.size());
      if ((action & 0x40) == 0) set_length(command);
    } else {
      static constexpr std::array<std::uint32_t, 4> kExpected = {65536, 0, 252, 1u << 20};
      command.expected_length = kExpected[action >> 1 & 3];
      command.reads = command.expected_length != 0;
    }
    ++open_[host];
    unit_.submit(command, *this);
  }
  // The host's session is lost with all that was under way, and it comes back.
  void lose(std::size_t host) {
    unit_.nexus_lost(known_[host]);
    open_[host] = 0;  // nobody hears of its commands any more, which is an end too
    come(host);
  }
  void manage(scsi::TaskFunction function, std::size_t host) {
    bool ended = false;
    unit_.manage(function, known_[host], tag_, [&](scsi::TaskFunctionResult) { ended = true; });
    if (!ended) std::abort();
  }
  std::size_t open() const { return open_[0] + open_[1]; }

 private:
  void come(std::size_t host) {
    scsi::NexusInfo info;
    ++known_[host].generation;
    info.id = known_[host];
    info.transport_id.assign(24, static_cast<std::byte>(host + 1));
    unit_.nexus_established(info);
  }
  void set_length(scsi::Command& command) {
    for (const LengthField& field : kLengthFields) {
      if (std::byte{field.opcode} != command.cdb[0]) continue;
      for (std::size_t i = 0; i < field.width; ++i)
        command.cdb[field.offset + i] =
            static_cast<std::byte>(data_out_.size() >> (8 * (field.width - 1 - i)));
    }
  }
  void want(scsi::NexusId nexus, scsi::TaskTag tag, std::uint32_t length) override {
    if (length > data_out_.size()) std::abort();  // more than the host has
    unit_.data_out(nexus, tag, scsi::Buffer::copy_of(std::span(data_out_).first(length)));
  }
  void complete(scsi::NexusId nexus, scsi::TaskTag, scsi::Reply reply, scsi::Residual) override {
    ended(nexus);
    const bool check = reply.status == scsi::SamStatus::kCheckCondition;
    if (check != reply.sense.has_value()) std::abort();
    std::size_t sum = 0;
    for (const std::byte b : scsi::gather(reply.data_in)) sum += std::to_integer<std::size_t>(b);
    sum_ = sum;  // the sanitizer sees each byte read
  }
  void aborted(scsi::NexusId nexus, scsi::TaskTag) override { ended(nexus); }
  void ended(scsi::NexusId nexus) {
    const std::size_t host = nexus == known_[0] ? 0 : 1;
    if (nexus != known_[host] || open_[host]-- == 0) std::abort();
  }

  scsi::LogicalUnit& unit_;
  std::span<const scsi::CommandRow> rows_;
  std::array<scsi::NexusId, 2> known_{scsi::NexusId{1, 0}, scsi::NexusId{2, 0}};
  scsi::TaskTag tag_ = 0;
  std::vector<std::byte> data_out_;
  std::array<std::size_t, 2> open_{};  // commands under way, by host
  volatile std::size_t sum_ = 0;
};

}  // namespace fuzz
