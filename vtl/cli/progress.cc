#include "vtl/cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "vtl/cli/table.h"

namespace vtl::cli {

Progress::Progress(std::string title)
    : title_(std::move(title)),
      terminal_(::isatty(STDERR_FILENO) == 1),
      begun_(std::chrono::steady_clock::now()) {}

Progress::~Progress() {
  if (drawn_) fmt::print(stderr, "\n");
}

void Progress::show(std::uint64_t done, std::uint64_t total, bool bytes) {
  if (!terminal_) return;
  constexpr int kWidth = 30;
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  std::string text = "\r" + title_ + " ";
  if (total > 0) {
    const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    const int full = static_cast<int>(part * kWidth);
    text += fmt::format("[{:#<{}}{:.<{}}] {:3.0f} %  ", "", full, "", kWidth - full, part * 100);
  }
  text += bytes ? short_size(done) : fmt::format("{}", done);
  if (bytes && seconds > 0.5) {
    const auto rate = static_cast<std::uint64_t>(static_cast<double>(done) / seconds);
    text += fmt::format("  {}/s", short_size(rate));
  }
  fmt::print(stderr, "{}\x1b[K", text);
  (void)std::fflush(stderr);
  drawn_ = true;
}

}  // namespace vtl::cli
