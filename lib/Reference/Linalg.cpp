//===- Linalg.cpp - linalg's structured ops and tenon.tile_contract ---------------------------===//
#include "Interpreter.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::reference;

namespace {

/// Where an operand's element lies for a point of the iteration space.
class Access {
public:
  Access(AffineMap map, ArrayRef<int64_t> shape) : map(map), shape(shape) {
    SmallVector<int64_t> zero(map.getNumDims(), 0);
    linear = llvm::all_of(map.getResults(), [](AffineExpr expr) { return isLinear(expr); });
    if (!linear)
      return;
    SmallVector<int64_t> start = map.compose(zero);
    base = flattenAny(start);
    for (unsigned dim = 0; dim < map.getNumDims(); ++dim) {
      SmallVector<int64_t> unit(zero);
      unit[dim] = 1;
      SmallVector<int64_t> reached = map.compose(unit);
      strides.push_back(flattenAny(reached) - base);
    }
  }

  /// Whether all points of a space lie within the shape. Linear maps reach their extremes in corners.
  LogicalResult check(Operation *op, ArrayRef<int64_t> bounds) const {
    if (!linear || llvm::is_contained(bounds, 0))
      return success();
    for (auto [expr, size] : llvm::zip(map.getResults(), shape)) {
      AffineMap one = AffineMap::get(map.getNumDims(), 0, expr);
      SmallVector<int64_t> zero(map.getNumDims(), 0);
      int64_t low = one.compose(zero)[0], high = low, origin = low;
      for (unsigned dim = 0; dim < bounds.size(); ++dim) {
        SmallVector<int64_t> unit(zero);
        unit[dim] = 1;
        int64_t step = (one.compose(unit)[0] - origin) * (bounds[dim] - 1);
        (step < 0 ? low : high) += step;
      }
      if (low < 0 || high >= size)
        return op->emitError() << "index out of bounds: " << (low < 0 ? low : high) << " of " << size;
      if (isa<AffineDimExpr>(expr) && high + 1 != size)
        return op->emitError() << "expected sizes of operands to agree, but got " << high + 1 << " and " << size;
    }
    return success();
  }

  /// The element's offset, or -1 if there is none (not for checked linear maps).
  int64_t at(ArrayRef<int64_t> point) const {
    if (linear) {
      int64_t offset = base;
      for (auto [stride, i] : llvm::zip(strides, point))
        offset += stride * i;
      return offset;
    }
    SmallVector<int64_t> index = map.compose(point);
    for (auto [i, size] : llvm::zip(index, shape))
      if (i < 0 || i >= size)
        return -1;
    return flattenAny(index);
  }

private:
  static bool isLinear(AffineExpr expr) {
    if (isa<AffineDimExpr, AffineConstantExpr>(expr))
      return true;
    auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
    return binary && (expr.getKind() == AffineExprKind::Add || expr.getKind() == AffineExprKind::Mul) &&
           isLinear(binary.getLHS()) && isLinear(binary.getRHS());
  }
  int64_t flattenAny(ArrayRef<int64_t> index) const { return flatten(shape, index); }

  AffineMap map;
  SmallVector<int64_t> shape, strides;
  int64_t base = 0;
  bool linear = false;
};

} // namespace

static LogicalResult runStructured(Interpreter &interpreter, linalg::LinalgOp op) {
  SmallVector<int64_t> sizes, bounds;
  SmallVector<Tensor> operands;
  SmallVector<Access> accesses;
  for (OpOperand &operand : op->getOpOperands()) {
    const Datum &datum = interpreter.get(operand.get());
    Tensor tensor = datum.tensor ? *datum.tensor : Tensor(operand.get().getType(), {});
    if (!datum.tensor)
      *tensor.mutableData() = datum.scalar;
    llvm::append_range(sizes, tensor.shape());
    accesses.emplace_back(op.getMatchingIndexingMap(&operand), tensor.shape());
    operands.push_back(std::move(tensor));
  }
  AffineMap toLoops = op.getShapesToLoopsMap();
  if (!toLoops)
    return op->emitError("the operands' shapes do not say the extents of the loops");
  bounds = toLoops.compose(sizes);
  for (const Access &access : accesses)
    if (failed(access.check(op, bounds)))
      return failure();
  unsigned inputs = op.getNumDpsInputs();
  SmallVector<Scalar *> outputs;
  SmallVector<const Scalar *> sources;
  for (auto [i, tensor] : llvm::enumerate(operands)) {
    if (i >= inputs) {
      outputs.push_back(tensor.mutableData());
      sources.push_back(outputs.back());
    } else {
      sources.push_back(tensor.data());
    }
  }
  CompiledRegion body(interpreter, *op.getBlock());
  // linalg.map's region, for one, takes the inputs only.
  SmallVector<unsigned> passed;
  for (OpOperand &operand : op->getOpOperands())
    if (op.payloadUsesValueFromOperand(&operand) || op.getBlock()->getNumArguments() == operands.size())
      passed.push_back(operand.getOperandNumber());
  if (passed.size() != op.getBlock()->getNumArguments()) {
    passed.clear();
    for (unsigned i = 0; i < op.getBlock()->getNumArguments(); ++i)
      passed.push_back(i);
  }
  SmallVector<int64_t> offsets(operands.size());
  SmallVector<Scalar> arguments(passed.size()), results;
  if (failed(forEach(bounds, [&](ArrayRef<int64_t> point) -> LogicalResult {
        for (auto [i, access] : llvm::enumerate(accesses))
          if ((offsets[i] = access.at(point)) < 0)
            return op->emitError("index out of bounds");
        for (auto [argument, i] : llvm::zip(arguments, passed))
          argument = sources[i][offsets[i]];
        if (failed(body(arguments, point, results)))
          return failure();
        for (auto [i, value] : llvm::enumerate(results))
          outputs[i][offsets[inputs + i]] = value;
        return success();
      })))
    return failure();
  for (auto [i, result] : llvm::enumerate(op->getResults()))
    interpreter.set(result, operands[inputs + i]);
  return success();
}

