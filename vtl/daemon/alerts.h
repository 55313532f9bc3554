// Alerts: what went wrong, with which cartridge, and what to do about it, until it is settled - by
// itself, when the cause has gone, or by a person. `library show` shows them.
//
// They are not kept over a restart: what still holds is found again, and a start loads cartridges
// anew. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace vtl::daemon {

class Alerts {
 public:
  enum class Cause {
    kWriteFailed,  // until it is loaded again
    kLoadFailed,   // likewise
    kNote,         // found when it was loaded or used, and repaired or set aside; likewise
    kReadFailed,   // until a scrub or a verify finds it whole
    kDamaged,      // found by one of these; likewise
    kPlace,        // where it is and where its files are do not fit
    kPoolLow,      // of the pool, as the next
    kPoolFull,
    kJournal,       // of the library
    kReservations,  // hosts' persistent reservations could not be read or kept; until a person
                    // has seen it
  };

  struct Hooks {
    std::function<std::uint64_t()> now_ms;  // wall clock
    // "drive-1": where a cartridge is now; "" for one that is in no element.
    std::function<std::string(const std::string& barcode)> place;
    std::function<void(std::string_view)> log;
  };
  explicit Alerts(Hooks hooks) : hooks_(std::move(hooks)) {}

  // The same cause with the same cartridge counts up, and shows the newest text; notes and
  // reservations are told apart by their text. `barcode` is empty for what concerns none. Every
  // text goes to the log, with the place.
  void raise(Cause cause, const std::string& barcode, std::string text);
  void settle(Cause cause, const std::string& barcode);
  void settle_all(const std::string& barcode);  // the cartridge is gone
  bool has(Cause cause, const std::string& barcode) const;
  std::vector<std::string> cartridges(Cause cause) const;  // that have such an alert

  // By a person; how many there were.
  std::size_t clear();

  // Oldest first: {"cause", "barcode" or null, "place" (where it is now) or null, "raised_in"
  // (where it was when this was last raised) or null, "text", "count", "first", "last"}.
  nlohmann::json describe() const;

 private:
  struct Alert {
    Cause cause;
    std::string barcode;
    std::string place;
    std::string text;
    std::uint64_t count = 0;
    std::uint64_t first_ms = 0, last_ms = 0;
  };
  // More than there can be where anybody looks; the oldest goes first.
  static constexpr std::size_t kMost = 500;

  Alert* find(Cause cause, const std::string& barcode, const std::string& text);

  Hooks hooks_;
  std::vector<Alert> alerts_;  // oldest first
};

}  // namespace vtl::daemon
