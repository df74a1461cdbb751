//===- Conv.cpp - tenon.conv, tenon.pool, tenon.resize ---------------------------===//
//
// Verifiers, shape inference and canonicalization of the convolution family. The numbers of the constraints are those
// of Conv.td.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Fft.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

#include <cmath>

using namespace mlir;
using namespace tenon;

namespace {

/// How many windows fit along one dim. The sum of the pads may be negative (a crop).
struct Window {
  int64_t kernel, stride, dilation, padStart, padEnd;
  bool ceilMode = false;
};

int64_t clampSize(__int128 size) {
  if (size < 0)
    return 0;
  return size > INT64_MAX ? INT64_MAX : static_cast<int64_t>(size);
}

__int128 floorDiv(__int128 a, __int128 b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

int64_t countWindows(int64_t size, const Window &w) {
  if (ShapedType::isDynamic(size) || ShapedType::isDynamic(w.kernel))
    return ShapedType::kDynamic;
  __int128 span =
      static_cast<__int128>(size) + w.padStart + w.padEnd - static_cast<__int128>(w.dilation) * (w.kernel - 1) - 1;
  if (!w.ceilMode)
    return clampSize(floorDiv(span, w.stride) + 1);
  __int128 rounded = floorDiv(span + w.stride - 1, w.stride) + 1;
  __int128 startingInside = floorDiv(static_cast<__int128>(size) + w.padStart - 1, w.stride) + 1;
  return clampSize(std::min(rounded, startingInside));
}

/// The same as index arithmetic, for sizes known at run time only.
OpFoldResult countWindows(OpBuilder &b, Location loc, OpFoldResult size, OpFoldResult kernel, const Window &w) {
  AffineExpr d = b.getAffineSymbolExpr(0), k = b.getAffineSymbolExpr(1);
  AffineExpr span = d + (w.padStart + w.padEnd) - (k - 1) * w.dilation - 1;
  SmallVector<AffineExpr> counts;
  if (w.ceilMode) {
    counts.push_back(span.ceilDiv(w.stride) + 1);
    counts.push_back((d + w.padStart - 1).floorDiv(w.stride) + 1);
  } else {
    counts.push_back(span.floorDiv(w.stride) + 1);
  }
  OpFoldResult least =
      affine::makeComposedFoldedAffineMin(b, loc, AffineMap::get(0, 2, counts, b.getContext()), {size, kernel});
  AffineExpr s = b.getAffineSymbolExpr(0);
  return affine::makeComposedFoldedAffineMax(
      b, loc, AffineMap::get(0, 1, {s, b.getAffineConstantExpr(0)}, b.getContext()), {least});
}

int64_t transposedSize(int64_t size, const Window &w, int64_t outputPadding) {
  if (ShapedType::isDynamic(size) || ShapedType::isDynamic(w.kernel))
    return ShapedType::kDynamic;
  return clampSize(static_cast<__int128>(w.stride) * (static_cast<__int128>(size) - 1) + outputPadding +
                   static_cast<__int128>(w.dilation) * (w.kernel - 1) + 1 - w.padStart - w.padEnd);
}

OpFoldResult transposedSize(OpBuilder &b, Location loc, OpFoldResult size, OpFoldResult kernel, const Window &w,
                            int64_t outputPadding) {
  AffineExpr d = b.getAffineSymbolExpr(0), k = b.getAffineSymbolExpr(1);
  AffineExpr extent = (d - 1) * w.stride + (k - 1) * w.dilation + (outputPadding + 1 - w.padStart - w.padEnd);
  return affine::makeComposedFoldedAffineMax(
      b, loc, AffineMap::get(0, 2, {extent, b.getAffineConstantExpr(0)}, b.getContext()), {size, kernel});
}

/// Fails unless every size that both shapes know is equal.
LogicalResult verifyShape(Operation *op, ArrayRef<int64_t> inferred, ShapedType got) {
  auto print = [](ArrayRef<int64_t> shape) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    stream << '[';
    llvm::interleaveComma(shape, stream,
                          [&](int64_t size) { ShapedType::isDynamic(size) ? stream << '?' : stream << size; });
    stream << ']';
    return text;
  };
  bool same = got.getRank() == static_cast<int64_t>(inferred.size());
  for (auto [want, have] : llvm::zip(inferred, got.getShape()))
    same &= ShapedType::isDynamic(want) || ShapedType::isDynamic(have) || want == have;
  if (!same)
    return op->emitOpError("expected result shape ") << print(inferred) << ", but got " << print(got.getShape());
  return success();
}

/// strides, dilations (and kernel): one positive entry per spatial dim.
LogicalResult verifyPositive(Operation *op, StringRef name, ArrayRef<int64_t> values, int64_t count) {
  if (static_cast<int64_t>(values.size()) != count)
    return op->emitOpError("expected '") << name << "' to have " << count << " entries, but got " << values.size();
  for (int64_t value : values)
    if (value < 1)
      return op->emitOpError("expected '") << name << "' to be at least 1, but got " << value;
  return success();
}

LogicalResult verifyPadCount(Operation *op, ArrayRef<int64_t> pads, int64_t count) {
  if (static_cast<int64_t>(pads.size()) != 2 * count)
    return op->emitOpError("expected 'pads' to have ") << 2 * count << " entries, but got " << pads.size();
  return success();
}

/// Static result sizes stay attributes; `dynamicSize` gives the others.
SmallVector<OpFoldResult> reify(OpBuilder &b, RankedTensorType type,
                                llvm::function_ref<OpFoldResult(int64_t)> dynamicSize) {
  SmallVector<OpFoldResult> sizes;
  for (auto [dim, size] : llvm::enumerate(type.getShape()))
    sizes.push_back(ShapedType::isDynamic(size)
                        ? getValueOrCreateConstantIndexOp(b, b.getUnknownLoc(), dynamicSize(dim))
                        : OpFoldResult(b.getIndexAttr(size)));
  return sizes;
}

} // namespace

