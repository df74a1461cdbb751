//===- Winograd.cpp - tenon.winograd_input, tenon.winograd_output, tenon.tile_transform ----===//
#include "Effects.h"
#include "tenon/Dialect/IR/Winograd.h"
#include "tenon/Dialect/IR/LinearMaps.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;

#define GET_OP_CLASSES
#include "tenon/Dialect/IR/WinogradOps.cpp.inc"

/// Toom and Cook's construction: the points are 0, +-p, .., and infinity. Points whose squares lie around 1 keep the
/// matrices' entries small; 5/8 and 3/2 have a third of the error of 1 and 2.
WinogradMatrices tenon::getWinogradMatrices(int64_t tile) {
  constexpr int64_t kTaps = 3;
  SmallVector<double> points{0, 1, -1};
  if (tile == 4)
    points = {0, 0.625, -0.625, 1.5, -1.5};
  int64_t size = tile + kTaps - 1, finite = size - 1;
  /// Coefficients of the product of (x - q) over all points q but the skipped one.
  auto expand = [&](int64_t skipped) {
    SmallVector<double> polynomial{1};
    for (int64_t i = 0; i < finite; ++i) {
      if (i == skipped)
        continue;
      polynomial.push_back(0);
      for (int64_t k = polynomial.size() - 1; k >= 0; --k)
        polynomial[k] = (k > 0 ? polynomial[k - 1] : 0) - points[i] * polynomial[k];
    }
    polynomial.resize(size, 0);
    return polynomial;
  };
  WinogradMatrices matrices{{size, size, {}}, {size, kTaps, {}}, {tile, size, {}}};
  for (int64_t i = 0; i < size; ++i) {
    llvm::append_range(matrices.input.values, expand(i < finite ? i : -1));
    double scale = 1;
    for (int64_t j = 0; j < finite; ++j)
      if (i < finite && i != j)
        scale *= points[i] - points[j];
    double power = 1 / scale;
    for (int64_t k = 0; k < kTaps; ++k) {
      matrices.filter.values.push_back(i < finite ? power : k == kTaps - 1);
      power *= i < finite ? points[i] : 0;
    }
  }
  for (int64_t p = 0; p < tile; ++p)
    for (int64_t i = 0; i < size; ++i) {
      double power = 1;
      for (int64_t k = 0; k < p; ++k)
        power *= i < finite ? points[i] : 0;
      matrices.output.values.push_back(i < finite ? power : p == tile - 1);
    }
  return matrices;
}

//===----------------------------------------------------------------------===//
// The two halves
//===----------------------------------------------------------------------===//

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

static LogicalResult verifyTile(Operation *op, int64_t tile) {
  if (tile != 2 && tile != 4) // (C1)
    return op->emitOpError("expected 'tile' 2 or 4, but got ") << tile;
  return success();
}

/// `domain` is [a, a, N * TH, TW, C] for N `samples` of C `channels` whose results are `rows` by `columns`.
static LogicalResult verifyDomain(Operation *op, int64_t tile, RankedTensorType domain, int64_t samples,
                                  int64_t channels, int64_t rows, int64_t columns, Type result, Type init) {
  constexpr int64_t kAny = ShapedType::kDynamic;
  auto count = [&](int64_t size) { return size == kAny ? kAny : (std::max<int64_t>(size, 0) + tile - 1) / tile; };
  int64_t tileRows = samples == kAny || rows == kAny ? kAny : samples * count(rows);
  SmallVector<int64_t> wanted{tile + 2, tile + 2, tileRows, count(columns), channels};
  bool agree = domain.getRank() == 5 && domain.getElementType().isF32();
  for (auto [size, want] : llvm::zip(domain.getShape(), wanted))
    agree &= size == kAny || want == kAny || size == want;
  if (!agree) // (C3)
    return op->emitOpError("expected numbers in Winograd's domain of type ")
           << RankedTensorType::get(wanted, Float32Type::get(op->getContext())) << ", but got " << domain;
  if (result != init) // (C3)
    return op->emitOpError("expected a result of the type of 'outs', but got ") << result << " and " << init;
  return success();
}

void WinogradInputOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &) {}
void WinogradOutputOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &) {}

