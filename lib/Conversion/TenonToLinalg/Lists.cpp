//===- Lists.cpp - tenon.select_blocks as contractions, a softmax and a selection -----------===//
//
// What stands for queries and keys is made first; their products are one contraction. One number per block then says in
// which order blocks are taken, so that tenon.top_k finds the order and tenon.sort puts what is taken back in place.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Lists.h"
#include "Experts.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::tolinalg;

namespace {

/// What the rank of a block adds to its mass, which is at most 1: kept blocks come first, NaN before numbers.
constexpr double kKept = 4, kNaN = 3, kHidden = -1;

class Selector {
public:
  Selector(IRRewriter &rewriter, SelectBlocksOp op)
      : rewriter(rewriter), op(op), l(rewriter, op.getLoc()), shape(cast<RankedTensorType>(op.getQuery().getType())),
        type(cast<FloatType>(shape.getElementType())), queries(shape.getDimSize(2)), depth(shape.getDimSize(3)),
        heads(shape.getDimSize(1)), total(op.countBlocks()), length(op.getBlockKeys()), run(op.getBlockQueries()) {
    if (type.getWidth() < 32)
      type = rewriter.getF32Type();
    groups = cast<RankedTensorType>(op.getKeys().getType()).getDimSize(1);
    isStrided = op.getScore() == BlockScore::antidiagonal;
    step = isStrided ? op.getStride() : run;
    keyStep = isStrided ? op.getStride() : length;
    runs = llvm::divideCeil(queries, run);
    rows = runs * run / step;
    columns = total * length / keyStep;
    batches = l.sizesOf(op.getQuery())[0];
    lists = cast<RankedTensorType>(op.getBlocks().getType()).getDimSize(1);
    room = cast<RankedTensorType>(op.getBlocks().getType()).getDimSize(3);
  }

  void select() {
    Value none = integer(-1), zero = integer(0);
    if (heads == 0 || queries == 0 || room == 0 || depth == 0) {
      finish(l.filled(sizes({lists, runs, room}), none), l.filled(sizes({lists, runs}), zero));
      return;
    }
    exist = makeCounts();
    Value weights = makeWeights(makeScores());
    Value ranks = makeRanks(weights);
    auto kind = cast<RankedTensorType>(ranks.getType())
                    .clone({cast<RankedTensorType>(op.getBlocks().getType()).getDimSize(0), lists, runs, room});
    auto chosen = TopKOp::create(rewriter, l.loc, TypeRange{kind, kind.clone(rewriter.getI64Type())}, ranks, Value(),
                                 /*axis=*/3, /*smallest=*/false);
    Value numbers = cutOff(chosen.getValues(), chosen.getIndices());
    auto sorted = SortOp::create(rewriter, l.loc, TypeRange{numbers.getType(), numbers.getType()}, numbers, /*axis=*/3,
                                 /*descending=*/false);
    Value last = integer(total);
    auto isTaken = [&](Value number) { return l.compare(arith::CmpIPredicate::ne, number, last); };
    Value blocks = cells({lists, runs, room}, rewriter.getI64Type(), {sorted.getValues()}, {all(4)},
                         [&](ValueRange v) { return l.make<arith::SelectOp>(isTaken(v[0]), v[0], none); });
    Value counts = l.reduce(sizes({lists, runs}), zero, numbers, all(4), 1, [&](OpBuilder &, Location, ValueRange v) {
      return l.make<arith::AddIOp>(v[1], l.make<arith::ExtUIOp>(rewriter.getI64Type(), isTaken(v[0])));
    });
    finish(blocks, counts);
  }

private:
  Value integer(int64_t value) { return arith::ConstantOp::create(rewriter, l.loc, rewriter.getI64IntegerAttr(value)); }
  Value number(double value) { return l.constant(type, value); }
  Value infinity(bool negative) {
    return arith::ConstantOp::create(rewriter, l.loc,
                                     rewriter.getFloatAttr(type, APFloat::getInf(type.getFloatSemantics(), negative)));
  }
  Value place(unsigned dim) { return l.toI64(linalg::IndexOp::create(rewriter, l.loc, dim)); }
  Value mul(Value x, int64_t factor) { return l.make<arith::MulIOp>(x, integer(factor)); }
  Value less(Value x, Value y) { return l.compare(arith::CmpIPredicate::slt, x, y); }
  Value both(Value x, Value y) { return l.make<arith::AndIOp>(x, y); }

