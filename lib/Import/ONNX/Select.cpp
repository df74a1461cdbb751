//===- Select.cpp - selection by value: TopK, OneHot, NonZero, Compress, masks ---------------===//
//
// Sizes that depend on data are counted first; the elements are then written one after the other.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"
#include "tenon/Dialect/IR/Experts.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::onnx;

namespace {

/// Unsigned integers as signed ones in the same order, and back.
V flipSign(Node &n, const V &x) {
  return n.elementwise({x}, x->dtype, [](Scalar &s, A a) {
    unsigned bits = a[0].getType().getIntOrFloatBitWidth();
    auto sign = s.b.getIntegerAttr(a[0].getType(), APInt::getSignMask(bits));
    return s.op<arith::XOrIOp>(a[0], arith::ConstantOp::create(s.b, sign));
  });
}

LogicalResult topK(Node &n) {
  V x = n.in(0);
  if (x->rank() == 0)
    return n.fail("expected rank of at least 1");
  auto axis = n.axis(n.attrInt("axis", -1), x->rank());
  if (failed(axis))
    return failure();
  OpFoldResult k;
  if (n.has(1)) {
    FailureOr<Dims> given = n.toIndices(n.in(1));
    if (failed(given) || given->size() != 1)
      return n.fail("expected k of one element");
    k = (*given)[0];
  } else {
    k = n.idx(n.attrInt("k", 1));
  }
  auto ck = getConstantIntValue(k), cd = getConstantIntValue(x->dims[*axis]);
  if ((ck && *ck < 0) || (ck && cd && *ck > *cd))
    return n.fail("k is " + Twine(*ck) + ", but the dim has " + Twine(cd.value_or(0)) + " entries");
  Dims dims = x->dims;
  dims[*axis] = k;
  bool isUnsigned = llvm::is_contained({proto::UInt8, proto::UInt16, proto::UInt32, proto::UInt64}, x->dtype);
  Value input = n.tensor(isUnsigned ? flipSign(n, x) : x);
  auto op = TopKOp::create(n.b, n.tensorType(x->dtype, dims), n.tensorType(proto::Int64, dims), input,
                           ck ? Value() : n.index(k), *axis, /*smallest=*/n.attrInt("largest", 1) == 0);
  V values = n.value(x->dtype, op.getValues(), dims);
  if (failed(n.out(0, isUnsigned ? flipSign(n, values) : values)))
    return failure();
  return n.out(1, n.value(proto::Int64, op.getIndices(), dims));
}

LogicalResult oneHot(Node &n) {
  V indices = n.in(0), depth = n.in(1), values = n.in(2);
  auto axis = n.axis(n.attrInt("axis", -1), indices->rank() + 1);
  FailureOr<Dims> d = n.toIndices(isFloatDType(depth->dtype) ? n.cast(depth, proto::Int64) : depth);
  if (failed(axis))
    return failure();
  if (failed(d) || d->size() != 1 || values->count() != 2)
    return n.fail("expected a depth of one element and two values");
  Dims dims = indices->dims;
  dims.insert(dims.begin() + *axis, (*d)[0]);
  SmallVector<AffineExpr> exprs;
  for (int64_t i = 0; i < (int64_t)dims.size(); ++i)
    if (i != *axis)
      exprs.push_back(n.b.getAffineDimExpr(i));
  V off = n.reshape(n.sliceAxis(values, 0, n.idx(0), n.idx(1)), {});
  V on = n.reshape(n.sliceAxis(values, 0, n.idx(1), n.idx(1)), {});
  V which = n.cast(indices, proto::Int64);
  Value size = n.index((*d)[0]);
  MLIRContext *c = n.b.getContext();
  AffineMap scalar = AffineMap::get(dims.size(), 0, c);
  return n.out(n.generic(values->dtype, dims,
                         {{which, AffineMap::get(dims.size(), 0, exprs, c)}, {on, scalar}, {off, scalar}},
                         [&](Scalar &s, A a) {
                           Value i = s.op<arith::IndexCastOp>(s.b.getIndexType(), a[0]);
                           Value negative = s.op<arith::CmpIOp>(Scalar::IP::slt, i, s.intConst(s.b.getIndexType(), 0));
                           i = s.select(negative, s.op<arith::AddIOp>(i, size), i);
                           Value hit = s.op<arith::CmpIOp>(Scalar::IP::eq, i, linalg::IndexOp::create(s.b, *axis));
                           return s.select(hit, a[1], a[2]);
                         }));
}

/// Indices of the true elements of a flat boolean tensor.
V whereTrue(Node &n, const V &flags) {
  V ones =
      n.elementwise({flags}, proto::Int64, [](Scalar &s, A a) { return s.op<arith::ExtUIOp>(s.b.getI64Type(), a[0]); });
  V total = n.sum(ones, {0}, false);
  FailureOr<Dims> count = n.toIndices(total);
  OpFoldResult found = (*count)[0];
  // One entry too many: each step writes, and moves on only after a true element.
  Dims room{n.add(found, n.idx(1))};
  Value f = n.tensor(flags);
  auto results = n.loop(n.index(n.idx(0)), n.index(flags->dims[0]),
                        {n.tensor(n.fill(proto::Int64, room, 0)), n.index(n.idx(0))}, [&](Value i, ValueRange args) {
                          Value i64 = arith::IndexCastOp::create(n.b, n.b.getI64Type(), i);
                          Value next = tensor::InsertOp::create(n.b, i64, args[0], args[1]);
                          Value flag = tensor::ExtractOp::create(n.b, f, i);
                          Value step = arith::IndexCastUIOp::create(n.b, n.b.getIndexType(), flag);
                          return SmallVector<Value>{next, arith::AddIOp::create(n.b, args[1], step)};
                        });
  return n.sliceAxis(n.value(proto::Int64, results[0], room), 0, n.idx(0), found);
}

V nonZeroFlags(Node &n, const V &x) {
  return n.elementwise({x}, proto::Bool, [](Scalar &s, A a) {
    return a[0].getType().isInteger(1) ? a[0] : s.ne(a[0], s.constLike(a[0], 0));
  });
}

LogicalResult nonZero(Node &n) {
  V x = n.in(0);
  if (x->rank() == 0)
    x = n.reshape(x, {n.idx(1)});
  V flat = n.reshape(nonZeroFlags(n, x), {n.product(x->dims)});
  V at = whereTrue(n, flat);
  SmallVector<V> rows;
  OpFoldResult inner = n.product(x->dims);
  for (OpFoldResult d : x->dims) {
    // Coordinate of this dim: (position / inner) % size. Sizes of zero have no positions.
    inner = n.floordiv(inner, n.max(d, n.idx(1)));
    Value stride = n.index(n.max(inner, n.idx(1))), size = n.index(n.max(d, n.idx(1)));
    V row = n.elementwise({at}, proto::Int64, [&](Scalar &s, A a) {
      Value i = s.op<arith::IndexCastOp>(s.b.getIndexType(), a[0]);
      Value c = s.op<arith::RemUIOp>(s.op<arith::DivUIOp>(i, stride), size);
      return s.op<arith::IndexCastOp>(s.b.getI64Type(), c);
    });
    rows.push_back(n.unsqueeze(row, {0}));
  }
  return n.out(n.concat(rows, 0));
}

LogicalResult compress(Node &n) {
  V x = n.in(0), flags = n.in(1);
  int64_t axis = 0;
  if (n.hasAttr("axis")) {
    auto given = n.axis(n.attrInt("axis", 0), x->rank());
    if (failed(given))
      return failure();
    axis = *given;
  } else {
    x = n.reshape(x, {n.product(x->dims)});
  }
  if (flags->rank() != 1 || flags->dtype != proto::Bool)
    return n.fail("expected a condition of rank 1 and booleans");
  V at = whereTrue(n, flags);
  return n.out(n.gather(x, at, axis));
}

LogicalResult trilu(Node &n) {
  V x = n.in(0);
  if (x->rank() < 2)
    return n.fail("expected rank of at least 2");
  OpFoldResult k = n.idx(0);
  if (n.has(1)) {
    FailureOr<Dims> given = n.toIndices(n.in(1));
    if (failed(given) || given->size() != 1)
      return n.fail("expected k of one element");
    k = (*given)[0];
  }
  bool upper = n.attrInt("upper", 1);
  int64_t rank = x->rank();
  Value shift = n.index(k);
  return n.out(n.generic(x->dtype, x->dims, {{x, n.b.getMultiDimIdentityMap(rank)}}, [&](Scalar &s, A a) {
    Value row = linalg::IndexOp::create(s.b, rank - 2), col = linalg::IndexOp::create(s.b, rank - 1);
    Value diagonal = s.op<arith::AddIOp>(row, shift);
    Value keep = s.op<arith::CmpIOp>(upper ? Scalar::IP::sge : Scalar::IP::sle, col, diagonal);
    return s.select(keep, a[0], s.constLike(a[0], 0));
  }));
}

LogicalResult eyeLike(Node &n) {
  V x = n.in(0);
  if (x->rank() != 2)
    return n.fail("expected rank 2");
  int32_t dtype = n.attrInt("dtype", x->dtype);
  Value shift = n.index(n.idx(n.attrInt("k", 0)));
  Type type = n.type(dtype);
  if (!type)
    return n.fail("element type " + dtypeName(dtype) + " is not supported");
  return n.out(n.generic(dtype, x->dims, {}, [&](Scalar &s, A) {
    Value row = linalg::IndexOp::create(s.b, 0), col = linalg::IndexOp::create(s.b, 1);
    Value hit = s.op<arith::CmpIOp>(Scalar::IP::eq, col, s.op<arith::AddIOp>(row, shift));
    return s.select(hit, s.constant(type, 1), s.constant(type, 0));
  }));
}

LogicalResult reverseSequence(Node &n) {
  V x = n.in(0), lengths = n.in(1);
  int64_t batch = n.attrInt("batch_axis", 1), time = n.attrInt("time_axis", 0), rank = x->rank();
  if (rank < 2 || batch < 0 || time < 0 || batch > 1 || time > 1 || batch == time)
    return n.fail("expected batch and time axes of 0 and 1");
  Value t = n.tensor(x);
  AffineMap map = AffineMap::get(rank, 0, {n.b.getAffineDimExpr(batch)}, n.b.getContext());
  Value limit = n.index(x->dims[time]);
  return n.out(n.generic(x->dtype, x->dims, {{lengths, map}}, [&](Scalar &s, A a) {
    Value length = s.op<arith::MinSIOp>(s.op<arith::IndexCastOp>(s.b.getIndexType(), a[0]), limit);
    SmallVector<Value> at;
    for (int64_t d = 0; d < rank; ++d) {
      Value i = linalg::IndexOp::create(s.b, d);
      if (d == time) {
        Value mirrored = s.op<arith::SubIOp>(s.op<arith::SubIOp>(length, s.intConst(s.b.getIndexType(), 1)), i);
        i = s.select(s.op<arith::CmpIOp>(Scalar::IP::slt, i, length), mirrored, i);
      }
      at.push_back(i);
    }
    return tensor::ExtractOp::create(s.b, t, at).getResult();
  }));
}

} // namespace

void tenon::onnx::registerSelect(Registry &reg) {
  reg.on("TopK", 1, topK);
  reg.on("OneHot", 9, oneHot);
  reg.on("NonZero", 9, nonZero);
  reg.on("Compress", 9, compress);
  reg.on("Trilu", 14, trilu);
  reg.on("EyeLike", 9, eyeLike);
  reg.on("ReverseSequence", 10, reverseSequence);
}
