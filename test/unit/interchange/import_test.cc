// Whole cartridges, on a real disk.
#include "vtl/interchange/import.h"

#include <filesystem>
#include <fstream>

#include "tapes.h"

using namespace tapes;
using vtl::interchange::export_cartridge;
using vtl::interchange::find_format;
using vtl::interchange::import_cartridge;
using vtl::interchange::Report;

namespace {

struct Disk {
  std::string root = (std::filesystem::temp_directory_path() / "vtl-import-XXXXXX").string();
  std::string pool;
  std::unique_ptr<vtl::FileSystem> files = vtl::make_posix_file_system();
  Disk() {
    REQUIRE(::mkdtemp(root.data()) != nullptr);
    pool = root + "/pool";
    REQUIRE(vtl::create_pool(*files, pool, {uuid(1), 1}));
  }
  ~Disk() { std::filesystem::remove_all(root); }
  static vtl::Uuid uuid(unsigned seed) {
    vtl::Uuid out{};
    out[0] = static_cast<std::byte>(seed);
    return vtl::make_uuid(out);
  }
  vtl::CartridgeSpec spec(const std::string& barcode) {
    vtl::CartridgeSpec spec;
    spec.barcode = barcode;
    spec.uuid = uuid(2);
    spec.created_ns = 2;
    spec.segment_mib = 1;
    spec.capacity_bytes = vtl::kMinCapacityBytes;
    return spec;
  }
  void write(const std::string& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  // What is in the pool besides the pool itself.
  std::vector<std::string> left_over() {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(pool)) {
      const std::string path = entry.path().string().substr(pool.size());
      if (path != "/POOL" && path != "/carts" && path != "/trash" && path != "/.incoming")
        out.push_back(path);
    }
    return out;
  }
};

}  // namespace

TEST_CASE("a cartridge comes in, is read, and goes out bit-exact in every format") {
  Disk disk;
  World made;
  const Tape tape = random_tape(3, {.objects = 200, .largest = 70000, .filemarks = true});
  for (const char* name : {"simh", "directory"}) {
    REQUIRE(made.export_to(name, tape, std::string("/x/") + name).ok());
    const std::string path = disk.root + "/" + name;
    if (*made.files.exists(std::string("/x/") + name + "/manifest.json")) {
      std::filesystem::create_directory(path);
      const auto names = made.files.list(std::string("/x/") + name);
      for (const std::string& file : *names)
        disk.write(path + "/" + file, made.files.text(std::string("/x/") + name + "/" + file));
    } else {
      disk.write(path, made.files.text(std::string("/x/") + name));
    }
    const std::string barcode = std::string(name) == "simh" ? "SIM001L8" : "DIR001L8";
    const Report in =
        import_cartridge(*disk.files, disk.pool, disk.spec(barcode), *find_format(name), path, {});
    INFO(in.error);
    REQUIRE(in.ok());
    const std::string dir = vtl::cartridge_directory(disk.pool, barcode);
    const auto verified = vtl::verify_cartridge(*disk.files, dir);
    REQUIRE(verified);
    CHECK(verified->damage.empty());
    CHECK(verified->blocks + verified->filemarks == tape.size());
    const auto summary = vtl::read_summary(*disk.files, dir);
    REQUIRE(summary);
    CHECK(summary->clean);

    const Report out = export_cartridge(*disk.files, dir, *find_format(name), path + ".out", {});
    INFO(out.error);
    REQUIRE(out.ok());
    CHECK(std::filesystem::is_empty(disk.pool + "/.incoming"));
  }
  const auto same = [&](const std::string& a, const std::string& b) {
    const auto read = [](const std::string& path) {
      std::ifstream in(path, std::ios::binary);
      return std::string(std::istreambuf_iterator<char>(in), {});
    };
    return read(a) == read(b);
  };
  CHECK(same(disk.root + "/simh", disk.root + "/simh.out"));
  for (const auto& entry : std::filesystem::directory_iterator(disk.root + "/directory"))
    CHECK(same(entry.path(), disk.root + "/directory.out/" + entry.path().filename().string()));
  CHECK(vtl::list_cartridges(*disk.files, disk.pool)->size() == 2);
}

