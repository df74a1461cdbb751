//===- Space.cpp - what can be done with any schedule space ----------------------------------===//
#include "tenon/Schedule/Space.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <random>
#include <set>

using namespace mlir;
using namespace tenon;

ScheduleSpace::ScheduleSpace(Definition made, ScheduleAttr byDefault)
    : definition(std::move(made)), defaultChoices(definition.read(byDefault)) {}

SmallVector<AxisValue> ScheduleSpace::getValues(ArrayRef<AxisValue> before) const {
  SmallVector<AxisValue> values = definition.axes[before.size()].getValues(before);
  if (before == ArrayRef(defaultChoices).take_front(before.size())) {
    const AxisValue &first = defaultChoices[before.size()];
    auto *found = llvm::find(values, first);
    if (found == values.end())
      values.insert(values.begin(), first);
    else
      std::rotate(values.begin(), found, found + 1);
  }
  return values;
}

ScheduleCandidate ScheduleSpace::get(ArrayRef<AxisValue> choices) const {
  ScheduleCandidate candidate{choices.vec(), definition.build(choices), std::nullopt};
  if (hasCosts())
    candidate.cost = definition.getCost(choices);
  return candidate;
}

std::optional<Choices> ScheduleSpace::find(ScheduleAttr schedule) const {
  Choices choices = definition.read(schedule);
  if (choices.size() != getNumAxes())
    return std::nullopt;
  for (unsigned axis = 0; axis < getNumAxes(); ++axis)
    if (!llvm::is_contained(getValues(ArrayRef(choices).take_front(axis)), choices[axis]))
      return std::nullopt;
  // What no axis speaks of must be as candidates have it.
  return definition.build(choices) == schedule ? std::optional(choices) : std::nullopt;
}

void ScheduleSpace::enumerate(Choices &path, unsigned axes, function_ref<bool(ArrayRef<AxisValue>)> visit,
                              bool &goesOn) const {
  if (path.size() == axes) {
    goesOn = visit(path);
    return;
  }
  for (AxisValue &value : getValues(path)) {
    path.push_back(std::move(value));
    enumerate(path, axes, visit, goesOn);
    path.pop_back();
    if (!goesOn)
      return;
  }
}

void ScheduleSpace::enumerate(function_ref<bool(ArrayRef<AxisValue>)> visit) const {
  Choices path;
  bool goesOn = true;
  enumerate(path, getNumAxes(), visit, goesOn);
}

CandidateCount ScheduleSpace::count(int64_t limit) const {
  CandidateCount result;
  if (getNumAxes() == 0)
    return {1, true};
  Choices path;
  bool goesOn = true;
  // The last axis is not walked: its values are counted.
  enumerate(
      path, getNumAxes() - 1,
      [&](ArrayRef<AxisValue> before) {
        result.count += getValues(before).size();
        return result.exact = result.count <= limit;
      },
      goesOn);
  return result;
}

Choices ScheduleSpace::complete(Choices choices) const {
  while (choices.size() < getNumAxes())
    choices.push_back(getValues(choices).front());
  return choices;
}

std::vector<ScheduleCandidate> ScheduleSpace::sample(int64_t number, uint64_t seed) const {
  // A space that is not much larger than what is wanted is listed rather than drawn from.
  const int64_t few = std::max<int64_t>(4096, 4 * number);
  std::mt19937_64 random(seed);
  std::vector<Choices> chosen;
  if (count(few).exact) {
    enumerate([&](ArrayRef<AxisValue> path) {
      chosen.push_back(path.vec());
      return true;
    });
    number = std::min<int64_t>(number, chosen.size());
    for (int64_t i = 0; i < number; ++i)
      std::swap(chosen[i], chosen[i + random() % (chosen.size() - i)]);
    chosen.resize(number);
  } else {
    // Far more candidates than are wanted: one that was drawn before is drawn again.
    std::set<Choices> seen;
    while (static_cast<int64_t>(chosen.size()) < number) {
      Choices path;
      while (path.size() < getNumAxes()) {
        SmallVector<AxisValue> values = getValues(path);
        path.push_back(values[random() % values.size()]);
      }
      if (seen.insert(path).second)
        chosen.push_back(path);
    }
  }
  std::vector<ScheduleCandidate> candidates;
  for (const Choices &path : chosen)
    candidates.push_back(get(path));
  return candidates;
}