//===----------------------------------------------------------------------===//
// tenon.conv
//===----------------------------------------------------------------------===//

int64_t ConvOp::getSpatialRank() { return cast<ShapedType>(getInput().getType()).getRank() - 2; }
int64_t ConvOp::getChannelDim() { return getChannelsLast() ? getSpatialRank() + 1 : 1; }
int64_t ConvOp::getSpatialDim(int64_t i) { return i + (getChannelsLast() ? 1 : 2); }
int64_t ConvOp::getFilterOuterDim() { return getPerSample() ? 1 : 0; }
int64_t ConvOp::getFilterChannelDim() { return getFilterOuterDim() + 1 + (getChannelsLast() ? getSpatialRank() : 0); }
int64_t ConvOp::getFilterSpatialDim(int64_t i) { return getFilterOuterDim() + i + (getChannelsLast() ? 1 : 2); }
int64_t ConvOp::getOutputPaddingAt(int64_t i) { return getOutputPadding().empty() ? 0 : getOutputPadding()[i]; }

Type ConvOp::getAccumulatorType() {
  Type element = cast<ShapedType>(getInput().getType()).getElementType();
  if (isa<FloatType>(element) && element.getIntOrFloatBitWidth() < 32)
    return Float32Type::get(getContext());
  return isa<FloatType>(element) ? element : cast<ShapedType>(getResult().getType()).getElementType();
}

static Window windowOf(ConvOp op, int64_t i) {
  return {cast<ShapedType>(op.getFilter().getType()).getDimSize(op.getFilterSpatialDim(i)), op.getStrides()[i],
          op.getDilations()[i], op.getPads()[i], op.getPads()[op.getSpatialRank() + i]};
}

