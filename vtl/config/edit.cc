#include "vtl/config/edit.h"

#include <fmt/format.h>

#include <algorithm>

#include "vtl/config/node.h"

namespace vtl::config {

namespace {

const Node::Entry* find(const Node& map, std::string_view name) {
  const auto found = std::find_if(map.entries.begin(), map.entries.end(),
                                  [&](const Node::Entry& entry) { return entry.name == name; });
  return found == map.entries.end() ? nullptr : &*found;
}

// Where a line begins, counted from 1.
std::size_t start_of(std::string_view text, int line) {
  std::size_t at = 0;
  for (; line > 1; --line) at = std::min(text.find('\n', at), text.size() - 1) + 1;
  return at;
}

// "  slots: 20  # comment" with another number; as it was if the line is not like that.
void set_number(std::string& text, int line, std::string_view name, std::uint32_t value) {
  constexpr std::string_view kDigits = "0123456789";
  const std::size_t key = text.find(name, start_of(text, line));
  if (key == std::string::npos) return;
  const std::size_t number = text.find_first_of(kDigits, key + name.size());
  if (number == std::string::npos) return;
  const std::size_t end = std::min(text.find_first_not_of(kDigits, number), text.size());
  text.replace(number, end - number, std::to_string(value));
}

}  // namespace

Edited with_sizes(const std::string& path, std::uint32_t slots, std::uint32_t ie_slots,
                  const ReadFile& read) {
  Edited out;
  const auto refuse = [&](std::string why) {
    out.error = std::move(why);
    return out;
  };
  const auto source = read(path);
  if (const auto* why = std::get_if<std::string>(&source)) return refuse(path + " " + *why);
  SourceFile file = std::get<SourceFile>(source);
  const ReadFile edited = [&](const std::string& asked) -> std::variant<SourceFile, std::string> {
    return asked == path ? file : read(asked);
  };
  Loaded before = load(path, edited);
  if (!before.config) return refuse(to_string(before.errors.front()));

  const auto parsed = parse_yaml(file.text);
  const Node::Entry* library = find(std::get<Node>(parsed), "library");
  if (library == nullptr || library->value.entries.empty())
    return refuse(path + ": library: nothing is there");
  for (const auto& [name, value] :
       {std::pair<std::string, std::uint32_t>{"slots", slots}, {"ie_slots", ie_slots}}) {
    // Each by the file as it is then: a line may have been put in.
    const auto now = parse_yaml(file.text);
    const Node& map = find(std::get<Node>(now), "library")->value;
    if (const Node::Entry* entry = find(map, name)) {
      set_number(file.text, entry->line, name + ":", value);
      continue;
    }
    const std::size_t first = start_of(file.text, map.entries.front().line);
    const std::size_t indent =
        std::min(file.text.find_first_not_of(' ', first), first + 40) - first;
    file.text.insert(first, fmt::format("{}{}: {}\n", std::string(indent, ' '), name, value));
  }

  // Read again: nothing but the two numbers may be another.
  Loaded after = load(path, edited);
  // By its key only: the line may be one that was put in.
  if (!after.config) return refuse(after.errors.front().key + ": " + after.errors.front().text);
  before.config->library.slots = slots;
  before.config->library.ie_slots = ie_slots;
  if (!(*after.config == *before.config))
    return refuse(path +
                  ": it is not clear where slots and ie_slots stand; change them there and "
                  "start the server again");
  out.text = std::move(file.text);
  out.config = std::move(*after.config);
  return out;
}

}  // namespace vtl::config
