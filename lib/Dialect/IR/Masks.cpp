//===- Masks.cpp - which keys a query sees -------------------------------------------===//
//
// Each rule is written once, over an arithmetic that is numbers here and IR there.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Masks.h"
#include "tenon/Dialect/IR/Tenon.h"

using namespace mlir;
using namespace tenon;

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

bool tenon::isMask(Attribute attribute) {
  return isa_and_nonnull<CausalAttr, WindowAttr, PrefixAttr, AllOfAttr, AnyOfAttr, NotAttr>(attribute);
}

LogicalResult WindowAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t left, int64_t right, MaskAlign) {
  if (left < -1 || right < -1) // (C1)
    return emitError() << "expected bounds of a window of at least -1, but got " << left << " and " << right;
  return success();
}

LogicalResult PrefixAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t length) {
  if (length < 0) // (C1)
    return emitError() << "expected the length of a prefix to be at least 0, but got " << length;
  return success();
}

static LogicalResult verifyMasks(function_ref<InFlightDiagnostic()> emitError, ArrayRef<Attribute> masks) {
  if (masks.empty())
    return emitError() << "expected at least one mask to combine, but got none";
  for (Attribute mask : masks)
    if (!isMask(mask))
      return emitError() << "expected a mask to combine, but got " << mask;
  return success();
}

LogicalResult AllOfAttr::verify(function_ref<InFlightDiagnostic()> emitError, ArrayRef<Attribute> masks) {
  return verifyMasks(emitError, masks); // (C1)
}

LogicalResult AnyOfAttr::verify(function_ref<InFlightDiagnostic()> emitError, ArrayRef<Attribute> masks) {
  return verifyMasks(emitError, masks); // (C1)
}

LogicalResult NotAttr::verify(function_ref<InFlightDiagnostic()> emitError, Attribute mask) {
  return verifyMasks(emitError, mask); // (C1)
}

//===----------------------------------------------------------------------===//
// The rules
//===----------------------------------------------------------------------===//

namespace {

/// Arithmetic on numbers.
struct Numbers {
  using Index = int64_t;
  using Bool = bool;
  Index constant(int64_t value) { return value; }
  Index add(Index a, Index b) { return a + b; }
  Index sub(Index a, Index b) { return a - b; }
  Index min(Index a, Index b) { return std::min(a, b); }
  Index max(Index a, Index b) { return std::max(a, b); }
  Bool lessEqual(Index a, Index b) { return a <= b; }
  Bool truth(bool value) { return value; }
  Bool both(Bool a, Bool b) { return a && b; }
  Bool either(Bool a, Bool b) { return a || b; }
  Bool invert(Bool a) { return !a; }
  Index select(Bool condition, Index a, Index b) { return condition ? a : b; }
};

/// The same as IR.
struct Values {
  using Index = Value;
  using Bool = Value;
  OpBuilder &builder;
  Location loc;
  Index constant(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }
  Index add(Index a, Index b) { return builder.createOrFold<arith::AddIOp>(loc, a, b); }
  Index sub(Index a, Index b) { return builder.createOrFold<arith::SubIOp>(loc, a, b); }
  Index min(Index a, Index b) { return builder.createOrFold<arith::MinSIOp>(loc, a, b); }
  Index max(Index a, Index b) { return builder.createOrFold<arith::MaxSIOp>(loc, a, b); }
  Bool lessEqual(Index a, Index b) { return builder.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::sle, a, b); }
  Bool truth(bool value) { return arith::ConstantOp::create(builder, loc, builder.getBoolAttr(value)).getResult(); }
  Bool both(Bool a, Bool b) { return builder.createOrFold<arith::AndIOp>(loc, a, b); }
  Bool either(Bool a, Bool b) { return builder.createOrFold<arith::OrIOp>(loc, a, b); }
  Bool invert(Bool a) { return builder.createOrFold<arith::XOrIOp>(loc, a, truth(true)); }
  Index select(Bool condition, Index a, Index b) { return builder.createOrFold<arith::SelectOp>(loc, condition, a, b); }
};

