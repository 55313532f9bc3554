#include "vtl/library/journal.h"

#include <cerrno>
#include <charconv>
#include <utility>

#include "scsi/crc32c.h"

namespace vtl {

namespace {

constexpr std::string_view kHead = "vtl-journal 1\n";
constexpr std::uint64_t kLargest = 64u << 20;
constexpr std::uint64_t kCompactAbove = 64u << 10;

std::string hex8(std::uint32_t value) {
  std::string text(8, '0');
  for (int i = 7; i >= 0; --i, value >>= 4)
    text[static_cast<std::size_t>(i)] = "0123456789abcdef"[value & 15];
  return text;
}

template <class T>
bool parse_number(std::string_view text, T& out, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// The part before the next `separator`; `text` keeps what is behind it.
std::string_view next_field(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  const std::string_view field = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  return field;
}

std::string entry_text(const JournalEntry& entry) {
  std::string flags;
  if (entry.label.worm) flags += 'w';
  if (entry.label.cleaning) flags += 'c';
  if (entry.placed_by_operator) flags += 'o';
  const auto number = [](const std::optional<std::uint16_t>& n) {
    return n ? std::to_string(*n) : "-";
  };
  return entry.label.barcode + '/' + std::to_string(entry.label.generation) + '/' +
         (flags.empty() ? "-" : flags) + '/' + number(entry.address) + '/' + number(entry.source);
}

bool parse_optional(std::string_view text, std::optional<std::uint16_t>& out) {
  if (text == "-") return true;
  return parse_number(text, out.emplace());
}

std::optional<JournalEntry> parse_entry(std::string_view text) {
  JournalEntry entry;
  entry.label.barcode = next_field(text, '/');
  if (entry.label.barcode.empty() || !parse_number(next_field(text, '/'), entry.label.generation))
    return {};
  for (const char flag : next_field(text, '/')) {
    if (flag == 'w')
      entry.label.worm = true;
    else if (flag == 'c')
      entry.label.cleaning = true;
    else if (flag == 'o')
      entry.placed_by_operator = true;
    else if (flag != '-')
      return {};
  }
  if (!parse_optional(next_field(text, '/'), entry.address)) return {};
  if (!parse_optional(text, entry.source)) return {};
  return entry;
}

std::string entries_text(std::string_view kind, const auto& entries, const auto& get) {
  std::string text(kind);
  for (const auto& item : entries) text += ' ' + entry_text(get(item));
  return text;
}

std::string state_text(const Journal::State& state) {
  return entries_text("state", state,
                      [](const auto& item) -> const JournalEntry& { return item.second; });
}

std::string framed(std::uint64_t sequence, std::string_view record) {
  std::string body = std::to_string(sequence) + ' ' + std::string(record);
  return hex8(scsi::crc32c(scsi::as_bytes(body))) + ' ' + body + '\n';
}

struct Line {
  std::uint64_t sequence;
  std::string_view record;
};

// A line without its newline; nothing if it is not whole.
std::optional<Line> parse_line(std::string_view text) {
  std::uint32_t crc = 0;
  if (text.size() < 10 || text[8] != ' ' || !parse_number(text.substr(0, 8), crc, 16)) return {};
  text.remove_prefix(9);
  if (scsi::crc32c(scsi::as_bytes(text)) != crc) return {};
  Line line{};
  if (!parse_number(next_field(text, ' '), line.sequence)) return {};
  line.record = text;
  return line;
}

}  // namespace

Status Journal::create(FileSystem& files, const std::string& path, const State& state) {
  const std::string text = std::string(kHead) + framed(1, state_text(state));
  const auto file = replace_file(files, path, scsi::as_bytes(text));
  return file ? ok_status() : Status(file.error());
}

Result<std::unique_ptr<Journal>> Journal::open(FileSystem& files, const std::string& path) {
  auto journal = std::unique_ptr<Journal>(new Journal(files, path));
  auto file = files.open(path, FileSystem::Mode::kReadWrite);
  if (!file) return file.error();
  journal->file_ = std::move(*file);
  const auto size = journal->file_->size();
  if (!size) return size.error();
  if (*size > kLargest)
    return IoError{EBADMSG, path + " is damaged: it is larger than any journal (" +
                                std::to_string(*size) + " bytes)"};
  std::string text(static_cast<std::size_t>(*size), '\0');
  const auto got = journal->file_->pread(std::as_writable_bytes(std::span(text)), 0);
  if (!got) return got.error();
  text.resize(*got);
  if (Status replayed = journal->replay(text); !replayed) return replayed.error();
  // A process that was killed, or a sync that has failed, may have left its last record in the
  // system's memory only, or the file's name. What was read here is shown to hosts, and the next
  // record must not outlive it.
  if (Status again = write_again(*journal->file_, 0, journal->size_); !again) return again.error();
  if (Status synced = journal->file_->fdatasync(); !synced) return synced.error();
  if (Status synced = files.sync_directory(folder_of(path)); !synced) return synced.error();
  return journal;
}

Status Journal::replay(std::string_view text) {
  const auto damaged = [this](std::uint64_t line, const std::string& why) {
    return Status(
        IoError{EBADMSG, path_ + " is damaged at line " + std::to_string(line) + ": " + why});
  };
  if (!text.starts_with(kHead)) return damaged(1, "it does not begin as a journal of format 1");
  std::size_t at = kHead.size();
  std::uint64_t number = 2;
  std::uint64_t torn_at_line = 0;
  while (at < text.size()) {
    const std::size_t end = text.find('\n', at);
    const bool ended = end != std::string_view::npos;
    const auto line = ended ? parse_line(text.substr(at, end - at)) : std::nullopt;
    if (!line) {
      if (torn_at_line == 0) torn_at_line = number;
    } else if (torn_at_line != 0) {
      // Each record is synced before the next is written, so a whole one cannot follow a torn one.
      return damaged(torn_at_line, "the checksum is wrong, and a good record follows");
    } else {
      if (sequence_ != 0 && line->sequence != sequence_ + 1)
        return damaged(number, "record " + std::to_string(line->sequence) + " follows record " +
                                   std::to_string(sequence_));
      if ((number == 2) != line->record.starts_with("state") || !apply(line->record))
        return damaged(number, "a record that makes no sense");
      sequence_ = line->sequence;
      size_ = end + 1;
      if (number == 2) state_size_ = size_;
    }
    if (!ended) break;
    at = end + 1;
    ++number;
  }
  if (sequence_ == 0) return damaged(2, "it holds no whole record");
  had_torn_tail_ = suspect_ = torn_at_line != 0;
  return ok_status();
}

bool Journal::apply(std::string_view record) {
  const std::string_view kind = next_field(record, ' ');
  if (kind == "intent") {
    open_intent_ = record;
    return true;
  }
  open_intent_.clear();
  if (kind == "abort") return true;
  if (kind != "commit" && kind != "state") return false;
  while (!record.empty()) {
    const auto entry = parse_entry(next_field(record, ' '));
    if (!entry) return false;
    if (entry->address)
      state_.insert_or_assign(entry->label.barcode, *entry);
    else
      state_.erase(entry->label.barcode);
  }
  return true;
}

Status Journal::intent(std::string_view what) {
  Status done = append("intent " + std::string(what));
  if (done) open_intent_ = what;
  return done;
}

Status Journal::commit(const std::vector<JournalEntry>& changes) {
  const std::string record = entries_text(
      "commit", changes, [](const JournalEntry& entry) -> const JournalEntry& { return entry; });
  Status done = append(record);
  if (done) VTL_CHECK(apply(record));
  return done;
}

Status Journal::abort(std::string_view what) {
  Status done = append("abort " + std::string(what));
  if (done) open_intent_.clear();
  return done;
}

Status Journal::append(std::string_view record) {
  if (suspect_ || size_ > kCompactAbove + 4 * state_size_) {
    if (Status replaced = replace(); !replaced) return replaced;
  }
  const std::string line = framed(sequence_ + 1, record);
  Status done = file_->pwrite(scsi::as_bytes(line), size_);
  if (done) done = file_->fdatasync();
  if (!done) {
    // Whatever reached the disk must not be replayed: cut it off now, and be sure of it by a new
    // file later.
    suspect_ = true;
    if (file_->truncate(size_)) (void)file_->fdatasync();
    return done;
  }
  ++sequence_;
  size_ += line.size();
  return done;
}

Status Journal::replace() {
  const std::string state = std::string(kHead) + framed(sequence_ + 1, state_text(state_));
  std::string text = state;
  if (!open_intent_.empty()) text += framed(sequence_ + 2, "intent " + open_intent_);
  suspect_ = true;  // the old file may be gone and the new one not certain
  auto file = replace_file(files_, path_, scsi::as_bytes(text));
  if (!file) return file.error();
  file_ = std::move(*file);
  suspect_ = false;
  sequence_ += open_intent_.empty() ? 1 : 2;
  state_size_ = state.size();
  size_ = text.size();
  return ok_status();
}

}  // namespace vtl
