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

AttentionState AttentionTiler::accumulate(Value weights, Value values, AttentionState state) {
  AttentionState next;
  Value scale;
  if (softmax) {
    // In memory of its own: what was the highest is read once more.
    Value highest = copy(state.highest, empty({rows}, type));
    highest = generic({weights}, highest, true, [&](ArrayRef<Value> inputs, Value before) -> Value {
      return arith::MaximumFOp::create(rewriter, loc, inputs[0], before);
    });
    // What was summed under the old highest score; rows that have seen nothing keep their zeros.
    scale = generic({state.highest, highest}, empty({rows}, type), false, [&](ArrayRef<Value> inputs, Value) -> Value {
      Value power =
          math::ExpOp::create(rewriter, loc, arith::SubFOp::create(rewriter, loc, inputs[0], inputs[1]).getResult());
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
  Value product = contract(weights, values, {2, 1}, width, {}, {}, nullptr);
  SmallVector<Value> inputs{product};
  if (softmax)
    inputs.push_back(scale);
  next.result = generic(inputs, state.result, false, [&](ArrayRef<Value> inputs, Value sum) -> Value {
    Value before = softmax ? arith::MulFOp::create(rewriter, loc, sum, inputs[1]).getResult() : sum;
    return arith::AddFOp::create(rewriter, loc, inputs[0], before);
  });
  return next;
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
