// The logical units behind one target: LUN formats, REPORT LUNS, and what an absent LUN answers.
#pragma once

#include <map>

#include "scsi/logical_unit.h"

namespace scsi {

// The eight bytes of a LUN field as they came. Single-level peripheral (00h) and flat (40h)
// addressing name the same units (SAM-5 4.7); anything else names none.
struct Lun {
  std::uint64_t raw = 0;
  std::optional<std::uint16_t> number() const;
};

// Lives on the loop of its units, which it does not own. LUN 0 must exist before the first command.
class Target {
 public:
  void add(std::uint16_t lun, LogicalUnit& unit);

  void nexus_established(const NexusInfo& nexus);  // tells every unit
  void nexus_lost(NexusId nexus);
  // To an absent LUN: INQUIRY gives byte 0 = 7Fh, REPORT LUNS works, REQUEST SENSE gives 5/25/00 as
  // data, the rest 5/25/00. Such commands complete inside this call and never want data-out.
  void submit(Lun lun, Command command, ReplySink& sink);
  void data_out(NexusId nexus, Lun lun, TaskTag tag, Buffer data);
  void data_out_failed(NexusId nexus, Lun lun, TaskTag tag, Sense sense);
  // Target reset goes to every unit; other functions to an absent LUN end with kNoSuchLun.
  void manage(TaskFunction function, NexusId nexus, Lun lun, std::optional<TaskTag> tag,
              Done<TaskFunctionResult> done);

 private:
  LogicalUnit* unit(Lun lun) const;
  void answer_absent(const Command& command, ReplySink& sink);
  std::map<std::uint16_t, LogicalUnit*> units_;
};

// REPORT LUNS parameter data (SPC-4 6.33) for these LUN numbers.
std::vector<std::byte> report_luns_data(const std::vector<std::uint16_t>& luns);
// The reply to a REPORT LUNS CDB, cut to its allocation length.
Reply report_luns(Bytes cdb, const std::vector<std::uint16_t>& luns);

}  // namespace scsi
