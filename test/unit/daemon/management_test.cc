// The management operations on a real directory without a server, and the same over the control
// socket.
#include "vtl/daemon/management.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "vtl/cartridge/cartridge.h"
#include "vtl/daemon/control.h"
#include "vtl/daemon/devices.h"
#include "vtl/daemon/init.h"
#include "vtl/daemon/manager.h"

using namespace vtl;
using namespace vtl::daemon;
using nlohmann::json;

namespace {

struct Directory {
  Directory() {
    REQUIRE(::mkdtemp(parent.data()) != nullptr);
    path = parent + "/library";
    InitOptions options;
    options.data_directory = path;
    options.library.drives = 2;
    options.library.slots = 10;
    options.library.ie_slots = 2;
    options.cartridges = 3;
    options.capacity_bytes = kMinCapacityBytes;
    REQUIRE(init(options).problems.code == kExitDone);
  }
  ~Directory() { std::filesystem::remove_all(parent); }
  std::string parent = "/tmp/vtl-manage-XXXXXX";
  std::string path;
};

struct Local {
  Local() : opened(Manager::open(directory.path)) { REQUIRE(opened.manager != nullptr); }
  Answer call(const std::string& method, const std::string& path, json body = json::object()) {
    return std::get<Answer>(opened.manager->call({method, path, std::move(body)}));
  }
  Directory directory;
  Manager::Opened opened;
};

std::vector<std::unique_ptr<DriveBay>> parked_bays(int count) {
  std::vector<std::unique_ptr<DriveBay>> bays;
  while (count-- > 0) bays.push_back(std::make_unique<ParkedBay>(std::uint8_t{8}));
  return bays;
}

// What a server is made of, without its devices.
struct Room {
  Room() : opened(open_data_directory(directory.path)) { REQUIRE(opened.directory.has_value()); }
  Directory directory;
  OpenedDirectory opened;
  net::Loop loop;
  LibraryRoom room{loop, *opened.directory, parked_bays(2), {}, [](std::string_view) {}};
  Management management{{opened.directory->config,
                         room.library,
                         *room.files,
                         *room.executor,
                         room.trash,
                         room.alerts,
                         room.scrub_log,
                         room.pool_path,
                         {},
                         [](scsi::Done<json> done) {
                           done(json{{"pid", 1}});
                         },
                         {},
                         {},
                         {},
                         {}}};
};

}  // namespace

TEST_CASE("resources that are not there, methods that do not fit") {
  Local local;
  CHECK(local.call("GET", "/").status == 404);
  CHECK(local.call("GET", "").status == 404);
  CHECK(local.call("GET", "/v1/cartridges/").status == 404);
  CHECK(local.call("GET", "/v1/cartridges/a/b/c").status == 404);
  CHECK(local.call("GET", "/v1/cartridges/NOSUCHL8").status == 404);
  CHECK(local.call("PUT", "/v1/library").status == 405);
  CHECK(local.call("GET", "/v1/server").status == 404);  // there is none
  CHECK(local.call("GET", "/v1/jobs/1").status == 404);
  CHECK(local.call("GET", "/v1/jobs/abc").status == 404);
  CHECK(local.call("DELETE", "/v1/jobs/99999999999999999999999").status == 404);
  for (const char* path : {"/v1/moves", "/v1/cartridges"}) {
    CHECK(local.call("POST", path, json::array()).status == 400);
    CHECK(local.call("POST", path, {{"what", 1}}).status == 400);
    CHECK(local.call("POST", path, "text").status == 400);
  }
}

TEST_CASE("the library and its cartridges are described") {
  Local local;
  const json library = local.call("GET", "/v1/library").body;
  CHECK(library["elements"].size() == 15);
  CHECK(library["profile"] == "stk-l700");
  const json list = local.call("GET", "/v1/cartridges").body["cartridges"];
  REQUIRE(list.size() == 3);
  CHECK(list[0]["barcode"] == "VTL001L8");
  CHECK(list[0]["capacity_bytes"] == kMinCapacityBytes);
  CHECK(list[2]["place"] == json{{"address", 1002}, {"name", "slot-3"}, {"type", "storage"}});
}

