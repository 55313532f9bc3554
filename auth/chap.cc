#include "auth/chap.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace auth {
namespace {

constexpr std::size_t kMaxChapNameLength = 255;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

std::optional<std::vector<std::byte>> decode_hex(std::string_view digits, std::size_t max_size) {
  if (digits.empty() || (digits.size() + 1) / 2 > max_size) return {};
  std::vector<std::byte> out;
  out.reserve((digits.size() + 1) / 2);
  unsigned value = 0;
  bool half = digits.size() % 2 != 0;  // an odd count has its first digit alone in the first byte
  for (const char c : digits) {
    const int digit = hex_digit(c);
    if (digit < 0) return {};
    value = value << 4 | static_cast<unsigned>(digit);
    if (half) {
      out.push_back(static_cast<std::byte>(value));
      value = 0;
    }
    half = !half;
  }
  return out;
}

std::optional<std::vector<std::byte>> decode_base64(std::string_view digits, std::size_t max_size) {
  if (digits.empty() || digits.size() % 4 != 0 || digits.size() / 4 * 3 > max_size + 2) return {};
  std::size_t padding = 0;
  while (padding < 2 && digits.ends_with('=')) {
    digits.remove_suffix(1);
    ++padding;
  }
  std::vector<std::byte> out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : digits) {
    const int digit = base64_digit(c);
    if (digit < 0) return {};
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<std::byte>(bits >> count));
      bits &= (1u << count) - 1;
    }
  }
  if (bits != 0 || out.size() > max_size) return {};
  return out;
}

std::optional<std::uint32_t> decode_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    base = 16;
  }
  std::uint32_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || result.ec != std::errc() || result.ptr != text.data() + text.size())
    return {};
  return value;
}

// The values of a request's keys by name, if it has each key of `required`, any of `optional`, and
// nothing else or twice.
std::optional<std::map<std::string_view, std::string_view>> collect(
    const std::vector<KeyValue>& keys, std::initializer_list<std::string_view> required,
    std::initializer_list<std::string_view> optional) {
  std::map<std::string_view, std::string_view> found;
  const auto in = [](auto list, std::string_view key) {
    return std::find(list.begin(), list.end(), key) != list.end();
  };
  for (const auto& [key, value] : keys) {
    if (!in(required, key) && !in(optional, key)) return {};
    if (!found.emplace(key, value).second) return {};
  }
  for (const std::string_view key : required)
    if (!found.contains(key)) return {};
  return found;
}

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

std::optional<std::vector<std::byte>> decode_binary(std::string_view text, std::size_t max_size) {
  if (text.size() < 2 || text[0] != '0') return {};
  if (text[1] == 'x' || text[1] == 'X') return decode_hex(text.substr(2), max_size);
  if (text[1] == 'b' || text[1] == 'B') return decode_base64(text.substr(2), max_size);
  return {};
}

std::string encode_hex(std::span<const std::byte> bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "0x";
  for (const std::byte b : bytes) {
    out += kDigits[std::to_integer<unsigned>(b >> 4)];
    out += kDigits[std::to_integer<unsigned>(b & std::byte{0x0F})];
  }
  return out;
}

void OutstandingChallenges::remove(const std::vector<std::byte>& challenge) {
  const auto found = challenges_.find(challenge);
  if (found != challenges_.end()) challenges_.erase(found);
}

bool OutstandingChallenges::contains(const std::vector<std::byte>& challenge) const {
  return challenges_.contains(challenge);
}

ChapTarget::ChapTarget(const AccessRule& rule, std::string initiator_name,
                       std::vector<ChapAlgorithm> enabled, OutstandingChallenges& outstanding,
                       const RandomBytes& random)
    : rule_(rule),
      initiator_name_(std::move(initiator_name)),
      enabled_(std::move(enabled)),
      outstanding_(outstanding),
      random_(random) {}

ChapTarget::~ChapTarget() { outstanding_.remove(challenge_); }

ChapTarget::Answer ChapTarget::fail(std::string reason) {
  return {Progress::kFailed, {}, std::move(reason)};
}

ChapTarget::Answer ChapTarget::receive(const std::vector<KeyValue>& keys) {
  if (keys.empty()) return {};
  return challenge_.empty() ? choose_algorithm(keys) : check_response(keys);
}

ChapTarget::Answer ChapTarget::choose_algorithm(const std::vector<KeyValue>& keys) {
  const auto values = collect(keys, {"CHAP_A"}, {});
  if (!values) return fail("CHAP keys out of order: CHAP_A alone was due");
  std::string_view list = values->at("CHAP_A");
  std::optional<ChapAlgorithm> chosen;
  while (!list.empty() && !chosen) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const auto number = decode_number(list.substr(0, comma));
    if (!number) return fail("CHAP_A is not a list of numbers");
    const auto known = chap_algorithm(*number);
    if (known && std::find(enabled_.begin(), enabled_.end(), *known) != enabled_.end())
      chosen = known;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  if (!chosen) return fail("none of the offered CHAP algorithms is enabled");
  algorithm_ = *chosen;
  challenge_.resize(digest_size(algorithm_));
  random_(challenge_);
  random_(std::span(reinterpret_cast<std::byte*>(&identifier_), 1));
  outstanding_.add(challenge_);
  return {Progress::kMore,
          {{"CHAP_A", std::to_string(static_cast<unsigned>(algorithm_))},
           {"CHAP_I", std::to_string(identifier_)},
           {"CHAP_C", encode_hex(challenge_)}},
          {}};
}

