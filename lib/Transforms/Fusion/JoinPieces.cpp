//===- JoinPieces.cpp - concatenations whose pieces are made where they belong --------------===//
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/SymbolTable.h"

namespace tenon {
#define GEN_PASS_DEF_JOINPIECES
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

/// A piece starts where a cache line does, as a buffer of its own would.
constexpr int64_t kAlignment = 64;

/// The element of `insert`'s destination, in row-major order, from which on its source lies as one run; -1 where it is
/// no run.
int64_t findRun(tensor::InsertSliceOp insert) {
  RankedTensorType type = insert.getDestType();
  if (!type.hasStaticShape() || !insert.hasUnitStride())
    return -1;
  int64_t first = 0, stride = 1;
  bool isWhole = true; // all of the dims behind
  for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
    std::optional<int64_t> offset = getConstantIntValue(insert.getMixedOffsets()[dim]);
    std::optional<int64_t> size = getConstantIntValue(insert.getMixedSizes()[dim]);
    if (!offset || !size || (!isWhole && *size != 1))
      return -1;
    first += *offset * stride;
    stride *= type.getDimSize(dim);
    isWhole &= *size == type.getDimSize(dim);
  }
  return first;
}

/// The arguments that `kernel` does nothing but put one behind the other, in this order; none where it does more.
SmallVector<unsigned> findPieces(func::FuncOp kernel) {
  if (kernel.isExternal() || kernel.getNumResults() != 1)
    return {};
  Block &body = kernel.getBody().front();
  BlockArgument destination = body.getArguments().back();
  SmallVector<std::pair<int64_t, unsigned>> runs; // first element, argument
  Value value = body.getTerminator()->getOperand(0);
  while (value != destination) {
    auto insert = value.getDefiningOp<tensor::InsertSliceOp>();
    auto source = insert ? dyn_cast<BlockArgument>(insert.getSource()) : BlockArgument();
    int64_t first = source ? findRun(insert) : -1;
    if (first < 0 || first * insert.getDestType().getElementTypeBitWidth() / 8 % kAlignment != 0)
      return {};
    runs.push_back({first, source.getArgNumber()});
    value = insert.getDest();
  }
  if (runs.size() + 1 != body.getNumArguments() ||
      !llvm::hasNItems(body.without_terminator(), static_cast<unsigned>(runs.size())))
    return {};
  llvm::sort(runs);
  int64_t next = 0;
  SmallVector<unsigned> pieces;
  for (auto [first, argument] : runs) {
    if (first != next)
      return {};
    next += cast<RankedTensorType>(body.getArgument(argument).getType()).getNumElements();
    pieces.push_back(argument);
  }
  return next == cast<RankedTensorType>(destination.getType()).getNumElements() ? pieces : SmallVector<unsigned>();
}

Value skipViews(Value value) {
  while (Operation *view = value.getDefiningOp()) {
    if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(view))
      break;
    value = view->getOperand(0);
  }
  return value;
}

/// Whether the memory of `value` is only written by what makes it, and nothing else has a claim on where it lies.
bool hasFreePlace(Value value) {
  SmallVector<Value> views{value};
  while (!views.empty())
    for (OpOperand &use : views.pop_back_val().getUses()) {
      Operation *user = use.getOwner();
      if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(user))
        views.push_back(user->getResult(0));
      else if (!isa<DispatchOp, JoinOp>(user) || cast<DestinationStyleOpInterface>(user).isDpsInit(&use))
        return false;
    }
  return true;
}

class JoinPieces : public tenon::impl::JoinPiecesBase<JoinPieces> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (module->hasAttr(kUnfusedAttr))
      return;
    SymbolTable symbols(module);
    DenseMap<Operation *, SmallVector<unsigned>> known;
    DenseSet<Value> joined; // what has its place in a result already
    for (auto function : module.getOps<func::FuncOp>()) {
      if (function->hasAttr(kKernelAttr) || function.isExternal())
        continue;
      for (DispatchOp call : llvm::to_vector(function.getBody().front().getOps<DispatchOp>())) {
        auto kernel = symbols.lookup<func::FuncOp>(call.getKernel());
        if (!kernel || call.getNumResults() != 1)
          continue;
        auto [found, isNew] = known.try_emplace(kernel);
        if (isNew)
          found->second = findPieces(kernel);
        if (!found->second.empty())
          join(call, found->second, joined);
      }
    }
  }

  static void join(DispatchOp call, ArrayRef<unsigned> pieces, DenseSet<Value> &joined) {
    auto isMadeHere = [&](Value value) {
      auto maker = value.getDefiningOp();
      if (!maker || maker->getBlock() != call->getBlock() || !hasFreePlace(value))
        return false;
      Value init = isa<DispatchOp, JoinOp>(maker)
                       ? cast<DestinationStyleOpInterface>(maker).getTiedOpOperand(cast<OpResult>(value))->get()
                       : Value();
      return init && init.getDefiningOp<tensor::EmptyOp>() != nullptr;
    };
    SmallVector<Value> inputs, roots;
    for (unsigned piece : pieces) {
      inputs.push_back(call.getInputs()[piece]);
      roots.push_back(skipViews(inputs.back()));
      if (!isMadeHere(roots.back()) || joined.contains(roots.back()) ||
          llvm::is_contained(ArrayRef(roots).drop_back(), roots.back()))
        return;
    }
    if (!isMadeHere(call.getResult(0)))
      return;
    joined.insert(roots.begin(), roots.end());
    OpBuilder builder(call);
    auto made = JoinOp::create(builder, call.getLoc(), call.getResultTypes()[0], inputs, call.getInits()[0]);
    call->replaceAllUsesWith(made);
    call->erase();
  }
};

} // namespace
