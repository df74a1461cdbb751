//===- Experts.cpp - selection, ragged groups and mixtures of experts ----------------===//
//
// Verifiers and shapes of the family. The numbers of the constraints are those of Experts.td.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Experts.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace tenon;

#include "tenon/Dialect/IR/ExpertsEnums.cpp.inc"

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

static bool agree(int64_t a, int64_t b) { return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) || a == b; }

/// Whether `type` has this shape, where kDynamic stands for any size.
static bool hasShape(RankedTensorType type, ArrayRef<int64_t> shape) {
  return type.getRank() == static_cast<int64_t>(shape.size()) &&
         llvm::all_of(llvm::zip(type.getShape(), shape),
                      [](auto sizes) { return agree(std::get<0>(sizes), std::get<1>(sizes)); });
}

static bool isNumber(Type type) { return type.isSignlessInteger() || isa<FloatType>(type); }

/// A shape as errors print it.
static std::string showShape(ArrayRef<int64_t> shape) {
  std::string text = "[";
  llvm::raw_string_ostream stream(text);
  llvm::interleaveComma(shape, stream, [&](int64_t size) {
    if (ShapedType::isDynamic(size))
      stream << "?";
    else
      stream << size;
  });
  return text + "]";
}

/// Sizes that `type` leaves open are those of `source`, which has the same shape.
static OpFoldResult sizeOf(OpBuilder &builder, Location loc, RankedTensorType type, int64_t dim, Value source,
                           int64_t sourceDim) {
  if (!type.isDynamicDim(dim))
    return builder.getIndexAttr(type.getDimSize(dim));
  return getValueOrCreateConstantIndexOp(builder, loc, tensor::getMixedSize(builder, loc, source, sourceDim));
}

static SmallVector<OpFoldResult> sizesLike(OpBuilder &builder, Location loc, Value result, Value source) {
  SmallVector<OpFoldResult> sizes;
  RankedTensorType type = typeOf(result);
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    sizes.push_back(sizeOf(builder, loc, type, dim, source, dim));
  return sizes;
}

//===----------------------------------------------------------------------===//
// tenon.top_k, tenon.sort
//===----------------------------------------------------------------------===//

/// What both say of their axis and their results; along the axis, a top_k may have fewer elements.
template <typename OpTy> static LogicalResult verifySelection(OpTy op, bool fewer) {
  RankedTensorType input = typeOf(op.getInput()), values = typeOf(op.getValues()), indices = typeOf(op.getIndices());
  int64_t axis = op.getAxis();
  if (axis < 0 || axis >= input.getRank()) // top_k_c1, sort_c1
    return op.emitOpError("expected 'axis' to be a dim of ") << input << ", but got " << axis;
  for (RankedTensorType type : {values, indices}) {
    SmallVector<int64_t> wanted(input.getShape());
    if (fewer && type.getRank() == input.getRank() &&
        (ShapedType::isDynamic(wanted[axis]) || type.getDimSize(axis) <= wanted[axis]))
      wanted[axis] = values.getDimSize(axis);
    if (!hasShape(type, wanted)) // top_k_c2, sort_c2
      return op.emitOpError("expected values and indices of the input's shape ")
             << (fewer ? "with at most its size along 'axis', " : "") << showShape(input.getShape()) << ", but got "
             << values << " and " << indices;
  }
  if (!isNumber(input.getElementType()) || values.getElementType() != input.getElementType() ||
      !indices.getElementType().isInteger(64)) // top_k_c3, sort_c3
    return op.emitOpError("expected values of the input's type, a float or integer, and indices of i64, but got ")
           << input.getElementType() << ", " << values.getElementType() << " and " << indices.getElementType();
  return success();
}

LogicalResult TopKOp::verify() {
  if (failed(verifySelection(*this, /*fewer=*/true)))
    return failure();
  bool dynamic = typeOf(getValues()).isDynamicDim(getAxis());
  if (dynamic != (getK() != nullptr)) // (C4)
    return emitOpError("expected ") << (dynamic ? "a" : "no") << " 'k' where the results have size "
                                    << showShape(typeOf(getValues()).getDimSize(getAxis())) << " along 'axis', but got "
                                    << (dynamic ? "none" : "one");
  return success();
}

LogicalResult TopKOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  for (Value result : {getValues(), getIndices()}) {
    shapes.push_back(sizesLike(builder, getLoc(), result, getInput()));
    if (getK())
      shapes.back()[getAxis()] = getK();
  }
  return success();
}

LogicalResult SortOp::verify() { return verifySelection(*this, /*fewer=*/false); }

LogicalResult SortOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  for (Value result : {getValues(), getIndices()})
    shapes.push_back(sizesLike(builder, getLoc(), result, getInput()));
  return success();
}

