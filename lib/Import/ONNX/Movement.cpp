//===- Movement.cpp - operators that only move elements ------------------------------===//
//
// Transpose, Concat, Split, Slice, Pad, Tile, Expand, Gather, space and depth.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

using namespace mlir;
using namespace tenon::onnx;

static LogicalResult transpose(Node &n) {
  V x = n.in(0);
  Ints perm;
  if (auto given = n.attrInts("perm")) {
    FailureOr<Ints> ok = n.axes(*given, x->rank());
    if (failed(ok))
      return failure();
    perm = *ok;
    if (static_cast<int64_t>(perm.size()) != x->rank())
      return n.fail("expected a permutation of " + Twine(x->rank()) + " dims, but got " + Twine(perm.size()));
  } else {
    for (int64_t i = x->rank(); i--;)
      perm.push_back(i);
  }
  return n.out(n.transpose(x, perm));
}

static LogicalResult concat(Node &n) {
  if (n.inputs.empty() || llvm::is_contained(n.inputs, V()))
    return n.fail("expected inputs");
  int64_t rank = n.in(0)->rank();
  FailureOr<int64_t> axis = n.axis(n.attrInt("axis", 1), rank);
  if (failed(axis))
    return failure();
  for (const V &v : n.inputs) {
    if (v->rank() != rank)
      return n.fail("expected inputs of rank " + Twine(rank) + ", but got " + Twine(v->rank()));
    if (v->dtype != n.in(0)->dtype)
      return n.fail("expected inputs of one element type");
  }
  return n.out(n.concat(n.inputs, *axis));
}

static LogicalResult split(Node &n) {
  V x = n.in(0);
  FailureOr<int64_t> axis = n.axis(n.attrInt("axis", 0), x->rank());
  if (failed(axis))
    return failure();
  OpFoldResult size = x->dims[*axis];
  Dims sizes;
  int64_t parts = n.proto.outputs.size();
  if (n.has(1) || n.attrInts("split")) {
    if (n.has(1)) {
      FailureOr<Dims> given = n.toIndices(n.in(1));
      if (failed(given))
        return n.fail("a split of unknown length is not supported");
      sizes = *given;
    } else {
      for (int64_t s : *n.attrInts("split"))
        sizes.push_back(n.idx(s));
    }
    OpFoldResult total = n.idx(0);
    for (OpFoldResult s : sizes) {
      if (getConstantIntValue(s).value_or(0) < 0)
        return n.fail("a part of negative size");
      total = n.add(total, s);
    }
    auto c = getConstantIntValue(total), d = getConstantIntValue(size);
    if (c && d && *c != *d)
      return n.fail("the parts add up to " + Twine(*c) + ", but the dim is " + Twine(*d));
    n.checkEqual(total, size, "the parts do not add up to the dim");
  } else {
    if (int64_t given = n.attrInt("num_outputs", parts); given != parts)
      return n.fail("num_outputs is " + Twine(given) + ", but the node has " + Twine(parts) + " outputs");
    OpFoldResult each = n.ceildiv(size, n.idx(parts)), used = n.idx(0);
    for (int64_t i = 0; i < parts; ++i) {
      OpFoldResult part = n.max(n.min(each, n.sub(size, used)), n.idx(0));
      sizes.push_back(part);
      used = n.add(used, part);
    }
  }
  if (static_cast<int64_t>(sizes.size()) < parts)
    return n.fail("expected " + Twine(parts) + " parts, but got " + Twine(sizes.size()));
  OpFoldResult at = n.idx(0);
  for (int64_t i = 0; i < parts; ++i) {
    if (failed(n.out(i, n.sliceAxis(x, *axis, at, sizes[i]))))
      return failure();
    at = n.add(at, sizes[i]);
  }
  return success();
}

