//===- Reduce.cpp - reductions, arg reductions, softmax, scans -----------------------===//
//
// Axes that are only known at run time choose among the static forms (`switchAxes`).
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

using namespace mlir;
using namespace tenon::onnx;

namespace {

enum class Kind { Sum, Mean, Max, Min, Prod, L1, L2, LogSum, LogSumExp, SumSquare };

V reduceBy(Node &n, Kind kind, const V &x, ArrayRef<int64_t> axes, bool keep) {
  bool isFloat = isFloatDType(x->dtype);
  int32_t dtype = x->dtype;
  bool narrowFloat = isFloat && dtype != proto::Float && dtype != proto::Double;
  // Composite forms stay in f32 until the end.
  V w = narrowFloat && kind != Kind::Max && kind != Kind::Min ? n.cast(x, proto::Float) : x;
  auto add = [](Scalar &s, A a) { return s.add(a[0], a[1]); };
  auto real = [&](const V &v) { return isFloatDType(v->dtype) ? v : n.cast(v, proto::Double); };
  auto done = [&](const V &v) { return n.cast(v, dtype); };
  switch (kind) {
  case Kind::Sum:
    return done(n.reduce(w, axes, keep, 0, add));
  case Kind::Mean:
    return done(n.mean(w, axes, keep));
  case Kind::Prod:
    return done(n.reduce(w, axes, keep, 1, [](Scalar &s, A a) { return s.mul(a[0], a[1]); }));
  case Kind::Max:
  case Kind::Min: {
    bool isMax = kind == Kind::Max;
    double init = isMax ? -INFINITY : INFINITY;
    if (dtype == proto::Bool)
      return n.reduce(x, axes, keep, isMax ? 0 : -1, [&](Scalar &s, A a) {
        return isMax ? s.op<arith::OrIOp>(a[0], a[1]) : s.op<arith::AndIOp>(a[0], a[1]);
      });
    if (!isFloat) {
      // The extreme value of the type as the start.
      unsigned width = n.type(dtype).getIntOrFloatBitWidth();
      bool u = isUnsignedDType(dtype);
      APInt start = isMax ? (u ? APInt::getZero(width) : APInt::getSignedMinValue(width))
                          : (u ? APInt::getAllOnes(width) : APInt::getSignedMaxValue(width));
      init = u ? static_cast<double>(static_cast<int64_t>(start.getSExtValue()))
               : static_cast<double>(start.getSExtValue());
      if (!u && width == 64 && !isMax)
        init = 9223372036854774784.0; // the largest double below 2^63; exact only at the limit
    }
    return n.reduce(x, axes, keep, init, [&](Scalar &s, A a) { return isMax ? s.max(a[0], a[1]) : s.min(a[0], a[1]); });
  }
  case Kind::L1:
    return done(n.reduce(w, axes, keep, 0, [](Scalar &s, A a) { return s.add(s.abs(a[0]), a[1]); }));
  case Kind::SumSquare:
    return done(n.reduce(w, axes, keep, 0, [](Scalar &s, A a) { return s.add(s.mul(a[0], a[0]), a[1]); }));
  case Kind::L2: {
    V t = n.reduce(real(w), axes, keep, 0, [](Scalar &s, A a) { return s.add(s.mul(a[0], a[0]), a[1]); });
    return done(n.elementwise({t}, t->dtype, [](Scalar &s, A a) { return s.sqrt(a[0]); }));
  }
  case Kind::LogSum: {
    V t = n.reduce(real(w), axes, keep, 0, add);
    return done(n.elementwise({t}, t->dtype, [](Scalar &s, A a) { return s.log(a[0]); }));
  }
  case Kind::LogSumExp: {
    V r = real(w);
    V top = n.reduce(r, axes, true, -INFINITY, [](Scalar &s, A a) { return s.max(a[0], a[1]); });
    // Infinite maxima would make inf - inf.
    top = n.elementwise({top}, r->dtype, [](Scalar &s, A a) {
      Value finite = s.lt(s.abs(a[0]), s.constLike(a[0], INFINITY));
      return s.select(finite, a[0], s.constLike(a[0], 0));
    });
    V e = n.elementwise({r, top}, r->dtype, [](Scalar &s, A a) { return s.exp(s.sub(a[0], a[1])); });
    V t = n.reduce(e, axes, true, 0, add);
    V result = n.elementwise({t, top}, r->dtype, [](Scalar &s, A a) { return s.add(s.log(a[0]), a[1]); });
    return done(keep ? result : n.squeeze(result, axes));
  }
  }
  return {};
}

void reduction(Registry &reg, StringRef name, Kind kind) {
  reg.on(name, 1, [kind](Node &n) {
    V x = n.in(0);
    bool keep = n.attrInt("keepdims", 1), noop = n.attrInt("noop_with_empty_axes", 0);
    if (n.has(1) && !n.constIntsOf(n.in(1)))
      return n.out(n.switchAxes(n.in(1), x->rank(), [&](ArrayRef<int64_t> axes) {
        if (axes.empty() && noop)
          return x;
        Ints all = axes.empty() ? sequence(0, x->rank()) : Ints(axes.begin(), axes.end());
        return reduceBy(n, kind, x, all, keep);
      }));
    auto axes = n.axesInput(1, x->rank());
    if (failed(axes))
      return failure();
    Ints list = *axes ? **axes : Ints();
    if (list.empty()) {
      if (noop) { // no reduction, but the operation on each element
        V r = x;
        if (kind != Kind::Sum && kind != Kind::Mean && kind != Kind::Max && kind != Kind::Min && kind != Kind::Prod)
          r = reduceBy(n, kind, n.unsqueeze(x, {x->rank()}), {x->rank()}, false);
        return n.out(r);
      }
      list = sequence(0, x->rank());
    }
    if (list.empty())
      return n.out(reduceBy(n, kind, n.unsqueeze(x, {0}), {0}, false));
    return n.out(reduceBy(n, kind, x, list, keep));
  });
}

/// Index of the extreme element along an axis.
V argExtreme(Node &n, const V &x, int64_t axis, bool isMax, bool last) {
  Ints axes{axis};
  double init = isMax ? -INFINITY : INFINITY;
  V best;
  if (isFloatDType(x->dtype)) {
    best = n.reduce(x, axes, true, init, [&](Scalar &s, A a) { return isMax ? s.max(a[0], a[1]) : s.min(a[0], a[1]); });
  } else {
    best = reduceBy(n, isMax ? Kind::Max : Kind::Min, x, axes, true);
  }
  // The first (or last) position that holds it; NaN counts as extreme.
  int64_t rank = x->rank();
  Dims kept;
  SmallVector<AffineExpr> exprs, bestExprs;
  int64_t next = 0;
  for (int64_t i = 0; i < rank; ++i) {
    exprs.push_back(n.b.getAffineDimExpr(i == axis ? rank - 1 : next));
    if (i != axis) {
      bestExprs.push_back(n.b.getAffineDimExpr(next++));
      kept.push_back(x->dims[i]);
    }
  }
  V flat = n.squeeze(best, axes);
  double start = last ? -1 : 9007199254740992.0;
  return n.generic(proto::Int64, kept,
                   {{x, AffineMap::get(rank, 0, exprs, n.b.getContext())},
                    {flat, AffineMap::get(rank, 0, bestExprs, n.b.getContext())}},
                   [&](Scalar &s, A a) {
                     Scalar i64(s.b, false);
                     Value here = s.op<arith::IndexCastOp>(s.b.getI64Type(), linalg::IndexOp::create(s.b, rank - 1));
                     Value hit = s.eq(a[0], a[1]);
                     if (Scalar::isFloat(a[0]))
                       hit = s.op<arith::OrIOp>(hit, s.isNaN(a[0]));
                     Value better = last ? i64.max(here, a[2]) : i64.min(here, a[2]);
                     return s.select(hit, better, a[2]);
                   },
                   1, n.constant(n.b.getI64Type(), start), {x->dims[axis]});
}

void argReduction(Registry &reg, StringRef name, bool isMax) {
  reg.on(name, 1, [isMax](Node &n) {
    V x = n.in(0);
    auto axis = n.axis(n.attrInt("axis", 0), x->rank());
    if (failed(axis))
      return failure();
    V r = argExtreme(n, x, *axis, isMax, n.attrInt("select_last_index", 0));
    return n.out(n.attrInt("keepdims", 1) ? n.unsqueeze(r, {*axis}) : r);
  });
}

/// Before opset 13 softmax works on a matrix view of its input.
template <typename Fn> LogicalResult softmaxLike(Node &n, Fn fn) {
  V x = n.in(0);
  int64_t rank = x->rank();
  if (rank == 0)
    return n.out(fn(n.unsqueeze(x, {0}), Ints{0}, true));
  if (n.opset >= 13) {
    auto axis = n.axis(n.attrInt("axis", -1), rank);
    return failed(axis) ? failure() : n.out(fn(x, Ints{*axis}, false));
  }
  auto axis = n.axis(n.attrInt("axis", 1), rank + (n.attrInt("axis", 1) == rank));
  if (failed(axis))
    return failure();
  return n.out(fn(x, sequence(*axis, rank), false));
}

/// Running sum or product along an axis.
V scan(Node &n, const V &x, int64_t axis, bool isProduct) {
  bool exclusive = n.attrInt("exclusive", 0), reverse = n.attrInt("reverse", 0);
  V source = reverse ? n.flip(x, axis) : x;
  // One step per position: the slice of the result is the previous one combined with the input's.
  Dims row = x->dims;
  row[axis] = n.idx(1);
  Ints strides(x->rank(), 1);
  V start = n.fill(x->dtype, row, isProduct ? 1 : 0);
  Value out = n.empty(x->dtype, x->dims);
  Value zero = arith::ConstantIndexOp::create(n.b, 0);
  auto results = n.loop(zero, n.index(x->dims[axis]), {out, n.tensor(start)}, [&](Value i, ValueRange carried) {
    V sum = n.value(x->dtype, carried[1], row), here = n.sliceAxis(source, axis, i, n.idx(1));
    V next = n.elementwise({here, sum}, x->dtype,
                           [&](Scalar &s, A a) { return isProduct ? s.mul(a[0], a[1]) : s.add(a[0], a[1]); });
    Dims offsets(x->rank(), n.idx(0));
    offsets[axis] = i;
    Value inserted = tensor::InsertSliceOp::create(n.b, n.tensor(exclusive ? sum : next), carried[0], offsets, row,
                                                   SmallVector<OpFoldResult>(x->rank(), n.idx(1)));
    return SmallVector<Value>{inserted, n.tensor(next)};
  });
  V r = n.value(x->dtype, results[0], x->dims);
  return reverse ? n.flip(r, axis) : r;
}

void scanOp(Registry &reg, StringRef name, int64_t since, bool isProduct) {
  reg.on(name, since, [isProduct](Node &n) {
    V x = n.in(0), axis = n.in(1);
    if (x->rank() == 0)
      return n.fail("expected rank of at least 1");
    V axes = axis->rank() ? axis : n.reshape(axis, {n.idx(1)});
    return n.out(n.switchAxes(axes, x->rank(), [&](ArrayRef<int64_t> a) { return scan(n, x, a[0], isProduct); }));
  });
}

} // namespace