SmallVector<int64_t> ConvOp::inferShape() {
  auto input = cast<ShapedType>(getInput().getType()), filter = cast<ShapedType>(getFilter().getType());
  SmallVector<int64_t> shape(input.getShape());
  int64_t channels = filter.getDimSize(getTransposed() ? getFilterChannelDim() : getFilterOuterDim());
  if (getTransposed() && !ShapedType::isDynamic(channels))
    channels = clampSize(static_cast<__int128>(channels) * static_cast<int64_t>(getGroups()));
  shape[getChannelDim()] = channels;
  for (int64_t i = 0; i < getSpatialRank(); ++i) {
    int64_t &size = shape[getSpatialDim(i)];
    size = getTransposed() ? transposedSize(size, windowOf(*this, i), getOutputPaddingAt(i))
                           : countWindows(size, windowOf(*this, i));
  }
  return shape;
}

LogicalResult ConvOp::verify() {
  auto input = cast<ShapedType>(getInput().getType()), filter = cast<ShapedType>(getFilter().getType());
  auto result = cast<ShapedType>(getResult().getType());
  int64_t n = getSpatialRank(), groups = static_cast<int64_t>(getGroups());
  if (n < 1 || n > 3) // (C1)
    return emitOpError("expected an input of rank 3, 4 or 5, but got ") << input.getRank();
  int64_t filterRank = n + 2 + getPerSample();
  if (filter.getRank() != filterRank) // (C1)
    return emitOpError("expected a filter of rank ") << filterRank << ", but got " << filter.getRank();
  if (failed(verifyPositive(*this, "strides", getStrides(), n)) ||
      failed(verifyPositive(*this, "dilations", getDilations(), n)) ||
      failed(verifyPadCount(*this, getPads(), n))) // (C2)
    return failure();
  int64_t channels = input.getDimSize(getChannelDim());
  if (groups < 1) // (C3)
    return emitOpError("expected 'groups' of at least 1, but got ") << groups;
  if (!ShapedType::isDynamic(channels) && channels % groups != 0) // (C3)
    return emitOpError("expected 'groups' to divide the channels of the input, but got ")
           << groups << " and " << channels;

  int64_t outer = filter.getDimSize(getFilterOuterDim()), inner = filter.getDimSize(getFilterChannelDim());
  bool known = !ShapedType::isDynamic(channels);
  if (getTransposed() && known && !ShapedType::isDynamic(outer) && outer != channels) // (C4)
    return emitOpError("expected the filter's first channel dim to be the input's channels, but got ")
           << outer << " and " << channels;
  if (!getTransposed() && known && !ShapedType::isDynamic(inner) && inner != channels / groups) // (C4)
    return emitOpError("expected the filter's channels times 'groups' to be the input's channels, but got ")
           << inner << " * " << groups << " and " << channels;
  if (!getTransposed() && !ShapedType::isDynamic(outer) && outer % groups != 0) // (C5)
    return emitOpError("expected 'groups' to divide the output channels, but got ") << groups << " and " << outer;
  for (int64_t i = 0; i < n; ++i)
    if (filter.getDimSize(getFilterSpatialDim(i)) == 0) // (C11)
      return emitOpError("expected the filter's size along spatial dim ") << i << " to be at least 1, but got 0";

  Type element = input.getElementType();
  if (!element.isIntOrFloat()) // (C8)
    return emitOpError("expected an integer or float element type, but got ") << element;
  if (filter.getElementType() != element) // (C8)
    return emitOpError("expected the filter's element type to be the input's, but got ")
           << filter.getElementType() << " and " << element;
  Type out = result.getElementType();
  if (out != element && !(element.isInteger(8) && out.isInteger(32))) // (C8)
    return emitOpError("expected the result's element type to be the input's, or i32 for i8, but got ")
           << out << " and " << element;
  if (!getOutputPadding().empty()) { // (C7)
    if (!getTransposed())
      return emitOpError("expected no 'output_padding' on a convolution that is not transposed, but got ")
             << getOutputPadding().size() << " entries";
    if (static_cast<int64_t>(getOutputPadding().size()) != n)
      return emitOpError("expected 'output_padding' to have ")
             << n << " entries, but got " << getOutputPadding().size();
    for (int64_t i = 0; i < n; ++i) {
      int64_t limit = std::max(getStrides()[i], getDilations()[i]);
      if (getOutputPadding()[i] < 0 || getOutputPadding()[i] >= limit)
        return emitOpError("expected 'output_padding' in [0, ")
               << limit << ") along spatial dim " << i << ", but got " << getOutputPadding()[i];
    }
  }
  SmallVector<int64_t> shape = inferShape();
  if (getBias()) {
    auto bias = cast<ShapedType>(getBias().getType());
    if (bias.getRank() != 1) // (C6)
      return emitOpError("expected a bias of rank 1, but got ") << bias.getRank();
    int64_t want = shape[getChannelDim()], got = bias.getDimSize(0);
    if (!ShapedType::isDynamic(want) && !ShapedType::isDynamic(got) && want != got) // (C6)
      return emitOpError("expected the bias to have one element per output channel, ") << want << ", but got " << got;
    if (bias.getElementType() != element) // (C8)
      return emitOpError("expected the bias' element type to be the input's, but got ")
             << bias.getElementType() << " and " << element;
  }
  if (getPerSample()) { // (C10)
    int64_t want = input.getDimSize(0), got = filter.getDimSize(0);
    if (!ShapedType::isDynamic(want) && !ShapedType::isDynamic(got) && want != got)
      return emitOpError("expected the batch of a per-sample filter to be the input's, but got ")
             << got << " and " << want;
  }
  ConvAlgorithm algorithm = getAlgorithm().value_or(ConvAlgorithm::direct);
  if (std::string reason = explainNo(algorithm); !reason.empty()) // (C12)
    return emitOpError("expected a convolution for algorithm '")
           << stringifyConvAlgorithm(algorithm) << "' to have " << reason;
  return verifyShape(*this, shape, result); // (C9)
}

