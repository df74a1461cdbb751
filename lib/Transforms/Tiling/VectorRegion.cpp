//===- VectorRegion.cpp - the body of a linalg op on several lanes at once ------------===//
//
// Values that are the same in all lanes stay scalars, indices stay base and step as long as the arithmetic on them
// allows: both keep loads of neighbours vector loads.
//
//===----------------------------------------------------------------------===//
#include "VectorRegion.h"
#include "tenon/Transforms/Tiling/VectorMemory.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using tenon::Lanes;

/// Whether an index keeps the form base + lane * step, whatever loop is the vector.
static bool isLinear(Block &body, Value index) {
  Operation *op = index.getDefiningOp();
  if (!op || op->getBlock() != &body)
    return !isa<BlockArgument>(index) || cast<BlockArgument>(index).getOwner() != &body;
  if (isa<linalg::IndexOp, arith::ConstantOp>(op))
    return true;
  if (isa<arith::MulIOp>(op))
    return isLinear(body, op->getOperand(0)) && isLinear(body, op->getOperand(1)) &&
           llvm::any_of(op->getOperands(), [](Value factor) { return getConstantIntValue(factor).has_value(); });
  return isa<arith::AddIOp, arith::SubIOp>(op) && isLinear(body, op->getOperand(0)) &&
         isLinear(body, op->getOperand(1));
}

tenon::RegionTraits tenon::analyseRegion(Block &body) {
  RegionTraits traits;
  for (Operation &op : body.without_terminator()) {
    ++traits.cost;
    if (isa<linalg::IndexOp, arith::ConstantOp>(op)) {
      --traits.cost;
      continue;
    }
    if (auto load = dyn_cast<memref::LoadOp>(op)) {
      traits.masks &= llvm::all_of(load.getIndices(), [&](Value index) { return isLinear(body, index); });
      continue;
    }
    if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp, arith::CeilDivSIOp, arith::CeilDivUIOp,
            arith::FloorDivSIOp>(op)) {
      traits.masks = false;
      traits.cost += 10;
    }
    if (isa<math::MathDialect>(op.getDialect()))
      traits.cost += 10;
    bool plain = llvm::all_of(op.getOperandTypes(), [](Type type) { return type.isIntOrIndexOrFloat(); }) &&
                 llvm::all_of(op.getResultTypes(), [](Type type) { return type.isIntOrIndexOrFloat(); });
    if (!plain || op.getNumRegions() != 0 || !OpTrait::hasElementwiseMappableTraits(&op)) {
      traits.vectorizes = false;
      traits.masks = false;
    }
  }
  return traits;
}

Value tenon::asVector(OpBuilder &builder, Location loc, Lanes value, int64_t lanes) {
  if (lanes == 1 || isa<VectorType>(value.value.getType()))
    return value.value;
  Value vector = splat(builder, loc, value.value, lanes);
  if (value.step == 0)
    return vector;
  Value steps = vector::StepOp::create(builder, loc, VectorType::get({lanes}, builder.getIndexType()));
  if (value.step != 1)
    steps = arith::MulIOp::create(builder, loc, steps,
                                  splat(builder, loc, arith::ConstantIndexOp::create(builder, loc, value.step), lanes));
  return arith::AddIOp::create(builder, loc, vector, steps);
}

namespace {

bool isVector(const Lanes &value) { return isa<VectorType>(value.value.getType()); }

/// base + lane * step through sums and products with scalars; nullopt where that form is lost.
std::optional<Lanes> keepLinear(OpBuilder &builder, Operation &op, ArrayRef<Lanes> operands) {
  if (op.getNumResults() != 1 || !op.getResult(0).getType().isIndex() || operands.size() != 2 ||
      llvm::any_of(operands, isVector))
    return std::nullopt;
  Lanes a = operands[0], b = operands[1];
  auto scalar = [&] {
    Operation *made = builder.clone(op);
    made->setOperands({a.value, b.value});
    return made->getResult(0);
  };
  if (isa<arith::AddIOp>(op))
    return Lanes{scalar(), a.step + b.step};
  if (isa<arith::SubIOp>(op))
    return Lanes{scalar(), a.step - b.step};
  if (isa<arith::MulIOp>(op)) {
    std::optional<int64_t> left = getConstantIntValue(a.value), right = getConstantIntValue(b.value);
    if (b.step == 0 && right)
      return Lanes{scalar(), a.step * *right};
    if (a.step == 0 && left)
      return Lanes{scalar(), b.step * *left};
  }
  return std::nullopt;
}

/// memref.load in a body: a gather.
Lanes cloneLoad(OpBuilder &builder, memref::LoadOp load, Value memref, ArrayRef<Lanes> indices, int64_t lanes,
                OpFoldResult count) {
  Location loc = load.getLoc();
  SmallVector<Value> bases;
  SmallVector<int64_t> steps;
  for (const Lanes &index : indices) {
    bases.push_back(index.value);
    steps.push_back(index.step);
  }
  if (llvm::none_of(indices, isVector)) {
    if (llvm::all_of(steps, [](int64_t step) { return step == 0; }))
      return {memref::LoadOp::create(builder, loc, memref, bases), 0};
    return {tenon::loadVector(builder, loc, memref, bases, steps, lanes, count), 0};
  }
  SmallVector<Value> elements;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    SmallVector<Value> place;
    for (const Lanes &index : indices) {
      if (isVector(index))
        place.push_back(vector::ExtractOp::create(builder, loc, index.value, lane));
      else if (index.step == 0 || lane == 0)
        place.push_back(index.value);
      else
        place.push_back(arith::AddIOp::create(builder, loc, index.value,
                                              arith::ConstantIndexOp::create(builder, loc, lane * index.step)));
    }
    elements.push_back(memref::LoadOp::create(builder, loc, memref, place));
  }
  return {vector::FromElementsOp::create(builder, loc, VectorType::get({lanes}, load.getType()), elements), 0};
}