V Node::switchAxes(const V &axesValue, int64_t rank, llvm::function_ref<V(ArrayRef<int64_t>)> make) {
  if (auto c = constIntsOf(axesValue)) {
    FailureOr<Ints> list = axes(*c, rank);
    return failed(list) ? V() : make(*list);
  }
  FailureOr<Dims> run = toIndices(axesValue);
  if (failed(run)) {
    (void)fail("axes of unknown number are not supported");
    return {};
  }
  int64_t count = run->size();
  if (count == 0)
    return make({});
  if (rank > 6 || count > rank) {
    (void)fail("axes that are not constant are not supported for rank " + Twine(rank));
    return {};
  }
  // A bit per axis.
  OpFoldResult mask = idx(0);
  using P = arith::CmpIPredicate;
  for (OpFoldResult a : *run) {
    check(b.createOrFold<arith::AndIOp>(cmp(P::sge, a, idx(-rank)), cmp(P::slt, a, idx(rank))), "axis out of range");
    OpFoldResult wrapped = select(cmp(P::slt, a, idx(0)), add(a, idx(rank)), a);
    mask = b.createOrFold<arith::OrIOp>(
        index(mask), b.createOrFold<arith::ShLIOp>(index(idx(1)), index(max(min(wrapped, idx(rank - 1)), idx(0)))));
  }
  SmallVector<int64_t> cases;
  for (int64_t m = 0; m < (int64_t(1) << rank); ++m)
    if (llvm::popcount(static_cast<uint64_t>(m)) == static_cast<int>(count))
      cases.push_back(m);
  Value isOne = arith::ConstantOp::create(b, b.getBoolAttr(false));
  for (int64_t m : cases)
    isOne = b.createOrFold<arith::OrIOp>(isOne, cmp(P::eq, mask, idx(m)));
  check(isOne, "an axis is given twice");
  std::function<V(size_t)> build = [&](size_t i) -> V {
    Ints list;
    for (int64_t d = 0; d < rank; ++d)
      if (cases[i] >> d & 1)
        list.push_back(d);
    if (i + 1 == cases.size())
      return make(list);
    auto results = branch(
        cmp(P::eq, mask, idx(cases[i])), [&]() -> FailureOr<SmallVector<V>> { return SmallVector<V>{make(list)}; },
        [&]() -> FailureOr<SmallVector<V>> { return SmallVector<V>{build(i + 1)}; });
    return failed(results) ? V() : (*results)[0];
  };
  return build(0);
}