std::string ConvOp::explainNo(ConvAlgorithm algorithm) {
  std::string reason;
  if (algorithm == ConvAlgorithm::direct)
    return reason;
  llvm::raw_string_ostream stream(reason);
  auto filter = cast<ShapedType>(getFilter().getType());
  auto list = [&](StringRef what, ArrayRef<int64_t> got) {
    stream << what << ", but got [";
    llvm::interleaveComma(got, stream);
    stream << ']';
    return reason;
  };
  if (getSpatialRank() != 2)
    stream << "2 spatial dims, but got " << getSpatialRank();
  else if (getTransposed() || getPerSample() || getChannelsLast())
    stream << "channels first and one filter for all samples, not transposed";
  else if (!llvm::all_equal({int64_t(1), getStrides()[0], getStrides()[1]}))
    return list("strides of 1", getStrides());
  else if (!llvm::all_equal({int64_t(1), getDilations()[0], getDilations()[1]}))
    return list("dilations of 1", getDilations());
  else if (!filter.getElementType().isF32())
    stream << "f32 elements, but got " << filter.getElementType();
  else if (algorithm != ConvAlgorithm::fft && (filter.getDimSize(2) != 3 || filter.getDimSize(3) != 3))
    return list("a 3x3 filter", {filter.getDimSize(2), filter.getDimSize(3)});
  else if (algorithm != ConvAlgorithm::fft && getGroups() != 1)
    stream << "1 group, but got " << getGroups();
  if (algorithm != ConvAlgorithm::fft || !reason.empty())
    return reason;
  ArrayRef<int64_t> input = cast<ShapedType>(getInput().getType()).getShape().drop_front(), taps = filter.getShape();
  if (llvm::any_of(input, ShapedType::isDynamic) || llvm::any_of(taps, ShapedType::isDynamic))
    return "static sizes but for the batch";
  if (input[0] != static_cast<int64_t>(getGroups()) || taps[0] != input[0])
    stream << "one channel a group in input and result, but got " << input[0] << " and " << taps[0] << " in "
           << getGroups() << " groups";
  else if (llvm::any_of(getPads(), [](int64_t pad) { return pad < 0 || pad >= kMostFftPoints; }))
    return list("pads from 0 to 63", getPads());
  else if (std::max(taps[2], taps[3]) > kMostFftPoints)
    return list("at most 64 taps a dim", {taps[2], taps[3]});
  return reason;
}

