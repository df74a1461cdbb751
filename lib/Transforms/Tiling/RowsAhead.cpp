//===- RowsAhead.cpp - which ops ask memory for the next unit's rows ----------------------===//
//
// Kernels that pass over a row several times read it from memory in the first pass alone; meanwhile memory is idle. The
// last pass over it asks for the row of the next unit.
//
//===----------------------------------------------------------------------===//
#include "LinalgExpander.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace {

/// How many elements further the next unit's part of an argument lies; 0 where `view` is none, or is small or all there
/// is.
int64_t getUnitDistance(memref::SubViewOp view, scf::ForallOp forall) {
  constexpr int64_t kShortBytes = 1024, kLongBytes = 256 * 1024;
  auto source = dyn_cast<BlockArgument>(view.getSource());
  MemRefType type = view.getType();
  if (!source || source.getOwner()->getParentOp() != forall->getParentOp() || !type.hasStaticShape())
    return 0;
  int64_t bytes = type.getNumElements() * type.getElementTypeBitWidth() / 8;
  if (bytes < kShortBytes || bytes > kLongBytes)
    return 0;
  auto [strides, offset] = cast<MemRefType>(source.getType()).getStridesAndOffset();
  Value unit = forall.getInductionVars().back();
  std::optional<int64_t> step = getConstantIntValue(forall.getMixedStep().back());
  int64_t distance = 0;
  for (auto [place, stride] : llvm::zip(view.getMixedOffsets(), strides))
    if (llvm::dyn_cast_if_present<Value>(place) == unit)
      distance = step && !ShapedType::isDynamic(stride) ? *step * stride : 0;
  return distance;
}

} // namespace

DenseMap<Operation *, SmallVector<int64_t>> tenon::findRowsAhead(func::FuncOp kernel) {
  DenseMap<Operation *, SmallVector<int64_t>> ahead;
  kernel.walk([&](memref::SubViewOp view) {
    auto forall = dyn_cast<scf::ForallOp>(view->getParentOp());
    int64_t distance = forall ? getUnitDistance(view, forall) : 0;
    if (distance == 0)
      return;
    SmallVector<linalg::LinalgOp> users;
    for (Operation *user : view->getUsers()) {
      auto op = dyn_cast<linalg::LinalgOp>(user);
      if (!op || op->getBlock() != view->getBlock() || llvm::is_contained(op.getDpsInits(), view.getResult()))
        return;
      if (!llvm::is_contained(users, op))
        users.push_back(op);
    }
    // What one pass alone reads comes as a stream that hardware follows; asking for what is written has made it slower.
    if (users.size() < 2)
      return;
    linalg::LinalgOp last = *llvm::max_element(users, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
    SmallVector<int64_t> &distances = ahead[last];
    distances.resize(last->getNumOperands(), 0);
    for (OpOperand &operand : last->getOpOperands())
      if (operand.get() == view.getResult())
        distances[operand.getOperandNumber()] = distance;
  });
  return ahead;
}
