//===- Resize.cpp - Resize and Upsample ---------------------------------------------------===//
//
// Scales that are known become tenon.resize; scales and sizes of run time are resized one dim after the other by
// gathering taps.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::onnx;

namespace {

struct Settings {
  ResizeMode mode = ResizeMode::nearest;
  ResizeCoordinates coordinates = ResizeCoordinates::half_pixel;
  ResizeRounding rounding = ResizeRounding::round_prefer_floor;
  float cubic = -0.75f, extrapolation = 0;
  bool excludeOutside = false, antialias = false;
};

LogicalResult readSettings(Node &n, Settings &s) {
  StringRef mode = n.attrString("mode", "nearest");
  if (mode == "nearest")
    s.mode = ResizeMode::nearest;
  else if (mode == "linear" || mode == "bilinear")
    s.mode = ResizeMode::linear;
  else if (mode == "cubic")
    s.mode = ResizeMode::cubic;
  else
    return n.fail("unknown mode '" + mode + "'");
  if (n.opset < 11) {
    s.coordinates = ResizeCoordinates::asymmetric;
    s.rounding = ResizeRounding::floor;
    return success();
  }
  StringRef coordinates = n.attrString("coordinate_transformation_mode", "half_pixel");
  if (coordinates == "tf_crop_and_resize")
    coordinates = "crop_and_resize";
  auto c = symbolizeResizeCoordinates(coordinates);
  auto r = symbolizeResizeRounding(n.attrString("nearest_mode", "round_prefer_floor"));
  if (!c || !r)
    return n.fail("coordinate mode '" + coordinates + "' or nearest mode is not supported");
  s.coordinates = *c;
  s.rounding = *r;
  s.cubic = n.attrFloat("cubic_coeff_a", -0.75f);
  s.extrapolation = n.attrFloat("extrapolation_value", 0);
  s.excludeOutside = n.attrInt("exclude_outside", 0);
  s.antialias = n.attrInt("antialias", 0);
  return success();
}

/// One dim resized with scale and bounds of run time (f32 scalars). With `outside`, marks coordinates beyond the input.
V resizeAxis(Node &n, const V &x, int64_t axis, OpFoldResult size, Value scale, Value roiStart, Value roiEnd,
             const Settings &set) {
  Dims dims = x->dims;
  dims[axis] = size;
  Value source = n.tensor(x), inSize = n.index(x->dims[axis]), outSize = n.index(size);
  bool isFloat = isFloatDType(x->dtype), isU = isUnsignedDType(x->dtype);
  Type element = n.type(x->dtype);
  return n.generic(x->dtype, dims, {}, [&](Scalar &s, A) -> Value {
    Type f32 = s.b.getF32Type(), index = s.b.getIndexType();
    Value o = linalg::IndexOp::create(s.b, axis);
    Value of = s.fromIndex(o, f32), in = s.fromIndex(inSize, f32), out = s.fromIndex(outSize, f32);
    // ONNX takes the unrounded length, except where it says otherwise.
    Value length = s.mul(scale, in);
    Value half = s.constant(f32, 0.5), one = s.constant(f32, 1), zero = s.constant(f32, 0), coordinate;
    auto halfPixel = [&] { return s.sub(s.div(s.add(of, half), scale), half); };
    switch (set.coordinates) {
    case ResizeCoordinates::half_pixel:
      coordinate = halfPixel();
      break;
    case ResizeCoordinates::half_pixel_symmetric: {
      Value adjust = s.div(out, s.mul(scale, in)), centre = s.div(in, s.constant(f32, 2));
      coordinate = s.add(s.mul(centre, s.sub(one, adjust)), halfPixel());
      break;
    }
    case ResizeCoordinates::pytorch_half_pixel:
      coordinate = s.select(s.gt(length, one), halfPixel(), zero);
      break;
    case ResizeCoordinates::align_corners:
      coordinate = s.select(s.ne(length, one), s.div(s.mul(of, s.sub(in, one)), s.sub(length, one)), zero);
      break;
    case ResizeCoordinates::asymmetric:
      coordinate = s.div(of, scale);
      break;
    case ResizeCoordinates::crop_and_resize: {
      Value last = s.sub(in, one), span = s.sub(roiEnd, roiStart);
      coordinate = s.select(s.ne(length, one),
                            s.add(s.mul(roiStart, last), s.div(s.mul(of, s.mul(span, last)), s.sub(length, one))),
                            s.mul(s.mul(half, s.add(roiStart, roiEnd)), last));
      break;
    }
    }
    auto at = [&](Value i) -> Value { // i: f32, any integer
      Value clamped = s.min(s.max(i, zero), s.sub(in, one));
      Value k = s.op<arith::IndexCastOp>(index, s.op<arith::FPToSIOp>(s.b.getI64Type(), clamped));
      SmallVector<Value> position;
      for (int64_t d = 0; d < x->rank(); ++d)
        position.push_back(d == axis ? k : Value(linalg::IndexOp::create(s.b, d)));
      Value v = tensor::ExtractOp::create(s.b, source, position);
      return set.mode == ResizeMode::nearest ? v : s.cast(v, isU, f32, false);
    };
    Value result;
    if (set.mode == ResizeMode::nearest) {
      Value r;
      switch (set.rounding) {
      case ResizeRounding::round_prefer_floor:
        r = s.ceil(s.sub(coordinate, half));
        break;
      case ResizeRounding::round_prefer_ceil:
        r = s.floor(s.add(coordinate, half));
        break;
      case ResizeRounding::floor:
        r = s.floor(coordinate);
        break;
      case ResizeRounding::ceil:
        r = s.ceil(coordinate);
        break;
      }
      result = at(r);
    } else {
      Value base = s.floor(coordinate), t = s.sub(coordinate, base);
      SmallVector<Value> weights, taps;
      int first = 0;
      if (set.mode == ResizeMode::linear) {
        weights = {s.sub(one, t), t};
      } else {
        first = -1;
        auto k = [&](double v) { return s.constant(f32, v); };
        double a = set.cubic;
        auto near = [&](Value d) { // |d| <= 1
          return s.add(s.mul(s.mul(s.sub(s.mul(k(a + 2), d), k(a + 3)), d), d), one);
        };
        auto far = [&](Value d) { // 1 < |d| < 2
          return s.sub(s.mul(s.add(s.mul(s.sub(s.mul(k(a), d), k(5 * a)), d), k(8 * a)), d), k(4 * a));
        };
        weights = {far(s.add(t, one)), near(t), near(s.sub(one, t)), far(s.sub(k(2), t))};
      }
      Value total = zero;
      for (auto [i, w] : llvm::enumerate(weights)) {
        Value p = s.add(base, s.constant(f32, first + (int)i));
        taps.push_back(at(p));
        if (set.excludeOutside) {
          Value inside = s.op<arith::AndIOp>(s.ge(p, zero), s.lt(p, in));
          w = s.select(inside, w, zero);
          total = s.add(total, w);
        }
      }
      result = zero;
      for (auto [w, v] : llvm::zip(weights, taps))
        result = s.add(result, s.mul(set.excludeOutside ? s.div(w, total) : w, v));
    }
    if (set.coordinates == ResizeCoordinates::crop_and_resize) {
      Value outside = s.op<arith::OrIOp>(s.lt(coordinate, zero), s.gt(coordinate, s.sub(in, one)));
      result = s.select(outside, s.constLike(result, set.extrapolation), result);
    }
    if (result.getType() != element && !isFloat)
      return s.cast(s.roundEven(result), false, element, isU);
    return result.getType() == element ? result : s.cast(result, false, element, isU);
  });
}

/// The scalar elements of a f32 tensor.
SmallVector<Value> floatsOf(Node &n, const V &v) {
  SmallVector<Value> result;
  V f = n.cast(v, proto::Float);
  for (int64_t i = 0; i < v->count(); ++i) {
    if (f->isKnown) {
      OpFoldResult e = f->known[i];
      result.push_back(isa<Value>(e) ? cast<Value>(e)
                                     : Value(arith::ConstantOp::create(n.b, cast<TypedAttr>(cast<Attribute>(e)))));
    } else {
      result.push_back(tensor::ExtractOp::create(n.b, n.tensor(f), n.index(n.idx(i))));
    }
  }
  return result;
}

LogicalResult resize(Node &n, V roi, V scales, V sizes) {
  V x = n.in(0);
  int64_t rank = x->rank();
  Settings set;
  if (failed(readSettings(n, set)))
    return failure();
  if (scales && scales->count() == 0)
    scales = nullptr;
  if (sizes && sizes->count() == 0)
    sizes = nullptr;
  if (!scales == !sizes)
    return n.fail("expected scales or sizes");
  auto axes = n.axes(n.attrInts("axes").value_or(sequence(0, rank)), rank);
  if (failed(axes))
    return failure();
  int64_t count = axes->size();
  if ((scales ? scales : sizes)->count() != count)
    return n.fail("expected " + Twine(count) + " scales or sizes");
  StringRef policy = n.attrString("keep_aspect_ratio_policy", "stretch");
  Dims dims = x->dims;
  SmallVector<float> factors(rank, 1.0f);
  SmallVector<Value> runScales(rank);
  bool isStatic = true;
  if (scales) {
    auto c = n.constFloatsOf(scales);
    SmallVector<Value> run;
    if (!c)
      run = floatsOf(n, scales);
    isStatic = c.has_value();
    for (int64_t i = 0; i < count; ++i) {
      int64_t axis = (*axes)[i];
      if (c) {
        float f = static_cast<float>((*c)[i]);
        if (!(f > 0) || std::isinf(f))
          return n.fail("expected positive scales");
        factors[axis] = f;
        if (f == 1)
          continue;
        if (x->dim(axis) != ShapedType::kDynamic) {
          dims[axis] = n.idx(static_cast<int64_t>(std::floor(static_cast<float>(x->dim(axis)) * f)));
        } else if (f == std::floor(f)) {
          dims[axis] = n.mul(x->dims[axis], n.idx(static_cast<int64_t>(f)));
        } else {
          V size = n.cast(n.fromIndices({x->dims[axis]}), proto::Float);
          V scaled = n.elementwise({size, n.scalar(proto::Float, f)}, proto::Float,
                                   [](Scalar &s, A a) { return s.floor(s.mul(a[0], a[1])); });
          FailureOr<Dims> d = n.toIndices(n.cast(scaled, proto::Int64));
          dims[axis] = (*d)[0];
        }
      } else {
        runScales[axis] = run[i];
        SmallVector<OpFoldResult> e{OpFoldResult(run[i])};
        V s = n.known(proto::Float, {1}, e), size = n.cast(n.fromIndices({x->dims[axis]}), proto::Float);
        V scaled = n.elementwise({size, s}, proto::Float, [](Scalar &sc, A a) { return sc.floor(sc.mul(a[0], a[1])); });
        FailureOr<Dims> d = n.toIndices(n.cast(scaled, proto::Int64));
        dims[axis] = n.max((*d)[0], n.idx(0));
      }
    }
  } else {
    FailureOr<Dims> given = n.toIndices(sizes);
    if (failed(given))
      return n.fail("expected sizes");
    auto allConst = n.constIntsOf(sizes);
    bool inStatic = true;
    for (int64_t axis : *axes)
      inStatic &= x->dim(axis) != ShapedType::kDynamic;
    isStatic = allConst && inStatic;
    if (policy != "stretch") {
      bool larger = policy == "not_smaller";
      if (isStatic) {
        float best = larger ? 0 : INFINITY;
        for (int64_t i = 0; i < count; ++i) {
          float f = static_cast<float>((*allConst)[i]) / x->dim((*axes)[i]);
          best = larger ? std::max(best, f) : std::min(best, f);
        }
        for (int64_t i = 0; i < count; ++i) {
          (*given)[i] = n.idx(static_cast<int64_t>(std::floor(best * x->dim((*axes)[i]) + 0.5f)));
          factors[(*axes)[i]] = best;
        }
      } else {
        Dims ins;
        for (int64_t axis : *axes)
          ins.push_back(x->dims[axis]);
        V in = n.cast(n.fromIndices(ins), proto::Float);
        V f = n.divV(n.cast(n.fromIndices(*given), proto::Float), in);
        V best = n.reduce(f, {0}, false, larger ? 0 : INFINITY,
                          [&](Scalar &s, A a) { return larger ? s.max(a[0], a[1]) : s.min(a[0], a[1]); });
        V out = n.elementwise({in, best}, proto::Float,
                              [](Scalar &s, A a) { return s.floor(s.add(s.mul(a[0], a[1]), s.constLike(a[0], 0.5))); });
        FailureOr<Dims> d = n.toIndices(n.cast(out, proto::Int64));
        if (failed(d))
          return failure();
        *given = *d;
        Value factor = floatsOf(n, n.unsqueeze(best, {0}))[0];
        for (int64_t axis : *axes)
          runScales[axis] = factor;
      }
    }
    for (int64_t i = 0; i < count; ++i) {
      int64_t axis = (*axes)[i];
      dims[axis] = n.max((*given)[i], n.idx(0));
      if (policy != "stretch")
        continue;
      if (isStatic) {
        factors[axis] = static_cast<float>(*getConstantIntValue((*given)[i])) / x->dim(axis);
      } else if (n.same(dims[axis], x->dims[axis])) {
        factors[axis] = 1;
      } else {
        Value num = floatsOf(n, n.fromIndices({dims[axis]}))[0], den = floatsOf(n, n.fromIndices({x->dims[axis]}))[0];
        runScales[axis] = n.b.createOrFold<arith::DivFOp>(num, den);
      }
    }
  }
  std::optional<SmallVector<double>> roiConst;
  bool crops = set.coordinates == ResizeCoordinates::crop_and_resize;
  if (crops) {
    if (!roi || roi->count() != 2 * count)
      return n.fail("expected a region of " + Twine(2 * count) + " entries");
    roiConst = n.constFloatsOf(roi);
    isStatic &= roiConst.has_value();
  }
  for (int64_t i = 0; i < rank; ++i)
    if (x->dim(i) == 0 && getConstantIntValue(dims[i]) != 0)
      return n.fail("cannot resize an empty dim");
  if (isStatic) {
    SmallVector<float> region;
    if (crops) {
      region.assign(2 * rank, 0);
      for (int64_t i = 0; i < rank; ++i)
        region[rank + i] = 1;
      for (int64_t i = 0; i < count; ++i) {
        region[(*axes)[i]] = (*roiConst)[i];
        region[rank + (*axes)[i]] = (*roiConst)[count + i];
      }
    }
    for (float &f : factors)
      if (!(f > 0))
        return n.fail("expected positive sizes");
    SmallVector<Value> dynamic;
    for (OpFoldResult d : dims)
      if (!getConstantIntValue(d))
        dynamic.push_back(n.index(d));
    auto op = ResizeOp::create(n.b, n.tensorType(x->dtype, dims), set.mode, n.tensor(x), dynamic, factors,
                               set.coordinates, set.rounding, region, APFloat(set.cubic), set.excludeOutside,
                               APFloat(set.extrapolation), set.antialias);
    return n.out(n.value(x->dtype, op.getResult(), dims));
  }
  if (set.antialias)
    return n.fail("antialiasing with scales of run time is not supported");
  SmallVector<Value> region;
  if (crops)
    region = floatsOf(n, roi);
  if (set.mode != ResizeMode::nearest && x->dtype != proto::Float && x->dtype != proto::Double)
    x = n.cast(x, proto::Float); // one rounding at the end
  if (crops && count > 1 && set.extrapolation != 0 && set.mode != ResizeMode::nearest) {
    // Later dims would interpolate the fill value, which is right only where all taps hold it: they do, as a
    // coordinate outside along one dim is outside for the whole line.
  }
  V r = x;
  for (int64_t i = 0; i < count; ++i) {
    int64_t axis = (*axes)[i];
    Value scale = runScales[axis];
    if (!scale && factors[axis] == 1 && n.same(dims[axis], x->dims[axis]) && !crops)
      continue;
    if (!scale)
      scale = arith::ConstantOp::create(n.b, n.b.getF32FloatAttr(factors[axis]));
    r = resizeAxis(n, r, axis, dims[axis], scale, crops ? region[i] : Value(), crops ? region[count + i] : Value(),
                   set);
  }
  if (r->dtype != n.in(0)->dtype && !isFloatDType(n.in(0)->dtype))
    r = n.elementwise({r}, r->dtype, [](Scalar &s, A a) { return s.roundEven(a[0]); });
  return n.out(n.cast(r, n.in(0)->dtype));
}

} // namespace

void tenon::onnx::registerResize(Registry &reg) {
  reg.on("Resize", 10, [](Node &n) { return resize(n, nullptr, n.in(1), nullptr); });
  reg.on("Resize", 11, [](Node &n) { return resize(n, n.in(1), n.in(2), n.in(3)); });
  reg.on("Upsample", 7, [](Node &n) {
    V scales = n.in(1);
    if (!scales) {
      SmallVector<OpFoldResult> elements;
      for (float f : n.attrFloats("scales").value_or(SmallVector<float>()))
        elements.push_back(n.b.getF32FloatAttr(f));
      scales = n.known(proto::Float, {static_cast<int64_t>(elements.size())}, elements);
    }
    return resize(n, nullptr, scales, nullptr);
  });
}
