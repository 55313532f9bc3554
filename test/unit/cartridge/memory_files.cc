#include "test/unit/cartridge/memory_files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace vtl::test {
namespace {

constexpr std::uint64_t kSector = 512;

std::string parent_of(const std::string& path) { return path.substr(0, path.find_last_of('/')); }

bool is_under(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory + "/");
}

// `path` after `from` was renamed to `to`.
std::string moved(const std::string& path, const std::string& from, const std::string& to) {
  return is_under(path, from) ? to + path.substr(from.size()) : path;
}

}  // namespace

class MemoryFile final : public File {
 public:
  MemoryFile(MemoryFiles& files, std::string path, MemoryFiles::NodePtr node, bool direct)
      : files_(files), path_(std::move(path)), node_(std::move(node)), direct_(direct) {}

  Result<std::size_t> pread(scsi::MutableBytes into, std::uint64_t offset) override {
    if (auto error = files_.step("pread", path_)) return *error;
    if (!aligned(into, offset)) return IoError{EINVAL, "unaligned direct read of " + path_};
    if (files_.bad_block && files_.bad_block(path_, offset, into.size()))
      return IoError{EIO, "pread " + path_ + ": bad block"};
    if (offset >= node_->now.size()) return std::size_t{0};
    const std::size_t n = std::min<std::uint64_t>(into.size(), node_->now.size() - offset);
    std::memcpy(into.data(), node_->now.data() + offset, n);
    return n;
  }
  Status pwrite(scsi::Bytes from, std::uint64_t offset) override {
    if (!aligned(from, offset)) return IoError{EINVAL, "unaligned direct write of " + path_};
    const bool partial = files_.failure_ == MemoryFiles::Failure::kShortWrite ||
                         files_.failure_ == MemoryFiles::Failure::kPowerCut;
    const bool was_dead = files_.dead_;
    if (auto error = files_.step("pwrite", path_)) {
      if ((partial || (files_.inject && files_.random_() % 2 == 0)) && !was_dead)
        files_.write(*node_, from.first(from.size() / 2), offset);
      return *error;
    }
    const std::uint64_t end = offset + from.size();
    const std::uint64_t held = std::max<std::uint64_t>(node_->allocated, node_->now.size());
    if (end > held && files_.used_bytes() + (end - held) > files_.total_bytes)
      return IoError{ENOSPC, "pwrite " + path_ + ": file system full"};
    files_.write(*node_, from, offset);
    return ok_status();
  }
  Status fdatasync() override {
    if (auto error = files_.step("fdatasync", path_)) {
      // What could not be written is forgotten: a later sync will not notice.
      if (!files_.dead_)
        for (const std::uint64_t sector : node_->dirty)
          if (files_.random_() % 2 == 0) revert(sector);
      if (!files_.dead_) node_->dirty.clear();
      return *error;
    }
    node_->disk.resize(node_->now.size());
    for (const std::uint64_t sector : node_->dirty) {
      const std::uint64_t from = sector * kSector;
      if (from >= node_->now.size()) continue;
      const std::uint64_t n = std::min<std::uint64_t>(kSector, node_->now.size() - from);
      std::memcpy(node_->disk.data() + from, node_->now.data() + from, n);
    }
    node_->dirty.clear();
    return ok_status();
  }
  Status truncate(std::uint64_t size) override {
    if (auto error = files_.step("ftruncate", path_)) return *error;
    files_.resize(*node_, size);
    node_->allocated = 0;
    return ok_status();
  }
  Status allocate(std::uint64_t from, std::uint64_t size) override {
    VTL_CHECK(from < size && from <= std::max<std::uint64_t>(node_->allocated, node_->now.size()));
    if (auto error = files_.step("fallocate", path_)) return *error;
    const std::uint64_t held = std::max<std::uint64_t>(node_->allocated, node_->now.size());
    if (size > held && files_.used_bytes() + (size - held) > files_.total_bytes)
      return IoError{ENOSPC, "fallocate " + path_ + ": file system full"};
    node_->allocated = std::max(node_->allocated, size);
    return ok_status();
  }
  Result<std::uint64_t> size() override {
    if (auto error = files_.step("fstat", path_)) return *error;
    return std::uint64_t{node_->now.size()};
  }

