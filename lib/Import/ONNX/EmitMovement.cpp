//===- EmitMovement.cpp - reshape, transpose, slice, concat, pad, gather -----------===//
//
// Movement of values: known elements are rearranged while importing, tensors by tensor and linalg ops.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"

using namespace mlir;
using namespace tenon::onnx;

V Emitter::rearrange(const V &x, ArrayRef<int64_t> shape, llvm::function_ref<int64_t(ArrayRef<int64_t>)> source) {
  int64_t count = 1, rank = shape.size();
  for (int64_t d : shape)
    count *= d;
  SmallVector<OpFoldResult> elements;
  Ints at(rank, 0);
  for (int64_t i = 0; i < count; ++i) {
    elements.push_back(x->known[source(at)]);
    for (int64_t d = rank - 1; d >= 0 && ++at[d] == shape[d]; --d)
      at[d] = 0;
  }
  return known(x->dtype, shape, elements);
}

/// Groups of source and target dims with equal products, where that can be seen; false otherwise.
static bool groupDims(Emitter &e, ArrayRef<OpFoldResult> from, ArrayRef<OpFoldResult> to,
                      SmallVector<ReassociationIndices> &fromGroups, SmallVector<ReassociationIndices> &toGroups) {
  unsigned i = 0, j = 0;
  auto stat = [](OpFoldResult d) { return getConstantIntValue(d).value_or(-1); };
  while (i < from.size() && j < to.size()) {
    ReassociationIndices f{i}, t{j};
    if (stat(from[i]) == 0 || stat(to[j]) == 0)
      return false;
    if (!e.same(from[i], to[j])) {
      // Dynamic dims cancel when both sides hold the same value.
      SmallVector<Value> dynamicFrom, dynamicTo;
      int64_t pf = 1, pt = 1;
      auto take = [&](auto &self, OpFoldResult d, int64_t &p, SmallVector<Value> &mine,
                      SmallVector<Value> &other) -> void {
        if (auto c = getConstantIntValue(d)) {
          p *= *c;
        } else if (auto product = cast<Value>(d).getDefiningOp<arith::MulIOp>()) {
          // A size that is a product stands for its factors.
          self(self, e.norm(product.getLhs()), p, mine, other);
          self(self, e.norm(product.getRhs()), p, mine, other);
        } else if (auto it = llvm::find(other, cast<Value>(d)); it != other.end()) {
          other.erase(it);
        } else {
          mine.push_back(cast<Value>(d));
        }
      };
      take(take, from[i], pf, dynamicFrom, dynamicTo);
      take(take, to[j], pt, dynamicTo, dynamicFrom);
      while (pf != pt || !dynamicFrom.empty() || !dynamicTo.empty()) {
        bool advanceFrom = !dynamicTo.empty() ? true : !dynamicFrom.empty() ? false : pf < pt;
        if (advanceFrom) {
          if (++i == from.size() || stat(from[i]) == 0)
            return false;
          f.push_back(i);
          take(take, from[i], pf, dynamicFrom, dynamicTo);
        } else {
          if (++j == to.size() || stat(to[j]) == 0)
            return false;
          t.push_back(j);
          take(take, to[j], pt, dynamicTo, dynamicFrom);
        }
      }
    }
    fromGroups.push_back(f);
    toGroups.push_back(t);
    ++i, ++j;
  }
  // Left over unit dims join the last group.
  for (; i < from.size(); ++i) {
    if (stat(from[i]) != 1 || fromGroups.empty())
      return false;
    fromGroups.back().push_back(i);
  }
  for (; j < to.size(); ++j) {
    if (stat(to[j]) != 1 || toGroups.empty())
      return false;
    toGroups.back().push_back(j);
  }
  return !fromGroups.empty();
}

