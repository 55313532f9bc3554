#include "vtl/library/barcode.h"

#include <algorithm>
#include <array>

#include "scsi/ssc/profile.h"

namespace vtl {

namespace {

constexpr std::size_t kShortest = 6, kLongest = 30;
// An LTO label: a volume name of six characters and the media type.
constexpr std::size_t kVolumeLength = 6, kLabelLength = 8;
constexpr std::size_t kTail = 6;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_barcode_character(char c) { return is_digit(c) || (c >= 'A' && c <= 'Z'); }

constexpr std::string_view kUnlabelled = "unlabelled-";

// Media types of the LTO label specification that no cartridge here can be.
struct Impossible {
  std::string_view suffix, why;
};
constexpr Impossible kImpossible[] = {
    {"M8", "an LTO-7 cartridge that an LTO-8 drive has formatted to 9 TB, which is not emulated"},
    {"PA", "the 40 TB cartridge of LTO-10, which is not emulated"},
};

}  // namespace

std::string check_barcode(std::string_view barcode) {
  if (barcode.size() < kShortest || barcode.size() > kLongest)
    return "a barcode has 6 to 30 characters, \"" + std::string(barcode.substr(0, 40)) + "\" has " +
           std::to_string(barcode.size());
  const auto bad = std::find_if_not(barcode.begin(), barcode.end(), is_barcode_character);
  if (bad != barcode.end())
    return "a barcode is made of A-Z and 0-9, \"" + std::string(barcode) +
           "\" has another character at place " + std::to_string(bad - barcode.begin() + 1);
  return "";
}

bool is_unlabelled(std::string_view name) {
  if (!name.starts_with(kUnlabelled)) return false;
  name.remove_prefix(kUnlabelled.size());
  return !name.empty() && name.size() <= 9 && std::all_of(name.begin(), name.end(), is_digit);
}

std::string unlabelled_name(std::uint32_t number) {
  return std::string(kUnlabelled) + std::to_string(number);
}

LabelOutcome label_of_barcode(std::string_view barcode, std::optional<std::uint8_t> generation) {
  LabelOutcome outcome;
  if (!is_unlabelled(barcode)) outcome.error = check_barcode(barcode);
  if (!outcome.error.empty()) return outcome;
  outcome.label.barcode = barcode;
  outcome.label.cleaning = barcode.starts_with("CLN") || barcode.starts_with("CLR");

  if (generation && scsi::ssc::find_generation(*generation) == nullptr) {
    outcome.error = "there is no LTO-" + std::to_string(*generation);
    return outcome;
  }
  std::optional<scsi::ssc::SuffixMatch> suffix;
  if (barcode.size() == kLabelLength) {
    suffix = scsi::ssc::find_generation_by_barcode(barcode);
    for (const Impossible& type : kImpossible) {
      if (!barcode.ends_with(type.suffix)) continue;
      outcome.error = "barcode " + std::string(barcode) +
                      " says by its last two characters: " + std::string(type.why);
      return outcome;
    }
  }
  // A cleaning cartridge fits every drive, whatever its suffix ("CU") says.
  if (outcome.label.cleaning) {
    if (suffix && suffix->worm) {
      outcome.error = "barcode " + std::string(barcode) +
                      " says a cleaning cartridge by its beginning, and a WORM one by its end";
      return outcome;
    }
    if (generation || suffix)
      outcome.label.generation = generation ? *generation : suffix->generation->number;
    return outcome;
  }
  if (suffix && generation && suffix->generation->number != *generation) {
    outcome.error =
        "barcode " + std::string(barcode) + " says " + std::string(suffix->generation->name) +
        " by its last two characters, but LTO-" + std::to_string(*generation) + " was asked for";
  } else if (suffix) {
    outcome.label.generation = suffix->generation->number;
    outcome.label.worm = suffix->worm;
  } else if (generation) {
    outcome.label.generation = *generation;
  } else {
    outcome.error =
        "barcode " + std::string(barcode) +
        " does not say its LTO generation: say it (--generation), or use 8 characters that end in "
        "a media type such as L8";
  }
  return outcome;
}

std::string numbered_barcode(std::string_view prefix, std::uint32_t number, std::uint8_t generation,
                             bool worm) {
  const auto* model = scsi::ssc::find_generation(generation);
  if (model == nullptr || prefix.size() >= kVolumeLength) return "";
  const std::string_view suffix = worm ? model->barcode_suffix_worm : model->barcode_suffix_data;
  if (suffix.empty()) return "";

  const std::size_t width = kVolumeLength - prefix.size();
  std::uint32_t decimal =
      1;  // 10^width numbers, then 26 * 10^(width-1) that begin with a letter: 999, A00
  for (std::size_t i = 0; i < width; ++i) decimal *= 10;
  std::string digits;
  if (number < decimal) {
    digits = std::to_string(number);
    digits.insert(0, width - digits.size(), '0');
  } else {
    const std::uint32_t rest = number - decimal, run = decimal / 10;
    if (rest / run >= 26) return "";
    digits = std::to_string(rest % run +
                            run);  // as wide as `width`, its first digit makes room for the letter
    digits[0] = static_cast<char>('A' + rest / run);
  }
  std::string barcode = std::string(prefix) + digits + std::string(suffix);
  return check_barcode(barcode).empty() ? barcode : "";
}

std::string BarcodeSet::tail_of(std::string_view barcode) const {
  if (is_unlabelled(barcode)) return std::string(barcode);  // the changer tells nothing of it
  barcode = barcode.substr(0, told_);
  return std::string(barcode.substr(barcode.size() - std::min(kTail, barcode.size())));
}

std::optional<std::string> BarcodeSet::clash(std::string_view barcode) const {
  const auto found = by_tail_.find(tail_of(barcode));
  if (found == by_tail_.end()) return std::nullopt;
  return found->second;
}

std::string BarcodeSet::as_told() const {
  if (told_ >= scsi::smc::kVolumeTagCharacters) return "";
  return ", where the changer tells " + std::to_string(told_) + " of their characters";
}

void BarcodeSet::insert(std::string_view barcode) {
  by_tail_.emplace(tail_of(barcode), std::string(barcode));
}

void BarcodeSet::erase(std::string_view barcode) {
  const auto found = by_tail_.find(tail_of(barcode));
  if (found != by_tail_.end() && found->second == barcode) by_tail_.erase(found);
}

}  // namespace vtl
