//===- Experts.cpp - routing as loops, mixtures of experts as matmuls of groups -----------===//
//
// Scores are element-wise work; who takes whom is a loop over scalars, token by token.
//
//===----------------------------------------------------------------------===//
#include "Experts.h"
#include "tenon/Conversion/TenonToLinalg/Passes.h"

#include "mlir/Dialect/Math/IR/Math.h"

namespace tenon {
#define GEN_PASS_DEF_DECOMPOSEEXPERTS
#include "tenon/Conversion/TenonToLinalg/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;
using namespace tenon::tolinalg;

namespace {

/// What a cell of the table of (token, expert) says.
enum State : int8_t { kFree, kTaken, kClosed, kCounted };

class Router {
public:
  Router(IRRewriter &rewriter, RouteOp op)
      : rewriter(rewriter), op(op), l(rewriter, op.getLoc()), zero(l.at(0)), one(l.at(1)),
        type(cast<FloatType>(getElementTypeOrSelf(op.getLogits().getType()))) {
    element = type;
    if (type.getWidth() < 32)
      type = rewriter.getF32Type();
    sizes = l.sizesOf(op.getLogits());
    tokens = l.indexValue(sizes[0]);
    experts = l.indexValue(sizes[1]);
  }

  void run() {
    Value scores = makeScores(), choices = scores;
    if (op.getBiases())
      choices = cells({scores, op.getBiases()}, {both, byExpert}, type,
                      [&](ValueRange v) -> Value { return l.make<arith::AddFOp>(v[0], l.convert(v[1], type)); });
    Value table = l.filled(sizes, state(kFree));
    if (op.getGroups() > 1)
      table = closeGroups(choices, table);
    table = choose(choices, table);
    makeList(table, makeWeights(scores, table));
  }

private:
  Value state(State value) { return arith::ConstantOp::create(rewriter, l.loc, rewriter.getI8IntegerAttr(value)); }
  Value number(double value) {
    return arith::ConstantOp::create(rewriter, l.loc, rewriter.getFloatAttr(type, value)).getResult();
  }
  Value is(Value cell, State value) { return l.compare(arith::CmpIPredicate::eq, cell, state(value)); }

  using CellBody = function_ref<Value(ValueRange)>;
  /// An element-wise op over (token, expert).
  Value cells(ValueRange inputs, ArrayRef<AffineMap> maps, Type result, CellBody body) {
    return l.elementwise(sizes, result, inputs, maps, [&](OpBuilder &nested, Location, ValueRange v) {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToEnd(nested.getInsertionBlock());
      return body(v);
    });
  }
  /// A value per token, from its cells.
  Value perToken(Value input, double init, CellBody body) {
    return l.reduce(sizes[0], number(init), input, both, 1,
                    [&](OpBuilder &, Location, ValueRange v) { return body(v); });
  }

  Value makeScores() {
    Value logits = op.getLogits();
    if (op.getScore() != RouterScore::softmax)
      return cells(logits, both, type, [&](ValueRange v) -> Value {
        Value x = l.convert(v[0], type);
        if (op.getScore() == RouterScore::relu)
          return l.make<arith::MaximumFOp>(x, number(0));
        Value power = l.make<math::ExpOp>(l.make<arith::NegFOp>(x));
        return l.make<arith::DivFOp>(number(1), l.make<arith::AddFOp>(power, number(1)));
      });
    Value highest = perToken(logits, -std::numeric_limits<double>::infinity(),
                             [&](ValueRange v) { return l.make<arith::MaximumFOp>(l.convert(v[0], type), v[1]); });
    Value powers = cells({logits, highest}, {both, byToken}, type, [&](ValueRange v) {
      return l.make<math::ExpOp>(l.make<arith::SubFOp>(l.convert(v[0], type), v[1]));
    });
    Value sums = perToken(powers, 0, [&](ValueRange v) { return l.make<arith::AddFOp>(v[1], v[0]); });
    return cells({powers, sums}, {both, byToken}, type,
                 [&](ValueRange v) { return l.make<arith::DivFOp>(v[0], v[1]); });
  }