V Emitter::reshape(const V &x, ArrayRef<OpFoldResult> dims) {
  if (!x)
    return {};
  auto to = tensorType(x->dtype, dims);
  if (x->isKnown) {
    auto v = std::make_shared<Val>(*x);
    v->dims.assign(dims.begin(), dims.end());
    v->ssa = {};
    return v;
  }
  if (dims.size() == x->dims.size() &&
      llvm::all_of(llvm::zip(dims, x->dims), [&](auto p) { return same(std::get<0>(p), std::get<1>(p)); }))
    return x;
  Value t = tensor(x);
  // To and from rank 0: all dims are 1.
  bool allUnit = llvm::all_of(x->shape(), [](int64_t d) { return d == 1; });
  if (dims.empty() && allUnit)
    return value(x->dtype, tensor::CollapseShapeOp::create(b, to, t, ArrayRef<ReassociationIndices>{}), dims);
  if (x->rank() == 0 && to.hasStaticShape())
    return value(x->dtype, tensor::ExpandShapeOp::create(b, to, t, ArrayRef<ReassociationIndices>{}), dims);
  SmallVector<ReassociationIndices> fromGroups, toGroups;
  auto atMostOneDynamic = [](ArrayRef<OpFoldResult> dims, ArrayRef<ReassociationIndices> groups) {
    return llvm::all_of(groups, [&](const ReassociationIndices &g) {
      return llvm::count_if(g, [&](int64_t i) { return !getConstantIntValue(dims[i]); }) <= 1;
    });
  };
  if (!dims.empty() && x->rank() && groupDims(*this, x->dims, dims, fromGroups, toGroups) &&
      (to.hasStaticShape() || atMostOneDynamic(dims, toGroups))) {
    Dims middle;
    for (const ReassociationIndices &g : fromGroups) {
      OpFoldResult p = idx(1);
      for (int64_t i : g)
        p = mul(p, x->dims[i]);
      middle.push_back(p);
    }
    if (middle.size() != x->dims.size()) {
      t = tensor::CollapseShapeOp::create(b, tensorType(x->dtype, middle), t, fromGroups);
    }
    if (middle.size() != dims.size()) {
      // Dims that are static in the collapsed type but dynamic in the groups need a refinement first.
      auto have = cast<RankedTensorType>(t.getType());
      Ints shape;
      for (auto [k, g] : llvm::enumerate(toGroups)) {
        bool isDynamic = llvm::any_of(g, [&](int64_t i) { return to.isDynamicDim(i); });
        int64_t p = 1;
        for (int64_t i : g)
          p *= isDynamic ? 1 : to.getDimSize(i);
        shape.push_back(isDynamic ? ShapedType::kDynamic : p);
      }
      auto want = RankedTensorType::get(shape, have.getElementType());
      if (have != want)
        t = tensor::CastOp::create(b, want, t);
      t = tensor::ExpandShapeOp::create(b, to, t, toGroups, SmallVector<OpFoldResult>(dims));
    }
    return value(x->dtype, t, dims);
  }
  // The general case: through an explicit shape.
  if (x->hasStaticShape() && to.hasStaticShape() && x->rank() > 0 && !dims.empty() && x->count() > 0) {
    ReassociationIndices all;
    for (int64_t i = 0; i < x->rank(); ++i)
      all.push_back(i);
    if (x->rank() > 1)
      t = tensor::CollapseShapeOp::create(b, RankedTensorType::get({x->count()}, to.getElementType()), t,
                                          ArrayRef<ReassociationIndices>{all});
    all.clear();
    for (unsigned i = 0; i < dims.size(); ++i)
      all.push_back(i);
    if (dims.size() > 1)
      t = tensor::ExpandShapeOp::create(b, to, t, ArrayRef<ReassociationIndices>{all});
    return value(x->dtype, t, dims);
  }
  SmallVector<Value> sizes;
  for (OpFoldResult d : dims)
    sizes.push_back(index(d));
  Value shape = dims.empty() ? Value(tensor::EmptyOp::create(b, ArrayRef<int64_t>{0}, b.getIndexType()))
                             : Value(tensor::FromElementsOp::create(b, sizes));
  return value(x->dtype, tensor::ReshapeOp::create(b, to, t, shape), dims);
}

V Emitter::unsqueeze(const V &x, ArrayRef<int64_t> axes) {
  if (!x)
    return {};
  Dims dims(x->rank() + axes.size(), OpFoldResult());
  for (int64_t a : axes) {
    if (a >= static_cast<int64_t>(dims.size()) || dims[a])
      return {};
    dims[a] = idx(1);
  }
  unsigned next = 0;
  for (OpFoldResult &d : dims)
    if (!d)
      d = x->dims[next++];
  return reshape(x, dims);
}
V Emitter::squeeze(const V &x, ArrayRef<int64_t> axes) {
  if (!x)
    return {};
  Dims dims;
  for (int64_t i = 0; i < x->rank(); ++i)
    if (!llvm::is_contained(axes, i))
      dims.push_back(x->dims[i]);
  return reshape(x, dims);
}

