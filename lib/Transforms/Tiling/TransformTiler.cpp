//===- TransformTiler.cpp - what the tiling of all transforms of images has in common ---------===//
#include "TransformTiler.h"

using namespace mlir;
using namespace tenon;

OpFoldResult TransformTiler::apply(AffineExpr expr, ArrayRef<OpFoldResult> operands) {
  return affine::makeComposedFoldedAffineApply(rewriter, loc, AffineMap::get(0, operands.size(), expr), operands);
}

OpFoldResult TransformTiler::least(ArrayRef<AffineExpr> exprs, ArrayRef<OpFoldResult> operands) {
  return affine::makeComposedFoldedAffineMin(
      rewriter, loc, AffineMap::get(0, operands.size(), exprs, rewriter.getContext()), operands);
}

OpFoldResult TransformTiler::most(ArrayRef<AffineExpr> exprs, ArrayRef<OpFoldResult> operands) {
  return affine::makeComposedFoldedAffineMax(
      rewriter, loc, AffineMap::get(0, operands.size(), exprs, rewriter.getContext()), operands);
}

Value TransformTiler::zeros(const Sizes &sizes) {
  Value zero = arith::ConstantOp::create(rewriter, loc, rewriter.getF32FloatAttr(0));
  return linalg::FillOp::create(rewriter, loc, ValueRange{zero}, ValueRange{empty(sizes)}).getResult(0);
}

Value TransformTiler::sliceImage(Value images, const Sizes &offsets, OpFoldResult channels, OpFoldResult rows,
                                 OpFoldResult columns) {
  auto known = [](OpFoldResult size) { return getConstantIntValue(size).value_or(ShapedType::kDynamic); };
  auto type = RankedTensorType::get({known(channels), known(rows), known(columns)}, f32);
  return tensor::ExtractSliceOp::create(rewriter, loc, type, images, offsets, Sizes{index(1), channels, rows, columns},
                                        ones(4));
}

Value TransformTiler::copy(Value from, Value to, AffineMap fromMap) {
  unsigned rank = fromMap.getNumDims();
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      rewriter, loc, TypeRange{to.getType()}, ValueRange{from}, ValueRange{to},
      ArrayRef<AffineMap>{fromMap, rewriter.getMultiDimIdentityMap(rank)}, iterators,
      [](OpBuilder &b, Location loc, ValueRange args) { linalg::YieldOp::create(b, loc, args[0]); });
  return generic.getResult(0);
}

OpFoldResult TransformTiler::getPart(OpFoldResult total, int64_t step, Value from) {
  auto known = getConstantIntValue(total);
  if (known && *known % step == 0)
    return index(step);
  if (known && *known < step)
    return index(*known);
  return least({rewriter.getAffineConstantExpr(step), sym(0) - sym(1)}, {total, from});
}

static Operation *getLast(Operation *op, ArrayRef<linalg::LinalgOp> chain) {
  return chain.empty() ? op : linalg::LinalgOp(chain.back()).getOperation();
}

Value TransformTiler::begin(Operation *op, ArrayRef<linalg::LinalgOp> chain) {
  Operation *last = getLast(op, chain);
  rewriter.setInsertionPoint(last);
  return cast<DestinationStyleOpInterface>(last).getDpsInitOperand(0)->get();
}

LogicalResult TransformTiler::finish(scf::ForallOp forall, Operation *op, ArrayRef<linalg::LinalgOp> chain, Value image,
                                     Sizes offsets, Sizes sizes) {
  Operation *last = getLast(op, chain);
  Value destination = forall.getRegionIterArgs()[0], whole = op->getResult(0);
  // The result of one sample comes without its dim.
  unsigned rank = cast<RankedTensorType>(destination.getType()).getRank(), one = 4 - rank;
  offsets.erase(offsets.begin(), offsets.begin() + one);
  sizes.erase(sizes.begin(), sizes.begin() + one);
  Value result = copy(image, chain.empty() ? slice(destination, offsets, sizes) : empty(sizes),
                      map({dim(2 - one), dim(3 - one), dim(1 - one)}, rank));
  for (linalg::LinalgOp step : chain) {
    FailureOr<TilingResult> tiled =
        cast<TilingInterface>(step.getOperation()).getTiledImplementation(rewriter, offsets, sizes);
    if (failed(tiled))
      return step.emitError("cannot be tiled behind a convolution");
    auto made = cast<linalg::LinalgOp>(tiled->tiledOps.front());
    for (OpOperand &operand : made->getOpOperands()) {
      auto part = operand.get().getDefiningOp<tensor::ExtractSliceOp>();
      if (part && part.getSource() == whole)
        operand.set(result);
    }
    OpOperand *to = made.getDpsInitOperand(0);
    rewriter.setInsertionPoint(made);
    to->set(step == chain.back() ? slice(destination, offsets, sizes) : empty(sizes));
    made->getResult(0).setType(to->get().getType());
    rewriter.setInsertionPointAfter(made);
    result = made->getResult(0);
    whole = step->getResult(0);
  }
  rewriter.setInsertionPointToEnd(forall.getTerminator().getBody());
  tensor::ParallelInsertSliceOp::create(rewriter, loc, result, destination, offsets, sizes, ones(sizes.size()));
  rewriter.replaceOp(last, forall.getResults());
  return success();
}

SmallVector<func::FuncOp> tenon::findTransformKernels(ModuleOp module, StringRef algorithm) {
  SmallVector<func::FuncOp> kernels;
  for (auto kernel : module.getOps<func::FuncOp>()) {
    auto schedule = kernel->getAttrOfType<ScheduleAttr>(kScheduleAttr);
    if (kernel->hasAttr(kKernelAttr) && schedule && schedule.getAlgorithm() == algorithm)
      kernels.push_back(kernel);
  }
  return kernels;
}

SmallVector<linalg::LinalgOp> tenon::findChain(Operation *op) {
  SmallVector<linalg::LinalgOp> chain;
  for (Operation &next : llvm::make_range(std::next(op->getIterator()), op->getBlock()->end()))
    if (auto step = dyn_cast<linalg::LinalgOp>(next); step && !isa<linalg::FillOp>(next))
      chain.push_back(step);
  return chain;
}

void tenon::eraseDead(IRRewriter &rewriter, func::FuncOp kernel) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(kernel.getBody().front())))
    if (isOpTriviallyDead(&op))
      rewriter.eraseOp(&op);
}
