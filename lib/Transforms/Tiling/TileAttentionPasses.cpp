//===- TileAttentionPasses.cpp - normalizers that need a row's scores more than once --------===//
//
// The first pass over the keys makes the scores of the unit's rows, keeps them in scratch memory and takes them into a
// state; entmax goes over what was kept until its threshold stands; the last pass makes weights and sums the values.
// Scratch is rows of a unit x keys, which the schedule bounds.
//
//===----------------------------------------------------------------------===//
#include "TileAttention.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;

AttentionState AttentionTiler::runPasses(AttentionState state) {
  double lowest = -std::numeric_limits<double>::infinity();
  NormalizerOp rule = op.getRuleOp();
  SmallVector<Value> fold;
  int64_t lanes = llvm::PowerOf2Ceil(schedule.getCache()[3]);
  if (softmax)
    fold = {state.highest, state.sum};
  else if (rule)
    // A state for each lane of a tile, so that lanes never wait for each other.
    for (Value initial : cloneRule(rule.getInit(), {}))
      fold.push_back(linalg::FillOp::create(rewriter, loc, ValueRange{initial},
                                            ValueRange{empty(append(rowSizes, index(lanes)), type)})
                         .getResult(0));
  else
    fold = {fill(empty(rowSizes, type), lowest)};

  for (unsigned number = 0; number < op.getSources().size(); ++number) {
    SmallVector<Value> carried(fold);
    carried.push_back(empty(append(rowSizes, places[number]), type));
    carried = forTiles(op.getSource(number), carried, [&](const KeyTile &tile, ValueRange carried) {
      SmallVector<OpFoldResult> offsets(rowSizes.size(), index(0)), sizes = append(rowSizes, tile.columns);
      offsets.push_back(tile.place);
      Value scores = makeScores(tile, slice(carried.back(), offsets, sizes, 0));
      scores = applyMask(tile, scores);
      Value all = insert(scores, carried.back(), offsets, sizes);
      SmallVector<Value> next;
      if (softmax) {
        next = foldSoftmax(scores, carried.drop_back());
      } else if (!rule) {
        next.push_back(foldHighest(scores, carried[0]));
      } else {
        offsets.back() = index(0);
        SmallVector<Value> used;
        for (Value lane : carried.drop_back())
          used.push_back(slice(lane, offsets, sizes, 0));
        used = generic({scores}, used, false, [&](ArrayRef<Value> inputs, ArrayRef<Value> outs) {
          SmallVector<Value> arguments(outs), updated;
          arguments.push_back(inputs[0]);
          updated = cloneRule(rule.getUpdate(), arguments);
          Value hidden = isLowest(inputs[0]);
          for (auto [now, before] : llvm::zip(updated, outs))
            now = select(hidden, before, now);
          return updated;
        });
        for (auto [lane, part] : llvm::zip(carried.drop_back(), used))
          next.push_back(insert(part, lane, offsets, sizes));
      }
      next.push_back(all);
      return next;
    });
    kept.push_back(carried.pop_back_val());
    fold = carried;
  }

  Weigh weighing;
  auto softmaxWeight = [&](Value score, ArrayRef<Value> state) -> Value {
    return divf(expBelow(score, state[0]), state[1]);
  };
  auto entmaxWeight = [&](Value score, ArrayRef<Value> state) -> Value {
    Value sum = select(compare(arith::CmpFPredicate::OEQ, state[2], this->number(0)), this->number(1), state[2]);
    return divf(exceed(score, state[0], state[1]).first, sum);
  };
  auto ruleWeight = [&](Value score, ArrayRef<Value> state) -> Value {
    SmallVector<Value> arguments{score};
    llvm::append_range(arguments, state);
    return cloneRule(rule.getFinish(), arguments).front();
  };
  if (softmax) {
    state.highest = fold[0];
    state.sum = fold[1];
    weighing = softmaxWeight;
  } else if (rule) {
    fold = joinLanes(fold);
    weighing = ruleWeight;
  } else {
    llvm::append_range(fold, solveEntmax(fold[0]));
    weighing = entmaxWeight;
  }
  state.result = forScores(state.result, [&](const KeyTile &tile, Value scores, ValueRange carried) {
                   Value weights = weigh(tile, scores, fold, empty(append(rowSizes, tile.columns), type), weighing);
                   return SmallVector<Value>{addProduct(tile, weights, Value(), carried[0])};
                 }).front();
  return state;
}