V Emitter::transpose(const V &x, ArrayRef<int64_t> perm) {
  if (!x)
    return {};
  bool identity = true;
  Dims dims;
  for (auto [i, p] : llvm::enumerate(perm)) {
    dims.push_back(x->dims[p]);
    identity &= p == static_cast<int64_t>(i);
  }
  if (identity)
    return x;
  if (x->isKnown) {
    Ints shape;
    for (int64_t p : perm)
      shape.push_back(x->dim(p));
    return rearrange(x, shape, [&](ArrayRef<int64_t> at) {
      Ints source(perm.size());
      for (auto [i, p] : llvm::enumerate(perm))
        source[p] = at[i];
      int64_t linear = 0;
      for (int64_t d = 0; d < x->rank(); ++d)
        linear = linear * x->dim(d) + source[d];
      return linear;
    });
  }
  // Moving unit dims only is a reshape.
  Ints moved;
  for (int64_t p : perm)
    if (x->dim(p) != 1)
      moved.push_back(p);
  if (llvm::is_sorted(moved))
    return reshape(x, dims);
  auto op = linalg::TransposeOp::create(b, tensor(x), empty(x->dtype, dims), perm);
  return value(x->dtype, op->getResult(0), dims);
}

V Emitter::slice(const V &x, ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes, ArrayRef<int64_t> strides) {
  if (!x)
    return {};
  bool whole = true, isStatic = true;
  for (int64_t i = 0; i < x->rank(); ++i) {
    whole &= getConstantIntValue(offsets[i]) == 0 && strides[i] == 1 && same(sizes[i], x->dims[i]);
    isStatic &= getConstantIntValue(offsets[i]) && getConstantIntValue(sizes[i]);
  }
  if (whole)
    return x;
  if (x->isKnown && isStatic) {
    Ints shape;
    for (OpFoldResult s : sizes)
      shape.push_back(*getConstantIntValue(s));
    return rearrange(x, shape, [&](ArrayRef<int64_t> at) {
      int64_t linear = 0;
      for (int64_t d = 0; d < x->rank(); ++d)
        linear = linear * x->dim(d) + *getConstantIntValue(offsets[d]) + at[d] * strides[d];
      return linear;
    });
  }
  if (llvm::is_contained(x->shape(), 0) ||
      llvm::any_of(sizes, [](OpFoldResult d) { return getConstantIntValue(d) == 0; }))
    return value(x->dtype, empty(x->dtype, sizes), sizes);
  SmallVector<OpFoldResult> steps, starts(offsets);
  for (int64_t s : strides)
    steps.push_back(idx(s));
  Value t = tensor::ExtractSliceOp::create(b, tensor(x), starts, SmallVector<OpFoldResult>(sizes), steps);
  return value(x->dtype, t, sizes);
}
V Emitter::sliceAxis(const V &x, int64_t axis, OpFoldResult start, OpFoldResult count) {
  if (!x || axis >= x->rank())
    return {};
  Dims offsets(x->rank(), idx(0)), sizes = x->dims;
  Ints strides(x->rank(), 1);
  offsets[axis] = start;
  sizes[axis] = count;
  return slice(x, offsets, sizes, strides);
}

V Emitter::flip(const V &x, int64_t axis) {
  if (!x)
    return {};
  if (x->dim(axis) == 1)
    return x;
  if (x->isKnown && x->hasStaticShape())
    return rearrange(x, x->shape(), [&](ArrayRef<int64_t> at) {
      int64_t linear = 0;
      for (int64_t d = 0; d < x->rank(); ++d)
        linear = linear * x->dim(d) + (d == axis ? x->dim(d) - 1 - at[d] : at[d]);
      return linear;
    });
  Value t = tensor(x), last = index(sub(x->dims[axis], idx(1)));
  return generic(x->dtype, x->dims, {}, [&](Scalar &s, A) {
    SmallVector<Value> at;
    for (int64_t d = 0; d < x->rank(); ++d) {
      Value i = linalg::IndexOp::create(s.b, d);
      at.push_back(d == axis ? s.op<arith::SubIOp>(last, i) : i);
    }
    return tensor::ExtractOp::create(s.b, t, at).getResult();
  });
}

