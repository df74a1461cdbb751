//===- MaskRules.cpp - which keys a query sees ---------------------------------------===//
//
// Each rule is written once, over an arithmetic that is numbers here and IR there: what a pair sees, an interval that
// holds all that some rows see (hull), one that they all see (full), and what is known of a tile (classify).
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Masks.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tenon;

namespace {

/// Arithmetic on numbers.
struct Numbers {
  using Index = int64_t;
  using Bool = bool;
  MaskReader reader;
  Index head = 0, query = 0, key = 0; ///< where a pair reads its operands

  Index constant(int64_t value) { return value; }
  Index add(Index a, Index b) { return a + b; }
  Index sub(Index a, Index b) { return a - b; }
  Index mul(Index a, Index b) { return a * b; }
  Index div(Index a, int64_t b) { return a / b; }
  Index rem(Index a, int64_t b) { return a % b; }
  Index min(Index a, Index b) { return std::min(a, b); }
  Index max(Index a, Index b) { return std::max(a, b); }
  Bool lessEqual(Index a, Index b) { return a <= b; }
  Bool equal(Index a, Index b) { return a == b; }
  Bool truth(bool value) { return value; }
  Bool both(Bool a, Bool b) { return a && b; }
  Bool either(Bool a, Bool b) { return a || b; }
  Bool invert(Bool a) { return !a; }
  Index select(Bool condition, Index a, Index b) { return condition ? a : b; }

  Index read(unsigned number) { return reader(number, head, query, key); }
  template <typename Compute> Index along(bool ofKeys, Compute compute) { return compute(ofKeys ? key : query); }
  /// The lowest and the highest element of an operand for queries, or for keys, from `from` to before `to`.
  KeyRange<Index> scan(unsigned number, bool ofKeys, Index from, Index to) {
    KeyRange<Index> range{std::numeric_limits<Index>::max(), std::numeric_limits<Index>::min()};
    for (Index i = from; i < to; ++i) {
      Index element = reader(number, head, ofKeys ? 0 : i, ofKeys ? i : 0);
      range = {std::min(range.low, element), std::max(range.high, element)};
    }
    return range;
  }
};

/// The same as IR.
struct Values {
  using Index = Value;
  using Bool = Value;
  OpBuilder &builder;
  Location loc;
  const MaskPairHooks *hooks = nullptr;                                                                ///< of a pair
  function_ref<KeyRange<Value>(unsigned number, bool ofKeys, Value from, Value to)> scanner = nullptr; ///< of a tile

  template <typename Op> Value make(Value a, Value b) { return builder.createOrFold<Op>(loc, a, b); }
  Value compare(arith::CmpIPredicate how, Value a, Value b) {
    return builder.createOrFold<arith::CmpIOp>(loc, how, a, b);
  }
  Index constant(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }
  Index add(Index a, Index b) { return make<arith::AddIOp>(a, b); }
  Index sub(Index a, Index b) { return make<arith::SubIOp>(a, b); }
  Index mul(Index a, Index b) { return make<arith::MulIOp>(a, b); }
  Index div(Index a, int64_t b) { return b == 1 ? a : make<arith::DivSIOp>(a, constant(b)); }
  Index rem(Index a, int64_t b) { return b == 1 ? constant(0) : make<arith::RemSIOp>(a, constant(b)); }
  Index min(Index a, Index b) { return make<arith::MinSIOp>(a, b); }
  Index max(Index a, Index b) { return make<arith::MaxSIOp>(a, b); }
  Bool lessEqual(Index a, Index b) { return compare(arith::CmpIPredicate::sle, a, b); }
  Bool equal(Index a, Index b) { return compare(arith::CmpIPredicate::eq, a, b); }
  Bool truth(bool value) { return arith::ConstantOp::create(builder, loc, builder.getBoolAttr(value)).getResult(); }
  Bool both(Bool a, Bool b) { return make<arith::AndIOp>(a, b); }
  Bool either(Bool a, Bool b) { return make<arith::OrIOp>(a, b); }
  Bool invert(Bool a) { return make<arith::XOrIOp>(a, truth(true)); }
  Index select(Bool condition, Index a, Index b) { return builder.createOrFold<arith::SelectOp>(loc, condition, a, b); }

