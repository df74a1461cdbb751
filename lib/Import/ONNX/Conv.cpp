//===- Conv.cpp - convolutions and pooling ---------------------------------------------===//
//
// Conv, ConvTranspose, ConvInteger, QLinearConv, pooling. They end in tenon.conv and tenon.pool; global pools are
// reductions.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::onnx;

namespace {

struct Window {
  Ints kernel, strides, dilations, pads;
};

/// Strides, dilations and pads of a node whose window has the given sizes.
LogicalResult readWindow(Node &n, const V &x, ArrayRef<int64_t> kernel, bool transposed, Window &w) {
  int64_t spatial = x->rank() - 2;
  w.kernel.assign(kernel.begin(), kernel.end());
  w.strides = n.attrInts("strides").value_or(Ints(spatial, 1));
  w.dilations = n.attrInts("dilations").value_or(Ints(spatial, 1));
  w.pads = n.attrInts("pads").value_or(Ints(2 * spatial, 0));
  if ((int64_t)kernel.size() != spatial || (int64_t)w.strides.size() != spatial ||
      (int64_t)w.dilations.size() != spatial || (int64_t)w.pads.size() != 2 * spatial)
    return n.fail("kernel, strides, dilations or pads do not fit " + Twine(spatial) + " spatial dims");
  for (int64_t i = 0; i < spatial; ++i)
    if (w.strides[i] < 1 || w.dilations[i] < 1 || kernel[i] < 0)
      return n.fail("expected positive kernel, strides and dilations");
  StringRef mode = n.attrString("auto_pad", "NOTSET");
  if (mode == "VALID") {
    w.pads.assign(2 * spatial, 0);
  } else if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
    if (transposed)
      return success(); // depends on the output shape
    for (int64_t i = 0; i < spatial; ++i) {
      int64_t size = x->dim(2 + i), extent = w.dilations[i] * (kernel[i] - 1) + 1, total;
      if (size == ShapedType::kDynamic) {
        if (w.strides[i] != 1)
          return n.fail("auto_pad with strides on a dim of unknown size is not supported");
        total = extent - 1;
      } else {
        int64_t out = (size + w.strides[i] - 1) / w.strides[i];
        total = std::max<int64_t>(0, (out - 1) * w.strides[i] + extent - size);
      }
      int64_t small = total / 2, big = total - small;
      w.pads[i] = mode == "SAME_UPPER" ? small : big;
      w.pads[spatial + i] = total - w.pads[i];
    }
  } else if (mode != "NOTSET" && !mode.empty()) {
    return n.fail("unknown auto_pad '" + mode + "'");
  }
  return success();
}

LogicalResult checkRank(Node &n, const V &x) {
  if (!x)
    return n.fail("expected an input");
  if (x->rank() < 3 || x->rank() > 5)
    return n.fail("expected 1 to 3 spatial dims, but the input has rank " + Twine(x->rank()));
  return success();
}

