//===- ExpandMath.cpp - no calls of libraries, no arithmetic on narrow floats -----------===//
//
// Which ops are rewritten. The formulas are in MathFunctions, NarrowFloats and LookUp.
//
//===----------------------------------------------------------------------===//
#include "Extremes.h"
#include "LookUp.h"
#include "MathFunctions.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Transforms/Passes.h"

namespace tenon {
#define GEN_PASS_DEF_EXPANDMATH
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;

namespace {

bool isNarrow(Type type) {
  auto element = dyn_cast<FloatType>(getElementTypeOrSelf(type));
  return element && element.getWidth() < 32;
}

/// Conversions that LLVM has instructions for on every target in use (F16C).
bool isNative(Type narrow, Type wide) {
  return getElementTypeOrSelf(narrow).isF16() && getElementTypeOrSelf(wide).isF32();
}

/// Ops that move narrow floats without looking at them.
bool isMove(Operation *op) {
  return isa<arith::SelectOp, arith::BitcastOp, arith::ConstantOp>(op) ||
         !(isa<arith::ArithDialect, math::MathDialect>(op->getDialect()) ||
           isa<vector::FMAOp, vector::ReductionOp>(op));
}

class ExpandMath : public tenon::impl::ExpandMathBase<ExpandMath> {
  void runOnOperation() override {
    target = getOperation()->getAttrOfType<tenon::TargetAttr>(tenon::kTargetAttr);
    isFast = tenon::isFast(getOperation());
    // Widening first, so that the functions see f32; then what is left of conversions.
    for (auto step : {&ExpandMath::widen, &ExpandMath::expandIntegerPower, &ExpandMath::expandFunction,
                      &ExpandMath::expandExtreme, &ExpandMath::expandConversion, &ExpandMath::moveAsIntegers}) {
      SmallVector<Operation *> ops;
      getOperation().walk([&](Operation *op) {
        if (llvm::any_of(op->getResultTypes(), llvm::IsaPred<TensorType>) ||
            llvm::any_of(op->getOperandTypes(), llvm::IsaPred<TensorType>))
          return; // the host's business
        if (op->getNumRegions() == 0 &&
            (op->getNumResults() == 1 || isa<memref::StoreOp, vector::StoreOp, vector::MaskedStoreOp>(op)))
          ops.push_back(op);
      });
      for (Operation *op : ops)
        (this->*step)(op);
    }
  }

  tenon::TargetAttr target; ///< null where the module names none
  bool isFast = false;

  void replace(Operation *op, Value value) {
    op->getResult(0).replaceAllUsesWith(value);
    op->erase();
  }

  /// Arithmetic on narrow floats in f32, rounded once.
  void widen(Operation *op) {
    if (op->getNumResults() != 1 || isMove(op) || isa<arith::ExtFOp, arith::TruncFOp>(op))
      return;
    bool narrow = isNarrow(op->getResult(0).getType()) || llvm::any_of(op->getOperandTypes(), isNarrow);
    if (!narrow)
      return;
    OpBuilder builder(op);
    Location loc = op->getLoc();
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(
          isNarrow(operand.getType())
              ? tenon::extendFloat(builder, loc, operand, tenon::withElement(operand.getType(), builder.getF32Type()))
              : operand);
    Type type = op->getResult(0).getType();
    OperationState state(loc, op->getName());
    state.addOperands(operands);
    state.addTypes(isNarrow(type) ? tenon::withElement(type, builder.getF32Type()) : type);
    state.propertiesAttr = op->getPropertiesAsAttribute();
    Value result = builder.create(state)->getResult(0);
    replace(op, isNarrow(type) ? tenon::truncateFloat(builder, loc, result, type) : result);
  }

