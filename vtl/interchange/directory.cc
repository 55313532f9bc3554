// A directory with a file for each tape file and a manifest that holds what plain files cannot:
// block lengths and filemarks. manifest.json:
//
//   {"format": "vtl-tape-directory", "version": 1,
//    "files": [{"name": "file-0001.bin", "bytes": 7865554, "crc32c": "a1b2c3d4",
//               "blocks": [[65536, 120], [1234, 1]], "filemarks": 1}, ...]}
//
// "blocks" are runs of [length, count]; "filemarks" follow the file's last block. An entry without
// a name has no blocks: filemarks at the beginning of the tape. A directory without a manifest can
// be imported: each file, by name, is a tape file of blocks of one length with a filemark behind
// it.
#include <nlohmann/json.hpp>

#include "scsi/crc32c.h"
#include "vtl/interchange/registry.h"
#include "vtl/interchange/streams.h"

namespace vtl::interchange {

namespace {

using nlohmann::json;

constexpr const char* kManifest = "/manifest.json";
constexpr const char* kKind = "vtl-tape-directory";
constexpr std::uint64_t kLargestManifest = 1u << 30;

struct Run {
  std::uint32_t length;
  std::uint64_t count;
};
struct TapeFile {
  std::string name;  // empty: no blocks
  std::uint64_t bytes = 0;
  std::uint32_t crc = 0;
  std::vector<Run> blocks;
  std::uint64_t filemarks = 0;
};

std::string hex8(std::uint32_t value) {
  std::string text(8, '0');
  for (std::size_t i = 8; i-- > 0; value >>= 4) text[i] = "0123456789abcdef"[value & 15];
  return text;
}

// --- manifest in

// What is wrong with an entry, or nothing. Types are checked before values are taken: the file is
// someone else's.
std::string parse_entry(const json& in, TapeFile& out) {
  if (!in.is_object()) return "is not an object";
  for (const auto& [key, value] : in.items())
    if (key != "name" && key != "bytes" && key != "crc32c" && key != "blocks" && key != "filemarks")
      return "has the unknown key \"" + key + "\"";
  const auto is_count = [&](const char* key) {
    return in.contains(key) && in[key].is_number_unsigned();
  };
  if (!is_count("filemarks")) return "has no number of filemarks";
  out.filemarks = in["filemarks"];
  if (!in.contains("blocks") || !in["blocks"].is_array()) return "has no list of blocks";
  std::uint64_t bytes = 0;
  for (const json& run : in["blocks"]) {
    if (!run.is_array() || run.size() != 2 || !run[0].is_number_unsigned() ||
        !run[1].is_number_unsigned())
      return "has blocks that are not [length, count]";
    const std::uint64_t length = run[0], count = run[1];
    if (length == 0 || length > kMaxBlockBytes || count == 0)
      return "has a block of " + std::to_string(length) + " bytes, allowed: 1 to " +
             std::to_string(kMaxBlockBytes);
    std::uint64_t product = 0;
    if (__builtin_mul_overflow(length, count, &product) ||
        __builtin_add_overflow(bytes, product, &bytes))
      return "has more blocks than any file";
    out.blocks.push_back({static_cast<std::uint32_t>(length), count});
  }
  if (!in.contains("name")) return out.blocks.empty() ? "" : "has blocks and no name";
  if (!in["name"].is_string()) return "has a name that is no text";
  out.name = in["name"];
  if (out.name.empty() || out.name == "." || out.name == ".." ||
      out.name.find('/') != std::string::npos || out.name.find('\0') != std::string::npos)
    return "has a name that is not one of a file in the directory";
  if (!is_count("bytes")) return "has no number of bytes";
  out.bytes = in["bytes"];
  if (out.bytes != bytes)
    return "has " + std::to_string(out.bytes) + " bytes, but its blocks have " +
           std::to_string(bytes);
  if (!in.contains("crc32c") || !in["crc32c"].is_string()) return "has no crc32c";
  const std::string crc = in["crc32c"];
  if (crc.size() != 8 || crc.find_first_not_of("0123456789abcdef") != std::string::npos)
    return "has a crc32c that is not eight hex digits";
  out.crc = static_cast<std::uint32_t>(std::stoul(crc, nullptr, 16));
  return "";
}

std::string parse_manifest(FileSystem& files, const std::string& path, std::vector<TapeFile>& out) {
  InputFile in(files, path);
  if (!in.ok()) return in.error();
  if (in.size() > kLargestManifest) return path + " is larger than any manifest";
  const scsi::Bytes bytes = in.read(static_cast<std::size_t>(in.size()));
  if (!in.ok()) return in.error();
  json root;
  try {
    root = json::parse(scsi::as_text(bytes));
  } catch (const json::parse_error& error) {
    return at_offset(path, error.byte, "not valid JSON");
  }
  if (!root.is_object() || !root.contains("format") || root["format"] != kKind)
    return path + " is not a manifest: its \"format\" is not \"" + kKind + "\"";
  if (!root.contains("version") || root["version"] != 1)
    return path + " has another version than 1: a newer program has written it";
  if (!root.contains("files") || !root["files"].is_array()) return path + " has no list of files";
  for (const auto& [key, value] : root.items())
    if (key != "format" && key != "version" && key != "files")
      return path + " has the unknown key \"" + key + "\"";
  for (const json& entry : root["files"]) {
    if (std::string wrong = parse_entry(entry, out.emplace_back()); !wrong.empty())
      return path + ": entry " + std::to_string(out.size()) + " " + wrong;
  }
  return "";
}

// No manifest: every file is a tape file.
std::string plain_files(FileSystem& files, const std::string& path, std::uint32_t block_bytes,
                        std::vector<TapeFile>& out) {
  if (block_bytes == 0 || block_bytes > kMaxBlockBytes)
    return "the block length is " + std::to_string(block_bytes) + ", allowed: 1 to " +
           std::to_string(kMaxBlockBytes);
  const auto names = files.list(path);
  if (!names) return names.error().what;
  for (const std::string& name : *names) {
    InputFile in(files, path + '/' + name);
    if (!in.ok()) return in.error();
    TapeFile& file = out.emplace_back();
    file.name = name;
    file.bytes = in.size();
    file.filemarks = 1;
    if (in.size() / block_bytes != 0) file.blocks.push_back({block_bytes, in.size() / block_bytes});
    if (const auto rest = static_cast<std::uint32_t>(in.size() % block_bytes))
      file.blocks.push_back({rest, 1});
  }
  if (out.empty()) return path + " is empty";
  return "";
}

// --- tape files in

bool import_file(FileSystem& files, const std::string& dir, const TapeFile& file, bool check_crc,
                 std::uint64_t& bytes_done, Importer& out) {
  if (!file.name.empty()) {
    const std::string path = dir + '/' + file.name;
    InputFile in(files, path);
    if (!in.ok()) return out.fail(in.error());
    if (in.size() != file.bytes)
      return out.fail(path + " has " + std::to_string(in.size()) + " bytes, the manifest says " +
                      std::to_string(file.bytes));
    std::uint32_t crc = 0;
    for (const Run& run : file.blocks) {
      for (std::uint64_t i = 0; i < run.count; ++i) {
        const scsi::Bytes block = in.read(run.length);
        if (block.size() != run.length) return out.fail(at_offset(path, in.offset(), in.error()));
        if (check_crc) crc = scsi::crc32c(block, crc);
        if (!out.block(block) || !out.progress(bytes_done + in.offset())) return false;
      }
    }
    if (check_crc && crc != file.crc)
      return out.fail(path + " is damaged: its CRC32C is " + hex8(crc) + ", the manifest says " +
                      hex8(file.crc));
    bytes_done += file.bytes;
  }
  for (std::uint64_t i = 0; i < file.filemarks; ++i)
    if (!out.filemark() || (i % 16384 == 16383 && !out.progress(bytes_done))) return false;
  return true;
}

// --- export

class Manifest {
 public:
  // A block or a filemark that comes next on the tape.
  void block(std::uint32_t length) {
    if (files_.empty() || files_.back().filemarks != 0) files_.emplace_back();
    TapeFile& file = files_.back();
    if (file.blocks.empty() || file.blocks.back().length != length)
      file.blocks.push_back({length, 0});
    ++file.blocks.back().count;
    file.bytes += length;
  }
  void filemark() {
    if (files_.empty()) files_.emplace_back();
    ++files_.back().filemarks;
  }
  TapeFile& last() { return files_.back(); }
  std::size_t size() const { return files_.size(); }

