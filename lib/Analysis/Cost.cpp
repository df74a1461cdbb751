//===- Cost.cpp - floating-point operations and bytes of a kernel -------------------===//
//
// Counts are polynomials in the dims (and index arguments) of the kernel: static kernels give numbers, dynamic ones
// give IR. The outlining pass keeps the polynomials as attributes, so that the count outlives the kernel's lowering.
//
//===----------------------------------------------------------------------===//
#include "tenon/Analysis/Cost.h"
#include "Polynomial.h"
#include "tenon/Analysis/LinalgKind.h"
#include "tenon/Dialect/IR/Experts.h"
#include "tenon/Dialect/IR/Fft.h"
#include "tenon/Dialect/IR/Winograd.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace tenon;

namespace {

class Counter {
public:
  /// The extent of dim `dim` of `value`, nullopt where it is no polynomial of the arguments' dims.
  std::optional<Polynomial> getDim(Value value, unsigned dim) {
    auto type = dyn_cast<ShapedType>(value.getType());
    if (!type || !type.hasRank())
      return std::nullopt;
    if (!type.isDynamicDim(dim))
      return Polynomial(type.getDimSize(dim));
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      if (isa<func::FuncOp>(argument.getOwner()->getParentOp()))
        return Polynomial::symbol(argument.getArgNumber(), dim);
      if (auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp()))
        return getDim(loop.getTiedLoopInit(argument)->get(), dim);
      return std::nullopt;
    }
    Operation *op = value.getDefiningOp();
    if (auto destination = dyn_cast<DestinationStyleOpInterface>(op))
      return getDim(destination.getTiedOpOperand(cast<OpResult>(value))->get(), dim);
    if (auto empty = dyn_cast<tensor::EmptyOp>(op))
      return getIndex(empty.getMixedSizes()[dim]);
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
      unsigned position = 0;
      llvm::SmallBitVector dropped = slice.getDroppedDims();
      for (auto [source, size] : llvm::enumerate(slice.getMixedSizes()))
        if (!dropped.test(source) && position++ == dim)
          return getIndex(size);
      return std::nullopt;
    }
    if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
      return getDim(insert.getDest(), dim);
    if (auto insert = dyn_cast<tensor::InsertOp>(op))
      return getDim(insert.getDest(), dim);
    if (auto cast = dyn_cast<tensor::CastOp>(op))
      return getDim(cast.getSource(), dim);
    if (auto loop = dyn_cast<scf::ForOp>(op))
      return getDim(loop.getInitArgs()[cast<OpResult>(value).getResultNumber()], dim);
    if (auto pad = dyn_cast<tensor::PadOp>(op)) {
      auto source = getDim(pad.getSource(), dim), low = getIndex(pad.getMixedLowPad()[dim]),
           high = getIndex(pad.getMixedHighPad()[dim]);
      return source && low && high ? std::optional(*source + *low + *high) : std::nullopt;
    }
    if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
      return getIndex(expand.getMixedOutputShape()[dim]);
    if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
      Polynomial product(1);
      ReassociationIndices group = collapse.getReassociationIndices()[dim];
      for (int64_t source : group) {
        std::optional<Polynomial> extent = getDim(collapse.getSrc(), source);
        if (!extent)
          return std::nullopt;
        product = product * *extent;
      }
      return product;
    }
    return std::nullopt;
  }

  std::optional<Polynomial> getElements(Value value) {
    auto type = dyn_cast<ShapedType>(value.getType());
    if (!type || !type.hasRank())
      return Polynomial(1);
    Polynomial product(1);
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      std::optional<Polynomial> extent = getDim(value, dim);
      if (!extent)
        return std::nullopt;
      product = product * *extent;
    }
    return product;
  }

  /// Both products over all pairs, those of full lists where there are lists: what a mask saves is not known here.
  std::optional<Polynomial> getFlops(AttentionOp op) {
    std::optional<Polynomial> rows(Polynomial(1)), total(Polynomial(0)), depth = getDim(op.getQuery(), 3);
    for (unsigned dim = 0; dim < 3; ++dim)
      if (std::optional<Polynomial> extent = getDim(op.getQuery(), dim); rows && extent)
        rows = *rows * *extent;
      else
        rows = std::nullopt;
    for (unsigned number = 0; number < op.getSources().size(); ++number) {
      KVSourceOp source = op.getSource(number);
      std::optional<Polynomial> keys = getDim(source.getKeys(), 2), width = getDim(source.getValues(), 3);
      if (Value pages = source.getPages()) {
        std::optional<Polynomial> count = getDim(pages, cast<ShapedType>(pages.getType()).getRank() - 1);
        keys = keys && count ? std::optional(*keys * *count) : std::nullopt;
      }
      if (Value blocks = source.getBlocks()) {
        keys = getDim(blocks, 3);
        if (keys)
          keys = *keys * Polynomial(source.getBlockKeys());
      }
      if (!rows || !depth || !keys || !width)
        return std::nullopt;
      total = *total + Polynomial(2) * *rows * *keys * (*depth + *width);
    }
    return total;
  }

  std::optional<Polynomial> getFlops(GroupedMatmulOp op) {
    std::optional<Polynomial> entries = getDim(op.getListOperand(), 0), depth = getDim(op.getInput(), 1),
                              columns = getDim(op.getInit(), 1);
    if (!entries || !depth || !columns)
      return std::nullopt;
    return Polynomial(2) * *entries * *depth * *columns;
  }

  /// Multiply-adds of a pass along rows and one along columns, as if no coefficient were 0.
  std::optional<Polynomial> getTransformFlops(Value domain, int64_t tile, int64_t results) {
    int64_t window = tile + 2;
    Polynomial total(2 * window * results * (window + results));
    for (unsigned dim = 2; dim < 5; ++dim) {
      std::optional<Polynomial> extent = getDim(domain, dim);
      if (!extent)
        return std::nullopt;
      total = total * *extent;
    }
    return total;
  }

  /// Three steps per tile and channel; those along rows are of real numbers, which is half the work.
  std::optional<Polynomial> getFlops(FftConvOp op) {
    ArrayRef<int64_t> sizes = op.getSizes(), tile = op.getTile();
    SmallVector<int64_t, 2> tiles = op.getTileCounts();
    int64_t window = std::min(sizes[0], cast<ShapedType>(op.getInput().getType()).getDimSize(2));
    double byRows = (window + tile[0]) * countFftOperations(sizes[1]) / 2;
    double byColumns = (sizes[1] / 2 + 1) * (2 * countFftOperations(sizes[0]) + 6.0 * sizes[0]);
    int64_t channels = cast<ShapedType>(op.getInput().getType()).getDimSize(1);
    Polynomial total(static_cast<int64_t>(byRows + byColumns) * tiles[0] * tiles[1] * channels);
    if (cast<ShapedType>(op.getInit().getType()).getRank() == 3)
      return total;
    std::optional<Polynomial> samples = getDim(op.getInit(), 0);
    return samples ? std::optional<Polynomial>(total * *samples) : std::nullopt;
  }

  std::optional<Polynomial> getFlops(Operation *op) {
    if (auto convolution = dyn_cast<FftConvOp>(op))
      return getFlops(convolution);
    if (auto transform = dyn_cast<WinogradInputOp>(op))
      return getTransformFlops(transform.getInit(), transform.getTile(), transform.getWindow());
    if (auto transform = dyn_cast<WinogradOutputOp>(op))
      return getTransformFlops(transform.getSums(), transform.getTile(), transform.getTile());
    if (auto attention = dyn_cast<AttentionOp>(op))
      return getFlops(attention);
    if (auto matmul = dyn_cast<GroupedMatmulOp>(op)) // as if the list were full
      return getFlops(matmul);
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if (!linalgOp)
      return Polynomial(0);
    int64_t perPoint = 0;
    linalgOp->walk([&](Operation *inner) {
      if (inner->getNumResults() == 1 && isa<FloatType, IntegerType>(inner->getResult(0).getType()) &&
          (isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp, arith::MaximumFOp, arith::MinimumFOp,
               arith::MaxNumFOp, arith::MinNumFOp, arith::NegFOp, arith::AddIOp, arith::SubIOp, arith::MulIOp>(inner) ||
           inner->getName().getDialectNamespace() == "math"))
        ++perPoint;
    });
    Polynomial points(perPoint);
    if (perPoint == 0)
      return points;
    SmallVector<AffineMap> maps = linalgOp.getIndexingMapsArray();
    for (unsigned loop = 0; loop < linalgOp.getNumLoops(); ++loop) {
      std::optional<Polynomial> extent;
      for (auto [operand, map] : llvm::zip(op->getOperands(), maps)) {
        for (auto [dim, expr] : llvm::enumerate(map.getResults()))
          if (expr == getAffineDimExpr(loop, op->getContext()) && (extent = getDim(operand, dim)))
            break;
        if (extent)
          break;
      }
      if (!extent)
        return std::nullopt;
      points = points * *extent;
    }
    return points;
  }