LogicalResult WinogradInputOp::verify() {
  if (failed(verifyTile(*this, getTile())))
    return failure();
  RankedTensorType input = typeOf(getInput());
  if (input.getRank() != 4 || !input.getElementType().isF32()) // (C2)
    return emitOpError("expected an 'input' of rank 4 and f32, but got ") << input;
  if (getPads().size() != 4 || llvm::any_of(getPads(), [](int64_t pad) { return pad < 0 || pad > 2; })) // (C2)
    return emitOpError("expected 'pads' of 4 numbers from 0 to 2, but got ") << getPadsAttr();
  auto results = [&](unsigned dim) {
    return input.isDynamicDim(2 + dim) ? ShapedType::kDynamic
                                       : input.getDimSize(2 + dim) + getPads()[dim] + getPads()[2 + dim] - 2;
  };
  return verifyDomain(*this, getTile(), typeOf(getInit()), input.getDimSize(0), input.getDimSize(1), results(0),
                      results(1), getResult().getType(), getInit().getType());
}

LogicalResult WinogradOutputOp::verify() {
  if (failed(verifyTile(*this, getTile())))
    return failure();
  RankedTensorType sums = typeOf(getSums()), init = typeOf(getInit());
  if (sums.getRank() != 5 || (init.getRank() != 4 && init.getRank() != 3) || !init.getElementType().isF32()) // (C2)
    return emitOpError("expected 'sums' of rank 5 and 'outs' of rank 4 or 3 and f32, but got ")
           << sums << " and " << init;
  ArrayRef<int64_t> image = init.getShape().take_back(3);
  return verifyDomain(*this, getTile(), sums, init.getRank() == 4 ? init.getDimSize(0) : 1, image[0], image[1],
                      image[2], getResult().getType(), getInit().getType());
}

//===----------------------------------------------------------------------===//
// tenon.tile_transform
//===----------------------------------------------------------------------===//

void TileTransformOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  addDestinationEffects(*this, effects);
}

LogicalResult TileTransformOp::verify() {
  auto rows = static_cast<int64_t>(getRows()), numbers = static_cast<int64_t>(getCoefficients().size());
  if (rows < 1 || numbers == 0 || numbers % rows != 0) // (C1)
    return emitOpError("expected 'rows' to divide the number of coefficients, but got ") << rows << " and " << numbers;
  auto in = cast<ShapedType>(getIn().getType()), out = cast<ShapedType>(getOut().getType());
  if (getMaps().size() != 2 || getInMap().getNumDims() != getOutMap().getNumDims() || getInMap().getNumSymbols() != 0 ||
      getInMap().getNumResults() != in.getRank() || getOutMap().getNumResults() != out.getRank()) // (C2)
    return emitOpError("expected a map for 'in' and one for 'outs', of the same dims and the operands' ranks, but got ")
           << getMaps();
  if (!getOutMap().isPermutation() || !getLinearCoefficients(getInMap())) // (C3)
    return emitOpError("expected the map of 'outs' to be a permutation and that of 'in' to be sums of dims, but got ")
           << getMaps();
  unsigned window = getOutMap().getNumDims() - 1;
  auto lanes = out.getRank() ? dyn_cast<AffineDimExpr>(getOutMap().getResults().back()) : AffineDimExpr(nullptr);
  if (!lanes || in.getRank() == 0 || getInMap().getResults().back() != lanes || lanes.getPosition() == window) // (C4)
    return emitOpError("expected the last results of both maps to be the same parallel dim, but got ") << getMaps();
  unsigned place = *getOutMap().getResultPosition(getAffineDimExpr(window, getContext()));
  if (!isa<FloatType>(in.getElementType()) || in.getElementType() != out.getElementType() ||
      out.getDimSize(place) != rows) // (C5)
    return emitOpError("expected the same float elements and ")
           << rows << " of them along dimension " << place << " of 'outs', but got " << in << " and " << out;
  bool tensors = isa<RankedTensorType>(in) && isa<RankedTensorType>(out) && getResult() &&
                 getResult().getType() == getOut().getType();
  if (!tensors && !(isa<MemRefType>(in) && isa<MemRefType>(out) && !getResult())) // (C6)
    return emitOpError("expected tensors and a result of the type of 'outs', or memrefs and none, but got ")
           << in << " and " << out;
  return success();
}
