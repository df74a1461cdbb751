//===- Attention.cpp - tenon.kv_source and tenon.attention ------------------------------===//
#include "tenon/Dialect/IR/Masks.h"
#include "tenon/Dialect/IR/Tenon.h"

using namespace mlir;
using namespace tenon;

static ArrayRef<int64_t> getShape(Value value) { return cast<RankedTensorType>(value.getType()).getShape(); }

static bool differ(int64_t a, int64_t b) { return !ShapedType::isDynamic(a) && !ShapedType::isDynamic(b) && a != b; }

void KVSourceOp::build(OpBuilder &builder, OperationState &state, Value keys, Value values, Value lengths,
                       Attribute mask) {
  build(builder, state, KVSourceType::get(builder.getContext()), keys, values, /*pages=*/Value(), /*start=*/Value(),
        lengths, /*mask_operands=*/ValueRange(), /*mask_maps=*/builder.getArrayAttr({}), /*blocks=*/Value(),
        /*block_weights=*/Value(), /*block_keys=*/1, /*block_queries=*/1, mask, /*predicateCount=*/0);
}

static SmallVector<AffineMap> toMaps(ArrayAttr maps) {
  return llvm::map_to_vector(maps, [](Attribute map) { return cast<AffineMapAttr>(map).getValue(); });
}

SmallVector<AffineMap> KVSourceOp::getMaps() { return toMaps(getMaskMaps()); }

/// Whether `map` reads a tensor of this rank at (b, h, q, k).
static bool isMapOfPairs(Attribute map, Value tensor) {
  auto affine = dyn_cast<AffineMapAttr>(map);
  return affine && affine.getValue().getNumDims() == 4 && affine.getValue().getNumSymbols() == 0 &&
         affine.getValue().getNumResults() == getShape(tensor).size() &&
         affine.getValue().isProjectedPermutation(/*allowZeroInResults=*/true);
}

/// Whether what `map` reads by dim `dim` of (b, h, q, k) has `size` entries, as far as is known.
static bool hasSize(Value tensor, AffineMap map, unsigned dim, int64_t size) {
  for (auto [result, extent] : llvm::zip(map.getResults(), getShape(tensor)))
    if (auto position = dyn_cast<AffineDimExpr>(result); position && position.getPosition() == dim)
      return !differ(extent, size);
  return true;
}