 private:
  bool aligned(scsi::Bytes bytes, std::uint64_t offset) const {
    return !direct_ || (offset % 4096 == 0 && bytes.size() % 4096 == 0 &&
                        reinterpret_cast<std::uintptr_t>(bytes.data()) % 4096 == 0);
  }
  void revert(std::uint64_t sector) {
    for (std::uint64_t i = sector * kSector; i < (sector + 1) * kSector && i < node_->now.size();
         ++i)
      node_->now[i] = i < node_->disk.size() ? node_->disk[i] : std::byte{};
  }
  MemoryFiles& files_;
  std::string path_;
  MemoryFiles::NodePtr node_;
  bool direct_;
};

class MemoryLock final : public File {
 public:
  MemoryLock(MemoryFiles& files, std::string path) : files_(files), path_(std::move(path)) {
    files_.locks_.insert(path_);
  }
  ~MemoryLock() override { files_.locks_.erase(path_); }
  Result<std::size_t> pread(scsi::MutableBytes, std::uint64_t) override { return std::size_t{0}; }
  Status pwrite(scsi::Bytes, std::uint64_t) override { return ok_status(); }
  Status fdatasync() override { return ok_status(); }
  Status truncate(std::uint64_t) override { return ok_status(); }
  Status allocate(std::uint64_t, std::uint64_t) override { return ok_status(); }
  Result<std::uint64_t> size() override { return std::uint64_t{0}; }

 private:
  MemoryFiles& files_;
  std::string path_;
};

std::optional<IoError> MemoryFiles::step(const std::string& what, const std::string& path) {
  if (dead_) return IoError{EIO, what + " " + path + ": no power"};
  const bool now = failure_ != Failure::kNone && operations_ == fail_at_;
  ++operations_;
  if (!broken.empty() && what == broken && path.find(broken_path) != std::string::npos)
    return IoError{EIO, what + " " + path + ": broken"};
  if (!now && inject) {
    if (const int code = inject(what, path)) {
      failed_ = true;
      return IoError{code, what + " " + path + ": injected"};
    }
  }
  if (!now) return std::nullopt;
  failed_ = true;
  if (failure_ == Failure::kPowerCut) dead_ = true;
  const int code = failure_ == Failure::kNoSpace || failure_ == Failure::kShortWrite ? ENOSPC : EIO;
  return IoError{code, what + " " + path + ": injected"};
}

void MemoryFiles::write(Node& node, scsi::Bytes from, std::uint64_t offset) {
  if (from.empty()) return;
  if (node.now.size() < offset + from.size()) resize(node, offset + from.size());
  std::memcpy(node.now.data() + offset, from.data(), from.size());
  for (std::uint64_t s = offset / kSector; s <= (offset + from.size() - 1) / kSector; ++s)
    node.dirty.insert(s);
}

void MemoryFiles::resize(Node& node, std::uint64_t size) {
  // Sectors behind the new end read as zeros from now on, but may come back until that is synced.
  for (std::uint64_t s = size / kSector; s * kSector < node.now.size(); ++s) node.dirty.insert(s);
  node.now.resize(size);
}

std::uint64_t MemoryFiles::used_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [path, node] : names_)
    sum += std::max<std::uint64_t>(node->allocated, node->now.size());
  return sum;
}

