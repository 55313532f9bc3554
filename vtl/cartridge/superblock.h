// CART on disk: two slots, written in turn, so that a torn write leaves the other; and the identity
// of a cartridge whose CART is gone. Blocks.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "vtl/cartridge/file.h"
#include "vtl/cartridge/format.h"

namespace vtl {

struct Label {
  format::Cart cart;
  bool damaged = false;  // CART cannot be read: this was put together from segment headers
};
// ENOENT: there is no cartridge. EPROTONOSUPPORT: of a newer format. EBADMSG: nothing says what it
// is.
Result<Label> read_label(FileSystem& files, const std::string& dir);

// What a label says to a drive.
scsi::ssc::MediumInfo medium_info(const Label& label);

// The valid slot with the highest gen; EBADMSG if there is none.
Result<format::Cart> read_cart(FileSystem& files, const std::string& dir);
// The two copies, each as far as it can be read; neither where there is no such file.
std::array<std::optional<format::Cart>, 2> read_cart_copies(FileSystem& files,
                                                            const std::string& dir);
// Whether the copy beside `cart`, the valid one, may be what power leaves that goes in the middle
// of write_cart(): sectors of the label that was to come and of the one before. Not for certain:
// some damage looks the same. The next load mends either.
bool other_copy_is_torn(FileSystem& files, const std::string& dir, const format::Cart& cart);
// A label from what the segments say, if any says something.
std::optional<format::Cart> rebuild_cart(FileSystem& files, const std::string& dir);
// Makes what read_cart() reads durable. A process that was killed, or a sync that has failed, may
// have left its last slot in the system's memory only: nothing may be done because of it, nor the
// other slot written, before.
Status sync_cart(FileSystem& files, const std::string& dir);
// Advances cart.gen and writes its slot; durable. The slot before is taken to be. After a failure
// gen is as before, so that the next attempt does not touch that slot either.
Status write_cart(FileSystem& files, const std::string& dir, format::Cart& cart);

}  // namespace vtl
