//===- RecognizeAttention.cpp - attention that a Program spells out ------------------------===//
//
// From the product with the values backwards: weights are exponentials over their sums, these are of scores less their
// maxima, and scores are arithmetic on a product of queries and keys. Reshapes between may split or join batch dims.
//
//===----------------------------------------------------------------------===//
#include "tenon/Analysis/LinalgKind.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Iterators.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace tenon {
#define GEN_PASS_DEF_RECOGNIZEATTENTION
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

int64_t getRank(Value tensor) { return cast<RankedTensorType>(tensor.getType()).getRank(); }

/// A generic with one result and loops that are all parallel, or, where `reduces`, all but the last; its result lies as
/// its parallel loops do.
linalg::GenericOp getPlainGeneric(Value value, bool reduces) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  if (!op || op->getNumResults() != 1)
    return {};
  unsigned loops = op.getNumLoops(), parallel = reduces ? loops - 1 : loops;
  if (loops == 0 || op.getNumParallelLoops() != parallel ||
      (reduces && op.getIteratorTypesArray().back() != utils::IteratorType::reduction))
    return {};
  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  return out == AffineMap::getMultiDimIdentityMap(loops, op.getContext()).getMajorSubMap(parallel)
             ? op
             : linalg::GenericOp();
}

/// Whether `map` is the identity without the last `dropped` dims.
bool isLeading(AffineMap map, unsigned dropped) {
  return map.getNumResults() + dropped == map.getNumDims() && map.isMinorIdentity() == (dropped == 0) &&
         map ==
             AffineMap::getMultiDimIdentityMap(map.getNumDims(), map.getContext()).getMajorSubMap(map.getNumResults());
}

/// The input that `element` is in the body of `op`; null for anything else.
OpOperand *getInput(linalg::GenericOp op, Value element) {
  auto argument = dyn_cast<BlockArgument>(element);
  if (!argument || argument.getOwner() != op.getBlock() || argument.getArgNumber() >= op.getNumDpsInputs())
    return nullptr;
  return op.getDpsInputOperand(argument.getArgNumber());
}

Value getYielded(linalg::GenericOp op) { return op.getBlock()->getTerminator()->getOperand(0); }

bool isNumber(Value value, double number) {
  APFloat constant(0.0);
  return matchPattern(value, m_ConstantFloat(&constant)) && constant.convertToDouble() == number;
}

/// Whether `value` is `of` where that is not `number`: select(of == number, .., value').  Gives the other side.
Value skipGuard(Value value, double number, Value &of) {
  auto select = value.getDefiningOp<arith::SelectOp>();
  auto compare = select ? select.getCondition().getDefiningOp<arith::CmpFOp>() : arith::CmpFOp();
  if (!compare ||
      (compare.getPredicate() != arith::CmpFPredicate::OEQ && compare.getPredicate() != arith::CmpFPredicate::UEQ) ||
      !isNumber(compare.getRhs(), number))
    return value;
  of = compare.getLhs();
  return select.getFalseValue();
}

/// Whether two bodies compute the same from the same elements.
bool isSame(linalg::GenericOp a, Value x, linalg::GenericOp b, Value y) {
  if (x == y)
    return true;
  OpOperand *left = getInput(a, x), *right = getInput(b, y);
  if (left || right)
    return left && right && left->get() == right->get() &&
           a.getMatchingIndexingMap(left) == b.getMatchingIndexingMap(right);
  Operation *one = x.getDefiningOp(), *other = y.getDefiningOp();
  if (!one || !other || one->getName() != other->getName() || one->getAttrDictionary() != other->getAttrDictionary() ||
      one->getNumRegions() != 0 || one->getResultTypes() != other->getResultTypes() ||
      one->getNumOperands() != other->getNumOperands() || one->getNumResults() != 1)
    return false;
  return llvm::all_of(llvm::zip(one->getOperands(), other->getOperands()),
                      [&](auto pair) { return isSame(a, std::get<0>(pair), b, std::get<1>(pair)); });
}