  /// x^n for integers by squaring; negative exponents as integer division of 1 would give.
  void expandIntegerPower(Operation *op) {
    auto power = dyn_cast<math::IPowIOp>(op);
    if (!power)
      return;
    OpBuilder builder(op);
    Location loc = op->getLoc();
    Type type = power.getType();
    auto constant = [&](int64_t value) -> Value {
      auto attribute = builder.getIntegerAttr(getElementTypeOrSelf(type), value);
      if (auto vector = dyn_cast<VectorType>(type))
        return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(vector, Attribute(attribute)));
      return arith::ConstantOp::create(builder, loc, attribute);
    };
    auto equals = [&](Value a, Value b) {
      return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, a, b).getResult();
    };
    Value zero = constant(0), unit = constant(1), minusOne = constant(-1);
    Value low = arith::ConstantIndexOp::create(builder, loc, 0),
          high = arith::ConstantIndexOp::create(builder, loc, getElementTypeOrSelf(type).getIntOrFloatBitWidth()),
          step = arith::ConstantIndexOp::create(builder, loc, 1);
    auto loop = scf::ForOp::create(builder, loc, low, high, step, ValueRange{unit, power.getLhs(), power.getRhs()});
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(loop.getBody());
      Value result = loop.getRegionIterArg(0), base = loop.getRegionIterArg(1), exponent = loop.getRegionIterArg(2);
      Value set = equals(arith::AndIOp::create(builder, loc, exponent, unit), unit);
      result = arith::SelectOp::create(builder, loc, set, arith::MulIOp::create(builder, loc, result, base), result);
      base = arith::MulIOp::create(builder, loc, base, base);
      exponent = arith::ShRUIOp::create(builder, loc, exponent, unit);
      scf::YieldOp::create(builder, loc, ValueRange{result, base, exponent});
    }
    Value negative = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, power.getRhs(), zero);
    Value odd = equals(arith::AndIOp::create(builder, loc, power.getRhs(), unit), unit);
    Value ofMinusOne = arith::SelectOp::create(builder, loc, odd, minusOne, unit);
    Value inverse = arith::SelectOp::create(
        builder, loc, equals(power.getLhs(), unit), unit,
        arith::SelectOp::create(builder, loc, equals(power.getLhs(), minusOne), ofMinusOne, zero));
    replace(op, arith::SelectOp::create(builder, loc, negative, inverse, loop.getResult(0)));
  }

  void expandFunction(Operation *op) {
    if (auto lookUp = dyn_cast<tenon::LookUpOp>(op)) {
      OpBuilder builder(op);
      return replace(op, tenon::expandLookUp(builder, lookUp, target));
    }
    if (op->getNumResults() != 1 || !isa<math::MathDialect>(op->getDialect()) ||
        !isa<FloatType>(getElementTypeOrSelf(op->getResult(0).getType())))
      return;
    OpBuilder builder(op);
    if (auto power = dyn_cast<math::FPowIOp>(op)) {
      Value exponent = arith::SIToFPOp::create(builder, op->getLoc(), power.getType(), power.getRhs());
      auto general = math::PowFOp::create(builder, op->getLoc(), power.getLhs(), exponent);
      replace(op, general);
      return expandFunction(general);
    }
    if (Value value = tenon::expandMathOp(builder, op, op->getOperands(), target, isFast))
      replace(op, value);
  }

  void expandExtreme(Operation *op) {
    OpBuilder builder(op);
    if (Value value = tenon::expandExtreme(builder, op)) {
      op->getResult(0).replaceAllUsesWith(value);
      eraseDead(op);
    }
  }

  /// Erases what nothing reads: an op, and then the rest of its chain.
  void eraseDead(Operation *op) {
    SmallVector<Value> operands(op->getOperands());
    op->erase();
    for (Value operand : operands)
      if (Operation *inner = operand.getDefiningOp(); inner && isOpTriviallyDead(inner))
        eraseDead(inner);
  }

  void expandConversion(Operation *op) {
    OpBuilder builder(op);
    if (auto extend = dyn_cast<arith::ExtFOp>(op);
        extend && isNarrow(extend.getIn().getType()) && !isNative(extend.getIn().getType(), extend.getType())) {
      Value value = extend.getIn();
      if (getElementTypeOrSelf(value.getType()).isF16()) { // f16 to f64
        value = arith::ExtFOp::create(builder, op->getLoc(), tenon::withElement(value.getType(), builder.getF32Type()),
                                      value);
        value = arith::ExtFOp::create(builder, op->getLoc(), extend.getType(), value);
        return replace(op, value);
      }
      return replace(op, tenon::extendFloat(builder, op->getLoc(), value, extend.getType()));
    }
    if (auto truncate = dyn_cast<arith::TruncFOp>(op);
        truncate && isNarrow(truncate.getType()) && !isNative(truncate.getType(), truncate.getIn().getType()))
      return replace(op, tenon::truncateFloat(builder, op->getLoc(), truncate.getIn(), truncate.getType()));
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      // LLVM knows no f8: the bits, cast.
      Type type = constant.getType();
      auto element = dyn_cast<FloatType>(getElementTypeOrSelf(type));
      if (!element || element.getWidth() > 8 || !(isa<FloatType>(type) || isa<VectorType>(type)))
        return;
      Type integer = tenon::withElement(type, builder.getIntegerType(element.getWidth()));
      TypedAttr bits;
      if (auto scalar = dyn_cast<FloatAttr>(constant.getValue()))
        bits = builder.getIntegerAttr(integer, scalar.getValue().bitcastToAPInt());
      else if (auto dense = dyn_cast<DenseElementsAttr>(constant.getValue()))
        bits = cast<TypedAttr>(Attribute(dense.bitcast(builder.getIntegerType(element.getWidth()))));
      if (bits) {
        Value raw = arith::ConstantOp::create(builder, op->getLoc(), bits);
        replace(op, arith::BitcastOp::create(builder, op->getLoc(), type, raw));
      }
    }
  }

  /// Loads, stores and shuffles of narrow floats as integers: legalisation takes scalars of bf16 through f32 and back
  /// by library calls.
  void moveAsIntegers(Operation *op) {
    if (!isa<memref::LoadOp, memref::StoreOp, vector::LoadOp, vector::StoreOp, vector::MaskedLoadOp,
             vector::MaskedStoreOp, vector::FromElementsOp, vector::ExtractOp, vector::InsertOp, vector::ShuffleOp,
             vector::BroadcastOp, arith::SelectOp>(op))
      return;
    auto plain = [](Type type) { return isNarrow(type) && (isa<FloatType>(type) || isa<VectorType>(type)); };
    auto integerOf = [](OpBuilder &builder, Type type) {
      return tenon::withElement(type, builder.getIntegerType(getElementTypeOrSelf(type).getIntOrFloatBitWidth()));
    };
    if (llvm::none_of(op->getOperandTypes(), plain) && llvm::none_of(op->getResultTypes(), plain))
      return;
    OpBuilder builder(op);
    Location loc = op->getLoc();
    for (OpOperand &operand : op->getOpOperands()) {
      Type type = operand.get().getType();
      if (auto memref = dyn_cast<MemRefType>(type); memref && isNarrow(memref.getElementType())) {
        auto bytes = MemRefType::get(memref.getShape(), integerOf(builder, memref.getElementType()), memref.getLayout(),
                                     memref.getMemorySpace());
        operand.set(UnrealizedConversionCastOp::create(builder, loc, bytes, operand.get()).getResult(0));
      } else if (plain(type)) {
        operand.set(arith::BitcastOp::create(builder, loc, integerOf(builder, type), operand.get()));
      }
    }
    for (Value result : op->getResults()) {
      Type type = result.getType();
      if (!plain(type))
        continue;
      result.setType(integerOf(builder, type));
      builder.setInsertionPointAfter(op);
      auto back = arith::BitcastOp::create(builder, loc, type, result);
      result.replaceAllUsesExcept(back, back);
    }
  }
};

} // namespace
