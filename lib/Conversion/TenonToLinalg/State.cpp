//===- State.cpp - linear attention as contractions over chunks, recurrences as loops ------===//
//
// With the state S before a chunk and G[t] the sum of the decays of its tokens up to t, a token's state is
//
//   exp(G[t]) S + sum over s <= t of exp(G[t] - G[s]) keys[s] w[s]^T
//
// so that reading it, and what the delta rule takes from it, are products of matrices of the chunk. w solves a lower
// triangular system with the delta rules (Yang et al., "Parallelizing Linear Transformers with the Delta Rule over
// Sequence Length"), whose inverse is made by blocks that double: products of keys with themselves, in the order in
// which the steps would use them, so that nothing grows that the steps do not let grow.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/State.h"
#include "Experts.h"
#include "tenon/Conversion/TenonToLinalg/Passes.h"

#include "mlir/Dialect/Math/IR/Math.h"

namespace tenon {
#define GEN_PASS_DEF_DECOMPOSESTATE
#include "tenon/Conversion/TenonToLinalg/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;
using namespace tenon::tolinalg;

namespace {

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }
/// Known to have no elements: slices of such tensors are out of bounds to the verifier.
bool isEmpty(Value value) { return llvm::is_contained(typeOf(value).getShape(), 0); }

/// Decays beyond this make exp 0 or infinite in every type; sums of decays stay exact enough below it.
constexpr double kMaxDecay = 1e4;
/// A decay per key costs an exponential per pair of tokens and key, so their chunks are short.
constexpr int64_t kMaxChunkPerKey = 16;
/// The work of a delta rule's system grows with the square of a chunk's tokens, per token.
constexpr int64_t kMaxChunkDelta = 32;

//===----------------------------------------------------------------------===//
// tenon.linear_attention
//===----------------------------------------------------------------------===//

/// Loops by letters: b batch, h head of keys, r query head of these, t and s tokens, d key, e value.
class LinearAttention {
public:
  LinearAttention(IRRewriter &rewriter, LinearAttentionOp op)
      : rewriter(rewriter), op(op), l(rewriter, op.getLoc()), type(op.getSumType()) {}

  void run() {
    Sizes q = l.sizesOf(op.getQuery()), v = l.sizesOf(op.getValues());
    int64_t heads = typeOf(op.getKeys()).getDimSize(1), group = typeOf(op.getQuery()).getDimSize(1) / heads;
    sizes = {{'b', q[0]}, {'h', l.index(heads)}, {'r', l.index(group)}, {'d', q[3]}, {'e', v[3]}};
    tokens = q[2];
    query = l.expand(op.getQuery(), {{0}, {1, 2}, {3}, {4}}, {q[0], l.index(heads), l.index(group), q[2], q[3]});
    Value start = op.getState() ? convert("bhde", op.getState(), 1) : l.filled(shape("bhde"), number(0));
    std::optional<int64_t> count = known(tokens);
    int64_t chunk = op.getChunk();
    if (op.hasDecayPerKey())
      chunk = std::min(chunk, kMaxChunkPerKey);
    if (op.isDelta())
      chunk = std::min(chunk, kMaxChunkDelta);
    if (count) // chunks of one length, of which the last one lacks as little as can be
      chunk = llvm::divideCeil(std::max<int64_t>(*count, 1), llvm::divideCeil(std::max<int64_t>(*count, 1), chunk));
    // A few tokens are not worth a chunk.
    int64_t fewest = chunk / 4;
    SmallVector<Value> made;
    if (isEmpty(op.getResult())) { // no tokens, or states without elements
      made = {l.empty(resultSizes(rewriter, op), typeOf(op.getResult()).getElementType()), finishState(start)};
    } else if (chunk == 1 || (count && *count < fewest)) {
      made = runSteps(start);
    } else if (count || fewest < 2) {
      made = runChunks(start, chunk);
    } else {
      Value few = l.compare(arith::CmpIPredicate::slt, l.indexValue(tokens), l.at(fewest));
      auto either = scf::IfOp::create(rewriter, op.getLoc(), op->getResultTypes(), few, /*withElseRegion=*/true);
      auto fill = [&](SmallVector<Value> results) {
        for (auto [value, type] : llvm::zip(results, op->getResultTypes()))
          value = l.castTo(value, type);
        scf::YieldOp::create(rewriter, op.getLoc(), results);
      };
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToEnd(either.thenBlock());
      fill(runSteps(start));
      rewriter.setInsertionPointToEnd(either.elseBlock());
      fill(runChunks(start, chunk));
      made.assign(either.getResults().begin(), either.getResults().end());
    }
    rewriter.setInsertionPoint(op);
    rewriter.replaceOp(op, {l.castTo(made[0], op.getResult().getType()), l.castTo(made[1], op.getFinal().getType())});
  }

private:
  //===--- building blocks ------------------------------------------------===//

