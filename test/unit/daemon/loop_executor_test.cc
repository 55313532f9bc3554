#include "vtl/daemon/loop_executor.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

namespace vtl::daemon {
namespace {

struct Rig {
  net::Loop loop;
  std::unique_ptr<LoopExecutor> executor = std::make_unique<LoopExecutor>(
      loop, make_thread_executor([this](Callback callback) { loop.post(std::move(callback)); }));
  std::string log;
  std::thread::id here = std::this_thread::get_id();

  // A capital letter where the loop ran it.
  Job note(char letter) {
    return [this, letter] {
      log += std::this_thread::get_id() == here ? static_cast<char>(letter - 'a' + 'A') : letter;
    };
  }
  Callback stop() {
    return [this] { loop.stop(); };
  }
};

}  // namespace

TEST_CASE("Brief jobs are done on the loop, others are not, and a strand's order stays") {
  Rig rig;
  const Strand strand = rig.executor->make_strand("order");
  rig.executor->submit_brief(strand, rig.note('a'), rig.note('x'));
  rig.executor->submit(strand, rig.note('b'), rig.note('y'));
  rig.executor->submit_brief(strand, rig.note('c'), rig.note('z'));
  rig.executor->submit(strand, rig.note('d'), rig.stop());
  CHECK(rig.log.empty());  // nothing from inside of the call
  rig.executor->close_strand(strand);
  rig.loop.run();
  CHECK(rig.log == "AXbYCZd");
}

TEST_CASE("A strand that waits for a thread does not hold up another one") {
  Rig rig;
  const Strand slow = rig.executor->make_strand("slow"), quick = rig.executor->make_strand("quick");
  std::atomic<bool> go{false};
  rig.executor->submit(
      slow, [&go] { go.wait(false); }, rig.stop());
  rig.executor->submit_brief(slow, rig.note('b'), [] {});
  rig.executor->submit_brief(quick, rig.note('a'), [&go] {
    go = true;
    go.notify_one();
  });
  rig.loop.run();
  rig.executor->submit_brief(quick, rig.note('c'), rig.stop());
  rig.loop.run();
  CHECK(rig.log == "ABC");
}

TEST_CASE("A strand that has long been alone has a thread, until another one comes") {
  Rig rig;
  const Strand one = rig.executor->make_strand("one"), other = rig.executor->make_strand("other");
  for (int i = 0; i < 100; ++i) rig.executor->submit_brief(one, rig.note('a'), [] {});
  rig.executor->submit(
      one, [] {}, rig.stop());
  CHECK(rig.executor->does_brief_jobs());
  rig.loop.run();
  CHECK(rig.log.starts_with("AAAA"));
  CHECK(rig.log.ends_with("aaaa"));
  CHECK_FALSE(rig.executor->does_brief_jobs());
  rig.executor->submit_brief(other, rig.note('b'), [] {});
  rig.executor->submit(
      other, [] {}, rig.stop());
  rig.loop.run();
  CHECK(rig.log.ends_with("aB"));
  CHECK(rig.executor->does_brief_jobs());
}

TEST_CASE("What a job's end submits has its turn") {
  Rig rig;
  const Strand strand = rig.executor->make_strand("again");
  rig.executor->submit_brief(strand, rig.note('a'), [&rig, strand] {
    rig.executor->submit_brief(strand, rig.note('b'), rig.stop());
    rig.executor->close_strand(strand);
  });
  rig.loop.run();
  CHECK(rig.log == "AB");
}

TEST_CASE("The end does what is left, and tells nobody") {
  Rig rig;
  const Strand closed = rig.executor->make_strand("closed"),
               open = rig.executor->make_strand("open");
  rig.executor->submit_brief(closed, rig.note('a'), rig.note('x'));
  rig.executor->submit(closed, rig.note('b'), rig.note('y'));
  rig.executor->close_strand(closed);
  rig.executor->submit_brief(open, rig.note('c'), rig.note('z'));
  rig.executor.reset();
  CHECK(rig.log == "ABC");
}

}  // namespace vtl::daemon
