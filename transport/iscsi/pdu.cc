#include "transport/iscsi/pdu.h"

namespace iscsi {
namespace {

using scsi::ByteReader;
using scsi::ByteWriter;

// Take the place of each other in the layouts below: one reads fields out of a header, the other
// puts them in.
struct Reader {
  const Header& h;

  ByteReader at(std::size_t byte) const { return ByteReader(scsi::Bytes(h).subspan(byte)); }
  void bit(std::size_t byte, std::uint8_t mask, bool& v) const { v = (at(byte).u8() & mask) != 0; }
  template <class T>
  void bits(std::size_t byte, int shift, std::uint8_t mask, T& v) const {
    v = static_cast<T>(at(byte).u8() >> shift & mask);
  }
  template <class T>
  void u8(std::size_t byte, T& v) const {
    v = static_cast<T>(at(byte).u8());
  }
  void u16(std::size_t byte, std::uint16_t& v) const { v = at(byte).u16(); }
  void u32(std::size_t byte, std::uint32_t& v) const { v = at(byte).u32(); }
  void u64(std::size_t byte, std::uint64_t& v) const { v = at(byte).u64(); }
  template <std::size_t n>
  void bytes(std::size_t byte, std::array<std::byte, n>& v) const {
    std::memcpy(v.data(), h.data() + byte, n);
  }
};

struct Writer {
  Header& h;

