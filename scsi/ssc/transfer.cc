// READ, WRITE and READ BLOCK LIMITS (SSC-4 5.x, 6.x): the tables that every tape program leans on.
#include <algorithm>

#include "scsi/ssc/drive_impl.h"

namespace scsi::ssc {

namespace {

constexpr std::uint8_t kWrite6 = 0x0A;

Sense no_sense(Asc asc, std::int64_t information) {
  Sense sense = Sense::make(SenseKey::kNoSense, asc);
  sense.information = information;
  return sense;
}

Reply check(Sense sense, std::uint32_t required_length) {
  Reply reply;
  reply.status = SamStatus::kCheckCondition;
  reply.sense = std::move(sense);
  reply.required_length = required_length;
  return reply;
}

}  // namespace

void TapeDrive::Impl::read_block_limits(Task& task) {
  const bool maximum_logical_object_identifier = (task.cdb(1) & 0x01) != 0;
  ByteBuilder out;
  out.u8(0).u24(options.max_block_bytes).u16(1);
  if (maximum_logical_object_identifier) {
    out = ByteBuilder();
    // SSC-4 MLOI = 1: 20 bytes, the largest object identifier in the last eight.
    out.zeros(12).u64(0xFFFF'FFFF'FFFF'FFFE);
  }
  task.good(out.take());
}

std::optional<TapeDrive::Impl::Transfer> TapeDrive::Impl::transfer_of(Task& task,
                                                                      std::uint8_t flags) {
  Transfer out;
  out.fixed = (flags & 0x01) != 0;
  out.sili = (flags & 0x02) != 0;
  out.length = ByteReader(task.cdb_bytes().subspan(2)).u24();
  out.block_bytes = out.fixed ? modes().block_length() : out.length;
  out.count = out.fixed ? out.length : std::uint32_t{out.length != 0};
  const BlockHandling handling = handling_of(task.nexus());
  out.protection = task.row().opcode == kWrite6 ? handling.written : handling.read;
  out.key_instance = encryption.instance(task.nexus());
  if (out.fixed && out.block_bytes == 0) {
    task.fail(Sense::invalid_field_in_cdb(1, 0));
    return std::nullopt;
  }
  if (out.fixed && out.sili) {
    task.fail(Sense::invalid_field_in_cdb(1, 1));
    return std::nullopt;
  }
  const bool protection_alone =
      out.count != 0 && out.block_bytes <= protection_bytes(out.protection);
  if (protection_alone || out.block_bytes > options.max_block_bytes ||
      std::uint64_t{out.block_bytes} * out.count > kMaxTransferBytes) {
    task.fail(Sense::invalid_field_in_cdb(2, 7));
    return std::nullopt;
  }
  medium->set_handling(handling);
  return out;
}

// --- READ ---

void TapeDrive::Impl::read(Task& task) {
  const std::optional<Transfer> transfer = transfer_of(task, task.cdb(1));
  if (!transfer) return;
  if (transfer->count == 0) {
    task.good();
    return;
  }
  if (Outcome refused = locked_out(task.nexus())) {
    task.fail(*refused);
    return;
  }
  leave_position();
  medium->read(transfer->data_bytes(), transfer->count,
               [this, &task, transfer = *transfer](ReadOutcome outcome) {
                 task.finish(read_reply(transfer, std::move(outcome)));
               });
}

// SSC-4 table 35. INFORMATION always is what was asked less what was got, in the unit of
// the CDB's TRANSFER LENGTH, and must agree with the transport's residual.
Reply TapeDrive::Impl::read_reply(const Transfer& transfer, ReadOutcome outcome) {
  const std::uint32_t whole = outcome.blocks * transfer.block_bytes;
  std::uint32_t sent = outcome.blocks;
  const std::int64_t missing =
      std::int64_t{transfer.length} - std::int64_t{transfer.fixed ? outcome.blocks : whole};
  Reply reply;
  using Stop = ReadOutcome::Stop;
  switch (outcome.stop) {
    case Stop::kNone:
      break;
    case Stop::kLength: {
      const std::uint32_t actual = outcome.actual_length + protection_bytes(transfer.protection);
      const bool longer = actual > transfer.block_bytes;
      if (!transfer.fixed) ++sent;
      // SILI = 1 lets a shorter block pass, and a longer one in variable mode.
      if (transfer.sili && (!longer || modes().block_length() == 0)) break;
      Sense sense =
          no_sense(Asc::kNoAdditionalSense,
                   transfer.fixed ? missing : std::int64_t{transfer.length} - std::int64_t{actual});
      sense.incorrect_length = true;
      reply = check(std::move(sense), 0);
      break;
    }
    case Stop::kFilemark: {
      Sense sense = no_sense(Asc::kFilemarkDetected, missing);
      sense.filemark = true;
      reply = check(std::move(sense), 0);
      break;
    }
    case Stop::kEndOfData: {
      Sense sense = Sense::make(SenseKey::kBlankCheck, Asc::kEndOfDataDetected);
      sense.information = missing;
      reply = check(std::move(sense), 0);
      break;
    }
    case Stop::kRefused: {
      Sense sense = sense_of(outcome.refusal);
      sense.information = missing;
      reply = check(std::move(sense), 0);
      break;
    }
    case Stop::kFault: {
      VTL_CHECK(outcome.fault.has_value());
      Sense sense = fault(*outcome.fault);
      sense.information = missing;
      reply = check(std::move(sense), 0);
      break;
    }
  }
  reply.data_in = std::move(outcome.data);
  // Of a block of the wrong length in fixed mode nothing is sent, nor of an object that could not
  // be read.
  if (transfer.fixed || outcome.stop == Stop::kFault) truncate(reply.data_in, whole);
  reply.required_length = transfer.bytes();
  const std::uint64_t bytes = total_size(reply.data_in);  // none: VERIFY
  const std::uint64_t data =
      bytes - std::min(bytes, std::uint64_t{sent} * protection_bytes(transfer.protection));
  counters.host_bytes_read += data;
  mount.host_bytes_read += data;
  return reply;
}

// --- WRITE ---

void TapeDrive::Impl::write(Task& task) {
  const std::optional<Transfer> transfer = transfer_of(task, task.cdb(1));
  if (!transfer) return;
  if (transfer->count == 0) {
    task.good();
    return;
  }
  Outcome refusal_now = write_refusal();
  if (!refusal_now) refusal_now = encryption_refusal(task.nexus());
  if (refusal_now) {
    task.fail(*refusal_now);
    return;
  }
  if (!medium->info().worm) {
    append(task, *transfer);
    return;
  }
  check_worm_position([this, &task, transfer = *transfer](Outcome refused) {
    if (refused)
      task.fail(*refused);
    else
      append(task, transfer);
  });
}

void TapeDrive::Impl::append(Task& task, const Transfer& transfer) {
  task.want(transfer.bytes(), Task::Shorter::kRefuse, [this, &task, transfer](Buffer data) {
    Outcome wrong = check_protection(transfer, std::as_const(data).view());
    // While the data were on their way its key may have gone with another nexus: what was to be
    // encrypted is not written in clear.
    if (encryption.instance(task.nexus()) != transfer.key_instance) wrong = key_changed();
    if (wrong) {
      task.finish(check(std::move(*wrong), transfer.bytes()));
      return;
    }
    medium->set_handling(handling_of(task.nexus()));
    wrote(task);
    const WriteMode mode =
        modes().buffered_mode() == 0 ? WriteMode::kDurable : WriteMode::kBuffered;
    medium->write(std::move(data), transfer.data_bytes(), mode,
                  [this, &task, transfer](WriteOutcome outcome) {
                    task.finish(write_reply(transfer, std::move(outcome)));
                  });
  });
}

Reply TapeDrive::Impl::write_reply(const Transfer& transfer, WriteOutcome outcome) {
  const bool refused = outcome.refusal != CipherRefusal::kNone;
  VTL_CHECK(outcome.fault || outcome.full || refused || outcome.accepted == transfer.count);
  counters.host_bytes_written += outcome.accepted * transfer.data_bytes();
  mount.host_bytes_written += outcome.accepted * transfer.data_bytes();
  at_early_warning = outcome.zone == Zone::kEarlyWarning;
  std::uint64_t missing = transfer.count - outcome.accepted;  // blocks
  // An unbuffered write may be accepted first and fail on its way to the medium.
  if (outcome.fault)
    missing =
        std::max(missing, std::min<std::uint64_t>(outcome.fault->objects_lost, transfer.count));
  const std::uint64_t information = transfer.fixed ? missing : missing * transfer.block_bytes;
  Outcome sense;
  if (outcome.fault) {
    sense = fault(*outcome.fault);
  } else if (refused) {
    sense = sense_of(outcome.refusal);
  } else if (outcome.full) {
    sense = Sense::make(SenseKey::kVolumeOverflow, Asc::kEndOfPartitionDetected);
    sense->end_of_medium = true;
  } else {
    sense = zone_sense(outcome);
  }
  // Never 0: st takes VALID = 1 with INFORMATION = 0 on a volume overflow for "all was written".
  if (information != 0) sense->information = static_cast<std::int64_t>(information);
  Reply reply;
  if (sense) reply = check(std::move(*sense), 0);
  reply.required_length = transfer.bytes();
  return reply;
}

TapeDrive::Impl::Outcome TapeDrive::Impl::zone_sense(const WriteOutcome& outcome) const {
  if (outcome.zone == Zone::kEarlyWarning) {
    Sense sense = no_sense(Asc::kEndOfPartitionDetected, 0);
    sense.end_of_medium = true;
    return sense;
  }
  if (past_programmable_early_warning()) {
    Sense sense = Sense::make(SenseKey::kNoSense, Asc::kProgrammableEarlyWarningDetected);
    sense.end_of_medium = true;
    return sense;
  }
  return std::nullopt;
}

}  // namespace scsi::ssc
