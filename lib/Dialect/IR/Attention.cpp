//===- Attention.cpp - tenon.kv_source and tenon.attention ------------------------------===//
#include "tenon/Dialect/IR/Masks.h"
#include "tenon/Dialect/IR/Tenon.h"

using namespace mlir;
using namespace tenon;

static ArrayRef<int64_t> getShape(Value value) { return cast<RankedTensorType>(value.getType()).getShape(); }

static bool differ(int64_t a, int64_t b) { return !ShapedType::isDynamic(a) && !ShapedType::isDynamic(b) && a != b; }

LogicalResult KVSourceOp::verify() {
  ArrayRef<int64_t> keys = getShape(getKeys()), values = getShape(getValues());
  if (keys.size() != 4 || values.size() != 4) // (C1)
    return emitOpError("expected keys and values of rank 4, but got ")
           << getKeys().getType() << " and " << getValues().getType();
  for (unsigned dim = 0; dim < 3; ++dim)
    if (differ(keys[dim], values[dim])) // (C2)
      return emitOpError("expected dim ")
             << dim << " of keys and values to agree, but got " << keys[dim] << " and " << values[dim];
  if (getMask() && !isMask(*getMask())) // (C3)
    return emitOpError("expected 'mask' to be a mask, but got ") << *getMask();
  auto isInteger = [](Value value) {
    Type type = getElementTypeOrSelf(value.getType());
    return type.isInteger(32) || type.isInteger(64);
  };
  if (Value pages = getPages()) {
    ArrayRef<int64_t> shape = getShape(pages);
    bool fits = shape.size() == 2 || (shape.size() == 3 && !differ(shape[1], keys[1]));
    if (!fits || !isInteger(pages)) // (C5)
      return emitOpError("expected 'pages' to be [batches, pages] or [batches, ")
             << keys[1] << " heads, pages], of an integer type of 32 or 64 bits, but got " << pages.getType();
  }
  int64_t batches = getShape(getBatched())[0];
  if (Value lengths = getLengths()) {
    ArrayRef<int64_t> shape = getShape(lengths);
    bool fits = (shape.size() == 1 || (shape.size() == 2 && !differ(shape[1], keys[1]))) && !differ(shape[0], batches);
    if (!fits || !isInteger(lengths)) // (C4)
      return emitOpError("expected 'lengths' to be [")
             << batches << " batches] or [" << batches << " batches, " << keys[1]
             << " heads], of an integer type of 32 or 64 bits, but got " << lengths.getType();
  }
  if (Value start = getStart())
    if (getShape(start).size() != 1 || differ(getShape(start)[0], batches) || !isInteger(start)) // (C6)
      return emitOpError("expected 'start' to be [")
             << batches << " batches], of an integer type of 32 or 64 bits, but got " << start.getType();
  return success();
}

KVSourceOp AttentionOp::getSource(unsigned number) { return getSources()[number].getDefiningOp<KVSourceOp>(); }

SmallVector<AffineMap> AttentionOp::getMaps() {
  return llvm::map_to_vector(getExtraMaps(), [](Attribute map) { return cast<AffineMapAttr>(map).getValue(); });
}

static LogicalResult verifySource(AttentionOp op, unsigned number) {
  KVSourceOp source = op.getSource(number);
  if (!source) // (C2)
    return op.emitOpError("expected source ") << number << " to be the result of a tenon.kv_source";
  ArrayRef<int64_t> query = getShape(op.getQuery()), result = getShape(op.getInit());
  ArrayRef<int64_t> keys = getShape(source.getKeys()), values = getShape(source.getValues());
  if (differ(getShape(source.getBatched())[0], query[0]) || differ(keys[3], query[3]) ||
      differ(values[3], result[3])) // (C3)
    return op.emitOpError("expected keys and values of source ")
           << number << " to fit query " << op.getQuery().getType() << " and result " << op.getInit().getType()
           << ", but got " << source.getKeys().getType() << " and " << source.getValues().getType();
  bool known = !ShapedType::isDynamic(keys[1]) && !ShapedType::isDynamic(query[1]);
  if (known && (keys[1] == 0 ? query[1] != 0 : query[1] % keys[1] != 0)) // (C3)
    return op.emitOpError("expected the heads of source ")
           << number << " to divide the query's " << query[1] << ", but got " << keys[1];
  Type key = getElementTypeOrSelf(source.getKeys().getType());
  if (key != getElementTypeOrSelf(op.getQuery().getType()) ||
      !isa<FloatType>(getElementTypeOrSelf(source.getValues().getType()))) // (C4)
    return op.emitOpError("expected keys of the query's element type and values of a float type, but got ")
           << source.getKeys().getType() << " and " << source.getValues().getType();
  return success();
}

static LogicalResult verifyScore(AttentionOp op) {
  Block &block = op.getScore().front();
  Type wanted = Float32Type::get(op.getContext());
  if (getElementTypeOrSelf(op.getQuery().getType()).isF64())
    wanted = Float64Type::get(op.getContext());
  SmallVector<Type> types{wanted};
  types.append(4, IndexType::get(op.getContext()));
  for (Value extra : op.getExtras())
    types.push_back(getElementTypeOrSelf(extra.getType()));
  if (block.getArgumentTypes() != TypeRange(types)) // (C5)
    return op.emitOpError("expected region arguments ") << types << ", but got " << block.getArgumentTypes();
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  if (!yield || yield.getValues().size() != 1 || yield.getValues()[0].getType() != wanted) // (C5)
    return op.emitOpError("expected the region to yield one value of the score's type ") << wanted;
  return success();
}

LogicalResult AttentionOp::verify() {
  ArrayRef<int64_t> query = getShape(getQuery()), init = getShape(getInit());
  if (query.size() != 4 || init.size() != 4 || getResult().getType() != getInit().getType()) // (C1)
    return emitOpError("expected query, init and result of rank 4, but got ")
           << getQuery().getType() << ", " << getInit().getType() << " and " << getResult().getType();
  for (unsigned dim = 0; dim < 3; ++dim)
    if (differ(query[dim], init[dim])) // (C1)
      return emitOpError("expected dim ")
             << dim << " of query and init to agree, but got " << query[dim] << " and " << init[dim];
  if (!isa<FloatType>(getElementTypeOrSelf(getQuery().getType())) ||
      !isa<FloatType>(getElementTypeOrSelf(getInit().getType()))) // (C4)
    return emitOpError("expected query and init of float types, but got ")
           << getQuery().getType() << " and " << getInit().getType();
  if (getSources().empty()) // (C2)
    return emitOpError("expected at least one source, but got none");
  for (unsigned number = 0; number < getSources().size(); ++number)
    if (failed(verifySource(*this, number)))
      return failure();
  if (failed(verifyScore(*this)))
    return failure();
  if (getExtraMaps().size() != getExtras().size()) // (C6)
    return emitOpError("expected one map per extra, ") << getExtras().size() << ", but got " << getExtraMaps().size();
  for (auto [extra, attribute] : llvm::zip(getExtras(), getExtraMaps())) {
    auto map = dyn_cast<AffineMapAttr>(attribute);
    bool good = map && map.getValue().getNumDims() == 4 && map.getValue().getNumSymbols() == 0 &&
                map.getValue().getNumResults() == getShape(extra).size() &&
                map.getValue().isProjectedPermutation(/*allowZeroInResults=*/true);
    if (!good) // (C6)
      return emitOpError("expected the map of an extra to be of (b, h, q, k), with a dim or 0 per dimension of ")
             << extra.getType() << ", but got " << attribute;
  }
  return success();
}

void AttentionOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &) {}
