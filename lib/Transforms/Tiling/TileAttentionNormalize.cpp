//===- TileAttentionNormalize.cpp - from scores to weights, and sums of values -------------===//
#include "TileAttention.h"

using namespace mlir;
using namespace tenon;

Value AttentionTiler::normalize(Value scores) {
  if (op.getNormalizer() == Normalizer::none)
    return scores;
  return generic({}, scores, false, [&](ArrayRef<Value>, Value score) -> Value {
    if (op.getNormalizer() == Normalizer::relu)
      return arith::MaximumFOp::create(rewriter, loc, score, number(0));
    Value power = math::ExpOp::create(rewriter, loc, arith::NegFOp::create(rewriter, loc, score).getResult());
    return arith::DivFOp::create(rewriter, loc, number(1),
                                 arith::AddFOp::create(rewriter, loc, number(1), power).getResult());
  });
}

AttentionState AttentionTiler::accumulate(const KeyTile &tile, Value weights, AttentionState state) {
  AttentionState next;
  Value scale;
  if (softmax) {
    // In memory of its own: what was the highest is read once more.
    Value highest = copy(state.highest, empty(rowSizes, type));
    highest = generic({weights}, highest, true, [&](ArrayRef<Value> inputs, Value before) -> Value {
      return arith::MaximumFOp::create(rewriter, loc, inputs[0], before);
    });
    // What was summed under the old highest score; rows that have seen nothing keep their zeros.
    scale =
        generic({state.highest, highest}, empty(rowSizes, type), false, [&](ArrayRef<Value> inputs, Value) -> Value {
          Value power = math::ExpOp::create(rewriter, loc,
                                            arith::SubFOp::create(rewriter, loc, inputs[0], inputs[1]).getResult());
          return arith::SelectOp::create(rewriter, loc, isLowest(inputs[1]), number(1), power);
        });
    next.highest = copy(highest, state.highest);
    weights = generic({highest}, weights, false, [&](ArrayRef<Value> inputs, Value score) -> Value {
      Value power =
          math::ExpOp::create(rewriter, loc, arith::SubFOp::create(rewriter, loc, score, inputs[0]).getResult());
      return arith::SelectOp::create(rewriter, loc, isLowest(inputs[0]), number(0), power);
    });
    Value before = generic({scale}, state.sum, false, [&](ArrayRef<Value> inputs, Value sum) -> Value {
      return arith::MulFOp::create(rewriter, loc, sum, inputs[0]);
    });
    next.sum = generic({weights}, before, true, [&](ArrayRef<Value> inputs, Value sum) -> Value {
      return arith::AddFOp::create(rewriter, loc, inputs[0], sum);
    });
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
  if (isContiguous(source))
    return multiply(weights, gather(source.getValues(), tile), scale, sums);
  return byRows(sums.getType(), [&](bool few) {
    if (!few)
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
  if (softmax)
    inputs.push_back(state.sum);
  Type element = getElementTypeOrSelf(place.getType());
  return generic(inputs, place, false, [&](ArrayRef<Value> inputs, Value) -> Value {
    Value result = inputs[0];
    if (softmax) {
      Value none = arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::OEQ, inputs[1], number(0));
      result = arith::DivFOp::create(rewriter, loc, result,
                                     arith::SelectOp::create(rewriter, loc, none, number(1), inputs[1]).getResult());
    }
    if (element.getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
      return arith::TruncFOp::create(rewriter, loc, element, result);
    if (element != type)
      return arith::ExtFOp::create(rewriter, loc, element, result);
    return result;
  });
}
