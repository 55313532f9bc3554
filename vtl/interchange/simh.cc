// SIMH tape images (.tap): each record between two 32-bit words, little-endian. The top four bits
// of a word are a class, the rest a length or a marker. In SIMH's own images data is padded to an
// even length; in E11's it is not.
#include <algorithm>
#include <array>
#include <optional>

#include "vtl/interchange/registry.h"
#include "vtl/interchange/streams.h"

namespace vtl::interchange {

namespace {

constexpr std::uint32_t kTapeMarkWord = 0x00000000, kEndOfMediumWord = 0xFFFFFFFF,
                        kEraseGap = 0xFFFFFFFE, kHalfGap = 0xFFFEFFFF;
// What a data record's length may be: 24 bits.
constexpr std::uint32_t kMaxRecord = 0x00FFFFFF;

enum class Padding { kEven, kNone };
constexpr std::array<std::string_view, 2> kVariants = {"simh", "e11"};

std::uint32_t little_endian(scsi::Bytes bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | std::to_integer<std::uint32_t>(bytes[i]);
  return value;
}
std::array<std::byte, 4> little_endian(std::uint32_t value) {
  std::array<std::byte, 4> bytes{};
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(value);
    value >>= 8;
  }
  return bytes;
}
std::uint32_t swapped(std::uint32_t v) {
  return v << 24 | (v << 8 & 0xFF0000) | (v >> 8 & 0xFF00) | v >> 24;
}

std::string hex(std::uint32_t value) {
  std::string text = "00000000h";
  for (std::size_t i = 8; i-- > 0; value >>= 4) text[i] = "0123456789ABCDEF"[value & 15];
  return text;
}

struct Item {
  enum class Kind {
    kRecord,
    kTapeMark,
    kGap,
    kEndOfMedium,
    kPrivate,
    kEnd,
    kBroken
  } kind = Kind::kEnd;
  std::uint64_t offset = 0;  // of its first word
  std::uint32_t word = 0;
  std::uint32_t length = 0;  // of the data: kRecord, kPrivate
  bool error_flag = false;   // the drive that made the image could not read the record well
  std::string why;           // kBroken
};

// Walks over the records. After a record the file stands behind it; its data lies at offset + 4.
class Scanner {
 public:
  Scanner(InputFile& in, Padding padding) : in_(in), padding_(padding) {}

  Item next() {
    Item item;
    item.offset = in_.offset();
    if (in_.remaining() == 0) return item;
    if (in_.remaining() < 4)
      return broken(item, "the file ends with " + std::to_string(in_.remaining()) +
                              " bytes that are no record");
    if (!read_word(item.word)) return broken(item, in_.error());
    switch (item.word) {
      case kTapeMarkWord:
        return of(item, Item::Kind::kTapeMark);
      case kEndOfMediumWord:
        return of(item, Item::Kind::kEndOfMedium);
      case kEraseGap:
        return of(item, Item::Kind::kGap);
      case kHalfGap:  // the gap goes on with the second half of this word
        in_.seek(item.offset + 2);
        return of(item, Item::Kind::kGap);
      default:
        break;
    }
    const std::uint32_t tape_class = item.word >> 28;
    item.length = item.word & 0x0FFFFFFF;
    // Classes 7 and F are markers without data; 1 to 6 and E are records that are not the host's; 0
    // is data, and 8 data that was read with errors.
    if (tape_class == 7 || tape_class == 0xF) {
      item.length = 0;
      return of(item, Item::Kind::kPrivate);
    }
    item.error_flag = tape_class == 8;
    if ((tape_class == 0 || tape_class == 8) && item.length > kMaxRecord)
      return broken(item, "the word " + hex(item.word) + " is no record length");
    if (tape_class != 0 && tape_class != 8 && item.length == 0)
      return of(item, Item::Kind::kPrivate);
    return pass_data(
        item, tape_class == 0 || tape_class == 8 ? Item::Kind::kRecord : Item::Kind::kPrivate);
  }

