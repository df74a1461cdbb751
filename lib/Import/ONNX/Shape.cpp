//===- Shape.cpp - operators on shapes and constants --------------------------------===//
//
// Their results are known elements wherever the shapes are.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

using namespace mlir;
using namespace tenon::onnx;

static LogicalResult reshape(Node &n) {
  V x = n.in(0);
  Dims target;
  if (n.opset < 5 || !n.has(1)) {
    auto shape = n.attrInts("shape");
    if (!shape)
      return n.fail("expected a shape");
    for (int64_t d : *shape)
      target.push_back(n.idx(d));
  } else {
    FailureOr<Dims> given = n.toIndices(n.in(1));
    if (failed(given))
      return n.fail("a shape of unknown length is not supported");
    target = *given;
  }
  bool allowZero = n.attrInt("allowzero", 0);
  int inferred = -1;
  for (unsigned i = 0; i < target.size(); ++i) {
    auto c = getConstantIntValue(target[i]);
    if (!c) {
      // A run-time entry: 0 and -1 have their meaning too.
      if (target.size() == 1 || x->rank() == 0) {
        continue;
      }
      continue;
    }
    if (*c == 0 && !allowZero) {
      if (i >= x->dims.size())
        return n.fail("the shape copies dim " + Twine(i) + " of an input of rank " + Twine(x->rank()));
      target[i] = x->dims[i];
    } else if (*c == -1) {
      if (inferred >= 0)
        return n.fail("the shape has two entries of -1");
      inferred = i;
    } else if (*c < -1) {
      return n.fail("the shape has a negative entry " + Twine(*c));
    }
  }
  // Run-time entries that are not sizes known to be positive may be -1 or 0.
  bool uncertain = false;
  for (unsigned i = 0; i < target.size(); ++i) {
    Value v = dyn_cast<Value>(target[i]);
    if (!v || llvm::any_of(x->dims, [&](OpFoldResult d) { return n.same(d, target[i]); }))
      continue;
    Operation *def = v.getDefiningOp();
    if (def &&
        isa<tensor::DimOp, arith::AddIOp, arith::MulIOp, arith::MaxSIOp, arith::FloorDivSIOp, arith::CeilDivSIOp>(def))
      continue;
    uncertain = true;
    using P = arith::CmpIPredicate;
    if (!allowZero && i < x->dims.size())
      target[i] = n.select(n.cmp(P::eq, target[i], n.idx(0)), x->dims[i], target[i]);
  }
  if (uncertain && inferred < 0) {
    OpFoldResult known = n.idx(1);
    using P = arith::CmpIPredicate;
    for (OpFoldResult d : target)
      known = n.mul(known, n.select(n.cmp(P::eq, d, n.idx(-1)), n.idx(1), d));
    OpFoldResult rest = n.floordiv(n.product(x->dims), n.max(known, n.idx(1)));
    for (OpFoldResult &d : target)
      if (isa<Value>(d))
        d = n.select(n.cmp(P::eq, d, n.idx(-1)), rest, d);
  }
  if (inferred >= 0) {
    // Dims that occur on both sides cancel.
    Dims from = x->dims, to;
    for (unsigned i = 0; i < target.size(); ++i) {
      if (static_cast<int>(i) == inferred)
        continue;
      auto it = llvm::find_if(from, [&](OpFoldResult d) { return isa<Value>(d) && n.same(d, target[i]); });
      if (it != from.end())
        from.erase(it);
      else
        to.push_back(target[i]);
    }
    int64_t up = 1, down = 1;
    bool overflow = false;
    Dims dynamicUp, dynamicDown;
    for (OpFoldResult d : from)
      if (auto c = getConstantIntValue(d))
        overflow |= llvm::MulOverflow(up, *c, up);
      else
        dynamicUp.push_back(d);
    for (OpFoldResult d : to)
      if (auto c = getConstantIntValue(d))
        overflow |= llvm::MulOverflow(down, *c, down);
      else
        dynamicDown.push_back(d);
    if (overflow)
      return n.fail("the number of elements does not fit 64 bits");
    OpFoldResult rest;
    if (dynamicUp.empty() && dynamicDown.empty()) {
      if (down == 0 ? up != 0 : up % down != 0)
        return n.fail("cannot infer a dim: " + Twine(up) + " elements do not divide into " + Twine(down));
      rest = n.idx(down == 0 ? 0 : up / down);
    } else if (down != 0 && up % down == 0 && dynamicDown.empty()) {
      rest = n.mul(n.product(dynamicUp), n.idx(up / down));
    } else {
      OpFoldResult whole = n.mul(n.product(dynamicUp), n.idx(up)), part = n.mul(n.product(dynamicDown), n.idx(down));
      rest = n.floordiv(whole, n.max(part, n.idx(1)));
      n.checkEqual(n.mul(rest, part), whole, "the elements do not divide into the shape");
    }
    target[inferred] = rest;
  } else {
    OpFoldResult have = n.product(x->dims), want = n.product(target);
    auto a = getConstantIntValue(have), c = getConstantIntValue(want);
    if (a && c && *a != *c)
      return n.fail("cannot reshape " + Twine(*a) + " elements to " + Twine(*c));
    if (!(a && c)) {
      // Equal factors need no check.
      Dims left = x->dims, right = target;
      for (OpFoldResult d : x->dims)
        if (auto it = llvm::find_if(right, [&](OpFoldResult r) { return n.same(r, d); }); it != right.end()) {
          right.erase(it);
          left.erase(llvm::find_if(left, [&](OpFoldResult l) { return n.same(l, d); }));
        }
      n.checkEqual(n.product(left), n.product(right), "the shape has another number of elements");
    }
  }
  return n.out(n.reshape(x, target));
}