  Value number(double value) { return l.constant(type, value); }
  Sizes shape(StringRef letters) {
    return llvm::map_to_vector(letters, [&](char letter) { return letter == 's' ? sizes.at('t') : sizes.at(letter); });
  }
  /// Where loops of an operand are among `loops`.
  AffineMap map(StringRef loops, StringRef letters) {
    SmallVector<AffineExpr> exprs;
    for (char letter : letters)
      exprs.push_back(l.dim(loops.find(letter)));
    return AffineMap::get(loops.size(), 0, exprs, rewriter.getContext());
  }

  struct Operand {
    Value tensor;
    StringRef letters;
  };
  using ScalarBody = function_ref<Value(ValueRange)>;

  /// Index `letter` of the loops `loops`, inside a body.
  Value indexOf(StringRef loops, char letter) { return linalg::IndexOp::create(rewriter, l.loc, loops.find(letter)); }
  Value each(StringRef loops, ArrayRef<Operand> operands, ScalarBody body, Type element = {}) {
    SmallVector<Value> tensors;
    SmallVector<AffineMap> maps;
    for (const Operand &operand : operands) {
      tensors.push_back(operand.tensor);
      maps.push_back(map(loops, operand.letters));
    }
    return l.elementwise(shape(loops), element ? element : type, tensors, maps,
                         [&](OpBuilder &nested, Location, ValueRange v) {
                           OpBuilder::InsertionGuard guard(rewriter);
                           rewriter.setInsertionPointToEnd(nested.getInsertionBlock());
                           return body(v);
                         });
  }
  /// The sum over the loops of `over` of what the body makes of the operands' elements.
  Value sum(StringRef loops, StringRef over, ArrayRef<Operand> operands, ScalarBody body, Type element = {}) {
    std::string all = (loops + over).str();
    SmallVector<Value> tensors;
    SmallVector<AffineMap> maps;
    for (const Operand &operand : operands) {
      tensors.push_back(operand.tensor);
      maps.push_back(map(all, operand.letters));
    }
    return l.reduce(shape(loops), l.constant(element ? element : type, 0), tensors, maps, over.size(),
                    [&](OpBuilder &, Location, ValueRange v) -> Value {
                      return l.make<arith::AddFOp>(v.back(), body(v.drop_back()));
                    });
  }
  Value contract(StringRef loops, StringRef over, Operand x, Operand y) {
    return sum(loops, over, {x, y}, [&](ValueRange v) -> Value { return l.make<arith::MulFOp>(v[0], v[1]); });
  }
  Value multiply(StringRef loops, Operand x, Operand y) {
    return each(loops, {x, y}, [&](ValueRange v) -> Value { return l.make<arith::MulFOp>(v[0], v[1]); });
  }
  /// In the sums' type, times `factor`.
  Value convert(StringRef loops, Value tensor, double factor) {
    if (typeOf(tensor).getElementType() == type && factor == 1)
      return tensor;
    return each(loops, {{tensor, loops}}, [&](ValueRange v) -> Value {
      Value wide = l.convert(v[0], type);
      return factor == 1 ? wide : l.make<arith::MulFOp>(wide, number(factor));
    });
  }
  Value select(Value condition, Value x, Value y) { return l.make<arith::SelectOp>(condition, x, y); }