 private:
  static Item of(Item item, Item::Kind kind) {
    item.kind = kind;
    return item;
  }
  static Item broken(Item item, std::string why) {
    item.kind = Item::Kind::kBroken;
    item.why = std::move(why);
    return item;
  }
  bool read_word(std::uint32_t& word) {
    const scsi::Bytes bytes = in_.read(4);
    if (bytes.size() == 4) word = little_endian(bytes);
    return bytes.size() == 4;
  }
  Item pass_data(const Item& item, Item::Kind kind) {
    const std::uint64_t padded = item.length + (padding_ == Padding::kEven ? item.length % 2 : 0);
    if (padded + 4 > in_.remaining())
      return broken(item, "a record of " + std::to_string(item.length) +
                              " bytes begins, but the file ends " +
                              std::to_string(padded + 4 - in_.remaining()) + " bytes too early");
    in_.seek(in_.offset() + padded);
    std::uint32_t behind = 0;
    if (!read_word(behind)) return broken(item, in_.error());
    if (behind != item.word)
      return broken(item, "a record of " + std::to_string(item.length) +
                              " bytes begins with the word " + hex(item.word) + " and ends with " +
                              hex(behind));
    return of(item, kind);
  }

  InputFile& in_;
  Padding padding_;
};

// One look at the whole file: does it make sense with this padding?
struct Look {
  bool whole = false;
  std::uint64_t good_bytes = 0;  // before what is broken
  std::uint64_t odd = 0, records = 0;
};
Look look(InputFile& in, Padding padding) {
  Look result;
  in.seek(0);
  Scanner scanner(in, padding);
  for (;;) {
    const Item item = scanner.next();
    result.good_bytes = item.offset;
    if (item.kind == Item::Kind::kBroken) return result;
    if (item.kind == Item::Kind::kEnd || item.kind == Item::Kind::kEndOfMedium) break;
    if (item.length == 0) continue;
    ++result.records;
    result.odd += item.length % 2;
  }
  result.whole = true;
  return result;
}

Padding recognise(InputFile& in, Importer& out) {
  const Look even = look(in, Padding::kEven), none = look(in, Padding::kNone);
  if (even.whole && even.odd == 0) {
    out.note("SIMH or E11: both are alike here, no record has an odd length");
    return Padding::kEven;
  }
  if (even.whole != none.whole) {
    const Look& match = even.whole ? even : none;
    out.note(std::string(even.whole ? "SIMH (padded to even lengths)" : "E11 (not padded)") +
             ": certain, " + std::to_string(match.odd) + " records with odd lengths fit no other");
    return even.whole ? Padding::kEven : Padding::kNone;
  }
  const bool even_better = even.good_bytes >= none.good_bytes;
  out.note(std::string(even_better ? "SIMH (padded to even lengths)" : "E11 (not padded)") +
           (even.whole ? ": a guess, both variants fit; name the variant if it is the other one"
                       : ": a guess, neither variant fits the whole file"));
  return even_better ? Padding::kEven : Padding::kNone;
}

// Collects the places of things that are passed over, and names the first few.
struct Passed {
  std::uint64_t count = 0;
  std::string where;
  void add(std::uint64_t offset) {
    if (++count <= 5)
      where += (where.empty() ? "" : ", ") + std::to_string(offset);
    else if (count == 6)
      where += ", ...";
  }
  void note(Importer& out, const std::string& what) const {
    if (count != 0) out.note(std::to_string(count) + " " + what + " (at offset " + where + ")");
  }
};

class Import {
 public:
  Import(const std::string& path, InputFile& in, Padding padding, Importer& out)
      : path_(path), in_(in), scanner_(in, padding), out_(out) {}

  void run() {
    in_.seek(0);
    while (step()) {
    }
    flagged_.note(out_, "records were marked as read with errors; their data was taken as it is");
    gaps_.note(out_, "erase gaps were passed over");
    private_.note(out_,
                  "private records or markers, which are not the host's data, were passed over");
  }