  /// The index of the largest number in [low, high) whose cell is free, -1 where there is none, and the number.
  std::pair<Value, Value> findLargest(Value numbers, Value table, Value token, Value low, Value high, Value least) {
    SmallVector<Value> found =
        l.loop(low, high, {l.at(-1), number(0)}, [&](Value i, ArrayRef<Value> best) -> SmallVector<Value> {
          Value value = l.load(numbers, {token, i});
          Value open = is(l.load(table, {token, i}), kFree);
          if (least)
            open = l.make<arith::AndIOp>(open, l.make<arith::CmpFOp>(arith::CmpFPredicate::OGT, value, least));
          Value better =
              l.make<arith::OrIOp>(l.compare(arith::CmpIPredicate::slt, best[0], zero), l.isLarger(value, best[1]));
          Value take = l.make<arith::AndIOp>(open, better);
          return {l.make<arith::SelectOp>(take, i, best[0]), l.make<arith::SelectOp>(take, value, best[1])};
        });
    return {found[0], found[1]};
  }

  /// Writes `value` at the cell that was found, if one was.
  Value mark(Value table, Value token, Value found, State value) {
    Value place = l.make<arith::MaxSIOp>(found, zero), none = l.compare(arith::CmpIPredicate::slt, found, zero);
    Value kept = l.load(table, {token, place});
    return l.store(l.make<arith::SelectOp>(none, kept, state(value)), table, {token, place});
  }

  /// The table with the experts of the lower groups closed.
  Value closeGroups(Value choices, Value table) {
    int64_t groups = op.getGroups();
    Value count = l.at(groups), perGroup = l.at(*known(sizes[1]) / groups);
    Sizes groupSizes{sizes[0], l.index(groups)};
    Value ranks = l.filled(groupSizes, number(0)), open = l.filled(groupSizes, state(kFree));
    // Each in a loop of its own over the tokens: what one writes the next one reads.
    SmallVector<Value> done = l.loop(zero, tokens, {table, ranks}, [&](Value token, ArrayRef<Value> carried) {
      return l.loop(zero, count, carried, [&](Value group, ArrayRef<Value> carried) -> SmallVector<Value> {
        Value low = l.make<arith::MulIOp>(group, perGroup), high = l.make<arith::AddIOp>(low, perGroup);
        SmallVector<Value> summed =
            l.loop(zero, l.at(op.getGroupTop()), {carried[0], number(0)}, [&](Value, ArrayRef<Value> carried) {
              auto [found, value] = findLargest(choices, carried[0], token, low, high, Value());
              return SmallVector<Value>{mark(carried[0], token, found, kCounted),
                                        l.make<arith::AddFOp>(carried[1], value)};
            });
        Value cleared = l.loop(low, high, summed[0], [&](Value e, ArrayRef<Value> carried) -> SmallVector<Value> {
          return {l.store(state(kFree), carried[0], {token, e})};
        })[0];
        return {cleared, l.store(summed[1], carried[1], {token, group})};
      });
    });
    table = done[0];
    ranks = done[1];
    open = l.loop(zero, tokens, open, [&](Value token, ArrayRef<Value> carried) {
      return l.loop(zero, l.at(op.getTopGroups()), carried, [&](Value, ArrayRef<Value> carried) -> SmallVector<Value> {
        return {mark(carried[0], token, findLargest(ranks, carried[0], token, zero, count, Value()).first, kTaken)};
      });
    })[0];
    return l.loop(zero, tokens, table, [&](Value token, ArrayRef<Value> carried) {
      return l.loop(zero, experts, carried, [&](Value e, ArrayRef<Value> carried) -> SmallVector<Value> {
        Value group = l.make<arith::DivUIOp>(e, perGroup);
        Value isOpen = is(l.load(open, {token, group}), kTaken);
        return {l.store(l.make<arith::SelectOp>(isOpen, state(kFree), state(kClosed)), carried[0], {token, e})};
      });
    })[0];
  }