TEST_CASE("a cartridge that its drive cannot read is told of without a server, too") {
  Local local;
  const auto move = [&](const json& source, const json& destination) {
    return local.call("POST", "/v1/moves", {{"source", source}, {"destination", destination}}).body;
  };
  CHECK(local.call("POST", "/v1/cartridges", {{"barcode", "OLD001L5"}}).status == 201);
  CHECK(local.call("POST", "/v1/cartridges", {{"barcode", "OLD002L7"}}).status == 201);
  const json moved = move("OLD001L5", "drive-1");
  CHECK(moved["place"]["name"] == "drive-1");
  CHECK(moved["problem"] == "LTO-8 drives cannot read a cartridge of generation 5");
  CHECK(local.call("GET", "/v1/alerts").body["alerts"].size() == 1);
  CHECK_FALSE(move("OLD002L7", "drive-2").contains("problem"));  // read and written
  CHECK_FALSE(move("OLD001L5", "slot-9").contains("problem"));
}

TEST_CASE("moves by name, address and barcode") {
  Local local;
  const auto move = [&](const json& source, const json& destination) {
    return local.call("POST", "/v1/moves", {{"source", source}, {"destination", destination}});
  };
  CHECK(move("VTL001L8", "drive-1").body["place"]["name"] == "drive-1");
  CHECK(move("drive-1", "1009").body["place"]["name"] == "slot-10");
  CHECK(move("slot-10", "ie-2").status == 200);
  CHECK(move("VTL001L8", "outside").body["place"].is_null());
  CHECK(move("VTL001L8", "drive-1").status == 409);  // comes in through the door, or into a slot
  CHECK(move("VTL001L8", "1").status == 409);        // the robot's own address
  CHECK(move("VTL001L8", "slot-1").body["place"]["address"] == 1000);

  CHECK(move("slot-4", "slot-5").status == 409);  // empty
  CHECK(move("slot-1", "slot-2").status == 409);  // full
  CHECK(move("slot-1", "slot-11").status == 404);
  CHECK(move("slot-1", "slot-11").body["error"] ==
        "there is no element \"slot-11\": they are called slot-1 to slot-10, ie-1 to ie-2, "
        "drive-1 to drive-2");
  CHECK(move("slot-0", "slot-5").status == 404);
  CHECK(move("drive-3", "slot-5").status == 404);
  CHECK(move("NOSUCHL8", "slot-5").status == 404);
  CHECK(move("slot-1", "outside").status == 409);  // only through the door
  CHECK(move("ie-1", "outside").body["error"] == "cannot move ie-1: there is no cartridge in it");
  CHECK(move(1000, "slot-5").status == 400);  // a text is expected
  CHECK(local.call("POST", "/v1/moves", {{"source", "slot-1"}}).status == 400);
}

TEST_CASE("cartridges are made, changed and deleted") {
  Local local;
  const json capacity = kMinCapacityBytes;
  Answer made =
      local.call("POST", "/v1/cartridges", {{"barcode", "NEW001L8"}, {"capacity_bytes", capacity}});
  CHECK(made.status == 201);
  CHECK(made.body["created"] == json::array({"NEW001L8"}));
  CHECK(local.call("POST", "/v1/cartridges", {{"barcode", "NEW001L8"}}).status == 409);
  CHECK(local.call("POST", "/v1/cartridges", {{"barcode", "x"}}).status == 400);
  CHECK(local.call("POST", "/v1/cartridges", {{"barcode", "A00001L8"}, {"prefix", "A"}}).status ==
        400);
  CHECK(local.call("POST", "/v1/cartridges", {{"barcode", "A00001L8"}, {"capacity_bytes", 1}})
            .status == 400);
  CHECK(
      local.call("POST", "/v1/cartridges", {{"barcode", "A00001L8"}, {"where", "attic"}}).status ==
      400);
  CHECK(local.call("POST", "/v1/cartridges", json::object()).status == 400);
  // Six slots are left; all or none.
  CHECK(local.call("POST", "/v1/cartridges", {{"prefix", "MANY"}, {"count", 7}}).status == 409);
  CHECK(local.call("GET", "/v1/cartridges").body["cartridges"].size() == 4);
  made = local.call("POST", "/v1/cartridges",
                    {{"prefix", "VTL"}, {"count", 2}, {"capacity_bytes", capacity}});
  CHECK(made.body["created"] == json::array({"VTL004L8", "VTL005L8"}));

  CHECK(local.call("PATCH", "/v1/cartridges/NEW001L8", {{"write_protected", true}}).status == 200);
  CHECK(local.call("GET", "/v1/cartridges/NEW001L8").body["write_protected"] == true);
  CHECK(local.call("PATCH", "/v1/cartridges/NEW001L8", json::object()).status == 400);
  CHECK(local.call("PATCH", "/v1/cartridges/NEW001L8", {{"write_protected", 1}}).status == 400);
  CHECK(local.call("PATCH", "/v1/cartridges/NOSUCHL8", {{"write_protected", true}}).status == 404);
  CHECK(local.call("DELETE", "/v1/cartridges/NEW001L8").status == 200);
  CHECK(local.call("DELETE", "/v1/cartridges/NEW001L8").status == 404);
  CHECK(local.call("POST", "/v1/moves", {{"source", "VTL002L8"}, {"destination", "drive-2"}})
            .status == 200);
  CHECK(local.call("DELETE", "/v1/cartridges/VTL002L8").status == 409);
}