  Index read(unsigned number) { return hooks->read(number); }
  template <typename Compute> Index along(bool ofKeys, Compute compute) { return hooks->along(ofKeys, compute); }
  KeyRange<Index> scan(unsigned number, bool ofKeys, Index from, Index to) { return scanner(number, ofKeys, from, to); }
};

/// One dim of a neighborhood.
struct GridDim {
  int64_t length, inner, size, stride, dilation;
  bool causal, outermost;
};

SmallVector<GridDim> getDims(NeighborhoodAttr mask) {
  SmallVector<GridDim> dims;
  int64_t inner = 1;
  for (int64_t dim = mask.getGrid().size() - 1; dim >= 0; --dim) {
    dims.push_back({mask.getGrid()[dim], inner, mask.getSize()[dim], mask.getStride()[dim], mask.getDilation()[dim],
                    mask.getCausal()[dim] != 0, dim == 0});
    inner *= mask.getGrid()[dim];
  }
  return dims;
}

template <typename Arith> class Rules {
  using Index = typename Arith::Index;
  using Bool = typename Arith::Bool;
  using Range = KeyRange<Index>;
  using Class = TileClass<Bool>;

public:
  Rules(Arith arith, const MaskRows<Index> &rows) : arith(arith), rows(rows) {}

  /// Whether the first row sees key `k`.
  Bool allows(Attribute mask, Index k) {
    Index q = rows.first;
    if (!mask)
      return arith.truth(true);
    if (auto causal = dyn_cast<CausalAttr>(mask))
      return arith.lessEqual(k, place(q, causal.getAlign()));
    if (auto window = dyn_cast<WindowAttr>(mask))
      return isBetween(sub(k, place(q, window.getAlign())), window.getLeft(), window.getRight(), 1);
    if (auto prefix = dyn_cast<PrefixAttr>(mask))
      return arith.lessEqual(add(k, 1), arith.constant(prefix.getLength()));
    if (auto dilated = dyn_cast<DilatedAttr>(mask)) {
      int64_t dilation = dilated.getDilation();
      Bool near = isBetween(sub(k, place(q, dilated.getAlign())), dilated.getLeft(), dilated.getRight(), dilation);
      Index row = arith.along(false, [&](Index q) { return mod(place(q, dilated.getAlign()), dilation); });
      Index key = arith.along(true, [&](Index k) { return arith.rem(k, dilation); });
      return arith.both(near, arith.equal(row, key));
    }
    if (auto strided = dyn_cast<StridedAttr>(mask)) {
      Index column = arith.along(true, [&](Index k) { return getColumn(strided, k); });
      return arith.equal(column, arith.constant(strided.getOffset()));
    }
    if (auto near = dyn_cast<NeighborhoodAttr>(mask))
      return areNeighbors(near, k);
    if (auto document = dyn_cast<DocumentAttr>(mask))
      return arith.equal(arith.read(document.getQueries()), arith.read(document.getKeys()));
    if (auto interval = dyn_cast<KeyIntervalAttr>(mask))
      return arith.both(arith.lessEqual(arith.read(interval.getLow()), k),
                        arith.lessEqual(add(k, 1), arith.read(interval.getHigh())));
    if (auto inverted = dyn_cast<NotAttr>(mask))
      return arith.invert(allows(inverted.getMask(), k));
    if (auto heads = dyn_cast<PerHeadAttr>(mask)) {
      Bool result = arith.truth(false);
      for (auto [number, part] : llvm::enumerate(heads.getMasks()))
        result = arith.either(result, arith.both(isHead(heads, number), allows(part, k)));
      return result;
    }
    bool all = isa<AllOfAttr>(mask);
    Bool result = arith.truth(all);
    for (Attribute part : all ? cast<AllOfAttr>(mask).getMasks() : cast<AnyOfAttr>(mask).getMasks()) {
      Bool one = allows(part, k);
      result = all ? arith.both(result, one) : arith.either(result, one);
    }
    return result;
  }

  /// An interval that holds what the rows see.
  Range hull(Attribute mask) {
    Index zero = arith.constant(0);
    if (!mask)
      return {zero, rows.keys};
    if (auto causal = dyn_cast<CausalAttr>(mask))
      return clamp({zero, add(place(rows.last, causal.getAlign()), 1)});
    if (auto window = dyn_cast<WindowAttr>(mask))
      return clamp(between(place(rows.first, window.getAlign()), place(rows.last, window.getAlign()), window.getLeft(),
                           window.getRight(), 1));
    if (auto prefix = dyn_cast<PrefixAttr>(mask))
      return clamp({zero, arith.constant(prefix.getLength())});
    if (auto dilated = dyn_cast<DilatedAttr>(mask))
      return clamp(between(place(rows.first, dilated.getAlign()), place(rows.last, dilated.getAlign()),
                           dilated.getLeft(), dilated.getRight(), dilated.getDilation()));
    if (auto near = dyn_cast<NeighborhoodAttr>(mask))
      return clamp(hullOfGrid(near));
    if (auto interval = dyn_cast<KeyIntervalAttr>(mask))
      return clamp({scanRows(interval.getLow()).low, scanRows(interval.getHigh()).high});
    if (auto all = dyn_cast<AllOfAttr>(mask))
      return meet(all.getMasks(), [&](Attribute part) { return hull(part); });
    if (auto any = dyn_cast<AnyOfAttr>(mask)) {
      Range result = hull(any.getMasks()[0]);
      for (Attribute part : any.getMasks().drop_front())
        result = join(result, hull(part));
      return result;
    }
    if (auto heads = dyn_cast<PerHeadAttr>(mask))
      return ofHead(heads, [&](Attribute part) { return hull(part); });
    if (auto inverted = dyn_cast<NotAttr>(mask)) { // without what all rows see at an end
      Range whole = full(inverted.getMask());
      Bool some = arith.lessEqual(add(whole.low, 1), whole.high);
      Bool atStart = arith.both(some, arith.lessEqual(whole.low, zero));
      Bool atEnd = arith.both(some, arith.lessEqual(rows.keys, whole.high));
      return {arith.select(atStart, whole.high, zero), arith.select(atEnd, whole.low, rows.keys)};
    }
    return {zero, rows.keys};
  }

  /// An interval that all rows see whole.
  Range full(Attribute mask) {
    Index zero = arith.constant(0);
    if (auto causal = dyn_cast<CausalAttr>(mask))
      return clamp({zero, add(place(rows.first, causal.getAlign()), 1)});
    if (auto window = dyn_cast<WindowAttr>(mask))
      return clamp(between(place(rows.last, window.getAlign()), place(rows.first, window.getAlign()), window.getLeft(),
                           window.getRight(), 1));
    if (auto prefix = dyn_cast<PrefixAttr>(mask))
      return clamp({zero, arith.constant(prefix.getLength())});
    if (auto interval = dyn_cast<KeyIntervalAttr>(mask))
      return clamp({scanRows(interval.getLow()).high, scanRows(interval.getHigh()).low});
    if (auto all = dyn_cast<AllOfAttr>(mask))
      return meet(all.getMasks(), [&](Attribute part) { return full(part); });
    if (auto any = dyn_cast<AnyOfAttr>(mask)) {
      Range result = full(any.getMasks()[0]);
      for (Attribute part : any.getMasks().drop_front())
        result = longer(result, full(part));
      return result;
    }
    if (auto heads = dyn_cast<PerHeadAttr>(mask))
      return ofHead(heads, [&](Attribute part) { return full(part); });
    if (auto inverted = dyn_cast<NotAttr>(mask)) { // what is left before and behind what they may see
      Range seen = hull(inverted.getMask());
      Bool none = arith.lessEqual(seen.high, seen.low);
      Range before{zero, arith.select(none, rows.keys, seen.low)},
          behind{arith.select(none, zero, seen.high), rows.keys};
      return longer(before, behind);
    }
    return {zero, zero};
  }

  Class classify(Attribute mask, Range tile) {
    if (!mask)
      return {arith.truth(false), arith.truth(true)};
    if (auto inverted = dyn_cast<NotAttr>(mask)) {
      Class part = classify(inverted.getMask(), tile);
      return {part.full, part.empty};
    }
    if (auto heads = dyn_cast<PerHeadAttr>(mask)) {
      Class result{arith.truth(false), arith.truth(false)};
      for (auto [number, part] : llvm::enumerate(heads.getMasks())) {
        Class one = classify(part, tile);
        Bool mine = isHead(heads, number);
        result = {arith.either(result.empty, arith.both(mine, one.empty)),
                  arith.either(result.full, arith.both(mine, one.full))};
      }
      return result;
    }
    if (isa<AllOfAttr, AnyOfAttr>(mask)) {
      bool all = isa<AllOfAttr>(mask);
      Class result{arith.truth(!all), arith.truth(all)};
      for (Attribute part : all ? cast<AllOfAttr>(mask).getMasks() : cast<AnyOfAttr>(mask).getMasks()) {
        Class one = classify(part, tile);
        result = all ? Class{arith.either(result.empty, one.empty), arith.both(result.full, one.full)}
                     : Class{arith.both(result.empty, one.empty), arith.either(result.full, one.full)};
      }
      return result;
    }
    if (auto dilated = dyn_cast<DilatedAttr>(mask))
      return classifyDilated(dilated, tile);
    if (auto strided = dyn_cast<StridedAttr>(mask))
      return classifyStrided(strided, tile);
    if (auto near = dyn_cast<NeighborhoodAttr>(mask))
      return classifyGrid(near, tile);
    if (auto document = dyn_cast<DocumentAttr>(mask)) {
      Range mine = scanRows(document.getQueries()), theirs = arith.scan(document.getKeys(), true, tile.low, tile.high);
      Bool apart =
          arith.either(arith.lessEqual(add(mine.high, 1), theirs.low), arith.lessEqual(add(theirs.high, 1), mine.low));
      Bool one = arith.both(arith.equal(mine.low, mine.high), arith.equal(theirs.low, theirs.high));
      return {apart, arith.both(one, arith.equal(mine.low, theirs.low))};
    }
    Range may = hull(mask), must = full(mask);
    Bool none = arith.lessEqual(may.high, may.low);
    Bool misses = arith.either(arith.lessEqual(tile.high, may.low), arith.lessEqual(may.high, tile.low));
    return {arith.either(none, misses),
            arith.both(arith.lessEqual(must.low, tile.low), arith.lessEqual(tile.high, must.high))};
  }

private:
  Index add(Index a, int64_t b) { return arith.add(a, arith.constant(b)); }
  Index sub(Index a, Index b) { return arith.sub(a, b); }
  /// Not negative for negative a.
  Index mod(Index a, int64_t b) {
    Index rest = arith.rem(a, b);
    return b == 1 ? rest : arith.select(arith.lessEqual(arith.constant(0), rest), rest, add(rest, b));
  }
  Index place(Index q, MaskAlign align) {
    return align == MaskAlign::start ? q : arith.add(q, sub(rows.keys, rows.queries));
  }
  Range scanRows(unsigned number) { return arith.scan(number, false, rows.first, add(rows.last, 1)); }
  Bool isHead(PerHeadAttr mask, int64_t number) {
    return arith.equal(arith.rem(rows.head, mask.getMasks().size()), arith.constant(number));
  }
  template <typename Part> Range ofHead(PerHeadAttr heads, Part part) {
    Range result = part(heads.getMasks()[0]);
    for (auto [number, mask] : llvm::enumerate(heads.getMasks().drop_front())) {
      Range next = part(mask);
      Bool mine = isHead(heads, number + 1);
      result = {arith.select(mine, next.low, result.low), arith.select(mine, next.high, result.high)};
    }
    return result;
  }

  //===--------------------------------------------------------------------===//
  // Intervals
  //===--------------------------------------------------------------------===//

  /// count * step, or what is farther than any key.
  static int64_t reach(int64_t count, int64_t step) {
    constexpr int64_t kFar = int64_t(1) << 60;
    return count > kFar / step ? kFar : count * step;
  }
  /// Whether -left * step <= distance <= right * step.
  Bool isBetween(Index distance, int64_t left, int64_t right, int64_t step) {
    Bool result = arith.truth(true);
    if (left >= 0)
      result = arith.both(result, arith.lessEqual(arith.constant(-reach(left, step)), distance));
    if (right >= 0)
      result = arith.both(result, arith.lessEqual(distance, arith.constant(reach(right, step))));
    return result;
  }
  /// From the left bound of the place `from` to the right one of `to`.
  Range between(Index from, Index to, int64_t left, int64_t right, int64_t step) {
    return {left < 0 ? arith.constant(0) : add(from, -reach(left, step)),
            right < 0 ? rows.keys : add(to, reach(right, step) + 1)};
  }
  Range clamp(Range range) {
    Index zero = arith.constant(0);
    return {arith.min(arith.max(range.low, zero), rows.keys), arith.min(arith.max(range.high, zero), rows.keys)};
  }
  template <typename Part> Range meet(ArrayRef<Attribute> masks, Part part) {
    Range result = part(masks[0]);
    for (Attribute mask : masks.drop_front()) {
      Range next = part(mask);
      result = {arith.max(result.low, next.low), arith.min(result.high, next.high)};
    }
    return result;
  }
  /// The hull of both; an empty range adds nothing.
  Range join(Range a, Range b) {
    Bool none = arith.lessEqual(b.high, b.low), was = arith.lessEqual(a.high, a.low);
    return {arith.select(none, a.low, arith.select(was, b.low, arith.min(a.low, b.low))),
            arith.select(none, a.high, arith.select(was, b.high, arith.max(a.high, b.high)))};
  }
  Range longer(Range a, Range b) {
    Bool second = arith.lessEqual(sub(a.high, a.low), sub(b.high, b.low));
    return {arith.select(second, b.low, a.low), arith.select(second, b.high, a.high)};
  }

  //===--------------------------------------------------------------------===//
  // Steps
  //===--------------------------------------------------------------------===//

  Index getColumn(StridedAttr mask, Index k) { return arith.rem(arith.div(k, mask.getBlock()), mask.getStride()); }

  Class classifyDilated(DilatedAttr mask, Range tile) {
    // The distances in the tile are all from the first to the last; a multiple that the window holds is wanted.
    int64_t dilation = mask.getDilation();
    Index low = sub(tile.low, place(rows.last, mask.getAlign()));
    Index high = sub(add(tile.high, -1), place(rows.first, mask.getAlign()));
    Index first = mask.getLeft() < 0 ? low : arith.max(low, arith.constant(-reach(mask.getLeft(), dilation)));
    Index last = mask.getRight() < 0 ? high : arith.min(high, arith.constant(reach(mask.getRight(), dilation)));
    // From `first` to the multiple at it or behind it.
    Bool some = arith.lessEqual(mod(sub(arith.constant(0), first), dilation), sub(last, first));
    Bool within = arith.both(arith.equal(first, low), arith.equal(last, high));
    Bool multiples = dilation == 1 ? arith.truth(true) : arith.both(arith.equal(low, high), some);
    return {arith.invert(some), arith.both(within, multiples)};
  }

  Class classifyStrided(StridedAttr mask, Range tile) {
    // Blocks of keys; how far the first of them is from one of the right column.
    Index low = arith.div(tile.low, mask.getBlock()), high = arith.div(add(tile.high, -1), mask.getBlock());
    Bool some = arith.lessEqual(mod(sub(arith.constant(mask.getOffset()), low), mask.getStride()), sub(high, low));
    Bool one = mask.getStride() == 1 ? arith.truth(true) : arith.equal(low, high);
    return {arith.invert(some), arith.both(some, one)};
  }

  //===--------------------------------------------------------------------===//
  // Grids
  //===--------------------------------------------------------------------===//

  Index coordinate(Index place, const GridDim &dim) {
    Index outer = arith.div(place, dim.inner);
    return dim.outermost ? outer : arith.rem(outer, dim.length);
  }
  /// Where the window of number `y` of `count` starts.
  Index getStart(Index y, Index count, const GridDim &dim) {
    Index last = add(count, -1), group = arith.mul(arith.div(y, dim.stride), arith.constant(dim.stride));
    if (dim.causal)
      return arith.max(add(arith.min(add(group, dim.stride - 1), last), 1 - dim.size), arith.constant(0));
    Index leader = arith.min(add(group, dim.stride / 2), last);
    return arith.min(arith.max(add(leader, -(dim.size / 2)), arith.constant(0)), add(count, -dim.size));
  }
  /// How many coordinates have the remainder of `x`.
  Index count(Index x, const GridDim &dim) {
    return arith.div(sub(arith.constant(dim.length + dim.dilation - 1), arith.rem(x, dim.dilation)), dim.dilation);
  }

  Bool areNeighbors(NeighborhoodAttr mask, Index k) {
    SmallVector<GridDim> dims = getDims(mask);
    int64_t places = dims.back().inner * dims.back().length;
    Index p = place(rows.first, mask.getAlign());
    Bool result = arith.both(
        arith.both(arith.lessEqual(arith.constant(0), p), arith.lessEqual(add(p, 1), arith.constant(places))),
        arith.lessEqual(add(k, 1), arith.constant(places)));
    for (const GridDim &dim : dims) {
      auto x = [&](Index q) { return coordinate(arith.max(place(q, mask.getAlign()), arith.constant(0)), dim); };
      Index number = arith.along(true, [&](Index k) { return arith.div(coordinate(k, dim), dim.dilation); });
      Index start = arith.along(false, [&](Index q) {
        Index at = x(q);
        return getStart(arith.div(at, dim.dilation), count(at, dim), dim);
      });
      Index end = dim.causal ? arith.along(false, [&](Index q) { return add(arith.div(x(q), dim.dilation), 1); })
                             : add(start, dim.size);
      result = arith.both(result, arith.both(arith.lessEqual(start, number), arith.lessEqual(add(number, 1), end)));
      if (dim.dilation == 1)
        continue;
      Index mine = arith.along(false, [&](Index q) { return arith.rem(x(q), dim.dilation); });
      Index theirs = arith.along(true, [&](Index k) { return arith.rem(coordinate(k, dim), dim.dilation); });
      result = arith.both(result, arith.equal(mine, theirs));
    }
    return result;
  }

  /// The coordinates in one dim of places from `low` to `high`, both included.
  Range coordinates(Index low, Index high, const GridDim &dim) {
    if (dim.outermost)
      return {coordinate(low, dim), coordinate(high, dim)};
    Bool same = arith.equal(arith.div(low, dim.inner * dim.length), arith.div(high, dim.inner * dim.length));
    return {arith.select(same, coordinate(low, dim), arith.constant(0)),
            arith.select(same, coordinate(high, dim), arith.constant(dim.length - 1))};
  }
  /// The rows' places on the grid, both included; none where the first is behind the last.
  Range placesOfRows(NeighborhoodAttr mask, int64_t places) {
    return {arith.max(place(rows.first, mask.getAlign()), arith.constant(0)),
            arith.min(place(rows.last, mask.getAlign()), arith.constant(places - 1))};
  }
  /// The lowest and the highest coordinate that coordinates from `x.low` to `x.high` see; dilated windows are taken for
  /// whole.
  Range windows(Range x, const GridDim &dim) {
    Index fewest = arith.constant(dim.length / dim.dilation);
    Index most = arith.constant((dim.length + dim.dilation - 1) / dim.dilation);
    Index low = arith.mul(getStart(arith.div(x.low, dim.dilation), fewest, dim), arith.constant(dim.dilation));
    if (dim.causal)
      return {low, x.high};
    Index last = add(getStart(arith.div(x.high, dim.dilation), most, dim), dim.size - 1);
    Index high = add(arith.mul(last, arith.constant(dim.dilation)), dim.dilation - 1);
    return {low, arith.min(high, arith.constant(dim.length - 1))};
  }

  Range hullOfGrid(NeighborhoodAttr mask) {
    SmallVector<GridDim> dims = getDims(mask);
    Range p = placesOfRows(mask, dims.back().inner * dims.back().length);
    Index low = arith.constant(0), high = arith.constant(1);
    for (const GridDim &dim : dims) {
      Range seen = windows(coordinates(p.low, p.high, dim), dim);
      low = arith.add(low, arith.mul(seen.low, arith.constant(dim.inner)));
      high = arith.add(high, arith.mul(seen.high, arith.constant(dim.inner)));
    }
    return {low, arith.select(arith.lessEqual(p.low, p.high), high, low)};
  }

  Class classifyGrid(NeighborhoodAttr mask, Range tile) {
    SmallVector<GridDim> dims = getDims(mask);
    int64_t places = dims.back().inner * dims.back().length;
    Range p = placesOfRows(mask, places), k{tile.low, arith.min(add(tile.high, -1), arith.constant(places - 1))};
    Range may = hullOfGrid(mask);
    Bool empty = arith.either(arith.lessEqual(may.high, may.low), arith.lessEqual(add(k.high, 1), k.low));
    empty =
        arith.either(empty, arith.either(arith.lessEqual(add(k.high, 1), may.low), arith.lessEqual(may.high, k.low)));
    Bool full = arith.both(arith.equal(p.low, place(rows.first, mask.getAlign())),
                           arith.equal(p.high, place(rows.last, mask.getAlign())));
    full = arith.both(full, arith.lessEqual(tile.high, arith.constant(places)));
    for (const GridDim &dim : dims) {
      Range x = coordinates(p.low, p.high, dim), keys = coordinates(k.low, k.high, dim), seen = windows(x, dim);
      empty = arith.either(empty, arith.either(arith.lessEqual(add(keys.high, 1), seen.low),
                                               arith.lessEqual(add(seen.high, 1), keys.low)));
      if (dim.dilation != 1) {
        full = arith.truth(false);
        continue;
      }
      Index all = arith.constant(dim.length);
      Index end = dim.causal ? add(x.low, 1) : add(getStart(x.low, all, dim), dim.size);
      full = arith.both(full, arith.both(arith.lessEqual(getStart(x.high, all, dim), keys.low),
                                         arith.lessEqual(add(keys.high, 1), end)));
    }
    return {empty, full};
  }

  Arith arith;
  MaskRows<Index> rows;
};

} // namespace

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