/// The tensor before a reshape that joins or splits leading dims and leaves the last two; null for other values.
Value getBeforeBatchReshape(Value value) {
  Operation *op = value.getDefiningOp();
  SmallVector<ReassociationIndices> groups;
  if (auto collapse = dyn_cast_or_null<tensor::CollapseShapeOp>(op))
    groups = collapse.getReassociationIndices();
  else if (auto expand = dyn_cast_or_null<tensor::ExpandShapeOp>(op))
    groups = expand.getReassociationIndices();
  size_t count = groups.size();
  if (count < 2 || groups[count - 1].size() != 1 || groups[count - 2].size() != 1)
    return {};
  return op->getOperand(0);
}

class Match {
public:
  Match(linalg::GenericOp product, bool weightsFirst) : product(product), weightsFirst(weightsFirst) {}

  bool run() {
    OpOperand *weights = product.getDpsInputOperand(weightsFirst ? 0 : 1);
    return matchProduct(product, weights, values, valueLoops) && matchWeights(weights->get()) && matchScores();
  }

  void rewrite(IRRewriter &rewriter);

private:
  /// Whether `op` is a product over batches with `one` as [batches.., rows, shared], one loop shared: then the other
  /// factor, and its loops in the order batches, its own, shared.
  bool matchProduct(linalg::GenericOp op, OpOperand *one, OpOperand *&other, SmallVectorImpl<unsigned> &otherLoops);
  bool matchWeights(Value weights);
  bool matchScores();
  /// Collects the arithmetic between the product of queries and keys and `tensor`, as it is read at all loops.
  bool follow(Value tensor);
  /// Whether all that the arithmetic of `op` reads beside the scores can be read by an attention.
  bool canRead(linalg::GenericOp op);
  /// `tensor`, read at `map` by a product, with its dims in the order of `loops`, [B, H, ..].
  Value arrange(IRRewriter &rewriter, OpOperand *operand, linalg::GenericOp user, ArrayRef<unsigned> loops);

  linalg::GenericOp product;
  bool weightsFirst;
  OpOperand *values = nullptr, *queries = nullptr, *keys = nullptr;
  SmallVector<unsigned> valueLoops, queryLoops, keyLoops;
  linalg::GenericOp exponential, scoreProduct;
  Value score;      ///< in the body of `exponential`
  int64_t rank = 0; ///< of the weights where they are made: batches, a query, a key
  /// Arithmetic on scores, the last first: a generic, the value in its body, and its input that leads to the scores.
  struct Step {
    linalg::GenericOp op;
    Value root;
    OpOperand *from;
  };
  SmallVector<Step> steps;
  SmallVector<OpFoldResult> batchSizes; ///< of [B, H]
};

bool Match::matchProduct(linalg::GenericOp op, OpOperand *one, OpOperand *&other,
                         SmallVectorImpl<unsigned> &otherLoops) {
  if (op.getNumDpsInputs() != 2 || op.getNumReductionLoops() != 1 || op->getNumResults() != 1 ||
      !isZeroFilled(op.getDpsInits()[0]) || !isa<FloatType>(getElementTypeOrSelf(op->getResult(0))))
    return false;
  other = op.getDpsInputOperand(one->getOperandNumber() == 0 ? 1 : 0);
  AffineMap map = op.getMatchingIndexingMap(one), otherMap = op.getMatchingIndexingMap(other);
  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!map.isProjectedPermutation() || !otherMap.isProjectedPermutation() || !out.isProjectedPermutation())
    return false;
  return map.getNumResults() >= 2 && otherMap.getNumResults() == map.getNumResults() &&
         out.getNumResults() == map.getNumResults() && otherLoops.empty();
}

