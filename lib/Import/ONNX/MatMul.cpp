//===- MatMul.cpp - contractions -------------------------------------------------------===//
//
// MatMul, Gemm, Einsum and the integer matmuls. Broadcast operands are never copied: batches that differ become a
// generic whose maps skip the missing dims.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

using namespace mlir;
using namespace tenon::onnx;

static bool sameDims(Emitter &e, ArrayRef<OpFoldResult> x, ArrayRef<OpFoldResult> y) {
  return x.size() == y.size() &&
         llvm::all_of(llvm::zip(x, y), [&](auto p) { return e.same(std::get<0>(p), std::get<1>(p)); });
}

V Emitter::matmul(const V &left, const V &right, int32_t dtype) {
  if (!left || !right)
    return {};
  if (!dtype)
    dtype = left->dtype;
  bool narrowFloat = isFloatDType(dtype) && dtype != proto::Float && dtype != proto::Double;
  int32_t acc = narrowFloat ? int32_t(proto::Float) : dtype;
  if (left->rank() == 0 || right->rank() == 0) {
    imp.report(imp.current + ": expected operands of rank at least 1");
    return {};
  }
  V x = left->rank() == 1 ? unsqueeze(left, {0}) : left;
  V y = right->rank() == 1 ? unsqueeze(right, {1}) : right;
  int64_t xr = x->rank(), yr = y->rank();
  OpFoldResult m = x->dims[xr - 2], k = x->dims[xr - 1], k2 = y->dims[yr - 2], cols = y->dims[yr - 1];
  auto ck = getConstantIntValue(k), ck2 = getConstantIntValue(k2);
  if (ck && ck2 && *ck != *ck2) {
    imp.report(imp.current + ": cannot multiply a matrix of " + Twine(*ck) + " columns by one of " + Twine(*ck2) +
               " rows");
    return {};
  }
  checkEqual(k, k2, "the inner dims of the product differ");
  auto finish = [&](V r, ArrayRef<OpFoldResult> batch) {
    r = cast(r, dtype);
    Dims dims(batch.begin(), batch.end());
    if (left->rank() > 1)
      dims.push_back(m);
    if (right->rank() > 1)
      dims.push_back(cols);
    return reshape(r, dims);
  };
  auto start = [&](ArrayRef<OpFoldResult> dims) { return filled(acc, dims, constant(type(acc), 0)); };
  ArrayRef<OpFoldResult> xb = ArrayRef<OpFoldResult>(x->dims).drop_back(2),
                         yb = ArrayRef<OpFoldResult>(y->dims).drop_back(2);
  if (yr == 2) {
    OpFoldResult rows = mul(product(xb), m);
    V flat = xr == 2 ? x : reshape(x, {rows, k});
    Dims dims{rows, cols};
    auto op = linalg::MatmulOp::create(b, ValueRange{tensor(flat), tensor(y)}, ValueRange{start(dims)});
    V r = value(acc, op->getResult(0), dims);
    Dims full(xb.begin(), xb.end());
    full.push_back(m);
    full.push_back(cols);
    return finish(reshape(r, full), xb);
  }
  if (sameDims(*this, xb, yb)) {
    OpFoldResult batch = product(xb);
    V x3 = xr == 3 ? x : reshape(x, {batch, m, k}), y3 = yr == 3 ? y : reshape(y, {batch, k2, cols});
    Dims dims{batch, m, cols};
    auto op = linalg::BatchMatmulOp::create(b, ValueRange{tensor(x3), tensor(y3)}, ValueRange{start(dims)});
    V r = value(acc, op->getResult(0), dims);
    Dims full(xb.begin(), xb.end());
    full.push_back(m);
    full.push_back(cols);
    return finish(reshape(r, full), xb);
  }
  auto xShape = std::make_shared<Val>(), yShape = std::make_shared<Val>();
  xShape->dims.assign(xb.begin(), xb.end());
  yShape->dims.assign(yb.begin(), yb.end());
  FailureOr<Dims> batch = broadcastDims({xShape, yShape});
  if (failed(batch))
    return {};
  int64_t rank = batch->size(), loops = rank + 3;
  auto operand = [&](const V &v, AffineExpr row, AffineExpr col) {
    SmallVector<AffineExpr> exprs;
    Ints dropped;
    for (int64_t d = 0; d + 2 < v->rank(); ++d) {
      int64_t at = d + rank - (v->rank() - 2);
      if (v->dim(d) == 1 && getConstantIntValue((*batch)[at]) != 1)
        dropped.push_back(d);
      else
        exprs.push_back(b.getAffineDimExpr(at));
    }
    exprs.push_back(row);
    exprs.push_back(col);
    return Operand{dropped.empty() ? v : squeeze(v, dropped), AffineMap::get(loops, 0, exprs, b.getContext())};
  };
  Dims dims = *batch;
  dims.push_back(m);
  dims.push_back(cols);
  AffineExpr em = b.getAffineDimExpr(rank), en = b.getAffineDimExpr(rank + 1), ek = b.getAffineDimExpr(rank + 2);
  Type accType = type(acc);
  V r = generic(dtype, dims, {operand(x, em, ek), operand(y, ek, en)},
                [&](Scalar &s, A a) {
                  Value p = s.cast(a[0], false, accType, false), q = s.cast(a[1], false, accType, false);
                  return s.add(a[2], s.mul(p, q));
                },
                1, constant(type(dtype), 0), {k});
  return finish(r, *batch);
}

