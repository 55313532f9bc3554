// SECURITY PROTOCOL IN and OUT (SPC-4 6.30, 6.31): protocol 00h, and tape encryption, protocol 20h
// (SSC-5).
#include "scsi/ssc/drive_impl.h"
#include "scsi/ssc/fault_sense.h"

namespace scsi::ssc {

namespace {

constexpr std::uint8_t kInformation = 0x00, kTapeEncryption = 0x20;
// A page that sets a key, with all that may come with it, is far shorter.
constexpr std::uint32_t kLongestParameterList = 8192;

constexpr std::uint16_t kInSupport = 0x0000, kOutSupport = 0x0001, kCapabilities = 0x0010,
                        kKeyFormats = 0x0011, kManagement = 0x0012, kStatus = 0x0020,
                        kNextBlock = 0x0021, kRandomNumber = 0x0030;
constexpr std::uint16_t kSetEncryption = 0x0010;
constexpr std::array kInPages = {kInSupport,  kOutSupport, kCapabilities, kKeyFormats,
                                 kManagement, kStatus,     kNextBlock,    kRandomNumber};

template <class Codes>
std::vector<std::byte> support_page(std::uint16_t page, const Codes& codes) {
  ByteBuilder out;
  out.u16(page).u16(2 * codes.size());
  for (const std::uint16_t code : codes) out.u16(code);
  return out.take();
}

std::vector<std::byte> management_page() {
  ByteBuilder out;
  out.u16(kManagement).u16(12);
  out.u8(0x01);        // LOCK_C
  out.u8(0x07);        // CKOD_C, CKORP_C, CKORL_C
  out.u8(0).u8(0x07);  // AITN_C, LOCAL_C, PUBLIC_C
  out.zeros(8);
  return out.take();
}

// Next Block Encryption Status (SSC-5): what the drive would meet.
std::vector<std::byte> next_block_page(std::uint64_t object, const NextBlock& next) {
  constexpr unsigned kNever = 0, kNow = 1, kNoBlock = 2;  // cannot tell, at all or now; no block
  constexpr unsigned kPlain = 3, kReadable = 5, kUnreadable = 6;
  unsigned compression = kNoBlock, encryption = kNoBlock;
  const bool wrong_key = next.refusal == CipherRefusal::kNoKey ||
                         next.refusal == CipherRefusal::kWrongKey ||
                         next.refusal == CipherRefusal::kTampered;
  switch (next.kind) {
    case NextBlock::Kind::kFilemark:
    case NextBlock::Kind::kEndOfData:
      break;
    case NextBlock::Kind::kUnreadable:
      compression = encryption = kNow;
      break;
    case NextBlock::Kind::kBlock:
      compression = kNever;  // stenc knows no other answer of drives
      encryption = !next.encrypted ? kPlain : wrong_key ? kUnreadable : kReadable;
      break;
  }
  ByteBuilder out;
  out.u16(kNextBlock).u16(0).u64(object).u8(compression << 4 | encryption);
  out.u8(next.encrypted ? kAlgorithmIndex : 0);
  // EMES: written in external mode. RDMDS: not for raw reading.
  const bool raw_disabled = next.encrypted && !next.raw_readable;
  out.u8((next.external ? 0x02u : 0u) | (raw_disabled ? 0x01u : 0u));
  out.u8(0);
  put_associated(out, next.associated, 1);  // no attempt was made to authenticate them
  out.patch(2, out.size() - 4, 2);
  return out.take();
}

}  // namespace

void TapeDrive::Impl::security_protocol_in(Task& task) {
  const std::uint8_t protocol = task.cdb(1);
  const std::uint32_t page = task.cdb_field(2, 2);
  task.set_allocation_length(task.cdb_field(6, 4));
  if (protocol == kInformation && page == 0x0000) {
    task.good(ByteBuilder().zeros(6).u16(2).u8(kInformation).u8(kTapeEncryption).take());
  } else if (protocol == kInformation && page == 0x0001) {
    task.good(ByteBuilder().u16(0).u16(0).take());  // no certificate
  } else if (protocol == kTapeEncryption) {
    encryption_page(task, page);
  } else {
    task.fail(protocol == kInformation ? Sense::invalid_field_in_cdb(2, 7)
                                       : Sense::invalid_field_in_cdb(1, 7));
  }
}

void TapeDrive::Impl::encryption_page(Task& task, std::uint32_t page) {
  switch (page) {
    case kInSupport:
      return task.good(support_page(kInSupport, kInPages));
    case kOutSupport:
      return task.good(support_page(kOutSupport, std::array{kSetEncryption}));
    case kCapabilities:
      return task.good(EncryptionParameters::capabilities(encryptable()));
    case kKeyFormats:  // 00h: the key itself
      return task.good(ByteBuilder().u16(kKeyFormats).u16(1).u8(0).take());
    case kManagement:
      return task.good(management_page());
    case kStatus:
      return task.good(encryption.status(task.nexus()));
    case kRandomNumber: {
      std::array<std::byte, 32> number{};
      options.random(number);
      return task.good(ByteBuilder().u16(kRandomNumber).u16(number.size()).bytes(number).take());
    }
    case kNextBlock:
      return next_block_status(task);
    default:
      return task.fail(Sense::invalid_field_in_cdb(2, 7));
  }
}

void TapeDrive::Impl::next_block_status(Task& task) {
  if (const Outcome reason = not_ready()) {
    task.fail(*reason);
    return;
  }
  medium->set_handling(handling_of(task.nexus()));
  medium->next_block([this, &task](const NextBlock& next) {
    task.good(next_block_page(medium->position().object, next));
  });
}

void TapeDrive::Impl::security_protocol_out(Task& task) {
  if (task.cdb(1) != kTapeEncryption) {
    task.fail(Sense::invalid_field_in_cdb(1, 7));
    return;
  }
  if (task.cdb_field(2, 2) != kSetEncryption) {
    task.fail(Sense::invalid_field_in_cdb(2, 7));
    return;
  }
  const std::uint32_t length = task.cdb_field(6, 4);
  if (length > kLongestParameterList) {
    task.fail(Sense::invalid_field_in_cdb(6, 7));
    return;
  }
  if (length == 0) {  // SPC-4 6.31: no data, and no error
    task.good();
    return;
  }
  task.want(length, Task::Shorter::kTake, [this, &task, length](Buffer list) {
    const NexusId nexus = task.nexus();
    EncryptionParameters::Result result{Sense::parameter_list_length_error(), {}};
    if (list.size() == length)
      result = encryption.set(nexus, std::as_const(list).view(),
                              {load == Load::kReady, reserved(nexus)});
    wipe(list.view());  // a key, or some of one
    if (result.refused) {
      task.fail(*result.refused);
      return;
    }
    encryption_changed(result.affected, Asc::kEncryptionParametersChangedByAnotherNexus);
    task.good();
  });
}

bool TapeDrive::Impl::reserved(NexusId nexus) const {
  const Reservations& all = unit->reservations();
  return all.reserved_by(nexus) || all.holds_persistent_reservation(nexus);
}

// A medium keeps no key that does not hold any more.
void TapeDrive::Impl::encryption_changed(const EncryptionParameters::Affected& affected, Asc asc) {
  if (load == Load::kReady) medium->set_handling({});
  for (const NexusId nexus : affected) unit->unit_attentions().raise(nexus, asc);
}

BlockHandling TapeDrive::Impl::handling_of(NexusId nexus) const {
  return {write_protection(nexus), read_protection(nexus), encryption.in_use(nexus)};
}

// SSC-5, LOCK = 1: whoever locked itself to its parameters neither reads nor writes under others.
TapeDrive::Impl::Outcome TapeDrive::Impl::locked_out(NexusId nexus) const {
  if (!encryption.locked_out(nexus)) return std::nullopt;
  return key_changed();
}

// Since LTO-4.
bool TapeDrive::Impl::encryptable() const {
  return load == Load::kReady && medium->info().generation >= 4;
}

// What is to be encrypted is not written in clear, nor where no drive would look for it.
TapeDrive::Impl::Outcome TapeDrive::Impl::encryption_refusal(NexusId nexus) const {
  if (Outcome refused = locked_out(nexus)) return refused;
  const auto parameters = encryption.in_use(nexus);
  if (!parameters || parameters->write == Encryption::Write::kDisable || encryptable())
    return std::nullopt;
  return Sense::make(SenseKey::kDataProtect, Asc::kCannotWriteMedium);
}

}  // namespace scsi::ssc