//===----------------------------------------------------------------------===//
// tenon.segment_reduce
//===----------------------------------------------------------------------===//

LogicalResult SegmentReduceOp::verify() {
  RankedTensorType input = typeOf(getInput()), offsets = typeOf(getOffsets()), result = typeOf(getResult());
  Type element = input.getElementType();
  bool sameShape = input.getRank() > 0 && input.getRank() == result.getRank();
  int64_t rows = sameShape ? result.getDimSize(0) : ShapedType::kDynamic;
  bool integers = offsets.getElementType().isInteger(32) || offsets.getElementType().isInteger(64);
  if (!integers || !hasShape(offsets, ShapedType::isDynamic(rows) ? rows : rows + 1)) // (C1)
    return emitOpError("expected 'offsets' of rank 1 and i32 or i64, with one element more than the result has rows, ")
           << showShape(rows) << ", but got " << offsets;
  if (!sameShape || !hasShape(result.clone(result.getShape().drop_front()), input.getShape().drop_front()) ||
      result.getElementType() != element || !isNumber(element) ||
      (getKind() == SegmentReduction::mean && !isa<FloatType>(element))) // (C2)
    return emitOpError("expected input and result that agree in their type, which fits '")
           << stringifySegmentReduction(getKind()) << "', and in all dims but the first, but got " << input << " and "
           << result;
  return success();
}

LogicalResult SegmentReduceOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  Location loc = getLoc();
  SmallVector<OpFoldResult> sizes = sizesLike(builder, loc, getResult(), getInput());
  if (typeOf(getResult()).isDynamicDim(0)) {
    Value ends = getValueOrCreateConstantIndexOp(builder, loc, tensor::getMixedSize(builder, loc, getOffsets(), 0));
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    sizes[0] = arith::SubIOp::create(builder, loc, ends, one).getResult();
  }
  shapes.push_back(sizes);
  return success();
}

//===----------------------------------------------------------------------===//
// tenon.route
//===----------------------------------------------------------------------===//

/// Of route_c1 to route_c3 what a mixture of experts has too.
template <typename OpTy> static LogicalResult verifyRouting(OpTy op) {
  RankedTensorType logits = typeOf(op.getLogits());
  if (logits.getRank() != 2 || !isa<FloatType>(logits.getElementType())) // route_c1, moe_c4
    return op.emitOpError("expected 'logits' of rank 2 and float elements, but got ") << logits;
  int64_t experts = logits.getDimSize(1);
  if (Value biases = op.getBiases())
    if (!hasShape(typeOf(biases), experts) || typeOf(biases).getElementType() != logits.getElementType()) // route_c1
      return op.emitOpError("expected 'biases' of ")
             << showShape(experts) << " elements of " << logits.getElementType() << ", but got " << biases.getType();
  auto topK = static_cast<int64_t>(op.getTopK()), groups = static_cast<int64_t>(op.getGroups());
  if (topK < 0 || (!ShapedType::isDynamic(experts) && topK > experts)) // route_c2
    return op.emitOpError("expected 'top_k' from 0 to the number of experts, ")
           << showShape(experts) << ", but got " << topK;
  if (topK == 0 && !op.getThresholdAttr()) // route_c2
    return op.emitOpError("expected a 'top_k' or a 'threshold', but got neither");
  if (ShapedType::isDynamic(experts) && (groups != 1 || topK == 0)) // route_c3
    return op.emitOpError("expected a static number of experts with 'groups' ")
           << groups << " and 'top_k' " << topK << ", but got " << logits;
  if (groups < 1 || (groups != 1 && experts % groups != 0)) // route_c3
    return op.emitOpError("expected 'groups' to divide the number of experts, ")
           << showShape(experts) << ", but got " << groups;
  auto kept = static_cast<int64_t>(op.getTopGroups()), top = static_cast<int64_t>(op.getGroupTop());
  if (kept < 1 || kept > groups) // route_c3
    return op.emitOpError("expected 'top_groups' from 1 to 'groups', ") << groups << ", but got " << kept;
  if (top < 1 || (groups > 1 && top > experts / groups)) // route_c3
    return op.emitOpError("expected 'group_top' from 1 to the experts of a group, ")
           << experts / groups << ", but got " << top;
  return success();
}