  /// The batches, then static sizes.
  Sizes sizes(ArrayRef<int64_t> others) {
    Sizes made{batches};
    for (int64_t size : others)
      made.push_back(l.index(size));
    return made;
  }
  AffineMap all(unsigned rank) { return rewriter.getMultiDimIdentityMap(rank); }
  AffineMap pick(unsigned rank, ArrayRef<unsigned> dims) {
    return AffineMap::getMultiDimMapWithTargets(rank, dims, rewriter.getContext());
  }

  using CellBody = function_ref<Value(ValueRange)>;
  Value cells(ArrayRef<int64_t> others, Type element, ValueRange inputs, ArrayRef<AffineMap> maps, CellBody body) {
    return l.elementwise(sizes(others), element, inputs, maps, [&](OpBuilder &nested, Location, ValueRange v) {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToEnd(nested.getInsertionBlock());
      return body(v);
    });
  }
  Value sum(ArrayRef<int64_t> others, Value init, ValueRange inputs, ArrayRef<AffineMap> maps, unsigned reduced,
            CellBody body) {
    return l.reduce(sizes(others), init, inputs, maps, reduced,
                    [&](OpBuilder &, Location, ValueRange v) { return body(v); });
  }

  void finish(Value blocks, Value counts) {
    rewriter.replaceOp(op, {l.castTo(blocks, op.getBlocks().getType()), l.castTo(counts, op.getCounts().getType())});
  }

  /// How many keys exist in each batch.
  Value makeCounts() {
    Value keys = integer(op.countKeys());
    if (!op.getLengths())
      return l.filled(batches, keys);
    return cells({}, rewriter.getI64Type(), op.getLengths(), all(1), [&](ValueRange v) {
      Value count = l.convert(v[0], rewriter.getI64Type());
      return l.make<arith::MaxSIOp>(l.make<arith::MinSIOp>(count, keys), integer(0));
    });
  }

  /// `tensor` [B, h, n, D] as runs [B, h, count, size, D], with zeros behind its end.
  Value asRuns(Value tensor, int64_t h, int64_t count, int64_t size) {
    auto from = cast<RankedTensorType>(tensor.getType());
    Value zero = l.constant(from.getElementType(), 0);
    tensor = l.window(tensor, {0, 0, 0, 0}, ArrayRef<int64_t>{0, 0, count * size - from.getDimSize(2), 0}, zero);
    return l.expand(tensor, {{0}, {1}, {2, 3}, {4}}, sizes({h, count, size, depth}));
  }

  /// What stands for runs of queries: [B, G, heads of a group * rows, depth].
  Value makeQueryRows() {
    Value all5 = asRuns(op.getQuery(), heads, rows, step), result;
    int64_t width = isStrided ? step * depth : depth;
    if (isStrided) {
      result = cells({heads, rows, step, depth}, type, {}, {}, [&](ValueRange) {
        SmallVector<Value> at;
        for (unsigned dim = 0; dim < 5; ++dim)
          at.push_back(linalg::IndexOp::create(rewriter, l.loc, dim));
        at[3] = l.make<arith::SubIOp>(l.at(step - 1), at[3]);
        return l.convert(l.load(all5, at), type);
      });
      result = l.collapse(result, {{0}, {1}, {2}, {3, 4}});
    } else {
      Value sums = sum({heads, rows, depth}, number(0), all5, pick(5, {0, 1, 2, 4, 3}), 1,
                       [&](ValueRange v) { return l.make<arith::AddFOp>(v[1], l.convert(v[0], type)); });
      result = cells({heads, rows, depth}, type, sums, all(4), [&](ValueRange v) {
        Value left = l.make<arith::SubIOp>(integer(queries), mul(place(2), step));
        Value count = l.make<arith::MinSIOp>(left, integer(step));
        return l.make<arith::DivFOp>(v[0], l.make<arith::SIToFPOp>(type, count));
      });
    }
    int64_t perGroup = heads / groups;
    result = l.expand(result, {{0}, {1, 2}, {3}, {4}}, sizes({groups, perGroup, rows, width}));
    return l.collapse(result, {{0}, {1}, {2, 3}, {4}});
  }

