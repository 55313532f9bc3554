// What an LTO drive must answer, written from the standards' text and what clients need, without a
// look at the drive: a plain model of the tape and of everything that a host can see of a drive.
//
// It follows SSC-4 and SPC-4; where they leave a choice, it takes the one that scsi/ssc/README.md
// names, or both answers. One thread, no state outside.
#pragma once

#include <map>
#include <optional>

#include "test/oracle/step.h"

namespace oracle {

struct Object {
  bool filemark = false;
  Piece block;
};

struct Partition {
  std::vector<Object> objects;
  std::uint64_t early_warning = 0, capacity = 0;  // bytes
  std::map<std::uint16_t, Data> attributes;       // that describe the partition
  std::uint64_t bytes(std::size_t count) const;
  std::uint64_t filemarks(std::size_t count) const;
};

struct Cartridge {
  std::uint8_t generation = 8, medium_type = 0, density = 0;
  bool worm = false, write_protected = false;
  unsigned max_partitions = 1;
  std::uint64_t filemark_limit = 0;  // how many fit at all; 0: any number
  std::vector<Partition> partitions;
  std::map<std::uint16_t, Data> attributes;
  std::uint32_t change_reference = 1;
  std::uint64_t loads = 0;
  bool changed = false;  // in this load session
};

struct Machine {  // what one seed builds
  std::uint8_t generation = 8, native_density = 0;
  std::uint32_t max_block = 0;
  std::map<std::uint16_t, Data> pages;  // the default mode pages, page << 8 | subpage
  Data inquiry;
  std::vector<Cartridge> cartridges;
};

class Oracle {
 public:
  explicit Oracle(Machine machine);

  Expect command(const Step& step);
  void event(const Step& step);  // all but kCommand
  // What the robot may do now.
  bool may_insert(std::uint64_t cartridge) const;
  bool prevented() const;

  // After FORMAT MEDIUM and SET CAPACITY: the sizes are the drive's to choose.
  bool wants_layout() const { return wants_layout_; }
  std::string adopt_layout(const std::vector<std::pair<std::uint64_t, std::uint64_t>>& sizes);

  // --- for whoever makes up the next step, and compares ---
  enum class Load : std::uint8_t { kEmpty, kReady, kEjected, kHeld };
  Load load() const { return load_; }
  bool ready() const { return load_ == Load::kReady; }
  std::optional<std::uint64_t> inside() const { return inside_; }
  const Cartridge& cartridge() const { return machine_.cartridges[*inside_]; }
  const Partition& partition() const { return cartridge().partitions[partition_]; }
  std::uint32_t partition_number() const { return partition_; }
  std::uint64_t position() const { return position_; }
  std::uint64_t must_be_durable() const { return durable_; }  // objects of this partition
  std::uint32_t block_length() const { return block_length_; }
  std::uint8_t buffered_mode() const { return buffered_; }
  std::uint32_t pews() const { return pews_; }
  bool append_only() const { return append_only_; }
  const Machine& machine() const { return machine_; }
  bool logged_in(unsigned port) const { return ports_[port].here; }
  bool known(unsigned port) const { return ports_[port].known; }
  bool attention(unsigned port) const { return !ports_[port].attentions.empty(); }
  std::optional<std::uint64_t> key_of(unsigned port) const;
  std::uint8_t reservation_type() const { return reservation_ ? reservation_->type : 0; }
  std::optional<unsigned> reserve_holder() const { return reserved_by_; }
  unsigned shown_partitions() const;
  unsigned max_partitions() const { return ready() ? cartridge().max_partitions : 1; }
  Data page(std::uint16_t page) const;
  static bool reserved_bit(const std::array<std::uint8_t, 16>& cdb, unsigned byte, unsigned bit);

 private:
  struct Port {
    bool known = false, here = false, prevents = false;
    std::vector<std::uint16_t> attentions;
    std::optional<Expect> deferred;  // what an IMMED = 1 command met afterwards
  };
  struct Reservation {
    std::uint8_t type;
    unsigned holder;
  };
  enum class Who : std::uint8_t { kAnyone, kReaders, kNotReserve, kHolder };

