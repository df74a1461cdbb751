//===- Fft.cpp - tenon.fft_conv and tenon.tile_fft --------------------------------------------===//
#include "Effects.h"
#include "tenon/Dialect/IR/Fft.h"

#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace mlir;
using namespace tenon;

#include "tenon/Dialect/IR/FftEnums.cpp.inc"
#define GET_OP_CLASSES
#include "tenon/Dialect/IR/FftOps.cpp.inc"

/// Lengths with straight-line code of a bearable length, 4^a * 2^b * 3^c.
static constexpr int64_t kSizes[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};

double tenon::countFftOperations(int64_t size) { return 5 * size * std::log2(std::max<double>(size, 1)); }

double tenon::estimateFftCost(int64_t size) {
  double factor = size <= 16 ? 0.8 : size <= 32 ? 1.0 : size <= 48 ? 1.2 : 1.5;
  return countFftOperations(size) * factor;
}

FftPlan tenon::planFft(int64_t extent, int64_t before, int64_t taps, int64_t results) {
  FftPlan best{0, 0, 0};
  double bestCost = 0;
  for (int64_t size : kSizes) {
    // What goes past the end of a window wraps around to the zeros in front of the elements.
    bool isOne = before + extent <= size && results + taps - 1 - before <= size && results <= size && before < size;
    if (!isOne && taps > size)
      continue;
    int64_t tile = isOne ? results : size - taps + 1, tiles = llvm::divideCeil(results, tile);
    double cost = tiles * (estimateFftCost(size) + size);
    if (before < size && (best.size == 0 || cost < bestCost))
      best = {size, tile, tiles}, bestCost = cost;
  }
  return best;
}

static LogicalResult verifySize(Operation *op, int64_t size) {
  if (!llvm::is_contained(kSizes, size)) // (C1)
    return op->emitOpError("expected a transform of 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48 or 64 elements, but got ")
           << size;
  return success();
}

void FftConvOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &) {}

SmallVector<int64_t, 2> FftConvOp::getTileCounts() {
  ArrayRef<int64_t> image = cast<ShapedType>(getInit().getType()).getShape().take_back(2), tile = getTile();
  return {static_cast<int64_t>(llvm::divideCeil(image[0], tile[0])),
          static_cast<int64_t>(llvm::divideCeil(image[1], tile[1]))};
}

LogicalResult FftConvOp::verify() {
  ArrayRef<int64_t> sizes = getSizes(), tile = getTile(), pads = getPads();
  if (sizes.size() != 2 || tile.size() != 2 || pads.size() != 2) // (C1), (C2)
    return emitOpError("expected 'sizes', 'tile' and 'pads' of 2 numbers");
  for (unsigned dim = 0; dim < 2; ++dim) {
    if (failed(verifySize(*this, sizes[dim])))
      return failure();
    if (tile[dim] < 1 || tile[dim] > sizes[dim]) // (C1)
      return emitOpError("expected a tile of 1 to ") << sizes[dim] << " results, but got " << tile[dim];
    if (pads[dim] < 0 || pads[dim] >= sizes[dim]) // (C2)
      return emitOpError("expected pads from 0 to ") << sizes[dim] - 1 << ", but got " << pads[dim];
  }
  auto input = cast<RankedTensorType>(getInput().getType()), spectrum = cast<RankedTensorType>(getSpectrum().getType()),
       init = cast<RankedTensorType>(getInit().getType());
  bool isPlain = input.getRank() == 4 && spectrum.getRank() == 4 && (init.getRank() == 4 || init.getRank() == 3);
  for (RankedTensorType type : {input, spectrum, init})
    isPlain &= type.getElementType().isF32();
  auto image = init.getShape().take_back(std::min<int64_t>(3, init.getRank()));
  if (!isPlain || llvm::any_of(input.getShape().drop_front(), ShapedType::isDynamic) ||
      llvm::any_of(image, ShapedType::isDynamic) || !spectrum.hasStaticShape()) // (C3)
    return emitOpError("expected tensors of rank 4 and f32, static but for the batch, but got ")
           << input << ", " << spectrum << " and " << init;
  int64_t samples = init.getRank() == 4 ? init.getDimSize(0) : 1, channels = input.getDimSize(1);
  SmallVector<int64_t> wanted{sizes[1] / 2 + 1, sizes[0], 2, channels};
  if (spectrum.getShape() != ArrayRef(wanted)) // (C4)
    return emitOpError("expected a spectrum of shape [") << wanted << "], but got " << spectrum;
  bool sameBatch = ShapedType::isDynamic(samples) || input.isDynamicDim(0) || samples == input.getDimSize(0);
  if (image[0] != channels || !sameBatch || getResult().getType() != init) // (C4)
    return emitOpError("expected the batch and channels of ") << input << ", but got " << init;
  return success();
}

void TileFftOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  addDestinationEffects(*this, effects);
}

LogicalResult TileFftOp::verify() {
  auto size = static_cast<int64_t>(getSize()), offset = static_cast<int64_t>(getOffset());
  if (failed(verifySize(*this, size)))
    return failure();
  FftStep step = getStep();
  if (offset < 0 || (step == FftStep::backward && offset != 0)) // (C1)
    return emitOpError("expected an offset of 0 or, forward, more, but got ") << offset;
  if ((step == FftStep::product) != static_cast<bool>(getSpectrum())) // (C3)
    return emitOpError("expected a spectrum in a product and nowhere else");
  auto in = cast<ShapedType>(getIn().getType()), out = cast<ShapedType>(getOut().getType());
  auto spectrum = getSpectrum() ? cast<ShapedType>(getSpectrum().getType()) : ShapedType();
  constexpr int64_t kAny = ShapedType::kDynamic;
  int64_t frequencies = size / 2 + 1;
  bool agree =
      in.getRank() == (step == FftStep::forward ? 3 : 4) && out.getRank() == (step == FftStep::backward ? 3 : 4);
  agree &= isa<FloatType>(in.getElementType()) && in.getElementType() == out.getElementType();
  auto matches = [&](ShapedType type, ArrayRef<int64_t> wanted) {
    for (auto [got, want] : llvm::zip(type.getShape(), wanted))
      agree &= got == kAny || want == kAny || got == want;
  };
  auto isStatic = [&](ShapedType type, unsigned dim) { return !type.isDynamicDim(dim); };
  int64_t taken = 0, given = 0; // of N
  if (agree && step == FftStep::forward) {
    matches(out, {frequencies, in.getDimSize(0), 2, in.getDimSize(2)});
    agree &= isStatic(in, 1) && isStatic(out, 0) && isStatic(out, 2);
    taken = in.getDimSize(1) + offset;
  } else if (agree && step == FftStep::product) {
    agree &= spectrum.getRank() == 4 && spectrum.getElementType() == in.getElementType();
    if (agree) {
      matches(spectrum, {in.getDimSize(0), size, 2, in.getDimSize(3)});
      matches(out, {in.getDimSize(0), kAny, 2, in.getDimSize(3)});
      matches(in, {kAny, kAny, 2, kAny});
      for (unsigned dim = 0; dim < 3; ++dim)
        agree &= isStatic(in, dim) && isStatic(out, dim) && isStatic(spectrum, dim);
      taken = in.getDimSize(1) + offset;
      given = out.getDimSize(1);
    }
  } else if (agree) {
    matches(in, {frequencies, out.getDimSize(0), 2, out.getDimSize(2)});
    agree &= isStatic(in, 0) && isStatic(in, 2) && isStatic(out, 1);
    given = out.getDimSize(1);
  }
  if (!agree) // (C2)
    return emitOpError("expected operands of the shapes of '")
           << stringifyFftStep(step) << "' of " << size << ", but got " << in << " and " << out;
  if (taken > size || given > size) // (C3)
    return emitOpError("expected no more than ") << size << " elements, but got " << std::max(taken, given);
  bool tensors = getResult() && getResult().getType() == out && isa<RankedTensorType>(in) &&
                 (!spectrum || isa<RankedTensorType>(spectrum));
  bool memrefs =
      !getResult() && isa<MemRefType>(in) && isa<MemRefType>(out) && (!spectrum || isa<MemRefType>(spectrum));
  if (!tensors && !memrefs) // (C4)
    return emitOpError("expected tensors and a result of the type of 'outs', or memrefs and none, but got ")
           << in << " and " << out;
  return success();
}