TEST_CASE("init: cartridges are of the drives' generations") {
  Directory directory;
  InitOptions options;
  options.data_directory = directory.parent + "/mixed";
  options.library.generation = {{9, 1}, {7, 1}};
  options.cartridges = 2;
  options.capacity_bytes = kMinCapacityBytes;
  REQUIRE(init(options).problems.code == kExitDone);
  const auto opened = Manager::open(options.data_directory);
  REQUIRE(opened.manager != nullptr);
  const auto answer = std::get<Answer>(opened.manager->call({"GET", "/v1/cartridges"}));
  CHECK(answer.body["cartridges"][0]["barcode"] == "VTL001L9");
  CHECK(answer.body["cartridges"][1]["barcode"] == "VTL002L7");
}

TEST_CASE("more slots, at once and after the next start") {
  Directory directory;
  std::filesystem::permissions(directory.path + "/vtl.yaml", std::filesystem::perms(0600));
  {
    auto opened = Manager::open(directory.path);
    REQUIRE(opened.manager != nullptr);
    const auto patch = [&](json body) {
      return std::get<Answer>(opened.manager->call({"PATCH", "/v1/library", std::move(body)}));
    };
    CHECK(patch(json::object()).status == 400);
    CHECK(patch({{"slots", 9}}).status == 409);
    CHECK(patch({{"slots", 65000}}).status == 409);  // beyond the addresses of the profile
    CHECK(patch({{"slots", 12}}).body ==
          json({{"slots", 12}, {"ie_slots", 2}, {"drives", 2}, {"added_drives", json::array()}}));
    const auto moved = std::get<Answer>(opened.manager->call(
        {"POST", "/v1/moves", {{"source", "VTL001L8"}, {"destination", "slot-12"}}}));
    CHECK(moved.status == 200);
  }
  CHECK((std::filesystem::status(directory.path + "/vtl.yaml").permissions() &
         std::filesystem::perms::all) == std::filesystem::perms(0600));
  const auto opened = Manager::open(directory.path);
  REQUIRE(opened.manager != nullptr);
  const auto one = std::get<Answer>(opened.manager->call({"GET", "/v1/cartridges/VTL001L8"}));
  CHECK(one.body["place"]["name"] == "slot-12");
}