V Emitter::concat(ArrayRef<V> parts, int64_t axis) {
  for (const V &p : parts)
    if (!p || p->rank() != parts[0]->rank())
      return {};
  if (parts.size() == 1)
    return parts[0];
  OpFoldResult total = idx(0);
  bool allKnown = true;
  SmallVector<V> used;
  for (const V &p : parts) {
    total = add(total, p->dims[axis]);
    allKnown &= p->isKnown;
    if (p->dim(axis) != 0)
      used.push_back(p);
  }
  if (used.empty())
    return parts[0];
  if (used.size() == 1)
    return used[0];
  Dims dims = used[0]->dims;
  dims[axis] = total;
  for (int64_t d = 0; d < static_cast<int64_t>(dims.size()); ++d) {
    if (d == axis)
      continue;
    for (const V &p : used) {
      auto c = getConstantIntValue(p->dims[d]), r = getConstantIntValue(dims[d]);
      if (c && r && *c != *r) {
        imp.report(imp.current + ": parts of a concatenation have " + Twine(*r) + " and " + Twine(*c) +
                   " entries along dim " + Twine(d));
        return {};
      }
      checkEqual(p->dims[d], dims[d], "parts of a concatenation differ in size");
      if (c)
        dims[d] = p->dims[d];
    }
  }
  int32_t dtype = used[0]->dtype;
  if (allKnown) {
    Ints shape;
    int64_t inner = 1, outer = 1;
    for (auto [i, d] : llvm::enumerate(dims)) {
      shape.push_back(*getConstantIntValue(d));
      (static_cast<int64_t>(i) < axis ? outer : inner) *= static_cast<int64_t>(i) == axis ? 1 : shape.back();
    }
    SmallVector<OpFoldResult> elements;
    for (int64_t o = 0; o < outer; ++o)
      for (const V &p : used) {
        int64_t n = p->dim(axis) * inner;
        for (int64_t i = 0; i < n; ++i)
          elements.push_back(p->known[o * n + i]);
      }
    return known(dtype, shape, elements);
  }
  SmallVector<Value> tensors;
  for (const V &p : used)
    tensors.push_back(tensor(p));
  auto inferred =
      tensor::ConcatOp::inferResultType(axis, llvm::map_to_vector(tensors, [](Value t) { return t.getType(); }));
  Value t = tensor::ConcatOp::create(b, inferred, axis, tensors);
  return value(dtype, t, dims);
}

V Emitter::expand(const V &x, ArrayRef<OpFoldResult> dims) {
  if (!x)
    return {};
  auto shape = std::make_shared<Val>();
  shape->dtype = x->dtype;
  shape->dims.assign(dims.begin(), dims.end());
  FailureOr<Dims> all = broadcastDims({x, shape});
  if (failed(all))
    return {};
  if (all->size() == x->dims.size() &&
      llvm::all_of(llvm::zip(*all, x->dims), [&](auto p) { return same(std::get<0>(p), std::get<1>(p)); }))
    return x;
  int64_t rank = all->size();
  SmallVector<AffineExpr> exprs;
  Ints dropped, target;
  int64_t count = 1;
  for (OpFoldResult d : *all) {
    target.push_back(getConstantIntValue(d).value_or(ShapedType::kDynamic));
    count = target.back() < 0 || count > 1024 ? 4096 : count * target.back();
  }
  if (x->isKnown && count <= 1024)
    return rearrange(x, target, [&](ArrayRef<int64_t> at) {
      int64_t linear = 0;
      for (int64_t d = 0; d < x->rank(); ++d)
        linear = linear * x->dim(d) + (x->dim(d) == 1 ? 0 : at[d + rank - x->rank()]);
      return linear;
    });
  for (int64_t d = 0; d < x->rank(); ++d) {
    int64_t at = d + rank - x->rank();
    if (x->dim(d) == 1 && target[at] != 1)
      dropped.push_back(d);
    else
      exprs.push_back(b.getAffineDimExpr(at));
  }
  if (x->isConstant() && x->known.size() == 1)
    return value(x->dtype, filled(x->dtype, *all, llvm::cast<TypedAttr>(llvm::cast<Attribute>(x->known[0]))), *all);
  V source = dropped.empty() ? x : squeeze(x, dropped);
  return generic(x->dtype, *all, {{source, AffineMap::get(rank, 0, exprs, b.getContext())}},
                 [](Scalar &, A a) { return a[0]; });
}

V Emitter::pad(const V &x, ArrayRef<OpFoldResult> low, ArrayRef<OpFoldResult> high, double v) {
  if (!x)
    return {};
  Dims dims;
  bool none = true;
  for (int64_t i = 0; i < x->rank(); ++i) {
    dims.push_back(add(add(x->dims[i], low[i]), high[i]));
    none &= getConstantIntValue(low[i]) == 0 && getConstantIntValue(high[i]) == 0;
  }
  if (none)
    return x;
  Value c = arith::ConstantOp::create(b, constant(type(x->dtype), v));
  Value t = tensor::PadOp::create(b, tensorType(x->dtype, dims), tensor(x), SmallVector<OpFoldResult>(low),
                                  SmallVector<OpFoldResult>(high), c);
  return value(x->dtype, t, dims);
}

V Emitter::refine(const V &x, ArrayRef<OpFoldResult> dims) {
  if (!x || x->rank() != static_cast<int64_t>(dims.size()))
    return {};
  if (x->isKnown)
    return x;
  return value(x->dtype, tensor(x), dims);
}

