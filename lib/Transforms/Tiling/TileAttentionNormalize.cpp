//===- TileAttentionNormalize.cpp - from scores to weights, and sums of values -------------===//
#include "TileAttention.h"

using namespace mlir;
using namespace tenon;

Value AttentionTiler::weigh(const KeyTile &tile, Value scores, ArrayRef<Value> state, Value out, Weigh body) {
  bool inPlace = scores == out;
  if (tile.entries && op.hasProbability() && readsKeys(op.getProbability().front().front()))
    return forRuns(tile, out, [&](const KeyTile &run, Value offset, Value carried) {
      SmallVector<OpFoldResult> offsets(rowSizes.size(), index(0)), sizes = append(rowSizes, run.columns);
      offsets.push_back(offset);
      Value part = slice(carried, offsets, sizes, 0);
      Value weights = weigh(run, inPlace ? part : slice(scores, offsets, sizes, 0), state, part, body);
      return insert(weights, carried, offsets, sizes);
    });
  unsigned column = rowSizes.size();
  SmallVector<Value> inputs(state), extras;
  SmallVector<AffineMap> maps(
      state.size(), AffineMap::getMultiDimIdentityMap(column + 1, rewriter.getContext()).getMajorSubMap(column));
  if (op.hasProbability())
    for (auto [extra, map] : takeExtras(op.getExtras(), op.getMaps(), tile.first, tile.columns)) {
      inputs.push_back(extra);
      maps.push_back(map);
    }
  if (!inPlace)
    inputs.push_back(scores);
  maps.append(inPlace ? 1 : 2, rewriter.getMultiDimIdentityMap(column + 1));
  SmallVector<utils::IteratorType> iterators(column + 1, utils::IteratorType::parallel);
  auto made = linalg::GenericOp::create(
      rewriter, loc, TypeRange{out.getType()}, inputs, ValueRange{out}, maps, iterators,
      [&](OpBuilder &builder, Location, ValueRange arguments) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(builder.getInsertionBlock());
        SmallVector<Value> values(arguments);
        Value score = values[inPlace ? values.size() - 1 : values.size() - 2];
        Value weight = body(score, ArrayRef(values).take_front(state.size()));
        if (op.hasProbability()) {
          weight = cloneRegion(op.getProbability().front().front(), weight,
                               {batch, headIndex(), queryIndex(), keyIndex(tile.first)},
                               ArrayRef(values).drop_front(state.size()).take_front(op.getExtras().size()));
        }
        if (!elementwise)
          weight = select(isLowest(score), number(0), weight);
        linalg::YieldOp::create(rewriter, loc, weight);
      });
  return made.getResult(0);
}

Value AttentionTiler::normalize(const KeyTile &tile, Value scores) {
  Normalizer normalizer = op.getNormalizer();
  if (normalizer == Normalizer::none && !op.hasProbability())
    return scores;
  return weigh(tile, scores, {}, scores, [&](Value score, ArrayRef<Value>) -> Value {
    if (normalizer == Normalizer::none)
      return score;
    if (normalizer == Normalizer::relu)
      return arith::MaximumFOp::create(rewriter, loc, score, number(0));
    return divf(number(1), addf(number(1), exp(arith::NegFOp::create(rewriter, loc, score).getResult())));
  });
}

AttentionState AttentionTiler::accumulate(const KeyTile &tile, Value weights, AttentionState state) {
  AttentionState next;
  Value scale;
  if (softmax) {
    // In memory of its own: what was the highest is read once more.
    Value highest = foldHighest(weights, copy(state.highest, empty(rowSizes, type)));
    // What was summed under the old highest score; rows that have seen nothing keep their zeros.
    scale =
        generic({state.highest, highest}, empty(rowSizes, type), false, [&](ArrayRef<Value> inputs, Value) -> Value {
          return select(isLowest(inputs[1]), number(1), expBelow(inputs[0], inputs[1]));
        });
    next.highest = copy(highest, state.highest);
    Value before = generic({scale}, state.sum, false,
                           [&](ArrayRef<Value> inputs, Value sum) -> Value { return mulf(sum, inputs[0]); });
    // The weights, in the place of scores, and their sum at once.
    SmallVector<Value> both =
        generic({highest}, {before, weights}, true, [&](ArrayRef<Value> inputs, ArrayRef<Value> outs) {
          Value weight = select(isLowest(inputs[0]), number(0), expBelow(outs[1], inputs[0]));
          return SmallVector<Value>{addf(weight, outs[0]), weight};
        });
    next.sum = both[0];
    weights = both[1];
  }
  next.result = addProduct(tile, weights, scale, state.result);
  return next;
}

Value AttentionTiler::addProduct(const KeyTile &tile, Value weights, Value scale, Value sums) {
  KVSourceOp source = tile.source;
  auto multiply = [&](Value left, Value right, Value scale, Value sums) {
    SmallVector<Value> inputs{
        contract(left, right, /*turned=*/true, /*few=*/false, empty(append(rowSizes, width), type), {}, {}, nullptr)};
    if (scale)
      inputs.push_back(scale);
    return generic(inputs, sums, false, [&](ArrayRef<Value> inputs, Value sum) -> Value {
      Value before = scale ? arith::MulFOp::create(rewriter, loc, sum, inputs[1]).getResult() : sum;
      return arith::AddFOp::create(rewriter, loc, inputs[0], before);
    });
  };
  if (isContiguous(tile))
    return multiply(weights, gather(source.getValues(), tile), scale, sums);
  return byRows(sums.getType(), [&](bool few) {
    if (!readsInPlace(tile, few))
      return multiply(weights, gather(source.getValues(), tile), scale, sums);
    Value scaled = sums;
    if (scale)
      scaled = generic({scale}, sums, false, [&](ArrayRef<Value> inputs, Value sum) -> Value {
        return arith::MulFOp::create(rewriter, loc, sum, inputs[0]);
      });
    return forSegments(tile, scaled, [&](const KeySegment &segment, Value carried) {
      SmallVector<OpFoldResult> offsets(rowSizes.size(), index(0));
      offsets.push_back(segment.offset);
      return multiply(slice(weights, offsets, append(rowSizes, segment.length), 0),
                      take(source.getValues(), tile.group, segment), Value(), carried);
    });
  });
}

Value AttentionTiler::finish(AttentionState state, Value place) {
  SmallVector<Value> inputs{state.result};
  bool divides = softmax && !op.keepsScores(); // several passes have weights that are divided already
  if (divides)
    inputs.push_back(state.sum);
  Type element = getElementTypeOrSelf(place.getType());
  return generic(inputs, place, false, [&](ArrayRef<Value> inputs, Value) -> Value {
    Value result = inputs[0];
    if (divides)
      result = divf(result, select(compare(arith::CmpFPredicate::OEQ, inputs[1], number(0)), number(1), inputs[1]));
    if (element.getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
      return arith::TruncFOp::create(rewriter, loc, element, result);
    if (element != type)
      return arith::ExtFOp::create(rewriter, loc, element, result);
    return result;
  });
}

Value AttentionTiler::finishSum(AttentionState state, Value place) {
  return generic({state.highest, state.sum}, place, false, [&](ArrayRef<Value> inputs, Value) -> Value {
    return select(isLowest(inputs[0]), inputs[0],
                  addf(inputs[0], math::LogOp::create(rewriter, loc, inputs[1]).getResult()));
  });
}