  /// What stands for runs of keys: [B, G, columns, depth]; of keys that do not exist `fill`.
  Value makeKeyRows(BlockScore kind, Value fill) {
    if (kind == BlockScore::given)
      return cells({groups, total, depth}, type, op.getKeys(), all(4),
                   [&](ValueRange v) { return l.convert(v[0], type); });
    Value runs5 = asRuns(op.getKeys(), groups, columns, keyStep);
    auto filled = [&](ValueRange v, unsigned run, unsigned inner) {
      Value exists = less(l.make<arith::AddIOp>(mul(place(run), keyStep), place(inner)), v[1]);
      return l.make<arith::SelectOp>(exists, l.convert(v[0], type), fill);
    };
    if (kind == BlockScore::antidiagonal) {
      Value made = cells({groups, columns, keyStep, depth}, type, {runs5, exist}, {all(5), pick(5, {0})},
                         [&](ValueRange v) { return filled(v, 2, 3); });
      return l.collapse(made, {{0}, {1}, {2}, {3, 4}});
    }
    Value made = sum({groups, columns, depth}, fill, {runs5, exist}, {pick(5, {0, 1, 2, 4, 3}), pick(5, {0})}, 1,
                     [&](ValueRange v) -> Value {
                       Value key = filled(v, 2, 4);
                       if (kind == BlockScore::mean)
                         return l.make<arith::AddFOp>(v[2], key);
                       if (kind == BlockScore::max)
                         return l.make<arith::MaximumFOp>(v[2], key);
                       return l.make<arith::MinimumFOp>(v[2], key);
                     });
    if (kind != BlockScore::mean)
      return made;
    return cells({groups, columns, depth}, type, {made, exist}, {all(4), pick(4, {0})}, [&](ValueRange v) {
      Value left = l.make<arith::SubIOp>(v[1], mul(place(2), keyStep));
      Value count = l.make<arith::MaxSIOp>(l.make<arith::MinSIOp>(left, integer(keyStep)), integer(1));
      return l.make<arith::DivFOp>(v[0], l.make<arith::SIToFPOp>(type, count));
    });
  }

  /// Products of what stands for queries and keys: [B, H, rows, columns].
  Value makeScores() {
    Value q = makeQueryRows();
    int64_t perGroup = heads / groups;
    auto product = [&](Value left, Value right) {
      return sum({groups, perGroup * rows, columns}, number(0), {left, right},
                 {pick(5, {0, 1, 2, 4}), pick(5, {0, 1, 3, 4})}, 1,
                 [&](ValueRange v) { return l.make<arith::AddFOp>(v[2], l.make<arith::MulFOp>(v[0], v[1])); });
    };
    Value scores;
    if (op.getScore() == BlockScore::bound) {
      auto part = [&](bool positive) {
        return cells({groups, perGroup * rows, depth}, type, q, all(4), [&](ValueRange v) -> Value {
          return positive ? l.make<arith::MaximumFOp>(v[0], number(0)) : l.make<arith::MinimumFOp>(v[0], number(0));
        });
      };
      Value high = product(part(true), makeKeyRows(BlockScore::max, infinity(true)));
      Value low = product(part(false), makeKeyRows(BlockScore::bound, infinity(false)));
      scores = cells({groups, perGroup * rows, columns}, type, {high, low}, {all(4), all(4)},
                     [&](ValueRange v) { return l.make<arith::AddFOp>(v[0], v[1]); });
    } else {
      Value fill = op.getScore() == BlockScore::max ? infinity(true) : number(0);
      scores = product(q, makeKeyRows(op.getScore(), fill));
    }
    scores = l.expand(scores, {{0}, {1}, {2, 3}, {4}}, sizes({groups, perGroup, rows, columns}));
    return l.collapse(scores, {{0}, {1, 2}, {3}, {4}});
  }

