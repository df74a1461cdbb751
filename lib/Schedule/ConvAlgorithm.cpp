//===- ConvAlgorithm.cpp - how convolutions are computed ---------------------------------------===//
//
// Compares the direct sum with Winograd's algorithm, or with Fourier transforms for long filters, where the exactness
// class allows that. Rates are the target's, or were measured: docs/rationale/precision.md.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Fft.h"
#include "tenon/Schedule/Passes.h"
#include "tenon/Schedule/Target.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/MathExtras.h"

namespace tenon {
#define GEN_PASS_DEF_CHOOSECONVALGORITHM
#include "tenon/Schedule/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

/// Sizes assumed for spatial dims that are not known; an open batch is mostly 1.
constexpr int64_t kUnknownSize = 32;
/// What Winograd's algorithm has to save, as it stores results in between and needs a larger filter.
constexpr double kMargin = 1.05;
/// What tiles of 4x4 have to save beside those of 2x2, whose errors are smaller.
constexpr double kLargeTileMargin = 1.03;
/// Of a vector of numbers in Winograd's domain: its share of a transform, its way to memory and back.
constexpr double kDomainVector = 30;
/// What Fourier transforms have to save, as they need scratch memory in the second cache level.
constexpr double kFftMargin = 1.1;
/// Share of the taps that the direct sum of a long filter computes: those in the padding it leaves out.
constexpr double kLongFilterShare = 0.9;
/// Channels that a product takes longer for than its sum has.
constexpr double kShortSum = 16;

/// Costs are in multiply-adds of vectors, on one thread.
class Chooser {
public:
  /// `otherWeights`: bytes of the module's weights but the filter.
  Chooser(ConvOp op, TargetAttr target, int64_t otherWeights) : target(target), otherWeights(otherWeights) {
    lanes = target.getVectorElements(Float32Type::get(op.getContext()));
    SmallVector<int64_t> shape = op.inferShape();
    auto known = [](int64_t size, int64_t otherwise) { return ShapedType::isDynamic(size) ? otherwise : size; };
    pads.assign(op.getPads().begin(), op.getPads().end());
    batch = known(shape[0], 1);
    rows = known(shape[2], kUnknownSize);
    columns = known(shape[3], kUnknownSize);
    auto filter = cast<ShapedType>(op.getFilter().getType());
    filters = filter.getDimSize(0);
    channels = filter.getDimSize(1);
    taps = {filter.getDimSize(2), filter.getDimSize(3)};
    // Rows of taps in the padding are left out by the direct sum.
    for (int64_t pad : {op.getPads()[0], op.getPads()[2]})
      if (pad > 0)
        hidden += static_cast<double>(pad * (pad + 1) / 2) / (3 * std::max<int64_t>(rows, 1));
    hidden = std::min(hidden, 0.5);
  }

  /// Of a depthwise convolution.
  ConvAlgorithm chooseDepthwise(ArrayRef<int64_t> image) const {
    if (batch * rows * columns * image[0] * image[1] == 0)
      return ConvAlgorithm::direct;
    FftPlan down = planFft(image[0], pads[0], taps[0], rows), along = planFft(image[1], pads[1], taps[1], columns);
    int64_t vectors = batch * llvm::divideCeil(filters, lanes), frequencies = along.size / 2 + 1;
    // Transforms of real numbers along rows, two of complex ones and a product along columns.
    double byRows = (std::min(image[0], down.size) + down.tile) * estimateFftCost(along.size) / 2;
    double byColumns = frequencies * (2 * estimateFftCost(down.size) + 6.0 * down.size);
    // Additions and moves count for more where multiply-adds are twice as fast.
    double work = vectors * down.tiles * along.tiles * (byRows + byColumns) * (target.getVectorFmas() >= 2 ? 1.5 : 1);
    double read = getReadCost(2 * frequencies * down.size * filters);
    double direct = kLongFilterShare * taps[0] * taps[1] * rows * columns * vectors;
    return std::max(work, read) * kFftMargin < direct ? ConvAlgorithm::fft : ConvAlgorithm::direct;
  }

  ConvAlgorithm choose() const {
    if (ShapedType::isDynamic(filters) || ShapedType::isDynamic(channels) || batch * rows * columns == 0)
      return ConvAlgorithm::direct;
    double two = getWinogradCost(2), four = getWinogradCost(4), direct = getDirectCost();
    if (std::min(two, four) * kMargin > direct)
      return ConvAlgorithm::direct;
    return four * kLargeTileMargin <= two ? ConvAlgorithm::winograd4 : ConvAlgorithm::winograd2;
  }

private:
  double getDirectCost() const {
    return std::max(9.0 * channels * filters * batch * rows * columns / lanes * (1 - hidden),
                    getReadCost(9 * channels * filters));
  }

  /// Of a filter of so many numbers, which is read once for all tiles, while the core computes.
  double getReadCost(int64_t numbers) const {
    int64_t bytes = 4 * numbers;
    return bytes / target.getBytesPerMultiplyAdd(otherWeights + bytes);
  }

  double getWinogradCost(int64_t tile) const {
    int64_t points = (tile + 2) * (tile + 2);
    double tiles = static_cast<double>(batch) * llvm::divideCeil(rows, tile) * llvm::divideCeil(columns, tile);
    double vectors = llvm::divideCeil(filters, lanes);
    double product = tiles * vectors * (channels + kShortSum);
    double domain = tiles * (llvm::divideCeil(channels, lanes) + vectors) * kDomainVector;
    return std::max(points * product, getReadCost(points * channels * filters)) + points * domain;
  }

  TargetAttr target;
  int64_t otherWeights, lanes, batch, rows, columns, filters, channels;
  double hidden = 0; ///< share of the taps
  SmallVector<int64_t> pads, taps;
};

class ChooseConvAlgorithm : public tenon::impl::ChooseConvAlgorithmBase<ChooseConvAlgorithm> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (!isFast(module))
      return;
    TargetAttr target = getTarget(module);
    if (!target)
      return signalPassFailure();
    int64_t weights = 0;
    for (WeightOp weight : module.getOps<WeightOp>())
      weights += weight.getLength();
    module.walk([&](ConvOp op) {
      bool isDepthwise = op.explainNo(ConvAlgorithm::fft).empty();
      if (op.getAlgorithm() || !(isDepthwise || op.explainNo(ConvAlgorithm::winograd2).empty()) ||
          !isMadeOfWeights(op.getFilter()))
        return;
      auto filter = cast<ShapedType>(op.getFilter().getType());
      int64_t own = filter.hasStaticShape() ? 4 * filter.getNumElements() : 0;
      Chooser chooser(op, target, std::max<int64_t>(0, weights - own));
      auto image = cast<ShapedType>(op.getInput().getType()).getShape().take_back(2);
      op.setAlgorithm(isDepthwise ? chooser.chooseDepthwise(image) : chooser.choose());
    });
  }

  /// Whether the initializer can compute `value`.
  bool isMadeOfWeights(Value value) {
    if (auto it = ofWeights.find(value); it != ofWeights.end())
      return it->second;
    Operation *op = value.getDefiningOp();
    bool result = op && isMemoryEffectFree(op) && op->getNumRegions() <= 1 && isa<func::FuncOp>(op->getParentOp());
    for (unsigned number = 0; result && number < op->getNumOperands(); ++number)
      result = isMadeOfWeights(op->getOperand(number));
    ofWeights[value] = result;
    return result;
  }

  DenseMap<Value, bool> ofWeights;
};

} // namespace