private:
  std::optional<Polynomial> getIndex(OpFoldResult value) {
    if (auto constant = getConstantIntValue(value))
      return Polynomial(*constant);
    Value index = cast<Value>(value);
    if (auto argument = dyn_cast<BlockArgument>(index)) {
      if (isa<func::FuncOp>(argument.getOwner()->getParentOp()))
        return Polynomial::symbol(argument.getArgNumber(), -1);
      return std::nullopt;
    }
    Operation *op = index.getDefiningOp();
    if (auto dim = dyn_cast<tensor::DimOp>(op)) {
      auto position = getConstantIntValue(dim.getDimension());
      return position ? getDim(dim.getSource(), *position) : std::nullopt;
    }
    if (isa<arith::AddIOp, arith::SubIOp, arith::MulIOp>(op)) {
      auto lhs = getIndex(op->getOperand(0)), rhs = getIndex(op->getOperand(1));
      if (!lhs || !rhs)
        return std::nullopt;
      if (isa<arith::MulIOp>(op))
        return *lhs * *rhs;
      return isa<arith::AddIOp>(op) ? *lhs + *rhs : *lhs + Polynomial(-1) * *rhs;
    }
    return std::nullopt;
  }
};

/// Bytes of one element at the kernel's boundary.
int64_t getElementBytes(Type type) {
  if (auto shaped = dyn_cast<ShapedType>(type))
    type = shaped.getElementType();
  if (type.isIndex())
    return 8;
  return type.isIntOrFloat() ? std::max<int64_t>(1, type.getIntOrFloatBitWidth() / 8) : 0;
}

