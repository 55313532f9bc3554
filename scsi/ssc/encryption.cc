#include "scsi/ssc/encryption.h"

#include <algorithm>

#include "scsi/check.h"

namespace scsi::ssc {

namespace {

// Offsets in the Set Data Encryption page (SSC-5).
constexpr std::size_t kScope = 4, kControl = 5, kWriteMode = 6, kReadMode = 7, kAlgorithm = 8,
                      kKeyFormat = 9, kKadFormat = 10, kKeyLength = 18, kKey = 20;
constexpr std::uint8_t kLock = 0x01;
constexpr std::uint8_t kSdk = 0x08, kCkod = 0x04, kCkorp = 0x02, kCkorl = 0x01;
constexpr std::size_t kKeyBytes = SecretKey::size();

struct KadLimit {
  std::uint8_t type;
  std::size_t longest;
};
constexpr std::array kKadLimits = {KadLimit{0x00, 32}, KadLimit{0x01, 12}, KadLimit{0x03, 64}};

unsigned at(Bytes page, std::size_t offset) { return std::to_integer<unsigned>(page[offset]); }

Sense wrong(std::size_t offset, std::optional<std::uint8_t> bit = {}) {
  return Sense::invalid_field_in_parameter_list(static_cast<std::uint16_t>(offset), bit);
}

bool enabled(Bytes page) { return at(page, kWriteMode) != 0 || at(page, kReadMode) != 0; }
bool needs_key(Bytes page) {
  return at(page, kWriteMode) == static_cast<unsigned>(Encryption::Write::kEncrypt) ||
         at(page, kReadMode) >= static_cast<unsigned>(Encryption::Read::kDecrypt);
}

// The descriptors that end the page: ascending by type, each of a length that a block can take
// along.
std::optional<Sense> read_associated(Bytes page, std::size_t offset,
                                     std::vector<KeyAssociatedData>& out) {
  int last = -1;
  while (offset < page.size()) {
    ByteReader r(page.subspan(offset));
    const std::uint8_t type = r.u8();
    r.skip(1);
    const Bytes value = r.bytes(r.u16());
    if (!r.ok()) return Sense::parameter_list_length_error();
    const auto limit = std::find_if(kKadLimits.begin(), kKadLimits.end(),
                                    [&](const KadLimit& each) { return each.type == type; });
    if (limit == kKadLimits.end() || type <= last) return wrong(offset, 7);
    if (value.size() > limit->longest) return wrong(offset + 2, 7);
    last = type;
    out.push_back({type, {value.begin(), value.end()}});
    offset += 4 + value.size();
  }
  return std::nullopt;
}

}  // namespace

// --- Set Data Encryption

std::optional<Sense> EncryptionParameters::check_modes(Bytes page, const Surroundings& now) {
  if (at(page, kWriteMode) > 2) return wrong(kWriteMode, 7);
  if (at(page, kReadMode) > 3) return wrong(kReadMode, 7);
  const unsigned control = at(page, kControl);
  if ((control >> 4 & 3) == 1) return wrong(kControl, 5);                 // RDMC: reserved
  if ((control & kSdk) != 0) return wrong(kControl, 3);                   // no supplemental keys
  if ((control & kCkod) != 0 && !now.mounted) return wrong(kControl, 2);  // nothing to demount
  if ((control & kCkorp) != 0 && !now.reserved) return wrong(kControl, 1);
  if ((control & kCkorl) != 0 && !now.reserved) return wrong(kControl, 0);
  if (!enabled(page)) return std::nullopt;
  if (at(page, kAlgorithm) != kAlgorithmIndex) return wrong(kAlgorithm, 7);
  if (needs_key(page) && at(page, kKeyFormat) != 0) return wrong(kKeyFormat, 7);
  return std::nullopt;
}

std::optional<Sense> EncryptionParameters::read_key(Bytes page, Encryption& out) {
  const std::size_t length = ByteReader(page.subspan(kKeyLength)).u16();
  if (needs_key(page) ? length != kKeyBytes : length != 0 && length != kKeyBytes)
    return wrong(kKeyLength, 7);
  const Bytes rest = page.subspan(kKey);
  if (rest.size() < length) return Sense::parameter_list_length_error();
  if (needs_key(page)) std::copy_n(rest.begin(), kKeyBytes, out.key.data());
  return read_associated(page, kKey + length, out.associated);
}

EncryptionParameters::Parsed EncryptionParameters::parse(Bytes page, const Surroundings& now) {
  Parsed out;
  const auto refuse = [&](Sense sense) {
    out.refused = std::move(sense);
    return std::move(out);
  };
  if (page.size() < kKey) return refuse(Sense::parameter_list_length_error());
  if (ByteReader(page).u16() != 0x0010) return refuse(wrong(0, 7));
  if (ByteReader(page.subspan(2)).u16() != page.size() - 4)
    return refuse(Sense::parameter_list_length_error());
  const unsigned scope = at(page, kScope) >> 5;
  if (scope > 2) return refuse(wrong(kScope, 7));
  out.scope = static_cast<Scope>(scope);
  out.lock = (at(page, kScope) & kLock) != 0;
  if (out.scope == Scope::kPublic) return out;  // the other fields are ignored
  if (auto refused = check_modes(page, now)) return refuse(*std::move(refused));

  auto encryption = std::make_shared<Encryption>();
  if (auto refused = read_key(page, *encryption)) return refuse(*std::move(refused));
  encryption->write = static_cast<Encryption::Write>(at(page, kWriteMode));
  encryption->read = static_cast<Encryption::Read>(at(page, kReadMode));
  encryption->check = static_cast<Encryption::Check>(at(page, kControl) >> 6);
  encryption->raw_readable = (at(page, kControl) >> 4 & 3) == 2;
  if (enabled(page)) out.set.encryption = std::move(encryption);
  out.set.kad_format = static_cast<std::uint8_t>(at(page, kKadFormat));
  out.set.clear_on_demount = (at(page, kControl) & kCkod) != 0;
  out.set.clear_on_preempt = (at(page, kControl) & kCkorp) != 0;
  out.set.clear_on_loss = (at(page, kControl) & kCkorl) != 0;
  return out;
}

EncryptionParameters::Result EncryptionParameters::set(NexusId nexus, Bytes page,
                                                       const Surroundings& now) {
  Parsed parsed = parse(page, now);
  if (parsed.refused) return {std::move(parsed.refused), {}};
  Result result;
  Nexus& sender = nexuses_[nexus];
  const bool had_some = shared_.encryption != nullptr;
  const bool replaces = parsed.scope == Scope::kAllNexus;
  // Who had set them for all, and now wants something else, takes them back.
  const std::uint32_t instance = ++instances_;
  if (replaces || shared_by_ == nexus) {
    drop_shared(instance);
    // Off and off again changes nothing for anybody.
    if (had_some || (replaces && parsed.set.encryption)) result.affected = users_of_shared(nexus);
  }
  parsed.set.instance = instance;
  sender.scope = parsed.scope;
  sender.own = {};
  if (replaces) {
    shared_ = std::move(parsed.set);
    shared_by_ = nexus;
  } else if (parsed.scope == Scope::kLocal) {
    sender.own = std::move(parsed.set);
  }
  sender.locked_to.reset();
  if (parsed.lock) sender.locked_to = set_of(nexus).instance;
  return result;
}

// --- what holds

const EncryptionParameters::Set& EncryptionParameters::set_of(NexusId nexus) const {
  const auto found = nexuses_.find(nexus);
  return found != nexuses_.end() && found->second.scope == Scope::kLocal ? found->second.own
                                                                         : shared_;
}

std::shared_ptr<const Encryption> EncryptionParameters::in_use(NexusId nexus) const {
  return set_of(nexus).encryption;
}

bool EncryptionParameters::locked_out(NexusId nexus) const {
  const auto found = nexuses_.find(nexus);
  return found != nexuses_.end() && found->second.locked_to &&
         *found->second.locked_to != set_of(nexus).instance;
}

bool EncryptionParameters::any() const {
  return shared_.encryption != nullptr ||
         std::any_of(nexuses_.begin(), nexuses_.end(),
                     [](const auto& each) { return each.second.own.encryption != nullptr; });
}

EncryptionParameters::Affected EncryptionParameters::users_of_shared(NexusId but) const {
  Affected out;
  for (const auto& [id, nexus] : nexuses_)
    if (id != but && nexus.scope != Scope::kLocal) out.push_back(id);
  return out;
}

void EncryptionParameters::drop_shared(std::uint32_t instance) {
  if (shared_by_) {
    const auto owner = nexuses_.find(*shared_by_);
    if (owner != nexuses_.end()) owner->second.scope = Scope::kPublic;
  }
  shared_by_.reset();
  shared_ = {};
  shared_.instance = instance;
}

// --- what clears

template <class Condition>
EncryptionParameters::Affected EncryptionParameters::clear_if(Condition condition) {
  Affected out;
  if (shared_by_ && condition(*shared_by_, shared_)) {
    if (shared_.encryption) out = users_of_shared({});
    drop_shared(++instances_);
  }
  for (auto& [id, nexus] : nexuses_) {
    if (nexus.scope != Scope::kLocal || !condition(id, nexus.own)) continue;
    if (nexus.own.encryption) out.push_back(id);
    nexus.own = {};
    nexus.own.instance = ++instances_;
    nexus.scope = Scope::kPublic;
  }
  return out;
}

EncryptionParameters::Affected EncryptionParameters::demounted() {
  return clear_if([](NexusId, const Set& set) { return set.clear_on_demount; });
}

EncryptionParameters::Affected EncryptionParameters::reset() {
  Affected out = clear_if([](NexusId, const Set&) { return true; });
  for (auto& [id, nexus] : nexuses_) nexus.locked_to.reset();
  return out;
}

EncryptionParameters::Affected EncryptionParameters::reservations_changed(
    const std::function<bool(NexusId)>& holds, bool preempted) {
  return clear_if([&](NexusId nexus, const Set& set) {
    return (set.clear_on_loss || (set.clear_on_preempt && preempted)) && !holds(nexus);
  });
}

EncryptionParameters::Affected EncryptionParameters::nexus_lost(NexusId nexus) {
  Affected out;
  nexuses_.erase(nexus);
  if (shared_by_ == nexus && (shared_.clear_on_loss || shared_.clear_on_preempt)) {
    if (shared_.encryption) out = users_of_shared({});
    drop_shared(++instances_);
  }
  return out;
}

// --- pages

void put_associated(ByteBuilder& out, const std::vector<KeyAssociatedData>& associated,
                    std::uint8_t authenticated) {
  for (const KeyAssociatedData& each : associated)
    out.u8(each.type)
        .u8(each.type == 0x01 ? authenticated : 0)
        .u16(each.value.size())
        .bytes(each.value);
}

std::vector<std::byte> EncryptionParameters::status(NexusId nexus) const {
  const auto found = nexuses_.find(nexus);
  const Scope scope = found == nexuses_.end() ? Scope::kPublic : found->second.scope;
  const Scope key_scope = scope == Scope::kLocal ? Scope::kLocal
                          : shared_by_           ? Scope::kAllNexus
                                                 : Scope::kPublic;
  const Set& set = set_of(nexus);
  static const Encryption kNone;
  const Encryption& encryption = set.encryption ? *set.encryption : kNone;
  const unsigned check = static_cast<unsigned>(encryption.check);
  ByteBuilder out;
  out.u16(0x0020).u16(0);
  out.u8(static_cast<unsigned>(scope) << 5 | static_cast<unsigned>(key_scope));
  out.u8(static_cast<unsigned>(encryption.write)).u8(static_cast<unsigned>(encryption.read));
  out.u8(set.encryption ? kAlgorithmIndex : 0).u32(set.instance);
  // CEEMS; RDMD: what is written is not for raw reading.
  out.u8(check << 1 | (set.encryption && !encryption.raw_readable ? 1u : 0u));
  out.u8(set.kad_format).u16(0).zeros(8);
  put_associated(out, encryption.associated, 0);
  out.patch(2, out.size() - 4, 2);
  return out.take();
}

std::vector<std::byte> EncryptionParameters::capabilities(bool applies) {
  ByteBuilder out;
  out.u16(0x0010).u16(40).u8(0x01).zeros(15);  // CFG_P: configuration is not prevented
  out.u8(kAlgorithmIndex).u8(0).u16(20);
  // AVFMV; MAC_C, DED_C, decryption and encryption by hardware.
  out.u8((applies ? 0x80u : 0u) | 0x3Au);
  out.u8(0x10);  // NONCE_C: the device makes the nonce
  out.u16(kKadLimits[0].longest).u16(kKadLimits[1].longest).u16(kKeyBytes);
  // EEMC_C: external mode is supported; RDMC_C: raw reading only of what is marked for it; EAREM.
  out.u8(0x29);
  out.zeros(7);
  out.u32(kAes256Gcm128);
  return out.take();
}

}  // namespace scsi::ssc
