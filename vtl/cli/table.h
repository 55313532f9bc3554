// Aligned columns for people; what programs read is --json.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace vtl::cli {

class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(std::vector<std::string> cells);  // one a column
  void print(std::ostream& out) const;  // two blanks between columns, none at the end of a line
  bool empty() const { return rows_.empty(); }

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// For tables: three or four digits and a decimal unit, "12.0 TB", "873 MB", "0". Exact sizes are in
// --json.
std::string short_size(std::uint64_t bytes);
// Safe to print on a terminal: control characters become '?'.
std::string printable(std::string_view text);

}  // namespace vtl::cli