bool Match::matchWeights(Value weights) {
  // A cast to the values' type, then quotients; reshapes in any place.
  for (unsigned turn = 0; turn < 3; ++turn) {
    if (!weights.hasOneUse())
      return false;
    if (Value before = getBeforeBatchReshape(weights)) {
      weights = before;
      continue;
    }
    auto cast = getPlainGeneric(weights, false);
    auto truncation = cast ? getYielded(cast).getDefiningOp<arith::TruncFOp>() : arith::TruncFOp();
    OpOperand *source = truncation ? getInput(cast, truncation.getIn()) : nullptr;
    if (!source || !isLeading(cast.getMatchingIndexingMap(source), 0))
      break;
    weights = source->get();
  }
  auto quotient = getPlainGeneric(weights, false);
  if (!quotient || !weights.hasOneUse())
    return false;
  Value yielded = getYielded(quotient);
  if (auto truncation = yielded.getDefiningOp<arith::TruncFOp>())
    yielded = truncation.getIn();
  auto divide = yielded.getDefiningOp<arith::DivFOp>();
  if (!divide)
    return false;
  Value guarded, divisor = skipGuard(divide.getRhs(), 0, guarded);
  OpOperand *power = getInput(quotient, divide.getLhs()), *total = getInput(quotient, divisor);
  if (!power || !total || (guarded && guarded != divisor) || !isLeading(quotient.getMatchingIndexingMap(power), 0) ||
      !isLeading(quotient.getMatchingIndexingMap(total), 1))
    return false;
  // The sum of what is divided.
  auto sum = getPlainGeneric(total->get(), true);
  auto plus = sum ? getYielded(sum).getDefiningOp<arith::AddFOp>() : arith::AddFOp();
  if (!plus || !total->get().hasOneUse() || !isZeroFilled(sum.getDpsInits()[0]))
    return false;
  Value accumulator = sum.getBlock()->getArguments().back();
  OpOperand *summed = getInput(sum, plus.getLhs() == accumulator ? plus.getRhs() : plus.getLhs());
  if (!summed || (plus.getLhs() != accumulator && plus.getRhs() != accumulator) || summed->get() != power->get() ||
      !isLeading(sum.getMatchingIndexingMap(summed), 0))
    return false;
  exponential = getPlainGeneric(power->get(), false);
  return exponential && power->get().hasNUses(2);
}

bool Match::matchScores() {
  rank = exponential.getNumLoops();
  if (rank < 2 || rank > 4)
    return false;
  Value highest, guarded,
      yielded = skipGuard(getYielded(exponential), -std::numeric_limits<double>::infinity(), guarded);
  auto power = yielded.getDefiningOp<math::ExpOp>();
  auto difference = power ? power.getOperand().getDefiningOp<arith::SubFOp>() : arith::SubFOp();
  if (!difference)
    return false;
  score = difference.getLhs();
  highest = difference.getRhs();
  OpOperand *top = getInput(exponential, highest);
  if (!top || (guarded && guarded != highest) || !isLeading(exponential.getMatchingIndexingMap(top), 1) ||
      !top->get().hasOneUse())
    return false;
  auto maximum = getPlainGeneric(top->get(), true);
  Operation *larger = maximum ? getYielded(maximum).getDefiningOp() : nullptr;
  if (!isa_and_nonnull<arith::MaximumFOp, arith::MaxNumFOp>(larger))
    return false;
  Value accumulator = maximum.getBlock()->getArguments().back(), start = getFillValue(maximum.getDpsInits()[0]);
  bool first = larger->getOperand(0) == accumulator;
  if ((!first && larger->getOperand(1) != accumulator) || !start ||
      !isNumber(start, -std::numeric_limits<double>::infinity()) ||
      !isSame(exponential, score, maximum, larger->getOperand(first ? 1 : 0)))
    return false;
  // One input leads to the product of queries and keys, which nothing but these two read.
  for (OpOperand *input : exponential.getDpsInputOperands()) {
    if (input == top || !isLeading(exponential.getMatchingIndexingMap(input), 0))
      continue;
    steps.assign(1, Step{exponential, score, input});
    bool own =
        llvm::all_of(input->get().getUsers(), [&](Operation *user) { return user == exponential || user == maximum; });
    if (own && follow(input->get()))
      return canRead(exponential);
  }
  return false;
}

