// A transport for tests of logical units: records what the unit says, and answers want() from
// `data_out`.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "scsi/logical_unit.h"

namespace test {

struct Ended {
  scsi::NexusId nexus;
  scsi::TaskTag tag = 0;
  bool aborted = false;
  scsi::Reply reply;
  scsi::Residual residual;
  std::vector<std::byte> data() const { return scsi::gather(reply.data_in); }
};

class Recorder : public scsi::ReplySink {
 public:
  explicit Recorder(scsi::LogicalUnit& unit) : unit_(unit) {}

  struct Wanted {
    scsi::NexusId nexus;
    scsi::TaskTag tag;
    std::uint32_t length;
  };
  std::vector<Ended> ended;
  std::vector<Wanted> wanted;
  void want(scsi::NexusId nexus, scsi::TaskTag tag, std::uint32_t length) override {
    wanted.push_back({nexus, tag, length});
    if (!answers_) return;
    answers_ = false;
    answer_.resize(length);
    unit_.data_out(nexus, tag, scsi::Buffer::copy_of(answer_));
  }
  void complete(scsi::NexusId nexus, scsi::TaskTag tag, scsi::Reply reply,
                scsi::Residual residual) override {
    ended.push_back({nexus, tag, false, std::move(reply), residual});
  }
  void aborted(scsi::NexusId nexus, scsi::TaskTag tag) override {
    ended.push_back({nexus, tag, true, {}, {}});
  }

  // Sends a CDB as nexus `nexus` and gives its end; fails a VTL_CHECK if it does not end at once.
  // `expected` is the expected data transfer length, data-in.
  Ended run(scsi::NexusId nexus, const std::vector<std::uint8_t>& cdb,
            std::uint32_t expected = 65536) {
    const std::size_t before = ended.size();
    submit(nexus, cdb, expected);
    return last(before);
  }
  // The same with data-out, which is what is expected and what want() gets at once.
  Ended run(scsi::NexusId nexus, const std::vector<std::uint8_t>& cdb, std::uint32_t /*expected*/,
            const std::vector<std::byte>& out) {
    const std::size_t before = ended.size();
    submit(nexus, cdb, 0, out);
    return last(before);
  }
  // Only sends it; gives its tag.
  scsi::TaskTag submit(scsi::NexusId nexus, const std::vector<std::uint8_t>& cdb,
                       std::uint32_t expected = 65536) {
    answers_ = false;
    return send(nexus, cdb, expected, false);
  }
  scsi::TaskTag submit(scsi::NexusId nexus, const std::vector<std::uint8_t>& cdb,
                       std::uint32_t /*expected*/, const std::vector<std::byte>& out) {
    answer_ = out;
    answers_ = true;
    return send(nexus, cdb, static_cast<std::uint32_t>(out.size()), true);
  }

 private:
  Ended last(std::size_t before) {
    VTL_CHECK(ended.size() == before + 1);
    Ended end = std::move(ended.back());
    ended.pop_back();
    return end;
  }
  scsi::TaskTag send(scsi::NexusId nexus, const std::vector<std::uint8_t>& cdb,
                     std::uint32_t expected, bool writes) {
    scsi::Command command;
    command.nexus = nexus;
    command.tag = ++last_tag_;
    command.cdb_length = 16;
    for (std::size_t i = 0; i < cdb.size(); ++i) command.cdb[i] = std::byte{cdb[i]};
    command.writes = writes;
    command.reads = !writes && expected != 0;
    command.expected_length = expected;
    unit_.submit(command, *this);
    return command.tag;
  }

  scsi::LogicalUnit& unit_;
  scsi::TaskTag last_tag_ = 0;
  std::vector<std::byte> answer_;
  bool answers_ = false;
};

inline std::vector<std::byte> bytes(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  for (int v : values) out.push_back(static_cast<std::byte>(v));
  return out;
}

// "5/24/00", "5/24/00 cdb byte 1 bit 3", "0/00/00" when there is no sense.
inline std::string sense_of(const Ended& end) {
  const char* digits = "0123456789ABCDEF";
  const scsi::Sense sense = end.reply.sense.value_or(scsi::Sense{});
  const auto two = [&](std::uint8_t v) { return std::string{digits[v >> 4], digits[v & 15]}; };
  std::string text{digits[static_cast<int>(sense.key)]};
  text += "/" + two(scsi::asc_of(sense.asc)) + "/" + two(scsi::ascq_of(sense.asc));
  if (sense.field) {
    text += sense.field->in_cdb ? " cdb byte " : " list byte ";
    text += std::to_string(sense.field->byte);
    if (sense.field->bit) text += " bit " + std::to_string(*sense.field->bit);
  }
  return text;
}

}  // namespace test