/// a / b for one divisor of all lanes, rounded as a division is: a product with the reciprocal, which is made once, and
/// the correction by what it leaves (Markstein 1990). A division of 16 lanes takes as long as twenty products. Divisors
/// whose reciprocal would not be a normal number are scaled, and what has no remainder (infinities, NaN, division by
/// zero) stays as the product gives it. Dividends and quotients below 2^25 times the least normal number may be off by
/// a step of the last place.
Value divideByOne(OpBuilder &builder, Location loc, Value dividend, Value divisor) {
  auto type = cast<VectorType>(dividend.getType());
  auto element = cast<FloatType>(type.getElementType());
  bool wide = element.isF64();
  auto number = [&](double value) -> Value {
    return arith::ConstantOp::create(builder, loc, builder.getFloatAttr(element, value));
  };
  auto multiply = [&](Value a, Value b) -> Value { return arith::MulFOp::create(builder, loc, a, b); };
  auto all = [&](Value scalar) { return tenon::splat(builder, loc, scalar, type.getNumElements()); };
  double limit = wide ? 0x1p900 : 0x1p100, shift = wide ? 0x1p600 : 0x1p64;
  Value size = math::AbsFOp::create(builder, loc, divisor);
  Value isSmall = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OLT, size, number(1 / limit));
  Value isLarge = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT, size, number(limit));
  Value scale = arith::SelectOp::create(builder, loc, isLarge, number(1 / shift), number(1));
  scale = arith::SelectOp::create(builder, loc, isSmall, number(shift), scale);
  Value inverse = arith::DivFOp::create(builder, loc, number(1), multiply(divisor, scale));
  Value product = multiply(multiply(dividend, all(inverse)), all(scale));
  Value negated = arith::NegFOp::create(builder, loc, divisor);
  Value rest = vector::FMAOp::create(builder, loc, product, all(negated), dividend);
  Value better = vector::FMAOp::create(builder, loc, multiply(rest, all(inverse)), all(scale), product);
  Value isBetter = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::ORD, better, better);
  return arith::SelectOp::create(builder, loc, isBetter, better, product);
}

} // namespace

SmallVector<Lanes> tenon::cloneRegion(OpBuilder &builder, Block &body, ArrayRef<Lanes> arguments,
                                      ArrayRef<Lanes> indices, int64_t lanes, OpFoldResult count) {
  DenseMap<Value, Lanes> values;
  IRMapping scalars; // for ops that are only ever scalar
  for (auto [argument, lanesOf] : llvm::zip(body.getArguments(), arguments)) {
    values[argument] = lanesOf;
    scalars.map(argument, lanesOf.value);
  }
  auto lookup = [&](Value value) {
    auto it = values.find(value);
    return it == values.end() ? Lanes{value, 0} : it->second;
  };
  auto define = [&](Value old, Lanes now) {
    values[old] = now;
    scalars.map(old, now.value);
  };
  for (Operation &op : body.without_terminator()) {
    Location loc = op.getLoc();
    if (auto index = dyn_cast<linalg::IndexOp>(op)) {
      define(index, indices[index.getDim()]);
      continue;
    }
    SmallVector<Lanes> operands;
    for (Value operand : op.getOperands())
      operands.push_back(lookup(operand));
    bool uniform = lanes == 1 ||
                   llvm::all_of(operands, [](const Lanes &operand) { return !isVector(operand) && operand.step == 0; });
    if (uniform) {
      Operation *made = builder.clone(op, scalars);
      for (auto [old, now] : llvm::zip(op.getResults(), made->getResults()))
        define(old, {now, 0});
      continue;
    }
    if (auto load = dyn_cast<memref::LoadOp>(op)) {
      define(load,
             cloneLoad(builder, load, lookup(load.getMemRef()).value, ArrayRef(operands).drop_front(), lanes, count));
      continue;
    }
    if (std::optional<Lanes> linear = keepLinear(builder, op, operands)) {
      define(op.getResult(0), *linear);
      continue;
    }
    SmallVector<Value> vectors;
    for (const Lanes &operand : operands)
      vectors.push_back(asVector(builder, loc, operand, lanes));
    if (Type type = op.getNumResults() ? op.getResult(0).getType() : Type();
        isa<arith::DivFOp>(op) && (type.isF32() || type.isF64()) && !isVector(operands[1])) {
      define(op.getResult(0), {divideByOne(builder, loc, vectors[0], operands[1].value), 0});
      continue;
    }
    OperationState state(loc, op.getName());
    state.addOperands(vectors);
    for (Type type : op.getResultTypes())
      state.addTypes(VectorType::get({lanes}, type));
    state.addAttributes(op.getDiscardableAttrDictionary().getValue());
    state.propertiesAttr = op.getPropertiesAsAttribute();
    Operation *made = builder.create(state);
    for (auto [old, now] : llvm::zip(op.getResults(), made->getResults()))
      define(old, {now, 0});
  }
  SmallVector<Lanes> results;
  for (Value value : body.getTerminator()->getOperands())
    results.push_back(lookup(value));
  return results;
}
