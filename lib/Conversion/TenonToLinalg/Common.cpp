//===- Common.cpp - building blocks of the convolution family's lowering ---------------===//
#include "Common.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::tolinalg;

OpFoldResult TensorBuilder::apply(AffineExpr expr, ArrayRef<OpFoldResult> operands) {
  return affine::makeComposedFoldedAffineApply(b, loc, expr, operands);
}

OpFoldResult TensorBuilder::max(OpFoldResult x, int64_t least) {
  return affine::makeComposedFoldedAffineMax(
      b, loc, AffineMap::get(0, 1, {sym(0), b.getAffineConstantExpr(least)}, b.getContext()), {x});
}

OpFoldResult TensorBuilder::min(OpFoldResult x, OpFoldResult y) {
  return affine::makeComposedFoldedAffineMin(b, loc, AffineMap::get(0, 2, {sym(0), sym(1)}, b.getContext()), {x, y});
}

OpFoldResult TensorBuilder::product(ArrayRef<OpFoldResult> sizes) {
  OpFoldResult result = index(1);
  for (OpFoldResult size : sizes)
    result = known(result) && *known(result) == 1 ? size : apply(sym(0) * sym(1), {result, size});
  return result;
}

Value TensorBuilder::constant(Type type, double value) {
  if (auto floatType = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(floatType, value));
  return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, static_cast<int64_t>(value)));
}

Value TensorBuilder::empty(ArrayRef<OpFoldResult> sizes, Type element) {
  return tensor::EmptyOp::create(b, loc, sizes, element);
}

Value TensorBuilder::filled(ArrayRef<OpFoldResult> sizes, Value scalar) {
  return linalg::FillOp::create(b, loc, scalar, empty(sizes, scalar.getType())).getResult(0);
}

Value TensorBuilder::elementwise(ArrayRef<OpFoldResult> sizes, Type element, ValueRange inputs,
                                 ArrayRef<AffineMap> maps, Body body) {
  Value out = empty(sizes, element);
  SmallVector<AffineMap> allMaps(maps);
  allMaps.push_back(b.getMultiDimIdentityMap(sizes.size()));
  SmallVector<utils::IteratorType> iterators(sizes.size(), utils::IteratorType::parallel);
  auto op =
      linalg::GenericOp::create(b, loc, out.getType(), inputs, out, allMaps, iterators,
                                [&](OpBuilder &nested, Location nestedLoc, ValueRange args) {
                                  linalg::YieldOp::create(nested, nestedLoc, body(nested, nestedLoc, args.drop_back()));
                                });
  return op.getResult(0);
}

Value TensorBuilder::contract(Value lhs, Value rhs, ArrayRef<AffineMap> maps, ArrayRef<OpFoldResult> sizes) {
  Value sums = filled(sizes, constant(cast<ShapedType>(lhs.getType()).getElementType(), 0));
  SmallVector<utils::IteratorType> iterators(sizes.size(), utils::IteratorType::parallel);
  iterators.push_back(utils::IteratorType::reduction);
  auto op = linalg::GenericOp::create(b, loc, sums.getType(), ValueRange{lhs, rhs}, sums, maps, iterators,
                                      [](OpBuilder &nested, Location nestedLoc, ValueRange args) {
                                        Value product = arith::MulFOp::create(nested, nestedLoc, args[0], args[1]);
                                        Value sum = arith::AddFOp::create(nested, nestedLoc, args[2], product);
                                        linalg::YieldOp::create(nested, nestedLoc, sum);
                                      });
  return op.getResult(0);
}

Value TensorBuilder::addBias(Value image, Value bias) {
  if (!bias)
    return image;
  Sizes sizes = sizesOf(image);
  unsigned rank = sizes.size();
  SmallVector<AffineMap> reads{b.getMultiDimIdentityMap(rank),
                               AffineMap::get(rank, 0, {dim(rank - 3)}, b.getContext())};
  Type element = cast<ShapedType>(image.getType()).getElementType();
  return elementwise(sizes, element, {image, bias}, reads, [](OpBuilder &nested, Location nestedLoc, ValueRange args) {
    return arith::AddFOp::create(nested, nestedLoc, args[0], args[1]).getResult();
  });
}

Value TensorBuilder::transpose(Value tensor, ArrayRef<int64_t> order) {
  Sizes from = sizesOf(tensor), sizes;
  SmallVector<AffineExpr> source(order.size());
  for (auto [position, old] : llvm::enumerate(order)) {
    sizes.push_back(from[old]);
    source[old] = dim(position);
  }
  if (llvm::is_sorted(order))
    return tensor;
  return elementwise(sizes, cast<ShapedType>(tensor.getType()).getElementType(), tensor,
                     AffineMap::get(order.size(), 0, source, b.getContext()),
                     [](OpBuilder &, Location, ValueRange args) { return args[0]; });
}

Value TensorBuilder::collapse(Value tensor, ArrayRef<ReassociationIndices> groups) {
  if (static_cast<int64_t>(groups.size()) == cast<ShapedType>(tensor.getType()).getRank())
    return tensor;
  return tensor::CollapseShapeOp::create(b, loc, tensor, groups);
}

Value TensorBuilder::expand(Value tensor, ArrayRef<ReassociationIndices> groups, ArrayRef<OpFoldResult> sizes) {
  if (groups.size() == sizes.size())
    return tensor;
  SmallVector<int64_t> shape;
  for (OpFoldResult size : sizes)
    shape.push_back(known(size).value_or(ShapedType::kDynamic));
  // The op wants to know statically what its operand's static sizes tell.
  auto source = cast<RankedTensorType>(tensor.getType());
  SmallVector<int64_t> sourceShape(source.getShape());
  for (auto [position, group] : llvm::enumerate(groups)) {
    int64_t count = 1;
    for (int64_t i : group)
      count = ShapedType::isDynamic(shape[i]) || ShapedType::isDynamic(count) ? ShapedType::kDynamic : count * shape[i];
    sourceShape[position] = count;
  }
  Value operand = castTo(tensor, source.clone(sourceShape));
  return tensor::ExpandShapeOp::create(b, loc, source.clone(shape), operand, groups, sizes);
}