  /// `count` entries from `start` along dim `axis`; one entry without the dim.
  Value cut(Value tensor, int64_t axis, OpFoldResult start, OpFoldResult count) {
    Sizes all = l.sizesOf(tensor), offsets(all.size(), l.index(0));
    offsets[axis] = start;
    all[axis] = count;
    return l.slice(tensor, offsets, all, SmallVector<int64_t>(all.size(), 1));
  }
  Value cutOne(Value tensor, int64_t axis, OpFoldResult at) {
    return l.dropUnitDim(cut(tensor, axis, at, l.index(1)), axis);
  }

  /// The result of all tokens, [b, h, r, t, e], as the op has it.
  Value finish(Value all) {
    Value merged = l.collapse(all, {{0}, {1, 2}, {3}, {4}});
    return l.castTo(merged, op.getResult().getType());
  }
  Value finishState(Value state) {
    Type element = typeOf(op.getFinal()).getElementType();
    if (element == type)
      return state;
    return each("bhde", {{state, "bhde"}}, [&](ValueRange v) { return l.convert(v[0], element); }, element);
  }
  /// `part` [b, h, r, (t,) e] in the place of tokens `at`, of `all`.
  Value put(Value part, Value all, OpFoldResult at, OpFoldResult count, StringRef loops) {
    Type element = typeOf(all).getElementType();
    if (element != type)
      part = each(loops, {{part, loops}}, [&](ValueRange v) { return l.convert(v[0], element); }, element);
    Sizes offsets(5, l.index(0)), sizesOfPart = l.sizesOf(all);
    offsets[3] = at;
    sizesOfPart[3] = count;
    return tensor::InsertSliceOp::create(rewriter, l.loc, part, all, offsets, sizesOfPart,
                                         SmallVector<OpFoldResult>(5, l.index(1)));
  }

  //===--- step by step ---------------------------------------------------===//

  SmallVector<Value> runSteps(Value start) {
    Type element = typeOf(op.getQuery()).getElementType();
    Sizes all = shape("bhr");
    all.append({tokens, sizes.at('e')});
    SmallVector<Value> made = l.loop(l.at(0), l.indexValue(tokens), {l.empty(all, element), start},
                                     [&](Value at, ArrayRef<Value> carried) -> SmallVector<Value> {
                                       auto [result, state] = runStep(at, carried[1]);
                                       return {put(result, carried[0], at, l.index(1), "bhre"), state};
                                     });
    return {finish(made[0]), finishState(made[1])};
  }

  std::pair<Value, Value> runStep(OpFoldResult at, Value state) {
    Value q = convert("bhrd", cutOne(query, 3, at), op.getScale().convertToDouble());
    Value k = convert("bhd", cutOne(op.getKeys(), 2, at), 1), w = convert("bhe", cutOne(op.getValues(), 2, at), 1);
    Value decay;
    StringRef gate = op.hasDecayPerKey() ? "bhd" : "bh";
    if (op.isGated())
      decay = each(gate, {{cutOne(op.getDecay(), 2, at), gate}},
                   [&](ValueRange v) -> Value { return l.make<math::ExpOp>(l.convert(v[0], type)); });
    if (op.isDelta()) {
      Value found =
          contract("bhe", "d", {op.isGated() ? multiply("bhd", {k, "bhd"}, {decay, gate}) : k, "bhd"}, {state, "bhde"});
      w = each("bhe", {{found, "bhe"}, {w, "bhe"}, {cutOne(op.getBeta(), 2, at), "bh"}}, [&](ValueRange v) -> Value {
        return l.make<arith::MulFOp>(l.convert(v[2], type), l.make<arith::SubFOp>(v[1], v[0]));
      });
    }
    SmallVector<Operand> operands{{state, "bhde"}, {k, "bhd"}, {w, "bhe"}};
    if (op.isGated())
      operands.push_back({decay, gate});
    state = each("bhde", operands, [&](ValueRange v) -> Value {
      Value kept = op.isGated() ? l.make<arith::MulFOp>(v[0], v[3]) : v[0];
      return l.make<arith::AddFOp>(kept, l.make<arith::MulFOp>(v[1], v[2]));
    });
    return {contract("bhre", "d", {q, "bhrd"}, {state, "bhde"}), state};
  }