void MemoryFiles::apply(Names& names, const NameChange& c) {
  switch (c.kind) {
    case NameChange::Kind::kCreate:
      names[c.path] = c.node;
      break;
    case NameChange::Kind::kRemove:
      names.erase(c.path);
      break;
    case NameChange::Kind::kRename: {
      Names out;
      for (auto& [path, node] : names)
        if (is_under(path, c.path)) out[moved(path, c.path, c.to)] = node;
      std::erase_if(names, [&](const auto& entry) { return is_under(entry.first, c.path); });
      for (auto& [path, node] : out) names[path] = node;
      break;
    }
  }
}

void MemoryFiles::change(NameChange c) {
  apply(names_, c);
  pending_.push_back(std::move(c));
}

void MemoryFiles::crash(double survival) {
  std::uniform_real_distribution<double> chance(0.0, 1.0);
  const std::size_t kept = survival >= 1.0 ? pending_.size() : random_() % (pending_.size() + 1);
  for (std::size_t i = 0; i < kept; ++i) apply(durable_, pending_[i]);
  pending_.clear();
  // A name without its directory is nowhere.
  for (bool changed = true; changed;) {
    changed = false;
    for (auto it = durable_.begin(); it != durable_.end();) {
      const std::string parent = parent_of(it->first);
      if (!parent.empty() && durable_.count(parent) == 0) {
        it = durable_.erase(it);
        changed = true;
      } else {
        ++it;
      }
    }
  }
  std::set<Node*> seen;
  for (auto& [path, node] : durable_) {
    if (!seen.insert(node.get()).second) continue;
    std::vector<std::byte> image = node->disk;
    const bool new_size =
        survival >= 1.0 || node->now.size() == node->disk.size() || chance(random_) < 0.5;
    image.resize(new_size ? node->now.size() : node->disk.size());
    for (const std::uint64_t s : node->dirty) {
      if (chance(random_) >= survival) continue;
      // What was cut off and comes back is as it was.
      const std::uint64_t end = std::min<std::uint64_t>(image.size(), node->now.size());
      for (std::uint64_t i = s * kSector; i < (s + 1) * kSector && i < end; ++i)
        image[i] = node->now[i];
    }
    node->now = node->disk = std::move(image);
    node->dirty.clear();
  }
  names_ = durable_;
  locks_.clear();
  heal();
}

void MemoryFiles::unlink(const std::string& path) {
  names_.erase(path);
  durable_.erase(path);
}

void MemoryFiles::copy(const std::string& from, const std::string& to) {
  auto node = std::make_shared<Node>(*names_[from]);
  names_[to] = durable_[to] = node;
}

std::vector<std::string> MemoryFiles::find(const std::string& part) const {
  std::vector<std::string> out;
  for (const auto& [path, node] : names_)
    if (path.find(part) != std::string::npos) out.push_back(path);
  return out;
}

Result<std::unique_ptr<File>> MemoryFiles::open(const std::string& path, Mode mode, Io io) {
  if (auto error = step("open", path)) return *error;
  const auto found = names_.find(path);
  if (mode == Mode::kCreate) {
    if (found != names_.end()) return IoError{EEXIST, "open " + path + ": exists"};
    if (names_.count(parent_of(path)) == 0)
      return IoError{ENOENT, "open " + path + ": no directory"};
    auto node = std::make_shared<Node>();
    change({NameChange::Kind::kCreate, path, {}, node});
    return std::unique_ptr<File>(
        std::make_unique<MemoryFile>(*this, path, node, io == Io::kDirect));
  }
  if (found == names_.end()) return IoError{ENOENT, "open " + path + ": no such file"};
  return std::unique_ptr<File>(
      std::make_unique<MemoryFile>(*this, path, found->second, io == Io::kDirect));
}

Status MemoryFiles::rename(const std::string& from, const std::string& to) {
  if (auto error = step("rename", from)) return *error;
  if (names_.count(from) == 0) return IoError{ENOENT, "rename " + from + ": no such file"};
  if (names_.count(parent_of(to)) == 0)
    return IoError{ENOENT, "rename to " + to + ": no directory"};
  if (const auto there = names_.find(to); there != names_.end()) {
    if (there->second->directory && !names_.at(from)->directory)
      return IoError{EISDIR, "rename to " + to + ": is a directory"};
    for (const auto& [name, node] : names_)
      if (name != to && is_under(name, to))
        return IoError{ENOTEMPTY, "rename to " + to + ": not empty"};
  }
  change({NameChange::Kind::kRename, from, to, nullptr});
  return ok_status();
}

