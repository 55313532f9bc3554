#include "tapes.h"

using namespace tapes;
using vtl::interchange::ImportOptions;
using vtl::interchange::Report;

namespace {

// Words and data of an image, by hand.
struct Image {
  std::string bytes;
  Image& word(std::uint32_t value) {
    for (int i = 0; i < 4; ++i, value >>= 8) bytes += static_cast<char>(value & 0xFF);
    return *this;
  }
  Image& text(std::string_view data) {
    bytes += data;
    return *this;
  }
  Image& record(std::string_view data, bool pad, std::uint32_t flags = 0) {
    const auto length = static_cast<std::uint32_t>(data.size()) | flags;
    word(length).text(data);
    if (pad && data.size() % 2 != 0) text(std::string_view("\0", 1));
    return word(length);
  }
};

Object text(std::string_view data) {
  const scsi::Bytes bytes = scsi::as_bytes(data);
  return {false, Block(bytes.begin(), bytes.end())};
}

Report import_image(const Image& image, Tape& tape, ImportOptions options = {}) {
  World world;
  world.files.put("/x/t.tap", image.bytes);
  return world.import_from("simh", "/x/t.tap", tape, std::move(options));
}

bool has_note(const Report& report, std::string_view part) {
  for (const std::string& note : report.notes)
    if (note.find(part) != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("SIMH: the bytes that a tape becomes") {
  World world;
  const Tape tape = {text("abc"), text("wxyz"), mark(), mark()};
  REQUIRE(world.export_to("simh", tape, "/x/a.tap").ok());
  CHECK(world.files.text("/x/a.tap") ==
        Image().record("abc", true).record("wxyz", true).word(0).word(0).word(0xFFFFFFFF).bytes);
  REQUIRE(world.export_to("simh", tape, "/x/b.tap", {.variant = "e11"}).ok());
  CHECK(world.files.text("/x/b.tap") ==
        Image().record("abc", false).record("wxyz", false).word(0).word(0).word(0xFFFFFFFF).bytes);
  CHECK(world.export_to("simh", tape, "/x/c.tap", {.variant = "tpc"}).error ==
        "there is no variant \"tpc\" of simh, allowed: simh, e11");
}

TEST_CASE("SIMH: random tapes there and back, both variants found by themselves") {
  const unsigned seed = GENERATE(range(1u, 31u));
  const std::string variant = GENERATE("simh", "e11");
  World world;
  const Tape tape = random_tape(seed);
  const Report out = world.export_to("simh", tape, "/x/t.tap", {variant});
  REQUIRE(out.ok());
  Tape back;
  const Report in = world.import_from("simh", "/x/t.tap", back);
  INFO(in.error);
  REQUIRE(in.ok());
  CHECK(back == tape);
  CHECK(in.bytes == bytes_of(tape));
  CHECK(in.blocks == out.blocks);
  CHECK(in.filemarks == out.filemarks);
  CHECK(has_note(in, variant == "simh" ? "SIMH (padded to even lengths): certain"
                                       : "E11 (not padded): certain"));
}

TEST_CASE("SIMH: large records cross the pieces that files are read in") {
  World world;
  const Tape tape = {block(1u << 20), block((1u << 20) + 1), mark(), block(0xFFFFFF), block(3),
                     mark()};
  REQUIRE(world.export_to("simh", tape, "/x/t.tap").ok());
  Tape back;
  REQUIRE(world.import_from("simh", "/x/t.tap", back).ok());
  CHECK(back == tape);
  const Report report = world.export_to("simh", {block(0x1000000)}, "/x/u.tap");
  CHECK(report.error ==
        "object 0 has 16777216 bytes, a SIMH record at most 16777215; export as \"directory\"");
  CHECK(world.files.paths() == std::vector<std::string>{"/x", "/x/t.tap"});
}

TEST_CASE("SIMH: how sure the variant is") {
  Tape tape;
  CHECK(has_note(import_image(Image().record("abcd", true).word(0), tape), "both are alike"));
  CHECK(tape == Tape{text("abcd"), mark()});
  CHECK(has_note(import_image(Image().record("abc", true).record("x", true), tape),
                 "SIMH (padded to even lengths): certain, 2"));
  CHECK(has_note(import_image(Image().record("abc", false).record("x", false), tape),
                 "E11 (not padded): certain, 2"));
  CHECK(tape == Tape{text("abc"), text("x")});
  // An odd record of NULs that could be padded or not: then the trailing word of one reading is no
  // word of the other.
  const Image image = Image().record("abc", false);
  CHECK(import_image(image, tape, {.block_bytes = 1, .variant = "simh"})
            .error.find("/x/t.tap at offset 0: ") == 0);
  CHECK(import_image(image, tape, {.block_bytes = 1, .variant = "e11"}).ok());
  CHECK(import_image(image, tape, {.block_bytes = 1, .variant = "tap"}).error ==
        "there is no variant \"tap\" of simh, allowed: simh, e11");
}

TEST_CASE("SIMH: marks, gaps, private records and error flags are kept or named") {
  Tape tape;
  SECTION("end of medium ends the tape, and what is behind it is named") {
    const Report report =
        import_image(Image().record("ab", true).word(0xFFFFFFFF).record("junk", true), tape);
    REQUIRE(report.ok());
    CHECK(tape == Tape{text("ab")});
    CHECK(has_note(report,
                   "the medium ends at offset 10; the 12 bytes behind that are not on the tape"));
  }
  SECTION("gaps, whole and half") {
    Image image = Image().record("ab", true).word(0xFFFFFFFE).word(0xFFFFFFFE);
    image.word(0xFFFEFFFF).text("\xFE\xFF").record("cd", true);
    // FFFEFFFF is half a gap: the next word begins two bytes later, and reads FFFEFFFE... as a gap
    // again.
    const Report report = import_image(image, tape);
    INFO(report.error);
    CHECK(tape.at(0) == text("ab"));
    CHECK(has_note(report, "erase gaps were passed over"));
  }
  SECTION("an error flag is named, the data taken") {
    const Report report =
        import_image(Image().record("ab", true, 0x80000000).record("cd", true), tape);
    REQUIRE(report.ok());
    CHECK(tape == Tape{text("ab"), text("cd")});
    CHECK(has_note(
        report,
        "1 records were marked as read with errors; their data was taken as it is (at offset 0)"));
  }
  SECTION("an error record without data cannot be kept") {
    const Report report =
        import_image(Image().record("ab", true).word(0x80000000).word(0x80000000), tape);
    CHECK(report.error ==
          "/x/t.tap at offset 10: an error record without data: a cartridge cannot hold one");
  }
  SECTION("private records and markers") {
    const Report report = import_image(Image()
                                           .record("note", true, 0x10000000)
                                           .word(0x70000001)
                                           .record("ab", true)
                                           .record("xyz", true, 0xE0000000),
                                       tape);
    INFO(report.error);
    REQUIRE(report.ok());
    CHECK(tape == Tape{text("ab")});
    CHECK(has_note(report,
                   "3 private records or markers, which are not the host's data, were passed over "
                   "(at offset 0, 12, 26)"));
  }
}

TEST_CASE("SIMH: broken images are refused with the place") {
  Tape tape;
  const auto error = [&](const Image& image) {
    return import_image(image, tape, {.block_bytes = 1, .variant = "simh"}).error;
  };
  CHECK(error(Image().record("abcd", true).text("xy")) ==
        "/x/t.tap at offset 12: the file ends with 2 bytes that are no record");
  CHECK(error(Image().record("abcd", true).word(6).text("abcdef").word(5)) ==
        "/x/t.tap at offset 12: a record of 6 bytes begins with the word 00000006h and ends with "
        "00000005h");
  CHECK(
      error(Image().record("abcd", true).word(100).text("abc")) ==
      "/x/t.tap at offset 12: a record of 100 bytes begins, but the file ends 101 bytes too early");
  CHECK(error(Image().word(0x01000000)) ==
        "/x/t.tap at offset 0: the word 01000000h is no record length");
  Image big_endian;
  big_endian.word(0x08000000).text("abcdefgh").word(0x08000000);
  CHECK(error(big_endian).find("big-endian") != std::string::npos);
  World world;
  CHECK_FALSE(world.import_from("simh", "/x/none.tap", tape).ok());
}

TEST_CASE("SIMH: every truncation is refused or ends at a record") {
  World world;
  const Tape tape = random_tape(7, {.objects = 12, .largest = 60, .filemarks = true});
  const std::string variant = GENERATE("simh", "e11");
  REQUIRE(world.export_to("simh", tape, "/x/t.tap", {variant}).ok());
  const std::string whole = world.files.text("/x/t.tap");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    world.files.put("/x/c.tap", whole.substr(0, size));
    Tape back;
    const Report report =
        world.import_from("simh", "/x/c.tap", back, {.block_bytes = 1, .variant = variant});
    CHECK(back.size() <= tape.size());
    CHECK(std::equal(back.begin(), back.end(), tape.begin()));
    if (!report.ok()) CHECK(report.error.find("/x/c.tap at offset ") == 0);
  }
}

TEST_CASE("SIMH: damaged bytes never do worse than an error") {
  World world;
  const Tape tape = random_tape(9, {.objects = 20, .largest = 40, .filemarks = true});
  REQUIRE(world.export_to("simh", tape, "/x/t.tap").ok());
  const std::string whole = world.files.text("/x/t.tap");
  std::mt19937 engine(GENERATE(1u, 2u, 3u));
  for (int round = 0; round < 300; ++round) {
    std::string bad = whole;
    for (int i = 0; i < 3; ++i) bad[engine() % bad.size()] = static_cast<char>(engine());
    world.files.put("/x/c.tap", bad);
    Tape back;
    const Report report = world.import_from("simh", "/x/c.tap", back);
    CHECK((report.ok() || report.error.find("/x/c.tap at offset ") == 0));
  }
}