LogicalResult RouteOp::verify() {
  if (failed(verifyRouting(*this)))
    return failure();
  RankedTensorType offsets = typeOf(getOffsets()), tokens = typeOf(getTokens()), weights = typeOf(getWeights());
  if (offsets.getRank() != 1 || !offsets.getElementType().isInteger(64) || tokens.getRank() != 1 ||
      !tokens.getElementType().isInteger(64) || !hasShape(weights, tokens.getShape()) ||
      weights.getElementType() != typeOf(getLogits()).getElementType()) // (C4)
    return emitOpError("expected offsets and tokens of rank 1 and i64, and weights of the logits' type, but got ")
           << offsets << ", " << tokens << " and " << weights;
  int64_t count = typeOf(getLogits()).getDimSize(0), experts = getNumExperts(), room = getPairsPerToken(*this);
  int64_t pairs = ShapedType::isDynamic(count) ? count : count * room;
  int64_t ends = ShapedType::isDynamic(experts) ? experts : experts + 1;
  if (!hasShape(offsets, ends) || !hasShape(tokens, pairs)) // (C5)
    return emitOpError("expected ") << showShape(ends) << " offsets and room for " << showShape(pairs)
                                    << " pairs, but got " << offsets << " and " << tokens;
  return success();
}

LogicalResult RouteOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  Location loc = getLoc();
  auto arithmetic = [&](int64_t dim, int64_t factor, int64_t term) -> OpFoldResult {
    Value size = getValueOrCreateConstantIndexOp(builder, loc, tensor::getMixedSize(builder, loc, getLogits(), dim));
    auto constant = [&](int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); };
    Value product = builder.createOrFold<arith::MulIOp>(loc, size, constant(factor));
    return builder.createOrFold<arith::AddIOp>(loc, product, constant(term));
  };
  auto known = [&](Value result, auto make) -> SmallVector<OpFoldResult> {
    RankedTensorType type = typeOf(result);
    return {type.isDynamicDim(0) ? make() : OpFoldResult(builder.getIndexAttr(type.getDimSize(0)))};
  };
  shapes.push_back(known(getOffsets(), [&] { return arithmetic(1, 1, 1); }));
  for (Value list : {getTokens(), getWeights()})
    shapes.push_back(known(list, [&] { return arithmetic(0, getPairsPerToken(*this), 0); }));
  return success();
}

//===----------------------------------------------------------------------===//
// tenon.grouped_matmul
//===----------------------------------------------------------------------===//

Value GroupedMatmulOp::getListOperand() {
  return getRows() ? getRows() : getScatter() ? getScatter() : getFactors() ? getFactors() : getInput();
}

FloatType GroupedMatmulOp::getSumType() {
  if (typeOf(getInput()).getElementType().isF64())
    return Float64Type::get(getContext());
  return Float32Type::get(getContext());
}

void GroupedMatmulOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &) {}

LogicalResult GroupedMatmulOp::verify() {
  RankedTensorType input = typeOf(getInput()), weights = typeOf(getWeights()), init = typeOf(getInit());
  auto width = static_cast<int64_t>(getPanels());
  if (width < 0 || (width > 0 && weights.getRank() != 4)) // (C8)
    return emitOpError("expected 'panels' not to be negative, and weights of rank 4 with them, but got ")
           << width << " and " << weights;
  if (input.getRank() != 2 || (width == 0 && weights.getRank() != 3) || init.getRank() != 2 ||
      !agree(input.getDimSize(1), weights.getDimSize(getDepthDim())) ||
      (width == 0 && !agree(init.getDimSize(1), weights.getDimSize(2)))) // (C1)
    return emitOpError("expected input [M, K], weights [E, K, N] and outs [P, N], but got ")
           << input << ", " << weights << " and " << init;
  int64_t panels =
      width == 0 || init.isDynamicDim(1) ? ShapedType::kDynamic : llvm::divideCeil(init.getDimSize(1), width);
  if (width > 0 && (!agree(weights.getDimSize(1), panels) || weights.getDimSize(3) != width)) // (C8)
    return emitOpError("expected weights in ")
           << showShape(panels) << " panels of " << width << " columns, but got " << weights;
  if (!isa<FloatType>(input.getElementType()) || !isa<FloatType>(init.getElementType()) ||
      weights.getElementType() != input.getElementType()) // (C2)
    return emitOpError("expected float elements, of input and weights alike, but got ")
           << input.getElementType() << ", " << weights.getElementType() << " and " << init.getElementType();
  int64_t experts = weights.getDimSize(0);
  int64_t ends = ShapedType::isDynamic(experts) ? experts : experts + 1;
  if (!hasShape(typeOf(getOffsets()), ends) || !typeOf(getOffsets()).getElementType().isInteger(64)) // (C3)
    return emitOpError("expected 'offsets' of ") << showShape(ends) << " i64, but got " << getOffsets().getType();
  for (auto [name, list] : {std::pair("rows", getRows()), std::pair("scatter", getScatter())})
    if (list && (typeOf(list).getRank() != 1 || !typeOf(list).getElementType().isInteger(64))) // (C3)
      return emitOpError("expected '") << name << "' of rank 1 and i64, but got " << list.getType();
  int64_t columns = init.getDimSize(1), any = ShapedType::kDynamic;
  using Part = std::tuple<StringRef, Value, SmallVector<int64_t>>;
  for (auto &[name, value, shape] : {Part("biases", getBiases(), {experts, columns}),
                                     Part("factors", getFactors(), {any, columns}), Part("scales", getScales(), {any})})
    if (value && (!hasShape(typeOf(value), shape) || !isa<FloatType>(typeOf(value).getElementType()) ||
                  typeOf(value).getElementTypeBitWidth() > getSumType().getWidth())) // (C4)
      return emitOpError("expected '") << name << "' of " << showShape(shape) << " floats no wider than "
                                       << getSumType() << ", but got " << value.getType();
  int64_t length = typeOf(getListOperand()).getDimSize(0);
  SmallVector<std::pair<StringRef, Value>> lists{
      {"rows", getRows()}, {"scatter", getScatter()}, {"factors", getFactors()}, {"scales", getScales()}};
  if (!getScatter())
    lists.emplace_back("outs", getInit());
  for (auto [name, list] : lists)
    if (list && !agree(typeOf(list).getDimSize(0), length)) // (C5)
      return emitOpError("expected '") << name << "' of the list's " << length << " entries, but got "
                                       << typeOf(list).getDimSize(0);
  if (getScales() && !getScatter()) // (C6)
    return emitOpError("expected 'scatter' where there are 'scales', but got none");
  if (getResult().getType() != init) // (C7)
    return emitOpError("expected the result to have the type of 'outs', ") << init << ", but got " << getType();
  return success();
}

