#include "vtl/cartridge/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>

#include "vtl/cartridge/scan.h"

namespace vtl {
namespace {

using format::kBlock;

// A segment file before it is known whether it belongs.
struct Candidate {
  std::string name;
  SegmentInfo info;
  std::optional<format::Trailer> trailer;
  // Neither header nor trailer says where it begins: the first record that it still has.
  std::optional<FoundRecord> first;

  bool begin_is_known() const { return !first || first->offset == kBlock; }
};

class Recovery {
 public:
  Recovery(PartitionLog& log, const RecoveryInput& input)
      : log_(log), input_(input), row_(input.cart->partitions[log.number]) {}

  MaybeFault run() {
    if (load_segtab()) return std::nullopt;
    mark_ = log_.durable_mark.read(log_.uuid(), log_.number, row_.cut_epoch);
    if (MaybeFault fault = list()) return fault;
    for (auto it = by_seq_.begin(); it != by_seq_.end(); ++it) {
      std::optional<Candidate> chosen = choose(it->second);
      if (!chosen) continue;
      if (chosen->info.first_lba < log_.end_of_data) {
        quarantine(chosen->name, "it repeats objects that are there already");
        continue;
      }
      accept(std::move(*chosen), next_after(it));
    }
    finish();
    return std::nullopt;
  }

 private:
  using BySeq = std::map<std::uint32_t, std::vector<Candidate>>;

  void note(std::string text) { input_.notes->push_back(std::move(text)); }
  bool untouchable() const { return input_.read_only || log_.unreadable; }
  bool cut_applies(std::uint32_t epoch) const { return epoch < row_.cut_epoch; }

  bool load_segtab() {
    if (!input_.use_table || !input_.cart->has(format::kClean) || row_.segtab_crc == 0)
      return false;
    const std::string path = log_.directory + "/SEGTAB";
    const auto ignored = [&](const char* why) {
      log_.table_damaged = true;
      note(fmt::format("{}: {}; the segments are read instead", path, why));
      return false;
    };
    auto file = log_.files().open(path, FileSystem::Mode::kRead);
    if (!file) return ignored("missing");
    const Result<std::uint64_t> size = (*file)->size();
    if (!size || *size > (std::uint64_t{1} << 30)) return ignored("unreadable");
    std::vector<std::byte> bytes(static_cast<std::size_t>(*size));
    const auto got = (*file)->pread(bytes, 0);
    if (!got || *got != bytes.size()) return ignored("unreadable");
    const auto table = format::decode_segtab(bytes);
    if (!table || table->cart_gen != input_.cart->clean_gen ||
        format::segtab_crc(bytes) != row_.segtab_crc ||
        table->entries.size() != row_.segtab_entries)
      return ignored("damaged or out of date");
    for (const format::SegtabEntry& e : table->entries) {
      SegmentInfo s;
      s.seq = e.seq;
      s.epoch = e.epoch;
      s.first_lba = e.first_lba;
      s.count = e.count;
      s.first_filemark = e.first_filemark;
      s.filemarks = e.filemarks;
      s.base_used = e.base_used;
      s.data_end = e.data_end;
      s.sealed = true;
      log_.segments.push_back(s);
      log_.next_seq = std::max(log_.next_seq, e.seq + 1);
    }
    if (!log_.segments.empty())
      log_.segments.back().payload =
          row_.clean_used - std::min(row_.clean_used, log_.segments.back().base_used);
    log_.end_of_data = row_.clean_eod;
    log_.filemarks = row_.clean_filemarks;
    log_.used_bytes = row_.clean_used;
    log_.from_table = true;
    return true;
  }

  MaybeFault list() {
    const auto names = log_.files().list(log_.directory);
    if (!names) {
      if (names.error().code != ENOENT) return read_fault(names.error());
      note(log_.directory + ": missing");
      return std::nullopt;
    }
    for (const std::string& name : *names) {
      if (name.ends_with(".spare") || name == "SEGTAB.tmp") {
        if (!input_.read_only) (void)log_.files().remove(log_.directory + "/" + name);
        continue;
      }
      const auto parsed = format::parse_segment_name(name);
      if (!parsed) continue;
      log_.next_seq = std::max(log_.next_seq, parsed->seq + 1);
      auto candidate = identify(name, *parsed);
      if (!candidate)
        unreadable(parsed->seq, name, candidate.error());
      else if (*candidate)
        by_seq_[parsed->seq].push_back(std::move(**candidate));
    }
    return std::nullopt;
  }

