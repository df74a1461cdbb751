//===- Extremes.cpp - maxima and minima that keep NaN, in few instructions --------------===//
//
// A compare and a select, `x > m ? x : m`, are one instruction, and keep a NaN in m but not one in x. So a chain of
// maxima compares and selects its elements one after the other, looks for NaN in all but the first, two at a time and
// beside the chain, and puts it in at the end. Zeros of different signs are equal.
//
//===----------------------------------------------------------------------===//
#include "Extremes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace {

/// Whether only an op of the same kind in the same block reads `op`.
bool isInner(Operation *op) {
  if (!op->hasOneUse())
    return false;
  Operation *user = *op->user_begin();
  return user->getName() == op->getName() && user->getBlock() == op->getBlock();
}

void collect(Operation *op, SmallVectorImpl<Value> &elements) {
  for (Value operand : op->getOperands()) {
    Operation *inner = operand.getDefiningOp();
    if (inner && inner->getName() == op->getName() && isInner(inner))
      collect(inner, elements);
    else
      elements.push_back(operand);
  }
}

bool isNumber(Value value) {
  FloatAttr scalar;
  DenseElementsAttr dense;
  if (matchPattern(value, m_Constant(&scalar)))
    return !scalar.getValue().isNaN();
  return matchPattern(value, m_Constant(&dense)) && dense.isSplat() && isa<FloatType>(dense.getElementType()) &&
         !dense.getSplatValue<APFloat>().isNaN();
}

} // namespace

Value tenon::expandExtreme(OpBuilder &builder, Operation *op) {
  if (!isa<arith::MaximumFOp, arith::MinimumFOp>(op) || isInner(op))
    return {};
  Location loc = op->getLoc();
  SmallVector<Value> elements;
  collect(op, elements);
  // What a loop carries waits for the compare alone; numbers need not be looked at.
  auto first = llvm::find_if(elements, llvm::IsaPred<BlockArgument>);
  if (first == elements.end())
    first = llvm::find_if_not(elements, isNumber);
  if (first != elements.end())
    std::rotate(elements.begin(), first, first + 1);
  bool larger = isa<arith::MaximumFOp>(op);
  Value extreme = elements.front(), found;
  auto note = [&](Value a, Value b) {
    Value isNaN = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::UNO, a, b);
    found = found ? arith::OrIOp::create(builder, loc, found, isNaN).getResult() : isNaN;
  };
  Value single;
  for (Value element : ArrayRef(elements).drop_front()) {
    Value beyond = arith::CmpFOp::create(builder, loc, larger ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT,
                                         element, extreme);
    extreme = arith::SelectOp::create(builder, loc, beyond, element, extreme);
    if (isNumber(element))
      continue;
    if (single)
      note(single, element);
    single = single ? Value() : element;
  }
  if (single)
    note(single, single);
  if (!found)
    return extreme;
  Type type = op->getResult(0).getType();
  auto element = cast<FloatType>(getElementTypeOrSelf(type));
  TypedAttr nan = builder.getFloatAttr(element, APFloat::getNaN(element.getFloatSemantics()));
  if (auto vector = dyn_cast<VectorType>(type))
    nan = DenseElementsAttr::get(vector, Attribute(nan));
  return arith::SelectOp::create(builder, loc, found, arith::ConstantOp::create(builder, loc, nan), extreme);
}