template <typename Arith> class Rules {
  using Index = typename Arith::Index;
  using Bool = typename Arith::Bool;
  using Range = KeyRange<Index>;

public:
  Rules(Arith arith, Index queries, Index keys) : arith(arith), queries(queries), keys(keys) {}

  Bool allows(Attribute mask, Index q, Index k) {
    if (!mask)
      return arith.truth(true);
    if (auto causal = dyn_cast<CausalAttr>(mask))
      return arith.lessEqual(k, place(q, causal.getAlign()));
    if (auto window = dyn_cast<WindowAttr>(mask)) {
      Index p = place(q, window.getAlign());
      Bool result = arith.truth(true);
      if (window.getLeft() >= 0)
        result = arith.both(result, arith.lessEqual(arith.sub(p, arith.constant(window.getLeft())), k));
      if (window.getRight() >= 0)
        result = arith.both(result, arith.lessEqual(k, arith.add(p, arith.constant(window.getRight()))));
      return result;
    }
    if (auto prefix = dyn_cast<PrefixAttr>(mask))
      return arith.lessEqual(arith.add(k, arith.constant(1)), arith.constant(prefix.getLength()));
    if (auto inverted = dyn_cast<NotAttr>(mask))
      return arith.invert(allows(inverted.getMask(), q, k));
    bool all = isa<AllOfAttr>(mask);
    Bool result = arith.truth(all);
    for (Attribute part : all ? cast<AllOfAttr>(mask).getMasks() : cast<AnyOfAttr>(mask).getMasks()) {
      Bool one = allows(part, q, k);
      result = all ? arith.both(result, one) : arith.either(result, one);
    }
    return result;
  }

  /// The hull of what the queries see.
  Range hull(Attribute mask, Index first, Index last) {
    Index zero = arith.constant(0), one = arith.constant(1);
    if (auto causal = dyn_cast_or_null<CausalAttr>(mask))
      return clamp({zero, arith.add(place(last, causal.getAlign()), one)});
    if (auto window = dyn_cast_or_null<WindowAttr>(mask))
      return clamp(between(window, place(first, window.getAlign()), place(last, window.getAlign())));
    if (auto prefix = dyn_cast_or_null<PrefixAttr>(mask))
      return clamp({zero, arith.constant(prefix.getLength())});
    if (auto all = dyn_cast_or_null<AllOfAttr>(mask))
      return meet(all.getMasks(), [&](Attribute part) { return hull(part, first, last); });
    if (auto any = dyn_cast_or_null<AnyOfAttr>(mask)) {
      Range result = hull(any.getMasks()[0], first, last);
      for (Attribute part : any.getMasks().drop_front()) {
        Range next = hull(part, first, last);
        // An empty range adds nothing.
        Bool empty = arith.lessEqual(next.high, next.low), was = arith.lessEqual(result.high, result.low);
        Range both{arith.min(result.low, next.low), arith.max(result.high, next.high)};
        result = {arith.select(empty, result.low, arith.select(was, next.low, both.low)),
                  arith.select(empty, result.high, arith.select(was, next.high, both.high))};
      }
      return result;
    }
    return {zero, keys}; // no mask, and what is left of an inverted one
  }

  /// A range that all queries see whole.
  Range full(Attribute mask, Index first, Index last) {
    Index zero = arith.constant(0), one = arith.constant(1);
    if (!mask)
      return {zero, keys};
    if (auto causal = dyn_cast<CausalAttr>(mask))
      return clamp({zero, arith.add(place(first, causal.getAlign()), one)});
    if (auto window = dyn_cast<WindowAttr>(mask))
      return clamp(between(window, place(last, window.getAlign()), place(first, window.getAlign())));
    if (auto prefix = dyn_cast<PrefixAttr>(mask))
      return clamp({zero, arith.constant(prefix.getLength())});
    if (auto all = dyn_cast<AllOfAttr>(mask))
      return meet(all.getMasks(), [&](Attribute part) { return full(part, first, last); });
    if (auto any = dyn_cast<AnyOfAttr>(mask)) { // the longest one
      Range result = full(any.getMasks()[0], first, last);
      for (Attribute part : any.getMasks().drop_front()) {
        Range next = full(part, first, last);
        Bool longer = arith.lessEqual(arith.sub(result.high, result.low), arith.sub(next.high, next.low));
        result = {arith.select(longer, next.low, result.low), arith.select(longer, next.high, result.high)};
      }
      return result;
    }
    return {zero, zero};
  }

private:
  Index place(Index q, MaskAlign align) {
    return align == MaskAlign::start ? q : arith.add(q, arith.sub(keys, queries));
  }
  /// From the left bound of the query at `left` to the right one of that at `right`.
  Range between(WindowAttr window, Index left, Index right) {
    Index low = window.getLeft() < 0 ? arith.constant(0) : arith.sub(left, arith.constant(window.getLeft()));
    Index high = window.getRight() < 0 ? keys : arith.add(right, arith.constant(window.getRight() + 1));
    return {low, high};
  }
  Range clamp(Range range) {
    Index zero = arith.constant(0);
    return {arith.min(arith.max(range.low, zero), keys), arith.min(arith.max(range.high, zero), keys)};
  }
  template <typename Part> Range meet(ArrayRef<Attribute> masks, Part part) {
    Range result = part(masks[0]);
    for (Attribute mask : masks.drop_front()) {
      Range next = part(mask);
      result = {arith.max(result.low, next.low), arith.min(result.high, next.high)};
    }
    return result;
  }

  Arith arith;
  Index queries, keys;
};

} // namespace

bool tenon::allowsKey(Attribute mask, int64_t q, int64_t k, int64_t queries, int64_t keys) {
  return Rules<Numbers>({}, queries, keys).allows(mask, q, k);
}

Value tenon::buildAllowsKey(OpBuilder &builder, Location loc, Attribute mask, Value q, Value k, Value queries,
                            Value keys) {
  return Rules<Values>({builder, loc}, queries, keys).allows(mask, q, k);
}

KeyRange<int64_t> tenon::getKeyRange(Attribute mask, int64_t first, int64_t last, int64_t queries, int64_t keys) {
  return Rules<Numbers>({}, queries, keys).hull(mask, first, last);
}

KeyRange<Value> tenon::buildKeyRange(OpBuilder &builder, Location loc, Attribute mask, Value first, Value last,
                                     Value queries, Value keys) {
  return Rules<Values>({builder, loc}, queries, keys).hull(mask, first, last);
}

KeyRange<int64_t> tenon::getFullRange(Attribute mask, int64_t first, int64_t last, int64_t queries, int64_t keys) {
  return Rules<Numbers>({}, queries, keys).full(mask, first, last);
}

KeyRange<Value> tenon::buildFullRange(OpBuilder &builder, Location loc, Attribute mask, Value first, Value last,
                                      Value queries, Value keys) {
  return Rules<Values>({builder, loc}, queries, keys).full(mask, first, last);
}