SmallVector<Value> AttentionTiler::forScores(
    ValueRange carried, function_ref<SmallVector<Value>(const KeyTile &tile, Value scores, ValueRange carried)> body) {
  SmallVector<Value> now(carried);
  for (unsigned number = 0; number < op.getSources().size(); ++number)
    now = forTiles(op.getSource(number), now, [&](const KeyTile &tile, ValueRange carried) {
      SmallVector<OpFoldResult> offsets(rowSizes.size(), index(0));
      offsets.push_back(tile.place);
      return body(tile, slice(kept[number], offsets, append(rowSizes, tile.columns), 0), carried);
    });
  return now;
}

Value AttentionTiler::foldHighest(Value scores, Value highest) {
  return generic({scores}, highest, true, [&](ArrayRef<Value> inputs, Value before) -> Value {
    return arith::MaximumFOp::create(rewriter, loc, inputs[0], before);
  });
}

SmallVector<Value> AttentionTiler::foldSoftmax(Value scores, ValueRange state) {
  Value highest = foldHighest(scores, copy(state[0], empty(rowSizes, type)));
  Value sum = generic({state[0], highest}, state[1], false, [&](ArrayRef<Value> inputs, Value sum) -> Value {
    return select(isLowest(inputs[1]), sum, mulf(sum, expBelow(inputs[0], inputs[1])));
  });
  sum = generic({scores, highest}, sum, true, [&](ArrayRef<Value> inputs, Value sum) -> Value {
    return addf(select(isLowest(inputs[1]), number(0), expBelow(inputs[0], inputs[1])), sum);
  });
  return {copy(highest, state[0]), sum};
}

//===----------------------------------------------------------------------===//
// Entmax
//===----------------------------------------------------------------------===//

std::pair<Value, Value> AttentionTiler::exceed(Value score, Value highest, Value threshold) {
  double alpha = op.getAlpha()->convertToDouble(), power = 1 / (alpha - 1);
  // Rows that see nothing have scores of -inf alone, which stay below every threshold.
  Value base = select(isLowest(highest), number(0), highest);
  Value above = subf(mulf(subf(score, base), number(alpha - 1)), threshold);
  above = arith::MaximumFOp::create(rewriter, loc, above, number(0));
  if (power == 2)
    return {mulf(above, above), above};
  Value some = compare(arith::CmpFPredicate::UGT, above, number(0));
  if (power == 1)
    return {above, select(some, number(1), number(0))};
  Value log = math::LogOp::create(rewriter, loc, select(some, above, number(1)));
  Value less = select(some, exp(mulf(log, number(power - 1))), number(0));
  return {mulf(less, above), less};
}

SmallVector<Value> AttentionTiler::sumEntmax(Value highest, Value threshold) {
  SmallVector<Value> sums{fill(empty(rowSizes, type), 0), fill(empty(rowSizes, type), 0)};
  return forScores(sums, [&](const KeyTile &, Value scores, ValueRange carried) {
    SmallVector<Value> outs(carried);
    return generic({scores, highest, threshold}, outs, true, [&](ArrayRef<Value> inputs, ArrayRef<Value> outs) {
      auto [weight, less] = exceed(inputs[0], inputs[1], inputs[2]);
      return SmallVector<Value>{addf(weight, outs[0]), addf(less, outs[1])};
    });
  });
}

