//===- Indexing.cpp - gathers and scatters of elements --------------------------------------===//
//
// Gathers are generics that extract; scatters are loops, in the order of the updates.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

using namespace mlir;
using namespace tenon::onnx;

namespace {

/// Index of an element as `index`, negative ones wrapped.
Value wrapped(Scalar &s, Value i, Value size) {
  i = s.toIndex(i);
  Value negative = s.op<arith::CmpIOp>(Scalar::IP::slt, i, s.intConst(s.b.getIndexType(), 0));
  return s.select(negative, s.op<arith::AddIOp>(i, size), i);
}

void checkIndices(Node &n, const V &indices, OpFoldResult extent) {
  auto constants = n.constIntsOf(indices);
  auto size = getConstantIntValue(extent);
  if (constants && size && llvm::all_of(*constants, [&](int64_t i) { return i >= -*size && i < *size; }))
    return;
  n.checkRange(indices, extent);
}

LogicalResult gatherElements(Node &n) {
  V x = n.in(0), indices = n.in(1);
  auto axis = n.axis(n.attrInt("axis", 0), x->rank());
  if (failed(axis))
    return failure();
  if (indices->rank() != x->rank())
    return n.fail("expected indices of rank " + Twine(x->rank()) + ", but got " + Twine(indices->rank()));
  checkIndices(n, indices, x->dims[*axis]);
  for (int64_t d = 0; d < x->rank(); ++d) {
    if (d == *axis || n.same(x->dims[d], indices->dims[d]))
      continue;
    if (x->dim(d) >= 0 && indices->dim(d) >= 0 && indices->dim(d) > x->dim(d))
      return n.fail("dim " + Twine(d) + " of the indices is larger than that of the data");
    n.check(n.cmp(arith::CmpIPredicate::sle, indices->dims[d], x->dims[d]), "the indices are larger than the data");
  }
  Value t = n.tensor(x), size = n.index(x->dims[*axis]);
  int64_t rank = x->rank();
  return n.out(n.generic(x->dtype, indices->dims, {{indices, n.b.getMultiDimIdentityMap(rank)}}, [&](Scalar &s, A a) {
    SmallVector<Value> at;
    for (int64_t d = 0; d < rank; ++d)
      at.push_back(d == *axis ? wrapped(s, a[0], size) : Value(linalg::IndexOp::create(s.b, d)));
    return tensor::ExtractOp::create(s.b, t, at).getResult();
  }));
}

LogicalResult gatherND(Node &n) {
  V x = n.in(0), indices = n.in(1);
  int64_t batch = n.attrInt("batch_dims", 0), q = indices->rank();
  int64_t k = q ? indices->dim(q - 1) : -1;
  if (k < 0 || batch < 0 || batch >= q || batch + k > x->rank())
    return n.fail("the indices do not fit the data");
  Dims dims(indices->dims.begin(), indices->dims.end() - 1);
  dims.append(x->dims.begin() + batch + k, x->dims.end());
  for (int64_t j = 0; j < k; ++j)
    checkIndices(n, n.sliceAxis(indices, q - 1, n.idx(j), n.idx(1)), x->dims[batch + j]);
  for (int64_t d = 0; d < batch; ++d)
    n.checkEqual(x->dims[d], indices->dims[d], "batch dims differ");
  Value t = n.tensor(x), it = n.tensor(indices);
  SmallVector<Value> sizes;
  for (int64_t j = 0; j < k; ++j)
    sizes.push_back(n.index(x->dims[batch + j]));
  bool isUnsigned = isUnsignedDType(indices->dtype);
  return n.out(n.generic(x->dtype, dims, {}, [&](Scalar &outer, A) {
    Scalar s(outer.b, isUnsigned);
    SmallVector<Value> at, where;
    for (int64_t d = 0; d + 1 < q; ++d)
      where.push_back(linalg::IndexOp::create(s.b, d));
    for (int64_t d = 0; d < batch; ++d)
      at.push_back(where[d]);
    for (int64_t j = 0; j < k; ++j) {
      SmallVector<Value> full(where);
      full.push_back(s.intConst(s.b.getIndexType(), j));
      at.push_back(wrapped(s, tensor::ExtractOp::create(s.b, it, full), sizes[j]));
    }
    for (int64_t d = q - 1; d < (int64_t)dims.size(); ++d)
      at.push_back(linalg::IndexOp::create(s.b, d));
    return tensor::ExtractOp::create(s.b, t, at).getResult();
  }));
}

Value combine(Scalar &s, StringRef how, Value old, Value update) {
  if (how == "none")
    return update;
  if (old.getType().isInteger(1))
    return how == "add" || how == "max" ? s.op<arith::OrIOp>(old, update) : s.op<arith::AndIOp>(old, update);
  auto f = dyn_cast<FloatType>(old.getType());
  Type type = old.getType();
  if (f && f.getWidth() < 32) {
    old = s.op<arith::ExtFOp>(s.b.getF32Type(), old);
    update = s.op<arith::ExtFOp>(s.b.getF32Type(), update);
  }
  Value r = how == "add"   ? s.add(old, update)
            : how == "mul" ? s.mul(old, update)
            : how == "max" ? s.max(old, update)
                           : s.min(old, update);
  return r.getType() == type ? r : s.op<arith::TruncFOp>(type, r);
}

/// Runs `write` for each element of `updates` in row-major order: it gets the element's position and the result so far.
V scatterLoop(Node &n, const V &x, const V &updates,
              llvm::function_ref<SmallVector<Value>(Scalar &, ArrayRef<Value>)> target, StringRef how) {
  Value u = n.tensor(updates);
  SmallVector<Value> sizes;
  for (OpFoldResult d : updates->dims)
    sizes.push_back(n.index(d));
  bool isUnsigned = isUnsignedDType(x->dtype);
  auto results =
      n.loop(n.index(n.idx(0)), n.index(n.product(updates->dims)), {n.tensor(x)}, [&](Value i, ValueRange args) {
        Scalar s(n.b, isUnsigned);
        SmallVector<Value> at(sizes.size());
        for (int64_t d = sizes.size(); d--;) {
          at[d] = d == 0 ? i : s.op<arith::RemUIOp>(i, sizes[d]);
          if (d)
            i = s.op<arith::DivUIOp>(i, sizes[d]);
        }
        Value update = tensor::ExtractOp::create(n.b, u, at);
        SmallVector<Value> to = target(s, at);
        Value next = update;
        if (how != "none")
          next = combine(s, how, tensor::ExtractOp::create(n.b, args[0], to), update);
        return SmallVector<Value>{tensor::InsertOp::create(n.b, next, args[0], to)};
      });
  return n.value(x->dtype, results[0], x->dims);
}

LogicalResult checkHow(Node &n, StringRef how) {
  if (how == "none" || how == "add" || how == "mul" || how == "max" || how == "min")
    return success();
  return n.fail("unknown reduction '" + how + "'");
}

LogicalResult scatterElements(Node &n) {
  V x = n.in(0), indices = n.in(1), updates = n.in(2);
  auto axis = n.axis(n.attrInt("axis", 0), x->rank());
  StringRef how = n.attrString("reduction", "none");
  if (failed(axis) || failed(checkHow(n, how)))
    return failure();
  if (indices->rank() != x->rank() || updates->rank() != x->rank())
    return n.fail("expected indices and updates of the data's rank");
  checkIndices(n, indices, x->dims[*axis]);
  for (int64_t d = 0; d < x->rank(); ++d) {
    n.checkEqual(indices->dims[d], updates->dims[d], "indices and updates differ in shape");
    if (d != *axis && !n.same(indices->dims[d], x->dims[d]))
      n.check(n.cmp(arith::CmpIPredicate::sle, indices->dims[d], x->dims[d]), "the indices are larger than the data");
  }
  Value it = n.tensor(indices), size = n.index(x->dims[*axis]);
  return n.out(scatterLoop(
      n, x, updates,
      [&](Scalar &outer, ArrayRef<Value> at) {
        Scalar s(outer.b, isUnsignedDType(indices->dtype));
        SmallVector<Value> to(at);
        to[*axis] = wrapped(s, tensor::ExtractOp::create(s.b, it, at), size);
        return to;
      },
      how));
}

LogicalResult scatterND(Node &n) {
  V x = n.in(0), indices = n.in(1), updates = n.in(2);
  StringRef how = n.attrString("reduction", "none");
  if (failed(checkHow(n, how)))
    return failure();
  int64_t q = indices->rank(), k = q ? indices->dim(q - 1) : -1;
  if (k < 0 || k > x->rank() || updates->rank() != q - 1 + x->rank() - k)
    return n.fail("indices and updates do not fit the data");
  for (int64_t j = 0; j < k; ++j)
    checkIndices(n, n.sliceAxis(indices, q - 1, n.idx(j), n.idx(1)), x->dims[j]);
  for (int64_t d = 0; d < updates->rank(); ++d)
    n.checkEqual(updates->dims[d], d < q - 1 ? indices->dims[d] : x->dims[k + d - (q - 1)],
                 "the updates do not fit the indices and the data");
  Value it = n.tensor(indices);
  SmallVector<Value> sizes;
  for (int64_t j = 0; j < k; ++j)
    sizes.push_back(n.index(x->dims[j]));
  return n.out(scatterLoop(
      n, x, updates,
      [&](Scalar &outer, ArrayRef<Value> at) {
        Scalar s(outer.b, isUnsignedDType(indices->dtype));
        SmallVector<Value> to;
        for (int64_t j = 0; j < k; ++j) {
          SmallVector<Value> where(at.take_front(q - 1));
          where.push_back(s.intConst(s.b.getIndexType(), j));
          to.push_back(wrapped(s, tensor::ExtractOp::create(s.b, it, where), sizes[j]));
        }
        to.append(at.begin() + (q - 1), at.end());
        return to;
      },
      how));
}

} // namespace

void tenon::onnx::registerIndexing(Registry &reg) {
  reg.on("GatherElements", 11, gatherElements);
  reg.on("GatherND", 11, gatherND);
  reg.on("Scatter", 9, scatterElements);
  reg.on("ScatterElements", 11, scatterElements);
  reg.on("ScatterND", 11, scatterND);
}
