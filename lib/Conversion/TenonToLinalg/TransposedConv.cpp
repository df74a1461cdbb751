//===- TransposedConv.cpp - transposed convolutions as ordinary ones ---------------------===//
//
// Result position o = s*q + r - pad only sees the taps k = r + s*a, at input positions q - a. So a transposed
// convolution of stride s is an ordinary one of stride 1 with ceil(K/s) taps whose channels are (filter, r), followed
// by a copy that interleaves the phases r ("Is the deconvolution layer the same as a convolutional layer?", Shi et al.
// 2016). Where both stride and dilation exceed 1, zeros are put between the input's elements instead.
//
//===----------------------------------------------------------------------===//
#include "Common.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::tolinalg;

namespace {

class TransposedLowering {
public:
  TransposedLowering(IRRewriter &rewriter, ConvOp op)
      : rewriter(rewriter), op(op), build{rewriter, op.getLoc()}, n(op.getSpatialRank()), last(op.getChannelsLast()) {}
  LogicalResult run();

private:
  void insertZeros();
  Value buildFilter();
  Value buildBias();
  Value interleave(Value phases);

  IRRewriter &rewriter;
  ConvOp op;
  TensorBuilder build;
  int64_t n;
  bool last;
  Value input;
  /// Per spatial dim: taps, phases (the stride that is left), taps of a phase, dilation.
  SmallVector<int64_t> taps, phases, perPhase, dilations;
  /// Zeros that the input has got at its end.
  SmallVector<int64_t> trailing;
  Sizes filterSizes;
};

/// Puts stride - 1 zeros after each element along the dims where the stride can't become phases: [D] to [D, stride] to
/// [D * stride].
void TransposedLowering::insertZeros() {
  Sizes sizes = build.sizesOf(input), split;
  SmallVector<int64_t> low, high;
  SmallVector<ReassociationIndices> groups;
  bool any = false;
  for (int64_t dim = 0; dim < n + 2; ++dim) {
    groups.push_back({static_cast<int64_t>(split.size())});
    split.push_back(sizes[dim]);
    low.push_back(0);
    high.push_back(0);
    int64_t i = dim - op.getSpatialDim(0);
    if (i < 0 || i >= n || phases[i] == 1 || dilations[i] == 1)
      continue;
    groups.back().push_back(split.size());
    split.push_back(build.index(1));
    low.push_back(0);
    high.push_back(phases[i] - 1);
    trailing[i] = phases[i] - 1;
    phases[i] = 1;
    any = true;
  }
  if (!any)
    return;
  Value zero = build.constant(cast<ShapedType>(input.getType()).getElementType(), 0);
  input = build.collapse(build.window(build.expand(input, groups, split), low, high, zero), groups);
}

/// [C, F/g, K..] becomes [F * phases, C/g, A..], taps in reverse order.
Value TransposedLowering::buildFilter() {
  int64_t first = op.getFilterOuterDim(), groups = op.getGroups(), rank = filterSizes.size();
  Type element = cast<ShapedType>(op.getFilter().getType()).getElementType();
  SmallVector<int64_t> low(rank, 0), high(rank, 0);
  for (int64_t i = 0; i < n; ++i)
    high[op.getFilterSpatialDim(i)] = perPhase[i] * phases[i] - taps[i];
  Value padded = build.window(op.getFilter(), low, high, build.constant(element, 0));

  // Loops: (batch), group, filter, phases.., then channel and taps in the layout's order.
  OpFoldResult channels = build.apply(build.sym(0).floorDiv(groups), {filterSizes[first]});
  Sizes sizes;
  if (op.getPerSample())
    sizes.push_back(filterSizes[0]);
  sizes.append({build.index(groups), filterSizes[op.getFilterChannelDim()]});
  SmallVector<int64_t> phaseLoop(n, -1);
  for (int64_t i = 0; i < n; ++i)
    if (phases[i] > 1) {
      phaseLoop[i] = sizes.size();
      sizes.push_back(build.index(phases[i]));
    }
  int64_t channelsEnd = sizes.size();
  int64_t channelLoop = sizes.size() + (last ? n : 0), tapLoop = sizes.size() + (last ? 0 : 1);
  if (!last)
    sizes.push_back(channels);
  for (int64_t i = 0; i < n; ++i)
    sizes.push_back(build.index(perPhase[i]));
  if (last)
    sizes.push_back(channels);

  Value channelCount = build.indexValue(channels);
  Value all = build.elementwise(sizes, element, {}, {}, [&](OpBuilder &b, Location loc, ValueRange) -> Value {
    auto loop = [&](int64_t i) -> Value { return linalg::IndexOp::create(b, loc, i); };
    auto number = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(b, loc, value); };
    SmallVector<Value> at(rank);
    if (op.getPerSample())
      at[0] = loop(0);
    at[first] =
        arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, loop(first), channelCount), loop(channelLoop));
    at[op.getFilterChannelDim()] = loop(first + 1);
    for (int64_t i = 0; i < n; ++i) { // k = r + s * (A - 1 - a)
      Value reversed = arith::SubIOp::create(b, loc, number(perPhase[i] - 1), loop(tapLoop + i));
      if (phases[i] > 1)
        reversed = arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, reversed, number(phases[i])),
                                         loop(phaseLoop[i]));
      at[op.getFilterSpatialDim(i)] = reversed;
    }
    return tensor::ExtractOp::create(b, loc, padded, at);
  });
  SmallVector<ReassociationIndices> joins;
  for (int64_t i = 0, count = sizes.size(); i < count; ++i)
    if (i > first && i < channelsEnd)
      joins.back().push_back(i);
    else
      joins.push_back({i});
  return build.collapse(all, joins);
}