bool tenon::allowsKey(Attribute mask, const MaskRows<int64_t> &rows, int64_t k, MaskReader read) {
  return Rules<Numbers>({read, rows.head, rows.first, k}, rows).allows(mask, k);
}

KeyRange<int64_t> tenon::getKeyRange(Attribute mask, const MaskRows<int64_t> &rows, MaskReader read) {
  return Rules<Numbers>({read, rows.head}, rows).hull(mask);
}

TileClass<bool> tenon::classifyTile(Attribute mask, const MaskRows<int64_t> &rows, KeyRange<int64_t> keys,
                                    MaskReader read) {
  return Rules<Numbers>({read, rows.head}, rows).classify(mask, keys);
}

//===----------------------------------------------------------------------===//
// IR
//===----------------------------------------------------------------------===//

/// A loop over the elements of an operand.
static KeyRange<Value> buildScan(OpBuilder &builder, Location loc, Value from, Value to,
                                 function_ref<Value(Value at)> read) {
  auto constant = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(builder, loc, value); };
  SmallVector<Value> start{constant(std::numeric_limits<int64_t>::max()),
                           constant(std::numeric_limits<int64_t>::min())};
  auto loop = scf::ForOp::create(builder, loc, from, to, constant(1), start);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value element = read(loop.getInductionVar());
  Value low = arith::MinSIOp::create(builder, loc, loop.getRegionIterArgs()[0], element);
  Value high = arith::MaxSIOp::create(builder, loc, loop.getRegionIterArgs()[1], element);
  scf::YieldOp::create(builder, loc, ValueRange{low, high});
  return {loop.getResult(0), loop.getResult(1)};
}