std::optional<Polynomial> countFlops(func::FuncOp kernel) {
  Counter counter;
  std::optional<Polynomial> total = Polynomial(0);
  kernel.walk([&](Operation *op) {
    std::optional<Polynomial> flops = counter.getFlops(op);
    total = total && flops ? std::optional(*total + *flops) : std::nullopt;
  });
  return total;
}

/// Elements of an argument that the kernel touches: those of its slices where it only reads or writes slices of it.
std::optional<Polynomial> countTouched(Counter &counter, Value argument) {
  Polynomial total(0);
  SmallVector<Value> worklist{argument};
  while (!worklist.empty())
    for (OpOperand &use : worklist.pop_back_val().getUses()) {
      Operation *user = use.getOwner();
      if (isa<tensor::DimOp, func::ReturnOp>(user))
        continue;
      std::optional<Polynomial> part;
      if (auto slice = dyn_cast<tensor::ExtractSliceOp>(user)) {
        part = counter.getElements(slice);
      } else if (auto insert = dyn_cast<tensor::InsertSliceOp>(user); insert && use.get() == insert.getDest()) {
        part = counter.getElements(insert.getSource());
        worklist.push_back(insert);
      } else {
        return counter.getElements(argument);
      }
      if (!part)
        return counter.getElements(argument);
      total = total + *part;
    }
  return total;
}

/// Inputs are read once, destinations written once.
std::optional<Polynomial> countBytes(func::FuncOp kernel) {
  Counter counter;
  Polynomial total(0);
  for (BlockArgument argument : kernel.getArguments()) {
    if (!isa<ShapedType>(argument.getType()) || argument.use_empty())
      continue;
    std::optional<Polynomial> elements = countTouched(counter, argument);
    if (!elements)
      return std::nullopt;
    total = total + *elements * Polynomial(getElementBytes(argument.getType()));
  }
  return total;
}

std::optional<Polynomial> getCount(func::FuncOp kernel, StringRef attribute,
                                   std::optional<Polynomial> (*count)(func::FuncOp)) {
  if (auto kept = kernel->getAttrOfType<ArrayAttr>(attribute))
    return Polynomial::fromAttribute(kept);
  if (kernel.isExternal() || kernel->getNumRegions() == 0)
    return std::nullopt;
  return count(kernel);
}

} // namespace

KernelCost tenon::getKernelCost(func::FuncOp kernel) {
  KernelCost cost;
  if (auto flops = getCount(kernel, kFlopsAttr, countFlops))
    cost.flops = flops->getConstant();
  if (auto bytes = getCount(kernel, kBytesAttr, countBytes))
    cost.bytes = bytes->getConstant();
  return cost;
}

void tenon::setCostAttributes(func::FuncOp kernel) {
  if (auto flops = countFlops(kernel))
    kernel->setAttr(kFlopsAttr, flops->toAttribute(kernel.getContext()));
  if (auto bytes = countBytes(kernel))
    kernel->setAttr(kBytesAttr, bytes->toAttribute(kernel.getContext()));
}

std::pair<Value, Value> tenon::buildFlopsBytes(OpBuilder &builder, DispatchOp dispatch, func::FuncOp kernel) {
  auto build = [&](std::optional<Polynomial> count) -> Value {
    if (!count)
      return arith::ConstantIndexOp::create(builder, dispatch.getLoc(), 0);
    return count->build(builder, dispatch.getLoc(), dispatch->getOperands());
  };
  return {build(getCount(kernel, kFlopsAttr, countFlops)), build(getCount(kernel, kBytesAttr, countBytes))};
}