static LogicalResult verifyMaskOperands(KVSourceOp op) {
  OperandRange operands = op.getMaskOperands();
  if (op.getMaskMaps().size() != operands.size()) // (C7)
    return op.emitOpError("expected one map per mask operand, ")
           << operands.size() << ", but got " << op.getMaskMaps().size();
  int64_t keys = getShape(op.getKeys())[2], batches = getShape(op.getBatched())[0];
  if (op.getPages())
    keys = ShapedType::isDynamic(keys) || ShapedType::isDynamic(getShape(op.getPages()).back())
               ? ShapedType::kDynamic
               : keys * getShape(op.getPages()).back();
  for (auto [operand, attribute] : llvm::zip(operands, op.getMaskMaps())) {
    if (!isMapOfPairs(attribute, operand)) // (C7)
      return op.emitOpError(
                 "expected the map of a mask operand to be of (b, h, q, k), with a dim or 0 per dimension of ")
             << operand.getType() << ", but got " << attribute;
    AffineMap map = cast<AffineMapAttr>(attribute).getValue();
    if (!hasSize(operand, map, 0, batches) || !hasSize(operand, map, 3, keys)) // (C7)
      return op.emitOpError("expected mask operands for ")
             << batches << " batches and " << keys << " keys, but got " << operand.getType() << " by " << attribute;
  }
  for (MaskOperand use : getMaskOperands(op.getMask().value_or(Attribute()))) {
    StringRef of = use.ofKeys ? "keys" : "queries";
    bool fits = use.number < operands.size();
    if (fits) {
      Type element = getElementTypeOrSelf(operands[use.number].getType());
      AffineMap map = op.getMaps()[use.number];
      fits = (element.isInteger(32) || element.isInteger(64)) && map.isFunctionOfDim(use.ofKeys ? 3 : 2) &&
             !map.isFunctionOfDim(use.ofKeys ? 2 : 3);
    }
    if (!fits) // (C8)
      return op.emitOpError("expected mask operand ")
             << use.number << " to be integers of 32 or 64 bits for " << of << ", read by these alone, but got "
             << (use.number < operands.size() ? operands[use.number].getType() : Type(NoneType::get(op.getContext())))
             << " among " << operands.size();
  }
  if (!op.hasPredicate())
    return success();
  SmallVector<Type> types(4, IndexType::get(op.getContext()));
  for (Value operand : operands)
    types.push_back(getElementTypeOrSelf(operand.getType()));
  Block &block = op.getPredicate().front().front();
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  if (op.getPredicate().size() != 1 || block.getArgumentTypes() != TypeRange(types) || !yield ||
      yield.getValues().size() != 1 || !yield.getValues()[0].getType().isInteger(1)) // (C9)
    return op.emitOpError("expected 'predicate' with arguments ")
           << types << " to yield one i1, but got arguments " << block.getArgumentTypes();
  return success();
}

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
  Value blocks = getBlocks(), weights = getBlockWeights();
  if (blocks && (getShape(blocks).size() != 4 || differ(getShape(blocks)[0], batches) ||
                 getShape(blocks)[1] == ShapedType::kDynamic || !isInteger(blocks))) // (C10)
    return emitOpError("expected 'blocks' to be [") << batches
                                                    << " batches, heads, lists, entries] with a static number of "
                                                       "heads, of an integer type of 32 or 64 bits, but got "
                                                    << blocks.getType();
  if (weights) {
    ArrayRef<int64_t> shape = getShape(weights), wanted = blocks ? getShape(blocks) : ArrayRef<int64_t>();
    bool fits = shape.size() == wanted.size() && isa<FloatType>(getElementTypeOrSelf(weights.getType()));
    for (auto [size, other] : llvm::zip(shape, wanted))
      fits &= !differ(size, other);
    if (!fits || !blocks) // (C11)
      return emitOpError("expected 'weights' to be floats of the shape of 'blocks', but got ")
             << weights.getType() << " and " << (blocks ? blocks.getType() : Type(NoneType::get(getContext())));
  }
  int64_t blockKeys = getBlockKeys(), blockQueries = getBlockQueries();
  if (std::min(blockKeys, blockQueries) < 1 || (!blocks && std::max(blockKeys, blockQueries) > 1)) // (C12)
    return emitOpError("expected 'keys' and 'queries' of blocks to be at least 1, and 1 without 'blocks', but got ")
           << blockKeys << " and " << blockQueries;
  return verifyMaskOperands(*this);
}

LogicalResult NormalizerOp::verify() {
  Operation *init = getInit().front().getTerminator();
  SmallVector<Type> state(init->getOperandTypes());
  bool good = !state.empty() && isa<FloatType>(state[0]) && llvm::all_equal(state) && getInit().getNumArguments() == 0;
  SmallVector<Type> twice(state), first(state), last(state);
  llvm::append_range(twice, state);
  if (!state.empty()) {
    first.insert(first.begin(), state[0]);
    last.push_back(state[0]);
  }
  auto check = [&](Region &region, ArrayRef<Type> arguments, size_t results) {
    Operation *yield = region.front().getTerminator();
    good &= region.getArgumentTypes() == TypeRange(arguments) && yield->getNumOperands() == results &&
            llvm::all_of(yield->getOperandTypes(), [&](Type type) { return type == state[0]; });
  };
  if (good) {
    check(getUpdate(), last, state.size());
    check(getCombine(), twice, state.size());
    check(getFinish(), first, 1);
  }
  if (!good) // (C1)
    return emitOpError("expected 'update' (state, score), 'combine' (state, state) and 'finish' (score, state) of the "
                       "float type of the state that 'init' yields, but got ")
           << state << ", (" << getUpdate().getArgumentTypes() << "), (" << getCombine().getArgumentTypes() << ") and ("
           << getFinish().getArgumentTypes() << ")";
  return success();
}

