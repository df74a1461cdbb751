//===- TileAttentionScores.cpp - products of queries and keys, and the score's region ------===//
#include "TileAttention.h"

using namespace mlir;
using namespace tenon;

Value AttentionTiler::byRows(Type type, function_ref<Value(bool few)> body) {
  if (!isFew) {
    int64_t count = 1;
    for (OpFoldResult entry : rowSizes)
      count *= *getConstantIntValue(entry);
    return body(count <= kFewRows);
  }
  auto branch = scf::IfOp::create(rewriter, loc, TypeRange{type}, isFew, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(rewriter);
  for (bool few : {true, false}) {
    rewriter.setInsertionPointToStart(few ? branch.thenBlock() : branch.elseBlock());
    scf::YieldOp::create(rewriter, loc, body(few));
  }
  return branch.getResult(0);
}

Value AttentionTiler::contract(Value left, Value right, bool turned, bool few, Value out, ArrayRef<Value> extras,
                               ArrayRef<AffineMap> extraMaps, Block *region) {
  // Dims: rows, a column, a step.
  MLIRContext *context = rewriter.getContext();
  unsigned column = rowSizes.size(), step = column + 1;
  auto getMap = [&](ArrayRef<unsigned> dims) { return AffineMap::getMultiDimMapWithTargets(step + 1, dims, context); };
  SmallVector<unsigned> leftDims = llvm::to_vector(llvm::seq<unsigned>(0, column)), outDims = leftDims;
  leftDims.push_back(step);
  outDims.push_back(column);
  SmallVector<AffineMap> maps{getMap(leftDims), turned ? getMap({step, column}) : getMap({column, step})};
  llvm::append_range(maps, extraMaps);
  maps.push_back(getMap(outDims));
  SmallVector<Attribute> iterators(column + 1, rewriter.getStringAttr("parallel"));
  iterators.push_back(rewriter.getStringAttr("reduction"));
  auto made = TileContractOp::create(rewriter, loc, out.getType(), left, right, extras, out,
                                     rewriter.getAffineMapArrayAttr(maps), rewriter.getArrayAttr(iterators));
  // Few rows: sums along the steps where those are what lies contiguous.
  int64_t lanes = schedule.getRegister_()[3], width = schedule.getVectorWidth();
  bool dot = few && !turned;
  SmallVector<int64_t> tile{schedule.getRegister_()[2]};
  if (hasHeads())
    tile.insert(tile.begin(), schedule.getRegister_()[1]);
  if (dot) {
    tile = SmallVector<int64_t>(column, 1);
    tile.front() = std::min<int64_t>(getConstantIntValue(rowSizes.front()).value_or(1), kFewRows);
  }
  // Keys that few rows read come from memory as one stream: key by key.
  tile.append(dot ? std::initializer_list<int64_t>{1, width} : std::initializer_list<int64_t>{lanes, 1});
  made.setRegister_(tile);
  made.setVectorDim(dot ? step : column);
  made.setVectorWidth(width);
  if (!dot && !turned)
    made.setPack({1});
  Block &epilogue = made.getEpilogue().emplaceBlock();
  Value sum = epilogue.addArgument(type, loc);
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(&epilogue);
  if (!region) {
    YieldOp::create(rewriter, loc, sum);
    return made.getResult();
  }
  SmallVector<Value> arguments{sum};
  for (Value extra : extras)
    arguments.push_back(epilogue.addArgument(getElementTypeOrSelf(extra.getType()), loc));
  YieldOp::create(rewriter, loc, cloneRegion(*region, sum, {}, ArrayRef(arguments).drop_front()));
  return made.getResult();
}

Value AttentionTiler::cloneRegion(Block &region, Value value, ArrayRef<Value> indices, ArrayRef<Value> extras) {
  IRMapping mapping;
  mapping.map(region.getArgument(0), value);
  for (auto [argument, index] : llvm::zip(region.getArguments().drop_front(1), indices))
    mapping.map(argument, index);
  for (auto [argument, extra] : llvm::zip(region.getArguments().drop_front(5), extras))
    mapping.map(argument, extra);
  for (Operation &inner : region.without_terminator())
    rewriter.clone(inner, mapping);
  return mapping.lookupOrDefault(region.getTerminator()->getOperand(0));
}

Value AttentionTiler::makeScores(const KeyTile &tile, Value out) {
  KVSourceOp source = tile.source;
  Value scores = byRows(out.getType(), [&](bool few) {
    if (isContiguous(tile))
      return makeScores(gather(source.getKeys(), tile), tile.first, tile.columns, few, out);
    // Many rows pay for keys that lie together; few read them where they are.
    if (readsInPlace(tile, few))
      return forSegments(tile, out, [&](const KeySegment &segment, Value scores) {
        SmallVector<OpFoldResult> offsets(rowSizes.size(), index(0)), sizes = append(rowSizes, segment.length);
        offsets.push_back(segment.offset);
        Value part = makeScores(take(source.getKeys(), tile.group, segment), segment.key, segment.length, few,
                                slice(scores, offsets, sizes, 0));
        return insert(part, scores, offsets, sizes);
      });
    Value keys = gather(source.getKeys(), tile);
    if (!tile.entries || !readsKeys(op.getScore().front()))
      return makeScores(keys, tile.first, tile.columns, few, out);
    // Extras and numbers of keys are neighbours within a run alone.
    return mapRuns(tile, contract(query, keys, /*turned=*/false, few, out, {}, {}, nullptr),
                   [&](const KeyTile &run, Value part) { return runScore(part, run.first, run.columns); });
  });
  if (!source.getBlockWeights())
    return scores;
  return mapRuns(tile, scores, [&](const KeyTile &run, Value part) {
    return generic({}, part, false, [&](ArrayRef<Value>, Value score) { return addf(score, run.weight); });
  });
}

bool AttentionTiler::readsKeys(Block &region) {
  auto reads = [](AffineMap map) { return map.isFunctionOfDim(3); };
  return !region.getArgument(4).use_empty() || llvm::any_of(op.getMaps(), reads);
}

SmallVector<std::pair<Value, AffineMap>> AttentionTiler::takeExtras(ValueRange tensors, ArrayRef<AffineMap> wanted,
                                                                    Value first, OpFoldResult columns) {
  unsigned column = rowSizes.size();
  SmallVector<std::pair<Value, AffineMap>> taken;
  for (auto [extra, map] : llvm::zip(tensors, wanted)) {
    SmallVector<OpFoldResult> offsets, sizes, ones(map.getNumResults(), index(1));
    SmallVector<int64_t> shape;
    SmallVector<unsigned> dims;
    for (AffineExpr expr : map.getResults()) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      unsigned position = dim ? dim.getPosition() : 0;
      bool kept = dim && position >= (hasHeads() ? 1 : 2);
      offsets.push_back(!dim            ? index(0)
                        : position == 0 ? OpFoldResult(batch)
                        : position == 1 ? OpFoldResult(head)
                        : position == 2 ? OpFoldResult(firstRow)
                                        : OpFoldResult(first));
      sizes.push_back(!kept ? index(1) : position == 1 ? rowSizes.front() : position == 2 ? rows : columns);
      if (!kept)
        continue;
      shape.push_back(getConstantIntValue(sizes.back()).value_or(ShapedType::kDynamic));
      dims.push_back(column - 3 + position);
    }
    auto result = RankedTensorType::get(shape, getElementTypeOrSelf(extra.getType()));
    Value part = tensor::ExtractSliceOp::create(rewriter, loc, result, extra, offsets, sizes, ones);
    taken.emplace_back(part, AffineMap::getMultiDimMapWithTargets(column + 1, dims, rewriter.getContext()));
  }
  return taken;
}