static LogicalResult shape(Node &n) {
  V x = n.in(0);
  int64_t rank = x->rank(), start = n.attrInt("start", 0), end = n.attrInt("end", rank);
  auto clamp = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank); };
  start = clamp(start);
  end = std::max(start, clamp(end));
  return n.out(n.fromIndices(ArrayRef<OpFoldResult>(x->dims).slice(start, end - start)));
}

static LogicalResult constant(Node &n) {
  auto floats = [&](ArrayRef<float> values, ArrayRef<int64_t> shape) {
    SmallVector<OpFoldResult> elements;
    for (float f : values)
      elements.push_back(n.b.getF32FloatAttr(f));
    return n.out(n.known(proto::Float, shape, elements));
  };
  if (const proto::Tensor *t = n.attrTensor("value"))
    return n.out(n.imp.initializer(*t, n.label));
  if (const proto::Attribute *a = n.attr("value_float"))
    return floats({a->f}, {});
  if (const proto::Attribute *a = n.attr("value_floats"))
    return floats(a->floats, {static_cast<int64_t>(a->floats.size())});
  if (const proto::Attribute *a = n.attr("value_int"))
    return n.out(n.known(proto::Int64, {}, {OpFoldResult(n.b.getI64IntegerAttr(a->i))}));
  if (const proto::Attribute *a = n.attr("value_ints"))
    return n.out(n.constInts(proto::Int64, a->ints));
  return n.fail("strings and sparse tensors are not supported");
}

static LogicalResult constantOfShape(Node &n) {
  FailureOr<Dims> dims = n.toIndices(n.in(0));
  if (failed(dims))
    return n.fail("a shape of unknown length is not supported");
  int32_t dtype = proto::Float;
  OpFoldResult element = n.b.getF32FloatAttr(0);
  if (const proto::Tensor *t = n.attrTensor("value")) {
    V v = n.imp.initializer(*t, n.label);
    if (!v || !v->isConstant() || v->known.size() != 1)
      return n.fail("expected a value of one element");
    dtype = v->dtype;
    element = v->known[0];
  }
  int64_t count = 1;
  for (OpFoldResult &d : *dims) {
    auto c = getConstantIntValue(d);
    if (c && *c < 0)
      return n.fail("the shape has a negative entry");
    if (c && count >= 0 && llvm::MulOverflow(count, *c, count))
      return n.fail("the number of elements does not fit 64 bits");
    if (!c) {
      n.check(n.cmp(arith::CmpIPredicate::sge, d, n.idx(0)), "the shape has a negative entry");
      count = -1;
    }
  }
  if (count >= 0 && count <= 64) {
    Ints shape;
    for (OpFoldResult d : *dims)
      shape.push_back(*getConstantIntValue(d));
    return n.out(n.known(dtype, shape, SmallVector<OpFoldResult>(count, element)));
  }
  return n.out(n.value(dtype, n.filled(dtype, *dims, cast<TypedAttr>(cast<Attribute>(element))), *dims));
}

static LogicalResult range(Node &n) {
  V start = n.in(0), limit = n.in(1), delta = n.in(2);
  for (V *v : {&start, &limit, &delta})
    if ((*v)->rank())
      *v = n.reshape(*v, {});
  int32_t dtype = start->dtype;
  // ceil((limit - start) / delta), at least 0.
  auto s = n.constFloatsOf(start), l = n.constFloatsOf(limit), d = n.constFloatsOf(delta);
  OpFoldResult count;
  if (s && l && d) {
    if ((*d)[0] == 0)
      return n.fail("a step of zero");
    double c = std::ceil(((*l)[0] - (*s)[0]) / (*d)[0]);
    count = n.idx(c > 0 ? static_cast<int64_t>(c) : 0);
  } else if (isFloatDType(dtype)) {
    V quotient = n.divV(n.subV(limit, start), delta);
    V up = n.cast(n.elementwise({quotient}, dtype, [](Scalar &sc, A a) { return sc.ceil(a[0]); }), proto::Int64);
    FailureOr<Dims> c = n.toIndices(up);
    if (failed(c))
      return failure();
    count = n.max((*c)[0], n.idx(0));
  } else {
    FailureOr<Dims> a = n.toIndices(start), e = n.toIndices(limit), st = n.toIndices(delta);
    if (failed(a) || failed(e) || failed(st))
      return n.fail("expected scalars");
    if (!getConstantIntValue((*st)[0]))
      n.check(n.cmp(arith::CmpIPredicate::ne, (*st)[0], n.idx(0)), "a step of zero");
    OpFoldResult step = n.select(n.cmp(arith::CmpIPredicate::eq, (*st)[0], n.idx(0)), n.idx(1), (*st)[0]);
    count = n.max(n.ceildiv(n.sub((*e)[0], (*a)[0]), step), n.idx(0));
  }
  auto c = getConstantIntValue(count);
  if (c && *c <= 256) {
    SmallVector<OpFoldResult> elements;
    for (int64_t i = 0; i < *c; ++i)
      elements.push_back(n.constant(n.type(proto::Int64), i));
    V i = n.cast(n.known(proto::Int64, {*c}, elements), dtype);
    return n.out(
        n.elementwise({i, delta, start}, dtype, [](Scalar &sc, A a) { return sc.add(a[2], sc.mul(a[0], a[1])); }));
  }
  AffineMap scalarMap = AffineMap::get(1, 0, n.b.getContext());
  return n.out(n.generic(dtype, {count}, {{start, scalarMap}, {delta, scalarMap}}, [](Scalar &sc, A a) {
    Value i = sc.fromIndex(linalg::IndexOp::create(sc.b, 0), a[0].getType());
    return sc.add(a[0], sc.mul(i, a[1]));
  }));
}

