// The rules of moving one command's data (RFC 7143 4.2.4.2, 11.7, 11.8): which data-out may come,
// in what order, and which R2T is next; and how data-in is cut into PDUs. Numbers only: memory is
// the session's business.
#pragma once

#include <optional>
#include <vector>

#include "scsi/asc.h"
#include "scsi/buffer.h"
#include "transport/iscsi/params.h"
#include "transport/iscsi/pdu.h"

namespace iscsi {

// Data-out of one command: immediate, then unsolicited, then solicited. Offsets are strictly
// ascending without a gap (DataPDUInOrder and DataSequenceInOrder are always Yes), so what is here
// is one number. A violation is latched as a fault: everything that comes afterwards is to be
// thrown away, and the task fails.
class WriteTransfer {
 public:
  // A command PDU: `immediate` bytes came with it, `final` is its F bit.
  void begin(const Parameters& parameters, std::uint32_t expected_length, std::uint32_t immediate,
             bool final);

  // A Data-Out PDU's header, before its data. Gives where the data belongs, or nothing: throw it
  // away.
  std::optional<std::uint32_t> accept(const DataOut& pdu, std::uint32_t length);
  // Its data is there.
  void arrived();

  // The unit asks for this many bytes.
  void want(std::uint32_t length) { wanted_ = length; }
  std::uint32_t wanted() const { return wanted_; }
  std::uint32_t here() const { return here_; }

  // More will come without being asked for; nothing is solicited until that has ended.
  bool unsolicited_open() const { return unsolicited_open_; }
  bool complete() const {
    return wanted_ != 0 && here_ >= wanted_ && !unsolicited_open_ && requests_.empty();
  }
  // The next R2T to send under this transfer tag, if one is due now (numbers left out).
  std::optional<R2t> next_request(std::uint32_t transfer_tag);
  std::uint32_t requests_sent() const { return next_r2t_sn_; }

  // Data-out may still be under way: the tag must be remembered after the task's end.
  bool expects_data() const { return unsolicited_open_ || !requests_.empty(); }
  std::optional<scsi::Asc> fault() const { return fault_; }
  void fail(scsi::Asc asc) { fault_ = asc; }

 private:
  struct Request {
    std::uint32_t transfer_tag, offset, length, done, data_sn;
  };
  std::optional<std::uint32_t> accept_unsolicited(const DataOut& pdu, std::uint32_t length);
  std::optional<std::uint32_t> accept_solicited(const DataOut& pdu, std::uint32_t length);

  std::uint32_t unsolicited_limit_ = 0;  // min(FirstBurstLength, expected length)
  std::uint32_t max_burst_ = 0;
  std::uint32_t max_requests_ = 1;
  std::uint32_t here_ = 0;
  std::uint32_t arriving_ = 0;
  std::uint32_t wanted_ = 0;
  std::uint32_t solicited_ = 0;  // end of what has been asked for
  bool unsolicited_open_ = false;
  bool last_arriving_ = false;  // what arrives ends the unsolicited run
  std::uint32_t unsolicited_data_sn_ = 0;
  std::uint32_t next_r2t_sn_ = 0;
  std::vector<Request> requests_;  // rarely more than one
  std::optional<scsi::Asc> fault_;
};

// Cuts data-in into the data segments of Data-In PDUs: none longer than the initiator takes, none
// across a burst, none empty.
class ReadTransfer {
 public:
  ReadTransfer(const Parameters& parameters, scsi::SliceList data);

  struct Segment {
    std::uint32_t data_sn, offset;
    bool final;  // ends a burst
    bool last;   // ends the data
    scsi::SliceList data;
  };
  std::optional<Segment> next();

 private:
  scsi::SliceList data_;
  std::size_t total_;
  std::uint32_t max_segment_, max_burst_;
  std::size_t slice_ = 0, slice_offset_ = 0;
  std::uint32_t offset_ = 0, data_sn_ = 0;
};

}  // namespace iscsi