TEST_CASE("an import that fails or is cancelled leaves nothing") {
  Disk disk;
  disk.write(disk.root + "/bad.tap", std::string("\x05\0\0\0abcd", 8));
  disk.write(disk.root + "/big", std::string(4 << 20, 'x'));
  Report report = import_cartridge(*disk.files, disk.pool, disk.spec("AAA001L8"),
                                   *find_format("simh"), disk.root + "/bad.tap", {});
  CHECK(report.error.find("bad.tap at offset 0: ") != std::string::npos);
  CHECK(disk.left_over().empty());
  report = import_cartridge(*disk.files, disk.pool, disk.spec("AAA001L8"), *find_format("raw"),
                            disk.root + "/none", {});
  CHECK_FALSE(report.ok());
  CHECK(disk.left_over().empty());
  report =
      import_cartridge(*disk.files, disk.pool, disk.spec("AAA001L8"), *find_format("raw"),
                       disk.root + "/big", {}, [](std::uint64_t, std::uint64_t) { return false; });
  CHECK(report.cancelled);
  CHECK(disk.left_over().empty());
  vtl::CartridgeSpec small = disk.spec("AAA001L8");
  small.capacity_bytes = 5;
  CHECK_FALSE(
      import_cartridge(*disk.files, disk.pool, small, *find_format("raw"), disk.root + "/big", {})
          .ok());
  CHECK(disk.left_over().empty());
}

TEST_CASE("a barcode that is taken is not touched; what a crash has left is in nobody's way") {
  Disk disk;
  disk.write(disk.root + "/data", std::string(1000, 'x'));
  const auto import_data = [&] {
    return import_cartridge(*disk.files, disk.pool, disk.spec("AAA001L8"), *find_format("raw"),
                            disk.root + "/data", {});
  };
  std::filesystem::create_directories(disk.pool + "/.incoming/AAA001L8/carts/AAA001L8/p0.0");
  disk.write(disk.pool + "/.incoming/AAA001L8/POOL", "half");
  REQUIRE(import_data().ok());
  CHECK(std::filesystem::is_empty(disk.pool + "/.incoming"));
  CHECK(import_data().error == "barcode AAA001L8 is taken already");
  for (const char* left :
       {"/.incoming/BBB001L8/carts", "/.incoming/CCC001L8.new/p0.1", "/trash/import-0/carts"})
    std::filesystem::create_directories(disk.pool + left);
  vtl::interchange::clear_incoming(*disk.files, disk.pool);
  CHECK(std::filesystem::is_empty(disk.pool + "/.incoming"));
  CHECK(disk.files->list(disk.pool + "/trash")->size() == 3);
  CHECK(vtl::empty_trash(*disk.files, disk.pool));
  CHECK(std::filesystem::is_empty(disk.pool + "/trash"));
  CHECK(vtl::list_cartridges(*disk.files, disk.pool)->size() == 1);
}

TEST_CASE("a path that can be opened and not read is an error") {
  Disk disk;
  std::filesystem::create_directory(disk.root + "/folder.tap");
  std::filesystem::create_directory(disk.root + "/folder.tap/inner");
  for (const char* name : {"raw", "simh", "directory"}) {
    const Report report = import_cartridge(*disk.files, disk.pool, disk.spec("AAA001L8"),
                                           *find_format(name), disk.root + "/folder.tap", {});
    INFO(name);
    CHECK(report.error.find("Is a directory") != std::string::npos);
    CHECK(disk.left_over().empty());
  }
}

TEST_CASE("clearing up does not follow links") {
  Disk disk;
  std::filesystem::create_directory(disk.root + "/precious");
  disk.write(disk.root + "/precious/file", "kept");
  std::filesystem::create_directory_symlink(disk.root + "/precious",
                                            disk.pool + "/.incoming/AAA001L8");
  vtl::interchange::clear_incoming(*disk.files, disk.pool);
  CHECK(std::filesystem::is_empty(disk.pool + "/.incoming"));
  CHECK(std::filesystem::exists(disk.root + "/precious/file"));
}