  // By its trailer, or if that is not there by its header; both name the cartridge and the place.
  Result<std::optional<Candidate>> identify(const std::string& name,
                                            const format::SegmentName& parsed) {
    Candidate c;
    c.name = name;
    c.info.seq = parsed.seq;
    c.info.epoch = c.info.last_epoch = parsed.epoch;
    auto file = log_.files().open(log_.directory + "/" + name, FileSystem::Mode::kRead, log_.io());
    if (!file) return file.error();
    const Result<format::Trailer> trailer = log_.read_trailer(**file);
    if (trailer) log_.highest_epoch = std::max(log_.highest_epoch, trailer->last_epoch);
    if (trailer && trailer->seq == parsed.seq && trailer->epoch == parsed.epoch) {
      c.trailer = *trailer;
      c.info.first_lba = trailer->first_lba;
      c.info.first_filemark = trailer->first_filemark;
      c.info.base_used = trailer->base_used;
      return std::optional<Candidate>(std::move(c));
    }
    const Result<std::uint64_t> size = (*file)->size();
    if (!size) return size.error();
    AlignedReader reader(**file, std::min<std::uint64_t>(*size, kBlock));
    const scsi::Bytes block = reader.view(0, kBlock);
    if (!reader.ok()) return reader.error();
    const auto header = format::decode_segment_header(block);
    const bool blank =
        std::all_of(block.begin(), block.end(), [](std::byte b) { return b == std::byte{}; });
    if (!header && !trailer && trailer.error().code != EBADMSG) return trailer.error();
    if (!header) {
      // Name and label say whose it should be, and each record whether it is.
      const Result<std::optional<FoundRecord>> first =
          find_record(**file, *size, log_.salt(c.info));
      if (!first) return first.error();
      if (*first) {
        c.first = **first;
        c.info.first_lba = c.first->header.lba;
        c.info.first_filemark = c.first->header.filemarks_before;
        log_.highest_epoch = std::max(log_.highest_epoch, c.first->header.epoch);
        return std::optional<Candidate>(std::move(c));
      }
      if (blank) {  // power went while it was made: it has its name, and nothing else yet
        discard(name);
        return std::optional<Candidate>();
      }
    }
    if (!header || header->uuid != log_.uuid() || header->partition != log_.number ||
        header->seq != parsed.seq || header->epoch != parsed.epoch) {
      quarantine(name, header ? "it belongs to another cartridge or place"
                              : "no header, trailer or record in it is valid");
      return std::optional<Candidate>();
    }
    log_.highest_epoch = std::max(log_.highest_epoch, header->epoch);
    c.info.first_lba = header->first_lba;
    c.info.first_filemark = header->first_filemark;
    c.info.base_used = header->base_used;
    return std::optional<Candidate>(std::move(c));
  }

  bool is_void(const Candidate& c, std::uint32_t reached) const {
    return (cut_applies(c.info.epoch) && c.begin_is_known() && c.info.first_lba >= row_.cut_lba) ||
           c.info.epoch < reached;
  }

  // Of several with one number the newest life; the others were overwritten.
  std::optional<Candidate> choose(std::vector<Candidate>& candidates) {
    std::optional<Candidate> best;
    for (Candidate& c : candidates) {
      if (is_void(c, reached_)) {
        discard(c.name);
      } else if (!best) {
        best = std::move(c);
      } else {
        Candidate& loser = best->info.epoch < c.info.epoch ? *best : c;
        quarantine(loser.name, "a newer segment has its number");
        if (&loser == &*best) best = std::move(c);
      }
    }
    return best;
  }

  const Candidate* next_after(BySeq::iterator it) const {
    for (++it; it != by_seq_.end(); ++it)
      for (const Candidate& c : it->second)
        if (!is_void(c, reached_)) return &c;
    return nullptr;
  }