  /// The table with each token's experts taken.
  Value choose(Value choices, Value table) {
    Value least;
    if (op.getThresholdAttr())
      least = number(op.getThresholdAttr().getValueAsDouble());
    if (op.getTopK() == 0)
      return cells({choices, table}, {both, both}, rewriter.getI8Type(), [&](ValueRange v) {
        Value passes = l.make<arith::CmpFOp>(arith::CmpFPredicate::OGT, v[0], least);
        passes = l.make<arith::AndIOp>(passes, is(v[1], kFree));
        return l.make<arith::SelectOp>(passes, state(kTaken), state(kFree));
      });
    return l.loop(zero, tokens, table, [&](Value token, ArrayRef<Value> carried) {
      return l.loop(zero, l.at(op.getTopK()), carried, [&](Value, ArrayRef<Value> carried) -> SmallVector<Value> {
        return {mark(carried[0], token, findLargest(choices, carried[0], token, zero, experts, least).first, kTaken)};
      });
    })[0];
  }

  Value makeWeights(Value scores, Value table) {
    Value taken = cells({scores, table}, {both, both}, type,
                        [&](ValueRange v) { return l.make<arith::SelectOp>(is(v[1], kTaken), v[0], number(0)); });
    Value scale = number(op.getScaleAttr().getValueAsDouble());
    if (!op.getNormalize())
      return cells(taken, both, element,
                   [&](ValueRange v) { return l.convert(l.make<arith::MulFOp>(v[0], scale), element); });
    Value sums = perToken(taken, 0, [&](ValueRange v) { return l.make<arith::AddFOp>(v[1], v[0]); });
    return cells({taken, sums}, {both, byToken}, element, [&](ValueRange v) {
      Value none = l.make<arith::CmpFOp>(arith::CmpFPredicate::OEQ, v[1], number(0));
      Value factor = l.make<arith::DivFOp>(scale, l.make<arith::SelectOp>(none, number(1), v[1]));
      return l.convert(l.make<arith::MulFOp>(v[0], factor), element);
    });
  }

  /// The pairs, expert by expert. Each cell writes the list's next entry, and moves on only where it is taken.
  void makeList(Value table, Value weights) {
    Type i64 = rewriter.getI64Type();
    Value none = arith::ConstantOp::create(rewriter, l.loc, rewriter.getI64IntegerAttr(0));
    Value nothing = arith::ConstantOp::create(rewriter, l.loc, rewriter.getFloatAttr(element, 0));
    Sizes room = resultSizes(rewriter, op, 1), ends = resultSizes(rewriter, op, 0);
    Value last = l.make<arith::SubIOp>(l.indexValue(room[0]), one);
    SmallVector<Value> made = l.loop(
        zero, experts, {l.filled(ends, none), l.filled(room, none), l.filled(room, nothing), zero},
        [&](Value e, ArrayRef<Value> carried) -> SmallVector<Value> {
          SmallVector<Value> list =
              l.loop(zero, tokens, carried.drop_front(), [&](Value token, ArrayRef<Value> list) -> SmallVector<Value> {
                Value taken = is(l.load(table, {token, e}), kTaken), place = l.make<arith::MinSIOp>(list[2], last);
                Value oldToken = l.load(list[0], place), oldWeight = l.load(list[1], place);
                Value newToken = l.make<arith::SelectOp>(taken, l.toI64(token), oldToken);
                Value newWeight = l.make<arith::SelectOp>(taken, l.load(weights, {token, e}), oldWeight);
                Value next = l.make<arith::AddIOp>(list[2], one);
                return {l.store(newToken, list[0], place), l.store(newWeight, list[1], place),
                        l.make<arith::SelectOp>(taken, next, list[2])};
              });
          Value after = l.make<arith::AddIOp>(e, one);
          return {l.store(l.make<arith::IndexCastOp>(i64, list[2]), carried[0], after), list[0], list[1], list[2]};
        });
    rewriter.replaceOp(op, {l.castTo(made[0], op.getOffsets().getType()), l.castTo(made[1], op.getTokens().getType()),
                            l.castTo(made[2], op.getWeights().getType())});
  }

