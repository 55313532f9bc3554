// Raw files and directories, and what holds for all formats.
#include "tapes.h"
#include "vtl/interchange/import.h"

using namespace tapes;
using vtl::interchange::find_format;
using vtl::interchange::Format;
using vtl::interchange::formats;
using vtl::interchange::Report;

TEST_CASE("raw: blocks of one length, the last may be shorter") {
  World world;
  const auto [size, block_bytes, blocks] =
      GENERATE(table<std::size_t, std::uint32_t, std::size_t>({{0, 512, 0},
                                                               {1, 512, 1},
                                                               {511, 512, 1},
                                                               {512, 512, 1},
                                                               {513, 512, 2},
                                                               {1024, 512, 2},
                                                               {1000, 1, 1000},
                                                               {3000000, 65536, 46}}));
  const Object data = block(std::max<std::size_t>(size, 1));
  world.files.put("/x/f", scsi::as_text(data.data).substr(0, size));
  Tape tape;
  const Report report =
      world.import_from("raw", "/x/f", tape, {.block_bytes = block_bytes, .variant = ""});
  REQUIRE(report.ok());
  CHECK(tape.size() == blocks);
  CHECK(report.bytes == size);
  for (std::size_t i = 0; i + 1 < tape.size(); ++i) CHECK(tape[i].data.size() == block_bytes);
  CHECK(report.notes.size() == (size % block_bytes != 0 ? 1 : 0));
  if (size == 0) return;
  REQUIRE(world.export_to("raw", tape, "/x/g").ok());
  CHECK(world.files.content("/x/g") == world.files.content("/x/f"));
}

TEST_CASE("raw: what it cannot hold is refused by name") {
  World world;
  CHECK(world.export_to("raw", {block(10), mark(), block(10)}, "/x/g").error ==
        "object 2 cannot be in a raw file: it follows a filemark, and a raw file has none; export "
        "as \"directory\" or \"simh\"");
  CHECK(world.export_to("raw", {block(10), block(11)}, "/x/g").error ==
        "object 1 cannot be in a raw file: it has another length than those before it, and a raw "
        "file keeps no lengths; "
        "export as \"directory\" or \"simh\"");
  CHECK_FALSE(world.export_to("raw", {block(10), block(9), block(9)}, "/x/g").ok());
  CHECK(world.files.paths() == std::vector<std::string>{"/x"});
  const Report report = world.export_to("raw", {block(10), block(9), mark(), mark()}, "/x/g");
  CHECK(report.ok());
  REQUIRE(report.notes.size() == 2);
  CHECK(report.notes[0] == "2 filemarks at the end of the tape are not in a raw file");
  Tape tape;
  CHECK_FALSE(world.import_from("raw", "/x/g", tape, {.block_bytes = 0, .variant = ""}).ok());
  CHECK_FALSE(
      world
          .import_from("raw", "/x/g", tape, {.block_bytes = vtl::kMaxBlockBytes + 1, .variant = ""})
          .ok());
}

TEST_CASE("directory: random tapes there and back") {
  World world;
  const Tape tape = random_tape(GENERATE(range(1u, 31u)));
  REQUIRE(world.export_to("directory", tape, "/x/d").ok());
  CHECK(vtl::interchange::guess_format(world.files, "/x/d") == find_format("directory"));
  Tape back;
  const Report report = world.import_from("directory", "/x/d", back);
  INFO(report.error);
  REQUIRE(report.ok());
  CHECK(back == tape);
  CHECK(report.notes.empty());
}

TEST_CASE("directory: tapes with nothing, only filemarks, or the largest blocks") {
  World world;
  const Tape tape =
      GENERATE(Tape{}, Tape{mark()}, Tape{mark(), mark(), mark()}, Tape{mark(), block(5)},
               Tape{block(5)}, Tape{block(vtl::kMaxBlockBytes), block(1), mark()});
  REQUIRE(world.export_to("directory", tape, "/x/d").ok());
  Tape back;
  REQUIRE(world.import_from("directory", "/x/d", back).ok());
  CHECK(back == tape);
}

TEST_CASE("directory: the manifest, as people see it") {
  World world;
  REQUIRE(
      world.export_to("directory", {mark(), block(10), block(10), block(3), mark(), mark()}, "/x/d")
          .ok());
  const std::string text = world.files.text("/x/d/manifest.json");
  CHECK(text.find("{\"blocks\": [], \"filemarks\": 1},\n") != std::string::npos);
  CHECK(text.find("\"name\": \"file-0002.bin\", \"bytes\": 23, \"crc32c\": \"") !=
        std::string::npos);
  CHECK(text.find("\"blocks\": [[10, 2], [3, 1]], \"filemarks\": 2}") != std::string::npos);
}