  //===--- chunk by chunk -------------------------------------------------===//

  SmallVector<Value> runChunks(Value start, int64_t chunk) {
    sizes['t'] = l.index(chunk);
    OpFoldResult chunks = l.apply(l.sym(0).ceilDiv(chunk), {tokens});
    OpFoldResult missing = l.apply(l.sym(0) * chunk - l.sym(1), {chunks, tokens});
    // Tokens of zeros at the end change nothing.
    auto padded = [&](Value tensor, int64_t axis) -> Value {
      if (!tensor || known(missing) == 0)
        return tensor;
      SmallVector<int64_t> low(typeOf(tensor).getRank(), 0);
      Sizes high(low.size(), l.index(0));
      high[axis] = missing;
      return l.window(tensor, low, high, l.constant(typeOf(tensor).getElementType(), 0));
    };
    Whole whole{padded(query, 3),         padded(op.getKeys(), 2), padded(op.getValues(), 2),
                padded(op.getDecay(), 2), padded(op.getBeta(), 2), {}};
    if (!op.isGated()) // ones where a token sees another one
      whole.seen = each("ts", {}, [&](ValueRange) {
        Value sees = l.compare(arith::CmpIPredicate::sge, indexOf("ts", 't'), indexOf("ts", 's'));
        return select(sees, number(1), number(0));
      });
    Sizes all = shape("bhr");
    all.append({l.apply(l.sym(0) * chunk, {chunks}), sizes.at('e')});
    SmallVector<Value> made =
        l.loop(l.at(0), l.indexValue(chunks), {l.empty(all, typeOf(op.getQuery()).getElementType()), start},
               [&](Value number, ArrayRef<Value> carried) -> SmallVector<Value> {
                 OpFoldResult at = l.apply(l.sym(0) * chunk, {number});
                 auto [result, state] = runChunk(whole, at, carried[1]);
                 return {put(result, carried[0], at, sizes.at('t'), "bhrte"), state};
               });
    Value result = known(missing) == 0 ? made[0] : cut(made[0], 3, l.index(0), tokens);
    return {finish(result), finishState(made[1])};
  }

  /// Operands whose tokens make whole chunks.
  struct Whole {
    Value query, keys, values, decay, beta, seen;
  };

  /// What the decays of a chunk make of its tensors: queries and keys as they meet the state before it, keys as they
  /// meet the state after it, and what is left of that state.
  struct Gates {
    Value query, keys, keysAfter, left;
    StringRef leftLetters;
  };

