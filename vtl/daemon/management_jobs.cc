#include "vtl/daemon/management_jobs.h"

#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "vtl/cartridge/cartridge.h"
#include "vtl/daemon/fields.h"
#include "vtl/daemon/scrubber.h"
#include "vtl/daemon/system.h"
#include "vtl/interchange/import.h"
#include "vtl/library/barcode.h"

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
  return {{"blocks", report.blocks},         {"filemarks", report.filemarks},
          {"bytes", report.bytes},           {"damage", std::move(damage)},
          {"repairable", report.repairable}, {"notes", report.notes}};
}

}  // namespace

Answer JobRequests::verify(const std::string& barcode, const json& body) {
  return check(barcode, body, false);
}

Answer JobRequests::repair(const std::string& barcode, const json& body) {
  return check(barcode, body, true);
}

Answer JobRequests::check(const std::string& barcode, const json& body, bool repairs) {
  Fields fields(body);
  if (std::string problem = fields.problem(); !problem.empty()) return failure(400, problem);
  if (!parts_.library.find(barcode)) return no_cartridge(barcode);
  if (jobs_.busy(barcode)) return failure(409, barcode + " is being worked on by a job");
  const auto found = std::make_shared<ScrubReport>();
  return started(jobs_.start(
      repairs ? "repair" : "verify", barcode, "objects",
      [&files = parts_.files, barcode, repairs, found,
       directory = cartridge_directory(parts_.pool_directory, barcode)](JobControl& control) {
        const auto progress = [&control](std::uint64_t done, std::uint64_t total) {
          control.done = done;
          control.total = total;
          return !control.cancelled;
        };
        Result<RepairReport> report = RepairReport{};
        if (repairs) {
          report = repair_cartridge(files, directory, progress);
        } else {
          Result<VerifyReport> verified = verify_cartridge(files, directory, progress);
          report = verified ? Result<RepairReport>({{}, std::move(*verified)}) : verified.error();
        }
        JobResult result;
        if (!report) {
          result.error = explain(barcode, report.error());
          return result;
        }
        *found = {0, report->after.bytes, report->after.damage, {}};
        result.details = describe(report->after);
        if (repairs) result.details["repaired"] = report->repaired;
        result.damaged = !report->after.damage.empty() || !report->after.repairable.empty();
        return result;
      },
      [this, barcode, found](JobResult result, scsi::Done<JobResult> ended) {
        if (result.error.empty()) {  // as good as a scrub
          tell(parts_.alerts, barcode, *found);
          if (!result.damaged) parts_.alerts.settle(Alerts::Cause::kLoadFailed, barcode);
          parts_.scrub_log.finished(barcode, wall_clock_ms(), std::move(*found));
        }
        ended(std::move(result));
      }));
}

namespace {

using interchange::Report;

interchange::Progress progress_of(JobControl& control) {
  return [&control](std::uint64_t done, std::uint64_t total) {
    control.done = done;
    control.total = total;
    return !control.cancelled;
  };
}

JobResult result_of(const std::string& path, const interchange::Format& format, Report report) {
  JobResult result;
  result.error = report.cancelled ? "cancelled" : std::move(report.error);
  result.details = {{"path", path},
                    {"format", format.name()},
                    {"blocks", report.blocks},
                    {"filemarks", report.filemarks},
                    {"bytes", report.bytes},
                    {"notes", std::move(report.notes)}};
  return result;
}

std::string format_names() {
  std::string names;
  for (const interchange::Format* format : interchange::formats()) {
    names += (names.empty() ? "" : ", ") + std::string(format->name());
  }
  return names;
}

// What both directions are asked with.
struct Asked {
  std::string path;
  const interchange::Format* format = nullptr;  // null: by the path's look, if `problem` is empty
  std::string variant;
  std::string problem;
};

Asked take_common(Fields& fields) {
  Asked asked;
  asked.path = fields.required_text("path");
  asked.variant = fields.text("variant").value_or("");
  const auto format = fields.text("format");
  // The server's working directory is not the caller's.
  if (!asked.path.starts_with('/')) asked.problem = "path: an absolute path is expected";
  if (format) {
    asked.format = interchange::find_format(*format);
    if (asked.format == nullptr) {
      asked.problem = "format: found " + *format + ", allowed are " + format_names();
    }
  }
  return asked;
}

JobResult failed(std::string error) {
  JobResult result;
  result.error = std::move(error);
  return result;
}

JobResult unknown_format(const std::string& path) {
  return failed(path + " does not say by its look which format it is; name one of " +
                format_names());
}

}  // namespace

