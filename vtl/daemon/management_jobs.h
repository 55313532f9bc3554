// The requests that take long: each checks what it is asked for, then starts a job and answers with
// its number.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "vtl/daemon/jobs.h"
#include "vtl/daemon/management.h"

namespace vtl::daemon {

// Loop thread. The answers are 202 and the job, or a failure.
class JobRequests {
 public:
  JobRequests(const ManagementParts& parts, Jobs& jobs) : parts_(parts), jobs_(jobs) {}

  // Reads every block and checks every checksum.
  Answer verify(const std::string& barcode, const nlohmann::json& body);
  // Makes anew what can be made from the cartridge's segments, and then does the same.
  Answer repair(const std::string& barcode, const nlohmann::json& body);
  // A new cartridge with what a file of a foreign format holds.
  void import_cartridge(const std::string& barcode, const nlohmann::json& body,
                        scsi::Done<Answer> done);
  Answer export_cartridge(const std::string& barcode, const nlohmann::json& body);

 private:
  Answer check(const std::string& barcode, const nlohmann::json& body, bool repairs);
  void bring_in(const std::string& barcode, bool outside, JobResult result,
                scsi::Done<JobResult> ended);
  Answer started(std::uint64_t id) const { return {202, jobs_.describe(id)}; }

  const ManagementParts& parts_;
  Jobs& jobs_;
};

}  // namespace vtl::daemon