bool Match::follow(Value tensor) {
  for (bool first = true;; first = false) {
    if (!first && !tensor.hasOneUse())
      return false;
    if (Value before = getBeforeBatchReshape(tensor)) {
      tensor = before;
      continue;
    }
    auto op = tensor.getDefiningOp<linalg::GenericOp>();
    if (!op)
      return false;
    if (classify(op) == LinalgKind::Contraction) {
      scoreProduct = op;
      break;
    }
    op = getPlainGeneric(tensor, false);
    if (!op)
      return false;
    OpOperand *from = nullptr;
    for (OpOperand *input : op.getDpsInputOperands())
      if (!from && isLeading(op.getMatchingIndexingMap(input), 0) &&
          (getBeforeBatchReshape(input->get()) || input->get().getDefiningOp<linalg::GenericOp>()))
        from = input;
    if (!from || !canRead(op))
      return false;
    steps.push_back({op, getYielded(op), from});
    tensor = from->get();
  }
  // Which factor is which: queries share a loop with the result's rows.
  AffineMap out = scoreProduct.getMatchingIndexingMap(scoreProduct.getDpsInitOperand(0));
  if (!out.isProjectedPermutation() || out.getNumResults() < 2 || scoreProduct.getNumDpsInputs() != 2)
    return false;
  unsigned rowLoop = out.getDimPosition(out.getNumResults() - 2);
  queries = scoreProduct.getDpsInputOperand(
      scoreProduct.getMatchingIndexingMap(scoreProduct.getDpsInputOperand(0)).isFunctionOfDim(rowLoop) ? 0 : 1);
  if (!matchProduct(scoreProduct, queries, keys, keyLoops))
    return false;
  Type type = getElementTypeOrSelf(scoreProduct->getResult(0)), element = getElementTypeOrSelf(queries->get());
  if (type != getElementTypeOrSelf(exponential->getResult(0)) || !(type.isF32() || type.isF64()) ||
      !isa<FloatType>(element) || element != getElementTypeOrSelf(keys->get()) ||
      element != getElementTypeOrSelf(values->get()) || (type.isF64() != element.isF64()) ||
      classify(product) != LinalgKind::Contraction)
    return false;
  // Loops in the order batches.., own, shared.
  auto order = [](linalg::GenericOp op, ArrayRef<AffineExpr> batches, unsigned own, unsigned shared) {
    SmallVector<unsigned> loops;
    for (AffineExpr batch : batches)
      loops.push_back(cast<AffineDimExpr>(batch).getPosition());
    loops.append({own, shared});
    return loops;
  };
  auto reads = [](linalg::GenericOp op, OpOperand *operand, ArrayRef<unsigned> loops) {
    AffineMap map = op.getMatchingIndexingMap(operand);
    return map.getNumResults() == loops.size() &&
           llvm::all_of(loops, [&](unsigned loop) { return map.isFunctionOfDim(loop); });
  };
  SmallVector<unsigned> shared;
  scoreProduct.getReductionDims(shared);
  ArrayRef<AffineExpr> batches = out.getResults().drop_back(2);
  queryLoops = order(scoreProduct, batches, rowLoop, shared[0]);
  keyLoops = order(scoreProduct, batches, out.getDimPosition(out.getNumResults() - 1), shared[0]);
  if (!reads(scoreProduct, queries, queryLoops) || !reads(scoreProduct, keys, keyLoops))
    return false;
  // The other product: weights are [batches.., rows, shared] in that order.
  AffineMap weights = product.getMatchingIndexingMap(product.getDpsInputOperand(weightsFirst ? 0 : 1));
  shared.clear();
  product.getReductionDims(shared);
  if (weights.getDimPosition(weights.getNumResults() - 1) != shared[0] ||
      weights.getNumResults() != out.getNumResults())
    return false;
  AffineMap result = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
  batches = weights.getResults().drop_back(2);
  unsigned row = weights.getDimPosition(weights.getNumResults() - 2),
           column = result.getDimPosition(result.getNumResults() - 1);
  if (result.getResults().drop_back(1) != weights.getResults().drop_back(1))
    return false;
  valueLoops = order(product, batches, shared[0], column);
  return row != column && reads(product, values, valueLoops) && static_cast<int64_t>(out.getNumResults()) <= rank &&
         (static_cast<int64_t>(out.getNumResults()) == rank || (rank == 4 && out.getNumResults() == 3));
}