  std::pair<Value, Value> runChunk(const Whole &whole, OpFoldResult at, Value state) {
    auto part = [&](Value tensor, int64_t axis) { return cut(tensor, axis, at, sizes.at('t')); };
    Value q = convert("bhrtd", part(whole.query, 3), op.getScale().convertToDouble());
    Value k = convert("bhtd", part(whole.keys, 2), 1), w = convert("bhte", part(whole.values, 2), 1);
    Value decays = op.isGated() ? addUp(part(whole.decay, 2)) : Value();
    Gates gates = op.isGated() ? gate(q, k, decays) : Gates{q, k, k, {}, ""};
    Operand weights = op.isGated() && !op.hasDecayPerKey() ? Operand{weigh(decays), "bhts"} : Operand{whole.seen, "ts"};
    if (op.isDelta())
      w = solve(pairs("bhts", {k, "bhtd"}, k, decays, weights), gates.keys, w, part(whole.beta, 2), state);
    Value scores = pairs("bhrts", {q, "bhrtd"}, k, decays, weights);
    Value fromState = contract("bhrte", "d", {gates.query, "bhrtd"}, {state, "bhde"});
    Value inside = contract("bhrte", "s", {scores, "bhrts"}, {w, "bhse"});
    Value result = each("bhrte", {{inside, "bhrte"}, {fromState, "bhrte"}},
                        [&](ValueRange v) -> Value { return l.make<arith::AddFOp>(v[0], v[1]); });
    Value written = contract("bhde", "s", {gates.keysAfter, "bhsd"}, {w, "bhse"});
    SmallVector<Operand> operands{{written, "bhde"}, {state, "bhde"}};
    if (op.isGated())
      operands.push_back({gates.left, gates.leftLetters});
    Value next = each("bhde", operands, [&](ValueRange v) -> Value {
      return l.make<arith::AddFOp>(v[0], op.isGated() ? l.make<arith::MulFOp>(v[1], v[2]) : v[1]);
    });
    return {result, next};
  }

  StringRef gateLetters() { return op.hasDecayPerKey() ? "bhtd" : "bht"; }
  StringRef otherGateLetters() { return op.hasDecayPerKey() ? "bhsd" : "bhs"; }

  /// For each token the sum of the decays up to it, in f64: differences of sums are what is used.
  Value addUp(Value decay) {
    Type wide = rewriter.getF64Type();
    StringRef loops = gateLetters();
    Value limit = l.constant(wide, kMaxDecay), floor = l.constant(wide, -kMaxDecay), zero = l.constant(wide, 0);
    return sum(
        loops, "s", {{decay, otherGateLetters()}},
        [&](ValueRange v) -> Value {
          Value bounded = l.make<arith::MaximumFOp>(l.convert(v[0], wide), floor);
          bounded = l.make<arith::MinimumFOp>(bounded, limit);
          std::string all = (loops + "s").str();
          Value before = l.compare(arith::CmpIPredicate::sle, indexOf(all, 's'), indexOf(all, 't'));
          return select(before, bounded, zero);
        },
        wide);
  }
  Value exp(Value sum) { return l.make<math::ExpOp>(l.convert(sum, type)); }

  Gates gate(Value q, Value k, Value decays) {
    Gates gates;
    StringRef letters = gateLetters();
    gates.leftLetters = op.hasDecayPerKey() ? "bhd" : "bh";
    Value last = cutOne(decays, 2, l.index(*known(sizes.at('t')) - 1));
    Value grown = each(letters, {{decays, letters}}, [&](ValueRange v) { return exp(v[0]); });
    Value toLast = each(letters, {{decays, letters}, {last, gates.leftLetters}},
                        [&](ValueRange v) { return exp(l.make<arith::SubFOp>(v[1], v[0])); });
    gates.query = multiply("bhrtd", {q, "bhrtd"}, {grown, letters});
    gates.keys = op.isDelta() ? multiply("bhtd", {k, "bhtd"}, {grown, letters}) : Value();
    gates.keysAfter = multiply("bhtd", {k, "bhtd"}, {toLast, letters});
    gates.left = each(gates.leftLetters, {{last, gates.leftLetters}}, [&](ValueRange v) { return exp(v[0]); });
    return gates;
  }
  /// exp(G[t] - G[s]) where s is not after t, else 0.
  Value weigh(Value decays) {
    return each("bhts", {{decays, "bht"}, {decays, "bhs"}}, [&](ValueRange v) {
      Value sees = l.compare(arith::CmpIPredicate::sge, indexOf("bhts", 't'), indexOf("bhts", 's'));
      return select(sees, exp(l.make<arith::SubFOp>(v[0], v[1])), number(0));
    });
  }
  /// The products of `x` of token t and keys of token s, as much of them as is left at t.
  Value pairs(StringRef loops, Operand x, Value keys, Value decays, Operand weights) {
    if (!op.hasDecayPerKey())
      return multiply(loops, {contract(loops, "d", x, {keys, "bhsd"}), loops}, weights);
    std::string all = (loops + "d").str();
    return sum(loops, "d", {x, {keys, "bhsd"}, {decays, "bhtd"}, {decays, "bhsd"}}, [&](ValueRange v) {
      Value product = l.make<arith::MulFOp>(v[0], v[1]);
      Value left = l.make<arith::MulFOp>(product, exp(l.make<arith::SubFOp>(v[2], v[3])));
      Value sees = l.compare(arith::CmpIPredicate::sge, indexOf(all, 't'), indexOf(all, 's'));
      return select(sees, left, number(0));
    });
  }

