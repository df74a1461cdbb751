//===- State.cpp - tenon.linear_attention and tenon.recurrence ---------------------------===//
//
// Verifiers and shapes of the family. The numbers of the constraints are those of State.td.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/State.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace tenon;

#include "tenon/Dialect/IR/StateEnums.cpp.inc"

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Whether `type` has this shape, where kDynamic on either side stands for any size.
static bool hasShape(RankedTensorType type, ArrayRef<int64_t> shape) {
  return type.getRank() == static_cast<int64_t>(shape.size()) &&
         llvm::all_of(llvm::zip(type.getShape(), shape), [](auto sizes) {
           auto [a, b] = sizes;
           return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) || a == b;
         });
}

/// The size of dim `dim` of `result`: that of dim `sourceDim` of `source`.
static OpFoldResult sizeOf(OpBuilder &builder, Location loc, Value result, int64_t dim, Value source,
                           int64_t sourceDim) {
  if (!typeOf(result).isDynamicDim(dim))
    return builder.getIndexAttr(typeOf(result).getDimSize(dim));
  return getValueOrCreateConstantIndexOp(builder, loc, tensor::getMixedSize(builder, loc, source, sourceDim));
}

//===----------------------------------------------------------------------===//
// tenon.linear_attention
//===----------------------------------------------------------------------===//

FloatType LinearAttentionOp::getSumType() {
  if (typeOf(getQuery()).getElementType().isF64())
    return Float64Type::get(getContext());
  return Float32Type::get(getContext());
}

LogicalResult LinearAttentionOp::verify() {
  RankedTensorType query = typeOf(getQuery()), keys = typeOf(getKeys()), values = typeOf(getValues());
  RankedTensorType result = typeOf(getResult()), final = typeOf(getFinal());
  if (query.getRank() != 4 || keys.getRank() != 4 || values.getRank() != 4) // (C1)
    return emitOpError("expected query [B, Hq, T, K], keys [B, H, T, K] and values [B, H, T, V], but got ")
           << query << ", " << keys << " and " << values;
  int64_t batch = query.getDimSize(0), queryHeads = query.getDimSize(1), heads = keys.getDimSize(1);
  int64_t tokens = query.getDimSize(2), depth = query.getDimSize(3), width = values.getDimSize(3);
  if (!hasShape(keys, {batch, heads, tokens, depth}) || !hasShape(values, {batch, heads, tokens, width})) // (C1)
    return emitOpError("expected keys and values that agree with the query in B, T and K and with each other in H, "
                       "but got ")
           << query << ", " << keys << " and " << values;
  if (!hasShape(result, {batch, queryHeads, tokens, width})) // (C1)
    return emitOpError("expected a result [B, Hq, T, V] for ") << query << " and " << values << ", but got " << result;
  if (ShapedType::isDynamic(queryHeads) || ShapedType::isDynamic(heads) || heads == 0 ||
      queryHeads % heads != 0) // (C2)
    return emitOpError("expected static head counts, that of 'keys' dividing that of 'query', but got ")
           << keys << " and " << query;
  Type element = query.getElementType(), stateElement = final.getElementType();
  for (auto [name, value] : {std::pair<StringRef, Value>("query", getQuery()),
                             {"keys", getKeys()},
                             {"values", getValues()},
                             {"decay", getDecay()},
                             {"beta", getBeta()},
                             {"the result", getResult()}})
    if (value && (typeOf(value).getElementType() != element || !isa<FloatType>(element))) // (C3)
      return emitOpError("expected one float type of query, keys, values, decay, beta and result, but ")
             << name << " has " << typeOf(value).getElementType() << " and the query " << element;
  if (!isa<FloatType>(stateElement) || (getState() && typeOf(getState()).getElementType() != stateElement)) // (C3)
    return emitOpError("expected one float type of 'state' and 'final', but got ")
           << (getState() ? typeOf(getState()).getElementType() : stateElement) << " and " << stateElement;
  if (isGated() != (getDecay() != nullptr)) // (C4)
    return emitOpError("expected a 'decay' with the rules gated and gated_delta alone, but got ")
           << (getDecay() ? "one" : "none") << " with " << stringifyStateRule(getRule());
  if (getDecay() && !hasShape(typeOf(getDecay()), {batch, heads, tokens}) &&
      !hasShape(typeOf(getDecay()), {batch, heads, tokens, depth})) // (C4)
    return emitOpError("expected 'decay' [B, H, T] or [B, H, T, K] with the sizes of 'keys', ")
           << keys << ", but got " << getDecay().getType();
  if (isDelta() != (getBeta() != nullptr)) // (C5)
    return emitOpError("expected a 'beta' with the rules delta and gated_delta alone, but got ")
           << (getBeta() ? "one" : "none") << " with " << stringifyStateRule(getRule());
  if (getBeta() && !hasShape(typeOf(getBeta()), {batch, heads, tokens})) // (C5)
    return emitOpError("expected 'beta' [B, H, T] with the sizes of 'keys', ")
           << keys << ", but got " << getBeta().getType();
  for (Value state : {getState(), TypedValue<RankedTensorType>(getFinal())})
    if (state && !hasShape(typeOf(state), {batch, heads, depth, width})) // (C6)
      return emitOpError("expected states [B, H, K, V] with the sizes of 'keys' and 'values', ")
             << keys << " and " << values << ", but got " << state.getType();
  if (static_cast<int64_t>(getChunk()) < 1) // (C7)
    return emitOpError("expected 'chunk' of at least 1, but got ") << static_cast<int64_t>(getChunk());
  return success();
}