NormalizerOp AttentionOp::getRuleOp() { return getRule() ? getRule().getDefiningOp<NormalizerOp>() : NormalizerOp(); }

KVSourceOp AttentionOp::getSource(unsigned number) { return getSources()[number].getDefiningOp<KVSourceOp>(); }

SmallVector<AffineMap> AttentionOp::getMaps() { return toMaps(getExtraMaps()); }

static LogicalResult verifySource(AttentionOp op, unsigned number) {
  KVSourceOp source = op.getSource(number);
  if (!source) // (C2)
    return op.emitOpError("expected source ") << number << " to be the result of a tenon.kv_source";
  ArrayRef<int64_t> query = getShape(op.getQuery()), result = getShape(op.getInit());
  ArrayRef<int64_t> keys = getShape(source.getKeys()), values = getShape(source.getValues());
  if (differ(getShape(source.getBatched())[0], query[0]) || differ(keys[3], query[3]) ||
      differ(values[3], result.back())) // (C3)
    return op.emitOpError("expected keys and values of source ")
           << number << " to fit query " << op.getQuery().getType() << " and result " << op.getInit().getType()
           << ", but got " << source.getKeys().getType() << " and " << source.getValues().getType();
  bool known = !ShapedType::isDynamic(keys[1]) && !ShapedType::isDynamic(query[1]);
  if (known && (keys[1] == 0 ? query[1] != 0 : query[1] % keys[1] != 0)) // (C3)
    return op.emitOpError("expected the heads of source ")
           << number << " to divide the query's " << query[1] << ", but got " << keys[1];
  auto isNarrow = [&](Value value) {
    auto type = dyn_cast<FloatType>(getElementTypeOrSelf(value.getType()));
    return type && type.getWidth() <= op.getScoreType().getIntOrFloatBitWidth();
  };
  if (!isNarrow(source.getKeys()) || !isNarrow(source.getValues())) // (C4)
    return op.emitOpError("expected keys and values of float types no wider than ")
           << op.getScoreType() << ", but got " << source.getKeys().getType() << " and "
           << source.getValues().getType();
  for (auto [operand, map] : llvm::zip(source.getMaskOperands(), source.getMaps()))
    if (!hasSize(operand, map, 1, query[1]) || !hasSize(operand, map, 2, query[2])) // (C12)
      return op.emitOpError("expected mask operands of source ")
             << number << " for " << query[1] << " heads and " << query[2] << " queries, but got " << operand.getType()
             << " by " << AffineMapAttr::get(map);
  if (Value blocks = source.getBlocks()) {
    ArrayRef<int64_t> lists = getShape(blocks);
    bool fits = ShapedType::isDynamic(query[1]) || ShapedType::isDynamic(lists[1]) ||
                (lists[1] == 0 ? query[1] == 0 : query[1] % lists[1] == 0);
    if (!ShapedType::isDynamic(query[2]))
      fits &= !differ(lists[2], llvm::divideCeil(query[2], source.getBlockQueries()));
    fits &= !source.getBlockWeights() || isNarrow(source.getBlockWeights());
    if (!fits) // (C13)
      return op.emitOpError("expected the blocks of source ")
             << number << " to have heads that divide the query's, a list per " << source.getBlockQueries()
             << " queries and weights no wider than " << op.getScoreType() << ", but got " << blocks.getType()
             << " for query " << op.getQuery().getType();
  }
  return success();
}

static LogicalResult verifyBodies(AttentionOp op) {
  Type wanted = Float32Type::get(op.getContext());
  if (getElementTypeOrSelf(op.getQuery().getType()).isF64())
    wanted = Float64Type::get(op.getContext());
  SmallVector<Type> types{wanted};
  types.append(4, IndexType::get(op.getContext()));
  for (Value extra : op.getExtras())
    types.push_back(getElementTypeOrSelf(extra.getType()));
  for (Region &region : op->getRegions()) {
    Block &block = region.front();
    if (block.getArgumentTypes() != TypeRange(types)) // (C5)
      return op.emitOpError("expected region arguments ") << types << ", but got " << block.getArgumentTypes();
    auto yield = dyn_cast<YieldOp>(block.getTerminator());
    if (!yield || yield.getValues().size() != 1 || yield.getValues()[0].getType() != wanted) // (C5)
      return op.emitOpError("expected the region to yield one value of the score's type ") << wanted;
  }
  return success();
}

