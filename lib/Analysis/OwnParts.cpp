//===- OwnParts.cpp - what units of a contraction read alone --------------------------------===//
#include "tenon/Analysis/OwnParts.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

std::optional<tenon::OwnIndex> tenon::findOwnIndex(TileContractOp op, unsigned factor) {
  AffineMap map = op.getMaps()[factor];
  auto type = cast<ShapedType>(op->getOperand(factor).getType());
  if (!type.hasStaticShape())
    return std::nullopt;
  std::optional<OwnIndex> longest;
  for (auto [position, expr] : llvm::enumerate(map.getResults())) {
    auto alone = dyn_cast<AffineDimExpr>(expr);
    if (!alone || op.isReduction(alone.getPosition()) || !op.getMaps()[1 - factor].isFunctionOfDim(alone.getPosition()))
      continue;
    auto moves = [&](AffineExpr other) { return other.isFunctionOfDim(alone.getPosition()); };
    if (llvm::count_if(map.getResults(), moves) > 1)
      continue;
    int64_t size = type.getDimSize(position);
    if (!longest || size > longest->size)
      longest = OwnIndex{factor, static_cast<unsigned>(position), alone.getPosition(), size};
  }
  return longest;
}

std::optional<tenon::OwnIndex> tenon::findOwnCopy(TileContractOp op) {
  for (unsigned factor = 0; factor < 2; ++factor)
    if (isa_and_nonnull<tensor::InsertSliceOp, tensor::CollapseShapeOp>(op->getOperand(factor).getDefiningOp()))
      return findOwnIndex(op, factor);
  return std::nullopt;
}