/// Starts, ends and steps of axes that are known at run time only, spread over all dims.
static void spreadAxes(Node &n, ArrayRef<OpFoldResult> axes, const V &x, Dims &starts, Dims &ends) {
  using P = arith::CmpIPredicate;
  Dims allStarts, allEnds;
  for (int64_t d = 0; d < x->rank(); ++d) {
    OpFoldResult start = n.idx(0), end = n.idx(INT64_MAX);
    for (auto [j, a] : llvm::enumerate(axes)) {
      Value here = n.b.createOrFold<arith::OrIOp>(n.cmp(P::eq, a, n.idx(d)), n.cmp(P::eq, a, n.idx(d - x->rank())));
      start = n.select(here, starts[j], start);
      end = n.select(here, ends[j], end);
    }
    allStarts.push_back(start);
    allEnds.push_back(end);
  }
  for (OpFoldResult a : axes)
    n.check(n.b.createOrFold<arith::AndIOp>(n.cmp(P::sge, a, n.idx(-x->rank())), n.cmp(P::slt, a, n.idx(x->rank()))),
            "axis out of range");
  starts = allStarts;
  ends = allEnds;
}

/// A slice whose steps are known at run time only: a gather of computed positions.
static LogicalResult sliceBySteps(Node &n, const V &x, ArrayRef<int64_t> axes, ArrayRef<OpFoldResult> starts,
                                  ArrayRef<OpFoldResult> ends, ArrayRef<OpFoldResult> steps) {
  using P = arith::CmpIPredicate;
  Dims offsets(x->rank(), n.idx(0)), dims = x->dims, strides(x->rank(), n.idx(1));
  for (auto [i, axis] : llvm::enumerate(axes)) {
    OpFoldResult size = x->dims[axis], step = steps[i];
    n.check(n.cmp(P::ne, step, n.idx(0)), "a step of zero");
    step = n.select(n.cmp(P::eq, step, n.idx(0)), n.idx(1), step);
    Value forward = n.cmp(P::sgt, step, n.idx(0));
    OpFoldResult low = n.select(forward, n.idx(0), n.idx(-1)), high = n.select(forward, size, n.sub(size, n.idx(1)));
    auto clamp = [&](OpFoldResult v) {
      v = n.min(n.max(v, n.idx(-(int64_t(1) << 40))), n.idx(int64_t(1) << 40));
      return n.min(n.max(n.select(n.cmp(P::slt, v, n.idx(0)), n.add(v, size), v), low), high);
    };
    OpFoldResult start = clamp(starts[i]), end = clamp(ends[i]);
    dims[axis] = n.max(n.ceildiv(n.sub(end, start), step), n.idx(0));
    offsets[axis] = start;
    strides[axis] = step;
  }
  Value t = n.tensor(x);
  SmallVector<Value> o, s;
  for (int64_t d = 0; d < x->rank(); ++d) {
    o.push_back(n.index(offsets[d]));
    s.push_back(n.index(strides[d]));
  }
  return n.out(n.generic(x->dtype, dims, {}, [&](Scalar &sc, A) {
    SmallVector<Value> at;
    for (int64_t d = 0; d < x->rank(); ++d)
      at.push_back(sc.add(o[d], sc.mul(s[d], linalg::IndexOp::create(sc.b, d))));
    return tensor::ExtractOp::create(sc.b, t, at).getResult();
  }));
}