Status MemoryFiles::remove(const std::string& path) {
  if (auto error = step("remove", path)) return *error;
  if (names_.count(path) == 0) return IoError{ENOENT, "remove " + path + ": no such file"};
  for (const auto& [name, node] : names_)
    if (name != path && is_under(name, path))
      return IoError{ENOTEMPTY, "remove " + path + ": not empty"};
  change({NameChange::Kind::kRemove, path, {}, nullptr});
  return ok_status();
}

Status MemoryFiles::make_directory(const std::string& path) {
  if (auto error = step("mkdir", path)) return *error;
  if (names_.count(path) != 0) return ok_status();
  const std::string parent = parent_of(path);
  if (!parent.empty() && names_.count(parent) == 0)
    return IoError{ENOENT, "mkdir " + path + ": no directory"};
  auto node = std::make_shared<Node>();
  node->directory = true;
  change({NameChange::Kind::kCreate, path, {}, node});
  return ok_status();
}

Status MemoryFiles::sync_directory(const std::string& path) {
  if (auto error = step("fsync directory", path)) return *error;
  // Changes in this directory become durable, and with them whatever earlier ones they stand on.
  std::vector<bool> marked(pending_.size());
  std::set<std::string> needed = {path};
  for (std::size_t i = pending_.size(); i-- != 0;) {
    const NameChange& c = pending_[i];
    const bool here = parent_of(c.path) == path || (!c.to.empty() && parent_of(c.to) == path);
    const bool base = needed.count(c.path) != 0 || (!c.to.empty() && needed.count(c.to) != 0);
    if (!here && !base) continue;
    marked[i] = true;
    needed.insert(c.path);
    if (!c.to.empty()) needed.insert(c.to);
  }
  std::vector<NameChange> left;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    NameChange& c = pending_[i];
    if (!marked[i]) {
      left.push_back(c);
      continue;
    }
    apply(durable_, c);
    if (c.kind != NameChange::Kind::kRename) continue;
    for (NameChange& earlier : left) {
      earlier.path = moved(earlier.path, c.path, c.to);
      if (!earlier.to.empty()) earlier.to = moved(earlier.to, c.path, c.to);
    }
  }
  pending_ = std::move(left);
  return ok_status();
}

Result<std::vector<std::string>> MemoryFiles::list(const std::string& path) {
  if (auto error = step("list", path)) return *error;
  const auto found = names_.find(path);
  if (found == names_.end()) return IoError{ENOENT, "list " + path + ": no such directory"};
  if (!found->second->directory) return IoError{ENOTDIR, "list " + path + ": not a directory"};
  std::vector<std::string> out;
  for (const auto& [name, node] : names_)
    if (parent_of(name) == path) out.push_back(name.substr(path.size() + 1));
  return out;
}

Result<bool> MemoryFiles::exists(const std::string& path) {
  if (auto error = step("stat", path)) return *error;
  return names_.count(path) != 0;
}

Result<SpaceInfo> MemoryFiles::space(const std::string& path) {
  if (auto error = step("statvfs", path)) return *error;
  return SpaceInfo{total_bytes, total_bytes - std::min(total_bytes, used_bytes()), in_memory};
}

Result<std::unique_ptr<File>> MemoryFiles::lock(const std::string& path) {
  if (auto error = step("lock", path)) return *error;
  if (locks_.count(path) != 0) return IoError{EAGAIN, "lock " + path + ": held by another"};
  return std::unique_ptr<File>(std::make_unique<MemoryLock>(*this, path));
}

}  // namespace vtl::test
