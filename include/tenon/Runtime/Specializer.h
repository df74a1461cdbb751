//===- Specializer.h - copies of a model for the shapes that come often ---------------------===//
//
// A model with open dims runs generic code. Here the shapes of its runs are counted; one that comes often is compiled
// with its dims fixed, in the background, and its runs then go to that copy. Both the shapes that are counted and the
// copies are bounded. docs/rationale/specialization.md says why it is as it is.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "tenon/Runtime/Model.h"

#include <condition_variable>
#include <thread>
#include <unordered_map>

namespace tenon::runtime {

/// The whole shape of each input.
using Shapes = std::vector<std::vector<int64_t>>;

/// What is known of one combination of input shapes.
struct ShapeState {
  Shapes shapes;
  /// counting; waiting (for the compile before it); compiling; checking (until a run has shown that the copy gives the
  /// same bits as generic code); ready; failed.
  std::string state;
  std::string reason;                 ///< of a failure
  int64_t runs = 0, hits = 0;         ///< on generic code and on the copy
  double seconds = 0;                 ///< to compile and load the copy
  std::vector<KernelProfile> profile; ///< of the copy, while profiling is on
};

class Specializer {
public:
  /// Makes the copy for inputs of these shapes; called on the background thread. Ends early, with any Error, once
  /// `cancelled` is true. Throws Error.
  using Maker = std::function<std::shared_ptr<Model>(const Shapes &shapes, const std::function<bool()> &cancelled)>;

  /// Shapes that are counted or wait, and failures that are remembered; the oldest are forgotten first.
  static constexpr size_t kMostCounted = 64, kMostFailed = 16;

  /// `limit`: copies that are kept, at least 1; `after`: runs of a shape that make it hot, at least 1. `model` must
  /// outlive this.
  Specializer(Model &model, Maker maker, int limit, int after);
  /// Cancels what is being compiled.
  ~Specializer();
  Specializer(const Specializer &) = delete;
  Specializer &operator=(const Specializer &) = delete;

  /// Model::run, on the copy for these shapes where there is one. May be called from several threads.
  void run(const tenon_input *inputs, int32_t inputCount, tenon_output *outputs, int32_t outputCount);

  /// Ends counting and compiling and drops the copies; runs go on with generic code. May be called while others run.
  void stop();

  /// As of the model itself; for all copies.
  void setProfiling(bool on);
  /// One entry per known shape, those that were used last first.
  std::vector<ShapeState> describe();
  /// Sums of copies that are gone, as one kernel; no calls where there are none.
  KernelProfile goneProfile();

private:
  /// The values of the open dims, in the order of the inputs.
  using Signature = std::vector<int64_t>;
  struct Hash {
    size_t operator()(const Signature &signature) const;
  };
  enum class State { counting, waiting, compiling, checking, ready, failed };
  struct Shape {
    State state = State::counting;
    int64_t runs = 0, hits = 0;
    int64_t since = 0, wanted = 0; ///< runs on generic code since the shape has no copy, and how many make it hot
    uint64_t used = 0;             ///< when it came last
    bool isChecked = false;        ///< by a thread, right now
    double seconds = 0;
    std::string reason;
    std::shared_ptr<Model> copy;
  };
  using Table = std::unordered_map<Signature, Shape, Hash>;

  bool readSignature(const tenon_input *inputs, int32_t count, Signature &signature) const;
  Shapes getShapes(const Signature &signature) const;
  void count(const Signature &signature);
  Table::iterator findOldest(std::initializer_list<State> states);
  size_t countOf(std::initializer_list<State> states) const;
  void check(const Signature &signature, Model &copy, const tenon_input *inputs, int32_t inputCount,
             tenon_output *outputs, int32_t outputCount);
  std::shared_ptr<Model> fail(Shape &shape, const std::string &reason);
  void work();
  void compileOne(std::unique_lock<std::mutex> &guard);

  Model &model;
  const Maker maker;
  const size_t limit;
  const int64_t after;
  const int generation;                          ///< forks before the thread was made
  std::vector<std::pair<int32_t, int32_t>> open; ///< input and dim

  std::mutex lock; // guards all below
  std::condition_variable wake;
  std::thread thread; ///< started when first needed
  std::atomic<bool> stopped{false};
  bool profiling = false;
  uint64_t clock = 0;
  Signature seen; ///< of the run at hand, kept for its memory
  Table shapes;
  KernelProfile gone;
};

} // namespace tenon::runtime
