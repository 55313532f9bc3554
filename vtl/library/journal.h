// Journal: the durable truth about which cartridge is in which element.
//
// A text file, one record a line, appended to and synced record by record:
//
//   vtl-journal 1
//   <crc> <sequence> state <entry>...        everything, first in a file
//   <crc> <sequence> intent <what>           about to: for people, and to finish a deletion
//   <crc> <sequence> commit <entry>...       from now on; all its entries or none
//   <crc> <sequence> abort <what>
//
// <crc> is the CRC32C of the rest of the line in eight hex digits; sequences count by one. An
// <entry> is barcode/generation/flags/address/source: flags of w(orm), c(leaning), o(perator put it
// there) or "-"; source may be
// "-"; address "-" means that the cartridge is in no element any more.
//
// What follows the last whole record is a torn append and is dropped; a broken record before a
// whole one is damage. A file grown well beyond its state is replaced by a new one: written aside,
// synced, renamed over.
//
// Blocking: lives on the library's strand.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vtl/cartridge/file.h"
#include "vtl/library/cartridge_store.h"

namespace vtl {

struct JournalEntry {
  CartridgeLabel label;
  std::optional<std::uint16_t> address;  // empty: in no element
  std::optional<std::uint16_t> source;   // the element it was last moved from
  bool placed_by_operator = false;
  friend bool operator==(const JournalEntry&, const JournalEntry&) = default;
};

class Journal {
 public:
  using State = std::map<std::string, JournalEntry>;  // by barcode; only cartridges in elements

  // A new journal in place of whatever is there, whole or not at all.
  static Status create(FileSystem& files, const std::string& path, const State& state);
  // EBADMSG: damaged, with the line's number; ENOENT: none. What it has read is durable.
  static Result<std::unique_ptr<Journal>> open(FileSystem& files, const std::string& path);

  const State& state() const { return state_; }
  // The last intent that was neither committed nor aborted: a crash cut it short.
  const std::string& open_intent() const { return open_intent_; }
  bool had_torn_tail() const { return had_torn_tail_; }

  // Durable when they return ok. After a failure nothing of the record counts, and the next call
  // replaces the file before it does anything else.
  Status intent(std::string_view what);
  Status commit(const std::vector<JournalEntry>& changes);
  Status abort(std::string_view what);

 private:
  Journal(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  Status append(std::string_view record);
  Status replace();
  Status replay(std::string_view text);
  bool apply(std::string_view record);

  FileSystem& files_;
  std::string path_;
  std::unique_ptr<File> file_;
  State state_;
  std::uint64_t sequence_ = 0;  // of the last record
  std::uint64_t size_ = 0;      // of the good part of the file
  std::uint64_t state_size_ = 0;
  std::string open_intent_;
  bool had_torn_tail_ = false;
  bool suspect_ = false;  // what follows size_ is unknown
};

}  // namespace vtl
