//===- ContractFromLinalg.cpp - linalg contraction and epilogue to one tenon.tile_contract ---===//
//
// Only the form changes here: which ops share a kernel was decided by kernel formation.
//
//===----------------------------------------------------------------------===//
#include "tenon/Analysis/LinalgKind.h"
#include "tenon/Dialect/IR/LinearMaps.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

namespace tenon {
#define GEN_PASS_DEF_TOTILECONTRACT
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

/// The factors of a sum of products, as operands of the linalg op.
struct Factors {
  OpOperand *left = nullptr, *right = nullptr;
  /// Where the right factor is decoded: what that reads beside it, and the value in the body.
  SmallVector<OpOperand *> parts;
  Value decoded;
};

/// The operand whose element `value` is, through widening casts.
OpOperand *getFactor(linalg::LinalgOp op, Value value) {
  while (Operation *cast = value.getDefiningOp()) {
    if (!isa<arith::ExtFOp, arith::ExtSIOp>(cast) || cast->getBlock() != op.getBlock())
      return nullptr;
    value = cast->getOperand(0);
  }
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != op.getBlock() ||
      argument.getArgNumber() >= static_cast<unsigned>(op.getNumDpsInputs()))
    return nullptr;
  return op.getMatchingOpOperand(argument);
}

/// yield (out + ext(a) * ext(b)), in either order, or with a decoded factor.
std::optional<Factors> matchSumOfProducts(linalg::LinalgOp op) {
  if (std::optional<DecodedContraction> found = matchDecodedContraction(op))
    return Factors{found->lhs, found->codes, found->parts, found->decoded};
  if (op.getNumReductionLoops() == 0 || op.getNumDpsInits() != 1 || op->getNumResults() != 1)
    return std::nullopt;
  Block *body = op.getBlock();
  Operation *sum = body->getTerminator()->getOperand(0).getDefiningOp();
  if (!sum || !isa<arith::AddFOp, arith::AddIOp>(sum))
    return std::nullopt;
  Value out = body->getArguments().back();
  if (sum->getOperand(0) != out && sum->getOperand(1) != out)
    return std::nullopt;
  Value term = sum->getOperand(0) == out ? sum->getOperand(1) : sum->getOperand(0);
  Operation *product = term.getDefiningOp();
  if (!product || !isa<arith::MulFOp, arith::MulIOp>(product))
    return std::nullopt;
  Factors factors{getFactor(op, product->getOperand(0)), getFactor(op, product->getOperand(1)), {}, {}};
  if (!factors.left || !factors.right || isSumOfSquares(op, *factors.left, *factors.right))
    return std::nullopt;
  for (AffineMap map : op.getIndexingMapsArray())
    if (!getLinearCoefficients(map))
      return std::nullopt;
  AffineMap outMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!outMap.isProjectedPermutation() || outMap.getNumResults() != op.getNumParallelLoops())
    return std::nullopt;
  return factors;
}

/// Collects a contraction and the chain of its epilogues, and builds the op.
class Builder {
public:
  Builder(IRRewriter &rewriter, linalg::LinalgOp contraction, Factors factors)
      : rewriter(rewriter), contraction(contraction), factors(factors), last(contraction),
        outMap(contraction.getMatchingIndexingMap(contraction.getDpsInitOperand(0))) {
    epilogue = new Block();
    Location loc = contraction.getLoc();
    Type element = getElementTypeOrSelf(contraction->getResult(0).getType());
    // Sums of narrow floats are kept in f32 and narrowed once.
    bool narrow = element.isF16() || element.isBF16();
    Type accumulator = narrow ? Type(Float32Type::get(rewriter.getContext())) : element;
    value = epilogue->addArgument(accumulator, loc);
    rewriter.setInsertionPointToEnd(epilogue);
    OpOperand *init = contraction.getDpsInitOperand(0);
    if (!isZeroFilled(init->get())) { // what the sum started from is added at the end
      Value start = addExtra(init->get(), outMap);
      if (narrow)
        start = arith::ExtFOp::create(rewriter, loc, accumulator, start);
      value = isa<FloatType>(element) ? arith::AddFOp::create(rewriter, loc, value, start).getResult()
                                      : arith::AddIOp::create(rewriter, loc, value, start).getResult();
    }
    if (narrow)
      value = arith::TruncFOp::create(rewriter, loc, element, value);
  }