static LogicalResult gemm(Node &n) {
  V a = n.in(0), w = n.in(1), c = n.in(2);
  if (!a || !w || a->rank() != 2 || w->rank() != 2)
    return n.fail("expected two matrices");
  if (n.attrInt("transA", 0))
    a = n.transpose(a, {1, 0});
  if (n.attrInt("transB", 0))
    w = n.transpose(w, {1, 0});
  float alpha = n.attrFloat("alpha", 1), beta = n.attrFloat("beta", 1);
  V r = n.matmul(a, w);
  if (!r)
    return failure();
  int32_t dtype = r->dtype;
  auto scaled = [&](V v, float factor) {
    if (factor == 1)
      return v;
    if (!isFloatDType(dtype)) {
      V f = n.mulV(n.cast(v, proto::Double), n.scalar(proto::Double, factor));
      return n.cast(f, dtype);
    }
    return n.mulV(v, n.scalar(dtype, factor));
  };
  r = scaled(r, alpha);
  if (c && beta != 0) {
    if (c->rank() > 2)
      return n.fail("expected a bias of rank at most 2");
    r = n.addV(r, scaled(c, beta));
  }
  return n.out(r);
}

/// Parsed equation of Einsum: one string of labels per operand, '.' stands for the ellipsis' dims.
static LogicalResult einsum(Node &n) {
  std::string text;
  for (char c : n.attrString("equation", ""))
    if (c != ' ')
      text += c;
  StringRef equation = text;
  auto [left, right] = equation.split("->");
  bool isExplicit = equation.contains("->");
  SmallVector<StringRef> terms;
  left.split(terms, ',');
  if (terms.size() != n.inputs.size())
    return n.fail("the equation has " + Twine(terms.size()) + " terms, but the node " + Twine(n.inputs.size()) +
                  " inputs");
  // Labels to names of dims; ellipsis dims are numbered from the right as 256 + i.
  auto labelsOf = [&](StringRef term, int64_t rank, Ints &labels) {
    int64_t letters = 0;
    for (char c : term)
      letters += c != '.';
    bool has = term.contains("...");
    if ((has ? letters > rank : rank >= 0 && letters != rank) || (!has && term.contains('.')))
      return false;
    for (size_t i = 0; i < term.size(); ++i) {
      if (term[i] == '.') {
        for (int64_t e = rank - letters; e--;)
          labels.push_back(256 + e);
        i += 2;
      } else if (isalpha(term[i])) {
        labels.push_back(term[i]);
      } else {
        return false;
      }
    }
    return true;
  };
  std::map<int64_t, OpFoldResult> extents;
  std::map<int64_t, int> uses;
  SmallVector<Ints> labels(terms.size());
  int64_t ellipsis = 0;
  for (auto [i, term] : llvm::enumerate(terms)) {
    V v = n.in(i);
    if (!v || !labelsOf(term, v->rank(), labels[i]))
      return n.fail("term '" + term + "' does not fit input " + Twine(i));
    for (auto [d, label] : llvm::enumerate(labels[i])) {
      if (label >= 256)
        ellipsis = std::max(ellipsis, label - 255);
      auto [it, isNew] = extents.try_emplace(label, v->dims[d]);
      uses[label]++;
      if (isNew || n.same(it->second, v->dims[d]))
        continue;
      auto a = getConstantIntValue(it->second), c = getConstantIntValue(v->dims[d]);
      if (a == 1) {
        it->second = v->dims[d];
      } else if (c != 1) {
        if (a && c)
          return n.fail("a label has extents " + Twine(*a) + " and " + Twine(*c));
        n.checkEqual(it->second, v->dims[d], "a label has two extents");
        if (c)
          it->second = v->dims[d];
      }
    }
  }
  Ints result;
  if (isExplicit) {
    int64_t letters = llvm::count_if(right, [](char c) { return c != '.'; });
    if (!labelsOf(right, right.contains("...") ? letters + ellipsis : letters, result))
      return n.fail("malformed result '" + right + "'");
  } else {
    for (int64_t e = ellipsis; e--;)
      result.push_back(256 + e);
    for (auto [label, count] : uses)
      if (label < 256 && count == 1)
        result.push_back(label);
  }
  std::map<int64_t, unsigned> loopOf;
  Dims dims, reduced;
  for (int64_t label : result) {
    if (!extents.count(label))
      return n.fail("the result has a label that no term has");
    loopOf[label] = dims.size();
    dims.push_back(extents[label]);
  }
  for (auto [label, extent] : extents)
    if (!loopOf.count(label)) {
      loopOf[label] = dims.size() + reduced.size();
      reduced.push_back(extent);
    }
  unsigned loops = dims.size() + reduced.size();
  SmallVector<Operand> operands;
  for (auto [i, list] : llvm::enumerate(labels)) {
    V v = n.in(i);
    SmallVector<AffineExpr> exprs;
    Ints dropped;
    for (auto [d, label] : llvm::enumerate(list)) {
      if (v->dim(d) == 1 && getConstantIntValue(extents[label]) != 1)
        dropped.push_back(d);
      else
        exprs.push_back(n.b.getAffineDimExpr(loopOf[label]));
    }
    operands.push_back(
        {dropped.empty() ? v : n.squeeze(v, dropped), AffineMap::get(loops, 0, exprs, n.b.getContext())});
  }
  int32_t dtype = n.in(0)->dtype;
  if (reduced.empty())
    return n.out(n.generic(dtype, dims, operands, [&](Scalar &s, A a) {
      Value r = a[0];
      for (Value x : a.drop_front())
        r = s.mul(r, x);
      return r;
    }));
  return n.out(n.generic(
      dtype, dims, operands,
      [&](Scalar &s, A a) {
        Value r = a[0];
        for (Value x : a.drop_front().drop_back())
          r = s.mul(r, x);
        return s.add(a.back(), r);
      },
      reduced.size(), n.constant(n.type(dtype), 0), reduced));
}