TEST_CASE("directory: a manifest that is wrong is refused, and says where") {
  World world;
  REQUIRE(world.export_to("directory", {block(10), block(3), mark()}, "/x/d").ok());
  const std::string good = world.files.text("/x/d/manifest.json");
  const auto [from, to, expected] = GENERATE(table<std::string, std::string, std::string>({
      {"vtl-tape-directory", "tar",
       "/x/d/manifest.json is not a manifest: its \"format\" is not \"vtl-tape-directory\""},
      {"\"version\": 1", "\"version\": 2",
       "/x/d/manifest.json has another version than 1: a newer program has written it"},
      {"\"files\"", "\"tapes\"", "/x/d/manifest.json has no list of files"},
      {"\"version\": 1", "\"version\": 1, \"worm\": true",
       "/x/d/manifest.json has the unknown key \"worm\""},
      {"\"filemarks\": 1", "\"filemarks\": 1, \"setmarks\": 1",
       "/x/d/manifest.json: entry 1 has the unknown key \"setmarks\""},
      {"\"filemarks\": 1", "\"filemarks\": -1",
       "/x/d/manifest.json: entry 1 has no number of filemarks"},
      {"[10, 1]", "[0, 1]",
       "/x/d/manifest.json: entry 1 has a block of 0 bytes, allowed: 1 to 16777216"},
      {"[10, 1]", "[16777217, 1]",
       "/x/d/manifest.json: entry 1 has a block of 16777217 bytes, allowed: 1 to 16777216"},
      {"[10, 1]", "[16777216, 18446744073709551615]",
       "/x/d/manifest.json: entry 1 has more blocks than any file"},
      {"[10, 1]", "[10]", "/x/d/manifest.json: entry 1 has blocks that are not [length, count]"},
      {"[10, 1]", "[9, 1]", "/x/d/manifest.json: entry 1 has 13 bytes, but its blocks have 12"},
      {"\"file-0001.bin\"", "\"../f\"",
       "/x/d/manifest.json: entry 1 has a name that is not one of a file in the directory"},
      {"\"file-0001.bin\"", "5", "/x/d/manifest.json: entry 1 has a name that is no text"},
      {"\"file-0001.bin\"", "\"gone.bin\"", "/x/d/gone.bin: No such file or directory"},
      {"\"crc32c\": \"", "\"crc32c\": \"0",
       "/x/d/manifest.json: entry 1 has a crc32c that is not eight hex digits"},
      {"\"name\"", "name", "/x/d/manifest.json at offset 72: not valid JSON"},
  }));
  std::string bad = good;
  const std::size_t at = bad.find(from);
  REQUIRE(at != std::string::npos);
  bad.replace(at, from.size(), to);
  world.files.put("/x/d/manifest.json", bad);
  Tape tape;
  CHECK(world.import_from("directory", "/x/d", tape).error == expected);
  CHECK(tape.empty());
}

TEST_CASE("directory: files that changed") {
  World world;
  REQUIRE(world.export_to("directory", {block(10), block(3), mark()}, "/x/d").ok());
  Tape tape;
  auto& data = world.files.content("/x/d/file-0001.bin");
  data[11] ^= std::byte{1};
  CHECK(world.import_from("directory", "/x/d", tape)
            .error.find("/x/d/file-0001.bin is damaged: its CRC32C is ") == 0);
  data.pop_back();
  CHECK(world.import_from("directory", "/x/d", tape).error ==
        "/x/d/file-0001.bin has 12 bytes, the manifest says 13");
}

TEST_CASE("directory: without a manifest every file is a tape file") {
  World world;
  (void)world.files.make_directory("/x/d");
  world.files.put("/x/d/1", std::string(1000, 'a'));
  world.files.put("/x/d/2", "");
  world.files.put("/x/d/3", std::string(512, 'b'));
  Tape tape;
  const Report report =
      world.import_from("directory", "/x/d", tape, {.block_bytes = 512, .variant = ""});
  REQUIRE(report.ok());
  REQUIRE(tape.size() == 6);
  CHECK(tape[1].data.size() == 488);
  CHECK(tape[2].filemark);
  CHECK(tape[3].filemark);
  CHECK(tape[4].data.size() == 512);
  CHECK(report.notes.size() == 1);
  (void)world.files.make_directory("/x/e");
  CHECK(world.import_from("directory", "/x/e", tape).error == "/x/e is empty");
}