/// One bias element per filter and phase.
Value TransposedLowering::buildBias() {
  Value bias = op.getBias();
  int64_t count = 1;
  for (int64_t phase : phases)
    count *= phase;
  if (!bias || count == 1)
    return bias;
  Value repeated =
      build.elementwise({build.sizesOf(bias)[0], build.index(count)}, cast<ShapedType>(bias.getType()).getElementType(),
                        bias, AffineMap::get(2, 0, {build.dim(0)}, rewriter.getContext()),
                        [](OpBuilder &, Location, ValueRange args) { return args[0]; });
  return build.collapse(repeated, {{0, 1}});
}

/// [N, F * phases, Q..] becomes [N, F, Q * phase..], of which the result is a window.
Value TransposedLowering::interleave(Value split) {
  if (llvm::all_of(phases, [](int64_t count) { return count == 1; }))
    return split;
  Sizes sizes = build.sizesOf(split), result = resultSizes(rewriter, op);
  // Separate dims: N, F, r.., Q.. (channels last: N, Q.., F, r..).
  Sizes separate{sizes[0]};
  SmallVector<ReassociationIndices> groups{{0}};
  SmallVector<int64_t> position(n), phase(n);
  int64_t filter = 0;
  auto addChannels = [&] {
    filter = separate.size();
    groups.push_back({filter});
    separate.push_back(result[op.getChannelDim()]);
    for (int64_t i = 0; i < n; ++i)
      if (phases[i] > 1) {
        phase[i] = separate.size();
        groups.back().push_back(phase[i]);
        separate.push_back(build.index(phases[i]));
      }
  };
  if (!last)
    addChannels();
  for (int64_t i = 0; i < n; ++i) {
    position[i] = separate.size();
    groups.push_back({position[i]});
    separate.push_back(sizes[op.getSpatialDim(i)]);
  }
  if (last)
    addChannels();
  Value y = build.expand(split, groups, separate);
  // N, F, Q, r, Q, r, .. in the layout's order, then each (Q, r) is one dim.
  SmallVector<int64_t> order{0};
  SmallVector<ReassociationIndices> joins{{0}};
  auto addPlain = [&](int64_t dim) {
    joins.push_back({static_cast<int64_t>(order.size())});
    order.push_back(dim);
  };
  if (!last)
    addPlain(filter);
  for (int64_t i = 0; i < n; ++i) {
    addPlain(position[i]);
    if (phases[i] == 1)
      continue;
    joins.back().push_back(order.size());
    order.push_back(phase[i]);
  }
  if (last)
    addPlain(filter);
  y = build.collapse(build.transpose(y, order), joins);

  Sizes offsets(n + 2, build.index(0)), have = build.sizesOf(y);
  bool whole = true;
  for (int64_t i = 0; i < n; ++i) {
    int64_t dim = op.getSpatialDim(i);
    if (phases[i] == 1) // pads were the inner convolution's
      continue;
    int64_t skipped = llvm::mod(op.getPads()[i], phases[i]);
    offsets[dim] = build.index(skipped);
    bool same = known(have[dim]) && known(have[dim]) == known(result[dim]);
    whole &= skipped == 0 && same;
  }
  return whole ? y : build.slice(y, offsets, result, SmallVector<int64_t>(n + 2, 1));
}