LogicalResult LinearAttentionOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  auto size = [&](Value result, int64_t dim, Value source, int64_t sourceDim) {
    return sizeOf(builder, getLoc(), result, dim, source, sourceDim);
  };
  Value result = getResult(), final = getFinal();
  shapes.push_back({size(result, 0, getQuery(), 0), size(result, 1, getQuery(), 1), size(result, 2, getQuery(), 2),
                    size(result, 3, getValues(), 3)});
  shapes.push_back({size(final, 0, getKeys(), 0), size(final, 1, getKeys(), 1), size(final, 2, getKeys(), 3),
                    size(final, 3, getValues(), 3)});
  return success();
}

//===----------------------------------------------------------------------===//
// tenon.recurrence
//===----------------------------------------------------------------------===//

LogicalResult RecurrenceOp::verify() {
  if (getInputs().empty()) // (C1)
    return emitOpError("expected at least one input, but got none");
  int64_t steps = ShapedType::kDynamic;
  for (auto [name, operands] : {std::pair<StringRef, OperandRange>("input", getInputs()), {"outs", getOuts()}})
    for (Value operand : operands) {
      RankedTensorType type = typeOf(operand);
      int64_t size = type.getRank() == 0 ? -1 : type.getDimSize(0);
      if (!ShapedType::isDynamic(size) && (size < 0 || (!ShapedType::isDynamic(steps) && size != steps))) // (C1)
        return emitOpError("expected inputs and outs with a first dim of one size, but got ")
               << name << " " << type << (ShapedType::isDynamic(steps) ? "" : " for steps ")
               << (ShapedType::isDynamic(steps) ? "" : std::to_string(steps));
      if (!ShapedType::isDynamic(size))
        steps = size;
    }
  auto ofStep = [](Value value) -> Type {
    return RankedTensorType::get(typeOf(value).getShape().drop_front(), typeOf(value).getElementType());
  };
  auto typesOf = [&](ValueRange perStep) {
    SmallVector<Type> types = llvm::map_to_vector(perStep, ofStep);
    llvm::append_range(types, getStates().getTypes());
    return types;
  };
  Block &block = getCell().front();
  if (!llvm::equal(block.getArgumentTypes(), typesOf(getInputs()))) // (C2)
    return emitOpError("expected a cell with arguments ")
           << typesOf(getInputs()) << ", but got " << SmallVector<Type>(block.getArgumentTypes());
  Operation *yield = block.getTerminator();
  if (!llvm::equal(yield->getOperandTypes(), typesOf(getOuts()))) // (C3)
    return emitOpError("expected a cell that yields ")
           << typesOf(getOuts()) << ", but got " << SmallVector<Type>(yield->getOperandTypes());
  if (Value lengths = getLengths()) {
    if (typeOf(lengths).getRank() != 1 || !typeOf(lengths).getElementType().isSignlessInteger()) // (C4)
      return emitOpError("expected 'lengths' of rank 1 and integers, but got ") << lengths.getType();
    for (Type type : typesOf(getOuts())) {
      auto tensor = cast<RankedTensorType>(type);
      if (tensor.getRank() == 0 || !hasShape(typeOf(lengths), tensor.getShape().take_front())) // (C4)
        return emitOpError("expected states and outputs with the first dim of 'lengths', ")
               << lengths.getType() << ", but got " << tensor;
    }
  }
  SmallVector<Type> results(getOuts().getTypes());
  llvm::append_range(results, getStates().getTypes());
  if (!llvm::equal(getResultTypes(), results)) // (C5)
    return emitOpError("expected results of the types of outs and states, ")
           << results << ", but got " << SmallVector<Type>(getResultTypes());
  return success();
}

LogicalResult RecurrenceOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<Value> sources(getOuts());
  llvm::append_range(sources, getStates());
  for (auto [result, source] : llvm::zip(getResults(), sources)) {
    SmallVector<OpFoldResult> sizes;
    for (int64_t dim = 0; dim < typeOf(result).getRank(); ++dim)
      sizes.push_back(sizeOf(builder, getLoc(), result, dim, source, dim));
    shapes.push_back(sizes);
  }
  return success();
}

#define GET_OP_CLASSES
#include "tenon/Dialect/IR/StateOps.cpp.inc"