TEST_CASE("every format: a target that exists is not touched") {
  World world;
  world.files.put("/x/t", "mine");
  for (const Format* format : formats()) {
    CHECK(world.export_to(std::string(format->name()).c_str(), {block(5)}, "/x/t").error ==
          "/x/t exists already: choose another name");
    CHECK(world.files.text("/x/t") == "mine");
  }
}

TEST_CASE("every format: what lies beside the target is not touched either") {
  World world;
  world.files.put("/x/t.part", "mine");
  for (const Format* format : formats()) {
    CHECK(world.export_to(std::string(format->name()).c_str(), {block(5)}, "/x/t")
              .error.find("/x/t.part is in the way") == 0);
    CHECK(world.files.text("/x/t.part") == "mine");
    CHECK_FALSE(*world.files.exists("/x/t"));
  }
}

TEST_CASE("every format: any failing file operation leaves nothing behind") {
  for (const Format* format : formats()) {
    for (std::uint64_t n = 1;; ++n) {
      World world;
      world.files.fail_at(n, true, ENOSPC);
      const std::uint64_t before = world.files.operations();
      const Report report = world.export_to(std::string(format->name()).c_str(),
                                            {block(5), block(5), mark()}, "/x/t");
      const bool swept = world.files.operations() - before < n;
      INFO(format->name() << " operation " << n << " " << report.error);
      if (!report.ok()) CHECK(world.files.paths().size() == 1);
      if (swept) break;
      REQUIRE(n < 50);
    }
  }
}

TEST_CASE("every format: a damaged object stops an export by name") {
  for (const Format* format : formats()) {
    World world;
    const Tape tape = {block(5), block(5), mark()};
    TapeReader reader(tape);
    reader.damaged_at = 1;
    const Report report = format->export_tape(world.files, reader, "/x/t", {}, {});
    CHECK(report.error == "object 1 of the cartridge cannot be read: its checksum is wrong");
    CHECK(world.files.paths().size() == 1);
  }
}

TEST_CASE("every format: a full cartridge stops an import") {
  for (const Format* format : formats()) {
    World world;
    REQUIRE(
        world.export_to(std::string(format->name()).c_str(), {block(5), block(5), block(5)}, "/x/t")
            .ok());
    TapeWriter writer;
    writer.room = 2;
    const Report report =
        format->import_tape(world.files, "/x/t", {.block_bytes = 5, .variant = ""}, writer, {});
    CHECK(report.error ==
          "block 2 of 5 bytes does not go onto the cartridge: the cartridge is full");
  }
}

TEST_CASE("every format: progress grows to its end, and cancels") {
  for (const Format* format : formats()) {
    World world;
    const Tape tape(40, block(200000));
    TapeReader reader(tape);
    std::vector<std::uint64_t> told;
    const auto keep = [&](std::uint64_t done, std::uint64_t total) {
      CHECK(done <= total);
      if (!told.empty()) CHECK(done >= told.back());
      told.push_back(done);
      return true;
    };
    REQUIRE(format->export_tape(world.files, reader, "/x/t", {}, keep).ok());
    CHECK(told.size() > 5);
    CHECK(told.back() == tape.size());
    told.clear();
    TapeWriter writer;
    std::uint64_t total = 0;
    REQUIRE(format
                ->import_tape(world.files, "/x/t", {.block_bytes = 200000, .variant = ""}, writer,
                              [&](std::uint64_t done, std::uint64_t all) {
                                total = all;
                                return keep(done, all);
                              })
                .ok());
    CHECK(writer.tape == tape);
    CHECK(told.back() == total);

    int calls = 0;
    const auto stop = [&](std::uint64_t, std::uint64_t) { return ++calls < 3; };
    TapeReader again(tape);
    const Report out = format->export_tape(world.files, again, "/x/u", {}, stop);
    CHECK(out.cancelled);
    CHECK_FALSE(out.ok());
    CHECK_FALSE(*world.files.exists("/x/u"));
    CHECK_FALSE(*world.files.exists("/x/u.part"));
    calls = 0;
    TapeWriter half;
    CHECK(
        format->import_tape(world.files, "/x/t", {.block_bytes = 200000, .variant = ""}, half, stop)
            .cancelled);
    CHECK(half.tape.size() < tape.size());
  }
}

TEST_CASE("the registry") {
  CHECK(formats().size() == 3);
  for (const Format* format : formats()) CHECK(find_format(format->name()) == format);
  CHECK(find_format("tar") == nullptr);
  MemoryFiles files;
  CHECK(vtl::interchange::guess_format(files, "/x/a.tap") == find_format("simh"));
  CHECK(vtl::interchange::guess_format(files, "/x/a.bin") == nullptr);
}
