// Foreign tape formats: a cartridge's objects, in order, out of a file or directory and into one.
//
// Bit-exact both ways: every block's length and bytes, every filemark. What a format cannot hold is
// refused by name, and what a file holds beyond blocks and filemarks is reported, never dropped
// silently.
//
// Blocking: tools and strands of their own, never a loop. All state is in the arguments; formats
// are shared freely.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vtl/cartridge/cartridge.h"
#include "vtl/cartridge/file.h"

namespace vtl::interchange {

// Importing: bytes of the foreign side. Exporting: objects of the tape. Called now and then;
// returning false cancels.
using Progress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

struct ImportOptions {
  std::uint32_t block_bytes =
      65536;            // formats without lengths of their own: raw; 1..kMaxBlockBytes
  std::string variant;  // a name of Format::variants(); empty: find out
};

struct ExportOptions {
  std::string variant;  // empty: the first of Format::variants()
};

struct Report {
  std::string error;  // empty: done. Says where: "x.tap at offset 4096: ..."
  bool cancelled = false;
  std::uint64_t blocks = 0, filemarks = 0, bytes = 0;
  std::vector<std::string> notes;  // what was recognised and how sure that is, what was passed over
  bool ok() const { return error.empty() && !cancelled; }
};

class Format {
 public:
  virtual ~Format() = default;
  virtual std::string_view name() const = 0;         // "simh"
  virtual std::string_view description() const = 0;  // one line, for --help
  virtual std::span<const std::string_view> variants() const { return {}; }

  // Into the writer, from its position on; without finish(): the caller decides what becomes of a
  // failed import.
  virtual Report import_tape(FileSystem& files, const std::string& path,
                             const ImportOptions& options, CartridgeWriter& to,
                             const Progress& progress) const = 0;
  // Everything from the reader's position to end of data. `path` must not exist; it appears whole
  // or not at all.
  virtual Report export_tape(FileSystem& files, CartridgeReader& from, const std::string& path,
                             const ExportOptions& options, const Progress& progress) const = 0;
};

std::span<const Format* const> formats();
const Format* find_format(std::string_view name);  // nullptr if unknown
// By the path's look: a directory with a manifest, a name that ends in .tap; otherwise nullptr.
const Format* guess_format(FileSystem& files, const std::string& path);

}  // namespace vtl::interchange
