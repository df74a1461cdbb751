//===- Select.cpp - tenon.top_k, tenon.sort and tenon.segment_reduce as linalg and loops ------===//
//
// Sorting counts: an element's place is the number of elements before it. Quadratic along the axis, but without
// control flow, parallel and stable; so are few elements chosen. Of long lines the first ones are kept in a short list.
//
//===----------------------------------------------------------------------===//
#include "Experts.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::tolinalg;

Value LoopBuilder::isLarger(Value x, Value y) {
  if (!isa<FloatType>(x.getType()))
    return compare(x.getType().isInteger(1) ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::sgt, x, y);
  // Not (x <= y), with NaN or without, but where y is NaN.
  Value greater = make<arith::CmpFOp>(arith::CmpFPredicate::UGT, x, y);
  return make<arith::AndIOp>(greater, make<arith::CmpFOp>(arith::CmpFPredicate::ORD, y, y));
}

SmallVector<Value> LoopBuilder::loop(Value low, Value high, ArrayRef<Value> carried, LoopBody body) {
  auto made = scf::ForOp::create(b, loc, low, high, at(1), carried, [](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(made.getBody());
  SmallVector<Value> inside(made.getRegionIterArgs());
  scf::YieldOp::create(b, loc, body(made.getInductionVar(), inside));
  return SmallVector<Value>(made.getResults());
}

Value LoopBuilder::reduce(ArrayRef<OpFoldResult> sizes, Value init, ValueRange inputs, ArrayRef<AffineMap> maps,
                          unsigned reduced, Body body) {
  unsigned rank = sizes.size();
  SmallVector<AffineMap> all(maps);
  all.push_back(b.getMultiDimIdentityMap(rank + reduced).getMajorSubMap(rank));
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  iterators.append(reduced, utils::IteratorType::reduction);
  Value start = filled(sizes, init);
  return linalg::GenericOp::create(b, loc, TypeRange{start.getType()}, inputs, ValueRange{start}, all, iterators,
                                   [&](OpBuilder &nested, Location, ValueRange arguments) {
                                     OpBuilder::InsertionGuard guard(b);
                                     b.setInsertionPointToEnd(nested.getInsertionBlock());
                                     linalg::YieldOp::create(b, loc, body(b, loc, arguments));
                                   })
      .getResult(0);
}

/// The `count` first elements of each line of `input` and their indices.
static void select(IRRewriter &rewriter, Operation *op, Value input, int64_t axis, OpFoldResult count, bool largest) {
  LoopBuilder l(rewriter, op->getLoc());
  Sizes sizes = l.sizesOf(input), results = sizes;
  results[axis] = count;
  unsigned rank = sizes.size();
  auto lineAt = [&](unsigned dim) { // the line's element at loop `dim`
    SmallVector<AffineExpr> exprs;
    for (unsigned i = 0; i < rank; ++i)
      exprs.push_back(l.dim(i == axis ? dim : i));
    return AffineMap::get(rank + 1, 0, exprs, rewriter.getContext());
  };
  AffineMap mine = lineAt(axis), others = lineAt(rank);
  Value zero = arith::ConstantOp::create(rewriter, l.loc, rewriter.getI64IntegerAttr(0));
  Value places = l.reduce(sizes, zero, {input, input}, {mine, others}, 1, [&](OpBuilder &, Location, ValueRange v) {
    Value me = linalg::IndexOp::create(rewriter, l.loc, axis), other = linalg::IndexOp::create(rewriter, l.loc, rank);
    Value before = largest ? l.isLarger(v[1], v[0]) : l.isLarger(v[0], v[1]);
    Value after = largest ? l.isLarger(v[0], v[1]) : l.isLarger(v[1], v[0]);
    // Of equals the lower index.
    Value tie = l.compare(arith::CmpIPredicate::ult, other, me);
    Value isTie = l.compare(arith::CmpIPredicate::eq, before, after);
    Value first = l.make<arith::OrIOp>(before, l.make<arith::AndIOp>(isTie, tie));
    return l.make<arith::AddIOp>(v[2], l.make<arith::ExtUIOp>(rewriter.getI64Type(), first));
  });
  Value indices = l.reduce(results, zero, places, others, 1, [&](OpBuilder &, Location, ValueRange v) {
    Value place = l.toI64(linalg::IndexOp::create(rewriter, l.loc, axis));
    Value index = l.toI64(linalg::IndexOp::create(rewriter, l.loc, rank));
    Value hit = l.compare(arith::CmpIPredicate::eq, v[0], place);
    return l.make<arith::AddIOp>(v[1], l.make<arith::SelectOp>(hit, index, zero));
  });
  Value values = l.elementwise(
      results, getElementTypeOrSelf(input.getType()), indices, rewriter.getMultiDimIdentityMap(rank),
      [&](OpBuilder &b, Location loc, ValueRange v) {
        SmallVector<Value> place;
        for (unsigned i = 0; i < rank; ++i)
          place.push_back(i == axis ? arith::IndexCastOp::create(b, loc, b.getIndexType(), v[0]).getResult()
                                    : linalg::IndexOp::create(b, loc, i).getResult());
        return tensor::ExtractOp::create(b, loc, input, place).getResult();
      });
  rewriter.replaceOp(op, {l.castTo(values, op->getResult(0).getType()), l.castTo(indices, op->getResult(1).getType())});
}

/// Lines up to this length are counted.
static constexpr int64_t kMaxCounted = 16;

/// The `count` first elements of each line, kept in order while the line is read once. An element that comes before the
/// last one kept moves through the list and pushes out the last; of equals the earlier one stays in front.
static void selectInLists(IRRewriter &rewriter, Operation *op, Value input, int64_t axis, OpFoldResult count,
                          bool largest) {
  LoopBuilder l(rewriter, op->getLoc());
  Sizes sizes = l.sizesOf(input), results = sizes;
  results[axis] = count;
  Type element = getElementTypeOrSelf(input.getType());
  Value none = arith::ConstantOp::create(rewriter, l.loc, rewriter.getZeroAttr(element));
  Value noIndex = arith::ConstantOp::create(rewriter, l.loc, rewriter.getI64IntegerAttr(0));
  Value zero = l.at(0), one = l.at(1), room = l.indexValue(count), last = l.make<arith::SubIOp>(room, one);
  Value no = arith::ConstantOp::create(rewriter, l.loc, rewriter.getBoolAttr(false));
  // No list, nothing to read.
  Value length =
      l.make<arith::SelectOp>(l.compare(arith::CmpIPredicate::eq, room, zero), zero, l.indexValue(sizes[axis]));
  SmallVector<Value> extents = llvm::map_to_vector(sizes, [&](OpFoldResult size) { return l.indexValue(size); });
  SmallVector<Value> place(sizes.size());
  auto comesBefore = [&](Value x, Value y) { return largest ? l.isLarger(x, y) : l.isLarger(y, x); };
  auto at = [&](Value i) {
    place[axis] = i;
    return place;
  };
  std::function<SmallVector<Value>(unsigned, ArrayRef<Value>)> nest = [&](unsigned dim, ArrayRef<Value> lists) {
    if (dim < sizes.size()) {
      if (dim == axis)
        return nest(dim + 1, lists);
      return l.loop(zero, extents[dim], lists, [&](Value i, ArrayRef<Value> lists) {
        place[dim] = i;
        return nest(dim + 1, lists);
      });
    }
    return l.loop(zero, length, lists, [&](Value i, ArrayRef<Value> lists) {
      Value value = l.load(input, at(i)), kept = l.make<arith::MinSIOp>(i, room);
      Value isOpen = l.compare(arith::CmpIPredicate::slt, kept, room);
      Value enters = l.make<arith::OrIOp>(isOpen, comesBefore(value, l.load(lists[0], at(last))));
      Value steps =
          l.make<arith::SelectOp>(enters, l.make<arith::MinSIOp>(l.make<arith::AddIOp>(kept, one), room), zero);
      // Behind the place that the element takes, everything moves.
      SmallVector<Value> carried{lists[0], lists[1], value, l.toI64(i), no};
      SmallVector<Value> moved =
          l.loop(zero, steps, carried, [&](Value j, ArrayRef<Value> carried) -> SmallVector<Value> {
            Value thereValue = l.load(carried[0], at(j)), thereIndex = l.load(carried[1], at(j));
            Value isFree = l.compare(arith::CmpIPredicate::sge, j, kept);
            Value takes =
                l.make<arith::OrIOp>(l.make<arith::OrIOp>(isFree, carried[4]), comesBefore(carried[2], thereValue));
            Value newValue = l.make<arith::SelectOp>(takes, carried[2], thereValue);
            Value newIndex = l.make<arith::SelectOp>(takes, carried[3], thereIndex);
            return {l.store(newValue, carried[0], at(j)), l.store(newIndex, carried[1], at(j)),
                    l.make<arith::SelectOp>(takes, thereValue, carried[2]),
                    l.make<arith::SelectOp>(takes, thereIndex, carried[3]), takes};
          });
      return SmallVector<Value>{moved[0], moved[1]};
    });
  };
  SmallVector<Value> made = nest(0, {l.filled(results, none), l.filled(results, noIndex)});
  rewriter.replaceOp(op,
                     {l.castTo(made[0], op->getResult(0).getType()), l.castTo(made[1], op->getResult(1).getType())});
}

/// Where the user's model has the op, to begin a message of the run time with.
static std::string getPlace(Location loc) {
  if (auto name = dyn_cast<NameLoc>(loc)) { // "node (Operator)"
    auto [node, kind] = name.getName().getValue().rsplit(" (");
    return ("node '" + node + (kind.empty() ? "': " : "' (" + kind + ": ")).str();
  }
  if (auto line = dyn_cast<FileLineColLoc>(loc))
    return (line.getFilename().getValue() + ":" + Twine(line.getLine()) + ": ").str();
  return "";
}

void tolinalg::lower(IRRewriter &rewriter, TopKOp op) {
  rewriter.setInsertionPoint(op);
  LoopBuilder l(rewriter, op.getLoc());
  OpFoldResult count = resultSizes(rewriter, op)[op.getAxis()], size = l.sizesOf(op.getInput())[op.getAxis()];
  if (!known(count) || !known(size)) {
    Value fits = l.compare(arith::CmpIPredicate::sle, l.indexValue(count), l.indexValue(size));
    Value counts = l.compare(arith::CmpIPredicate::sge, l.indexValue(count), l.at(0));
    cf::AssertOp::create(rewriter, op.getLoc(), l.make<arith::AndIOp>(fits, counts),
                         getPlace(op.getLoc()) + "expected 'k' from 0 to the size along 'axis'");
  }
  if (known(count) == 0 || (known(size) && *known(size) <= kMaxCounted))
    return select(rewriter, op, op.getInput(), op.getAxis(), count, !op.getSmallest());
  selectInLists(rewriter, op, op.getInput(), op.getAxis(), count, !op.getSmallest());
}

void tolinalg::lower(IRRewriter &rewriter, SortOp op) {
  rewriter.setInsertionPoint(op);
  LoopBuilder l(rewriter, op.getLoc());
  select(rewriter, op, op.getInput(), op.getAxis(), l.sizesOf(op.getInput())[op.getAxis()], op.getDescending());
}

//===----------------------------------------------------------------------===//
// Segments
//===----------------------------------------------------------------------===//

void tolinalg::lower(IRRewriter &rewriter, SegmentReduceOp op) {
  rewriter.setInsertionPoint(op);
  LoopBuilder l(rewriter, op.getLoc());
  auto type = cast<RankedTensorType>(op.getInput().getType());
  Type element = type.getElementType(), sumType = element;
  SegmentReduction kind = op.getKind();
  bool extreme = kind == SegmentReduction::max || kind == SegmentReduction::min, isMax = kind == SegmentReduction::max;
  auto floats = dyn_cast<FloatType>(element);
  if (!extreme && floats && floats.getWidth() < 32)
    sumType = rewriter.getF32Type();
  Sizes sizes = resultSizes(rewriter, op);
  // Rows of one dim.
  Value input = op.getInput(), offsets = op.getOffsets();
  Sizes inputSizes = l.sizesOf(input);
  OpFoldResult rows = inputSizes[0], segments = sizes[0], width = l.product(ArrayRef(sizes).drop_front());
  SmallVector<ReassociationIndices> groups{{0}, {}};
  for (int64_t dim = 1; dim < type.getRank(); ++dim)
    groups[1].push_back(dim);
  if (type.getRank() == 1)
    input = l.expand(input, {{0, 1}}, {rows, l.index(1)});
  else
    input = l.collapse(input, groups);

  TypedAttr start = rewriter.getZeroAttr(sumType);
  if (extreme && floats) {
    start = rewriter.getFloatAttr(element, APFloat::getInf(floats.getFloatSemantics(), isMax));
  } else if (extreme) {
    unsigned bits = element.getIntOrFloatBitWidth();
    APInt least = bits == 1 ? APInt(1, 0) : APInt::getSignedMinValue(bits);
    start = rewriter.getIntegerAttr(element, isMax ? least : ~least);
  }
  Value out = l.filled({segments, width}, arith::ConstantOp::create(rewriter, l.loc, start));
  Value end = l.indexValue(rows), columns = l.indexValue(width), zero = l.at(0), one = l.at(1);
  auto offsetAt = [&](Value number) { return l.clamp(l.toIndex(l.load(offsets, number)), zero, end); };
  auto combine = [&](Value so_far, Value next) -> Value {
    if (!extreme)
      return floats ? l.make<arith::AddFOp>(so_far, next) : l.make<arith::AddIOp>(so_far, next);
    if (floats)
      return isMax ? l.make<arith::MaximumFOp>(so_far, next) : l.make<arith::MinimumFOp>(so_far, next);
    Value larger = l.isLarger(so_far, next);
    return isMax ? l.make<arith::SelectOp>(larger, so_far, next) : l.make<arith::SelectOp>(larger, next, so_far);
  };
  out = l.loop(zero, l.indexValue(segments), out, [&](Value segment, ArrayRef<Value> outs) {
    Value low = offsetAt(segment), high = offsetAt(l.make<arith::AddIOp>(segment, one));
    return l.loop(low, high, outs, [&](Value row, ArrayRef<Value> outs) {
      return l.loop(zero, columns, outs, [&](Value column, ArrayRef<Value> outs) -> SmallVector<Value> {
        Value next = l.convert(l.load(input, {row, column}), sumType);
        return {l.store(combine(l.load(outs[0], {segment, column}), next), outs[0], {segment, column})};
      });
    });
  })[0];
  if (sumType != element || kind == SegmentReduction::mean)
    out = l.elementwise({segments, width}, element, out, rewriter.getMultiDimIdentityMap(2),
                        [&](OpBuilder &, Location, ValueRange v) {
                          OpBuilder::InsertionGuard guard(rewriter);
                          rewriter.setInsertionPointToEnd(v[0].getParentBlock());
                          Value value = v[0];
                          if (kind == SegmentReduction::mean) {
                            Value segment = linalg::IndexOp::create(rewriter, l.loc, 0);
                            Value after = arith::AddIOp::create(rewriter, l.loc, segment, one);
                            Value count = l.make<arith::SubIOp>(offsetAt(after), offsetAt(segment));
                            count = l.toI64(l.make<arith::MaxSIOp>(count, one));
                            value = l.make<arith::DivFOp>(value, l.make<arith::SIToFPOp>(sumType, count));
                          }
                          return l.convert(value, element);
                        });
  if (type.getRank() == 1)
    out = l.collapse(out, {{0, 1}});
  else
    out = l.expand(out, groups, sizes);
  rewriter.replaceOp(op, l.castTo(out, op.getType()));
}
