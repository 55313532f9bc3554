#include "vtl/interchange/streams.h"

#include <algorithm>
#include <cerrno>

namespace vtl::interchange {

namespace {

constexpr std::size_t kPiece = 1u << 20;

}  // namespace

InputFile::InputFile(FileSystem& files, const std::string& path) {
  auto file = files.open(path, FileSystem::Mode::kRead);
  if (!file) {
    error_ = file.error().what;
    return;
  }
  file_ = std::move(*file);
  const auto size = file_->size();
  if (size)
    size_ = *size;
  else
    error_ = size.error().what;
}

scsi::Bytes InputFile::read(std::size_t n) {
  if (!ok() || offset_ >= size_) return {};
  n = static_cast<std::size_t>(std::min<std::uint64_t>(n, size_ - offset_));
  if (offset_ < window_offset_ || offset_ + n > window_offset_ + window_.size()) {
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(std::max(n, kPiece), size_ - offset_));
    window_.resize(want);
    window_offset_ = offset_;
    const auto got = file_->pread(window_, offset_);
    if (!got || *got < n) {
      error_ = got ? "the file became shorter while it was read" : got.error().what;
      window_.clear();
      return {};
    }
    window_.resize(*got);
  }
  const scsi::Bytes bytes =
      scsi::Bytes(window_).subspan(static_cast<std::size_t>(offset_ - window_offset_), n);
  offset_ += n;
  return bytes;
}

OutputFile::OutputFile(FileSystem& files, const std::string& path) {
  auto file = files.open(path, FileSystem::Mode::kCreate);
  if (file)
    file_ = std::move(*file);
  else
    error_ = file.error().what;
  pending_.reserve(kPiece);
}

void OutputFile::write(scsi::Bytes bytes) {
  while (ok() && !bytes.empty()) {
    const std::size_t n = std::min(bytes.size(), kPiece - pending_.size());
    pending_.insert(pending_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    bytes = bytes.subspan(n);
    if (pending_.size() == kPiece) flush();
  }
}

void OutputFile::flush() {
  if (!ok() || pending_.empty()) return;
  if (const Status done = file_->pwrite(pending_, written_); !done) error_ = done.error().what;
  written_ += pending_.size();
  pending_.clear();
}

void OutputFile::finish() {
  flush();
  if (!ok()) return;
  if (const Status done = file_->fdatasync(); !done) error_ = done.error().what;
}

bool Importer::fail(std::string error) {
  if (report_.ok()) report_.error = std::move(error);
  return false;
}

bool Importer::block(scsi::Bytes bytes) {
  if (const Status done = to_.write_block(bytes); !done)
    return fail("block " + std::to_string(report_.blocks) + " of " + std::to_string(bytes.size()) +
                " bytes does not go onto the cartridge: " + done.error().what);
  ++report_.blocks;
  report_.bytes += bytes.size();
  return true;
}

bool Importer::filemark() {
  if (const Status done = to_.write_filemark(); !done)
    return fail("filemark " + std::to_string(report_.filemarks) +
                " does not go onto the cartridge: " + done.error().what);
  ++report_.filemarks;
  return true;
}

bool Importer::progress(std::uint64_t bytes_done) {
  if (!progress_ || (bytes_done - told_ < kPiece && bytes_done != total_)) return true;
  told_ = bytes_done;
  if (progress_(bytes_done, total_)) return true;
  report_.cancelled = true;
  return false;
}

bool Exporter::fail(std::string error) {
  if (report_.ok()) report_.error = std::move(error);
  return false;
}

std::optional<TapeObject> Exporter::next() {
  position_ = from_.position();
  const TapeObject object = from_.next();
  switch (object.kind) {
    case TapeObject::Kind::kEndOfData:
      if (progress_) progress_(position_, from_.end_of_data());
      return std::nullopt;
    case TapeObject::Kind::kDamaged:
      fail("object " + std::to_string(position_) +
           " of the cartridge cannot be read: " + object.detail);
      return std::nullopt;
    case TapeObject::Kind::kFilemark:
      ++report_.filemarks;
      break;
    case TapeObject::Kind::kBlock:
      ++report_.blocks;
      report_.bytes += object.data.size();
      break;
  }
  // Every object counts a little, so that a tape of filemarks can be cancelled as well.
  told_bytes_ += object.data.size() + 64;
  if (progress_ && told_bytes_ >= kPiece) {
    told_bytes_ = 0;
    if (!progress_(position_, from_.end_of_data())) {
      report_.cancelled = true;
      return std::nullopt;
    }
  }
  return object;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string at_offset(const std::string& path, std::uint64_t offset, const std::string& what) {
  return path + " at offset " + std::to_string(offset) + ": " + what;
}

void remove_tree(FileSystem& files, const std::string& path) {
  // A link to a directory goes at once, and what it points to is not looked into.
  if (files.remove(path)) return;
  if (const auto names = files.list(path))
    for (const std::string& name : *names) remove_tree(files, path + '/' + name);
  (void)files.remove(path);
}

Report write_aside(FileSystem& files, const std::string& path,
                   const std::function<Report(const std::string& aside)>& fill) {
  Report report;
  const auto there = files.exists(path);
  if (!there || *there) {
    report.error = there ? path + " exists already: choose another name" : there.error().what;
    return report;
  }
  const std::string aside = path + ".part";
  const auto left = files.exists(aside);
  if (!left || *left) {  // it may be anybody's
    report.error = left ? aside + " is in the way: left by an export that was cut short? Remove it"
                        : left.error().what;
    return report;
  }
  report = fill(aside);
  if (report.ok()) {
    Status done = files.rename(aside, path);
    if (done) {
      done = files.sync_directory(folder_of(path));
      if (!done) remove_tree(files, path);
    }
    if (!done) report.error = done.error().what;
  }
  if (!report.ok()) remove_tree(files, aside);
  return report;
}

}  // namespace vtl::interchange