TEST_CASE("more drives, at once and after the next start") {
  Directory directory;
  json added;
  {
    auto opened = Manager::open(directory.path);
    REQUIRE(opened.manager != nullptr);
    const auto patch = [&](json body) {
      return std::get<Answer>(opened.manager->call({"PATCH", "/v1/library", std::move(body)}));
    };
    CHECK(patch({{"drives", 1}}).status == 409);
    CHECK(patch({{"drives", 0}}).status == 400);
    CHECK(patch({{"generation", 7}}).status == 400);
    CHECK(patch({{"drives", 2}, {"generation", 7}}).status == 400);
    CHECK(patch({{"drives", 3}, {"generation", 10}}).status == 400);
    const Answer too_many = patch({{"drives", 501}});
    CHECK(too_many.status == 409);
    CHECK(too_many.body["error"] ==
          "library.drives: found 501 drives, allowed: 1 to 500 (profile stk-l700)");
    CHECK(patch({{"drives", 2}}).body["added_drives"].empty());
    const Answer grown = patch({{"drives", 4}, {"generation", 7}, {"slots", 11}});
    REQUIRE(grown.status == 200);
    CHECK(grown.body["drives"] == 4);
    CHECK(grown.body["slots"] == 11);
    added = grown.body["added_drives"];
    REQUIRE(added.size() == 2);
    CHECK(added[1]["number"] == 4);
    CHECK(added[1]["generation"] == 7);
    CHECK(added[1]["target"] == "iqn.2026-11.local.vtl:vtl-tapedrive-04");
    CHECK(added[0]["serial"] != added[1]["serial"]);
    const auto moved = std::get<Answer>(opened.manager->call(
        {"POST", "/v1/moves", {{"source", "VTL001L8"}, {"destination", "drive-4"}}}));
    CHECK(moved.status == 200);
  }
  const auto opened = Manager::open(directory.path);
  REQUIRE(opened.manager != nullptr);
  const json library = std::get<Answer>(opened.manager->call({"GET", "/v1/library"})).body;
  CHECK(library["elements"].size() == 1 + 11 + 2 + 4);
  const json& last = library["elements"][6];
  CHECK(last["name"] == "drive-4");
  CHECK(last["barcode"] == "VTL001L8");
  CHECK(last["drive"]["serial"] == added[1]["serial"]);
}

TEST_CASE("cartridges without a label, and cleaning cartridges with their uses") {
  Local local;
  const auto make = [&](json body) {
    return local.call("POST", "/v1/cartridges", std::move(body));
  };
  CHECK(make({{"unlabelled", true}, {"count", 2}}).body["created"] ==
        json::array({"unlabelled-1", "unlabelled-2"}));
  CHECK(make({{"unlabelled", true}, {"generation", 7}, {"worm", true}}).body["created"] ==
        json::array({"unlabelled-3"}));
  CHECK(make({{"unlabelled", true}, {"prefix", "ABC"}}).status == 400);
  CHECK(make({{"barcode", "ABC001M8"}}).body["error"].get<std::string>().find("9 TB") !=
        std::string::npos);
  const json one = local.call("GET", "/v1/cartridges/unlabelled-3").body;
  CHECK(one["generation"] == 7);
  CHECK(one["worm"] == true);
  CHECK_FALSE(one.contains("cleanings_left"));
  CHECK(make({{"barcode", "CLN001CU"}}).status == 201);
  const json cleaning = local.call("GET", "/v1/cartridges/CLN001CU").body;
  CHECK(cleaning["cleanings_left"] == 50);
  CHECK(cleaning["generation_name"] == "cleaning");  // and of no capacity
  for (const char* name : {"capacity_bytes", "used_bytes", "partitions"})
    CHECK_FALSE(cleaning.contains(name));
  CHECK(one["generation_name"] == "LTO-7");
  int labelled = 0, without = 0;
  const json library = local.call("GET", "/v1/library").body;
  for (const json& element : library["elements"])
    if (!element["barcode"].is_null()) ++(element["labelled"] == true ? labelled : without);
  CHECK(labelled == 4);
  CHECK(without == 3);
}

TEST_CASE("a deleted cartridge gives its space back") {
  Directory directory;
  {
    Manager::Opened opened = Manager::open(directory.path);
    REQUIRE(opened.manager != nullptr);
    const auto deleted = opened.manager->call({"DELETE", "/v1/cartridges/VTL002L8"});
    CHECK(std::get<Answer>(deleted).status == 200);
  }
  CHECK_FALSE(std::filesystem::exists(directory.path + "/pool/carts/VTL002L8"));
  CHECK(std::filesystem::is_empty(directory.path + "/pool/trash"));
}

