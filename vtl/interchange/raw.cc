// A plain file: blocks of one length, end to end; the last may be shorter. One tape file, no
// filemarks.
#include "vtl/interchange/registry.h"
#include "vtl/interchange/streams.h"

namespace vtl::interchange {

namespace {

class RawFormat final : public Format {
 public:
  std::string_view name() const override { return "raw"; }
  std::string_view description() const override {
    return "a plain file, cut into blocks of one length (the last may be shorter)";
  }

  Report import_tape(FileSystem& files, const std::string& path, const ImportOptions& options,
                     CartridgeWriter& to, const Progress& progress) const override {
    InputFile in(files, path);
    Importer out(to, progress, in.size());
    if (options.block_bytes == 0 || options.block_bytes > kMaxBlockBytes) {
      out.fail("the block length is " + std::to_string(options.block_bytes) + ", allowed: 1 to " +
               std::to_string(kMaxBlockBytes));
      return out.take();
    }
    while (in.ok() && in.remaining() != 0) {
      const scsi::Bytes block = in.read(options.block_bytes);
      if (block.empty() || !out.block(block) || !out.progress(in.offset())) break;
      if (in.remaining() == 0 && block.size() != options.block_bytes)
        out.note("the last block has " + std::to_string(block.size()) + " bytes");
    }
    if (!in.ok()) out.fail(in.error());
    return out.take();
  }

  Report export_tape(FileSystem& files, CartridgeReader& from, const std::string& path,
                     const ExportOptions&, const Progress& progress) const override {
    return write_aside(files, path, [&](const std::string& aside) {
      OutputFile out(files, aside);
      Exporter in(from, progress);
      std::size_t length = 0;
      bool last = false;  // a shorter block has come
      std::uint64_t marks = 0;
      while (out.ok()) {
        const auto object = in.next();
        if (!object) break;
        if (object->kind == TapeObject::Kind::kFilemark) {
          ++marks;
          continue;
        }
        const std::size_t size = object->data.size();
        if (length == 0) length = size;
        std::string why;
        if (marks != 0)
          why = "it follows a filemark, and a raw file has none";
        else if (last || size > length)
          why = "it has another length than those before it, and a raw file keeps no lengths";
        if (!why.empty()) {
          in.fail(in.object() + " cannot be in a raw file: " + why +
                  "; export as \"directory\" or \"simh\"");
          break;
        }
        last = size < length;
        out.write(object->data);
      }
      out.finish();
      if (!out.ok()) in.fail(out.error());
      if (marks != 0)
        in.report().notes.push_back(std::to_string(marks) +
                                    " filemarks at the end of the tape are not in a raw file");
      if (length != 0)
        in.report().notes.push_back("the blocks have " + std::to_string(length) +
                                    " bytes: import with this length");
      return in.take();
    });
  }
};

}  // namespace

const Format& raw_format() {
  static const RawFormat format;
  return format;
}

}  // namespace vtl::interchange
