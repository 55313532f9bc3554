// A file system in memory that loses what was not synced: contents per 512-byte sector, names per
// directory.
//
// It counts its operations, can fail the n-th, and can stop as if the power had gone: from then on
// every operation fails and changes nothing, until crash() lets an arbitrary part of what was not
// durable survive. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "vtl/cartridge/file.h"

namespace vtl::test {

class MemoryFiles final : public FileSystem {
 public:
  explicit MemoryFiles(std::uint32_t seed = 1) : random_(seed) {}

  enum class Failure {
    kNone,
    kEio,
    kNoSpace,
    kShortWrite,  // a part of it is written, then ENOSPC; other operations: ENOSPC
    kPowerCut,
  };
  // Operation `n` from now on (0 is the next) fails so; with `lasting` every later one of its kind
  // too.
  void fail_at(std::uint64_t n, Failure failure) {
    fail_at_ = operations_ + n;
    failure_ = failure;
  }
  void heal() {
    failure_ = Failure::kNone;
    dead_ = false;
  }
  // Asked before every operation; an errno other than 0 is how it fails. A write that fails so may
  // have left half of itself behind.
  std::function<int(const std::string& what, const std::string& path)> inject;
  // Asked before every read: a part of the file that the disk cannot read (EIO).
  std::function<bool(const std::string& path, std::uint64_t offset, std::size_t length)> bad_block;
  void cut_power() { dead_ = true; }
  bool has_power() const { return !dead_; }

  // Fails every operation of this name from now on ("fdatasync", "pwrite", ...); empty: none.
  std::string broken;
  std::string broken_path;  // only on paths that contain this
  std::uint64_t operations() const { return operations_; }
  bool failed() const { return failed_; }

  // Power comes back: unsynced sectors survive with this probability, unsynced names up to some
  // point.
  void crash(double survival);
  // The process dies, the system does not: what was not durable still is not, but can be seen.
  void kill() {
    locks_.clear();
    heal();
  }
  std::uint64_t total_bytes = 1ull << 40;
  bool in_memory = false;  // as space() says

  // Behind everything's back.
  template <class Edit>
  void edit(const std::string& path, Edit change) {
    Node& node = *names_.at(path);
    change(node.now);
    node.disk = node.now;
    node.dirty.clear();
  }
  bool is_file(const std::string& path) const { return !names_.at(path)->directory; }
  bool has(const std::string& path) const { return names_.count(path) != 0; }
  void unlink(const std::string& path);
  void copy(const std::string& from, const std::string& to);
  std::vector<std::string> find(const std::string& part) const;  // paths that contain it
  std::uint64_t used_bytes() const;

  Result<std::unique_ptr<File>> open(const std::string& path, Mode mode, Io io) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status make_directory(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<SpaceInfo> space(const std::string& path) override;
  Result<std::unique_ptr<File>> lock(const std::string& path) override;

 private:
  friend class MemoryFile;
  friend class MemoryLock;
  struct Node {
    bool directory = false;
    std::vector<std::byte> now;
    std::vector<std::byte> disk;
    std::set<std::uint64_t> dirty;  // sectors whose content in `now` is not durable
    std::uint64_t allocated = 0;
  };
  using NodePtr = std::shared_ptr<Node>;
  using Names = std::map<std::string, NodePtr>;
  struct NameChange {
    enum class Kind { kCreate, kRename, kRemove } kind;
    std::string path, to;
    NodePtr node;
  };

  // Counts an operation; an error if it is to fail.
  std::optional<IoError> step(const std::string& what, const std::string& path);
  void change(NameChange change);
  static void apply(Names& names, const NameChange& change);
  void write(Node& node, scsi::Bytes from, std::uint64_t offset);
  void resize(Node& node, std::uint64_t size);

  std::mt19937 random_;
  Names names_, durable_;
  std::vector<NameChange> pending_;
  std::set<std::string> locks_;
  std::uint64_t operations_ = 0;
  std::uint64_t fail_at_ = 0;
  Failure failure_ = Failure::kNone;
  bool failed_ = false;
  bool dead_ = false;
};

}  // namespace vtl::test
