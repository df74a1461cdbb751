//===- Space.h - the schedules that a kernel may have --------------------------------------===//
//
// A space is data: axes in an order, each with a list of values under the choices for the axes before it. A candidate
// is a path through them. Which axes a kernel has is its root op's business (SchedulableOpInterface); what is done with
// any space is here: enumerate, count, sample, step to neighbours, print.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Schedule/SummaryOptions.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tenon {

/// What is chosen for one axis: a number, or one for each of several dims.
using AxisValue = llvm::SmallVector<int64_t, 6>;
/// What is chosen for the axes from the first one on.
using Choices = std::vector<AxisValue>;

/// One thing in which the schedules of a kernel differ.
struct ScheduleAxis {
  std::string name;
  /// The values under `before`, which has one entry for each axis before this one. No two are equal, and there is at
  /// least one. The first is what the default chooser would take under these choices.
  std::function<llvm::SmallVector<AxisValue>(llvm::ArrayRef<AxisValue> before)> getValues;
};

/// A point of a space.
struct ScheduleCandidate {
  Choices choices;
  ScheduleAttr schedule;
  /// Cycles per multiply-add by the model that chooses the default; nullopt where the kernel has no such model.
  std::optional<double> cost;
};

/// How many candidates a space has; `exact` is false where counting stopped.
struct CandidateCount {
  int64_t count = 0;
  bool exact = true;
};

/// All legal schedules of one kernel on one target. Every path is legal (verifySchedule), no two make the same
/// schedule, and the order is always the same. Keeps handles of the kernel's ops: it must not outlive them.
class ScheduleSpace {
public:
  struct Definition {
    std::vector<ScheduleAxis> axes;
    /// The schedule that a complete path stands for.
    std::function<ScheduleAttr(llvm::ArrayRef<AxisValue>)> build;
    /// The path that a schedule would be, whether or not its values are in the space.
    std::function<Choices(ScheduleAttr)> read;
    /// The estimated cost of a path that has the first `costAxes` axes at least; null where there is no model.
    std::function<double(llvm::ArrayRef<AxisValue>)> getCost;
    /// How many axes, from the first one on, matter for the cost.
    unsigned costAxes = 0;
  };

  /// `byDefault` becomes candidate 0.
  ScheduleSpace(Definition definition, ScheduleAttr byDefault);

  unsigned getNumAxes() const { return definition.axes.size(); }
  llvm::StringRef getAxisName(unsigned axis) const { return definition.axes[axis].name; }
  bool hasCosts() const { return definition.getCost != nullptr; }

  /// The values of axis number `before.size()` under `before`, the default's first where `before` is the default's.
  llvm::SmallVector<AxisValue> getValues(llvm::ArrayRef<AxisValue> before) const;

  /// The candidate at a complete path.
  ScheduleCandidate get(llvm::ArrayRef<AxisValue> choices) const;
  ScheduleCandidate getDefault() const { return get(defaultChoices); }

  /// The path of `schedule`; nullopt where the space does not hold it.
  std::optional<Choices> find(ScheduleAttr schedule) const;

  /// Calls `visit` with every path in order, candidate 0 first, until it returns false.
  void enumerate(llvm::function_ref<bool(llvm::ArrayRef<AxisValue>)> visit) const;

  /// Counts candidates, up to `limit` or a little more.
  CandidateCount count(int64_t limit = 1 << 20) const;

  /// `number` different candidates, or all where there are fewer: the same for the same seed. Each axis is drawn
  /// evenly, one after the other.
  std::vector<ScheduleCandidate> sample(int64_t number, uint64_t seed) const;

  /// The candidates that differ from `choices` in one axis, and in those after it only where the value that `choices`
  /// has is none under the change: there they take the first one. In the order of axes and values.
  std::vector<ScheduleCandidate> getNeighbours(llvm::ArrayRef<AxisValue> choices) const;

  /// The `number` cheapest candidates by estimated cost, with what the default chooser takes on the axes that do not
  /// matter for it. Without a model: candidate 0.
  std::vector<ScheduleCandidate> getBest(int64_t number) const;

private:
  /// Completes a path by the first value of each further axis.
  Choices complete(Choices choices) const;
  void enumerate(Choices &path, unsigned axes, llvm::function_ref<bool(llvm::ArrayRef<AxisValue>)> visit,
                 bool &goesOn) const;

  Definition definition;
  Choices defaultChoices;
};

/// "8" or "[8, 1, 1]".
std::string printAxisValue(llvm::ArrayRef<int64_t> value);

/// What people and tuners are told of a space.
struct SpaceSummary {
  struct Axis {
    std::string name;
    llvm::SmallVector<AxisValue> values; ///< under the choices of the schedule in use, or of the default
    AxisValue used;                      ///< what that schedule has
  };
  std::vector<Axis> axes;
  CandidateCount count;
  /// The schedule in use, and whether the space holds it.
  ScheduleAttr used;
  bool holdsUsed = false;
  std::optional<double> usedCost;
  std::vector<ScheduleCandidate> best, samples;
};

SpaceSummary summarize(const ScheduleSpace &space, ScheduleAttr used, const SummaryOptions &options);

/// The summary as lines of text, always the same for the same space.
void printSpace(llvm::raw_ostream &stream, llvm::StringRef kernel, const SpaceSummary &summary);

} // namespace tenon