 private:
  bool step() {
    const Item item = scanner_.next();
    switch (item.kind) {
      case Item::Kind::kEnd:
        return false;
      case Item::Kind::kBroken:
        return out_.fail(at_offset(path_, item.offset, item.why + hint(item)));
      case Item::Kind::kEndOfMedium:
        if (in_.remaining() != 0)
          out_.note("the medium ends at offset " + std::to_string(item.offset) + "; the " +
                    std::to_string(in_.remaining()) + " bytes behind that are not on the tape");
        out_.progress(in_.size());
        return false;
      case Item::Kind::kGap:
        gaps_.add(item.offset);
        break;
      case Item::Kind::kPrivate:
        private_.add(item.offset);
        break;
      case Item::Kind::kTapeMark:
        if (!out_.filemark()) return false;
        break;
      case Item::Kind::kRecord:
        if (!record(item)) return false;
        break;
    }
    return out_.progress(in_.offset());
  }

  bool record(const Item& item) {
    if (item.length == 0)
      return out_.fail(at_offset(path_, item.offset,
                                 "an error record without data: a cartridge cannot hold one"));
    if (item.error_flag) flagged_.add(item.offset);
    const std::uint64_t behind = in_.offset();
    in_.seek(item.offset + 4);
    const scsi::Bytes data = in_.read(item.length);
    if (data.size() != item.length) return out_.fail(at_offset(path_, item.offset, in_.error()));
    const bool taken = out_.block(data);
    in_.seek(behind);
    return taken;
  }

  std::string hint(const Item& item) const {
    const std::uint32_t other = swapped(item.word);
    if (item.offset == 0 && other != 0 && other <= kMaxRecord && other + 8 <= in_.size())
      return "; with its bytes the other way round it would be a length: images with big-endian "
             "lengths are not known "
             "here";
    return "";
  }

  const std::string& path_;
  InputFile& in_;
  Scanner scanner_;
  Importer& out_;
  Passed flagged_, gaps_, private_;
};

class SimhFormat final : public Format {
 public:
  std::string_view name() const override { return "simh"; }
  std::string_view description() const override {
    return "a SIMH tape image (.tap); variants: simh (records padded to even lengths), e11 (not "
           "padded)";
  }
  std::span<const std::string_view> variants() const override { return kVariants; }

  Report import_tape(FileSystem& files, const std::string& path, const ImportOptions& options,
                     CartridgeWriter& to, const Progress& progress) const override {
    InputFile in(files, path);
    Importer out(to, progress, in.size());
    if (!in.ok()) {
      out.fail(in.error());
      return out.take();
    }
    if (!options.variant.empty() && !known(options.variant)) {
      out.fail(unknown(options.variant));
      return out.take();
    }
    const Padding padding = options.variant.empty()           ? recognise(in, out)
                            : options.variant == kVariants[0] ? Padding::kEven
                                                              : Padding::kNone;
    Import(path, in, padding, out).run();
    return out.take();
  }

  Report export_tape(FileSystem& files, CartridgeReader& from, const std::string& path,
                     const ExportOptions& options, const Progress& progress) const override {
    if (!options.variant.empty() && !known(options.variant)) {
      Report report;
      report.error = unknown(options.variant);
      return report;
    }
    const bool pad = options.variant != kVariants[1];
    return write_aside(files, path, [&](const std::string& aside) {
      OutputFile out(files, aside);
      Exporter in(from, progress);
      while (out.ok()) {
        const auto object = in.next();
        if (!object) break;
        const std::size_t size = object->data.size();
        if (size > kMaxRecord) {
          in.fail(in.object() + " has " + std::to_string(size) + " bytes, a SIMH record at most " +
                  std::to_string(kMaxRecord) + "; export as \"directory\"");
          break;
        }
        const auto word = little_endian(static_cast<std::uint32_t>(size));
        out.write(word);
        if (object->kind == TapeObject::Kind::kFilemark) continue;
        out.write(object->data);
        if (pad && size % 2 != 0) out.write(std::array<std::byte, 1>{});
        out.write(word);
      }
      out.write(little_endian(kEndOfMediumWord));
      out.finish();
      if (!out.ok()) in.fail(out.error());
      return in.take();
    });
  }

 private:
  static bool known(const std::string& variant) {
    return std::find(kVariants.begin(), kVariants.end(), variant) != kVariants.end();
  }
  static std::string unknown(const std::string& variant) {
    return "there is no variant \"" + variant + "\" of simh, allowed: simh, e11";
  }
};

}  // namespace

const Format& simh_format() {
  static const SimhFormat format;
  return format;
}

}  // namespace vtl::interchange
