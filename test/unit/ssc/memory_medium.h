// A cartridge in memory: a full TapeMedium with faults on demand, a small capacity, and completions
// that come at once or when the test says so.
//
// What is buffered is kept apart from what is durable: objects from `durable` on are lost by
// lose_buffered(), as the store loses them when a write behind the drive's back fails.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "scsi/ssc/medium.h"

namespace scsi::ssc {

class MemoryMedium : public TapeMedium {
 public:
  struct Object {
    bool filemark = false;
    std::vector<std::byte> data;
    std::shared_ptr<const Encryption> encryption;  // that it was written under
    bool external = false;
  };
  struct Partition {
    std::vector<Object> objects;
    std::size_t written = 0;  // the first `written` objects are out of the buffer
    std::size_t durable = 0;
    std::uint64_t capacity_bytes = 64u << 20;
    std::uint64_t early_warning_bytes = 60u << 20;
    std::map<std::uint16_t, Attribute> attributes;
  };

  explicit MemoryMedium(std::uint8_t generation = 8, std::size_t partitions = 1)
      : partitions_(partitions) {
    info_.barcode = "VTL001L" + std::to_string(generation);
    info_.serial = "MEM0000001";
    info_.generation = generation;
    info_.manufactured = "20260102";
  }

  // --- the test's side ---
  MediumInfo& label() { return info_; }
  Partition& at(std::size_t index) { return partitions_[index]; }
  bool loaded() const { return loaded_; }
  WriteMode last_mode() const { return last_mode_; }
  std::uint64_t flushes() const { return flushes_; }
  bool compresses() const { return compresses_; }

  void set_capacity(std::uint64_t early_warning, std::uint64_t capacity) {
    for (Partition& p : partitions_) {
      p.early_warning_bytes = early_warning;
      p.capacity_bytes = capacity;
    }
  }
  // From now on operations end only in complete_one() or complete_all().
  void defer_completions(bool on) { deferring_ = on; }
  void set_progress(std::uint16_t of_65536) { progress_ = of_65536; }
  std::size_t outstanding() const { return pending_.size(); }
  void complete_one() {
    Callback next = std::move(pending_.front());
    pending_.pop_front();
    next();
  }
  void complete_all() {
    while (!pending_.empty()) complete_one();
  }
  // The next operation that could meet it ends with this fault, having done nothing.
  void fail_next(MediumFault::Kind kind) { next_fault_ = MediumFault{kind, 0, "injected"}; }
  // Reading this object gives a fault and passes it.
  void damage(std::uint32_t partition, std::uint64_t object, MediumFault::Kind kind) {
    damaged_[{partition, object}] = kind;
  }
  // The writer fails behind the drive's back: what was buffered is gone, and nothing more is taken.
  void lose_buffered() {
    Partition& p = current();
    const std::uint64_t lost = p.objects.size() - p.written;
    p.objects.resize(p.written);
    position_ = std::min<std::uint64_t>(position_, p.objects.size());
    append_failed_ = true;
    deferred_ = MediumFault{MediumFault::Kind::kWriteError, lost, "injected"};
  }

  // --- TapeMedium ---
  const MediumInfo& info() const override { return info_; }
  std::uint16_t progress() const override { return progress_; }

  void load(LoadRecord drive, Done<LoadOutcome> done) override {
    end([this, drive = std::move(drive), done = std::move(done)]() mutable {
      LoadOutcome out{take_fault()};
      if (!out.fault) {
        loaded_ = true;
        append_failed_ = false;
        changed_ = false;
        compresses_ = true;
        partition_ = 0;
        position_ = 0;
        ++info_.load_count;
        std::rotate(info_.last_loads.rbegin(), info_.last_loads.rbegin() + 1,
                    info_.last_loads.rend());
        info_.last_loads[0] = std::move(drive);
        info_.bytes_read_load = info_.bytes_written_load = 0;
      }
      done(std::move(out));
    });
  }
  void unload(Done<WriteOutcome> done) override {
    end([this, done = std::move(done)]() mutable {
      WriteOutcome out = settle(WriteMode::kDurable);
      loaded_ = false;
      done(std::move(out));
    });
  }

  std::uint32_t partition_count() const override {
    return static_cast<std::uint32_t>(partitions_.size());
  }
  PartitionInfo partition(std::uint32_t index) const override {
    const Partition& p = partitions_[index];
    return {p.capacity_bytes, p.early_warning_bytes, bytes(p, p.objects.size()), p.objects.size(),
            filemarks(p, p.objects.size())};
  }
  Position position() const override {
    return {partition_, position_, filemarks(partitions_[partition_], position_)};
  }
  std::uint64_t position_bytes() const override {
    return bytes(partitions_[partition_], position_);
  }
  std::uint64_t buffered_objects() const override {
    return partitions_[partition_].objects.size() - partitions_[partition_].written;
  }
  std::uint64_t buffered_bytes() const override {
    const Partition& p = partitions_[partition_];
    return bytes(p, p.objects.size()) - bytes(p, p.written);
  }
  std::optional<MediumFault> take_deferred_fault() override {
    return std::exchange(deferred_, std::nullopt);
  }
  bool append_failed() const override { return append_failed_; }