  /// w of w[t] = beta[t] * (values[t] - keys[t]^T S - sum over s < t of scores[t, s] w[s]).
  Value solve(Value scores, Value keys, Value values, Value beta, Value state) {
    Value found = contract("bhte", "d", {keys, "bhtd"}, {state, "bhde"});
    Value right = each("bhte", {{found, "bhte"}, {values, "bhte"}, {beta, "bht"}}, [&](ValueRange v) -> Value {
      return l.make<arith::MulFOp>(l.convert(v[2], type), l.make<arith::SubFOp>(v[1], v[0]));
    });
    // The inverse of 1 + beta * scores below the diagonal. Of [[A, 0], [C, B]] it is [[A', 0], [-B' C A', B']]: blocks
    // of twice the size at each level.
    Value inverse;
    for (int64_t level = 0; (int64_t(1) << level) < *known(sizes.at('t')); ++level) {
      Value below = each("bhts", {{scores, "bhts"}, {beta, "bht"}}, [&](ValueRange v) -> Value {
        Value t = indexOf("bhts", 't'), s = indexOf("bhts", 's');
        Value scaled = l.make<arith::MulFOp>(l.convert(v[1], type), v[0]);
        Value inBlock = isBelow(t, s, level);
        if (level > 0)
          return select(inBlock, scaled, number(0));
        Value diagonal = l.compare(arith::CmpIPredicate::eq, t, s);
        return select(inBlock, l.make<arith::NegFOp>(scaled), select(diagonal, number(1), number(0)));
      });
      if (level == 0) {
        inverse = below;
        continue;
      }
      sizes['u'] = sizes.at('t');
      Value product = contract("bhts", "u", {below, "bhtu"}, {inverse, "bhus"});
      Value change = contract("bhts", "u", {inverse, "bhtu"}, {product, "bhus"});
      inverse = each("bhts", {{change, "bhts"}, {inverse, "bhts"}},
                     [&](ValueRange v) -> Value { return l.make<arith::SubFOp>(v[1], v[0]); });
    }
    return contract("bhte", "s", {inverse, "bhts"}, {right, "bhse"});
  }
  /// Whether t is in the second and s in the first half of one block of 2^(level + 1) tokens.
  Value isBelow(Value t, Value s, int64_t level) {
    Value half = l.at(int64_t(1) << level), t0 = l.make<arith::DivUIOp>(t, half), s0 = l.make<arith::DivUIOp>(s, half);
    Value one = l.at(1), isOdd = l.compare(arith::CmpIPredicate::eq, l.make<arith::AndIOp>(t0, one), one);
    Value isBefore = l.compare(arith::CmpIPredicate::eq, l.make<arith::AddIOp>(s0, one), t0);
    return l.make<arith::AndIOp>(isOdd, isBefore);
  }

