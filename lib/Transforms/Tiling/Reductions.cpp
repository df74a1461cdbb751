//===- Reductions.cpp - how a linalg op folds values into its outputs -------------------===//
#include "Reductions.h"

using namespace mlir;

/// The op that folds a value into output `index`'s block argument, or null. `value` is what it folds in.
Operation *tenon::getCombiner(linalg::LinalgOp op, unsigned index, Value &value) {
  Block &body = *op.getBlock();
  BlockArgument argument = body.getArgument(op.getNumDpsInputs() + index);
  Operation *combiner = body.getTerminator()->getOperand(index).getDefiningOp();
  if (!combiner || combiner->getBlock() != &body || !argument.hasOneUse() || !combiner->hasOneUse() ||
      *argument.getUsers().begin() != combiner || combiner->getNumOperands() != 2)
    return nullptr;
  if (!isa<arith::AddFOp, arith::AddIOp, arith::MulFOp, arith::MulIOp, arith::MaximumFOp, arith::MinimumFOp,
           arith::MaxNumFOp, arith::MinNumFOp, arith::MaxSIOp, arith::MaxUIOp, arith::MinSIOp, arith::MinUIOp,
           arith::AndIOp, arith::OrIOp, arith::XOrIOp>(combiner))
    return nullptr;
  value = combiner->getOperand(combiner->getOperand(0) == argument ? 1 : 0);
  return value == argument ? nullptr : combiner;
}

/// The value that leaves every other unchanged.
TypedAttr tenon::getNeutral(Operation *combiner) {
  Type type = combiner->getResult(0).getType();
  OpBuilder builder(combiner->getContext());
  if (auto floating = dyn_cast<FloatType>(type)) {
    const llvm::fltSemantics &semantics = floating.getFloatSemantics();
    auto make = [&](llvm::APFloat value) { return builder.getFloatAttr(type, value); };
    if (isa<arith::AddFOp>(combiner))
      return make(llvm::APFloat::getZero(semantics, /*Negative=*/true));
    if (isa<arith::MulFOp>(combiner))
      return make(llvm::APFloat::getOne(semantics));
    if (isa<arith::MaximumFOp>(combiner))
      return make(llvm::APFloat::getInf(semantics, /*Negative=*/true));
    if (isa<arith::MinimumFOp>(combiner))
      return make(llvm::APFloat::getInf(semantics));
    return make(llvm::APFloat::getQNaN(semantics)); // maxnum, minnum
  }
  unsigned bits = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  llvm::APInt value = llvm::APInt::getZero(bits);
  if (isa<arith::MulIOp>(combiner))
    value = llvm::APInt(bits, 1);
  else if (isa<arith::MaxSIOp>(combiner))
    value = llvm::APInt::getSignedMinValue(bits);
  else if (isa<arith::MinSIOp>(combiner))
    value = llvm::APInt::getSignedMaxValue(bits);
  else if (isa<arith::MinUIOp, arith::AndIOp>(combiner))
    value = llvm::APInt::getAllOnes(bits);
  return builder.getIntegerAttr(type, value);
}

Value tenon::combine(OpBuilder &builder, Operation *combiner, Value a, Value b) {
  OperationState state(combiner->getLoc(), combiner->getName(), {a, b}, a.getType());
  state.propertiesAttr = combiner->getPropertiesAsAttribute();
  return builder.create(state)->getResult(0);
}

/// Folds the lanes of a vector: halves onto halves, so the order is a fixed tree.
Value tenon::foldLanes(OpBuilder &builder, Operation *combiner, Value vector) {
  Location loc = combiner->getLoc();
  auto type = dyn_cast<VectorType>(vector.getType());
  if (!type)
    return vector;
  for (int64_t half = type.getDimSize(0) / 2; half >= 1; half /= 2) {
    auto pick = [&](int64_t first) {
      auto lanes = llvm::to_vector(llvm::seq<int64_t>(first, first + half));
      return vector::ShuffleOp::create(builder, loc, vector, vector, lanes);
    };
    Value low = pick(0), high = pick(half);
    vector = combine(builder, combiner, low, high);
  }
  return vector::ExtractOp::create(builder, loc, vector, 0);
}
