#include "vtl/daemon/management_jobs.h"

#include <cerrno>
#include <utility>

#include "vtl/cartridge/cartridge.h"
#include "vtl/daemon/fields.h"

namespace vtl::daemon {

using nlohmann::json;

namespace {

std::string explain(const std::string& barcode, const IoError& error) {
  switch (error.code) {
    case EAGAIN:
      return barcode + " is loaded in a drive; unload it first";
    case ECANCELED:
      return "cancelled";
    default:
      return error.what;
  }
}

json describe(const VerifyReport& report) {
  auto damage = json::array();
  for (const Damage& one : report.damage) {
    damage.push_back({{"partition", one.partition},
                      {"first_object", one.first_object},
                      {"objects", one.objects},
                      {"what", one.what}});
  }
  return {{"blocks", report.blocks},
          {"filemarks", report.filemarks},
          {"bytes", report.bytes},
          {"damage", std::move(damage)},
          {"notes", report.notes}};
}

}  // namespace

Answer JobRequests::verify(const std::string& barcode, const json& body) {
  Fields fields(body);
  if (std::string problem = fields.problem(); !problem.empty()) return failure(400, problem);
  if (!parts_.library.find(barcode)) return no_cartridge(barcode);
  if (jobs_.busy(barcode)) return failure(409, barcode + " is being worked on by a job");
  return started(jobs_.start(
      "verify", barcode, "objects",
      [&files = parts_.files, barcode,
       directory = cartridge_directory(parts_.pool_directory, barcode)](JobControl& control) {
        const auto progress = [&control](std::uint64_t done, std::uint64_t total) {
          control.done = done;
          control.total = total;
          return !control.cancelled;
        };
        const Result<VerifyReport> report = verify_cartridge(files, directory, progress);
        JobResult result;
        if (!report) {
          result.error = explain(barcode, report.error());
          return result;
        }
        result.details = describe(*report);
        result.damaged = !report->damage.empty();
        return result;
      }));
}

Answer JobRequests::export_cartridge(const std::string&, const json&) {
  return failure(501, "not built");
}

void JobRequests::import_cartridge(const std::string&, const json&, scsi::Done<Answer> done) {
  done(failure(501, "not built"));
}

}  // namespace vtl::daemon