/// The convolution of operands of one element type.
V conv(Node &n, const V &x, const V &w, const V &bias, bool transposed) {
  auto bad = [&](const Twine &why) -> V {
    (void)n.fail(why);
    return {};
  };
  if (failed(checkRank(n, x)))
    return {};
  if (!w || w->rank() != x->rank())
    return bad("expected a filter of the input's rank");
  int64_t spatial = x->rank() - 2, groups = n.attrInt("group", 1);
  Ints kernel;
  for (int64_t i = 0; i < spatial; ++i)
    kernel.push_back(w->dim(2 + i));
  if (auto given = n.attrInts("kernel_shape")) {
    if ((int64_t)given->size() != spatial)
      return bad("kernel_shape does not fit the filter");
    for (int64_t i = 0; i < spatial; ++i) {
      if (kernel[i] != ShapedType::kDynamic && (*given)[i] != kernel[i])
        return bad("kernel_shape does not fit the filter");
      kernel[i] = (*given)[i];
    }
  }
  if (llvm::is_contained(kernel, ShapedType::kDynamic))
    return bad("a filter of unknown size is not supported");
  if (groups < 1)
    return bad("expected 'group' of at least 1, but got " + Twine(groups));
  int64_t channels = x->dim(1), filterChannels = w->dim(transposed ? 0 : 1) * (transposed ? 1 : groups);
  if (channels != ShapedType::kDynamic && w->dim(transposed ? 0 : 1) != ShapedType::kDynamic &&
      channels != filterChannels)
    return bad("expected " + Twine(filterChannels) + " input channels, but got " + Twine(channels));
  if (!transposed && w->dim(0) != ShapedType::kDynamic && w->dim(0) % groups)
    return bad("expected 'group' to divide the number of output channels, but got " + Twine(groups) + " and " +
               Twine(w->dim(0)));
  Window win;
  if (failed(readWindow(n, x, kernel, transposed, win)))
    return {};
  Ints outputPadding;
  Dims dims{x->dims[0], transposed ? n.mul(w->dims[1], n.idx(groups)) : w->dims[0]};
  if (transposed) {
    outputPadding = n.attrInts("output_padding").value_or(Ints(spatial, 0));
    outputPadding.resize(spatial, 0);
    StringRef mode = n.attrString("auto_pad", "NOTSET");
    auto wanted = n.attrInts("output_shape");
    bool same = mode == "SAME_UPPER" || mode == "SAME_LOWER";
    Ints extra(spatial, 0);
    for (int64_t i = 0; (wanted || same) && i < spatial; ++i) {
      int64_t size = x->dim(2 + i);
      if (size == ShapedType::kDynamic)
        return bad("output_shape with dims of unknown size is not supported");
      int64_t target = wanted ? (*wanted)[i + wanted->size() - spatial] : size * win.strides[i];
      int64_t total = win.strides[i] * (size - 1) + outputPadding[i] + (kernel[i] - 1) * win.dilations[i] + 1 - target;
      // Pads below zero mean more output than the taps reach.
      int64_t p = std::max<int64_t>(total, 0), half = p / 2;
      win.pads[i] = mode == "SAME_UPPER" ? half : p - half;
      win.pads[spatial + i] = p - win.pads[i];
      outputPadding[i] += total < 0 ? -total : 0;
    }
    // tenon.conv wants output padding below stride or dilation: the rest are zeros (and bias) at the end.
    for (int64_t i = 0; i < spatial; ++i)
      if (outputPadding[i] >= std::max(win.strides[i], win.dilations[i])) {
        win.pads[spatial + i] -= outputPadding[i];
        outputPadding[i] = 0;
      }
  }
  for (int64_t i = 0; i < spatial; ++i) {
    OpFoldResult d = x->dims[2 + i];
    int64_t extent = win.dilations[i] * (kernel[i] - 1) + 1, pads = win.pads[i] + win.pads[spatial + i];
    OpFoldResult o;
    if (transposed) {
      o = n.add(n.mul(n.sub(d, n.idx(1)), n.idx(win.strides[i])), n.idx(extent + outputPadding[i] - pads));
    } else {
      o = n.add(n.floordiv(n.add(d, n.idx(pads - extent)), n.idx(win.strides[i])), n.idx(1));
    }
    dims.push_back(n.max(o, n.idx(0)));
  }
  auto op = ConvOp::create(n.b, n.tensorType(x->dtype, dims), n.tensor(x), n.tensor(w), bias ? n.tensor(bias) : Value(),
                           win.strides, win.dilations, win.pads, groups, transposed,
                           transposed && llvm::any_of(outputPadding, [](int64_t p) { return p != 0; })
                               ? ArrayRef<int64_t>(outputPadding)
                               : ArrayRef<int64_t>(),
                           false, false, ConvAlgorithmAttr());
  return n.value(x->dtype, op.getResult(), dims);
}

V withoutZero(Node &n, const V &x, const V &zero, bool perFilter) {
  V wide = n.cast(x, proto::Int32);
  if (!zero)
    return wide;
  V z = n.cast(zero, proto::Int32);
  if (z->rank() == 1 && z->dim(0) == 1)
    z = n.reshape(z, {});
  if (z->rank() == 1 && perFilter)
    z = n.unsqueeze(z, sequence(1, x->rank()));
  return n.subV(wide, z);
}