  /// Whether run `row` of `size` queries sees run `column` of `keySize` keys, of which `count` exist.
  Value sees(Value row, int64_t size, Value column, int64_t keySize, Value count) {
    Value key = mul(column, keySize), exists = both(less(key, count), less(mul(row, size), integer(queries)));
    if (!op.getCausal())
      return exists;
    return both(exists, l.compare(arith::CmpIPredicate::sle, key, lastPlace(row, size, count)));
  }
  /// Where the last query of a run stands among the keys.
  Value lastPlace(Value row, int64_t size, Value count) {
    Value end = l.make<arith::MinSIOp>(mul(l.make<arith::AddIOp>(row, integer(1)), size), integer(queries));
    return l.make<arith::AddIOp>(end, l.make<arith::SubIOp>(count, integer(queries + 1)));
  }

  /// The softmax of scores over the columns that are seen.
  Value makeWeights(Value scores) {
    SmallVector<int64_t> shape{heads, rows, columns};
    Value lowest = infinity(true), scale = number(op.getScale().convertToDouble());
    Value seen = cells(shape, type, {scores, exist}, {all(4), pick(4, {0})}, [&](ValueRange v) {
      return l.make<arith::SelectOp>(sees(place(2), step, place(3), keyStep, v[1]), l.make<arith::MulFOp>(v[0], scale),
                                     lowest);
    });
    Value highest = sum({heads, rows}, lowest, seen, all(4), 1,
                        [&](ValueRange v) { return l.make<arith::MaximumFOp>(v[1], v[0]); });
    Value powers = cells(shape, type, {seen, highest}, {all(4), pick(4, {0, 1, 2})}, [&](ValueRange v) {
      Value hidden = l.make<arith::CmpFOp>(arith::CmpFPredicate::OEQ, v[0], lowest);
      Value power = math::ExpOp::create(rewriter, l.loc, l.make<arith::SubFOp>(v[0], v[1]));
      return l.make<arith::SelectOp>(hidden, number(0), power);
    });
    Value sums = sum({heads, rows}, number(0), powers, all(4), 1,
                     [&](ValueRange v) { return l.make<arith::AddFOp>(v[1], v[0]); });
    return cells(shape, type, {powers, sums}, {all(4), pick(4, {0, 1, 2})}, [&](ValueRange v) {
      Value none = l.make<arith::CmpFOp>(arith::CmpFPredicate::OEQ, v[1], number(0));
      return l.make<arith::DivFOp>(v[0], l.make<arith::SelectOp>(none, number(1), v[1]));
    });
  }

