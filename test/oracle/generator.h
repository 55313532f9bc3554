// Makes up the next step: any, but mostly one that is interesting where the tape stands. Each seed
// has weights of its own, so that what one kind of step would hide is seen where there is none.
#pragma once

#include "test/oracle/oracle.h"

namespace oracle {

class Generator {
 public:
  Generator(Random& random, const Oracle& oracle);
  Step next();

 private:
  enum Choice {
    kWrite,
    kWriteFixed,
    kRead,
    kReadFixed,
    kFilemarks,
    kSpace,
    kLocate10,
    kLocate16,
    kRewind,
    kPosition,
    kErase,
    kVerify,
    kLoad,
    kUnload,
    kPrevent,
    kReady,
    kSense,
    kBlock,
    kPages,
    kModeSense,
    kLog,
    kFormat,
    kCapacity,
    kReadAttribute,
    kWriteAttribute,
    kReserve,
    kPersistentIn,
    kPersistentOut,
    kOverwrite,
    kOthers,
    kInvalid,
    kSession,
    kReset,
    kRobot,
    kPowerOn,
    kChoices
  };
  Step make(Choice choice);
  Step transfer(std::uint8_t opcode, bool fixed);
  Step space();
  Step locate(bool ten);
  Step verify();
  Step select(bool pages);
  void partition_page(Data& list);
  Step mode_sense();
  Step attribute(bool writes);
  Step persistent_out();
  Step invalid();
  Step session();
  Step others();
  std::uint32_t block_size();
  std::uint64_t object();  // a number worth going to
  std::uint64_t key();
  void list_out(Step& step, Data list, std::size_t at, std::size_t width);

  Random& random_;
  const Oracle& oracle_;
  std::array<unsigned, kChoices> weights_{};
  unsigned total_ = 0, ports_ = 1;
  std::uint8_t port_ = 0;  // that sends the next step
  std::uint32_t sizes_[3] = {};
  std::uint64_t writes_ = 0;
};

}  // namespace oracle