Answer JobRequests::export_cartridge(const std::string& barcode, const json& body) {
  Fields fields(body);
  const Asked asked = take_common(fields);
  std::string problem = fields.problem();
  if (problem.empty()) problem = asked.problem;
  if (!problem.empty()) return failure(400, std::move(problem));
  if (!parts_.library.find(barcode)) return no_cartridge(barcode);
  if (jobs_.busy(barcode)) return failure(409, barcode + " is being worked on by a job");
  return started(jobs_.start(
      "export", barcode, "objects",
      [&files = parts_.files, barcode, asked,
       directory = cartridge_directory(parts_.pool_directory, barcode)](JobControl& control) {
        if (const auto lock = files.lock(directory + "/LOCK"); !lock) {
          return failed(explain(barcode, lock.error()));
        }
        const auto* format =
            asked.format != nullptr ? asked.format : interchange::guess_format(files, asked.path);
        if (format == nullptr) return unknown_format(asked.path);
        return result_of(asked.path, *format,
                         interchange::export_cartridge(files, directory, *format, asked.path,
                                                       {asked.variant}, progress_of(control)));
      }));
}

void JobRequests::import_cartridge(const std::string& barcode, const json& body,
                                   scsi::Done<Answer> done) {
  Fields fields(body);
  const Asked asked = take_common(fields);
  interchange::ImportOptions options;
  options.variant = asked.variant;
  options.block_bytes = static_cast<std::uint32_t>(
      fields.number("block_bytes", 1, kMaxBlockBytes).value_or(options.block_bytes));
  const auto generation = fields.number("generation", 1, 10);
  const auto capacity = fields.number("capacity_bytes", kMinCapacityBytes, UINT64_MAX);
  const bool outside = fields.flag("outside").value_or(false);
  std::string problem = fields.problem();
  if (problem.empty()) problem = asked.problem;
  std::optional<std::uint8_t> number;
  if (generation) number = static_cast<std::uint8_t>(*generation);
  LabelOutcome label;
  if (problem.empty()) {
    label = label_of_barcode(barcode, number);
    problem = label.error;
  }
  if (!problem.empty()) return done(failure(400, std::move(problem)));
  problem = parts_.library.barcode_problem(barcode);
  if (problem.empty() && jobs_.busy(barcode)) problem = barcode + " is being worked on by a job";
  if (!problem.empty()) return done(failure(409, std::move(problem)));

  CartridgeSpec spec;
  spec.barcode = barcode;
  spec.generation = label.label.generation;
  spec.worm = label.label.worm;
  spec.cleaning = label.label.cleaning;
  spec.capacity_bytes = capacity.value_or(0);
  spec.segment_mib = parts_.config.storage.segment_mib;
  std::array<std::byte, 16> random{};
  random_bytes(random);
  spec.uuid = make_uuid(random);
  spec.created_ns = wall_clock_ms() * 1'000'000;
  const std::uint64_t id = jobs_.start(
      "import", barcode, "bytes",
      [&files = parts_.files, pool = parts_.pool_directory, spec, asked,
       options](JobControl& control) {
        if (const auto there = files.exists(asked.path); !there || !*there) {
          return failed(there ? asked.path + " does not exist" : there.error().what);
        }
        const auto* format =
            asked.format != nullptr ? asked.format : interchange::guess_format(files, asked.path);
        if (format == nullptr) return unknown_format(asked.path);
        return result_of(asked.path, *format,
                         interchange::import_cartridge(files, pool, spec, *format, asked.path,
                                                       options, progress_of(control)));
      },
      [this, barcode, outside](JobResult result, scsi::Done<JobResult> ended) {
        if (!result.error.empty()) return ended(std::move(result));
        bring_in(barcode, outside, std::move(result), std::move(ended));
      });
  done(started(id));
}

// The cartridge is in the pool: the library is told of it, and it goes into the first free slot.
void JobRequests::bring_in(const std::string& barcode, bool outside, JobResult result,
                           scsi::Done<JobResult> ended) {
  parts_.library.adopt(barcode, [this, barcode, outside, result = std::move(result),
                                 ended = std::move(ended)](Outcome adopted) mutable {
    if (!adopted.ok()) result.error = std::move(adopted.error);
    if (outside || !result.error.empty()) return ended(std::move(result));
    parts_.library.insert(
        barcode, scsi::smc::ElementType::kStorage, std::nullopt,
        [result = std::move(result), ended = std::move(ended)](Outcome in) mutable {
          // It is imported all the same.
          if (!in.ok()) result.details["notes"].push_back("left outside: " + in.error);
          ended(std::move(result));
        });
  });
}

}  // namespace vtl::daemon