  IRRewriter &rewriter;
  LinearAttentionOp op;
  LoopBuilder l;
  FloatType type;                     ///< of sums and the state
  std::map<char, OpFoldResult> sizes; ///< of the loops; t and s of a chunk
  OpFoldResult tokens;
  Value query; ///< [b, h, r, t, d]
};

//===----------------------------------------------------------------------===//
// tenon.recurrence
//===----------------------------------------------------------------------===//

/// Row `at` of a tensor along its first dim.
Value getRow(LoopBuilder &l, Value tensor, Value at) {
  Sizes sizes = l.sizesOf(tensor), offsets(sizes.size(), l.index(0));
  offsets[0] = at;
  sizes[0] = l.index(1);
  return l.dropUnitDim(l.slice(tensor, offsets, sizes, SmallVector<int64_t>(sizes.size(), 1)), 0);
}

void lower(IRRewriter &rewriter, RecurrenceOp op) {
  rewriter.setInsertionPoint(op);
  LoopBuilder l(rewriter, op.getLoc());
  Value steps = l.indexValue(l.sizesOf(op.getInputs()[0])[0]);
  unsigned outputs = op.getOuts().size();
  /// `now` where the step is before the entry's length, else `otherwise` of the entry (zero without one).
  auto keep = [&](Value now, Value before, Value at) -> Value {
    if (!op.getLengths())
      return now;
    Type element = typeOf(now).getElementType();
    AffineMap identity = rewriter.getMultiDimIdentityMap(typeOf(now).getRank());
    SmallVector<Value> tensors{now, op.getLengths()};
    SmallVector<AffineMap> maps{identity, identity.getMajorSubMap(1)};
    if (before) {
      tensors.push_back(before);
      maps.push_back(identity);
    }
    return l.elementwise(l.sizesOf(now), element, tensors, maps,
                         [&](OpBuilder &nested, Location loc, ValueRange v) -> Value {
                           LoopBuilder inner(nested, loc);
                           Value goesOn = inner.compare(arith::CmpIPredicate::slt, at, inner.toIndex(v[1]));
                           return inner.make<arith::SelectOp>(goesOn, v[0], before ? v[2] : inner.constant(element, 0));
                         });
  };
  SmallVector<Value> carried(op.getOuts());
  llvm::append_range(carried, op.getStates());
  SmallVector<Value> made = l.loop(l.at(0), steps, carried, [&](Value step, ArrayRef<Value> carried) {
    Value at = step;
    if (op.getReverse())
      at = l.make<arith::SubIOp>(l.make<arith::SubIOp>(steps, l.at(1)), step);
    Block &cell = op.getCell().front();
    SmallVector<Value> arguments;
    for (auto [input, argument] : llvm::zip(op.getInputs(), cell.getArguments()))
      arguments.push_back(l.castTo(getRow(l, input, at), argument.getType()));
    llvm::append_range(arguments, carried.drop_front(outputs));
    Operation *yield = cell.getTerminator();
    rewriter.inlineBlockBefore(&cell, rewriter.getInsertionBlock(), rewriter.getInsertionPoint(), arguments);
    SmallVector<Value> next;
    for (auto [number, value] : llvm::enumerate(yield->getOperands())) {
      if (number >= outputs) {
        next.push_back(keep(value, carried[number], at));
        continue;
      }
      Value all = carried[number];
      if (isEmpty(all)) {
        next.push_back(all);
        continue;
      }
      Sizes sizes = l.sizesOf(all), offsets(sizes.size(), l.index(0));
      offsets[0] = at;
      sizes[0] = l.index(1);
      next.push_back(tensor::InsertSliceOp::create(rewriter, l.loc, keep(value, {}, at), all, offsets, sizes,
                                                   SmallVector<OpFoldResult>(sizes.size(), l.index(1))));
    }
    rewriter.eraseOp(yield);
    return next;
  });
  rewriter.replaceOp(op, made);
}

struct DecomposeState : tenon::impl::DecomposeStateBase<DecomposeState> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<Operation *> ops;
    // A cell's ops come before the recurrence that holds them.
    getOperation().walk([&](Operation *op) {
      if (isa<LinearAttentionOp, RecurrenceOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      rewriter.setInsertionPoint(op);
      if (auto recurrence = dyn_cast<RecurrenceOp>(op))
        lower(rewriter, recurrence);
      else
        LinearAttention(rewriter, cast<LinearAttentionOp>(op)).run();
    }
  }
};

} // namespace