LogicalResult TransposedLowering::run() {
  rewriter.setInsertionPoint(op);
  auto filterType = cast<RankedTensorType>(op.getFilter().getType());
  for (int64_t i = 0; i < n; ++i) {
    taps.push_back(filterType.getDimSize(op.getFilterSpatialDim(i)));
    if (ShapedType::isDynamic(taps.back()))
      return op.emitError("transposed convolution not supported: expected the filter's size along spatial dim ")
             << i << " to be known when compiling";
  }
  Sizes result = resultSizes(rewriter, op);
  auto resultType = cast<RankedTensorType>(op.getResult().getType());
  bool emptyResult = llvm::any_of(result, [](OpFoldResult size) { return known(size) == 0; });
  if (emptyResult || llvm::is_contained(cast<ShapedType>(op.getInput().getType()).getShape(), 0)) {
    // Nothing to sum: an ordinary convolution over no channels leaves the bias.
    Value y;
    if (emptyResult) {
      y = build.empty(result, resultType.getElementType());
    } else {
      y = build.filled(result, build.constant(resultType.getElementType(), 0));
      if (Value bias = op.getBias())
        y = build.elementwise(result, resultType.getElementType(), bias,
                              AffineMap::get(n + 2, 0, {build.dim(op.getChannelDim())}, rewriter.getContext()),
                              [&](OpBuilder &b, Location loc, ValueRange args) {
                                return TensorBuilder{b, loc}.convert(args[0], resultType.getElementType());
                              });
    }
    rewriter.replaceOp(op, build.castTo(y, resultType));
    return success();
  }
  input = op.getInput();
  dilations.assign(op.getDilations().begin(), op.getDilations().end());
  phases.assign(op.getStrides().begin(), op.getStrides().end());
  filterSizes = build.sizesOf(op.getFilter());
  trailing.assign(n, 0);
  insertZeros();

  SmallVector<int64_t> pads(2 * n), ones(n, 1);
  for (int64_t i = 0; i < n; ++i) {
    int64_t step = phases[i], reach = dilations[i] * (taps[i] - 1);
    int64_t start = op.getPads()[i], end = op.getPads()[n + i], extra = op.getOutputPaddingAt(i);
    perPhase.push_back(llvm::divideCeil(taps[i], step));
    if (step == 1) {
      pads[i] = reach - start;
      pads[n + i] = reach - end + extra - trailing[i];
      continue;
    }
    // q runs from floor(start / s) to floor((O - 1 + start) / s) with O = s * (D - 1) + extra + K - start - end.
    pads[i] = perPhase[i] - 1 - llvm::divideFloorSigned(start, step);
    pads[n + i] = llvm::divideFloorSigned(extra + taps[i] - 1 - end, step);
  }
  auto conv = ConvOp::create(rewriter, op.getLoc(), resultType, input, buildFilter(), buildBias(), ones, dilations,
                             pads, op.getGroups(),
                             /*transposed=*/false, ArrayRef<int64_t>(), op.getPerSample(), last,
                             /*algorithm=*/ConvAlgorithmAttr());
  conv.getResult().setType(resultType.clone(conv.inferShape()));
  Value y = interleave(conv.getResult());
  rewriter.replaceOp(op, build.castTo(y, resultType));
  return lower(rewriter, conv);
}

} // namespace

LogicalResult tenon::tolinalg::lowerTransposed(IRRewriter &rewriter, ConvOp op) {
  return TransposedLowering(rewriter, op).run();
}