  std::string text() const {
    std::string out =
        "{\n  \"format\": \"" + std::string(kKind) + "\",\n  \"version\": 1,\n  \"files\": [";
    const char* separator = "\n";
    for (const TapeFile& file : files_) {
      out += separator + std::string("    {");
      separator = ",\n";
      if (!file.name.empty())
        out += "\"name\": \"" + file.name + "\", \"bytes\": " + std::to_string(file.bytes) +
               ", \"crc32c\": \"" + hex8(file.crc) + "\", ";
      out += "\"blocks\": [";
      for (std::size_t i = 0; i < file.blocks.size(); ++i)
        out += (i == 0 ? "[" : ", [") + std::to_string(file.blocks[i].length) + ", " +
               std::to_string(file.blocks[i].count) + "]";
      out += "], \"filemarks\": " + std::to_string(file.filemarks) + "}";
    }
    return out + "\n  ]\n}\n";
  }

 private:
  std::vector<TapeFile> files_;
};

std::string numbered_name(std::size_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < 4) digits.insert(0, 4 - digits.size(), '0');
  return "file-" + digits + ".bin";
}

bool export_files(FileSystem& files, const std::string& dir, Exporter& in) {
  Manifest manifest;
  std::unique_ptr<OutputFile> out;
  const auto close = [&] {
    if (!out) return true;
    out->finish();
    const std::string error = out->error();
    out.reset();
    return error.empty() || in.fail(error);
  };
  while (const auto object = in.next()) {
    if (object->kind == TapeObject::Kind::kFilemark) {
      manifest.filemark();
      if (!close()) return false;
      continue;
    }
    manifest.block(static_cast<std::uint32_t>(object->data.size()));
    TapeFile& file = manifest.last();
    if (file.name.empty()) {
      file.name = numbered_name(manifest.size());
      out = std::make_unique<OutputFile>(files, dir + '/' + file.name);
    }
    file.crc = scsi::crc32c(object->data, file.crc);
    out->write(object->data);
    if (!out->ok()) return close();
  }
  if (!close() || !in.report().ok()) return false;
  OutputFile text(files, dir + kManifest);
  text.write(scsi::as_bytes(manifest.text()));
  text.finish();
  if (!text.ok()) return in.fail(text.error());
  const Status synced = files.sync_directory(dir);
  return synced.ok() || in.fail(synced.error().what);
}

class DirectoryFormat final : public Format {
 public:
  std::string_view name() const override { return "directory"; }
  std::string_view description() const override {
    return "a directory with a file for each tape file, and manifest.json with block lengths and "
           "filemarks";
  }