  void accept(Candidate c, const Candidate* next) {
    if (c.first) {
      c.info.base_used = log_.used_bytes;
      if (!c.begin_is_known()) {  // I4, I6: it goes on where the one before it ends
        c.info.first_lba = log_.end_of_data;
        c.info.first_filemark = log_.filemarks;
      }
    }
    if (c.info.first_lba > log_.end_of_data)
      note(fmt::format("{}: objects {} to {} are missing", log_.directory, log_.end_of_data,
                       c.info.first_lba - 1));
    if (c.trailer) {
      const format::Trailer& t = *c.trailer;
      const bool hit_by_cut = cut_applies(t.last_epoch) && t.first_lba + t.count > row_.cut_lba;
      if (!hit_by_cut) {
        c.info.last_epoch = t.last_epoch;
        c.info.count = t.count;
        c.info.filemarks = t.filemarks;
        c.info.payload = t.payload_bytes;
        c.info.data_end = t.data_end;
        c.info.sealed = true;
        append(c.info);
        log_.durable_end = t.data_end;  // a trailer comes after all else is durable
        return;
      }
    }
    scan(std::move(c), next);
  }

  Result<ScanResult> read_records(const std::string& path, const ScanRules& rules) const {
    const auto file = log_.files().open(path, FileSystem::Mode::kRead, log_.io());
    if (!file) return file.error();
    const Result<std::uint64_t> size = (*file)->size();
    if (!size) return size.error();
    return scan_segment(**file, *size, rules);
  }

  void scan(Candidate c, const Candidate* next) {
    const std::string path = log_.directory + "/" + c.name;
    ScanRules rules;
    rules.salt = log_.salt(c.info);
    rules.first_lba = c.info.first_lba;
    rules.first_filemark = c.info.first_filemark;
    rules.min_epoch = c.info.epoch;
    rules.cut_epoch = row_.cut_epoch;
    rules.cut_lba = row_.cut_lba;
    rules.durable_lba = durable_lba();
    if (next != nullptr && next->begin_is_known() && next->info.first_lba > c.info.first_lba)
      rules.expected_count = next->info.first_lba - c.info.first_lba;
    Result<ScanResult> scanned = read_records(path, rules);
    if (!scanned) {
      unreadable(c.info.seq, c.name, scanned.error());
      return;
    }
    if (scanned->unreadable) unreadable(c.info.seq, c.name, *scanned->unreadable);
    c.info.last_epoch = scanned->last_epoch;
    c.info.count = scanned->index.entries.size();
    c.info.filemarks = scanned->index.filemarks.size();
    c.info.payload = scanned->payload;
    c.info.data_end = scanned->data_end;
    if (scanned->lost != 0)
      note(fmt::format("{}: {} objects in it are damaged", path, scanned->lost));
    append(c.info);
    const std::uint64_t durable = std::max(scanned->durable_lba, rules.durable_lba);
    const std::uint64_t known = durable - std::min(durable, c.info.first_lba);
    log_.durable_end = c.info.data_end;
    if (known == 0)
      log_.durable_end = 0;  // nor its header
    else if (known < c.info.count)
      log_.durable_end = format::index_offset(scanned->index.entries[known]);
    end_unreadable_ = scanned->end_unreadable;
    log_.tail_index = std::make_shared<SegmentIndex>(std::move(scanned->index));
    if (c.first) {
      const bool mended = !untouchable() && input_.mend_header(log_);
      note(fmt::format("{}: its header was damaged; {}", path,
                       mended ? "it was written anew" : "its records are used without it"));
    }
    if (next == nullptr) return;
    // I4: an unsealed segment with a successor has lost its trailer. What is complete gets a new
    // one; otherwise the file stays as it is, for whoever can still make something of it.
    const bool repaired =
        !untouchable() && c.info.count == rules.expected_count && input_.repair(log_);
    log_.table_damaged = true;
    note(fmt::format(
        "{}: its trailer was damaged; {}", path,
        repaired ? "it was rebuilt from the records" : "its records are used without it"));
  }