static LogicalResult slice(Node &n) {
  V x = n.in(0);
  Dims starts, ends;
  Ints axes, steps;
  if (n.opset < 10) {
    for (int64_t s : n.attrInts("starts").value_or(Ints()))
      starts.push_back(n.idx(s));
    for (int64_t e : n.attrInts("ends").value_or(Ints()))
      ends.push_back(n.idx(e));
    axes = n.attrInts("axes").value_or(Ints());
  } else {
    FailureOr<Dims> s = n.toIndices(n.in(1)), e = n.toIndices(n.in(2));
    if (failed(s) || failed(e))
      return n.fail("starts or ends of unknown length are not supported");
    starts = *s;
    ends = *e;
    std::optional<Dims> runSteps;
    if (n.has(4)) {
      if (auto c = n.constIntsOf(n.in(4))) {
        steps = *c;
      } else {
        FailureOr<Dims> d = n.toIndices(n.in(4));
        if (failed(d))
          return n.fail("steps of unknown number are not supported");
        runSteps = *d;
      }
    }
    if (n.has(3)) {
      if (auto c = n.constIntsOf(n.in(3))) {
        axes = *c;
      } else {
        FailureOr<Dims> d = n.toIndices(n.in(3));
        if (failed(d) || d->size() != starts.size() || starts.size() != ends.size())
          return n.fail("axes of unknown number are not supported");
        Dims all(steps.empty() && !runSteps ? 0 : x->rank(), n.idx(1)), one;
        if (!steps.empty() || runSteps) {
          Dims given = runSteps ? *runSteps : Dims();
          for (int64_t v : steps)
            given.push_back(n.idx(v));
          if (given.size() != starts.size())
            return n.fail("starts and steps differ in length");
          Dims ignored = ends;
          one = given;
          spreadAxes(n, *d, x, one, ignored);
          // Dims that no axis names have a step of 1.
          for (int64_t i = 0; i < x->rank(); ++i)
            all[i] = n.select(n.cmp(arith::CmpIPredicate::eq, one[i], n.idx(0)), n.idx(1), one[i]);
          runSteps = all;
          steps.clear();
        }
        spreadAxes(n, *d, x, starts, ends);
      }
    }
    if (runSteps) {
      Ints list = axes.empty() ? sequence(0, starts.size()) : axes;
      FailureOr<Ints> checked = n.axes(list, x->rank());
      if (failed(checked) || runSteps->size() != starts.size() || checked->size() != starts.size() ||
          ends.size() != starts.size())
        return n.fail("starts, ends, axes and steps differ in length");
      return sliceBySteps(n, x, *checked, starts, ends, *runSteps);
    }
  }
  if (axes.empty())
    axes = sequence(0, starts.size());
  if (steps.empty())
    steps.assign(starts.size(), 1);
  if (starts.size() != ends.size() || axes.size() != starts.size() || steps.size() != starts.size())
    return n.fail("starts, ends, axes and steps differ in length");
  FailureOr<Ints> checked = n.axes(axes, x->rank());
  if (failed(checked))
    return failure();
  Dims offsets(x->rank(), n.idx(0)), sizes = x->dims;
  Ints strides(x->rank(), 1);
  SmallVector<int64_t> flipped;
  using P = arith::CmpIPredicate;
  for (auto [i, axis] : llvm::enumerate(*checked)) {
    OpFoldResult size = x->dims[axis], start = starts[i], end = ends[i];
    int64_t step = steps[i];
    if (step == 0)
      return n.fail("a step of zero");
    auto wrap = [&](OpFoldResult v) -> OpFoldResult {
      if (auto c = getConstantIntValue(v)) {
        if (*c >= 0)
          return v;
        if (*c < -(int64_t(1) << 40)) // stands for "from the beginning"; keep the sum from overflowing
          return n.idx(-1 - (int64_t(1) << 40));
        return n.add(v, size);
      }
      return n.select(n.cmp(P::slt, v, n.idx(0)), n.add(v, size), v);
    };
    if (step > 0) {
      start = n.min(n.max(wrap(start), n.idx(0)), size);
      // A constant at or beyond int32's end means the whole dim.
      auto c = getConstantIntValue(end);
      end = c && *c >= INT32_MAX ? size : n.min(n.max(wrap(end), n.idx(0)), size);
      OpFoldResult length = n.max(n.sub(end, start), n.idx(0));
      offsets[axis] = start;
      sizes[axis] = step == 1 ? length : n.ceildiv(length, n.idx(step));
      strides[axis] = step;
    } else {
      OpFoldResult last = n.sub(size, n.idx(1));
      start = n.min(n.max(wrap(start), n.idx(-1)), last);
      end = n.min(n.max(wrap(end), n.idx(-1)), last);
      OpFoldResult length = n.max(n.sub(start, end), n.idx(0));
      OpFoldResult count = n.ceildiv(length, n.idx(-step));
      // The elements from low to high, then reversed.
      OpFoldResult low = n.sub(start, n.mul(n.max(n.sub(count, n.idx(1)), n.idx(0)), n.idx(-step)));
      offsets[axis] = n.max(low, n.idx(0));
      sizes[axis] = count;
      strides[axis] = -step;
      flipped.push_back(axis);
    }
  }
  V r = n.slice(x, offsets, sizes, strides);
  for (int64_t axis : flipped)
    r = r ? n.flip(r, axis) : r;
  return n.out(r);
}