  IRRewriter &rewriter;
  RouteOp op;
  LoopBuilder l;
  Value zero, one;
  FloatType type, element; ///< of scores; of logits and weights
  Sizes sizes;             ///< tokens, experts
  Value tokens, experts;
  AffineMap both = rewriter.getMultiDimIdentityMap(2), byToken = both.getMajorSubMap(1),
            byExpert = both.getMinorSubMap(1);
};

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

} // namespace

void tolinalg::lower(IRRewriter &rewriter, RouteOp op) {
  rewriter.setInsertionPoint(op);
  Router(rewriter, op).run();
}

//===----------------------------------------------------------------------===//
// Mixtures
//===----------------------------------------------------------------------===//

void tolinalg::widen(IRRewriter &rewriter, GroupedMatmulOp op) {
  Type element = getElementTypeOrSelf(op.getType()), sumType = op.getSumType();
  if (!op.getScatter() || element.getIntOrFloatBitWidth() >= sumType.getIntOrFloatBitWidth())
    return;
  rewriter.setInsertionPoint(op);
  LoopBuilder l(rewriter, op.getLoc());
  auto converted = [&](Value from, Type to) {
    return l.elementwise(
        l.sizesOf(from), to, from, rewriter.getMultiDimIdentityMap(2),
        [&](OpBuilder &b, Location loc, ValueRange v) { return TensorBuilder{b, loc}.convert(v[0], to); });
  };
  auto wide = cast<GroupedMatmulOp>(rewriter.clone(*op));
  Value init;
  if (auto fill = op.getInit().getDefiningOp<linalg::FillOp>())
    init = l.filled(l.sizesOf(fill.getOutputs()[0]), l.convert(fill.getInputs()[0], sumType));
  else
    init = converted(op.getInit(), sumType);
  wide->moveAfter(init.getDefiningOp());
  wide.getInitMutable().assign(init);
  wide.getResult().setType(typeOf(op.getResult()).clone(sumType));
  rewriter.setInsertionPointAfter(wide);
  rewriter.replaceOp(op, l.castTo(converted(wide.getResult(), element), op.getType()));
}

void tolinalg::decompose(IRRewriter &rewriter, MoeOp op) {
  rewriter.setInsertionPoint(op);
  LoopBuilder l(rewriter, op.getLoc());
  Location loc = op.getLoc();
  RankedTensorType tokens = typeOf(op.getTokens()), logits = typeOf(op.getLogits());
  Type i64 = rewriter.getI64Type(), element = tokens.getElementType();
  Type sumType = element.getIntOrFloatBitWidth() < 32 ? rewriter.getF32Type() : element;
  auto dynamicOr = [](int64_t size, auto make) { return ShapedType::isDynamic(size) ? size : make(size); };
  int64_t experts = logits.getDimSize(1), perToken = op.getTopK() > 0 ? op.getTopK() : experts;
  int64_t room = dynamicOr(tokens.getDimSize(0), [&](int64_t count) { return count * perToken; });
  auto list = RankedTensorType::get(room, i64);
  SmallVector<NamedAttribute> routing;
  for (StringRef name : {"score", "top_k", "threshold", "groups", "top_groups", "group_top", "normalize", "scale"})
    if (Attribute value = op->getAttr(name))
      routing.push_back(rewriter.getNamedAttr(name, value));
  SmallVector<Value> operands{op.getLogits()};
  if (op.getBiases())
    operands.push_back(op.getBiases());
  auto ends = RankedTensorType::get(dynamicOr(experts, [](int64_t size) { return size + 1; }), i64);
  auto route =
      RouteOp::create(rewriter, loc, TypeRange{ends, list, list.clone(logits.getElementType())}, operands, routing);

  auto matmul = [&](Activation activation, Value input, Value weights, Value offsets, Value rows, Value factors,
                    Value scatter, Value scales, Value init) -> Value {
    return GroupedMatmulOp::create(rewriter, loc, init.getType(), activation, input, weights, offsets, rows,
                                   /*biases=*/Value(), factors, scatter, scales, init);
  };
  /// activation(x * gate) * (x * up), `length` rows of the list.
  auto makeHidden = [&](Value gate, Value up, Value offsets, Value rows, OpFoldResult length) {
    Sizes sizes{length, l.sizesOf(up)[2]};
    Value x = op.getTokens();
    Value result = matmul(gate ? Activation::identity : op.getActivation(), x, up, offsets, rows, Value(), Value(),
                          Value(), l.empty(sizes, element));
    if (gate)
      result = matmul(op.getActivation(), x, gate, offsets, rows, result, Value(), Value(), l.empty(sizes, element));
    return result;
  };
  Sizes sizes = l.sizesOf(op.getTokens());
  Value init;
  if (op.getSharedUp()) {
    // One group that holds every token.
    auto asGroup = [&](Value weights) -> Value {
      if (!weights)
        return {};
      Sizes shape = l.sizesOf(weights);
      return l.expand(weights, {{0, 1}, {2}}, {l.index(1), shape[0], shape[1]});
    };
    Value count = l.toI64(l.indexValue(sizes[0]));
    Value none = arith::ConstantOp::create(rewriter, loc, rewriter.getI64IntegerAttr(0));
    Value offsets = tensor::FromElementsOp::create(rewriter, loc, ValueRange{none, count});
    Value hidden = makeHidden(asGroup(op.getSharedGate()), asGroup(op.getSharedUp()), offsets, Value(), sizes[0]);
    init = matmul(Activation::identity, hidden, asGroup(op.getSharedDown()), offsets, Value(), Value(), Value(),
                  Value(), l.empty(sizes, sumType));
  } else {
    init = l.filled(sizes, arith::ConstantOp::create(rewriter, loc, rewriter.getZeroAttr(sumType)));
  }
  OpFoldResult length = l.sizesOf(route.getTokens())[0];
  Value hidden = makeHidden(op.getGate(), op.getUp(), route.getOffsets(), route.getTokens(), length);
  Value result = matmul(Activation::identity, hidden, op.getDown(), route.getOffsets(), Value(), Value(),
                        route.getTokens(), route.getWeights(), init);
  if (sumType != element)
    result = l.elementwise(
        sizes, element, result, rewriter.getMultiDimIdentityMap(2),
        [&](OpBuilder &b, Location loc, ValueRange v) { return TensorBuilder{b, loc}.convert(v[0], element); });
  rewriter.replaceOp(op, l.castTo(result, op.getType()));
}

namespace {

struct DecomposeExperts : tenon::impl::DecomposeExpertsBase<DecomposeExperts> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    auto each = [&]<typename OpTy>(OpTy, auto lowerOne) {
      SmallVector<OpTy> ops;
      getOperation().walk([&](OpTy op) { ops.push_back(op); });
      for (OpTy op : ops)
        lowerOne(rewriter, op);
    };
    // Mixtures first: they are made of the others.
    each(MoeOp(), [](IRRewriter &rewriter, MoeOp op) { decompose(rewriter, op); });
    each(GroupedMatmulOp(), [](IRRewriter &rewriter, GroupedMatmulOp op) { widen(rewriter, op); });
    each(RouteOp(), [](IRRewriter &rewriter, RouteOp op) { lower(rewriter, op); });
    each(SelectBlocksOp(), [](IRRewriter &rewriter, SelectBlocksOp op) { lower(rewriter, op); });
    each(TopKOp(), [](IRRewriter &rewriter, TopKOp op) { lower(rewriter, op); });
    each(SortOp(), [](IRRewriter &rewriter, SortOp op) { lower(rewriter, op); });
    each(SegmentReduceOp(), [](IRRewriter &rewriter, SegmentReduceOp op) { lower(rewriter, op); });
  }
};

} // namespace