MaskEmitter::MaskEmitter(OpBuilder &builder, Location loc, Attribute mask, const MaskRows<Value> &rows, Read read)
    : builder(builder), loc(loc), mask(mask), rows(rows), read(std::move(read)) {
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value end = builder.createOrFold<arith::AddIOp>(loc, rows.last, one);
  for (MaskOperand operand : getMaskOperands(mask)) {
    if (operand.ofKeys || llvm::any_of(scanned, [&](auto &known) { return known.first == operand.number; }))
      continue;
    scanned.emplace_back(operand.number, buildScan(builder, loc, rows.first, end, [&](Value at) {
                           return this->read(operand.number, rows.head, at, Value());
                         }));
  }
}

KeyRange<Value> MaskEmitter::getKeyRange() {
  auto scan = [&](unsigned number, bool, Value, Value) {
    return llvm::find_if(scanned, [&](auto &known) { return known.first == number; })->second;
  };
  return Rules<Values>({builder, loc, nullptr, scan}, rows).hull(mask);
}

TileClass<Value> MaskEmitter::classify(KeyRange<Value> keys) {
  auto scan = [&](unsigned number, bool ofKeys, Value from, Value to) -> KeyRange<Value> {
    if (ofKeys)
      return buildScan(builder, loc, from, to, [&](Value at) { return read(number, rows.head, Value(), at); });
    return llvm::find_if(scanned, [&](auto &known) { return known.first == number; })->second;
  };
  return Rules<Values>({builder, loc, nullptr, scan}, rows).classify(mask, keys);
}

Value tenon::buildAllowsKey(OpBuilder &builder, Location loc, Attribute mask, const MaskRows<Value> &rows, Value k,
                            const MaskPairHooks &hooks) {
  return Rules<Values>({builder, loc, &hooks}, rows).allows(mask, k);
}