  void set_handling(const BlockHandling& handling) override { handling_ = handling; }
  const BlockHandling& handling() const { return handling_; }
  void next_block(Done<NextBlock> done) override {
    NextBlock out;
    const std::vector<Object>& objects = current().objects;
    if (position_ >= objects.size()) {
      out.kind = NextBlock::Kind::kEndOfData;
    } else if (objects[position_].filemark) {
      out.kind = NextBlock::Kind::kFilemark;
    } else if (const Object& object = objects[position_]; object.encryption) {
      out.encrypted = true;
      out.external = object.external;
      out.raw_readable = object.encryption->raw_readable;
      out.refusal = refusal(object);
      out.associated = object.encryption->associated;
    }
    end([done = std::move(done), out = std::move(out)]() mutable { done(std::move(out)); });
  }

  // With handling.written, `data` has its four bytes behind each block.
  void write(Buffer data, std::uint32_t block_length, WriteMode mode,
             Done<WriteOutcome> done) override {
    const std::uint32_t stride = block_length + protection_bytes(handling_.written);
    VTL_CHECK(block_length != 0 && data.size() % stride == 0);
    end([this, data = std::move(data), block_length, stride, mode,
         done = std::move(done)]() mutable {
      WriteOutcome out;
      if (!refuse(out)) {
        cut();
        for (std::size_t at = 0; at < data.size() && !out.full; at += stride) {
          if (bytes(current(), position_) + block_length > current().capacity_bytes) {
            out.full = true;
            break;
          }
          const Bytes block = data.view().subspan(at, block_length);
          append(encrypted({false, {block.begin(), block.end()}, {}, false}), out);
          info_.bytes_written_life += block_length;
          info_.bytes_written_load += block_length;
        }
        ended_write(mode, out);
      }
      done(std::move(out));
    });
  }
  void write_filemarks(std::uint32_t count, WriteMode mode, Done<WriteOutcome> done) override {
    end([this, count, mode, done = std::move(done)]() mutable {
      WriteOutcome out;
      if (!refuse(out)) {
        if (count != 0) cut();
        for (std::uint32_t i = 0; i < count; ++i) {
          if (filemark_limit_ != 0 && partition(partition_).filemarks >= filemark_limit_) {
            out.full = true;
            break;
          }
          append({true, {}, {}, false}, out);
        }
        ended_write(mode, out);
      }
      done(std::move(out));
    });
  }
  // How many filemarks fit at all; 0: any number.
  void set_filemark_limit(std::uint64_t limit) { filemark_limit_ = limit; }

  void read(std::uint32_t block_length, std::uint32_t count, Done<ReadOutcome> done) override {
    end([this, block_length, count, done = std::move(done)]() mutable {
      settle(WriteMode::kBuffered);
      done(read_now(block_length, count));
    });
  }
  void space(SpaceUnit unit, std::int64_t count, Done<SpaceOutcome> done) override {
    end([this, unit, count, done = std::move(done)]() mutable {
      SpaceOutcome out;
      out.fault = settle(WriteMode::kBuffered).fault;
      if (out.fault)
        out.stop = SpaceOutcome::Stop::kFault;
      else
        space_now(unit, count, out);
      done(std::move(out));
    });
  }
  void locate_object(std::uint32_t partition, std::uint64_t object,
                     Done<SpaceOutcome> done) override {
    locate(partition, std::move(done), [object](const Partition&) { return object; });
  }
  void locate_file(std::uint32_t partition, std::uint64_t file, Done<SpaceOutcome> done) override {
    locate(partition, std::move(done), [file](const Partition& p) -> std::uint64_t {
      std::uint64_t seen = 0;
      if (file == 0) return 0;
      for (std::size_t i = 0; i < p.objects.size(); ++i)
        if (p.objects[i].filemark && ++seen == file) return i + 1;
      return ~std::uint64_t{0};
    });
  }
  void locate_end_of_data(std::uint32_t partition, Done<SpaceOutcome> done) override {
    locate(partition, std::move(done), [](const Partition& p) { return p.objects.size(); });
  }
  void erase(Done<WriteOutcome> done) override {
    end([this, done = std::move(done)]() mutable {
      WriteOutcome out;
      if (!refuse(out)) {
        cut();
        out.accepted = 1;  // a change, though no object
        ended_write(WriteMode::kDurable, out);
      }
      done(std::move(out));
    });
  }
  void format(std::vector<std::uint64_t> capacities, Done<WriteOutcome> done) override {
    end([this, capacities = std::move(capacities), done = std::move(done)]() mutable {
      WriteOutcome out;
      if (!refuse(out)) {
        std::uint64_t full = info_.full_capacity_bytes, sum = 0;
        if (full == 0)
          for (const Partition& p : partitions_) full += p.capacity_bytes;
        std::map<std::uint16_t, Attribute> kept = std::move(partitions_[0].attributes);
        std::erase_if(kept, [](const auto& each) { return describes_partition(each.first); });
        partitions_.assign(capacities.size(), {});
        partitions_[0].attributes = std::move(kept);
        for (std::size_t i = 0; i < capacities.size(); ++i) {
          partitions_[i].capacity_bytes = capacities[i];
          partitions_[i].early_warning_bytes = capacities[i] - capacities[i] / 8;
          sum += capacities[i];
        }
        info_.full_capacity_bytes = sum == full ? 0 : full;
        ++info_.initialization_count;
        partition_ = 0;
        position_ = 0;
        out.accepted = 1;
        ended_write(WriteMode::kDurable, out);
      }
      done(std::move(out));
    });
  }
  void set_compression(bool on) override { compresses_ = on; }
  void flush(WriteMode mode, Done<WriteOutcome> done) override {
    end([this, mode, done = std::move(done)]() mutable {
      ++flushes_;
      done(settle(mode));
    });
  }