bool Match::canRead(linalg::GenericOp op) {
  bool inner = static_cast<int64_t>(op.getNumLoops()) != rank; // batches are joined here
  for (OpOperand *input : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(input);
    if (!map.isProjectedPermutation() || !isa<RankedTensorType>(input->get().getType()))
      return false;
    if (inner && !isLeading(map, 0))
      for (unsigned batch = 0; batch + 2 < op.getNumLoops(); ++batch)
        if (map.isFunctionOfDim(batch))
          return false;
  }
  bool good = true;
  for (Operation &nested : op.getBlock()->without_terminator()) {
    auto index = dyn_cast<linalg::IndexOp>(nested);
    good &= nested.getNumRegions() == 0 && isPure(&nested) && !isa<tensor::ExtractOp>(nested) &&
            (!index || !inner || index.getDim() + 2 >= op.getNumLoops());
    for (Value operand : nested.getOperands())
      if (Operation *outside = operand.getDefiningOp(); outside && outside->getBlock() != op.getBlock())
        good &= isa<arith::ConstantOp>(outside);
      else if (!outside)
        good &= cast<BlockArgument>(operand).getOwner() == op.getBlock();
  }
  return good;
}

Value Match::arrange(IRRewriter &rewriter, OpOperand *operand, linalg::GenericOp user, ArrayRef<unsigned> loops) {
  Location loc = product.getLoc();
  Value tensor = operand->get();
  AffineMap map = user.getMatchingIndexingMap(operand);
  // order[position]: the dim of `tensor` that comes there.
  SmallVector<int64_t> order;
  for (unsigned loop : loops)
    order.push_back(*map.getResultPosition(rewriter.getAffineDimExpr(loop)));
  bool batchesLead = llvm::all_of(llvm::seq<size_t>(0, loops.size() - 2),
                                  [&](size_t i) { return order[i] == static_cast<int64_t>(i); });
  int64_t missing = 4 - static_cast<int64_t>(loops.size());
  // The dims B and H, where the product has fewer.
  if (missing > 0 && rank == 4) {
    Value before = batchesLead ? getBeforeBatchReshape(tensor) : Value();
    if (before && getRank(before) == 4 && tensor.getDefiningOp<tensor::CollapseShapeOp>()) {
      tensor = before;
    } else {
      auto type = cast<RankedTensorType>(tensor.getType());
      SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, loc, tensor), split;
      SmallVector<ReassociationIndices> groups;
      SmallVector<int64_t> shape, next;
      for (int64_t dim = 0; dim < type.getRank(); ++dim) {
        groups.emplace_back();
        for (OpFoldResult size : dim == order[0] ? ArrayRef(batchSizes) : ArrayRef(sizes[dim])) {
          groups.back().push_back(split.size());
          split.push_back(size);
          shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
        }
      }
      tensor = tensor::ExpandShapeOp::create(rewriter, loc, type.clone(shape), tensor, groups, split);
    }
    SmallVector<int64_t> whole{order[0], order[0] + 1};
    for (int64_t dim : ArrayRef(order).drop_front(1))
      whole.push_back(dim > order[0] ? dim + 1 : dim);
    order = whole;
    missing = 0;
  }
  // A transpose before is one with this.
  while (auto copy = getPlainGeneric(tensor, false)) {
    OpOperand *source = getInput(copy, getYielded(copy));
    AffineMap from = source ? copy.getMatchingIndexingMap(source) : AffineMap();
    if (!source || !from.isPermutation())
      break;
    for (int64_t &dim : order)
      dim = *from.getResultPosition(rewriter.getAffineDimExpr(dim));
    tensor = source->get();
  }
  if (!llvm::is_sorted(order)) {
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, loc, tensor), permuted;
    for (int64_t dim : order)
      permuted.push_back(sizes[dim]);
    Value empty = tensor::EmptyOp::create(rewriter, loc, permuted, getElementTypeOrSelf(tensor.getType()));
    auto inverse =
        AffineMap::getPermutationMap(SmallVector<unsigned>(order.begin(), order.end()), rewriter.getContext());
    SmallVector<AffineMap> maps{inversePermutation(inverse), rewriter.getMultiDimIdentityMap(order.size())};
    SmallVector<utils::IteratorType> iterators(order.size(), utils::IteratorType::parallel);
    tensor = linalg::GenericOp::create(rewriter, loc, TypeRange{empty.getType()}, ValueRange{tensor}, ValueRange{empty},
                                       maps, iterators,
                                       [](OpBuilder &builder, Location loc, ValueRange elements) {
                                         linalg::YieldOp::create(builder, loc, elements[0]);
                                       })
                 .getResult(0);
  }
  if (missing > 0) {
    auto type = cast<RankedTensorType>(tensor.getType());
    SmallVector<int64_t> shape(missing, 1);
    llvm::append_range(shape, type.getShape());
    SmallVector<OpFoldResult> sizes(missing, rewriter.getIndexAttr(1));
    llvm::append_range(sizes, tensor::getMixedSizes(rewriter, loc, tensor));
    SmallVector<ReassociationIndices> groups{{}};
    for (int64_t dim = 0; dim < 4; ++dim) {
      if (dim > missing)
        groups.emplace_back();
      groups.back().push_back(dim);
    }
    tensor = tensor::ExpandShapeOp::create(rewriter, loc, type.clone(shape), tensor, groups, sizes);
  }
  return tensor;
}