static LogicalResult verifyNormalizer(AttentionOp op) {
  StringRef name = stringifyNormalizer(op.getNormalizer());
  bool softmax = op.getNormalizer() == Normalizer::softmax;
  if (Value sink = op.getSink()) {
    ArrayRef<int64_t> shape = getShape(sink);
    if (!softmax || shape.size() != 1 || differ(shape[0], getShape(op.getQuery())[1]) ||
        !isa<FloatType>(getElementTypeOrSelf(sink.getType()))) // (C7)
      return op.emitOpError("expected 'sink' to go with softmax and to be [")
             << getShape(op.getQuery())[1] << " heads] of a float type, but got " << name << " and " << sink.getType();
  }
  double alpha = op.getAlpha() ? op.getAlpha()->convertToDouble() : 0;
  if (op.getNormalizer() == Normalizer::entmax ? !(alpha > 1 && alpha <= 2) : op.getAlpha().has_value()) // (C8)
    return op.emitOpError("expected 'alpha' to go with entmax, above 1 and at most 2, but got ")
           << name << " and " << alpha;
  NormalizerOp rule = op.getRuleOp();
  bool fits = rule && rule.getInit().front().getTerminator()->getOperand(0).getType() == op.getScoreType();
  if (op.getNormalizer() == Normalizer::user ? !fits : op.getRule() != nullptr) // (C9)
    return op.emitOpError("expected 'rule', a tenon.normalizer of ")
           << op.getScoreType() << ", where the normalizer is user and nowhere else, but the normalizer is " << name;
  Value lse = op.getLse();
  if (lse || op.getLseInit()) {
    auto result = cast<RankedTensorType>(op.getResult().getType());
    auto wanted = RankedTensorType::get(result.getShape().drop_back(), op.getScoreType());
    if (!softmax || !lse || !op.getLseInit() || lse.getType() != wanted || op.getLseInit().getType() != wanted) // (C10)
      return op.emitOpError("expected 'lse' to go with softmax, with an init and a result of type ")
             << wanted << ", but the normalizer is " << name << " and there is "
             << (lse ? lse.getType() : op.getLseInit().getType());
  }
  if (op.getPartial() && ((softmax ? !lse : !op.isElementwise()) || op.getSink() || op.hasProbability() ||
                          getElementTypeOrSelf(op.getResult().getType()) != op.getScoreType())) // (C11)
    return op.emitOpError("expected 'partial' to go with 'lse' or with sigmoid, relu or none, without 'sink' and "
                          "'probability', and with results of ")
           << op.getScoreType() << ", but got " << name << " and " << op.getResult().getType();
  return success();
}

LogicalResult AttentionOp::verify() {
  ArrayRef<int64_t> query = getShape(getQuery()), init = getShape(getInit());
  if (query.size() != 4 || init.size() != (getPartial() ? 5 : 4) ||
      getResult().getType() != getInit().getType()) // (C1)
    return emitOpError("expected query, init and result of rank 4 (5 for partial results), but got ")
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
  if (failed(verifyBodies(*this)))
    return failure();
  for (unsigned number = 0; number < getSources().size(); ++number)
    if (failed(verifySource(*this, number)))
      return failure();
  if (failed(verifyNormalizer(*this)))
    return failure();
  if (getExtraMaps().size() != getExtras().size()) // (C6)
    return emitOpError("expected one map per extra, ") << getExtras().size() << ", but got " << getExtraMaps().size();
  for (auto [extra, attribute] : llvm::zip(getExtras(), getExtraMaps())) {
    if (!isMapOfPairs(attribute, extra)) // (C6)
      return emitOpError("expected the map of an extra to be of (b, h, q, k), with a dim or 0 per dimension of ")
             << extra.getType() << ", but got " << attribute;
  }
  return success();
}

void AttentionOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &) {}
