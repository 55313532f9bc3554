// ScrubLog: when each cartridge was last read from end to end, and what was found: DIR/scrub.json.
// No part of the truth: whoever loses it scrubs once more.
//
// Loop thread; reading and writing the file block.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "vtl/cartridge/file.h"
#include "vtl/cartridge/scrub.h"

namespace vtl::daemon {

class ScrubLog {
 public:
  struct Entry {
    std::uint64_t at_ms = 0;  // when the last one ended; 0: none has yet
    ScrubReport last;
    std::optional<ScrubState> unfinished;  // one that was interrupted
  };

  // What is missing or cannot be understood is as if nothing had ever been scrubbed.
  static ScrubLog read(FileSystem& files, const std::string& path);
  // In place of the file that is there, whole or not at all. For any thread.
  static Status write(FileSystem& files, const std::string& path, const std::string& text);
  std::string text() const;

  const Entry* find(const std::string& barcode) const;
  void finished(const std::string& barcode, std::uint64_t now_ms, ScrubReport report);
  void interrupted(const std::string& barcode, ScrubState state);
  void forget(const std::string& barcode);
  // Since it was read, or since saved().
  bool changed() const { return changed_; }
  void saved() { changed_ = false; }

  // {"at", "bytes", "damage", "error"}, or null for one that was never scrubbed to its end.
  nlohmann::json describe(const std::string& barcode) const;

 private:
  std::map<std::string, Entry> entries_;
  bool changed_ = false;
};

}  // namespace vtl::daemon
