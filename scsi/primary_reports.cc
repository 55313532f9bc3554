// What a unit reports of itself (supported operation codes, task management, time), diagnostics and
// the echo buffer.
#include <algorithm>

#include "scsi/primary.h"

namespace scsi {
namespace {

constexpr std::uint32_t kEchoBufferBytes = 4096;
constexpr std::uint8_t kDumpBuffer = 1;
constexpr std::uint8_t kDumpPage = 0x80;

void add_timeouts(ByteBuilder& out, const CommandRow& row) {  // SPC-4 6.35.4
  out.u16(0x000A).u8(0).u8(0).u32(0).u32(row.recommended_timeout_s);
}

std::vector<std::byte> all_commands(std::span<const CommandRow> rows, bool timeouts) {
  ByteBuilder out;
  out.u32(0);
  for (const CommandRow& row : rows) {
    const bool service = row.service_action != kNoServiceAction;
    out.u8(row.opcode).u8(0).u16(service ? static_cast<std::uint32_t>(row.service_action) : 0);
    out.u8(0).u8((timeouts ? 0x02u : 0u) | (service ? 0x01u : 0u)).u16(row.cdb_length);
    if (timeouts) add_timeouts(out, row);
  }
  out.patch(0, out.size() - 4, 4);
  return out.take();
}

std::vector<std::byte> one_command(const CommandRow* row, bool timeouts) {
  ByteBuilder out;
  out.u8(0);
  if (row == nullptr) return out.u8(0x01).u16(0).take();  // not supported
  out.u8((timeouts ? 0x80u : 0u) | 0x03u).u16(row->cdb_length);
  for (std::size_t i = 0; i < row->cdb_length; ++i) {
    unsigned usage = row->usage[i];
    if (i == 1 && row->service_action != kNoServiceAction)
      usage = (usage & 0xE0u) | static_cast<unsigned>(row->service_action);
    out.u8(usage);
  }
  if (timeouts) add_timeouts(out, *row);
  return out.take();
}

}  // namespace

void PrimaryUnit::report_supported_operation_codes(Task& task) {  // SPC-4 6.35
  task.set_allocation_length(task.cdb_field(6, 4));
  const std::uint8_t options = task.cdb(2) & 0x07;
  const bool timeouts = (task.cdb(2) & 0x80) != 0;  // RCTD
  const std::uint8_t opcode = task.cdb(3);
  const std::uint32_t service_action = task.cdb_field(4, 2);
  if (options == 0) {
    task.good(all_commands(rows(), timeouts));
    return;
  }
  const CommandRow* found = nullptr;
  bool known = false, has_service_actions = false;
  for (const CommandRow& row : rows()) {
    if (row.opcode != opcode) continue;
    known = true;
    has_service_actions = row.service_action != kNoServiceAction;
    const std::uint32_t own =
        has_service_actions ? static_cast<std::uint32_t>(row.service_action) : 0;
    if (own == service_action || options == 1) found = &row;
  }
  const bool wrong_form =
      known && ((options == 1 && has_service_actions) || (options == 2 && !has_service_actions));
  if (options > 3 || wrong_form)
    task.fail(Sense::invalid_field_in_cdb(2, 2));
  else
    task.good(one_command(found, timeouts));
}

void PrimaryUnit::report_supported_task_management_functions(Task& task) {  // SPC-4 6.36
  const std::uint32_t allocation_length = task.cdb_field(6, 4);
  if (allocation_length < 4) {
    task.fail(Sense::invalid_field_in_cdb(6));
    return;
  }
  task.set_allocation_length(allocation_length);
  const bool extended = (task.cdb(2) & 0x80) != 0;  // REPD
  ByteBuilder out;
  // ABORT TASK, ABORT TASK SET, CLEAR TASK SET, LOGICAL UNIT RESET, TARGET RESET: what manage()
  // does.
  out.u8(0xDA).u8(0).u8(0).u8(extended ? 12 : 0);
  if (extended) out.zeros(12);  // TMFTMOV = 0: no timeouts are given
  task.good(out.take());
}

void PrimaryUnit::report_timestamp(Task& task) {  // SPC-4 6.38
  task.set_allocation_length(task.cdb_field(6, 4));
  const std::int64_t now = static_cast<std::int64_t>(now_ms_()) + clock_offset_ms_;
  ByteBuilder out;
  // Origin 010b: SET TIMESTAMP; 011b: by a method outside the standard, the system's clock.
  out.u16(10).u8(clock_set_by_host_ ? 2 : 3).u8(0).u48(static_cast<std::uint64_t>(now)).u16(0);
  task.good(out.take());
}

void PrimaryUnit::set_timestamp(Task& task) {  // SPC-4 6.44
  const std::uint32_t length = task.cdb_field(6, 4);
  if (length == 0) {
    task.good();
    return;
  }
  if (length != 12) {
    task.fail(Sense::parameter_list_length_error());
    return;
  }
  task.parameter_list(length, [this, &task](Buffer list) {
    ByteReader reader(list.view());
    reader.skip(4);
    clock_offset_ms_ =
        static_cast<std::int64_t>(reader.u48()) - static_cast<std::int64_t>(now_ms_());
    clock_set_by_host_ = true;
    unit_attentions().raise_all_but(task.nexus(), Asc::kTimestampChanged);
    task.good();
  });
}

// --- diagnostics ---

// There is no hardware to test: a self-test passes, and a background one (SELF-TEST CODE 1 and 2)
// has ended before anybody could abort it (4). Diagnostic pages are 00h, the list of pages, and,
// vendor specific, 80h: it asks for a dump, which is made whenever it is read.
void PrimaryUnit::send_diagnostic(Task& task) {         // SPC-4 6.42
  const bool default_test = (task.cdb(1) & 0x04) != 0;  // SELFTEST
  const bool page_format = (task.cdb(1) & 0x10) != 0;
  const std::uint8_t code = task.cdb(1) >> 5;
  const std::uint32_t length = task.cdb_field(3, 2);
  const bool known = code == 0 || code == 1 || code == 2 || code == 5 || code == 6;
  if (!known || (code != 0 && default_test)) {
    task.fail(Sense::invalid_field_in_cdb(1, 7));
  } else if (length != 0 && (code != 0 || default_test)) {
    task.fail(Sense::invalid_field_in_cdb(3));
  } else if (length == 0) {
    if (code != 0) note_self_test(code);
    task.good();
  } else if (!page_format) {
    task.fail(Sense::invalid_field_in_cdb(1, 4));
  } else if (length < 4) {
    task.fail(Sense::parameter_list_length_error());
  } else {
    task.parameter_list(length, [this, &task](Buffer list) {
      ByteReader reader(list.view());
      const std::uint8_t page = reader.u8();
      reader.skip(1);
      const std::uint16_t page_length = reader.u16();
      const bool dumps = page == kDumpPage && !diagnostic_dump().empty();
      if (page != 0 && !dumps)
        task.fail(Sense::invalid_field_in_parameter_list(0));
      else if ((page_length != 0 && !dumps) || reader.remaining() != page_length)
        task.fail(Sense::invalid_field_in_parameter_list(2));
      else
        task.good();
    });
  }
}

void PrimaryUnit::note_self_test(std::uint8_t code) {
  const std::uint64_t now = now_ms_ ? now_ms_() : 0;
  const std::uint64_t hours = (std::max(now, started_ms_) - started_ms_) / 3'600'000;
  self_tests_.push_front(
      {code, static_cast<std::uint16_t>(std::min<std::uint64_t>(hours, 0xFFFF))});
  if (self_tests_.size() > kSelfTestResults) self_tests_.pop_back();
}

std::vector<LogParameter> PrimaryUnit::self_test_results() const {  // SPC-4 7.3.17
  std::vector<LogParameter> out;
  for (std::uint16_t i = 0; i < kSelfTestResults; ++i) {
    ByteBuilder value;
    if (i < self_tests_.size())  // 0: without error; no address of a failure
      value.u8(unsigned{self_tests_[i].code} << 5)
          .u8(0)
          .u16(self_tests_[i].hours)
          .u64(~0ull)
          .u32(0);
    else
      value.zeros(16);
    out.push_back({static_cast<std::uint16_t>(i + 1), LogParameter::kBinaryList, value.take()});
  }
  return out;
}

void PrimaryUnit::receive_diagnostic(Task& task) {
  task.set_allocation_length(task.cdb_field(3, 2));
  const bool page_code_valid = (task.cdb(1) & 0x01) != 0;
  if (page_code_valid && task.cdb(2) != 0) {
    task.fail(Sense::invalid_field_in_cdb(2, 7));
    return;
  }
  ByteBuilder out;
  out.u8(0x00).u8(0).u16(1).u8(0x00);
  task.good(out.take());
}

// --- buffers: the echo buffer and the dump, and no firmware ---

void PrimaryUnit::read_buffer(Task& task) {  // SPC-4 6.18
  task.set_allocation_length(task.cdb_field(6, 3));
  ByteBuilder out;
  switch (task.cdb(1) & 0x1F) {
    case 0x02: {  // data
      std::vector<std::byte> dump = diagnostic_dump();
      const std::uint32_t offset = task.cdb_field(3, 3);
      if (dump.empty()) {
        task.fail(Sense::invalid_field_in_cdb(1, 4));
      } else if (task.cdb(2) != kDumpBuffer) {
        task.fail(Sense::invalid_field_in_cdb(2, 7));
      } else if (offset > dump.size()) {
        task.fail(Sense::invalid_field_in_cdb(3, 7));
      } else {
        dump.erase(dump.begin(), dump.begin() + std::ptrdiff_t(offset));
        task.good(std::move(dump));
      }
      return;
    }
    case 0x03: {  // descriptor
      const std::size_t size = task.cdb(2) == kDumpBuffer ? diagnostic_dump().size() : 0;
      task.good(out.u8(0).u24(size).take());
      return;
    }
    case 0x0A: {  // echo
      const auto written = echo_buffers_.find(task.nexus());
      if (written == echo_buffers_.end())
        task.fail(Sense::illegal_request(Asc::kCommandSequenceError));
      else
        task.good(written->second);
      return;
    }
    case 0x0B:  // echo buffer descriptor
      task.good(out.u16(0).u16(kEchoBufferBytes).take());
      return;
    default:
      task.fail(Sense::invalid_field_in_cdb(1, 4));
  }
}

void PrimaryUnit::write_buffer(Task& task) {  // SPC-4 6.49
  const std::uint32_t length = task.cdb_field(6, 3);
  if ((task.cdb(1) & 0x1F) != 0x0A) {
    task.fail(Sense::invalid_field_in_cdb(1, 4));
  } else if (length > kEchoBufferBytes) {
    task.fail(Sense::invalid_field_in_cdb(6));
  } else {
    task.parameter_list(length, [this, &task](Buffer list) {
      echo_buffers_[task.nexus()].assign(list.view().begin(), list.view().end());
      task.good();
    });
  }
}

}  // namespace scsi
