#include "vtl/daemon/alerts.h"

#include <algorithm>
#include <utility>

#include "vtl/daemon/system.h"

namespace vtl::daemon {
namespace {

std::string_view name_of(Alerts::Cause cause) {
  switch (cause) {
    case Alerts::Cause::kWriteFailed:
      return "write-failed";
    case Alerts::Cause::kLoadFailed:
      return "load-failed";
    case Alerts::Cause::kNote:
      return "note";
    case Alerts::Cause::kReadFailed:
      return "read-failed";
    case Alerts::Cause::kDamaged:
      return "damaged";
    case Alerts::Cause::kPlace:
      return "place";
    case Alerts::Cause::kPoolLow:
      return "pool-low";
    case Alerts::Cause::kPoolFull:
      return "pool-full";
    case Alerts::Cause::kJournal:
      return "journal";
    case Alerts::Cause::kReservations:
      return "reservations";
  }
  return "?";
}

nlohmann::json text_or_null(const std::string& text) {
  return text.empty() ? nlohmann::json() : nlohmann::json(text);
}

}  // namespace

Alerts::Alert* Alerts::find(Cause cause, const std::string& barcode, const std::string& text) {
  const bool by_text = cause == Cause::kNote || cause == Cause::kReservations;
  const auto found = std::find_if(alerts_.begin(), alerts_.end(), [&](const Alert& alert) {
    return alert.cause == cause && alert.barcode == barcode && (!by_text || alert.text == text);
  });
  return found == alerts_.end() ? nullptr : &*found;
}

void Alerts::raise(Cause cause, const std::string& barcode, std::string text) {
  const std::string place = barcode.empty() ? "" : hooks_.place(barcode);
  const bool says_place = place.empty() || cause == Cause::kPlace;
  hooks_.log(says_place ? text : place + ": " + text);
  Alert* alert = find(cause, barcode, text);
  if (alert == nullptr) {
    if (alerts_.size() == kMost) alerts_.erase(alerts_.begin());
    alert = &alerts_.emplace_back(Alert{cause, barcode, {}, {}, 0, hooks_.now_ms(), 0});
  }
  alert->place = place;
  alert->text = std::move(text);
  alert->last_ms = hooks_.now_ms();
  ++alert->count;
}

void Alerts::settle(Cause cause, const std::string& barcode) {
  std::erase_if(alerts_, [&](const Alert& alert) {
    return alert.cause == cause && alert.barcode == barcode;
  });
}

void Alerts::settle_all(const std::string& barcode) {
  std::erase_if(alerts_, [&](const Alert& alert) { return alert.barcode == barcode; });
}

bool Alerts::has(Cause cause, const std::string& barcode) const {
  return std::any_of(alerts_.begin(), alerts_.end(), [&](const Alert& alert) {
    return alert.cause == cause && alert.barcode == barcode;
  });
}

std::vector<std::string> Alerts::cartridges(Cause cause) const {
  std::vector<std::string> out;
  for (const Alert& alert : alerts_)
    if (alert.cause == cause) out.push_back(alert.barcode);
  return out;
}

std::size_t Alerts::clear() { return std::exchange(alerts_, {}).size(); }

nlohmann::json Alerts::describe() const {
  auto out = nlohmann::json::array();
  for (const Alert& alert : alerts_)
    out.push_back(
        {{"cause", name_of(alert.cause)},
         {"barcode", text_or_null(alert.barcode)},
         {"place", text_or_null(alert.barcode.empty() ? "" : hooks_.place(alert.barcode))},
         {"raised_in", text_or_null(alert.place)},
         {"text", alert.text},
         {"count", alert.count},
         {"first", iso_time(alert.first_ms * 1'000'000)},
         {"last", iso_time(alert.last_ms * 1'000'000)}});
  return out;
}

}  // namespace vtl::daemon