/// Source position of a reflected, repeated or wrapped position `i` (which may be negative) in a dim of `size`.
static Value padIndex(Scalar &s, Value i, Value size, StringRef mode) {
  Type index = s.b.getIndexType();
  Value zero = s.intConst(index, 0), one = s.intConst(index, 1);
  if (mode == "edge")
    return s.op<arith::MinSIOp>(s.op<arith::MaxSIOp>(i, zero), s.sub(size, one));
  auto modulo = [&](Value v, Value m) {
    Value r = s.op<arith::RemSIOp>(v, m);
    return s.select(s.op<arith::CmpIOp>(Scalar::IP::slt, r, zero), s.add(r, m), r);
  };
  if (mode == "wrap")
    return modulo(i, size);
  // Reflection has period 2 * (size - 1); a dim of one element reflects to itself.
  Value last = s.sub(size, one);
  Value period = s.op<arith::MaxSIOp>(s.add(last, last), one);
  Value r = modulo(i, period);
  return s.op<arith::MinSIOp>(s.select(s.op<arith::CmpIOp>(Scalar::IP::sgt, r, last), s.sub(period, r), r), last);
}

static LogicalResult pad(Node &n) {
  V x = n.in(0);
  int64_t rank = x->rank();
  StringRef mode = n.attrString("mode", "constant");
  Dims given;
  Ints axes = sequence(0, rank);
  double fillValue = 0;
  V fillV;
  if (n.opset < 11) {
    auto pads = n.attrInts("pads");
    if (!pads)
      pads = n.attrInts("paddings");
    for (int64_t p : pads.value_or(Ints()))
      given.push_back(n.idx(p));
    fillValue = n.attrFloat("value", 0);
  } else {
    FailureOr<Dims> pads = n.toIndices(n.in(1));
    if (failed(pads))
      return n.fail("pads of unknown length are not supported");
    given = *pads;
    if (n.has(3)) {
      if (auto c = n.constIntsOf(n.in(3))) {
        FailureOr<Ints> checked = n.axes(*c, rank);
        if (failed(checked))
          return failure();
        axes = *checked;
      } else {
        FailureOr<Dims> d = n.toIndices(n.in(3));
        if (failed(d) || given.size() != 2 * d->size())
          return n.fail("axes of unknown number are not supported");
        Dims lows(given.begin(), given.begin() + d->size()), highs(given.begin() + d->size(), given.end());
        spreadAxes(n, *d, x, lows, highs);
        for (OpFoldResult &h : highs) // INT64_MAX stands for "not named"
          h = n.select(n.cmp(arith::CmpIPredicate::eq, h, n.idx(INT64_MAX)), n.idx(0), h);
        given = lows;
        given.append(highs.begin(), highs.end());
      }
    }
    if (n.has(2))
      fillV = n.in(2);
  }
  if (given.size() != 2 * axes.size())
    return n.fail("expected " + Twine(2 * axes.size()) + " pads, but got " + Twine(given.size()));
  Dims low(rank, n.idx(0)), high(rank, n.idx(0)), offsets(rank, n.idx(0)), sizes = x->dims;
  for (auto [i, axis] : llvm::enumerate(axes)) {
    low[axis] = given[i];
    high[axis] = given[i + axes.size()];
  }
  Dims outDims;
  for (int64_t i = 0; i < rank; ++i) {
    outDims.push_back(n.add(n.add(x->dims[i], low[i]), high[i]));
    if (getConstantIntValue(outDims[i]).value_or(0) < 0)
      return n.fail("negative pads remove more than dim " + Twine(i) + " has");
  }
  if (mode == "constant") {
    // Negative pads crop first.
    Dims lowPad = low, highPad = high;
    for (int64_t i = 0; i < rank; ++i) {
      OpFoldResult cropLow = n.max(n.sub(n.idx(0), low[i]), n.idx(0));
      OpFoldResult cropHigh = n.max(n.sub(n.idx(0), high[i]), n.idx(0));
      offsets[i] = cropLow;
      sizes[i] = n.sub(n.sub(x->dims[i], cropLow), cropHigh);
      lowPad[i] = n.max(low[i], n.idx(0));
      highPad[i] = n.max(high[i], n.idx(0));
    }
    V cropped = n.slice(x, offsets, sizes, Ints(rank, 1));
    if (!cropped)
      return failure();
    if (fillV) {
      if (auto c = n.constFloatsOf(fillV); c && c->size() == 1) {
        fillValue = (*c)[0];
      } else {
        V outer = n.expand(n.reshape(fillV, {}), outDims);
        Value t = tensor::InsertSliceOp::create(n.b, n.tensor(cropped), n.tensor(outer), lowPad, cropped->dims,
                                                SmallVector<OpFoldResult>(rank, n.idx(1)));
        return n.out(n.value(x->dtype, t, outDims));
      }
    }
    V padded = n.pad(cropped, lowPad, highPad, fillValue);
    return n.out(padded);
  }
  if (mode != "reflect" && mode != "edge" && mode != "wrap")
    return n.fail("unknown mode '" + mode + "'");
  Value t = n.tensor(x);
  SmallVector<Value> lows, dims;
  for (int64_t i = 0; i < rank; ++i) {
    bool touched = !(getConstantIntValue(low[i]) == 0 && getConstantIntValue(high[i]) == 0);
    if (touched)
      n.check(n.cmp(arith::CmpIPredicate::sgt, x->dims[i], n.idx(0)), "cannot pad an empty dim from its elements");
    lows.push_back(touched ? n.index(low[i]) : Value());
    dims.push_back(touched ? n.index(x->dims[i]) : Value());
  }
  return n.out(n.generic(x->dtype, outDims, {}, [&](Scalar &s, A) {
    SmallVector<Value> at;
    for (int64_t i = 0; i < rank; ++i) {
      Value here = linalg::IndexOp::create(s.b, i);
      at.push_back(lows[i] ? padIndex(s, s.op<arith::SubIOp>(here, lows[i]), dims[i], mode) : here);
    }
    return tensor::ExtractOp::create(s.b, t, at).getResult();
  }));
}