TEST_CASE("jobs: a label that is damaged is found by verify and made anew by repair") {
  Local local;
  const auto run = [&](const std::string& kind) {
    json job = local.call("POST", "/v1/cartridges/VTL001L8/" + kind).body;
    const std::string path = "/v1/jobs/" + job["id"].dump();
    for (int i = 0; i < 1000 && job["state"] == "running"; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      job = local.call("GET", path).body;
    }
    CHECK(job["kind"] == kind);
    return job;
  };
  const std::string mam = local.directory.path + "/pool/carts/VTL001L8/MAM";
  REQUIRE(std::filesystem::remove(mam));
  CHECK(run("verify")["damaged"] == true);
  const json repaired = run("repair");
  CHECK(repaired["state"] == "done");
  CHECK(repaired["damaged"] == false);
  CHECK(repaired["details"]["repaired"].size() == 1);
  CHECK(run("verify")["damaged"] == false);
  CHECK(run("repair")["details"]["repaired"].empty());
  // Blank, and without a label: nothing says what it is.
  REQUIRE(std::filesystem::remove(local.directory.path + "/pool/carts/VTL001L8/CART"));
  CHECK(run("repair")["state"] == "failed");
  CHECK(local.call("POST", "/v1/cartridges/NOSUCHL8/repair").status == 404);
}

TEST_CASE("what a damaged label cannot tell is unknown, not nothing") {
  Local local;
  const std::string cartridge = local.directory.path + "/pool/carts/VTL001L8";
  auto files = make_posix_file_system();
  {
    auto writer = CartridgeWriter::open(*files, cartridge, CartridgeWriter::At::kEndOfData);
    REQUIRE(writer);
    REQUIRE((*writer)->write_block(std::vector<std::byte>(1000)));
    REQUIRE((*writer)->finish());
  }
  json shown = local.call("GET", "/v1/cartridges/VTL001L8").body;
  CHECK(shown["used_bytes"] == 1000);
  CHECK(shown["partitions"][0]["objects"] == 1);
  REQUIRE(std::filesystem::remove(cartridge + "/CART"));
  shown = local.call("GET", "/v1/cartridges/VTL001L8").body;
  CHECK(shown["label_damaged"] == true);
  CHECK(shown["used_bytes"].is_null());
  CHECK(shown["load_count"].is_null());
  CHECK(shown["partitions"][0]["objects"].is_null());
  CHECK(shown["capacity_bytes"] == kMinCapacityBytes);  // each segment says so
}

TEST_CASE("without a server, too, the alerts say what the last scrub found") {
  Directory directory;
  auto files = make_posix_file_system();
  ScrubLog log;
  ScrubReport report;
  report.damage.push_back({0, 7, 1, "a flipped bit"});
  log.finished("VTL002L8", 1'700'000'000'000, report);
  log.finished("GONE01L8", 1'700'000'000'000, report);  // deleted meanwhile
  REQUIRE(ScrubLog::write(*files, directory.path + "/scrub.json", log.text()));
  const Manager::Opened opened = Manager::open(directory.path);
  REQUIRE(opened.manager != nullptr);
  CHECK(opened.problems.warnings.empty());
  const json alerts = std::get<Answer>(opened.manager->call({"GET", "/v1/alerts"})).body["alerts"];
  REQUIRE(alerts.size() == 1);
  CHECK(alerts[0]["cause"] == "damaged");
  CHECK(alerts[0]["barcode"] == "VTL002L8");
  CHECK(alerts[0]["place"] == "slot-2");
}

TEST_CASE("jobs: verify runs to its end, wrong requests start none") {
  Local local;
  const Answer started = local.call("POST", "/v1/cartridges/VTL001L8/verify");
  REQUIRE(started.status == 202);
  json job = started.body;
  const std::string path = "/v1/jobs/" + job["id"].dump();
  for (int i = 0; i < 1000 && job["state"] == "running"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    job = local.call("GET", path).body;
  }
  CHECK(job["state"] == "done");
  CHECK(job["damaged"] == false);
  CHECK(local.call("GET", "/v1/jobs").body["jobs"].size() == 1);

  CHECK(local.call("POST", "/v1/cartridges/NOSUCHL8/verify").status == 404);
  CHECK(local.call("POST", "/v1/cartridges/VTL001L8/export", {{"path", "relative"}}).status == 400);
  CHECK(local.call("POST", "/v1/cartridges/VTL001L8/export", {{"path", "/x"}, {"format", "pdf"}})
            .status == 400);
  CHECK(local.call("POST", "/v1/cartridges/NOSUCHL8/export", {{"path", "/x"}}).status == 404);
  CHECK(local.call("POST", "/v1/cartridges/VTL001L8/import", {{"path", "/x"}}).status == 409);
  CHECK(local.call("POST", "/v1/cartridges/IMP001L8/import", {{"path", "/x"}, {"block_bytes", 0}})
            .status == 400);
  CHECK(local.call("GET", "/v1/jobs").body["jobs"].size() == 1);
}