LogicalResult pool(Node &n, PoolKind kind) {
  V x = n.in(0);
  if (failed(checkRank(n, x)))
    return failure();
  int64_t spatial = x->rank() - 2;
  auto kernel = n.attrInts("kernel_shape");
  if (!kernel)
    return n.fail("expected kernel_shape");
  Window w;
  if (failed(readWindow(n, x, *kernel, false, w)))
    return failure();
  bool ceilMode = n.attrInt("ceil_mode", 0);
  StringRef mode = n.attrString("auto_pad", "NOTSET");
  if (mode != "NOTSET" && !mode.empty())
    ceilMode = false; // the number of windows follows from the mode
  for (int64_t p : w.pads)
    if (p < 0)
      return n.fail("negative pads are not supported");
  Dims dims{x->dims[0], x->dims[1]};
  for (int64_t i = 0; i < spatial; ++i) {
    int64_t extent = w.dilations[i] * (w.kernel[i] - 1) + 1;
    OpFoldResult room = n.add(x->dims[2 + i], n.idx(w.pads[i] + w.pads[spatial + i] - extent)), o;
    if (ceilMode) {
      o = n.add(n.ceildiv(room, n.idx(w.strides[i])), n.idx(1));
      // A window that would start in the padding at the end is dropped.
      OpFoldResult lastStart = n.mul(n.sub(o, n.idx(1)), n.idx(w.strides[i]));
      Value beyond = n.cmp(arith::CmpIPredicate::sge, lastStart, n.add(x->dims[2 + i], n.idx(w.pads[i])));
      o = n.select(beyond, n.sub(o, n.idx(1)), o);
    } else {
      o = n.add(n.floordiv(room, n.idx(w.strides[i])), n.idx(1));
    }
    dims.push_back(n.max(o, n.idx(0)));
  }
  int32_t dtype = x->dtype;
  // Unsigned maxima compare as a wider signed type.
  V source = x;
  if (isUnsignedDType(dtype)) {
    if (dtype != proto::UInt8 && dtype != proto::UInt16)
      return n.fail("pooling of " + dtypeName(dtype) + " is not supported");
    source = n.cast(x, proto::Int32);
  }
  bool indices = n.wants(1);
  SmallVector<Type> types{n.tensorType(source->dtype, dims)};
  if (indices)
    types.push_back(n.tensorType(proto::Int64, dims));
  auto op = PoolOp::create(n.b, types[0], indices ? types[1] : Type(), kind, n.tensor(source), w.kernel, w.strides,
                           w.dilations, w.pads, ceilMode, n.attrInt("count_include_pad", 0) != 0,
                           n.attrInt("storage_order", 0) != 0, n.attrInt("p", 2));
  if (indices && failed(n.out(1, n.value(proto::Int64, op.getIndices(), dims))))
    return failure();
  return n.out(n.cast(n.value(source->dtype, op.getResult(), dims), dtype));
}

LogicalResult globalPool(Node &n, PoolKind kind) {
  V x = n.in(0);
  if (!x || x->rank() < 2)
    return n.fail("expected rank of at least 2");
  Ints axes = sequence(2, x->rank());
  if (kind == PoolKind::average)
    return n.out(n.mean(x, axes, true));
  if (kind == PoolKind::max)
    return n.out(n.reduce(x, axes, true, -INFINITY, [](Scalar &s, A a) { return s.max(a[0], a[1]); }));
  double p = n.attrInt("p", 2);
  V sum = n.reduce(x, axes, true, 0, [&](Scalar &s, A a) {
    Value v = s.abs(a[0]);
    return s.add(p == 1 ? v : p == 2 ? s.mul(v, v) : s.pow(v, s.constLike(v, p)), a[1]);
  });
  return n.out(n.elementwise({sum}, x->dtype, [&](Scalar &s, A a) {
    return p == 1 ? a[0] : p == 2 ? s.sqrt(a[0]) : s.pow(a[0], s.constLike(a[0], 1 / p));
  }));
}