static LogicalResult tile(Node &n) {
  V x = n.in(0);
  FailureOr<Dims> repeats = n.toIndices(n.in(1));
  if (failed(repeats) || static_cast<int64_t>(repeats->size()) != x->rank())
    return n.fail("expected one number of repeats per dim");
  // [d] -> [r, d] -> [r * d].
  Dims wide, flat;
  Ints axes;
  for (int64_t i = 0; i < x->rank(); ++i) {
    if (getConstantIntValue((*repeats)[i]).value_or(1) < 0)
      return n.fail("a negative number of repeats");
    flat.push_back(n.mul((*repeats)[i], x->dims[i]));
    axes.push_back(2 * i);
    wide.push_back((*repeats)[i]);
    wide.push_back(x->dims[i]);
  }
  if (x->rank() == 0)
    return n.out(x);
  V view = n.unsqueeze(x, axes);
  // The repeated dims are new ones: expand by a generic that ignores them.
  V repeated = n.expand(view, wide);
  return n.out(n.reshape(repeated, flat));
}

static LogicalResult expand(Node &n) {
  FailureOr<Dims> dims = n.toIndices(n.in(1));
  if (failed(dims))
    return n.fail("a shape of unknown length is not supported");
  // A run-time entry of 1 keeps the input's dim.
  V x = n.in(0);
  int64_t shift = static_cast<int64_t>(dims->size()) - x->rank();
  for (int64_t i = 0; i < static_cast<int64_t>(dims->size()); ++i) {
    OpFoldResult &d = (*dims)[i];
    if (getConstantIntValue(d).value_or(0) < 0)
      return n.fail("the shape has a negative entry");
    if (i - shift >= 0 && isa<Value>(d) && x->dim(i - shift) != 1 && !n.same(d, x->dims[i - shift]))
      d = n.select(n.cmp(arith::CmpIPredicate::eq, d, n.idx(1)), x->dims[i - shift], d);
  }
  return n.out(n.expand(x, *dims));
}