static FailureOr<Dims> squeezed(Node &n, const V &x, ArrayRef<int64_t> axes) {
  Dims dims;
  for (int64_t i = 0; i < x->rank(); ++i) {
    if (!llvm::is_contained(axes, i)) {
      dims.push_back(x->dims[i]);
    } else if (x->dim(i) != 1) {
      if (x->dim(i) != ShapedType::kDynamic)
        return n.fail("dim " + Twine(i) + " to squeeze is " + Twine(x->dim(i)) + ", not 1");
      n.checkEqual(x->dims[i], n.idx(1), "the dim to squeeze is not 1");
    }
  }
  return dims;
}

void tenon::onnx::registerShape(Registry &reg) {
  reg.on("Reshape", 1, reshape);
  reg.on("Shape", 1, shape);
  reg.on("Size", 1, [](Node &n) { return n.out(n.reshape(n.fromIndices({n.product(n.in(0)->dims)}), {})); });
  reg.on("Constant", 1, constant);
  reg.on("ConstantOfShape", 9, constantOfShape);
  reg.on("Range", 11, range);
  reg.on("Flatten", 1, [](Node &n) {
    V x = n.in(0);
    int64_t axis = n.attrInt("axis", 1);
    if (axis < -x->rank() || axis > x->rank())
      return n.fail("axis " + Twine(axis) + " is out of range for rank " + Twine(x->rank()));
    axis += axis < 0 ? x->rank() : 0;
    ArrayRef<OpFoldResult> dims = x->dims;
    return n.out(n.reshape(x, {n.product(dims.take_front(axis)), n.product(dims.drop_front(axis))}));
  });
  reg.on("Unsqueeze", 1, [](Node &n) {
    V x = n.in(0);
    Ints given;
    if (n.has(1)) {
      int64_t more = n.in(1)->count();
      if (more < 0)
        return n.fail("axes of unknown number are not supported");
      V axes = n.in(1)->rank() ? n.in(1) : n.reshape(n.in(1), {n.idx(1)});
      return n.out(n.switchAxes(axes, x->rank() + more, [&](ArrayRef<int64_t> a) { return n.unsqueeze(x, a); }));
    } else {
      given = n.attrInts("axes").value_or(Ints());
    }
    FailureOr<Ints> axes = n.axes(given, x->rank() + given.size());
    return failed(axes) ? failure() : n.out(n.unsqueeze(x, *axes));
  });
  reg.on("Squeeze", 1, [](Node &n) {
    V x = n.in(0);
    if (n.has(1) && !n.constIntsOf(n.in(1)))
      return n.out(n.switchAxes(n.in(1), x->rank(), [&](ArrayRef<int64_t> a) -> V {
        // Sizes that are not 1 here are of axes that are not meant, or an error at run time.
        bool possible = llvm::all_of(a, [&](int64_t d) { return x->dim(d) == 1 || x->dim(d) < 0; });
        Dims dims;
        for (int64_t i = 0; i < x->rank(); ++i)
          if (!llvm::is_contained(a, i))
            dims.push_back(x->dims[i]);
        for (int64_t d : a)
          n.checkEqual(x->dims[d], n.idx(1), "the dim to squeeze is not 1");
        return possible ? n.reshape(x, dims) : n.fill(x->dtype, dims, 0);
      }));
    auto axes = n.axesInput(1, x->rank());
    if (failed(axes))
      return failure();
    Ints list;
    if (*axes) {
      list = **axes;
    } else {
      for (int64_t i = 0; i < x->rank(); ++i) {
        if (x->dim(i) == ShapedType::kDynamic)
          return n.fail("squeezing dims of unknown size without axes is not supported");
        if (x->dim(i) == 1)
          list.push_back(i);
      }
    }
    FailureOr<Dims> dims = squeezed(n, x, list);
    return failed(dims) ? failure() : n.out(n.reshape(x, *dims));
  });
}
