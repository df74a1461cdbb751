//===- LinalgKind.cpp - what sort of work an op is ----------------------------------===//
//
// Classification of structured ops by their maps and bodies. No decisions here.
//
//===----------------------------------------------------------------------===//
#include "tenon/Analysis/LinalgKind.h"

#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tenon;

/// Looks through the extensions that tenon.tile_contract does itself.
static Value skipCasts(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<arith::ExtFOp, arith::ExtSIOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

/// Sums of linear terms with positive coefficients: what tenon.tile_contract's maps may be.
static bool isLinear(AffineExpr expr) {
  switch (expr.getKind()) {
  case AffineExprKind::DimId:
    return true;
  case AffineExprKind::Add: {
    auto sum = cast<AffineBinaryOpExpr>(expr);
    return isLinear(sum.getLHS()) && isLinear(sum.getRHS());
  }
  case AffineExprKind::Mul: {
    auto product = cast<AffineBinaryOpExpr>(expr);
    auto factor = dyn_cast<AffineConstantExpr>(product.getRHS());
    return factor && factor.getValue() > 0 && isLinear(product.getLHS());
  }
  default:
    return false;
  }
}

bool tenon::isContraction(Operation *operation) {
  auto op = dyn_cast<linalg::LinalgOp>(operation);
  if (!op || op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0 ||
      op.hasIndexSemantics())
    return false;
  for (OpOperand *input : op.getDpsInputOperands())
    if (!isa<RankedTensorType, MemRefType>(input->get().getType()) ||
        !llvm::all_of(op.getMatchingIndexingMap(input).getResults(), isLinear))
      return false;
  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!out.isProjectedPermutation() || out.getNumResults() + op.getNumReductionLoops() != op.getNumLoops())
    return false;
  Block *body = op.getBlock();
  Value yielded = body->getTerminator()->getOperand(0);
  Operation *sum = yielded.getDefiningOp();
  if (!sum || !isa<arith::AddFOp, arith::AddIOp>(sum))
    return false;
  Value accumulator = body->getArgument(2), product;
  if (sum->getOperand(0) == accumulator)
    product = sum->getOperand(1);
  else if (sum->getOperand(1) == accumulator)
    product = sum->getOperand(0);
  else
    return false;
  Operation *multiply = skipCasts(product).getDefiningOp();
  if (!multiply || !isa<arith::MulFOp, arith::MulIOp>(multiply))
    return false;
  Value a = skipCasts(multiply->getOperand(0)), b = skipCasts(multiply->getOperand(1));
  return (a == body->getArgument(0) && b == body->getArgument(1)) ||
         (a == body->getArgument(1) && b == body->getArgument(0));
}

LinalgKind tenon::classify(linalg::LinalgOp op) {
  if (isa<linalg::FillOp>(op))
    return LinalgKind::Fill;
  if (isContraction(op))
    return LinalgKind::Contraction;
  WalkResult reads = op->walk([](Operation *inner) {
    return isa<tensor::ExtractOp, tensor::DimOp, scf::ForOp, scf::WhileOp>(inner) ? WalkResult::interrupt()
                                                                                  : WalkResult::advance();
  });
  if (op.getNumReductionLoops() > 0)
    return LinalgKind::Reduction;
  if (reads.wasInterrupted())
    return LinalgKind::Gather;
  if (op.getNumParallelLoops() == op.getNumLoops())
    return LinalgKind::Elementwise;
  return LinalgKind::Other;
}

bool tenon::isUndefined(Value value) { return value.getDefiningOp<tensor::EmptyOp>() != nullptr; }

Value tenon::getFillValue(Value value) {
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    return fill.getInputs()[0];
  if (auto splat = value.getDefiningOp<tensor::SplatOp>())
    return splat.getInput();
  return {};
}

bool tenon::isZeroFilled(Value value) {
  if (Value scalar = getFillValue(value))
    return matchPattern(scalar, m_AnyZeroFloat()) || matchPattern(scalar, m_Zero());
  SplatElementsAttr splat;
  if (!matchPattern(value, m_Constant(&splat)))
    return false;
  if (isa<FloatType>(splat.getElementType()))
    return splat.getSplatValue<APFloat>().isZero();
  return isa<IntegerType>(splat.getElementType()) && splat.getSplatValue<APInt>().isZero();
}

int64_t tenon::getBodyCost(linalg::LinalgOp op) {
  int64_t cost = 0;
  op->walk([&](Operation *inner) {
    if (inner == op.getOperation() || isa<linalg::YieldOp, arith::ConstantOp, linalg::IndexOp>(inner))
      return;
    StringRef dialect = inner->getName().getDialectNamespace();
    if (dialect == "math" && !isa<math::AbsFOp, math::AbsIOp, math::CopySignOp, math::FloorOp, math::CeilOp,
                                  math::FmaOp, math::RoundEvenOp, math::SqrtOp>(inner))
      cost += 10;
    else if (isa<arith::DivFOp, math::SqrtOp>(inner))
      cost += 4;
    else if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp, arith::RemFOp, scf::ForOp,
                 scf::WhileOp>(inner))
      cost += 10;
    else
      cost += 1;
  });
  return cost;
}