/// Integer operand widened to i32 with its zero point subtracted; `column` zero points belong to the last dim.
static V shifted(Node &n, const V &x, V zero, bool perRow) {
  V wide = n.cast(x, proto::Int32);
  if (!zero)
    return wide;
  V z = n.cast(zero, proto::Int32);
  if (z->rank() == 1 && z->dim(0) == 1)
    z = n.reshape(z, {});
  if (perRow && z->rank() == 1)
    z = n.unsqueeze(z, {1});
  return n.subV(wide, z);
}

static LogicalResult matmulInteger(Node &n) {
  V r = n.matmul(shifted(n, n.in(0), n.in(2), true), shifted(n, n.in(1), n.in(3), false), proto::Int32);
  return n.out(r);
}

static LogicalResult qlinearMatMul(Node &n) {
  // a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point
  if (n.inputs.size() < 8)
    return n.fail("expected 8 inputs");
  V acc = n.matmul(shifted(n, n.in(0), n.in(2), true), shifted(n, n.in(3), n.in(5), false), proto::Int32);
  if (!acc)
    return failure();
  auto scaleOf = [&](V s, bool perRow) {
    s = n.cast(s, proto::Float);
    if (s->rank() == 1 && s->dim(0) == 1)
      return n.reshape(s, {});
    return perRow && s->rank() == 1 ? n.unsqueeze(s, {1}) : s;
  };
  V as = scaleOf(n.in(1), true), bs = scaleOf(n.in(4), false), ys = scaleOf(n.in(6), false);
  V zero = n.in(7);
  int32_t dtype = zero->dtype;
  V z = n.cast(zero->rank() == 1 && zero->dim(0) == 1 ? n.reshape(zero, {}) : zero, proto::Float);
  V f = n.cast(acc, proto::Float);
  V q = n.elementwise({f, as, bs, ys, z}, proto::Float, [](Scalar &s, A a) {
    return s.add(s.roundEven(s.div(s.mul(a[0], s.mul(a[1], a[2])), a[3])), a[4]);
  });
  return n.out(n.cast(q, dtype));
}

void tenon::onnx::registerMatMul(Registry &reg) {
  reg.on("MatMul", 1, [](Node &n) {
    if (!n.has(0) || !n.has(1) || n.in(0)->dtype != n.in(1)->dtype)
      return n.fail("expected two inputs of one element type");
    return n.out(n.matmul(n.in(0), n.in(1)));
  });
  reg.on("Gemm", 1, gemm);
  reg.on("Einsum", 12, einsum);
  reg.on("MatMulInteger", 10, matmulInteger);
  reg.on("QLinearMatMul", 10, qlinearMatMul);
}