TEST_CASE("a second manager waits for the first; at the end of its patience it is told who it is") {
  auto local = std::make_unique<Local>();
  const std::string path = local->directory.path;
  const Manager::Opened second = Manager::open(path, std::chrono::milliseconds(30));
  CHECK(second.manager == nullptr);
  CHECK(second.problems.code == kExitInUse);

  Manager::Opened third;
  std::thread waits([&] { third = Manager::open(path, std::chrono::minutes(2)); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  local->opened.manager.reset();
  waits.join();
  CHECK(third.manager != nullptr);
  CHECK(third.problems.errors.empty());
}

TEST_CASE("the control socket carries the same answers") {
  Room parts;
  net::Loop& loop = parts.loop;
  Library& library = parts.room.library;
  const std::string& path = parts.directory.path;
  ControlServer server(loop, parts.management);
  std::string problem = "not opened";
  loop.post([&] {
    library.open([&](Outcome outcome) {
      problem = outcome.error;
      if (problem.empty()) problem = server.open(path);
      loop.stop();
    });
  });
  loop.run();
  REQUIRE(problem == "");
  struct stat info {};
  REQUIRE(::stat((path + "/control.sock").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);

  std::vector<int> statuses;
  json shown;
  json refused;
  json too_long;
  std::thread client([&] {
    const auto connected = ControlClient::connect(path);
    const auto call = [&](const Request& request) {
      const auto result = connected->call(request);
      if (const auto* answer = std::get_if<Answer>(&result)) {
        statuses.push_back(answer->status);
        return answer->body;
      }
      statuses.push_back(-1);
      return json();
    };
    if (connected != nullptr) {
      shown = call({"GET", "/v1/library"});
      call({"POST", "/v1/moves", {{"source", "slot-1"}, {"destination", "drive-1"}}});
      call({"PATCH", "/v1/cartridges/VTL002L8", {{"write_protected", true}}});
      call({"DELETE", "/v1/cartridges/VTL002L8"});
      call({"GET", "/v1/nothing"});
      call({"POST", "/v1/moves", {{"source", std::string(100000, 'x')}, {"destination", "y"}}});
      json deep = 1;
      for (int i = 0; i < 20; ++i) deep = json::array({deep});
      refused = call({"POST", "/v1/cartridges", {{"prefix", "A"}, {"count", deep}}});
      call({"PUT", "/v1/library"});
      too_long = call({"GET", "/" + std::string(9000, 'x')});
    }
    loop.post([&] {
      server.close([&] { parts.management.close([&] { library.close([&] { loop.stop(); }); }); });
    });
  });
  loop.run();
  client.join();
  CHECK(statuses == std::vector<int>{200, 200, 200, 200, 404, 404, 400, 405, 414});
  CHECK(refused["error"] == "the request's body is nested deeper than 16 levels");
  CHECK(too_long["error"] == "the request's path is too long");
  CHECK(shown["elements"].size() == 15);
}

TEST_CASE("a control socket that has just been opened closes") {
  Room parts;
  for (int round = 0; round < 50; ++round) {
    ControlServer server(parts.loop, parts.management);
    REQUIRE(server.open(parts.directory.path) == "");
    bool closed = false;
    net::Timer limit(parts.loop);
    limit.start(std::chrono::seconds(10), [&] { parts.loop.stop(); });
    server.close([&] {
      closed = true;
      parts.loop.stop();
    });
    parts.loop.run();
    REQUIRE(closed);
  }
}

TEST_CASE("a socket that a killed server left is not a server") {
  Directory directory;
  CHECK(ControlClient::connect(directory.path) == nullptr);
}