ChapTarget::Answer ChapTarget::check_response(const std::vector<KeyValue>& keys) {
  const auto values = collect(keys, {"CHAP_N", "CHAP_R"}, {"CHAP_I", "CHAP_C"});
  if (!values) return fail("CHAP keys out of order: CHAP_N and CHAP_R were due");
  const std::string_view name = values->at("CHAP_N");
  if (name.empty() || name.size() > kMaxChapNameLength)
    return fail("CHAP_N is empty or longer than 255 bytes");
  const auto response = decode_binary(values->at("CHAP_R"), digest_size(algorithm_));
  if (!response) return fail("CHAP_R is no binary value of the right length");

  // An unknown user, and one that is another initiator's, costs the same work as a known one with
  // a wrong secret, and ends in the same words.
  static const Secret kNobody("no one has this.");
  const Secret* secret = &kNobody;
  for (const Account& account : rule_.accounts) {
    if (!equal_constant_time(as_bytes(account.name), as_bytes(name))) continue;
    account_ = name;
    if (account.belongs_to(initiator_name_)) secret = &account.secret;
  }
  const auto expected = chap_response(algorithm_, identifier_, *secret, challenge_);
  const bool matches = equal_constant_time(expected, *response);
  if (!matches || secret == &kNobody)
    return fail("wrong CHAP name or secret, user \"" + std::string(name) + "\"");
  user_ = name;

  // Only now that the initiator has proved itself is its challenge answered.
  const bool has_identifier = values->contains("CHAP_I");
  const bool has_challenge = values->contains("CHAP_C");
  if (!has_identifier && !has_challenge) return {Progress::kDone, {}, {}};
  if (has_identifier != has_challenge) return fail("CHAP_I and CHAP_C come together or not at all");
  if (!rule_.mutual) return fail("the initiator asks for mutual CHAP, which isn't set up here");
  const auto identifier = decode_number(values->at("CHAP_I"));
  if (!identifier || *identifier > 255) return fail("CHAP_I is not a number of one byte");
  const auto challenge = decode_binary(values->at("CHAP_C"), kMaxChallengeSize);
  if (!challenge) return fail("CHAP_C is no binary value of 1 to 1024 bytes");
  // RFC 7143 9.2.1 and 12.1.3: reflection - our own challenge handed back, here or on another
  // connection.
  if (outstanding_.contains(*challenge)) return fail("the initiator reflects a challenge of ours");
  if (rule_.mutual->secret == *secret) return fail("the secrets of both directions are the same");
  const auto ours = chap_response(algorithm_, static_cast<std::uint8_t>(*identifier),
                                  rule_.mutual->secret, *challenge);
  if (equal_constant_time(ours, *response)) return fail("both CHAP responses would be the same");
  return {Progress::kDone, {{"CHAP_N", rule_.mutual->name}, {"CHAP_R", encode_hex(ours)}}, {}};
}

namespace {

template <class Map, class Time>
void make_room(Map& map, const typename Map::key_type& key, std::size_t max, Time time_of) {
  if (map.size() < max || map.contains(key)) return;
  map.erase(std::min_element(map.begin(), map.end(), [&](const auto& a, const auto& b) {
    return time_of(a.second) < time_of(b.second);
  }));
}

}  // namespace

void LoginFailures::count_failure(std::map<std::string, Entry>& entries, const std::string& name,
                                  TimePoint now) {
  std::erase_if(entries, [&](const auto& e) { return now - e.second.last > kForgetAfter; });
  make_room(entries, name, kMaxEntries, [](const Entry& entry) { return entry.last; });
  Entry& entry = entries[name];
  ++entry.count;
  entry.last = now;
}

LoginFailures::Delay LoginFailures::record(const std::string& address, const std::string& account,
                                           TimePoint now) {
  if (!locked(address, account, now)) {
    count_failure(addresses_, owner_of(address), now);
    if (!account.empty()) count_failure(accounts_, account, now);
  }
  const std::size_t failures = std::max<std::size_t>(count(address), 1);
  return Delay(250) * (1 << std::min<std::size_t>(failures - 1, 4));
}

bool LoginFailures::shut(const std::map<std::string, Entry>& entries, const std::string& name,
                         std::size_t limit, TimePoint now) const {
  const auto found = entries.find(name);
  return found != entries.end() && found->second.count >= limit &&
         now - found->second.last < kLockedFor;
}

bool LoginFailures::locked(const std::string& address, const std::string& account,
                           TimePoint now) const {
  if (good_.contains({address, account})) return false;
  if (shut(addresses_, owner_of(address), kAddressLimit, now)) return true;
  // Who has not failed is not one of those that guess.
  return count(address) != 0 && shut(accounts_, account, kAccountLimit, now);
}

void LoginFailures::succeeded(const std::string& address, const std::string& account,
                              TimePoint now) {
  addresses_.erase(owner_of(address));
  accounts_.erase(account);
  const Key key{address, account};
  make_room(good_, key, kMaxEntries, [](TimePoint time) { return time; });
  good_[key] = now;
}

void LoginFailures::forget() {
  addresses_.clear();
  accounts_.clear();
}

std::size_t LoginFailures::count(const std::string& address) const {
  const auto found = addresses_.find(owner_of(address));
  return found == addresses_.end() ? 0 : found->second.count;
}

}  // namespace auth