static LogicalResult gather(Node &n) {
  V x = n.in(0), indices = n.in(1);
  FailureOr<int64_t> axis = n.axis(n.attrInt("axis", 0), x->rank());
  if (failed(axis))
    return failure();
  if (!isIntDType(indices->dtype))
    return n.fail("expected integer indices");
  return n.out(n.gather(x, indices, *axis));
}

static LogicalResult depthToSpace(Node &n) {
  V x = n.in(0);
  if (x->rank() != 4)
    return n.fail("expected rank 4, but got " + Twine(x->rank()));
  OpFoldResult block = n.idx(n.attrInt("blocksize", 1)), c = n.floordiv(x->dims[1], n.mul(block, block));
  bool crd = n.attrString("mode", "DCR") == "CRD";
  if (n.attrInt("blocksize", 1) < 1 ||
      (x->dim(1) >= 0 && x->dim(1) % (n.attrInt("blocksize", 1) * n.attrInt("blocksize", 1))))
    return n.fail("the channels do not divide into blocks");
  Dims wide = crd ? Dims{x->dims[0], c, block, block, x->dims[2], x->dims[3]}
                  : Dims{x->dims[0], block, block, c, x->dims[2], x->dims[3]};
  V r = n.transpose(n.reshape(x, wide), crd ? Ints{0, 1, 4, 2, 5, 3} : Ints{0, 3, 4, 1, 5, 2});
  return n.out(n.reshape(r, {x->dims[0], c, n.mul(x->dims[2], block), n.mul(x->dims[3], block)}));
}

static LogicalResult spaceToDepth(Node &n) {
  V x = n.in(0);
  if (x->rank() != 4)
    return n.fail("expected rank 4, but got " + Twine(x->rank()));
  int64_t size = n.attrInt("blocksize", 1);
  if (size < 1 || (x->dim(2) >= 0 && x->dim(2) % size) || (x->dim(3) >= 0 && x->dim(3) % size))
    return n.fail("the spatial dims do not divide into blocks");
  OpFoldResult block = n.idx(size), h = n.floordiv(x->dims[2], block), w = n.floordiv(x->dims[3], block);
  V r = n.reshape(x, {x->dims[0], x->dims[1], h, block, w, block});
  r = n.transpose(r, n.attrString("mode", "DCR") == "CRD" ? Ints{0, 1, 3, 5, 2, 4} : Ints{0, 3, 5, 1, 2, 4});
  return n.out(n.reshape(r, {x->dims[0], n.mul(x->dims[1], n.idx(size * size)), h, w}));
}

void tenon::onnx::registerMovement(Registry &reg) {
  reg.on("Transpose", 1, transpose);
  reg.on("Concat", 1, concat);
  reg.on("Split", 1, split);
  reg.on("Slice", 1, slice);
  reg.on("Pad", 1, pad);
  reg.on("Tile", 6, tile);
  reg.on("Expand", 8, expand);
  reg.on("Gather", 1, gather);
  reg.on("DepthToSpace", 1, depthToSpace);
  reg.on("SpaceToDepth", 1, spaceToDepth);
}