SmallVector<Value> AttentionTiler::solveEntmax(Value highest) {
  // The threshold t is where the (1 / (alpha - 1))-norm of what exceeds t is 1. The norm is convex and falls with t, so
  // that Newton's steps from below never pass it. A step at least halves the norm's distance or its slope, of which one
  // is at most the number of keys and the other at least 1: so many steps are enough for 2^20 keys in the type's
  // precision; most rows need five.
  double power = 1 / (op.getAlpha()->convertToDouble() - 1);
  int64_t most = type.isF64() ? 50 : 32;
  double precision = type.isF64() ? 1e-13 : 1e-6;
  Value threshold = fill(empty(rowSizes, type), -1);
  Value moves = arith::ConstantOp::create(rewriter, loc, rewriter.getBoolAttr(true));
  auto loop = scf::ForOp::create(rewriter, loc, constant(0), constant(most), constant(1), ValueRange{threshold, moves},
                                 [](OpBuilder &, Location, Value, ValueRange) {});
  {
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToStart(loop.getBody());
    threshold = loop.getRegionIterArgs()[0];
    moves = loop.getRegionIterArgs()[1];
    auto branch = scf::IfOp::create(rewriter, loc, loop.getResultTypes(), moves, /*withElseRegion=*/true);
    scf::YieldOp::create(rewriter, loc, branch.getResults());
    rewriter.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(rewriter, loc, ValueRange{threshold, moves});
    rewriter.setInsertionPointToStart(branch.thenBlock());
    SmallVector<Value> sums = sumEntmax(highest, threshold);
    Value steps = generic(sums, empty(rowSizes, type), false, [&](ArrayRef<Value> inputs, Value) -> Value {
      Value root = number(1); // of power 1
      if (power == 2)
        root = math::SqrtOp::create(rewriter, loc, inputs[0]);
      else if (power != 1)
        root = exp(mulf(math::LogOp::create(rewriter, loc, inputs[0]).getResult(), number(1 - 1 / power)));
      Value step = divf(subf(inputs[0], root), inputs[1]);
      Value forward = arith::AndIOp::create(rewriter, loc, compare(arith::CmpFPredicate::OGT, inputs[1], number(0)),
                                            compare(arith::CmpFPredicate::OGT, step, number(0)));
      return select(forward, step, number(0));
    });
    Value farthest = fill(tensor::EmptyOp::create(rewriter, loc, ArrayRef<int64_t>(), type), 0);
    unsigned rank = rowSizes.size();
    SmallVector<AffineMap> maps{rewriter.getMultiDimIdentityMap(rank), AffineMap::get(rank, 0, rewriter.getContext())};
    SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::reduction);
    farthest = linalg::GenericOp::create(rewriter, loc, TypeRange{farthest.getType()}, ValueRange{steps},
                                         ValueRange{farthest}, maps, iterators,
                                         [&](OpBuilder &builder, Location, ValueRange arguments) {
                                           Value most =
                                               arith::MaximumFOp::create(builder, loc, arguments[0], arguments[1]);
                                           linalg::YieldOp::create(builder, loc, most);
                                         })
                   .getResult(0);
    threshold = generic({steps}, threshold, false,
                        [&](ArrayRef<Value> inputs, Value before) -> Value { return addf(before, inputs[0]); });
    Value longest = tensor::ExtractOp::create(rewriter, loc, farthest, ValueRange{});
    moves = compare(arith::CmpFPredicate::OGT, longest, number(precision));
    scf::YieldOp::create(rewriter, loc, ValueRange{threshold, moves});
  }
  return {loop.getResult(0), sumEntmax(highest, loop.getResult(0))[0]};
}

//===----------------------------------------------------------------------===//
// A user's rule
//===----------------------------------------------------------------------===//

SmallVector<Value> AttentionTiler::cloneRule(Region &region, ArrayRef<Value> arguments) {
  IRMapping mapping;
  mapping.map(region.getArguments(), arguments);
  for (Operation &inner : region.front().without_terminator())
    rewriter.clone(inner, mapping);
  return llvm::map_to_vector(region.front().getTerminator()->getOperands(),
                             [&](Value value) { return mapping.lookupOrDefault(value); });
}

SmallVector<Value> AttentionTiler::joinLanes(SmallVector<Value> lanes) {
  NormalizerOp rule = op.getRuleOp();
  int64_t width = cast<RankedTensorType>(lanes[0].getType()).getShape().back();
  unsigned count = lanes.size(); // numbers of a state
  SmallVector<OpFoldResult> offsets(rowSizes.size() + 1, index(0));
  while (width > 1) {
    width /= 2;
    SmallVector<OpFoldResult> sizes = append(rowSizes, index(width));
    SmallVector<Value> halves, joined;
    for (int64_t from : {int64_t(0), width}) {
      offsets.back() = index(from);
      for (Value lane : lanes)
        halves.push_back(slice(lane, offsets, sizes, 0));
    }
    for (unsigned entry = 0; entry < count; ++entry)
      joined.push_back(empty(sizes, type));
    lanes = generic(halves, joined, false,
                    [&](ArrayRef<Value> inputs, ArrayRef<Value>) { return cloneRule(rule.getCombine(), inputs); });
  }
  offsets.back() = index(0);
  for (Value &lane : lanes)
    lane = sliceRows(lane, offsets, append(rowSizes, index(1)), rowSizes);
  return lanes;
}