LogicalResult maxUnpool(Node &n) {
  V x = n.in(0), at = n.in(1);
  if (failed(checkRank(n, x)))
    return failure();
  int64_t spatial = x->rank() - 2;
  auto kernel = n.attrInts("kernel_shape");
  if (!kernel)
    return n.fail("expected kernel_shape");
  Window w;
  if (failed(readWindow(n, x, *kernel, false, w)))
    return failure();
  Dims dims{x->dims[0], x->dims[1]};
  for (int64_t i = 0; i < spatial; ++i)
    dims.push_back(n.add(n.mul(n.sub(x->dims[2 + i], n.idx(1)), n.idx(w.strides[i])),
                         n.idx(w.kernel[i] - w.pads[i] - w.pads[spatial + i])));
  // Indices are positions in the flattened inferred output; a larger output_shape has it in its first corner.
  std::optional<Dims> larger;
  if (n.has(2)) {
    FailureOr<Dims> given = n.toIndices(n.in(2));
    if (failed(given) || given->size() != dims.size())
      return n.fail("expected an output shape of " + Twine(dims.size()) + " dims");
    larger = *given;
  }
  OpFoldResult total = n.product(dims), count = n.product(x->dims);
  V values = n.reshape(x, {count}), where = n.reshape(at, {count});
  V empty = n.fill(x->dtype, {total}, 0);
  Value v = n.tensor(values), k = n.tensor(where), limit = n.index(total);
  Value zero = arith::ConstantIndexOp::create(n.b, 0);
  auto r = n.loop(zero, n.index(count), {n.tensor(empty)}, [&](Value i, ValueRange carried) {
    Value to = n.b.createOrFold<arith::IndexCastOp>(n.b.getIndexType(), tensor::ExtractOp::create(n.b, k, i));
    Value last = n.b.createOrFold<arith::SubIOp>(limit, arith::ConstantIndexOp::create(n.b, 1));
    to = n.b.createOrFold<arith::MaxSIOp>(n.b.createOrFold<arith::MinSIOp>(to, last), zero);
    Value e = tensor::ExtractOp::create(n.b, v, i);
    return SmallVector<Value>{tensor::InsertOp::create(n.b, e, carried[0], ValueRange{to})};
  });
  V y = n.reshape(n.value(x->dtype, r[0], {total}), dims);
  if (!larger)
    return n.out(y);
  Dims low(dims.size(), n.idx(0)), high;
  for (auto [want, have] : llvm::zip(*larger, dims)) {
    high.push_back(n.sub(want, have));
    n.check(n.cmp(arith::CmpIPredicate::sge, high.back(), n.idx(0)),
            "the output shape is smaller than the inferred one");
  }
  return n.out(n.refine(n.pad(y, low, high, 0), *larger));
}

} // namespace

void tenon::onnx::registerConv(Registry &reg) {
  reg.on("Conv", 1, [](Node &n) { return n.out(conv(n, n.in(0), n.in(1), n.in(2), false)); });
  reg.on("ConvTranspose", 1, [](Node &n) { return n.out(conv(n, n.in(0), n.in(1), n.in(2), true)); });
  reg.on("ConvInteger", 10, [](Node &n) {
    return n.out(conv(n, withoutZero(n, n.in(0), n.in(2), false), withoutZero(n, n.in(1), n.in(3), true), {}, false));
  });
  reg.on("QLinearConv", 10, [](Node &n) {
    // x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, bias
    if (n.inputs.size() < 8)
      return n.fail("expected 8 inputs");
    V x = withoutZero(n, n.in(0), n.in(2), false), w = withoutZero(n, n.in(3), n.in(5), true);
    V r = conv(n, x, w, n.in(8), false);
    if (!r)
      return failure();
    V ws = n.in(4);
    if (ws->rank() == 1)
      ws = ws->dim(0) == 1 ? n.reshape(ws, {}) : n.unsqueeze(ws, sequence(1, x->rank() - 1));
    auto scalarOf = [&](const V &v) { return v->rank() ? n.reshape(v, {}) : v; };
    V z = n.cast(scalarOf(n.in(7)), proto::Float);
    V q = n.elementwise(
        {n.cast(r, proto::Float), scalarOf(n.in(1)), ws, scalarOf(n.in(6)), z}, proto::Float,
        [](Scalar &s, A a) { return s.add(s.roundEven(s.div(s.mul(a[0], s.mul(a[1], a[2])), a[3])), a[4]); });
    return n.out(n.cast(q, n.in(7)->dtype));
  });
  reg.on("MaxPool", 1, [](Node &n) { return pool(n, PoolKind::max); });
  reg.on("AveragePool", 1, [](Node &n) { return pool(n, PoolKind::average); });
  reg.on("LpPool", 2, [](Node &n) { return pool(n, PoolKind::lp); });
  reg.on("GlobalMaxPool", 1, [](Node &n) { return globalPool(n, PoolKind::max); });
  reg.on("GlobalAveragePool", 1, [](Node &n) { return globalPool(n, PoolKind::average); });
  reg.on("GlobalLpPool", 2, [](Node &n) { return globalPool(n, PoolKind::lp); });
  reg.on("MaxUnpool", 9, maxUnpool);
}
