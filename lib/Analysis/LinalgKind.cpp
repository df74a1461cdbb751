//===- LinalgKind.cpp - what sort of work an op is ----------------------------------===//
//
// Classification of structured ops by their maps and bodies. No decisions here.
//
//===----------------------------------------------------------------------===//
#include "tenon/Analysis/LinalgKind.h"
#include "tenon/Dialect/IR/Formats.h"

#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Math/IR/Math.h"
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

/// What the body adds to the result's element: the term of out + term; null for other bodies.
static Value getSummand(linalg::LinalgOp op) {
  Block *body = op.getBlock();
  Operation *sum = body->getTerminator()->getOperand(0).getDefiningOp();
  if (!sum || !isa<arith::AddFOp, arith::AddIOp>(sum))
    return {};
  Value accumulator = body->getArguments().back();
  if (sum->getOperand(0) == accumulator)
    return sum->getOperand(1);
  return sum->getOperand(1) == accumulator ? sum->getOperand(0) : Value();
}

/// Collects the block arguments that `value` is computed from by plain arithmetic, also on indices of `reductions`;
/// false where it is not.
static bool collectSources(Block *body, Value value, llvm::SetVector<BlockArgument> &sources) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (argument.getOwner() == body)
      sources.insert(argument);
    return argument.getOwner() == body;
  }
  Operation *op = value.getDefiningOp();
  if (op->getBlock() != body)
    return isa<arith::ConstantOp>(op) && !isa<ShapedType>(value.getType());
  if (auto index = dyn_cast<linalg::IndexOp>(op)) // of a reduction: rows of the result are decoded alike
    return cast<linalg::LinalgOp>(body->getParentOp()).getIteratorTypesArray()[index.getDim()] ==
           utils::IteratorType::reduction;
  if ((!isa<arith::ArithDialect>(op->getDialect()) && !isa<math::FmaOp, LookUpOp>(op)) || op->getNumRegions() != 0)
    return false;
  return llvm::all_of(op->getOperands(), [&](Value operand) { return collectSources(body, operand, sources); });
}

std::optional<DecodedContraction> tenon::matchDecodedContraction(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() < 2 || op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0 ||
      op->getNumResults() != 1)
    return std::nullopt;
  for (OpOperand *input : op.getDpsInputOperands())
    if (!isa<RankedTensorType, MemRefType>(input->get().getType()) ||
        !llvm::all_of(op.getMatchingIndexingMap(input).getResults(), isLinear))
      return std::nullopt;
  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!out.isProjectedPermutation() || out.getNumResults() + op.getNumReductionLoops() != op.getNumLoops())
    return std::nullopt;
  Value product = getSummand(op);
  auto multiply = product ? product.getDefiningOp<arith::MulFOp>() : arith::MulFOp();
  if (!multiply)
    return std::nullopt;
  Block *body = op.getBlock();
  for (auto [plain, decoded] :
       {std::pair(multiply.getLhs(), multiply.getRhs()), std::pair(multiply.getRhs(), multiply.getLhs())}) {
    auto lhs = dyn_cast<BlockArgument>(skipCasts(plain));
    llvm::SetVector<BlockArgument> sources;
    if (!lhs || lhs.getOwner() != body || lhs == body->getArguments().back() ||
        !collectSources(body, decoded, sources) || sources.contains(lhs) ||
        sources.contains(body->getArguments().back()))
      continue;
    DecodedContraction found{op.getMatchingOpOperand(lhs), nullptr, {}, decoded};
    for (OpOperand *input : op.getDpsInputOperands()) {
      if (!sources.contains(op.getMatchingBlockArgument(input)))
        continue;
      if (!found.codes && isa<IntegerType>(getElementTypeOrSelf(input->get().getType())))
        found.codes = input;
      else
        found.parts.push_back(input);
    }
    // Extents of reductions are read off the factors.
    bool bounded = found.codes != nullptr;
    for (unsigned loop = 0; bounded && loop < op.getNumLoops(); ++loop) {
      AffineExpr dim = getAffineDimExpr(loop, op.getContext());
      bounded =
          out.isFunctionOfDim(loop) || llvm::any_of(ArrayRef<OpOperand *>{found.lhs, found.codes}, [&](auto *factor) {
            return llvm::is_contained(op.getMatchingIndexingMap(factor).getResults(), dim);
          });
    }
    if (bounded)
      return found;
  }
  return std::nullopt;
}

bool tenon::isSumOfSquares(linalg::LinalgOp op, OpOperand &left, OpOperand &right) {
  AffineMap map = op.getMatchingIndexingMap(&left);
  return left.get() == right.get() && map == op.getMatchingIndexingMap(&right) && map.isPermutation();
}

bool tenon::isContraction(Operation *operation) {
  auto op = dyn_cast<linalg::LinalgOp>(operation);
  if (op && matchDecodedContraction(op))
    return true;
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
  if (isSumOfSquares(op, *op.getDpsInputOperand(0), *op.getDpsInputOperand(1)))
    return false;
  Block *body = op.getBlock();
  Value product = getSummand(op);
  if (!product)
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
