// CHAP on the target's side (RFC 1994, RFC 7143 12.1.3): keys and values in, keys and values out.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/access.h"
#include "auth/digest.h"

namespace auth {

using KeyValue = std::pair<std::string, std::string>;
using RandomBytes = std::function<void(std::span<std::byte>)>;

// Binary values of text keys: "0x" hex of either case, an odd count of digits read with a leading
// zero, or "0b" base64 (RFC 7143 6.1). Nothing if the text is neither, or if it has more than
// `max_size` bytes.
std::optional<std::vector<std::byte>> decode_binary(std::string_view text, std::size_t max_size);
std::string encode_hex(std::span<const std::byte> bytes);  // "0x..."

// The challenges that this process has sent and that are not yet answered, over all connections: an
// initiator that hands one of them back wants us to compute the response for it.
class OutstandingChallenges {
 public:
  void add(std::vector<std::byte> challenge) { challenges_.insert(std::move(challenge)); }
  void remove(const std::vector<std::byte>& challenge);
  bool contains(const std::vector<std::byte>& challenge) const;

 private:
  std::multiset<std::vector<std::byte>> challenges_;
};

// One authentication of the initiator that says it has this name. Lives as long as the login it
// belongs to; rule, outstanding and random outlive it.
class ChapTarget {
 public:
  ChapTarget(const AccessRule& rule, std::string initiator_name, std::vector<ChapAlgorithm> enabled,
             OutstandingChallenges& outstanding, const RandomBytes& random);
  ~ChapTarget();
  ChapTarget(const ChapTarget&) = delete;
  ChapTarget& operator=(const ChapTarget&) = delete;

  enum class Progress { kMore, kDone, kFailed };
  struct Answer {
    Progress progress = Progress::kMore;
    std::vector<KeyValue> keys;
    // kFailed: why, for our log; the initiator is told 0201 and nothing else. The user's name as it
    // was sent.
    std::string reason;
  };
  // The CHAP_ keys of one request, in the order they came. After kDone or kFailed it isn't called
  // again.
  Answer receive(const std::vector<KeyValue>& keys);

  const std::string& user() const { return user_; }  // after kDone
  // The account that was named, right or wrong; empty: none of ours, or none yet.
  const std::string& account() const { return account_; }

  static constexpr std::size_t kMaxChallengeSize = 1024;  // RFC 7143 12.1.3

 private:
  Answer choose_algorithm(const std::vector<KeyValue>& keys);
  Answer check_response(const std::vector<KeyValue>& keys);
  Answer fail(std::string reason);

  const AccessRule& rule_;
  const std::string initiator_name_;
  const std::vector<ChapAlgorithm> enabled_;
  OutstandingChallenges& outstanding_;
  const RandomBytes& random_;
  ChapAlgorithm algorithm_ = ChapAlgorithm::kMd5;
  std::uint8_t identifier_ = 0;
  std::vector<std::byte> challenge_;  // empty: CHAP_A is still to come
  std::string user_, account_;
};

// Failed logins per address - of IPv6 per /64, which one host can have - and per account: each
// makes the answer to the next one later, and many of them shut the address or the account for a
// while. Nobody sleeps: whoever answers asks for the delay and sets itself a deadline.
//
// An account is shut to addresses that have failed themselves: the first answer of a host counts,
// however much others guess, also just after a start. And an address - this very one - that has
// logged in with an account before is let through with it, whoever else fails there: nobody locks
// out a host that works. AccessRule::addresses keeps strangers from trying at all.
class LoginFailures {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Delay = std::chrono::milliseconds;

  // Counts a failure and gives how long its answer is to be held back: 250 ms, doubling up to 4 s.
  // `account`: one that there is; empty: none.
  Delay record(const std::string& address, const std::string& account, TimePoint now);
  // Whether even a right answer is refused, in the words of a wrong one. Ends by itself kLockedFor
  // after the last failure that was counted; those meanwhile are not.
  bool locked(const std::string& address, const std::string& account, TimePoint now) const;
  void succeeded(const std::string& address, const std::string& account, TimePoint now);
  // Rules and secrets have changed: what failed may be right now. Who has logged in before is still
  // let through, or a reload would be the moment to lock everybody out.
  void forget();
  std::size_t count(const std::string& address) const;

  static constexpr std::size_t kAddressLimit = 10;
  static constexpr std::size_t kAccountLimit = 100;
  static constexpr std::chrono::seconds kLockedFor{60};
  // Past it the one that failed, or logged in, longest ago is forgotten.
  static constexpr std::size_t kMaxEntries = 1024;
  static constexpr std::chrono::minutes kForgetAfter{10};

 private:
  struct Entry {
    std::size_t count = 0;
    TimePoint last;
  };
  using Key = std::pair<std::string, std::string>;
  bool shut(const std::map<std::string, Entry>& entries, const std::string& name, std::size_t limit,
            TimePoint now) const;
  void count_failure(std::map<std::string, Entry>& entries, const std::string& name, TimePoint now);

  std::map<std::string, Entry> addresses_, accounts_;
  std::map<Key, TimePoint> good_;  // address and account
};

}  // namespace auth