LogicalResult ConvOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reify(b, cast<RankedTensorType>(getResult().getType()), [&](int64_t dim) -> OpFoldResult {
    if (dim == 0)
      return tensor::getMixedSize(b, getLoc(), getInput(), 0);
    if (dim == getChannelDim()) {
      OpFoldResult size =
          tensor::getMixedSize(b, getLoc(), getFilter(), getTransposed() ? getFilterChannelDim() : getFilterOuterDim());
      if (!getTransposed())
        return size;
      return affine::makeComposedFoldedAffineApply(
          b, getLoc(), b.getAffineSymbolExpr(0) * static_cast<int64_t>(getGroups()), {size});
    }
    int64_t i = dim - getSpatialDim(0);
    OpFoldResult size = tensor::getMixedSize(b, getLoc(), getInput(), dim);
    OpFoldResult kernel = tensor::getMixedSize(b, getLoc(), getFilter(), getFilterSpatialDim(i));
    Window window = windowOf(*this, i);
    return getTransposed() ? transposedSize(b, getLoc(), size, kernel, window, getOutputPaddingAt(i))
                           : countWindows(b, getLoc(), size, kernel, window);
  }));
  return success();
}

namespace {

/// conv(pad(x, 0)) -> conv(x) with larger pads.
struct FoldPad : OpRewritePattern<ConvOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConvOp op, PatternRewriter &rewriter) const override {
    auto pad = op.getInput().getDefiningOp<tensor::PadOp>();
    if (!pad || op.getTransposed())
      return rewriter.notifyMatchFailure(op, "the input is not padded, or the convolution is transposed");
    Value padding = pad.getConstantPaddingValue();
    if (!padding || !(matchPattern(padding, m_AnyZeroFloat()) || matchPattern(padding, m_Zero())))
      return rewriter.notifyMatchFailure(op, "padded with something else than 0");
    if (ShapedType::isDynamicShape(pad.getStaticLow()) || ShapedType::isDynamicShape(pad.getStaticHigh()))
      return rewriter.notifyMatchFailure(op, "padded by an unknown amount");
    int64_t n = op.getSpatialRank();
    for (int64_t dim : {int64_t(0), op.getChannelDim()})
      if (pad.getStaticLow()[dim] || pad.getStaticHigh()[dim])
        return rewriter.notifyMatchFailure(op, "batch or channels are padded");
    SmallVector<int64_t> pads(op.getPads());
    for (int64_t i = 0; i < n; ++i) {
      if (op.getPads()[i] < 0 || op.getPads()[n + i] < 0)
        return rewriter.notifyMatchFailure(op, "the convolution crops");
      pads[i] += pad.getStaticLow()[op.getSpatialDim(i)];
      pads[n + i] += pad.getStaticHigh()[op.getSpatialDim(i)];
    }
    rewriter.modifyOpInPlace(op, [&] {
      op.getInputMutable().assign(pad.getSource());
      op.setPads(pads);
    });
    return success();
  }
};

/// Adding a bias of zeros adds nothing.
struct DropZeroBias : OpRewritePattern<ConvOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConvOp op, PatternRewriter &rewriter) const override {
    if (!op.getBias() || !(matchPattern(op.getBias(), m_AnyZeroFloat()) || matchPattern(op.getBias(), m_Zero())))
      return rewriter.notifyMatchFailure(op, "no bias of zeros");
    rewriter.modifyOpInPlace(op, [&] { op.getBiasMutable().clear(); });
    return success();
  }
};

