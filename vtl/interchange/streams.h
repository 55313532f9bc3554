// What the formats share: sequential files with a sticky failure, and the two ends of a copy.
// Private to vtl/interchange.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vtl/interchange/format.h"

namespace vtl::interchange {

// Reads a file from its beginning, in large pieces.
class InputFile {
 public:
  InputFile(FileSystem& files, const std::string& path);
  bool ok() const { return error_.empty(); }
  const std::string& error() const { return error_; }
  std::uint64_t size() const { return size_; }
  std::uint64_t offset() const { return offset_; }  // of the next byte
  std::uint64_t remaining() const { return size_ - offset_; }
  void seek(std::uint64_t offset) { offset_ = offset; }
  // The next n bytes, valid until the next call; fewer at the end of the file, none after a
  // failure.
  scsi::Bytes read(std::size_t n);

 private:
  std::unique_ptr<File> file_;
  std::string error_;
  std::uint64_t size_ = 0, offset_ = 0;
  std::vector<std::byte> window_;
  std::uint64_t window_offset_ = 0;
};

// Appends to a new file, in large pieces.
class OutputFile {
 public:
  OutputFile(FileSystem& files, const std::string& path);
  bool ok() const { return error_.empty(); }
  const std::string& error() const { return error_; }
  std::uint64_t size() const { return written_ + pending_.size(); }
  void write(scsi::Bytes bytes);
  void finish();  // everything durable

 private:
  void flush();
  std::unique_ptr<File> file_;
  std::string error_;
  std::vector<std::byte> pending_;
  std::uint64_t written_ = 0;
};

// The cartridge's end of an import. Each call is false when the copy has to stop; the report says
// why.
class Importer {
 public:
  Importer(CartridgeWriter& to, const Progress& progress, std::uint64_t bytes_total)
      : to_(to), progress_(progress), total_(bytes_total) {}
  bool block(scsi::Bytes bytes);
  bool filemark();
  bool progress(std::uint64_t bytes_done);
  bool fail(std::string error);
  void note(std::string text) { report_.notes.push_back(std::move(text)); }
  Report take() { return std::move(report_); }
  const Report& report() const { return report_; }

 private:
  CartridgeWriter& to_;
  const Progress& progress_;
  std::uint64_t total_, told_ = 0;
  Report report_;
};

// The cartridge's end of an export.
class Exporter {
 public:
  Exporter(CartridgeReader& from, const Progress& progress) : from_(from), progress_(progress) {}
  // A block, a filemark, or nothing: end of data, damage or cancelled; the report tells which.
  std::optional<TapeObject> next();
  std::uint64_t position() const { return position_; }  // of the object that next() gave
  bool fail(std::string error);
  // Of the object that next() gave: "block 17".
  std::string object() const { return "object " + std::to_string(position_); }
  Report take() { return std::move(report_); }
  Report& report() { return report_; }

 private:
  CartridgeReader& from_;
  const Progress& progress_;
  std::uint64_t position_ = 0, told_bytes_ = 0;
  Report report_;
};

// Makes `path` out of what `fill` writes to a name beside it: whole and durable, or not at all.
// `path` must not exist.
Report write_aside(FileSystem& files, const std::string& path,
                   const std::function<Report(const std::string& aside)>& fill);
// A file, or a directory and what is in it.
void remove_tree(FileSystem& files, const std::string& path);
std::string folder_of(const std::string& path);
std::string at_offset(const std::string& path, std::uint64_t offset, const std::string& what);

}  // namespace vtl::interchange
