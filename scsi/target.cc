#include "scsi/target.h"

#include <utility>

namespace scsi {

std::optional<std::uint16_t> Lun::number() const {
  if ((raw & 0x0000'FFFF'FFFF'FFFFu) != 0) return {};  // a second level
  const auto first = static_cast<std::uint16_t>(raw >> 48);
  switch (first >> 14) {
    case 0:  // peripheral device addressing: bus 0 only
      if ((first & 0x3F00) != 0) return {};
      return static_cast<std::uint16_t>(first & 0xFF);
    case 1:  // flat space addressing
      return static_cast<std::uint16_t>(first & 0x3FFF);
    default:
      return {};
  }
}

std::vector<std::byte> report_luns_data(const std::vector<std::uint16_t>& luns) {
  ByteBuilder out;
  out.u32(luns.size() * 8).u32(0);
  for (const std::uint16_t lun : luns) out.u16(lun < 256 ? lun : 0x4000u | lun).u48(0);
  return out.take();
}

Reply report_luns(Bytes cdb, const std::vector<std::uint16_t>& luns) {
  ByteReader reader(cdb);
  reader.skip(2);
  const std::uint8_t select = reader.u8();
  reader.skip(3);
  const std::uint32_t allocation_length = reader.u32();
  Reply reply;
  // SELECT REPORT 00h: all but well known ones; 01h: well known ones, of which there are none; 02h:
  // all.
  if (select > 2 || allocation_length < 16) {
    reply.status = SamStatus::kCheckCondition;
    reply.sense = Sense::invalid_field_in_cdb(select > 2 ? 2 : 6);
    return reply;
  }
  reply.data_in = slices_of(report_luns_data(select == 1 ? std::vector<std::uint16_t>() : luns));
  truncate(reply.data_in, allocation_length);
  return reply;
}

void Target::add(std::uint16_t lun, LogicalUnit& unit) {
  VTL_CHECK(lun < 0x4000 && !units_.contains(lun));
  units_[lun] = &unit;
  std::vector<std::uint16_t> luns;
  for (const auto& entry : units_) luns.push_back(entry.first);
  for (const auto& entry : units_) entry.second->set_target_luns(luns);
}

LogicalUnit* Target::unit(Lun lun) const {
  const auto number = lun.number();
  if (!number) return nullptr;
  const auto found = units_.find(*number);
  return found == units_.end() ? nullptr : found->second;
}

void Target::nexus_established(const NexusInfo& nexus) {
  for (const auto& entry : units_) entry.second->nexus_established(nexus);
}

void Target::nexus_lost(NexusId nexus) {
  for (const auto& entry : units_) entry.second->nexus_lost(nexus);
}

void Target::submit(Lun lun, Command command, ReplySink& sink) {
  if (LogicalUnit* present = unit(lun))
    present->submit(std::move(command), sink);
  else
    answer_absent(command, sink);
}

void Target::data_out(NexusId nexus, Lun lun, TaskTag tag, Buffer data) {
  if (LogicalUnit* present = unit(lun)) present->data_out(nexus, tag, std::move(data));
}

void Target::data_out_failed(NexusId nexus, Lun lun, TaskTag tag, Sense sense) {
  if (LogicalUnit* present = unit(lun)) present->data_out_failed(nexus, tag, std::move(sense));
}

void Target::manage(TaskFunction function, NexusId nexus, Lun lun, std::optional<TaskTag> tag,
                    Done<TaskFunctionResult> done) {
  if (function == TaskFunction::kTargetReset) {
    for (const auto& entry : units_) entry.second->manage(function, nexus, tag, [](auto) {});
    done(TaskFunctionResult::kComplete);
  } else if (LogicalUnit* present = unit(lun)) {
    present->manage(function, nexus, tag, std::move(done));
  } else {
    done(TaskFunctionResult::kNoSuchLun);
  }
}

// SPC-4 6.6.1 and SAM-5 4.7: what an incorrect LUN may be asked.
void Target::answer_absent(const Command& command, ReplySink& sink) {
  const auto byte = [&](std::size_t i) { return std::to_integer<std::uint32_t>(command.cdb[i]); };
  const Sense unsupported = Sense::illegal_request(Asc::kLogicalUnitNotSupported);
  Reply reply;
  std::optional<std::uint32_t> allocation_length;
  switch (byte(0)) {
    case 0x12: {  // INQUIRY: qualifier 011b, device type 1Fh
      ByteBuilder data;
      if ((byte(1) & 1) == 0)
        data.u8(0x7F).u8(0).u8(6).u8(2).u8(31).zeros(3).ascii("", 28);
      else
        data.u8(0x7F).u8(byte(2)).u16(0);
      reply.data_in = slices_of(data.take());
      allocation_length = byte(3) << 8 | byte(4);
      break;
    }
    case 0xA0: {
      std::vector<std::uint16_t> luns;
      for (const auto& entry : units_) luns.push_back(entry.first);
      reply = report_luns(std::span(command.cdb).first(12), luns);
      break;
    }
    case 0x03:  // REQUEST SENSE: as data
      reply.data_in = slices_of(unsupported.encode_fixed());
      allocation_length = byte(4);
      break;
    default:
      reply.status = SamStatus::kCheckCondition;
      reply.sense = unsupported;
  }
  const Residual residual = settle(command, reply, allocation_length, {});
  sink.complete(command.nexus, command.tag, std::move(reply), residual);
}

}  // namespace scsi