Value TensorBuilder::dropUnitDim(Value tensor, int64_t position) {
  int64_t rank = cast<ShapedType>(tensor.getType()).getRank();
  SmallVector<ReassociationIndices> groups;
  for (int64_t i = 0; i < rank; ++i) {
    bool joins = (i == position && i > 0) || (i == 1 && position == 0);
    if (joins)
      groups.back().push_back(i);
    else
      groups.push_back({i});
  }
  if (rank == 1)
    groups.clear();
  return tensor::CollapseShapeOp::create(b, loc, tensor, groups);
}

Value TensorBuilder::window(Value tensor, ArrayRef<int64_t> low, ArrayRef<int64_t> high, Value padding) {
  Sizes ends;
  for (int64_t end : high)
    ends.push_back(index(end));
  return window(tensor, low, ends, padding);
}

Value TensorBuilder::window(Value tensor, ArrayRef<int64_t> low, ArrayRef<OpFoldResult> high, Value padding) {
  Sizes sizes = sizesOf(tensor), offsets, kept, before, after;
  bool crops = false, pads = false;
  for (auto [size, lowPad, highPad] : llvm::zip(sizes, low, high)) {
    std::optional<int64_t> end = known(highPad);
    if (lowPad >= 0 && end && *end >= 0) { // nothing is cropped
      offsets.push_back(index(0));
      kept.push_back(size);
      before.push_back(index(lowPad));
      after.push_back(highPad);
      pads |= lowPad > 0 || *end > 0;
      continue;
    }
    OpFoldResult total = max(apply(sym(0) + sym(1) + lowPad, {size, highPad}), 0);
    OpFoldResult start = min(index(std::max<int64_t>(0, -lowPad)), size);
    OpFoldResult padBefore = min(index(std::max<int64_t>(0, lowPad)), total);
    // What is left of the source after its start, and of the result after its padding.
    OpFoldResult count = min(apply(sym(0) - sym(1), {size, start}), apply(sym(0) - sym(1), {total, padBefore}));
    offsets.push_back(start);
    kept.push_back(count);
    before.push_back(padBefore);
    after.push_back(apply(sym(0) - sym(1) - sym(2), {total, padBefore, count}));
    crops = true;
    pads |= known(padBefore) != 0 || known(after.back()) != 0;
  }
  if (llvm::any_of(kept, [](OpFoldResult size) { return known(size) == 0; })) { // nothing is left of the source
    Sizes total;
    for (auto [start, count, end] : llvm::zip(before, kept, after))
      total.push_back(apply(sym(0) + sym(1) + sym(2), {start, count, end}));
    return filled(total, padding);
  }
  if (crops)
    tensor = slice(tensor, offsets, kept, SmallVector<int64_t>(sizes.size(), 1));
  if (pads)
    tensor = tensor::PadOp::create(b, loc, Type(), tensor, before, after, padding);
  return tensor;
}

Value TensorBuilder::slice(Value tensor, ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes,
                           ArrayRef<int64_t> strides) {
  // Offsets into empty tensors are out of bounds to the verifier, even 0.
  if (llvm::any_of(sizes, [](OpFoldResult size) { return known(size) == 0; }))
    return empty(sizes, cast<ShapedType>(tensor.getType()).getElementType());
  SmallVector<OpFoldResult> steps;
  for (int64_t stride : strides)
    steps.push_back(index(stride));
  return b.createOrFold<tensor::ExtractSliceOp>(loc, tensor, offsets, sizes, steps);
}

Value TensorBuilder::castTo(Value tensor, Type type) {
  return tensor.getType() == type ? tensor : tensor::CastOp::create(b, loc, type, tensor);
}

Value TensorBuilder::convert(Value scalar, Type type) {
  Type from = scalar.getType();
  if (from == type)
    return scalar;
  bool wider = type.getIntOrFloatBitWidth() > from.getIntOrFloatBitWidth();
  if (isa<FloatType>(from) && isa<FloatType>(type)) {
    if (type.getIntOrFloatBitWidth() == from.getIntOrFloatBitWidth()) // f16 <-> bf16
      return convert(convert(scalar, b.getF32Type()), type);
    return wider ? arith::ExtFOp::create(b, loc, type, scalar).getResult()
                 : arith::TruncFOp::create(b, loc, type, scalar).getResult();
  }
  if (isa<FloatType>(type))
    return arith::SIToFPOp::create(b, loc, type, scalar);
  if (isa<FloatType>(from))
    return arith::FPToSIOp::create(b, loc, type, scalar);
  return wider ? arith::ExtSIOp::create(b, loc, type, scalar).getResult()
               : arith::TruncIOp::create(b, loc, type, scalar).getResult();
}

Sizes tenon::tolinalg::resultSizes(OpBuilder &b, Operation *op, unsigned number) {
  ReifiedRankedShapedTypeDims shapes;
  LogicalResult known = cast<ReifyRankedShapedTypeOpInterface>(op).reifyResultShapes(b, shapes);
  (void)known; // all three ops reify
  Sizes sizes = shapes[number];
  for (OpFoldResult &size : sizes)
    if (std::optional<int64_t> value = getConstantIntValue(size))
      size = b.getIndexAttr(*value);
  return sizes;
}