  /// Takes up the only consumer where it is an epilogue; false when there is none.
  bool takeConsumer() {
    Value result = last->getResult(0);
    auto users = llvm::SmallSetVector<Operation *, 2>(result.user_begin(), result.user_end());
    if (users.size() != 1)
      return false;
    auto op = dyn_cast<linalg::LinalgOp>(users.front());
    if (!op || op->getNumResults() != 1 || op.getNumDpsInits() != 1 || op.getNumReductionLoops() != 0 ||
        op.hasIndexSemantics() || op->getBlock() != last->getBlock())
      return false;
    // Loops of the consumer in terms of the contraction's, by the map through which it reads the result.
    SmallVector<AffineExpr> loops;
    for (OpOperand &operand : op->getOpOperands()) {
      if (operand.get() != result)
        continue;
      AffineMap map = op.getMatchingIndexingMap(&operand);
      if (!map.isPermutation() || op.isDpsInit(&operand))
        return false;
      SmallVector<AffineExpr> found(op.getNumLoops());
      for (auto [position, expr] : llvm::enumerate(map.getResults()))
        found[cast<AffineDimExpr>(expr).getPosition()] = outMap.getResult(position);
      if (!loops.empty() && loops != found)
        return false;
      loops = found;
    }
    auto translate = [&](OpOperand &operand) {
      return op.getMatchingIndexingMap(&operand).replaceDimsAndSymbols(loops, {}, contraction.getNumLoops(), 0);
    };
    for (OpOperand &operand : op->getOpOperands())
      if (isa<ShapedType>(operand.get().getType()) && !getLinearCoefficients(translate(operand)))
        return false;
    AffineMap nextOut = translate(*op.getDpsInitOperand(0));
    if (!nextOut.isProjectedPermutation() || nextOut.getNumResults() != outMap.getNumResults())
      return false;
    for (Operation &inner : op.getBlock()->without_terminator())
      if (inner.getNumRegions() != 0 || !isMemoryEffectFree(&inner) || isa<tensor::ExtractOp>(inner))
        return false;

    rewriter.setInsertionPointToEnd(epilogue);
    IRMapping mapping;
    for (OpOperand &operand : op->getOpOperands()) {
      BlockArgument argument = op.getMatchingBlockArgument(&operand);
      if (operand.get() == result)
        mapping.map(argument, value);
      else if (!isa<ShapedType>(operand.get().getType()))
        mapping.map(argument, operand.get());
      else if (op.payloadUsesValueFromOperand(&operand))
        mapping.map(argument, addExtra(operand.get(), translate(operand)));
    }
    for (Operation &inner : op.getBlock()->without_terminator())
      rewriter.clone(inner, mapping);
    value = mapping.lookupOrDefault(op.getBlock()->getTerminator()->getOperand(0));
    outMap = nextOut;
    last = op;
    return true;
  }

  void finish() {
    rewriter.setInsertionPointToEnd(epilogue);
    YieldOp::create(rewriter, contraction.getLoc(), value);
    Type accumulator = epilogue->getArgument(0).getType();
    for (OpOperand *part : factors.parts) {
      extras.push_back(part->get());
      extraMaps.push_back(contraction.getMatchingIndexingMap(part));
    }
    SmallVector<AffineMap> maps{contraction.getMatchingIndexingMap(factors.left),
                                contraction.getMatchingIndexingMap(factors.right)};
    llvm::append_range(maps, extraMaps);
    maps.push_back(outMap);
    SmallVector<Attribute> iterators;
    for (utils::IteratorType iterator : contraction.getIteratorTypesArray())
      iterators.push_back(rewriter.getStringAttr(utils::stringifyIteratorType(iterator)));
    Value out = last.getDpsInitOperand(0)->get();
    if (auto fill = out.getDefiningOp<linalg::FillOp>()) // only its shape counts
      out = fill.getOutputs()[0];
    rewriter.setInsertionPoint(last);
    SmallVector<Location> locations{contraction.getLoc()};
    if (last != contraction)
      locations.push_back(last.getLoc());
    auto op = TileContractOp::create(rewriter, rewriter.getFusedLoc(locations), out.getType(), factors.left->get(),
                                     factors.right->get(), extras, out, rewriter.getAffineMapArrayAttr(maps),
                                     rewriter.getArrayAttr(iterators), /*decodes=*/factors.decoded != nullptr);
    op.getEpilogue().push_back(epilogue);
    op.setNonzero(getNonzero());
    op.setPhases(getPhases());
    if (factors.decoded)
      buildDecode(op.getDecode().front(), accumulator);
    rewriter.replaceOp(last, op.getResult());
  }

private:
  /// What the contraction says of its inputs' padding, where they are still of the size that it was said of.
  SmallVector<int64_t> getNonzero() {
    SmallVector<int64_t> nonzero;
    auto said = contraction->getAttrOfType<DenseI64ArrayAttr>(kNonzeroAttr);
    for (ArrayRef<int64_t> rest = said ? said.asArrayRef() : ArrayRef<int64_t>(); rest.size() >= 5;
         rest = rest.drop_front(5)) {
      for (int64_t number : {0, 1}) {
        OpOperand *factor = number == 0 ? factors.left : factors.right;
        auto type = cast<ShapedType>(factor->get().getType());
        if (static_cast<int64_t>(factor->getOperandNumber()) == rest[0] && rest[1] < type.getRank() &&
            type.getDimSize(rest[1]) == rest[4])
          nonzero.append({number, rest[1], rest[2], rest[3]});
      }
    }
    return nonzero;
  }

