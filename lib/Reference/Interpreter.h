//===- Interpreter.h - the state of an evaluation and its families of ops ------------------===//
//
// What the families' files share. Each family offers `Handled runX(op)`: it does nothing where the op is not its own.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Reference/Evaluator.h"

#include "llvm/ADT/DenseMap.h"

namespace tenon::reference {

/// What a scalar op computes from its operands; on a fault (division by zero) it sets the message.
using ScalarFn = std::function<Scalar(const Scalar *operands, const char *&fault)>;

/// The functions of an op on scalars, one a result; empty for ops that are none. Element types are those of the op.
llvm::SmallVector<ScalarFn> getArithFns(mlir::Operation *op);
llvm::SmallVector<ScalarFn> getMathFns(mlir::Operation *op);
llvm::SmallVector<ScalarFn> getFormatFns(mlir::Operation *op);
inline llvm::SmallVector<ScalarFn> getScalarFns(mlir::Operation *op) {
  for (auto family : {getArithFns, getMathFns, getFormatFns})
    if (llvm::SmallVector<ScalarFn> fns = family(op); !fns.empty())
      return fns;
  return {};
}

/// The elements of a constant; nullopt for attributes that the evaluator lacks.
std::optional<Datum> getConstant(mlir::Attribute value);

class Interpreter {
public:
  Interpreter(mlir::ModuleOp module, const EvaluateOptions &options) : module(module), options(options) {}

  mlir::FailureOr<llvm::SmallVector<Datum>> call(mlir::Operation *site, llvm::StringRef name,
                                                 llvm::ArrayRef<Datum> arguments);
  /// Runs a block of straight-line code and returns what its terminator passes on.
  mlir::FailureOr<llvm::SmallVector<Datum>> runBlock(mlir::Block &block, llvm::ArrayRef<Datum> arguments);

  const Datum &get(mlir::Value value) { return values[value]; }
  const Tensor &tensor(mlir::Value value) { return *values[value].tensor; }
  int64_t integer(mlir::Value value) { return values[value].scalar.i; }
  llvm::SmallVector<int64_t> integers(mlir::ValueRange range);
  /// Static entries of an op, with the run-time ones in place.
  llvm::SmallVector<int64_t> mixed(llvm::ArrayRef<mlir::OpFoldResult> entries);
  void set(mlir::Value value, Datum datum) { values[value] = std::move(datum); }
  /// Counts a run of a loop's body; fails at the loop when there were too many.
  llvm::LogicalResult step(mlir::Operation *loop);

  /// A tensor of zeros of a type, with sizes for its dynamic dims; null after a diagnostic for impossible sizes.
  std::optional<Tensor> makeTensor(mlir::Operation *op, mlir::Type element, llvm::ArrayRef<int64_t> shape);

  using Position = llvm::ArrayRef<int64_t>;
  llvm::ArrayRef<int64_t> position() const { return loopPosition; }
  /// Sets what linalg.index reads; returns the one before.
  llvm::SmallVector<int64_t> enter(Position position) {
    llvm::SmallVector<int64_t> before = std::move(loopPosition);
    loopPosition.assign(position.begin(), position.end());
    return before;
  }

private:
  using Handled = std::optional<llvm::LogicalResult>;
  llvm::LogicalResult run(mlir::Operation *op);
  Handled runScalar(mlir::Operation *op);
  Handled runControl(mlir::Operation *op);
  Handled runTensor(mlir::Operation *op);
  Handled runLinalg(mlir::Operation *op);
  Handled runTenon(mlir::Operation *op);
  Handled runFormats(mlir::Operation *op);
  Handled runExperts(mlir::Operation *op);
  Handled runState(mlir::Operation *op);
  Handled runLists(mlir::Operation *op);
  Handled runWinograd(mlir::Operation *op);
  Handled runFft(mlir::Operation *op);
  llvm::LogicalResult loadWeight(LoadWeightOp op);
  llvm::LogicalResult runAttention(AttentionOp op);

  mlir::ModuleOp module;
  const EvaluateOptions &options;
  llvm::DenseMap<mlir::Value, Datum> values;
  llvm::SmallVector<int64_t> loopPosition;
  std::map<std::string, Tensor> weights;
  std::optional<llvm::SmallVector<Datum>> initialized;
  int depth = 0;
  int64_t steps = 0;
};

/// Calls `visit` with each index into a shape, in row-major order, while it returns success.
llvm::LogicalResult forEach(llvm::ArrayRef<int64_t> shape,
                            llvm::function_ref<llvm::LogicalResult(llvm::ArrayRef<int64_t>)> visit);
/// The row-major offset of an index.
int64_t flatten(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> index);

/// A region on scalars as a flat list of steps; bodies that hold anything else are interpreted op by op.
class CompiledRegion {
public:
  CompiledRegion(Interpreter &interpreter, mlir::Block &block);
  /// Runs the body; `results` gets the yielded scalars.
  llvm::LogicalResult operator()(llvm::ArrayRef<Scalar> arguments, llvm::ArrayRef<int64_t> position,
                                 llvm::SmallVectorImpl<Scalar> &results);

private:
  struct Step {
    mlir::Operation *op;
    ScalarFn fn;          // a scalar function ..
    const Tensor *tensor; // .. or tensor.extract ..
    int64_t dim = -1;     // .. or linalg.index
    llvm::SmallVector<unsigned> operands;
    unsigned result;
  };
  bool compile();

  Interpreter &interpreter;
  mlir::Block &block;
  bool flat = false;
  std::vector<Step> steps;
  std::vector<Scalar> slots;
  llvm::SmallVector<unsigned> yields;
  std::vector<std::unique_ptr<Tensor>> captured;
  llvm::SmallVector<Scalar> operands;
};

} // namespace tenon::reference