  // oracle.cc
  Expect run(const Step& step);
  std::optional<Expect> refused_fields(const Step& step) const;
  Expect not_ready() const;
  void raise(unsigned port, std::uint16_t attention);
  void raise_all(std::uint16_t attention, std::optional<unsigned> but = {});
  std::uint16_t take_attention(unsigned port);
  void reset();
  void become_ready(std::optional<unsigned> but);
  void leave();  // what ends with a load
  Expect request_sense(const Step& step);
  Expect load_unload(const Step& step);
  Expect prevent_allow(const Step& step);
  static Expect allocated(Data data, std::uint64_t allocation);
  static Expect allocated(std::uint64_t allocation, std::function<std::string(const Data&)> check);

  // transfer.cc
  Expect read(const Step& step);
  Expect verify(const Step& step);
  Expect verify_marks(const Step& step);
  Expect read_rules(std::uint32_t count, std::uint32_t length, bool fixed, bool sili,
                    const Step* compare);
  Expect write(const Step& step);
  Expect write_filemarks(const Step& step);
  Expect erase(const Step& step);
  Expect allow_overwrite(const Step& step);
  std::optional<Expect> write_protected() const;
  std::optional<Expect> not_appendable();
  void cut();
  void changed();
  Expect ended_write() const;

  // position.cc
  Expect space(const Step& step);
  Expect locate(std::uint32_t partition, bool change, int kind, std::uint64_t target,
                std::optional<unsigned> immediate);
  Expect read_position(const Step& step);
  void moved() { overwrite_allowed_ = format_allowed_ = false; }
  bool past_early_warning(std::uint64_t bytes) const { return bytes >= partition().early_warning; }
  bool past_programmable(std::uint64_t bytes) const;

  // pages.cc
  Expect mode_sense(const Step& step);
  Expect mode_select(const Step& step);
  Expect log_sense(const Step& step);
  Expect read_attribute(const Step& step);
  Expect write_attribute(const Step& step);
  Expect format(const Step& step);
  Expect set_capacity(const Step& step);
  std::optional<Expect> not_formattable();
  void formatted(std::optional<unsigned> partitions);

  // reservations.cc
  bool conflicts(const Step& step) const;
  bool has_access(unsigned port) const;
  Expect reserve(unsigned port);
  Expect release(unsigned port);
  Expect persistent_in(const Step& step) const;
  Expect persistent_out(const Step& step);
  Expect preempt(unsigned port, std::uint64_t victim, std::uint8_t type, bool abort);
  void unregister(unsigned port);
  void raise_registrants(std::uint16_t attention, unsigned but);

  Cartridge& tape() { return machine_.cartridges[*inside_]; }
  Partition& here() { return tape().partitions[partition_]; }

  Machine machine_;
  std::array<Port, kPorts> ports_;
  Load load_ = Load::kEmpty;
  std::optional<std::uint64_t> inside_;
  std::uint32_t partition_ = 0;
  std::uint64_t position_ = 0, durable_ = 0;
  std::uint64_t buffered_objects_ = 0;  // at the end of this partition, not yet on the medium
  std::uint32_t block_length_ = 0;
  std::uint8_t buffered_ = 1;
  bool compression_ = true, control_swp_ = false, device_swp_ = false;
  std::uint32_t pews_ = 0;
  bool append_only_ = false, overwrite_allowed_ = false, format_allowed_ = false;
  std::optional<unsigned> staged_;  // partitions, by mode page 11h
  bool wants_layout_ = false, any_layout_ = false;
  std::optional<unsigned> reserved_by_;
  std::map<unsigned, std::uint64_t> keys_;
  std::optional<Reservation> reservation_;
  std::uint32_t generation_ = 0;
  std::uint64_t written_by_hosts_ = 0, sent_to_hosts_ = 0;  // bytes: log page 0Ch
};

inline std::uint64_t number_in(const Data& data, std::size_t at, std::size_t width) {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < width; ++i) out = out << 8 | data.at(at + i);
  return out;
}
inline void put(Data& data, std::uint64_t value, std::size_t width) {
  while (width-- > 0) data.push_back(static_cast<std::uint8_t>(value >> 8 * width));
}

}  // namespace oracle
