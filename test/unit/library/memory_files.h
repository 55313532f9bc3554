// A file system in memory that counts its operations, fails or crashes at the n-th, and then shows
// what a disk might hold.
#pragma once

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "vtl/cartridge/file.h"

class MemoryFiles final : public vtl::FileSystem {
 public:
  using Bytes = std::vector<std::byte>;
  struct Inode {
    Bytes now, durable;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;  // a directory's inode is nullptr

  // From operation `at` on (counted from 1, changing operations only), everything fails; 0: never.
  // `once`: only that.
  void fail_at(std::uint64_t at, bool once = false, int code = EIO) {
    fail_at_ = at == 0 ? 0 : operations_ + at;
    once_ = once;
    code_ = code;
  }
  std::uint64_t operations() const { return operations_; }

  // Power is gone and back: what was not synced is lost, whole, half there, or all there by chance.
  enum class Survives { kNothing, kHalf, kEverything };
  void crash(Survives survives) {
    fail_at_ = 0;
    if (survives != Survives::kEverything)
      now_ = durable_;
    else
      durable_ = now_;
    for (auto& [path, inode] : now_) {
      if (!inode) continue;
      if (survives == Survives::kNothing) inode->now = inode->durable;
      if (survives == Survives::kHalf) {
        const std::size_t kept = std::min(inode->durable.size(), inode->now.size());
        inode->now.resize(kept + (inode->now.size() - kept) / 2);
      }
      inode->durable = inode->now;
    }
  }

  Bytes& content(const std::string& path) { return now_.at(path)->now; }
  std::string text(const std::string& path) { return std::string(scsi::as_text(content(path))); }
  void put(const std::string& path, std::string_view text) {
    auto inode = std::make_shared<Inode>();
    const scsi::Bytes bytes = scsi::as_bytes(text);
    inode->now.assign(bytes.begin(), bytes.end());
    inode->durable = inode->now;
    now_[path] = inode;
    durable_[path] = inode;
  }
  std::vector<std::string> paths() const {
    std::vector<std::string> out;
    for (const auto& [path, inode] : now_) out.push_back(path);
    return out;
  }

  vtl::Result<std::unique_ptr<vtl::File>> open(const std::string& path, Mode mode, Io) override;
  vtl::Status rename(const std::string& from, const std::string& to) override {
    if (auto failed = step("rename " + from)) return *failed;
    if (!now_.contains(from)) return missing(from);
    const auto below = [](const std::string& path, const std::string& dir) {
      return path.starts_with(dir + '/');
    };
    for (const auto& [path, inode] : now_)
      if (below(path, to) && !now_.at(from))
        return vtl::IoError{ENOTEMPTY, "rename: " + to + " is not empty"};
    Names moved;
    for (auto it = now_.begin(); it != now_.end();) {
      if (it->first == from || below(it->first, from)) {
        moved[to + it->first.substr(from.size())] = it->second;
        it = now_.erase(it);
      } else {
        ++it;
      }
    }
    for (auto& [path, inode] : moved) now_[path] = inode;
    return vtl::ok_status();
  }
  vtl::Status remove(const std::string& path) override {
    if (auto failed = step("remove " + path)) return *failed;
    if (!now_.contains(path)) return missing(path);
    for (const auto& [other, inode] : now_)
      if (other.starts_with(path + '/'))
        return vtl::IoError{ENOTEMPTY, "remove " + path + ": not empty"};
    now_.erase(path);
    return vtl::ok_status();
  }
  vtl::Status make_directory(const std::string& path) override {
    if (auto failed = step("mkdir " + path)) return *failed;
    now_.emplace(path, nullptr);
    durable_.emplace(path, nullptr);
    return vtl::ok_status();
  }
  vtl::Status sync_directory(const std::string& path) override {
    if (auto failed = step("fsync " + path)) return *failed;
    const auto inside = [&](const std::string& other) { return other.starts_with(path + '/'); };
    for (auto it = durable_.begin(); it != durable_.end();)
      it = inside(it->first) && !now_.contains(it->first) ? durable_.erase(it) : std::next(it);
    for (const auto& [other, inode] : now_)
      if (inside(other)) durable_[other] = inode;
    return vtl::ok_status();
  }
  vtl::Result<std::vector<std::string>> list(const std::string& path) override {
    if (!now_.contains(path)) return missing(path);
    if (now_.at(path)) return vtl::IoError{ENOTDIR, "list " + path + ": not a directory"};
    std::set<std::string> names;
    for (const auto& [other, inode] : now_)
      if (other.starts_with(path + '/'))
        names.insert(
            other.substr(path.size() + 1, other.find('/', path.size() + 1) - path.size() - 1));
    return std::vector<std::string>(names.begin(), names.end());
  }
  vtl::Result<bool> exists(const std::string& path) override { return now_.contains(path); }
  vtl::Result<vtl::SpaceInfo> space(const std::string&) override {
    return vtl::SpaceInfo{1ull << 40, 1ull << 40};
  }
  vtl::Result<std::unique_ptr<vtl::File>> lock(const std::string& path) override {
    if (!now_.contains(path)) now_[path] = std::make_shared<Inode>();
    return open(path, Mode::kReadWrite, Io::kBuffered);
  }