std::vector<ScheduleCandidate> ScheduleSpace::getNeighbours(ArrayRef<AxisValue> choices) const {
  std::vector<ScheduleCandidate> neighbours;
  for (unsigned axis = 0; axis < getNumAxes(); ++axis)
    for (const AxisValue &value : getValues(choices.take_front(axis))) {
      if (value == choices[axis])
        continue;
      Choices path = choices.take_front(axis).vec();
      path.push_back(value);
      while (path.size() < getNumAxes()) {
        SmallVector<AxisValue> values = getValues(path);
        const AxisValue &before = choices[path.size()];
        path.push_back(llvm::is_contained(values, before) ? before : values.front());
      }
      neighbours.push_back(get(path));
    }
  return neighbours;
}

std::vector<ScheduleCandidate> ScheduleSpace::getBest(int64_t number) const {
  if (!hasCosts())
    return std::vector<ScheduleCandidate>(number > 0 ? 1 : 0, getDefault());
  std::vector<std::pair<double, Choices>> found;
  Choices path;
  bool goesOn = true;
  auto isCheaper = [](auto &a, auto &b) { return a.first < b.first; };
  enumerate(
      path, definition.costAxes,
      [&](ArrayRef<AxisValue> choices) {
        std::pair<double, Choices> entry{definition.getCost(choices), choices.vec()};
        auto place = llvm::upper_bound(found, entry, isCheaper);
        if (place - found.begin() < number)
          found.insert(place, std::move(entry));
        if (static_cast<int64_t>(found.size()) > number)
          found.pop_back();
        return true;
      },
      goesOn);
  std::vector<ScheduleCandidate> best;
  for (auto &[cost, path] : found)
    best.push_back(get(complete(path)));
  return best;
}

std::string tenon::printAxisValue(ArrayRef<int64_t> value) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (value.size() == 1)
    return std::to_string(value.front());
  stream << '[';
  llvm::interleaveComma(value, stream);
  stream << ']';
  return text;
}

SpaceSummary tenon::summarize(const ScheduleSpace &space, ScheduleAttr used, const SummaryOptions &options) {
  SpaceSummary summary;
  summary.count = space.count();
  summary.used = used;
  std::optional<Choices> path = space.find(used);
  summary.holdsUsed = path.has_value();
  ScheduleCandidate shown = path ? space.get(*path) : space.getDefault();
  if (path)
    summary.usedCost = shown.cost;
  for (unsigned axis = 0; axis < space.getNumAxes(); ++axis)
    summary.axes.push_back({space.getAxisName(axis).str(), space.getValues(ArrayRef(shown.choices).take_front(axis)),
                            shown.choices[axis]});
  summary.best = space.getBest(options.best);
  summary.samples = space.sample(options.samples, options.seed);
  return summary;
}

void tenon::printSpace(llvm::raw_ostream &stream, StringRef kernel, const SpaceSummary &summary) {
  auto printCost = [&](std::optional<double> cost) {
    if (cost)
      stream << llvm::format("%.4f ", *cost);
  };
  stream << kernel << ": " << (summary.count.exact ? "" : "more than ") << summary.count.count << " candidates\n";
  for (const SpaceSummary::Axis &axis : summary.axes) {
    constexpr size_t kShown = 8;
    stream << "  " << axis.name << ' ' << printAxisValue(axis.used) << " of " << axis.values.size() << ": ";
    llvm::interleaveComma(ArrayRef(axis.values).take_front(kShown), stream,
                          [&](const AxisValue &value) { stream << printAxisValue(value); });
    stream << (axis.values.size() > kShown ? ", ...\n" : "\n");
  }
  stream << "  in use" << (summary.holdsUsed ? " " : ", not in the space ");
  printCost(summary.usedCost);
  stream << summary.used << '\n';
  for (const ScheduleCandidate &candidate : summary.best) {
    stream << "  best ";
    printCost(candidate.cost);
    stream << candidate.schedule << '\n';
  }
  for (const ScheduleCandidate &candidate : summary.samples) {
    stream << "  sample ";
    printCost(candidate.cost);
    stream << candidate.schedule << '\n';
  }
}
