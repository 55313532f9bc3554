#include "vtl/config/section.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace vtl::config {

namespace {

std::string_view kind_name(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::kNothing:
      return "nothing";
    case Node::Kind::kScalar:
      return "a single value";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      return "keys with values";
  }
  return "";
}

// Levenshtein's distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, 60)) out += c >= ' ' && c != 0x7f ? c : '?';
  return out + (text.size() > 60 ? "...\"" : "\"");
}

}  // namespace

void Value::error(std::string text_) const {
  report->errors->push_back({report->file, line, key, std::move(text_)});
}
void Value::warn(std::string text_) const {
  report->warnings->push_back({report->file, line, key, std::move(text_)});
}
void Value::refuse(std::string_view allowed) const {
  error(fmt::format("found {}, allowed: {}", quoted(text), allowed));
}

Section::Section(Report& report, const Node* node, std::string path, int line)
    : report_(&report), node_(node), path_(std::move(path)), line_(line) {
  if (node_ == nullptr || node_->kind == Node::Kind::kNothing) {
    node_ = nullptr;
    return;
  }
  if (node_->kind != Node::Kind::kMap) {
    error(fmt::format("found {}, allowed: keys with values", kind_name(node_->kind)));
    node_ = nullptr;
    return;
  }
  std::set<std::string_view> seen;
  for (const Node::Entry& entry : node_->entries) {
    if (seen.insert(entry.name).second) continue;
    report_->errors->push_back(
        {report_->file, entry.line, path_of(entry.name),
         fmt::format("found a second time; the first is on line {}", find(entry.name)->line)});
  }
}

std::string Section::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

const Node::Entry* Section::find(std::string_view name) const {
  if (node_ == nullptr) return nullptr;
  const auto found = std::find_if(node_->entries.begin(), node_->entries.end(),
                                  [&](const Node::Entry& entry) { return entry.name == name; });
  return found == node_->entries.end() ? nullptr : &*found;
}

bool Section::has(std::string_view name) const { return find(name) != nullptr; }

int Section::line_of(std::string_view name) const {
  const Node::Entry* entry = find(name);
  return entry == nullptr ? 0 : entry->line;
}

std::vector<std::string> Section::names() const {
  std::vector<std::string> names;
  if (node_ == nullptr) return names;
  for (const Node::Entry& entry : node_->entries) names.push_back(entry.name);
  return names;
}

const Node* Section::ask(std::string_view name, std::string_view expected, Node::Kind kind) {
  asked_.emplace(name);
  const Node::Entry* entry = find(name);
  if (entry == nullptr) return nullptr;
  if (entry->value.kind == kind) return &entry->value;
  error_at(name, fmt::format("found {}, allowed: {}", kind_name(entry->value.kind), expected));
  return nullptr;
}

std::optional<Value> Section::scalar(std::string_view name) {
  const Node* node = ask(name, "a single value", Node::Kind::kScalar);
  if (node == nullptr) return std::nullopt;
  return Value{node->text, path_of(name), node->line, report_};
}

std::optional<Value> Section::required(std::string_view name) {
  if (!has(name)) {
    asked_.emplace(name);
    error(fmt::format("key \"{}\" is missing", name));
    return std::nullopt;
  }
  return scalar(name);
}

std::optional<std::vector<Value>> Section::scalars(std::string_view name) {
  const Node::Entry* entry = find(name);
  if (entry != nullptr && entry->value.kind == Node::Kind::kScalar)
    return std::vector<Value>{*scalar(name)};
  const Node* node = ask(name, "a list", Node::Kind::kList);
  if (node == nullptr) return std::nullopt;
  std::vector<Value> values;
  for (std::size_t i = 0; i < node->items.size(); ++i) {
    const Node& item = node->items[i];
    Value value{item.text, fmt::format("{}[{}]", path_of(name), i + 1), item.line, report_};
    if (item.kind == Node::Kind::kScalar)
      values.push_back(std::move(value));
    else
      value.error(fmt::format("found {}, allowed: a single value", kind_name(item.kind)));
  }
  return values;
}

std::optional<std::vector<Section>> Section::list(std::string_view name) {
  const Node* node = ask(name, "a list", Node::Kind::kList);
  if (node == nullptr) return std::nullopt;
  std::vector<Section> sections;
  for (std::size_t i = 0; i < node->items.size(); ++i)
    sections.emplace_back(*report_, &node->items[i], fmt::format("{}[{}]", path_of(name), i + 1),
                          node->items[i].line);
  return sections;
}

Section Section::child(std::string_view name) {
  asked_.emplace(name);
  const Node::Entry* entry = find(name);
  if (entry == nullptr) return Section(*report_, nullptr, path_of(name), line_);
  return Section(*report_, &entry->value, path_of(name), entry->line);
}

void Section::error(std::string text) const {
  report_->errors->push_back({report_->file, line_, path_, std::move(text)});
}

void Section::error_at(std::string_view name, std::string text) const {
  const Node::Entry* entry = find(name);
  report_->errors->push_back(
      {report_->file, entry != nullptr ? entry->line : line_, path_of(name), std::move(text)});
}

void Section::warn_at(std::string_view name, std::string text) const {
  const Node::Entry* entry = find(name);
  report_->warnings->push_back(
      {report_->file, entry != nullptr ? entry->line : line_, path_of(name), std::move(text)});
}

void Section::finish(Names names) const {
  if (node_ == nullptr) return;
  for (const Node::Entry& entry : node_->entries) {
    if (asked_.contains(entry.name)) continue;
    std::string nearest, all;
    std::size_t best = 1 + entry.name.size() / 2;
    for (const std::string& known : asked_) {
      all += (all.empty() ? "" : ", ") + known;
      const std::size_t d = distance(entry.name, known);
      if (d < best) {
        best = d;
        nearest = known;
      }
    }
    std::string key = path_;
    if (names == Names::kShow) key += (key.empty() ? "" : ".") + quoted(entry.name);
    report_->errors->push_back({report_->file, entry.line, std::move(key),
                                nearest.empty()
                                    ? "unknown key; allowed: " + all
                                    : "unknown key; did you mean \"" + nearest + "\"?"});
  }
}

}  // namespace vtl::config
