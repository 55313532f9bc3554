#include "vtl/daemon/scrub_log.h"

#include <utility>

#include "vtl/daemon/system.h"

namespace vtl::daemon {

using nlohmann::json;

namespace {

constexpr std::uint64_t kMostBytes = 64u << 20;

json json_of(const ScrubReport& report) {
  json damage = json::array();
  for (const Damage& one : report.damage)
    damage.push_back({{"partition", one.partition},
                      {"first_object", one.first_object},
                      {"objects", one.objects},
                      {"what", one.what}});
  return {{"segments", report.segments},
          {"bytes", report.bytes},
          {"error", report.error},
          {"damage", std::move(damage)}};
}

// These two throw what nlohmann does; read() catches.
ScrubReport report_of(const json& from) {
  ScrubReport report;
  report.segments = from.at("segments");
  report.bytes = from.at("bytes");
  report.error = from.at("error");
  for (const json& one : from.at("damage"))
    report.damage.push_back(
        {one.at("partition"), one.at("first_object"), one.at("objects"), one.at("what")});
  return report;
}

ScrubLog::Entry entry_of(const json& from) {
  ScrubLog::Entry entry;
  entry.at_ms = from.at("at_ms");
  entry.last = report_of(from.at("last"));
  if (from.contains("unfinished")) {
    const json& at = from["unfinished"];
    entry.unfinished = ScrubState{at.at("uuid"), at.at("change"), at.at("partition"), at.at("seq"),
                                  report_of(at.at("report"))};
  }
  return entry;
}

}  // namespace

ScrubLog ScrubLog::read(FileSystem& files, const std::string& path) {
  ScrubLog log;
  const auto file = files.open(path, FileSystem::Mode::kRead);
  if (!file) return log;
  const auto size = (*file)->size();
  if (!size || *size > kMostBytes) return log;
  std::string text(static_cast<std::size_t>(*size), '\0');
  const auto got = (*file)->pread(std::as_writable_bytes(std::span(text)), 0);
  if (!got || *got != text.size()) return log;
  try {
    const json all = json::parse(text);
    for (const auto& [barcode, entry] : all.items()) log.entries_[barcode] = entry_of(entry);
  } catch (const json::exception&) {
    log.entries_.clear();
  }
  return log;
}

Status ScrubLog::write(FileSystem& files, const std::string& path, const std::string& text) {
  const std::string aside = path + ".new";
  (void)files.remove(aside);  // of an earlier crash
  {
    auto file = files.open(aside, FileSystem::Mode::kCreate);
    if (!file) return file.error();
    if (Status written = (*file)->pwrite(scsi::as_bytes(text), 0); !written) return written;
    if (Status synced = (*file)->fdatasync(); !synced) return synced;
  }
  return files.rename(aside, path);
}

std::string ScrubLog::text() const {
  json all = json::object();
  for (const auto& [barcode, entry] : entries_) {
    json& one = all[barcode] = {{"at_ms", entry.at_ms}, {"last", json_of(entry.last)}};
    if (entry.unfinished)
      one["unfinished"] = {{"uuid", entry.unfinished->uuid},
                           {"change", entry.unfinished->change},
                           {"partition", entry.unfinished->partition},
                           {"seq", entry.unfinished->seq},
                           {"report", json_of(entry.unfinished->report)}};
  }
  return all.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

const ScrubLog::Entry* ScrubLog::find(const std::string& barcode) const {
  const auto found = entries_.find(barcode);
  return found == entries_.end() ? nullptr : &found->second;
}

void ScrubLog::finished(const std::string& barcode, std::uint64_t now_ms, ScrubReport report) {
  entries_[barcode] = {now_ms, std::move(report), std::nullopt};
  changed_ = true;
}

void ScrubLog::interrupted(const std::string& barcode, ScrubState state) {
  entries_[barcode].unfinished = std::move(state);
  changed_ = true;
}

void ScrubLog::forget(const std::string& barcode) {
  if (entries_.erase(barcode) != 0) changed_ = true;
}

json ScrubLog::describe(const std::string& barcode) const {
  const Entry* entry = find(barcode);
  if (entry == nullptr || entry->at_ms == 0) return nullptr;
  json out = json_of(entry->last);
  out.erase("segments");
  out["at"] = iso_time(entry->at_ms * 1'000'000);
  if (entry->last.error.empty()) out["error"] = nullptr;
  return out;
}

}  // namespace vtl::daemon