  ByteWriter at(std::size_t byte) const { return ByteWriter(scsi::MutableBytes(h).subspan(byte)); }
  void bit(std::size_t byte, std::uint8_t mask, bool v) const {
    if (v) h[byte] |= std::byte{mask};
  }
  template <class T>
  void bits(std::size_t byte, int shift, std::uint8_t mask, T v) const {
    h[byte] |= static_cast<std::byte>((static_cast<unsigned>(v) & mask) << shift);
  }
  template <class T>
  void u8(std::size_t byte, T v) const {
    at(byte).u8(static_cast<std::uint8_t>(v));
  }
  void u16(std::size_t byte, std::uint16_t v) const { at(byte).u16(v); }
  void u32(std::size_t byte, std::uint32_t v) const { at(byte).u32(v); }
  void u64(std::size_t byte, std::uint64_t v) const { at(byte).u64(v); }
  template <std::size_t n>
  void bytes(std::size_t byte, const std::array<std::byte, n>& v) const {
    at(byte).bytes(v);
  }
};

template <class Io, class N>
void layout_numbers(const Io& io, N& n) {
  io.u32(24, n.stat_sn);
  io.u32(28, n.exp_cmd_sn);
  io.u32(32, n.max_cmd_sn);
}

// One function per PDU: the byte numbers are those of RFC 7143 11.
template <class Io, class P>
void layout(const Io& io, P& p, const NopOut&) {
  io.bit(0, 0x40, p.immediate);
  io.u64(8, p.lun);
  io.u32(16, p.task_tag);
  io.u32(20, p.transfer_tag);
  io.u32(24, p.cmd_sn);
  io.u32(28, p.exp_stat_sn);
}

template <class Io, class P>
void layout(const Io& io, P& p, const ScsiCommand&) {
  io.bit(0, 0x40, p.immediate);
  io.bit(1, 0x80, p.final);
  io.bit(1, 0x40, p.read);
  io.bit(1, 0x20, p.write);
  io.bits(1, 0, 0x07, p.attribute);
  io.u64(8, p.lun);
  io.u32(16, p.task_tag);
  io.u32(20, p.expected_length);
  io.u32(24, p.cmd_sn);
  io.u32(28, p.exp_stat_sn);
  io.bytes(32, p.cdb);
}

template <class Io, class P>
void layout(const Io& io, P& p, const TaskManagementRequest&) {
  io.bit(0, 0x40, p.immediate);
  io.bits(1, 0, 0x7F, p.function);
  io.u64(8, p.lun);
  io.u32(16, p.task_tag);
  io.u32(20, p.referenced_tag);
  io.u32(24, p.cmd_sn);
  io.u32(28, p.exp_stat_sn);
  io.u32(32, p.ref_cmd_sn);
  io.u32(36, p.exp_data_sn);
}

template <class Io, class P>
void layout(const Io& io, P& p, const LoginRequest&) {
  io.bit(0, 0x40, p.immediate);
  io.bit(1, 0x80, p.transit);
  io.bit(1, 0x40, p.more);
  io.bits(1, 2, 0x03, p.current);
  io.bits(1, 0, 0x03, p.next);
  io.u8(2, p.version_max);
  io.u8(3, p.version_min);
  io.bytes(8, p.isid);
  io.u16(14, p.tsih);
  io.u32(16, p.task_tag);
  io.u16(20, p.connection_id);
  io.u32(24, p.cmd_sn);
  io.u32(28, p.exp_stat_sn);
}

template <class Io, class P>
void layout(const Io& io, P& p, const TextRequest&) {
  io.bit(0, 0x40, p.immediate);
  io.bit(1, 0x80, p.final);
  io.bit(1, 0x40, p.more);
  io.u64(8, p.lun);
  io.u32(16, p.task_tag);
  io.u32(20, p.transfer_tag);
  io.u32(24, p.cmd_sn);
  io.u32(28, p.exp_stat_sn);
}

template <class Io, class P>
void layout(const Io& io, P& p, const DataOut&) {
  io.bit(1, 0x80, p.final);
  io.u64(8, p.lun);
  io.u32(16, p.task_tag);
  io.u32(20, p.transfer_tag);
  io.u32(28, p.exp_stat_sn);
  io.u32(36, p.data_sn);
  io.u32(40, p.offset);
}

template <class Io, class P>
void layout(const Io& io, P& p, const LogoutRequest&) {
  io.bit(0, 0x40, p.immediate);
  io.bits(1, 0, 0x7F, p.reason);
  io.u32(16, p.task_tag);
  io.u16(20, p.connection_id);
  io.u32(24, p.cmd_sn);
  io.u32(28, p.exp_stat_sn);
}

template <class Io, class P>
void layout(const Io& io, P& p, const NopIn&) {
  io.u64(8, p.lun);
  io.u32(16, p.task_tag);
  io.u32(20, p.transfer_tag);
  layout_numbers(io, p.numbers);
}

template <class Io, class P>
void layout(const Io& io, P& p, const ScsiResponse&) {
  io.bit(1, 0x04, p.overflow);
  io.bit(1, 0x02, p.underflow);
  io.u8(2, p.response);
  io.u8(3, p.status);
  io.u32(16, p.task_tag);
  layout_numbers(io, p.numbers);
  io.u32(36, p.exp_data_sn);
  io.u32(44, p.residual);
}

template <class Io, class P>
void layout(const Io& io, P& p, const TaskManagementResponse&) {
  io.u8(2, p.response);
  io.u32(16, p.task_tag);
  layout_numbers(io, p.numbers);
}

template <class Io, class P>
void layout(const Io& io, P& p, const LoginResponse&) {
  io.bit(1, 0x80, p.transit);
  io.bit(1, 0x40, p.more);
  io.bits(1, 2, 0x03, p.current);
  io.bits(1, 0, 0x03, p.next);
  io.u8(2, p.version_max);
  io.u8(3, p.version_active);
  io.bytes(8, p.isid);
  io.u16(14, p.tsih);
  io.u32(16, p.task_tag);
  layout_numbers(io, p.numbers);
  io.u16(36, p.status);
}

template <class Io, class P>
void layout(const Io& io, P& p, const TextResponse&) {
  io.bit(1, 0x80, p.final);
  io.bit(1, 0x40, p.more);
  io.u64(8, p.lun);
  io.u32(16, p.task_tag);
  io.u32(20, p.transfer_tag);
  layout_numbers(io, p.numbers);
}

template <class Io, class P>
void layout(const Io& io, P& p, const DataIn&) {
  io.bit(1, 0x80, p.final);
  io.bit(1, 0x40, p.acknowledge);
  io.bit(1, 0x04, p.overflow);
  io.bit(1, 0x02, p.underflow);
  io.bit(1, 0x01, p.has_status);
  io.u8(3, p.status);
  io.u64(8, p.lun);
  io.u32(16, p.task_tag);
  io.u32(20, p.transfer_tag);
  layout_numbers(io, p.numbers);
  io.u32(36, p.data_sn);
  io.u32(40, p.offset);
  io.u32(44, p.residual);
}

template <class Io, class P>
void layout(const Io& io, P& p, const LogoutResponse&) {
  io.u8(2, p.response);
  io.u32(16, p.task_tag);
  layout_numbers(io, p.numbers);
  io.u16(40, p.time_to_wait);
  io.u16(42, p.time_to_retain);
}

template <class Io, class P>
void layout(const Io& io, P& p, const R2t&) {
  io.u64(8, p.lun);
  io.u32(16, p.task_tag);
  io.u32(20, p.transfer_tag);
  layout_numbers(io, p.numbers);
  io.u32(36, p.r2t_sn);
  io.u32(40, p.offset);
  io.u32(44, p.length);
}

template <class Io, class P>
void layout(const Io& io, P& p, const AsyncMessage&) {
  io.u64(8, p.lun);
  layout_numbers(io, p.numbers);
  io.u8(36, p.event);
  io.u8(37, p.vendor_code);
  io.u16(38, p.parameter1);
  io.u16(40, p.parameter2);
  io.u16(42, p.parameter3);
}

template <class Io, class P>
void layout(const Io& io, P& p, const Reject&) {
  io.u8(2, p.reason);
  layout_numbers(io, p.numbers);
  io.u32(36, p.data_sn);
}

template <class P>
P decode_as(const Header& h) {
  P p;
  layout(Reader{h}, p, p);
  return p;
}

// `fixed` are the bits of byte 1 that a PDU always has set (the F bit where it has no other
// meaning).
template <class P>
Header encode_as(Opcode opcode, std::uint8_t fixed, const P& p) {
  Header h{};
  h[0] = static_cast<std::byte>(opcode);
  h[1] = std::byte{fixed};
  layout(Writer{h}, p, p);
  return h;
}

constexpr std::uint8_t kFinal = 0x80;

void set_reserved_tag(Header& h) {
  ByteWriter(scsi::MutableBytes(h).subspan(16)).u32(kReservedTag);
}

}  // namespace

std::uint32_t ahs_length_of(const Header& h) { return std::to_integer<std::uint32_t>(h[4]) * 4; }
std::uint32_t data_length_of(const Header& h) {
  return ByteReader(scsi::Bytes(h).subspan(5)).u24();
}
void set_data_length(Header& h, std::uint32_t bytes) {
  ByteWriter(scsi::MutableBytes(h).subspan(5)).u24(bytes);
}
std::uint32_t task_tag_of(const Header& h) { return ByteReader(scsi::Bytes(h).subspan(16)).u32(); }
std::uint32_t command_number_of(const Header& h) {
  return ByteReader(scsi::Bytes(h).subspan(24)).u32();
}
void set_numbers(Header& h, const Numbers& numbers) { layout_numbers(Writer{h}, numbers); }

NopOut NopOut::decode(const Header& h) { return decode_as<NopOut>(h); }
Header NopOut::encode() const { return encode_as(Opcode::kNopOut, kFinal, *this); }

ScsiCommand ScsiCommand::decode(const Header& h) { return decode_as<ScsiCommand>(h); }
Header ScsiCommand::encode() const { return encode_as(Opcode::kScsiCommand, 0, *this); }

TaskManagementRequest TaskManagementRequest::decode(const Header& h) {
  return decode_as<TaskManagementRequest>(h);
}
Header TaskManagementRequest::encode() const {
  return encode_as(Opcode::kTaskManagementRequest, kFinal, *this);
}

LoginRequest LoginRequest::decode(const Header& h) { return decode_as<LoginRequest>(h); }
Header LoginRequest::encode() const { return encode_as(Opcode::kLoginRequest, 0, *this); }

TextRequest TextRequest::decode(const Header& h) { return decode_as<TextRequest>(h); }
Header TextRequest::encode() const { return encode_as(Opcode::kTextRequest, 0, *this); }

DataOut DataOut::decode(const Header& h) { return decode_as<DataOut>(h); }
Header DataOut::encode() const { return encode_as(Opcode::kDataOut, 0, *this); }

LogoutRequest LogoutRequest::decode(const Header& h) { return decode_as<LogoutRequest>(h); }
Header LogoutRequest::encode() const { return encode_as(Opcode::kLogoutRequest, kFinal, *this); }

NopIn NopIn::decode(const Header& h) { return decode_as<NopIn>(h); }
Header NopIn::encode() const { return encode_as(Opcode::kNopIn, kFinal, *this); }

ScsiResponse ScsiResponse::decode(const Header& h) { return decode_as<ScsiResponse>(h); }
Header ScsiResponse::encode() const { return encode_as(Opcode::kScsiResponse, kFinal, *this); }

TaskManagementResponse TaskManagementResponse::decode(const Header& h) {
  return decode_as<TaskManagementResponse>(h);
}
Header TaskManagementResponse::encode() const {
  return encode_as(Opcode::kTaskManagementResponse, kFinal, *this);
}

LoginResponse LoginResponse::decode(const Header& h) { return decode_as<LoginResponse>(h); }
Header LoginResponse::encode() const { return encode_as(Opcode::kLoginResponse, 0, *this); }

TextResponse TextResponse::decode(const Header& h) { return decode_as<TextResponse>(h); }
Header TextResponse::encode() const { return encode_as(Opcode::kTextResponse, 0, *this); }

DataIn DataIn::decode(const Header& h) { return decode_as<DataIn>(h); }
Header DataIn::encode() const { return encode_as(Opcode::kDataIn, 0, *this); }

LogoutResponse LogoutResponse::decode(const Header& h) { return decode_as<LogoutResponse>(h); }
Header LogoutResponse::encode() const { return encode_as(Opcode::kLogoutResponse, kFinal, *this); }

R2t R2t::decode(const Header& h) { return decode_as<R2t>(h); }
Header R2t::encode() const { return encode_as(Opcode::kR2t, kFinal, *this); }

AsyncMessage AsyncMessage::decode(const Header& h) { return decode_as<AsyncMessage>(h); }
Header AsyncMessage::encode() const {
  Header h = encode_as(Opcode::kAsyncMessage, kFinal, *this);
  set_reserved_tag(h);
  return h;
}

Reject Reject::decode(const Header& h) { return decode_as<Reject>(h); }
Header Reject::encode() const {
  Header h = encode_as(Opcode::kReject, kFinal, *this);
  set_reserved_tag(h);
  return h;
}

}  // namespace iscsi