/// A factor stored by panels as its map sees it: element (p.., v, r..) is at (p.., v / width, r.., v mod width).
static Tensor unpackPanels(const Tensor &stored, int64_t blocked, int64_t extent) {
  SmallVector<int64_t> shape(stored.shape().drop_back());
  int64_t width = stored.shape().back();
  shape[blocked] = extent;
  Tensor plain(stored.element(), shape);
  Scalar *target = plain.mutableData();
  (void)forEach(shape, [&](ArrayRef<int64_t> point) {
    int64_t place = 0;
    for (auto [dim, index] : llvm::enumerate(point))
      place = place * stored.shape()[dim] + (static_cast<int64_t>(dim) == blocked ? index / width : index);
    *target++ = stored.data()[place * width + point[blocked] % width];
    return success();
  });
  return plain;
}

static LogicalResult runContract(Interpreter &interpreter, TileContractOp op) {
  if (!op.getResult())
    return op->emitError("on memrefs is not in the reference evaluator");
  SmallVector<int64_t> bounds, parallelBounds, reductionBounds;
  for (unsigned dim = 0; dim < op.getNumLoops(); ++dim) {
    auto [value, operandDim] = op.getExtentSource(dim);
    bounds.push_back(interpreter.tensor(value).shape()[operandDim]);
    parallelBounds.push_back(op.isReduction(dim) ? 1 : bounds.back());
    reductionBounds.push_back(op.isReduction(dim) ? bounds.back() : 1);
  }
  SmallVector<AffineMap> maps = op.getMaps();
  SmallVector<Tensor> operands;
  SmallVector<Access> accesses;
  for (auto [operand, map] : llvm::zip(op->getOperands(), maps)) {
    operands.push_back(interpreter.tensor(operand));
    if (op.hasPanels(operands.size() - 1))
      for (auto [position, expr] : llvm::enumerate(map.getResults()))
        if (cast<AffineDimExpr>(expr).getPosition() == op.getVectorDim())
          operands.back() = unpackPanels(operands.back(), position, bounds[op.getVectorDim()]);
    accesses.emplace_back(map, operands.back().shape());
    if (failed(accesses.back().check(op, bounds)))
      return failure();
  }
  Type type = op.getAccumulatorType();
  bool isFloat = isa<FloatType>(type);
  Scalar *out = operands.back().mutableData();
  CompiledRegion epilogue(interpreter, op.getEpilogue().front());
  SmallVector<int64_t> point(bounds.size());
  SmallVector<Scalar> arguments, results;
  std::optional<CompiledRegion> decode;
  if (op.hasDecode())
    decode.emplace(interpreter, op.getDecode().front().front());
  unsigned firstDecoded = op.getFirstDecodeExtra();
  const Scalar *lhs = operands[0].data(), *rhs = operands[1].data();
  if (failed(forEach(parallelBounds, [&](ArrayRef<int64_t> outer) -> LogicalResult {
        Scalar sum = isFloat ? makeFloat(0) : makeInt(0);
        LogicalResult summed = forEach(reductionBounds, [&](ArrayRef<int64_t> inner) -> LogicalResult {
          for (unsigned dim = 0; dim < point.size(); ++dim)
            point[dim] = outer[dim] + inner[dim];
          if (!op.countsPoint(point))
            return success();
          Scalar a = lhs[accesses[0].at(point)], b = rhs[accesses[1].at(point)];
          if (decode) {
            arguments.assign(1, b);
            for (unsigned i = firstDecoded; i + 1 < operands.size(); ++i)
              arguments.push_back(operands[i].data()[accesses[i].at(point)]);
            if (!op.getDecodeIndices().empty())
              for (unsigned dim : op.getReductionDims())
                arguments.push_back(makeInt(point[dim]));
            if (failed((*decode)(arguments, point, results)))
              return failure();
            b = results[0];
          }
          if (isFloat)
            sum.f = roundFloat(type, sum.f + roundFloat(type, a.f * b.f));
          else
            sum.i =
                wrapInt(type, static_cast<uint64_t>(sum.i) + static_cast<uint64_t>(a.i) * static_cast<uint64_t>(b.i));
          return success();
        });
        if (failed(summed))
          return failure();
        arguments.assign(1, sum);
        for (unsigned i = 2; i < firstDecoded; ++i)
          arguments.push_back(operands[i].data()[accesses[i].at(outer)]);
        if (failed(epilogue(arguments, outer, results)))
          return failure();
        out[accesses.back().at(outer)] = results[0];
        return success();
      })))
    return failure();
  interpreter.set(op.getResult(), operands.back());
  return success();
}

std::optional<LogicalResult> Interpreter::runLinalg(Operation *op) {
  if (auto contract = dyn_cast<TileContractOp>(op))
    return runContract(*this, contract);
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    set(index, makeInt(loopPosition[index.getDim()]));
    return success();
  }
  auto structured = dyn_cast<linalg::LinalgOp>(op);
  if (!structured)
    return std::nullopt;
  if (!structured.hasPureTensorSemantics())
    return op->emitError("on memrefs is not in the reference evaluator");
  return runStructured(*this, structured);
}
