//===- SliceCopies.cpp - parts of copies along a dim that they leave in place ----------------===//
//
// The padded or phased copy of an image channel by channel: what fills and insertions make, for the channels of one
// unit of work.
//
//===----------------------------------------------------------------------===//
#include "SliceCopies.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

/// The dim of the larger type that `dim` of the smaller one is, where `dropped` are left out.
static int64_t getWithDropped(int64_t dim, const llvm::SmallBitVector &dropped) {
  for (int64_t position = 0;; ++position)
    if (!dropped.test(position) && dim-- == 0)
      return position;
}

static int64_t getWithoutDropped(int64_t dim, const llvm::SmallBitVector &dropped) {
  int64_t before = 0;
  for (int64_t position = 0; position < dim; ++position)
    before += dropped.test(position);
  return dim - before;
}

static bool hasAll(OffsetSizeAndStrideOpInterface op, RankedTensorType of, int64_t dim) {
  return !of.isDynamicDim(dim) && isConstantIntValue(op.getMixedOffsets()[dim], 0) &&
         isConstantIntValue(op.getMixedSizes()[dim], of.getDimSize(dim)) &&
         isConstantIntValue(op.getMixedStrides()[dim], 1);
}

int64_t tenon::findUncollapsed(tensor::CollapseShapeOp view, int64_t dim) {
  if (!view.getSrcType().hasStaticShape())
    return -1;
  int64_t found = -1;
  SmallVector<ReassociationIndices> groups = view.getReassociationIndices();
  for (int64_t from : groups[dim])
    if (view.getSrcType().getDimSize(from) != 1) {
      if (found >= 0)
        return -1;
      found = from;
    }
  return found;
}

/// Whether each element of `op` is computed by itself, from its place alone.
static bool isMadeFromPlaces(linalg::GenericOp op) {
  return op.getNumDpsInputs() == 0 && op->getNumResults() == 1 && op.getNumParallelLoops() == op.getNumLoops() &&
         op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity() &&
         !op.payloadUsesValueFromOperand(op.getDpsInitOperand(0));
}

bool tenon::canSliceCopies(Value value, int64_t dim) {
  Operation *op = value.getDefiningOp();
  if (!op || isa<tensor::EmptyOp>(op))
    return !cast<RankedTensorType>(value.getType()).isDynamicDim(dim);
  if (auto fill = dyn_cast<linalg::FillOp>(op))
    return canSliceCopies(fill.getOutputs()[0], dim);
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return isMadeFromPlaces(generic) && canSliceCopies(generic.getDpsInits()[0], dim);
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
    llvm::SmallBitVector dropped = insert.getDroppedDims();
    return !dropped.test(dim) && hasAll(insert, insert.getDestType(), dim) && canSliceCopies(insert.getDest(), dim) &&
           canSliceCopies(insert.getSource(), getWithoutDropped(dim, dropped));
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    int64_t from = getWithDropped(dim, slice.getDroppedDims());
    return hasAll(slice, slice.getSourceType(), from) && canSliceCopies(slice.getSource(), from);
  }
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    int64_t from = findUncollapsed(collapse, dim);
    return from >= 0 && canSliceCopies(collapse.getSrc(), from);
  }
  return false;
}

void tenon::visitSlicedArguments(Value value, int64_t dim, function_ref<void(BlockArgument, int64_t)> visit) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return visit(argument, dim);
  if (auto insert = value.getDefiningOp<tensor::InsertSliceOp>()) {
    visitSlicedArguments(insert.getDest(), dim, visit);
    visitSlicedArguments(insert.getSource(), getWithoutDropped(dim, insert.getDroppedDims()), visit);
  } else if (auto slice = value.getDefiningOp<tensor::ExtractSliceOp>()) {
    visitSlicedArguments(slice.getSource(), getWithDropped(dim, slice.getDroppedDims()), visit);
  } else if (auto collapse = value.getDefiningOp<tensor::CollapseShapeOp>()) {
    visitSlicedArguments(collapse.getSrc(), findUncollapsed(collapse, dim), visit);
  }
}

/// All of each of the other dims.
static Value sliceOne(OpBuilder &builder, Location loc, Value value, int64_t dim, OpFoldResult offset,
                      OpFoldResult size) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, value);
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0)),
      strides(sizes.size(), builder.getIndexAttr(1));
  offsets[dim] = offset;
  sizes[dim] = size;
  return tensor::ExtractSliceOp::create(builder, loc, value, offsets, sizes, strides);
}