void Match::rewrite(IRRewriter &rewriter) {
  rewriter.setInsertionPoint(product);
  Location loc = product.getLoc();
  MLIRContext *context = rewriter.getContext();
  if (rank == 4) {
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, loc, exponential->getResult(0));
    batchSizes.assign(sizes.begin(), sizes.begin() + 2);
  }
  Value query = arrange(rewriter, queries, scoreProduct, queryLoops),
        key = arrange(rewriter, keys, scoreProduct, keyLoops);
  Value value = arrange(rewriter, values, product, valueLoops);
  Type type = getElementTypeOrSelf(scoreProduct->getResult(0));

  // What regions read beside the scores, with maps of (b, h, q, k).
  SmallVector<Value> extras;
  SmallVector<AffineMap> maps;
  llvm::DenseMap<std::pair<Operation *, unsigned>, unsigned> numbers;
  for (Step &step : steps)
    for (OpOperand *input : step.op.getDpsInputOperands()) {
      bool used = !step.op.getMatchingBlockArgument(input).use_empty();
      if (input == step.from || !used ||
          (step.op == exponential && isLeading(step.op.getMatchingIndexingMap(input), 1) &&
           input->get().getDefiningOp<linalg::GenericOp>() && getPlainGeneric(input->get(), true) &&
           input->get().hasOneUse()))
        continue;
      SmallVector<AffineExpr> results;
      for (AffineExpr expr : step.op.getMatchingIndexingMap(input).getResults())
        results.push_back(
            getAffineDimExpr(cast<AffineDimExpr>(expr).getPosition() + 4 - step.op.getNumLoops(), context));
      numbers[{step.op, input->getOperandNumber()}] = extras.size();
      extras.push_back(input->get());
      maps.push_back(AffineMap::get(4, 0, results, context));
    }

  Value source = KVSourceOp::create(rewriter, loc, key, value, /*lengths=*/Value(), /*mask=*/Attribute());
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, loc, query);
  sizes.back() = tensor::getMixedSize(rewriter, loc, value, 3);
  Type element = getElementTypeOrSelf(product->getResult(0));
  Value init = tensor::EmptyOp::create(rewriter, loc, sizes, element);
  auto attention = AttentionOp::create(
      rewriter, loc, init.getType(), Type(), NormalizerAttr::get(context, Normalizer::softmax), FloatAttr(), query,
      source, Value(), Value(), extras, init, Value(), rewriter.getAffineMapArrayAttr(maps), UnitAttr(), 0);
  Block &block = attention.getScore().emplaceBlock();
  Value sum = block.addArgument(type, loc);
  for (unsigned index = 0; index < 4; ++index)
    block.addArgument(rewriter.getIndexType(), loc);
  for (Value extra : extras)
    block.addArgument(getElementTypeOrSelf(extra.getType()), loc);
  {
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToEnd(&block);
    Value made = sum;
    for (Step &step : llvm::reverse(steps)) {
      IRMapping mapping;
      for (OpOperand *input : step.op.getDpsInputOperands()) {
        if (input == step.from)
          mapping.map(step.op.getMatchingBlockArgument(input), made);
        else if (auto found = numbers.find({step.op, input->getOperandNumber()}); found != numbers.end())
          mapping.map(step.op.getMatchingBlockArgument(input), block.getArgument(5 + found->second));
      }
      SetVector<Operation *> needed;
      SmallVector<Value> open{step.root};
      while (!open.empty())
        if (Operation *op = open.pop_back_val().getDefiningOp(); op && needed.insert(op))
          llvm::append_range(open, op->getOperands());
      for (Operation *op : needed)
        if (op->getBlock() != step.op.getBlock()) // a constant
          mapping.map(op->getResult(0), rewriter.clone(*op)->getResult(0));
      for (Operation &op : step.op.getBlock()->without_terminator()) {
        if (!needed.contains(&op))
          continue;
        if (auto index = dyn_cast<linalg::IndexOp>(op))
          mapping.map(index.getResult(), block.getArgument(1 + index.getDim() + 4 - step.op.getNumLoops()));
        else
          rewriter.clone(op, mapping);
      }
      made = mapping.lookupOrDefault(step.root);
    }
    YieldOp::create(rewriter, loc, made);
  }

  // Back to the product's batches.
  Value result = attention.getResult();
  auto wanted = cast<RankedTensorType>(product->getResult(0).getType());
  if (int64_t joined = 4 - wanted.getRank()) {
    SmallVector<ReassociationIndices> groups{{}};
    for (int64_t dim = 0; dim < 4; ++dim) {
      if (dim > joined)
        groups.emplace_back();
      groups.back().push_back(dim);
    }
    result = tensor::CollapseShapeOp::create(rewriter, loc, result, groups);
  }
  if (result.getType() != wanted)
    result = tensor::CastOp::create(rewriter, loc, wanted, result);
  rewriter.replaceOp(product, result);
}

