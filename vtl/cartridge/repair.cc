#include "vtl/cartridge/repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <span>

#include "vtl/cartridge/mam.h"
#include "vtl/cartridge/recovery.h"
#include "vtl/cartridge/superblock.h"

namespace vtl {
namespace {

using format::kBlock;

// Puts a file in the place of `name`, which is set aside; whole or not at all.
Status replace_file(FileSystem& files, const std::string& dir, const std::string& name,
                    scsi::Bytes bytes) {
  const std::string path = dir + "/" + name;
  const std::string aside = path + ".new";
  (void)files.remove(aside);  // of an earlier crash
  {
    const auto file = files.open(aside, FileSystem::Mode::kCreate);
    if (!file) return file.error();
    if (const Status status = (*file)->pwrite(bytes, 0); !status) return status;
    if (const Status status = (*file)->fdatasync(); !status) return status;
  }
  const Result<bool> there = files.exists(path);
  if (!there) return there.error();
  if (*there)
    if (const Status status = set_aside(files, dir, name, name); !status) return status;
  if (const Status status = files.rename(aside, path); !status) return status;
  return files.sync_directory(dir);
}

// Protected, until somebody has looked at what it is: the old label knew more than segments do.
std::array<std::byte, 2 * kBlock> new_label(format::Cart cart) {
  cart.set(format::kWriteProtect, true);
  for (std::uint32_t p = 0; p < cart.partition_count; ++p)
    cart.partitions[p].early_warning_bytes = early_warning_bytes(cart.partitions[p].capacity_bytes);
  std::array<std::byte, 2 * kBlock> slots{};
  format::encode_cart(cart, scsi::MutableBytes(slots).first(kBlock));
  return slots;
}

Result<LabelFindings> check_cart(FileSystem& files, const std::string& dir, bool mend) {
  LabelFindings found;
  const std::string path = dir + "/CART";
  const auto copies = read_cart_copies(files, dir);
  const auto& newest =
      copies[0] && (!copies[1] || copies[0]->gen > copies[1]->gen) ? copies[0] : copies[1];
  // A new cartridge has one copy only.
  if (newest && (newest->gen == 0 || (copies[0] && copies[1]))) return found;
  if (newest) {
    const bool torn = other_copy_is_torn(files, dir, *newest);
    std::string& text =
        torn ? found.torn.emplace_back(path +
                                       ": a crash has cut short the writing of one of the "
                                       "two copies of the label; the other is whole")
             : found.damaged.emplace_back(path + ": one of the two copies of the label is damaged");
    format::Cart cart = *newest;
    if (!mend || !format::is_compatible(cart)) return found;
    if (const Status status = sync_cart(files, dir); !status) return status.error();
    if (const Status status = write_cart(files, dir, cart); !status) return status.error();
    text += "; it was written anew from the other";
    return found;
  }
  std::string& text = found.damaged.emplace_back(
      path + ": both copies of the label are damaged, or the file is lost");
  if (!mend) return found;
  const auto cart = rebuild_cart(files, dir);
  if (!cart)
    return IoError{EBADMSG, path +
                                ": the label is lost, and no segment says what this cartridge "
                                "is: it was blank, or its segments are lost too"};
  if (const Status status = replace_file(files, dir, "CART", new_label(*cart)); !status)
    return status.error();
  text +=
      "; a new one was made from the segments. Lost are its counters, its place and, where an "
      "overwrite was cut short, that it was begun. It is write-protected: look at what is on it, "
      "then use `vtl cartridge unprotect`";
  return found;
}

Result<Findings> check_mam(FileSystem& files, const std::string& dir, bool mend) {
  Findings found;
  const std::string path = dir + "/MAM";
  const auto there = files.exists(path);
  if (!there) return there.error();
  MamStore mam(files, dir);
  const MaybeFault fault = mam.load();
  if (*there && !fault) return found;
  found.push_back(*there ? path + ": the attributes that hosts have written cannot be read"
                         : path + ": missing");
  if (!mend) return found;
  const auto empty = format::encode_mam({});
  if (const Status status = replace_file(files, dir, "MAM", *empty); !status) return status.error();
  found.back() += "; a new, empty one was made";
  return found;
}

}  // namespace

Result<LabelFindings> check_label(FileSystem& files, const std::string& dir, bool mend) {
  if (const Result<bool> there = files.exists(dir); !there || !*there)
    return there ? IoError{ENOENT, dir + ": no such cartridge"} : there.error();
  const auto lock = files.lock(dir + "/LOCK");
  if (!lock) return lock.error();
  Result<LabelFindings> found = check_cart(files, dir, mend);
  if (!found) return found;
  const Result<Findings> more = check_mam(files, dir, mend);
  if (!more) return more.error();
  found->damaged.insert(found->damaged.end(), more->begin(), more->end());
  return found;
}

Result<Findings> check_segments(OpenCartridge& cartridge, bool mend) {
  Findings found;
  for (std::uint32_t p = 0; p < cartridge.partition_count(); ++p) {
    PartitionLog& log = cartridge.log(p);
    for (std::size_t i = 0; i < log.segments.size(); ++i) {
      if (!log.segments[i].sealed) continue;
      const bool header = log.header_is_sound(i);
      if (header && log.footer_is_sound(i)) continue;
      const std::string path = log.path(log.segments[i]);
      // A segment that is lost has no objects to make an index of.
      if (const auto file = log.open(i); !file && file.error().code == ENOENT) continue;
      const char* what = header                   ? "index or trailer"
                         : log.footer_is_sound(i) ? "header"
                                                  : "header and its index or trailer";
      found.push_back(fmt::format("{}: its {} is damaged", path, what));
      if (!mend) continue;
      if (cartridge.read_only()) {
        found.back() += "; nothing of a cartridge that is protected for its state is changed";
        continue;
      }
      if (const MaybeFault fault = cartridge.mend_segment(p, i))
        found.back() += "; it could not be written anew: " + fault->detail;
      else
        found.back() += "; it was written anew from the records";
    }
  }
  return found;
}

}  // namespace vtl