void tenon::onnx::registerReduce(Registry &reg) {
  reduction(reg, "ReduceSum", Kind::Sum);
  reduction(reg, "ReduceMean", Kind::Mean);
  reduction(reg, "ReduceMax", Kind::Max);
  reduction(reg, "ReduceMin", Kind::Min);
  reduction(reg, "ReduceProd", Kind::Prod);
  reduction(reg, "ReduceL1", Kind::L1);
  reduction(reg, "ReduceL2", Kind::L2);
  reduction(reg, "ReduceLogSum", Kind::LogSum);
  reduction(reg, "ReduceLogSumExp", Kind::LogSumExp);
  reduction(reg, "ReduceSumSquare", Kind::SumSquare);
  argReduction(reg, "ArgMax", true);
  argReduction(reg, "ArgMin", false);
  scanOp(reg, "CumSum", 11, false);
  scanOp(reg, "CumProd", 26, true);
  reg.on("Softmax", 1, [](Node &n) {
    return softmaxLike(n, [&](const V &x, ArrayRef<int64_t> axes, bool scalar) {
      V r = n.softmax(x, axes, false);
      return scalar ? n.reshape(r, {}) : r;
    });
  });
  reg.on("LogSoftmax", 1, [](Node &n) {
    return softmaxLike(n, [&](const V &x, ArrayRef<int64_t> axes, bool scalar) {
      V r = n.softmax(x, axes, true);
      return scalar ? n.reshape(r, {}) : r;
    });
  });
  reg.on("Hardmax", 1, [](Node &n) {
    V x = n.in(0);
    if (x->rank() == 0)
      return n.fail("expected rank of at least 1");
    int64_t given = n.attrInt("axis", n.opset >= 13 ? -1 : 1);
    auto axis = n.axis(given, x->rank());
    if (failed(axis))
      return failure();
    // Before opset 13: of the matrix view.
    V view = x;
    Dims original = x->dims;
    if (n.opset < 13) {
      ArrayRef<OpFoldResult> dims = x->dims;
      view = n.reshape(x, {n.product(dims.take_front(*axis)), n.product(dims.drop_front(*axis))});
      *axis = 1;
    }
    V at = argExtreme(n, view, *axis, true, false);
    SmallVector<AffineExpr> exprs;
    for (int64_t i = 0; i < view->rank(); ++i)
      if (i != *axis)
        exprs.push_back(n.b.getAffineDimExpr(i));
    V r = n.generic(x->dtype, view->dims, {{at, AffineMap::get(view->rank(), 0, exprs, n.b.getContext())}},
                    [&](Scalar &s, A a) {
                      Value here = s.op<arith::IndexCastOp>(s.b.getI64Type(), linalg::IndexOp::create(s.b, *axis));
                      Type type = n.type(x->dtype);
                      return s.select(s.eq(a[0], here), s.constant(type, 1), s.constant(type, 0));
                    });
    return n.out(n.reshape(r, original));
  });
}