  void append(const SegmentInfo& info) {
    if (!log_.segments.empty()) log_.segments.back().sealed = true;
    log_.tail_index.reset();
    log_.segments.push_back(info);
    log_.end_of_data = info.end_lba();
    log_.filemarks = info.first_filemark + info.filemarks;
    log_.used_bytes = info.base_used + info.payload;
    reached_ = std::max(reached_, info.last_epoch);
    last_seq_ = info.seq;
    log_.highest_epoch = std::max(log_.highest_epoch, info.last_epoch);
  }

  // Objects below were durable at the last clean unload, when the last cut was made, or when a
  // synchronisation after that succeeded.
  std::uint64_t durable_lba() const {
    return std::max(
        {row_.clean_eod, row_.cut_epoch != 0 ? row_.cut_lba : 0, mark_ ? mark_->end_of_data : 0});
  }

  void finish() {
    if (log_.end_of_data >= durable_lba()) {
      // How many objects an unreadable end holds nobody can say. One stands for them, so that a
      // reader meets an error and not the end of its data.
      if (end_unreadable_ || lost_seq_ > last_seq_) ++log_.end_of_data;
      return;
    }
    note(fmt::format("{}: objects {} to {} are missing", log_.directory, log_.end_of_data,
                     durable_lba() - 1));
    log_.end_of_data = durable_lba();
    log_.filemarks = std::max({log_.filemarks, row_.clean_filemarks, mark_ ? mark_->filemarks : 0});
    log_.used_bytes = std::max({log_.used_bytes, row_.clean_used, mark_ ? mark_->used_bytes : 0});
  }

  // Neither taken to be damaged nor moved away: another time the disk may show it.
  void unreadable(std::uint32_t seq, const std::string& name, const IoError& error) {
    log_.unreadable = true;
    lost_seq_ = std::max<std::int64_t>(lost_seq_, seq);
    note(fmt::format(
        "{}/{}: cannot be read; the cartridge is write-protected so that nothing of it is lost: {}",
        log_.directory, name, error.what));
  }
  void discard(const std::string& name) {
    if (untouchable()) return;
    if (const Status status = input_.discard(name); !status)
      note(fmt::format("{}/{}: voided, but cannot be moved away: {}", log_.directory, name,
                       status.error().what));
  }
  void quarantine(const std::string& name, std::string_view why) {
    if (untouchable())
      return note(fmt::format("{}/{}: left out, as {}", log_.directory, name, why));
    note(fmt::format("{}/{}: set aside in quarantine/, as {}", log_.directory, name, why));
    const std::string part = format::partition_directory(log_.number, log_.dirgen);
    const Status moved =
        set_aside(log_.files(), input_.cartridge_dir, part + "/" + name, part + "-" + name);
    if (!moved) note(fmt::format("{}: cannot be set aside: {}", name, moved.error().what));
  }

  PartitionLog& log_;
  const RecoveryInput& input_;
  const format::PartitionRow& row_;
  BySeq by_seq_;
  std::optional<format::Durable> mark_;
  std::uint32_t reached_ = 0;                   // the last epoch in the log so far
  std::int64_t last_seq_ = -1, lost_seq_ = -1;  // accepted; left out, as it cannot be read
  bool end_unreadable_ = false;
};

}  // namespace

Status set_aside(FileSystem& files, const std::string& cartridge_dir, const std::string& what,
                 const std::string& name) {
  const std::string place = cartridge_dir + "/quarantine";
  if (const Status made = files.make_directory(place); !made) return made;
  const Result<std::string> to = free_name(files, place + "/" + name);
  if (!to) return to.error();
  return files.rename(cartridge_dir + "/" + what, *to);
}

Result<std::string> free_name(FileSystem& files, const std::string& path) {
  std::string name = path;
  for (unsigned n = 1;; ++n) {
    const Result<bool> taken = files.exists(name);
    if (!taken) return taken.error();
    if (!*taken) return name;
    name = fmt::format("{}.{}", path, n);
  }
}

MaybeFault recover_partition(PartitionLog& log, const RecoveryInput& input) {
  return Recovery(log, input).run();
}

}  // namespace vtl