  Report import_tape(FileSystem& files, const std::string& path, const ImportOptions& options,
                     CartridgeWriter& to, const Progress& progress) const override {
    std::vector<TapeFile> tape;
    const bool manifest = has_manifest(files, path);
    std::string wrong = manifest ? parse_manifest(files, path + kManifest, tape)
                                 : plain_files(files, path, options.block_bytes, tape);
    std::uint64_t total = 0;
    for (const TapeFile& file : tape) total += file.bytes;
    Importer out(to, progress, total);
    if (!wrong.empty()) {
      out.fail(std::move(wrong));
      return out.take();
    }
    if (!manifest)
      out.note("there is no manifest: each file is a tape file of blocks of " +
               std::to_string(options.block_bytes) + " bytes, with a filemark behind it");
    std::uint64_t done = 0;
    for (const TapeFile& file : tape)
      if (!import_file(files, path, file, manifest, done, out)) break;
    return out.take();
  }

  Report export_tape(FileSystem& files, CartridgeReader& from, const std::string& path,
                     const ExportOptions&, const Progress& progress) const override {
    return write_aside(files, path, [&](const std::string& aside) {
      Exporter in(from, progress);
      if (const Status made = files.make_directory(aside); !made)
        in.fail(made.error().what);
      else
        export_files(files, aside, in);
      return in.take();
    });
  }
};

}  // namespace

bool has_manifest(FileSystem& files, const std::string& path) {
  const auto there = files.exists(path + kManifest);
  return there && *there;
}

const Format& directory_format() {
  static const DirectoryFormat format;
  return format;
}

}  // namespace vtl::interchange
