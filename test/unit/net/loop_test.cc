#include "transport/net/loop.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

TEST_CASE("posted callbacks run in order, on the loop's thread") {
  net::Loop loop;
  std::vector<int> seen;
  const auto self = std::this_thread::get_id();
  bool elsewhere = false;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) {
      loop.post([&, i] {
        seen.push_back(i);
        elsewhere = elsewhere || std::this_thread::get_id() != self;
      });
    }
    loop.post([&] { loop.stop(); });
  });
  loop.run();
  other.join();
  REQUIRE(seen.size() == 1000);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(!elsewhere);
}

TEST_CASE("a callback may post another") {
  net::Loop loop;
  int depth = 0;
  std::function<void()> again = [&] {
    if (++depth == 50) return loop.stop();
    loop.post([&] { again(); });
  };
  loop.post([&] { again(); });
  loop.run();
  CHECK(depth == 50);
}

TEST_CASE("what is posted after the end is destroyed, not run") {
  bool ran = false;
  auto held = std::make_shared<int>(1);
  std::weak_ptr<int> watch = held;
  {
    net::Loop loop;
    loop.post([&] { loop.stop(); });
    loop.run();
    loop.post([&ran, held = std::move(held)] { ran = true; });
  }
  CHECK(!ran);
  CHECK(watch.expired());
}

namespace {

struct Counter final : net::Deferred {
  explicit Counter(net::Loop& loop_) : loop(loop_) {}
  ~Counter() { loop.cancel(*this); }
  void run_deferred() override {
    ++runs;
    if (then) then();
  }
  net::Loop& loop;
  int runs = 0;
  std::function<void()> then;
};

}  // namespace

TEST_CASE("what is deferred many times in a turn runs once") {
  net::Loop loop;
  Counter counter(loop);
  counter.then = [&] { loop.stop(); };
  loop.post([&] {
    for (int i = 0; i < 10; ++i) loop.defer(counter);
  });
  loop.run();
  CHECK(counter.runs == 1);
}

TEST_CASE("a deferred thing may cancel another, destroy itself, and defer itself again") {
  net::Loop loop;
  auto doomed = std::make_unique<Counter>(loop);
  Counter cancelled(loop);
  Counter again(loop);
  again.then = [&] { again.runs < 100 ? loop.defer(again) : loop.stop(); };
  doomed->then = [&] {
    loop.cancel(cancelled);
    doomed.reset();
  };
  loop.post([&] {
    loop.defer(*doomed);
    loop.defer(cancelled);
    loop.defer(again);
  });
  loop.run();
  CHECK(doomed == nullptr);
  CHECK(cancelled.runs == 0);
  CHECK(again.runs == 100);
}

TEST_CASE("what a timer defers runs before the loop sleeps") {
  net::Loop loop;
  Counter counter(loop);
  counter.then = [&] { loop.stop(); };
  net::Timer timer(loop);
  timer.start(5ms, [&] { loop.defer(counter); });
  const auto begun = std::chrono::steady_clock::now();
  loop.run();
  CHECK(counter.runs == 1);
  CHECK(std::chrono::steady_clock::now() - begun >= 5ms);
}

TEST_CASE("timers: restarted, stopped, destroyed in their own call") {
  net::Loop loop;
  int first = 0;
  int second = 0;
  net::Timer restarted(loop);
  restarted.start(1ms, [&] { ++first; });
  restarted.start(2ms, [&] { second += 1; });
  net::Timer stopped(loop);
  stopped.start(1ms, [&] { second += 100; });
  CHECK(stopped.active());
  stopped.stop();
  CHECK(!stopped.active());
  auto dying = std::make_unique<net::Timer>(loop);
  dying->start(3ms, [&] { dying.reset(); });
  net::Timer end(loop);
  end.start(30ms, [&] { loop.stop(); });
  loop.run();
  CHECK(first == 0);
  CHECK(second == 1);
  CHECK(dying == nullptr);
}

TEST_CASE("busy-polling does not starve timers or callbacks") {
  net::Loop loop;
  loop.set_busy_poll(1s);
  int posted = 0;
  std::function<void()> again = [&] {
    if (++posted < 1000) loop.post([&] { again(); });
  };
  loop.post([&] { again(); });
  net::Timer timer(loop);
  timer.start(10ms, [&] { loop.stop(); });
  loop.run();
  CHECK(posted == 1000);
}

TEST_CASE("signals reach the loop") {
  net::Loop loop;
  int received = 0;
  net::Signal signal(loop, SIGUSR1, [&] {
    if (++received == 2) return loop.stop();
    std::raise(SIGUSR1);
  });
  loop.post([] { std::raise(SIGUSR1); });
  loop.run();
  CHECK(received == 2);
}
