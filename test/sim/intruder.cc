#include <fmt/format.h>

#include "test/sim/hosts.h"
#include "test/sim/world.h"

namespace sim {

Intruder::Intruder(World& world, const DriveHost& owner, std::size_t drive)
    : Host(world, drive_target(drive), static_cast<std::uint8_t>(50 + drive)),
      owner_(owner),
      drive_(drive) {}

bool Intruder::act_online() {
  if (waiting_ != 0 || world_.calm() || !world_.random().chance(100) || !initiator_->may_send())
    return false;
  // Harmless ones; and what would do harm if the drive were not reserved - where nothing but the
  // host that has reserved it can end that.
  const bool refused = owner_.reserves() && !world_.swarm().lines_fail();
  constexpr std::uint8_t kHarmless[] = {0x00, 0x12, 0x34}, kHarmful[] = {0x01, 0x10, 0x19, 0x1B};
  Cdb cdb{};
  const std::uint8_t opcode =
      refused ? kHarmful[world_.random().below(4)] : kHarmless[world_.random().below(3)];
  cdb[0] = static_cast<std::byte>(opcode);
  std::uint32_t limit = 0;
  if (opcode == 0x12) cdb[4] = std::byte{36}, limit = 36;
  if (opcode == 0x34) cdb[1] = std::byte{6}, limit = 32;
  if (opcode == 0x10) cdb[4] = std::byte{1};
  ++waiting_;
  ++world_.count().commands;
  world_.trace(fmt::format("intruder at drive {}: {:02x}", drive_, opcode));
  initiator_->command(cdb, limit, {}, [this, opcode, refused](const Answer& answer) {
    --waiting_;
    world_.trace(fmt::format("intruder at drive {}: {:02x}: {}", drive_, opcode, answer.text()));
    check(!answer.deferred(), "a host that has never written is told of a write error");
    const bool conflict = answer.status == 0x18;
    check(!conflict || (world_.swarm().reserve && opcode != 0x12), "a conflict without reason");
    check(!refused || conflict || answer.key() == 6, "a reservation does not hold");
    check(opcode != 0x12 || (answer.good() && answer.data.size() == 36), "INQUIRY has failed");
  });
  return true;
}

}  // namespace sim