void Emitter::checkRange(const V &indices, OpFoldResult extent) {
  Value size = index(extent);
  V ok = elementwise({indices}, proto::Bool, [&](Scalar &s, A a) {
    Value i = s.toIndex(a[0]), n = s.op<arith::SubIOp>(s.intConst(s.b.getIndexType(), 0), size);
    return s.op<arith::AndIOp>(s.op<arith::CmpIOp>(Scalar::IP::sge, i, n),
                               s.op<arith::CmpIOp>(Scalar::IP::slt, i, size));
  });
  Ints all = sequence(0, indices->rank());
  check(truth(reduce(ok, all, false, -1, [](Scalar &s, A a) { return s.op<arith::AndIOp>(a[0], a[1]); })),
        "index out of range");
}
Value Emitter::truth(const V &v) {
  if (v->isKnown) {
    OpFoldResult e = v->known[0];
    if (isa<Value>(e))
      return llvm::cast<Value>(e);
    return arith::ConstantOp::create(b, llvm::cast<TypedAttr>(llvm::cast<Attribute>(e)));
  }
  SmallVector<Value> at;
  for (int64_t i = 0; i < v->rank(); ++i)
    at.push_back(index(idx(0)));
  return b.createOrFold<tensor::ExtractOp>(tensor(v), at);
}

V Emitter::gather(const V &data, const V &indices, int64_t axis) {
  if (!data || !indices || axis >= data->rank() || isFloatDType(indices->dtype))
    return {};
  Dims dims;
  Ints shape;
  int64_t q = indices->rank(), r = data->rank();
  for (int64_t i = 0; i < axis; ++i)
    dims.push_back(data->dims[i]);
  dims.append(indices->dims.begin(), indices->dims.end());
  for (int64_t i = axis + 1; i < r; ++i)
    dims.push_back(data->dims[i]);
  int64_t extent = data->dim(axis);
  std::optional<Ints> constants = constIntsOf(indices);
  if (constants && extent != ShapedType::kDynamic)
    for (int64_t i : *constants)
      if (i < -extent || i >= extent) {
        imp.report(imp.current + ": index " + Twine(i) + " is out of range for a dim of " + Twine(extent));
        return {};
      }
  int64_t count = 1;
  for (OpFoldResult d : dims) {
    shape.push_back(getConstantIntValue(d).value_or(ShapedType::kDynamic));
    count = shape.back() < 0 || count > 1024 ? 4096 : count * shape.back();
  }
  if (constants && data->isKnown && count <= 1024)
    return rearrange(data, shape, [&](ArrayRef<int64_t> at) {
      int64_t which = 0;
      for (int64_t i = 0; i < q; ++i)
        which = which * indices->dim(i) + at[axis + i];
      int64_t index = (*constants)[which];
      index += index < 0 ? extent : 0;
      int64_t linear = 0;
      for (int64_t d = 0; d < r; ++d)
        linear = linear * data->dim(d) + (d < axis ? at[d] : d == axis ? index : at[d + q - 1]);
      return linear;
    });
  Value size = index(data->dims[axis]);
  // One index: a slice. Many constants in range: no check.
  if (constants && constants->size() == 1 && (extent != ShapedType::kDynamic || (*constants)[0] >= 0)) {
    OpFoldResult at = idx((*constants)[0] + ((*constants)[0] < 0 ? extent : 0));
    if (extent == ShapedType::kDynamic)
      check(cmp(arith::CmpIPredicate::sgt, data->dims[axis], at), "index out of range");
    return reshape(sliceAxis(data, axis, at, idx(1)), dims);
  }
  if (!constants || extent == ShapedType::kDynamic)
    checkRange(indices, data->dims[axis]);
  Value source = tensor(data);
  SmallVector<AffineExpr> exprs;
  for (int64_t i = 0; i < q; ++i)
    exprs.push_back(b.getAffineDimExpr(axis + i));
  return generic(data->dtype, dims, {{indices, AffineMap::get(dims.size(), 0, exprs, b.getContext())}},
                 [&](Scalar &s, A a) {
                   Value i = s.toIndex(a[0]);
                   Value zero = s.intConst(s.b.getIndexType(), 0);
                   i = s.select(s.op<arith::CmpIOp>(Scalar::IP::slt, i, zero), s.op<arith::AddIOp>(i, size), i);
                   SmallVector<Value> at;
                   for (int64_t d = 0; d < r; ++d)
                     at.push_back(d == axis ? i : Value(linalg::IndexOp::create(s.b, d < axis ? d : d + q - 1)));
                   return tensor::ExtractOp::create(s.b, source, at).getResult();
                 });
}