  /// One number per block [B, W, R, N]: larger ones are taken first, negative ones never.
  Value makeRanks(Value weights) {
    int64_t perList = heads / lists, perRun = run / step, perBlock = length / keyStep;
    Value parts =
        l.expand(weights, {{0}, {1, 2}, {3, 4}, {5, 6}}, sizes({lists, perList, runs, perRun, total, perBlock}));
    // Loops: batch, list, run, block, then what is summed: head, row, column.
    Value sums = sum({lists, runs, total}, number(0), parts, pick(7, {0, 1, 4, 2, 5, 3, 6}), 3,
                     [&](ValueRange v) { return l.make<arith::AddFOp>(v[1], v[0]); });
    return cells({lists, runs, total}, type, {sums, exist}, {all(4), pick(4, {0})}, [&](ValueRange v) {
      Value row = place(2), block = place(3), first = mul(row, run), start = mul(block, length);
      Value left = l.make<arith::MinSIOp>(l.make<arith::SubIOp>(integer(queries), first), integer(run));
      Value counted = l.make<arith::DivSIOp>(l.make<arith::AddIOp>(left, integer(step - 1)), integer(step));
      Value mass = l.make<arith::DivFOp>(v[0], l.make<arith::SIToFPOp>(type, mul(counted, perList)));
      Value isNaN = l.make<arith::CmpFOp>(arith::CmpFPredicate::UNO, mass, mass);
      Value rank = l.make<arith::SelectOp>(isNaN, number(kNaN), mass);
      Value kept = less(block, integer(op.getSink()));
      if (op.getLocal() > 0) {
        Value behind = mul(l.make<arith::AddIOp>(block, integer(op.getLocal())), length);
        Value from = l.make<arith::AddIOp>(first, l.make<arith::SubIOp>(v[1], integer(queries)));
        Value isLocal = both(l.compare(arith::CmpIPredicate::sgt, behind, from),
                             l.compare(arith::CmpIPredicate::sle, start, lastPlace(row, run, v[1])));
        kept = l.make<arith::OrIOp>(kept, isLocal);
      }
      rank = l.make<arith::SelectOp>(kept, l.make<arith::AddFOp>(rank, number(kKept)), rank);
      return l.make<arith::SelectOp>(sees(row, run, block, length, v[1]), rank, number(kHidden));
    });
  }

  /// The numbers of blocks that are taken, of those in the order of their ranks; N in place of the others.
  Value cutOff(Value ranks, Value order) {
    auto compare = [&](arith::CmpFPredicate predicate, Value x, double y) {
      return l.make<arith::CmpFOp>(predicate, x, number(y));
    };
    auto isKept = [&](Value rank) { return compare(arith::CmpFPredicate::OGE, rank, kKept); };
    SmallVector<Value> inputs{ranks, order};
    if (op.getMass())
      inputs.push_back(sum({lists, runs, room}, number(0), ranks, pick(5, {0, 1, 2, 4}), 1, [&](ValueRange v) {
        Value mass = l.make<arith::SelectOp>(isKept(v[0]), l.make<arith::SubFOp>(v[0], number(kKept)), v[0]);
        mass = l.make<arith::MaximumFOp>(mass, number(0));
        Value before = less(place(4), place(3));
        return l.make<arith::AddFOp>(v[1], l.make<arith::SelectOp>(before, mass, number(0)));
      }));
    SmallVector<AffineMap> maps(inputs.size(), all(4));
    return cells({lists, runs, room}, rewriter.getI64Type(), inputs, maps, [&](ValueRange v) {
      Value taken = compare(arith::CmpFPredicate::OGE, v[0], 0), passes;
      auto require = [&](Value condition) { passes = passes ? both(passes, condition) : condition; };
      if (op.getThreshold()) {
        require(compare(arith::CmpFPredicate::OGT, v[0], op.getThreshold()->convertToDouble()));
        require(compare(arith::CmpFPredicate::OLT, v[0], kNaN));
      }
      if (op.getMass())
        require(compare(arith::CmpFPredicate::OLT, v[2], op.getMass()->convertToDouble()));
      if (passes)
        taken = both(taken, l.make<arith::OrIOp>(isKept(v[0]), passes));
      return l.make<arith::SelectOp>(taken, v[1], integer(total));
    });
  }

  IRRewriter &rewriter;
  SelectBlocksOp op;
  LoopBuilder l;
  RankedTensorType shape; ///< of the query
  FloatType type;         ///< of scores and masses
  int64_t queries, depth, heads, total, length, run;
  int64_t groups, step, keyStep, runs, rows, columns, lists, room;
  bool isStrided;
  OpFoldResult batches;
  Value exist;
};

} // namespace

void tolinalg::lower(IRRewriter &rewriter, SelectBlocksOp op) {
  rewriter.setInsertionPoint(op);
  Selector(rewriter, op).select();
}