  std::vector<Attribute> host_attributes(std::uint32_t partition) const override {
    std::vector<Attribute> out;
    for (const auto& [id, attribute] : partitions_[partition].attributes) out.push_back(attribute);
    return out;
  }
  void write_host_attributes(std::uint32_t partition, std::vector<Attribute> attributes,
                             Done<WriteOutcome> done) override {
    end([this, partition, attributes = std::move(attributes), done = std::move(done)]() mutable {
      WriteOutcome out;
      out.fault = take_fault();
      if (!out.fault)
        for (Attribute& attribute : attributes) {
          auto& stored = partitions_[partition].attributes;
          if (attribute.value.empty())
            stored.erase(attribute.id);
          else
            stored[attribute.id] = std::move(attribute);
        }
      done(std::move(out));
    });
  }

 private:
  static std::uint64_t bytes(const Partition& p, std::size_t count) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += p.objects[i].data.size();
    return sum;
  }
  static std::uint64_t filemarks(const Partition& p, std::size_t count) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += p.objects[i].filemark ? 1 : 0;
    return sum;
  }
  Partition& current() { return partitions_[partition_]; }
  // A block keeps its bytes, and remembers what it was written under.
  Object encrypted(Object object) const {
    const auto& encryption = handling_.encryption;
    if (encryption && encryption->write != Encryption::Write::kDisable) {
      object.encryption = encryption;
      object.external = encryption->write == Encryption::Write::kExternal;
    }
    return object;
  }
  CipherRefusal refusal(const Object& object) const {
    using Read = Encryption::Read;
    const Read mode = handling_.encryption ? handling_.encryption->read : Read::kDisable;
    if (!object.encryption)
      return mode == Read::kDecrypt ? CipherRefusal::kNotEncrypted : CipherRefusal::kNone;
    if (mode == Read::kDisable) return CipherRefusal::kNoKey;
    if (mode == Read::kRaw)
      return object.encryption->raw_readable ? CipherRefusal::kNone : CipherRefusal::kNotRaw;
    const Bytes key = object.encryption->key.view(), given = handling_.encryption->key.view();
    return std::equal(key.begin(), key.end(), given.begin()) ? CipherRefusal::kNone
                                                             : CipherRefusal::kWrongKey;
  }
  void end(Callback work) {
    if (deferring_)
      pending_.push_back(std::move(work));
    else
      work();
  }
  std::optional<MediumFault> take_fault() { return std::exchange(next_fault_, std::nullopt); }
  bool refuse(WriteOutcome& out) {
    out.fault = take_fault();
    if (!out.fault && append_failed_)
      out.fault = MediumFault{MediumFault::Kind::kWriteError, 0, "append failed before"};
    if (out.fault && out.fault->kind == MediumFault::Kind::kWriteError) append_failed_ = true;
    return out.fault.has_value();
  }
  void cut() {
    Partition& p = current();
    p.objects.resize(position_);
    p.written = std::min<std::size_t>(p.written, position_);
    p.durable = std::min<std::size_t>(p.durable, position_);
  }
  void append(Object object, WriteOutcome& out) {
    current().objects.push_back(std::move(object));
    ++position_;
    ++out.accepted;
  }
  void ended_write(WriteMode mode, WriteOutcome& out) {
    last_mode_ = mode;
    if (!changed_ && out.accepted != 0) {
      changed_ = true;
      ++info_.volume_change_reference;
    }
    if (mode == WriteMode::kDurable) settle(mode);
    if (bytes(current(), position_) >= current().early_warning_bytes)
      out.zone = Zone::kEarlyWarning;
  }
  WriteOutcome settle(WriteMode mode) {
    WriteOutcome out;
    out.fault = take_fault();
    if (out.fault) {
      out.fault->objects_lost = buffered_objects();
      current().objects.resize(current().written);
      position_ = std::min<std::uint64_t>(position_, current().objects.size());
      append_failed_ = true;
      return out;
    }
    for (Partition& p : partitions_) {
      p.written = p.objects.size();
      if (mode == WriteMode::kDurable) p.durable = p.written;
    }
    return out;
  }
  ReadOutcome read_now(std::uint32_t block_length, std::uint32_t count) {
    ReadOutcome out;
    while (out.blocks < count) {
      if (position_ >= current().objects.size()) {
        out.stop = ReadOutcome::Stop::kEndOfData;
        return out;
      }
      const std::uint64_t here = position_;
      const Object& object = current().objects[here];
      if (!object.filemark && refusal(object) != CipherRefusal::kNone) {
        out.stop = ReadOutcome::Stop::kRefused;
        out.refusal = refusal(object);
        return out;
      }
      ++position_;
      if (auto bad = damaged_.find({partition_, here}); bad != damaged_.end()) {
        out.stop = ReadOutcome::Stop::kFault;
        out.fault = MediumFault{bad->second, 0, "injected"};
        return out;
      }
      if (object.filemark) {
        out.stop = ReadOutcome::Stop::kFilemark;
        return out;
      }
      const std::size_t size = std::min<std::size_t>(object.data.size(), block_length);
      SliceList slices =
          slices_of({object.data.begin(), object.data.begin() + std::ptrdiff_t(size)});
      out.data.insert(out.data.end(), slices.begin(), slices.end());
      if (handling_.read != Protection::kNone) {
        const std::uint32_t value =
            protection_value(handling_.read, Bytes(object.data).first(size));
        const auto four = encode_protection(handling_.read, value);
        slices = slices_of({four.begin(), four.end()});
        out.data.insert(out.data.end(), slices.begin(), slices.end());
      }
      info_.bytes_read_life += size;
      info_.bytes_read_load += size;
      if (object.data.size() != block_length) {
        out.stop = ReadOutcome::Stop::kLength;
        out.actual_length = static_cast<std::uint32_t>(object.data.size());
        return out;
      }
      ++out.blocks;
    }
    return out;
  }
  void space_now(SpaceUnit unit, std::int64_t count, SpaceOutcome& out) {
    using Stop = SpaceOutcome::Stop;
    const std::uint64_t wanted = static_cast<std::uint64_t>(count < 0 ? -count : count);
    const std::vector<Object>& objects = current().objects;
    while (out.spaced < wanted) {
      if (count > 0 ? position_ >= objects.size() : position_ == 0) {
        out.stop = count > 0 ? Stop::kEndOfData : Stop::kBeginning;
        return;
      }
      const bool filemark = objects[count > 0 ? position_ : position_ - 1].filemark;
      position_ = count > 0 ? position_ + 1 : position_ - 1;
      if (unit == SpaceUnit::kBlocks && filemark) {
        out.stop = Stop::kFilemark;
        return;
      }
      if (unit == SpaceUnit::kBlocks || filemark) ++out.spaced;
    }
  }
  template <class Target>
  void locate(std::uint32_t partition, Done<SpaceOutcome> done, Target target) {
    VTL_CHECK(partition < partitions_.size());
    end([this, partition, target, done = std::move(done)]() mutable {
      SpaceOutcome out;
      out.fault = settle(WriteMode::kBuffered).fault;
      if (out.fault) {
        out.stop = SpaceOutcome::Stop::kFault;
      } else {
        partition_ = partition;
        position_ = target(current());
        if (position_ > current().objects.size()) {
          position_ = current().objects.size();
          out.stop = SpaceOutcome::Stop::kEndOfData;
        }
      }
      done(std::move(out));
    });
  }

  MediumInfo info_;
  std::vector<Partition> partitions_;
  std::uint32_t partition_ = 0;
  std::uint64_t position_ = 0;
  bool loaded_ = false;
  bool changed_ = false;
  bool compresses_ = true;
  bool append_failed_ = false;
  bool deferring_ = false;
  std::uint16_t progress_ = 0;
  BlockHandling handling_;
  std::uint64_t filemark_limit_ = 0;
  std::uint64_t flushes_ = 0;
  WriteMode last_mode_ = WriteMode::kBuffered;
  std::optional<MediumFault> next_fault_;
  std::optional<MediumFault> deferred_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, MediumFault::Kind> damaged_;
  std::deque<Callback> pending_;
};

}  // namespace scsi::ssc
