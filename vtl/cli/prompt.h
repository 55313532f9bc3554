// Asking for what nobody else may see.
#pragma once

#include <optional>
#include <string>

namespace vtl::cli {

// One line from the terminal on standard input, which does not show it; empty if there is none. The
// terminal is as it was afterwards, also where a signal ends the program meanwhile. One at a time.
std::optional<std::string> ask_hidden(const std::string& text);

}  // namespace vtl::cli