/// Takes operands from before casts that forget sizes.
template <typename OpTy> struct FoldCasts : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpTy op, PatternRewriter &rewriter) const override {
    bool changed = false;
    for (OpOperand &operand : op->getOpOperands())
      if (auto cast = operand.get().template getDefiningOp<tensor::CastOp>();
          cast && tensor::canFoldIntoConsumerOp(cast)) {
        rewriter.modifyOpInPlace(op, [&] { operand.set(cast.getSource()); });
        changed = true;
      }
    return success(changed);
  }
};

/// Writes the sizes that inference knows into the result type.
template <typename OpTy> struct RefineResult : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpTy op, PatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getResult().getType());
    SmallVector<int64_t> shape(type.getShape());
    for (auto [size, inferred] : llvm::zip(shape, op.inferShape()))
      if (ShapedType::isDynamic(size))
        size = inferred;
    if (shape == type.getShape())
      return rewriter.notifyMatchFailure(op, "nothing more is known about the result");
    SmallVector<Value> replacements;
    SmallVector<Type> types;
    for (Type result : op->getResultTypes())
      types.push_back(cast<RankedTensorType>(result).clone(shape));
    Operation *refined = rewriter.clone(*op);
    for (auto [result, refinedType, old] : llvm::zip(refined->getResults(), types, op->getResultTypes())) {
      result.setType(refinedType);
      replacements.push_back(tensor::CastOp::create(rewriter, op.getLoc(), old, result));
    }
    rewriter.replaceOp(op, replacements);
    return success();
  }
};

} // namespace

void ConvOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<FoldPad, DropZeroBias, FoldCasts<ConvOp>, RefineResult<ConvOp>>(context);
}

//===----------------------------------------------------------------------===//
// tenon.pool
//===----------------------------------------------------------------------===//

int64_t PoolOp::getSpatialRank() { return cast<ShapedType>(getInput().getType()).getRank() - 2; }

static Window windowOf(PoolOp op, int64_t i) {
  return {op.getKernel()[i],
          op.getStrides()[i],
          op.getDilations()[i],
          op.getPads()[i],
          op.getPads()[op.getSpatialRank() + i],
          op.getCeilMode()};
}

SmallVector<int64_t> PoolOp::inferShape() {
  SmallVector<int64_t> shape(cast<ShapedType>(getInput().getType()).getShape());
  for (int64_t i = 0; i < getSpatialRank(); ++i)
    shape[i + 2] = countWindows(shape[i + 2], windowOf(*this, i));
  return shape;
}

LogicalResult PoolOp::verify() {
  auto input = cast<ShapedType>(getInput().getType()), result = cast<ShapedType>(getResult().getType());
  int64_t n = getSpatialRank();
  if (n < 1 || n > 3) // (C1)
    return emitOpError("expected an input of rank 3, 4 or 5, but got ") << input.getRank();
  if (failed(verifyPositive(*this, "kernel", getKernel(), n)) ||
      failed(verifyPositive(*this, "strides", getStrides(), n)) ||
      failed(verifyPositive(*this, "dilations", getDilations(), n)) ||
      failed(verifyPadCount(*this, getPads(), n))) // (C2)
    return failure();
  for (int64_t pad : getPads())
    if (pad < 0) // (C2)
      return emitOpError("expected 'pads' to be at least 0, but got ") << pad;
  if (Value indices = getIndices()) { // (C3)
    if (getKind() != PoolKind::max)
      return emitOpError("expected one result unless the kind is 'max', but got 2 for '")
             << stringifyPoolKind(getKind()) << "'";
    auto type = cast<ShapedType>(indices.getType());
    if (!type.getElementType().isInteger(64) || type.getShape() != result.getShape())
      return emitOpError("expected the indices to have i64 elements and the first result's shape, ")
             << result << ", but got " << type;
  }
  Type element = input.getElementType();
  if (!isa<FloatType>(element) && !(element.isInteger() && getKind() == PoolKind::max)) // (C6)
    return emitOpError("expected a float element type, or an integer with 'max', but got ") << element;
  if (result.getElementType() != element) // (C4)
    return emitOpError("expected the result's element type to be the input's, but got ")
           << result.getElementType() << " and " << element;
  int64_t p = static_cast<int64_t>(getP());
  if (p < 1) // (C5)
    return emitOpError("expected 'p' of at least 1, but got ") << p;
  if (p != 2 && getKind() != PoolKind::lp) // (C5)
    return emitOpError("expected 'p' only with 'lp', but got ")
           << p << " with '" << stringifyPoolKind(getKind()) << "'";
  return verifyShape(*this, inferShape(), result); // (C4)
}

