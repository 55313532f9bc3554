#include "vtl/daemon/fields.h"

#include <catch2/catch.hpp>

using nlohmann::json;
using vtl::daemon::Fields;

TEST_CASE("members are taken by type and range") {
  const json body = {{"text", "a"}, {"number", 5}, {"flag", true}, {"nothing", nullptr}};
  Fields fields(body);
  CHECK(fields.text("text") == "a");
  CHECK(fields.number("number", 5, 5) == 5);
  CHECK(fields.flag("flag") == true);
  CHECK(!fields.text("nothing"));
  CHECK(!fields.text("absent"));
  CHECK(fields.problem() == "");
}

TEST_CASE("the first problem is kept, and it names the member") {
  const auto problem = [](const json& body) {
    Fields fields(body);
    (void)fields.text("text");
    (void)fields.number("number", 2, 9);
    (void)fields.flag("flag");
    return fields.problem();
  };
  CHECK(problem({{"text", 1}}).find("text") == 0);
  CHECK(problem({{"number", 1}}) == "number: found 1, allowed are whole numbers from 2 to 9");
  for (const json& wrong : {json(10), json(-3), json(2.5), json("3"), json(true), json::array()}) {
    CHECK(problem({{"number", wrong}}).find("number: ") == 0);
  }
  CHECK(problem({{"flag", "yes"}}).find("flag") == 0);
  CHECK(problem({{"other", 1}}).find("other") == 0);
  CHECK(problem(json::array({1})) != "");
  CHECK(problem("text") != "");
  CHECK(problem({{"text", 1}, {"other", 2}}).find("text") == 0);

  const json empty = json::object();
  Fields required(empty);
  CHECK(required.required_text("barcode") == "");
  CHECK(required.problem() == "barcode is missing");
}
