// Task: the handlers' side of a command. The queue it stands in is logical_unit.cc.
#include "scsi/logical_unit.h"

namespace scsi {

std::uint32_t Task::cdb_field(std::size_t byte, std::size_t width) const {
  VTL_CHECK(width <= 4 && byte + width <= command_.cdb.size());
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < width; ++i) value = value << 8 | cdb(byte + i);
  return value;
}

void Task::want(std::uint32_t length, Shorter shorter, Done<Buffer> received) {
  unit_->want(*this, length, shorter, std::move(received));
}

void Task::parameter_list(std::uint32_t length, Done<Buffer> received) {
  if (length == 0) {
    received(Buffer());
    return;
  }
  want(length, Shorter::kTake, [this, length, received = std::move(received)](Buffer list) mutable {
    if (list.size() < length)
      fail(Sense::parameter_list_length_error());
    else
      received(std::move(list));
  });
}

void Task::finish(Reply reply) { unit_->end(*this, std::move(reply)); }

void Task::good() { finish({}); }

void Task::good(std::vector<std::byte> data) {
  Reply reply;
  reply.data_in = slices_of(std::move(data));
  finish(std::move(reply));
}

void Task::fail(Sense sense) {
  Reply reply;
  reply.status = SamStatus::kCheckCondition;
  reply.sense = std::move(sense);
  finish(std::move(reply));
}

}  // namespace scsi