class RecognizeAttention : public tenon::impl::RecognizeAttentionBase<RecognizeAttention> {
  void runOnOperation() override {
    if (getOperation()->hasAttr(kUnfusedAttr))
      return;
    IRRewriter rewriter(&getContext());
    SmallVector<linalg::GenericOp> products;
    getOperation()->walk([&](linalg::GenericOp op) {
      if (op.getNumDpsInputs() == 2 && op.getNumReductionLoops() == 1 && isContraction(op))
        products.push_back(op);
    });
    bool changed = false;
    for (linalg::GenericOp product : products)
      for (bool weightsFirst : {true, false})
        if (Match match(product, weightsFirst); match.run()) {
          match.rewrite(rewriter);
          changed = true;
          break;
        }
    if (!changed)
      return;
    // What was taken in is dead, the last first; reshapes to the attention's dims and back meet others.
    getOperation()->walk<WalkOrder::PostOrder, ReverseIterator>([&](Operation *op) {
      if (isOpTriviallyDead(op))
        rewriter.eraseOp(op);
    });
    RewritePatternSet reshapes(&getContext());
    tensor::CollapseShapeOp::getCanonicalizationPatterns(reshapes, &getContext());
    tensor::ExpandShapeOp::getCanonicalizationPatterns(reshapes, &getContext());
    tensor::CastOp::getCanonicalizationPatterns(reshapes, &getContext());
    (void)applyPatternsGreedily(getOperation(), std::move(reshapes));
  }
};

} // namespace