//===----------------------------------------------------------------------===//
// tenon.moe
//===----------------------------------------------------------------------===//

LogicalResult MoeOp::verify() {
  RankedTensorType tokens = typeOf(getTokens()), logits = typeOf(getLogits());
  if (tokens.getRank() != 2 || !isa<FloatType>(tokens.getElementType()) || getResult().getType() != tokens ||
      logits.getRank() != 2 || !agree(logits.getDimSize(0), tokens.getDimSize(0))) // (C1)
    return emitOpError("expected tokens and result of one type, of rank 2 and floats, and as many rows of logits, ")
           << "but got " << tokens << ", " << getResult().getType() << " and " << logits;
  int64_t experts = logits.getDimSize(1), depth = tokens.getDimSize(1);
  int64_t hidden = typeOf(getUp()).getRank() == 3 ? typeOf(getUp()).getDimSize(2) : ShapedType::kDynamic;
  using Part = std::tuple<StringRef, Value, SmallVector<int64_t>>;
  auto verifyPart = [&](const Part &part) -> LogicalResult {
    auto &[name, value, shape] = part;
    if (value && (!hasShape(typeOf(value), shape) || typeOf(value).getElementType() != tokens.getElementType()))
      return emitOpError("expected '") << name << "' of " << showShape(shape) << " and " << tokens.getElementType()
                                       << ", but got " << value.getType();
    return success();
  };
  for (const Part &part :
       {Part("up", getUp(), {experts, depth, hidden}), Part("down", getDown(), {experts, hidden, depth}),
        Part("gate", getGate(), {experts, depth, hidden})})
    if (failed(verifyPart(part))) // (C2)
      return failure();
  if (!getSharedUp() != !getSharedDown() || (getSharedGate() != nullptr) != (getSharedUp() && getGate())) // (C3)
    return emitOpError("expected 'shared_up' and 'shared_down' together, with 'shared_gate' where there is a 'gate', ")
           << "but got " << (getSharedGate() ? "a" : "no") << " gate, " << (getSharedUp() ? "an" : "no") << " up and "
           << (getSharedDown() ? "a" : "no") << " down";
  if (getSharedUp()) {
    int64_t width = typeOf(getSharedUp()).getRank() == 2 ? typeOf(getSharedUp()).getDimSize(1) : ShapedType::kDynamic;
    for (const Part &part :
         {Part("shared_up", getSharedUp(), {depth, width}), Part("shared_down", getSharedDown(), {width, depth}),
          Part("shared_gate", getSharedGate(), {depth, width})})
      if (failed(verifyPart(part))) // (C3)
        return failure();
  }
  return verifyRouting(*this);
}

LogicalResult MoeOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(sizesLike(builder, getLoc(), getResult(), getTokens()));
  return success();
}

#define GET_OP_CLASSES
#include "tenon/Dialect/IR/ExpertsOps.cpp.inc"