Value AttentionTiler::overPairs(ArrayRef<Value> inputs, ArrayRef<AffineMap> maps, Value out, Body body) {
  SmallVector<AffineMap> all(maps);
  all.push_back(rewriter.getMultiDimIdentityMap(rowSizes.size() + 1));
  SmallVector<utils::IteratorType> iterators(rowSizes.size() + 1, utils::IteratorType::parallel);
  auto made = linalg::GenericOp::create(rewriter, loc, TypeRange{out.getType()}, inputs, ValueRange{out}, all,
                                        iterators, [&](OpBuilder &builder, Location, ValueRange arguments) {
                                          OpBuilder::InsertionGuard guard(rewriter);
                                          rewriter.setInsertionPointToEnd(builder.getInsertionBlock());
                                          SmallVector<Value> values(arguments);
                                          Value result = body(ArrayRef(values).drop_back(), values.back());
                                          linalg::YieldOp::create(rewriter, loc, result);
                                        });
  return made.getResult(0);
}

Value AttentionTiler::makeScores(Value keys, Value first, OpFoldResult columns, bool few, Value out) {
  Block &region = op.getScore().front();
  bool indexed = false;
  for (unsigned number = 0; number < 4; ++number)
    indexed |= !region.getArgument(1 + number).use_empty();
  if (indexed)
    return runScore(contract(query, keys, /*turned=*/false, few, out, {}, {}, nullptr), first, columns);
  SmallVector<Value> extras;
  SmallVector<AffineMap> maps;
  for (auto [extra, map] : takeExtras(op.getExtras(), op.getMaps(), first, columns)) {
    extras.push_back(extra);
    maps.push_back(AffineMap::get(rowSizes.size() + 2, 0, map.getResults(), rewriter.getContext())); // a step more
  }
  return contract(query, keys, /*turned=*/false, few, out, extras, maps, &region);
}

Value AttentionTiler::runScore(Value scores, Value first, OpFoldResult columns) {
  SmallVector<Value> extras;
  SmallVector<AffineMap> maps;
  for (auto [extra, map] : takeExtras(op.getExtras(), op.getMaps(), first, columns)) {
    extras.push_back(extra);
    maps.push_back(map);
  }
  return overPairs(extras, maps, scores, [&](ArrayRef<Value> inputs, Value score) {
    return cloneRegion(op.getScore().front(), score, {batch, headIndex(), queryIndex(), keyIndex(first)}, inputs);
  });
}
