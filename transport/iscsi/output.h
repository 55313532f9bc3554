// PDUs on their way out: an ordered queue that is written by scatter/gather, without copying data
// segments.
#pragma once

#include <sys/uio.h>

#include <deque>
#include <span>
#include <vector>

#include "scsi/buffer.h"
#include "transport/iscsi/pdu.h"

namespace iscsi {

class Output {
 public:
  // For the PDUs that are queued from now on.
  void set_digests(bool header, bool data) {
    header_digest_ = header;
    data_digest_ = data;
  }
  // Sets the header's data length, adds padding and digests. `data` keeps its memory alive until it
  // is sent.
  void push(Header header, scsi::SliceList data);

  // What is to be written next, in order: many PDUs at once. The memory is stable until sent(); the
  // array itself until the next call.
  std::span<const iovec> spans();
  void sent(std::size_t n);

  bool empty() const { return pdus_.empty(); }
  std::size_t bytes() const { return bytes_; }
  // Those that are no Data-In: answers to small requests, of which a peer may send many.
  std::size_t control_pdus() const { return control_pdus_; }

 private:
  struct Pdu {
    std::array<std::byte, kHeaderSize + 4> head;  // with its digest
    std::size_t head_size = 0;
    scsi::SliceList data;
    std::array<std::byte, 8> tail{};  // padding and data digest
    std::size_t tail_size = 0;
    std::size_t size = 0;
    bool control = false;
  };
  static constexpr std::size_t kMaxSpans =
      256;  // below IOV_MAX, and more than a socket takes at once

  std::deque<Pdu> pdus_;
  std::size_t front_sent_ = 0;  // bytes of the first PDU that are out already
  std::size_t bytes_ = 0;
  std::size_t control_pdus_ = 0;
  std::vector<iovec> spans_;
  bool header_digest_ = false, data_digest_ = false;
};

}  // namespace iscsi