 private:
  friend class MemoryFile;
  static vtl::IoError missing(const std::string& path) {
    return {ENOENT, path + ": No such file or directory"};
  }
  std::optional<vtl::IoError> step(const std::string& what) {
    ++operations_;
    if (fail_at_ == 0 || operations_ < fail_at_ || (once_ && operations_ != fail_at_)) return {};
    return vtl::IoError{code_, what + ": injected"};
  }

  Names now_, durable_;
  std::uint64_t operations_ = 0, fail_at_ = 0;
  bool once_ = false;
  int code_ = EIO;
};

class MemoryFile final : public vtl::File {
 public:
  MemoryFile(MemoryFiles& files, std::shared_ptr<MemoryFiles::Inode> inode)
      : files_(files), inode_(std::move(inode)) {}
  vtl::Result<std::size_t> pread(scsi::MutableBytes into, std::uint64_t offset) override {
    const auto& data = inode_->now;
    if (offset >= data.size()) return std::size_t{0};
    const std::size_t n = std::min<std::size_t>(into.size(), data.size() - offset);
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(offset), n, into.begin());
    return n;
  }
  vtl::Status pwrite(scsi::Bytes from, std::uint64_t offset) override {
    const auto failed = files_.step("pwrite");
    // A failed write may have left half of itself behind.
    const std::size_t n = failed ? from.size() / 2 : from.size();
    if (inode_->now.size() < offset + n) inode_->now.resize(offset + n);
    std::copy_n(from.begin(), n, inode_->now.begin() + static_cast<std::ptrdiff_t>(offset));
    if (failed) return *failed;
    return vtl::ok_status();
  }
  vtl::Status fdatasync() override {
    if (const auto failed = files_.step("fdatasync")) return *failed;
    inode_->durable = inode_->now;
    return vtl::ok_status();
  }
  vtl::Status truncate(std::uint64_t size) override {
    if (const auto failed = files_.step("truncate")) return *failed;
    inode_->now.resize(size);
    return vtl::ok_status();
  }
  vtl::Status allocate(std::uint64_t, std::uint64_t) override { return vtl::ok_status(); }
  vtl::Result<std::uint64_t> size() override { return std::uint64_t{inode_->now.size()}; }

 private:
  MemoryFiles& files_;
  std::shared_ptr<MemoryFiles::Inode> inode_;
};

inline vtl::Result<std::unique_ptr<vtl::File>> MemoryFiles::open(const std::string& path, Mode mode,
                                                                 Io) {
  if (mode == Mode::kCreate) {
    if (auto failed = step("open " + path)) return *failed;
    if (now_.contains(path)) return vtl::IoError{EEXIST, path + ": File exists"};
    now_[path] = std::make_shared<Inode>();
  }
  const auto found = now_.find(path);
  if (found == now_.end()) return missing(path);
  if (!found->second) return vtl::IoError{EISDIR, path + ": Is a directory"};
  return std::unique_ptr<vtl::File>(std::make_unique<MemoryFile>(*this, found->second));
}