LogicalResult PoolOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes =
      reify(b, cast<RankedTensorType>(getResult().getType()), [&](int64_t dim) -> OpFoldResult {
        OpFoldResult size = tensor::getMixedSize(b, getLoc(), getInput(), dim);
        return dim < 2
                   ? size
                   : countWindows(b, getLoc(), size, b.getIndexAttr(getKernel()[dim - 2]), windowOf(*this, dim - 2));
      });
  shapes.assign(getNumResults(), sizes);
  return success();
}

void PoolOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<FoldCasts<PoolOp>, RefineResult<PoolOp>>(context);
}

//===----------------------------------------------------------------------===//
// tenon.resize
//===----------------------------------------------------------------------===//

LogicalResult ResizeOp::verify() {
  auto input = cast<ShapedType>(getInput().getType()), result = cast<ShapedType>(getResult().getType());
  int64_t rank = input.getRank();
  if (result.getRank() != rank) // (C1)
    return emitOpError("expected the result's rank to be the input's, but got ") << result.getRank() << " and " << rank;
  Type element = input.getElementType();
  if (result.getElementType() != element) // (C1)
    return emitOpError("expected the result's element type to be the input's, but got ")
           << result.getElementType() << " and " << element;
  if (!getScales().empty() && static_cast<int64_t>(getScales().size()) != rank) // (C2)
    return emitOpError("expected 'scales' to be empty or to have ")
           << rank << " entries, but got " << getScales().size();
  for (float scale : getScales())
    if (!std::isfinite(scale) || scale <= 0) // (C2)
      return emitOpError("expected 'scales' to be positive and finite, but got ") << scale;
  size_t roiCount = getCoordinates() == ResizeCoordinates::crop_and_resize ? 2 * rank : 0;
  if (getRoi().size() != roiCount) // (C3)
    return emitOpError("expected 'roi' to have ")
           << roiCount << " entries with '" << stringifyResizeCoordinates(getCoordinates()) << "', but got "
           << getRoi().size();
  if (static_cast<int64_t>(getSizes().size()) != result.getNumDynamicDims()) // (C4)
    return emitOpError("expected one operand in 'sizes' per dynamic dim of the result, ")
           << result.getNumDynamicDims() << ", but got " << getSizes().size();
  bool small = element.isInteger() && element.getIntOrFloatBitWidth() < 8;
  if (!element.isIntOrFloat() || (small && !(element.isInteger(1) && getMode() == ResizeMode::nearest))) // (C5)
    return emitOpError("expected a float or an integer of at least 8 bits, or i1 with 'nearest', but got ") << element;
  if (getAntialias() && getMode() == ResizeMode::nearest) // (C6)
    return emitOpError("expected 'antialias' only with 'linear' or 'cubic', but got 'nearest'");
  for (int64_t i = 0; i < rank; ++i)
    if (input.getDimSize(i) == 0 && !result.isDynamicDim(i) && result.getDimSize(i) != 0) // (C7)
      return emitOpError("expected an empty result along dim ")
             << i << " as the input is empty, but got " << result.getDimSize(i);
  return success();
}

LogicalResult ResizeOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  unsigned next = 0;
  shapes.push_back(reify(b, cast<RankedTensorType>(getResult().getType()), [&](int64_t) -> OpFoldResult {
    return affine::makeComposedFoldedAffineMax(
        b, getLoc(), AffineMap::get(0, 1, {b.getAffineSymbolExpr(0), b.getAffineConstantExpr(0)}, b.getContext()),
        {getSizes()[next++]});
  }));
  return success();
}