  /// The same of filters in phases, as dims of the contraction.
  SmallVector<int64_t> getPhases() {
    SmallVector<int64_t> phases;
    auto said = contraction->getAttrOfType<DenseI64ArrayAttr>(kPhasesAttr);
    for (ArrayRef<int64_t> rest = said ? said.asArrayRef() : ArrayRef<int64_t>(); rest.size() >= 5;
         rest = rest.drop_front(5)) {
      OpOperand &filter = contraction->getOpOperand(rest[0]);
      auto type = cast<ShapedType>(filter.get().getType());
      AffineMap map = contraction.getMatchingIndexingMap(&filter);
      if (rest[1] + 1 >= type.getRank() || type.getDimSize(rest[1]) != rest[3] ||
          type.getDimSize(rest[1] + 1) != rest[4])
        continue;
      auto outer = dyn_cast<AffineDimExpr>(map.getResult(rest[1]));
      auto inner = dyn_cast<AffineDimExpr>(map.getResult(rest[1] + 1));
      if (outer && inner)
        phases.append({outer.getPosition(), inner.getPosition(), rest[2]});
    }
    return phases;
  }

  /// The part of the contraction's body that the decoded factor comes from.
  void buildDecode(Region &region, Type accumulator) {
    OpBuilder::InsertionGuard guard(rewriter);
    Location loc = contraction.getLoc();
    Block *body = rewriter.createBlock(&region);
    IRMapping mapping;
    SmallVector<OpOperand *> read{factors.right};
    llvm::append_range(read, factors.parts);
    for (OpOperand *operand : read)
      mapping.map(contraction.getMatchingBlockArgument(operand),
                  body->addArgument(getElementTypeOrSelf(operand->get().getType()), loc));
    unsigned indices = body->getNumArguments();
    llvm::SetVector<Operation *> slice;
    auto collect = [&](auto &self, Value value) -> void {
      Operation *op = value.getDefiningOp();
      if (!op || op->getBlock() != contraction.getBlock() || slice.contains(op))
        return;
      for (Value operand : op->getOperands())
        self(self, operand);
      slice.insert(op);
    };
    collect(collect, factors.decoded);
    SmallVector<unsigned> reductions;
    contraction.getReductionDims(reductions);
    for (Operation *op : slice) {
      auto index = dyn_cast<linalg::IndexOp>(op);
      if (!index) {
        rewriter.clone(*op, mapping);
        continue;
      }
      if (body->getNumArguments() == indices)
        for (size_t i = 0; i < reductions.size(); ++i)
          body->addArgument(rewriter.getIndexType(), loc);
      size_t place = llvm::find(reductions, index.getDim()) - reductions.begin();
      mapping.map(index.getResult(), body->getArgument(indices + place));
    }
    Value result = mapping.lookupOrDefault(factors.decoded);
    if (result.getType() != accumulator)
      result = arith::ExtFOp::create(rewriter, loc, accumulator, result);
    YieldOp::create(rewriter, loc, result);
  }

  /// The element of `tensor` at each place of the result: a region argument, or a scalar where it is one everywhere.
  Value addExtra(Value tensor, AffineMap map) {
    Type element = getElementTypeOrSelf(tensor.getType());
    if (Value scalar = getFillValue(tensor); scalar && scalar.getType() == element)
      return scalar;
    SplatElementsAttr splat;
    if (matchPattern(tensor, m_Constant(&splat)))
      return arith::ConstantOp::create(rewriter, contraction.getLoc(), splat.getSplatValue<TypedAttr>());
    extras.push_back(tensor);
    extraMaps.push_back(map);
    return epilogue->addArgument(getElementTypeOrSelf(tensor.getType()), contraction.getLoc());
  }

  IRRewriter &rewriter;
  linalg::LinalgOp contraction;
  Factors factors;
  linalg::LinalgOp last;
  AffineMap outMap;
  Block *epilogue;
  Value value;
  SmallVector<Value> extras;
  SmallVector<AffineMap> extraMaps;
};

class ToTileContract : public tenon::impl::ToTileContractBase<ToTileContract> {
  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<func::FuncOp>()) {
      if (!kernel->hasAttr(kKernelAttr))
        continue;
      SmallVector<linalg::LinalgOp> ops(kernel.getBody().getOps<linalg::LinalgOp>());
      IRRewriter rewriter(&getContext());
      for (linalg::LinalgOp op : ops) {
        std::optional<Factors> factors = matchSumOfProducts(op);
        if (!factors)
          continue;
        Builder builder(rewriter, op, *factors);
        while (builder.takeConsumer())
          ;
        builder.finish();
        break; // one contraction is a kernel's root; others were left to other kernels
      }
      // What only fed the former ops.
      for (Operation &op : llvm::make_early_inc_range(llvm::reverse(kernel.getBody().front())))
        if (isOpTriviallyDead(&op))
          rewriter.eraseOp(&op);
    }
  }
};

} // namespace
