#include "vtl/daemon/log.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <string>

#include "vtl/daemon/log_writer.h"

namespace vtl::daemon {
namespace {

// Names and keys come from a wire: what a terminal would act on is written as \xNN.
std::string escaped(std::string_view line) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(line.size());
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
    } else {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

void write(spdlog::level::level_enum level, std::string_view line) {
  if (spdlog::should_log(level)) spdlog::log(level, "{}", escaped(line));
}

class WriterSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  LogWriter writer{STDERR_FILENO};

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t text;
    formatter_->format(message, text);
    writer.write(fmt::to_string(text));
  }
  void flush_() override {}
};

std::shared_ptr<WriterSink> server_sink;

// Never standard output: that is for the results of commands.
std::shared_ptr<spdlog::logger> stderr_logger(spdlog::sink_ptr sink, const char* pattern) {
  auto logger = std::make_shared<spdlog::logger>("", std::move(sink));
  logger->set_pattern(pattern);
  logger->flush_on(spdlog::level::trace);
  return logger;
}

}  // namespace

void start_log(config::LogLevel level) {
  server_sink = std::make_shared<WriterSink>();
  spdlog::set_default_logger(stderr_logger(server_sink, "%Y-%m-%d %H:%M:%S.%e %-7l %v"));
  set_log_level(level);
}

void flush_log(std::chrono::milliseconds limit) {
  if (server_sink != nullptr) (void)server_sink->writer.flush(limit);
}

void set_log_level(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::kError:
      return spdlog::default_logger_raw()->set_level(spdlog::level::err);
    case config::LogLevel::kWarning:
      return spdlog::default_logger_raw()->set_level(spdlog::level::warn);
    case config::LogLevel::kInfo:
      return spdlog::default_logger_raw()->set_level(spdlog::level::info);
    case config::LogLevel::kDebug:
      return spdlog::default_logger_raw()->set_level(spdlog::level::debug);
  }
}

void start_command_log() {
  auto logger = stderr_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>(), "vtl: %l: %v");
  logger->set_level(spdlog::level::warn);
  spdlog::set_default_logger(std::move(logger));
}

void log_debug(std::string_view line) { write(spdlog::level::debug, line); }
void log_info(std::string_view line) { write(spdlog::level::info, line); }
void log_warning(std::string_view line) { write(spdlog::level::warn, line); }
void log_error(std::string_view line) { write(spdlog::level::err, line); }

void log(iscsi::LogLevel level, std::string_view line) {
  switch (level) {
    case iscsi::LogLevel::kDebug:
      return log_debug(line);
    case iscsi::LogLevel::kInfo:
      return log_info(line);
    case iscsi::LogLevel::kWarning:
      return log_warning(line);
  }
}

}  // namespace vtl::daemon
