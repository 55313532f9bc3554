#include "vtl/config/edit.h"

#include <fmt/format.h>

#include <algorithm>

#include "vtl/config/keys.h"
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

int last_line_of(const Node& node) {
  int last = node.line;
  for (const Node& item : node.items) last = std::max(last, last_line_of(item));
  for (const Node::Entry& entry : node.entries) last = std::max(last, last_line_of(entry.value));
  return last;
}

// A line for each drive behind those of the list, indented as they are.
void append_drives(std::string& text, const Node& list, const std::vector<Drive>& drives) {
  if (list.items.empty()) return;
  const std::size_t item = start_of(text, list.items.back().line);
  const std::size_t dash = text.find_first_not_of(' ', item);
  if (dash == std::string::npos || text[dash] != '-') return;
  const std::string indent(dash - item, ' ');
  if (text.back() != '\n') text += '\n';
  std::string lines;
  for (const Drive& drive : drives) lines += indent + drive_line(drive);
  const std::size_t end = text.find('\n', start_of(text, last_line_of(list.items.back())));
  text.insert(end + 1, lines);
}

}  // namespace

Edited with_growth(const std::string& path, const LibraryConfig& library_now, const Growth& growth,
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

  // Or what is added behind it would have other addresses and names after the next start.
  if (!(before.config->library == library_now))
    return refuse(path +
                  ": library: it was changed since the server read it; restart the server first");

  const auto parsed = parse_yaml(file.text);
  const Node::Entry* library = find(std::get<Node>(parsed), "library");
  if (library == nullptr || library->value.entries.empty())
    return refuse(path + ": library: nothing is there");
  for (const auto& [name, value] : {std::pair<std::string, std::uint32_t>{"slots", growth.slots},
                                    {"ie_slots", growth.ie_slots}}) {
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

  if (!growth.drives.empty()) {
    const auto now = parse_yaml(file.text);
    if (const Node::Entry* list = find(find(std::get<Node>(now), "library")->value, "drives"))
      append_drives(file.text, list->value, growth.drives);
  }

  // Read again: nothing but the two numbers and the drives may be another.
  Loaded after = load(path, edited);
  // By its key only: the line may be one that was put in.
  if (!after.config) return refuse(after.errors.front().key + ": " + after.errors.front().text);
  LibraryConfig& expected = before.config->library;
  expected.slots = growth.slots;
  expected.ie_slots = growth.ie_slots;
  expected.drives.insert(expected.drives.end(), growth.drives.begin(), growth.drives.end());
  if (!(*after.config == *before.config))
    return refuse(path +
                  ": it is not clear where slots, ie_slots and drives stand; change them there and "
                  "start the server again");
  out.text = std::move(file.text);
  out.config = std::move(*after.config);
  return out;
}

}  // namespace vtl::config