/// `filled`, where given, is what the part's insertions go to.
static Value makePart(OpBuilder &builder, Value value, int64_t dim, OpFoldResult offset, OpFoldResult size,
                      Value filled = {}) {
  Operation *op = value.getDefiningOp();
  Location loc = value.getLoc();
  if (!op)
    return sliceOne(builder, loc, value, dim, offset, size);
  if (auto empty = dyn_cast<tensor::EmptyOp>(op)) {
    SmallVector<OpFoldResult> sizes = empty.getMixedSizes();
    sizes[dim] = size;
    return tensor::EmptyOp::create(builder, loc, sizes, empty.getType().getElementType());
  }
  if (auto fill = dyn_cast<linalg::FillOp>(op)) {
    if (filled)
      return filled;
    Value out = makePart(builder, fill.getOutputs()[0], dim, offset, size);
    return linalg::FillOp::create(builder, loc, fill.getInputs(), ValueRange(out)).getResult(0);
  }
  if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
    Value out = makePart(builder, generic.getDpsInits()[0], dim, offset, size);
    Value first = getValueOrCreateConstantIndexOp(builder, loc, offset);
    auto part = cast<linalg::GenericOp>(mlir::clone(builder, op, TypeRange(out.getType()), ValueRange(out)));
    OpBuilder::InsertionGuard guard(builder);
    for (auto index : llvm::to_vector(part.getBody()->getOps<linalg::IndexOp>()))
      if (static_cast<int64_t>(index.getDim()) == dim) {
        builder.setInsertionPointAfter(index);
        auto place = arith::AddIOp::create(builder, loc, index, first);
        index.getResult().replaceAllUsesExcept(place, place);
      }
    return part.getResult(0);
  }
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
    SmallVector<OpFoldResult> sizes = insert.getMixedSizes();
    sizes[dim] = size;
    Value dest = makePart(builder, insert.getDest(), dim, offset, size, filled);
    Value source = makePart(builder, insert.getSource(), getWithoutDropped(dim, insert.getDroppedDims()), offset, size);
    return tensor::InsertSliceOp::create(builder, loc, source, dest, insert.getMixedOffsets(), sizes,
                                         insert.getMixedStrides());
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    int64_t from = getWithDropped(dim, slice.getDroppedDims());
    SmallVector<OpFoldResult> offsets = slice.getMixedOffsets(), sizes = slice.getMixedSizes();
    Value source = slice.getSource();
    if (source.getDefiningOp())
      source = makePart(builder, source, from, offset, size);
    else
      offsets[from] = offset;
    sizes[from] = size;
    SmallVector<int64_t> shape(slice.getType().getShape());
    shape[dim] = getConstantIntValue(size).value_or(ShapedType::kDynamic);
    return tensor::ExtractSliceOp::create(builder, loc, slice.getType().clone(shape), source, offsets, sizes,
                                          slice.getMixedStrides());
  }
  auto collapse = cast<tensor::CollapseShapeOp>(op);
  int64_t from = tenon::findUncollapsed(collapse, dim);
  Value source = makePart(builder, collapse.getSrc(), from, offset, size, filled);
  return tensor::CollapseShapeOp::create(builder, loc, source, collapse.getReassociationIndices());
}

Value tenon::sliceCopies(OpBuilder &builder, Value value, int64_t dim, OpFoldResult offset, OpFoldResult size) {
  return makePart(builder, value, dim, offset, size);
}

linalg::FillOp tenon::findFill(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto fill = dyn_cast<linalg::FillOp>(op))
      return fill.getOutputs()[0].getDefiningOp<tensor::EmptyOp>() ? fill : linalg::FillOp();
    if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
      value = insert.getDest();
    else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
      value = collapse.getSrc();
    else
      break;
  }
  return nullptr;
}

Value tenon::sliceFill(OpBuilder &builder, Value value, int64_t dim, OpFoldResult size) {
  while (auto collapse = value.getDefiningOp<tensor::CollapseShapeOp>()) {
    dim = findUncollapsed(collapse, dim);
    value = collapse.getSrc();
  }
  return sliceCopies(builder, findFill(value).getResult(0), dim, builder.getIndexAttr(0), size);
}

std::pair<Value, Value> tenon::sliceCopiesInto(OpBuilder &builder, Value filled, Value value, int64_t dim,
                                               OpFoldResult offset, OpFoldResult size) {
  int64_t from = dim; // of what is filled
  SmallVector<tensor::CollapseShapeOp> views;
  for (Value inner = value; auto collapse = inner.getDefiningOp<tensor::CollapseShapeOp>(); inner = collapse.getSrc()) {
    from = tenon::findUncollapsed(collapse, from);
    views.push_back(collapse);
  }
  Location loc = value.getLoc();
  OpFoldResult zero = builder.getIndexAttr(0);
  bool isWhole = tensor::getMixedSize(builder, loc, filled, from) == size;
  Value place = isWhole ? filled : sliceOne(builder, loc, filled, from, zero, size);
  Value copied = views.empty() ? value : views.back().getSrc();
  Value left = makePart(builder, copied, from, offset, size, place);
  if (!isWhole) {
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, left);
    SmallVector<OpFoldResult> offsets(sizes.size(), zero), strides(sizes.size(), builder.getIndexAttr(1));
    left = tensor::InsertSliceOp::create(builder, loc, left, filled, offsets, sizes, strides);
  }
  Value made = left;
  for (tensor::CollapseShapeOp collapse : llvm::reverse(views))
    made = tensor::CollapseShapeOp::create(builder, loc, made, collapse.getReassociationIndices());
  return {made, left};
}
