//===- Movement.cpp - the tensor dialect ---------------------------------------------------------===//
#include "Interpreter.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tenon::reference;

int64_t tenon::reference::flatten(ArrayRef<int64_t> shape, ArrayRef<int64_t> index) {
  int64_t flat = 0;
  for (auto [size, i] : llvm::zip(shape, index))
    flat = flat * size + i;
  return flat;
}

LogicalResult tenon::reference::forEach(ArrayRef<int64_t> shape,
                                        llvm::function_ref<LogicalResult(ArrayRef<int64_t>)> visit) {
  if (llvm::is_contained(shape, 0))
    return success();
  SmallVector<int64_t> index(shape.size(), 0);
  while (true) {
    if (failed(visit(index)))
      return failure();
    int64_t dim = shape.size();
    while (dim > 0 && ++index[dim - 1] == shape[dim - 1])
      index[--dim] = 0;
    if (dim == 0)
      return success();
  }
}

std::optional<Tensor> Interpreter::makeTensor(Operation *op, Type element, ArrayRef<int64_t> shape) {
  if (!isSupportedElement(element)) {
    op->emitError() << "element type " << element << " is not in the reference evaluator";
    return std::nullopt;
  }
  if (!countElements(shape)) {
    InFlightDiagnostic error = op->emitError() << "impossible tensor size: ";
    llvm::interleave(shape, [&](int64_t size) { error << size; }, [&] { error << "x"; });
    return std::nullopt;
  }
  return Tensor(element, shape);
}

/// The places of a slice's elements; fails where the slice leaves the tensor.
static LogicalResult forEachInSlice(Operation *op, ArrayRef<int64_t> shape, ArrayRef<int64_t> offsets,
                                    ArrayRef<int64_t> sizes, ArrayRef<int64_t> strides,
                                    llvm::function_ref<void(int64_t)> visit) {
  for (auto [size, offset, count, stride] : llvm::zip(shape, offsets, sizes, strides)) {
    int64_t reach, last;
    bool overflow =
        llvm::MulOverflow(std::max<int64_t>(count - 1, 0), stride, reach) || llvm::AddOverflow(offset, reach, last);
    if (overflow || count < 0 || offset < 0 || offset > size || (count && (last < 0 || last >= size || offset >= size)))
      return op->emitError() << "slice out of bounds: offset " << offset << ", size " << count << ", stride " << stride
                             << " of " << size;
  }
  return forEach(sizes, [&](ArrayRef<int64_t> index) {
    int64_t flat = 0;
    for (auto [size, offset, i, stride] : llvm::zip(shape, offsets, index, strides))
      flat = flat * size + offset + i * stride;
    visit(flat);
    return success();
  });
}

/// The element at indices given by values; fails out of bounds.
static FailureOr<int64_t> place(Interpreter &in, Operation *op, ArrayRef<int64_t> shape, ValueRange indices) {
  SmallVector<int64_t> index = in.integers(indices);
  for (auto [i, size] : llvm::zip(index, shape))
    if (i < 0 || i >= size)
      return op->emitError() << "index out of bounds: " << i << " of " << size;
  return flatten(shape, index);
}

/// A reshape: as many elements under the given sizes, which agree with the result type.
static LogicalResult reshapeTo(Interpreter &in, Operation *op, Value source, ArrayRef<int64_t> shape) {
  Tensor tensor = in.tensor(source);
  std::optional<int64_t> count = countElements(shape);
  if (!count || *count != tensor.count())
    return op->emitError() << "a reshape keeps the number of elements, but got " << tensor.count() << " and "
                           << count.value_or(-1);
  for (auto [size, expected] : llvm::zip(shape, cast<RankedTensorType>(op->getResult(0).getType()).getShape()))
    if (!ShapedType::isDynamic(expected) && size != expected)
      return op->emitError() << "expected size " << expected << ", but got " << size;
  in.set(op->getResult(0), tensor.reshaped(shape));
  return success();
}

/// A tensor whose elements a region computes from their index.
static LogicalResult generate(Interpreter &in, Operation *op, Block &body, Tensor &result, ArrayRef<int64_t> low,
                              ArrayRef<int64_t> hole) {
  CompiledRegion region(in, body);
  Scalar *out = result.mutableData();
  SmallVector<Scalar> results, arguments;
  SmallVector<int64_t> shape(result.shape());
  return forEach(shape, [&](ArrayRef<int64_t> index) {
    bool inside = !hole.empty() || !low.empty();
    for (auto [i, l, size] : llvm::zip(index, low, hole))
      inside &= i >= l && i < l + size;
    if (inside && !low.empty())
      return success();
    arguments.clear();
    for (int64_t i : index)
      arguments.push_back(makeInt(i));
    if (failed(region(arguments, index, results)))
      return failure();
    out[flatten(shape, index)] = results[0];
    return success();
  });
}

static LogicalResult pad(Interpreter &in, tensor::PadOp op) {
  Tensor source = in.tensor(op.getSource());
  SmallVector<int64_t> low = in.mixed(op.getMixedLowPad()), high = in.mixed(op.getMixedHighPad()), shape;
  for (auto [l, size, h] : llvm::zip(low, source.shape(), high)) {
    if (l < 0 || h < 0)
      return op.emitError() << "negative padding: " << std::min(l, h);
    shape.push_back(l + size + h);
  }
  std::optional<Tensor> result = in.makeTensor(op, source.element(), shape);
  if (!result)
    return failure();
  if (source.rank() && failed(generate(in, op, op.getRegion().front(), *result, low, source.shape())))
    return failure();
  Scalar *out = result->mutableData();
  const Scalar *from = source.data();
  SmallVector<int64_t> ones(low.size(), 1);
  if (failed(forEachInSlice(op, shape, low, source.shape(), ones, [&](int64_t flat) { out[flat] = *from++; })))
    return failure();
  in.set(op, *result);
  return success();
}

static LogicalResult concat(Interpreter &in, tensor::ConcatOp op) {
  int64_t dim = op.getDim();
  SmallVector<int64_t> shape(in.tensor(op.getInputs()[0]).shape());
  shape[dim] = 0;
  for (Value input : op.getInputs())
    shape[dim] += in.tensor(input).shape()[dim];
  std::optional<Tensor> result = in.makeTensor(op, getElementTypeOrSelf(op.getType()), shape);
  if (!result)
    return failure();
  Scalar *out = result->mutableData();
  SmallVector<int64_t> offsets(shape.size(), 0), ones(shape.size(), 1);
  for (Value input : op.getInputs()) {
    Tensor piece = in.tensor(input);
    for (int64_t i = 0; i < piece.rank(); ++i)
      if (i != dim && piece.shape()[i] != shape[i])
        return op.emitError() << "expected sizes of inputs to agree, but got " << shape[i] << " and "
                              << piece.shape()[i];
    const Scalar *from = piece.data();
    if (failed(forEachInSlice(op, shape, offsets, piece.shape(), ones, [&](int64_t flat) { out[flat] = *from++; })))
      return failure();
    offsets[dim] += piece.shape()[dim];
  }
  in.set(op, *result);
  return success();
}

static LogicalResult extractSlice(Interpreter &in, tensor::ExtractSliceOp op) {
  Tensor source = in.tensor(op.getSource());
  SmallVector<int64_t> sizes = in.mixed(op.getMixedSizes()), shape;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [i, size] : llvm::enumerate(sizes))
    if (!dropped[i])
      shape.push_back(size);
  std::optional<Tensor> result = in.makeTensor(op, source.element(), shape);
  if (!result)
    return failure();
  Scalar *out = result->mutableData();
  const Scalar *from = source.data();
  if (failed(forEachInSlice(op, source.shape(), in.mixed(op.getMixedOffsets()), sizes, in.mixed(op.getMixedStrides()),
                            [&](int64_t flat) { *out++ = from[flat]; })))
    return failure();
  in.set(op, *result);
  return success();
}

static LogicalResult insertSlice(Interpreter &in, Operation *op, Value sourceValue, Value destValue,
                                 OffsetSizeAndStrideOpInterface slice) {
  Tensor source = in.tensor(sourceValue), dest = in.tensor(destValue);
  SmallVector<int64_t> sizes = in.mixed(slice.getMixedSizes()), shape(dest.shape());
  std::optional<int64_t> count = countElements(sizes);
  if (!count || *count != source.count())
    return op->emitError() << "expected the slice to have as many elements as the source, but got "
                           << count.value_or(-1) << " and " << source.count();
  Scalar *out = dest.mutableData();
  const Scalar *from = source.data();
  if (failed(forEachInSlice(op, shape, in.mixed(slice.getMixedOffsets()), sizes, in.mixed(slice.getMixedStrides()),
                            [&](int64_t flat) { out[flat] = *from++; })))
    return failure();
  in.set(op->getResult(0), dest);
  return success();
}

std::optional<LogicalResult> Interpreter::runTensor(Operation *op) {
  auto type = op->getNumResults() ? dyn_cast<RankedTensorType>(op->getResult(0).getType()) : RankedTensorType();
  // The result's sizes, with values for the dynamic ones.
  auto sizesFrom = [&](ValueRange dynamic) {
    SmallVector<int64_t> shape(type.getShape()), given = integers(dynamic);
    unsigned next = 0;
    for (int64_t &size : shape)
      if (ShapedType::isDynamic(size))
        size = given[next++];
    return shape;
  };
  using Result = std::optional<LogicalResult>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case<tensor::EmptyOp, bufferization::AllocTensorOp>([&](auto) -> Result {
        std::optional<Tensor> result = makeTensor(op, type.getElementType(), sizesFrom(op->getOperands()));
        if (!result)
          return failure();
        set(op->getResult(0), *result);
        return success();
      })
      .Case<tensor::SplatOp>([&](tensor::SplatOp splat) -> Result {
        std::optional<Tensor> result = makeTensor(op, type.getElementType(), sizesFrom(splat.getDynamicSizes()));
        if (!result)
          return failure();
        std::fill_n(result->mutableData(), result->count(), get(splat.getInput()).scalar);
        set(splat, *result);
        return success();
      })
      .Case<tensor::FromElementsOp>([&](tensor::FromElementsOp from) -> Result {
        Tensor result(type.getElementType(), type.getShape());
        for (auto [i, value] : llvm::enumerate(from.getElements()))
          result.mutableData()[i] = get(value).scalar;
        set(from, result);
        return success();
      })
      .Case<tensor::GenerateOp>([&](tensor::GenerateOp generated) -> Result {
        std::optional<Tensor> result = makeTensor(op, type.getElementType(), sizesFrom(generated.getDynamicExtents()));
        if (!result || failed(generate(*this, op, generated.getBody().front(), *result, {}, {})))
          return failure();
        set(generated, *result);
        return success();
      })
      .Case<tensor::ExtractOp>([&](tensor::ExtractOp extract) -> Result {
        FailureOr<int64_t> at = place(*this, op, tensor(extract.getTensor()).shape(), extract.getIndices());
        if (failed(at))
          return failure();
        set(extract, tensor(extract.getTensor()).data()[*at]);
        return success();
      })
      .Case<tensor::InsertOp>([&](tensor::InsertOp insert) -> Result {
        Tensor dest = tensor(insert.getDest());
        FailureOr<int64_t> at = place(*this, op, dest.shape(), insert.getIndices());
        if (failed(at))
          return failure();
        dest.mutableData()[*at] = get(insert.getScalar()).scalar;
        set(insert, dest);
        return success();
      })
      .Case<tensor::DimOp>([&](tensor::DimOp dim) -> Result {
        const Tensor &source = tensor(dim.getSource());
        int64_t index = integer(dim.getIndex());
        if (index < 0 || index >= source.rank())
          return op->emitError() << "dimension out of bounds: " << index << " of " << source.rank();
        set(dim, makeInt(source.shape()[index]));
        return success();
      })
      .Case<tensor::RankOp>([&](tensor::RankOp rank) -> Result {
        set(rank, makeInt(tensor(rank.getTensor()).rank()));
        return success();
      })
      .Case<tensor::CastOp>([&](tensor::CastOp cast) -> Result {
        if (!type)
          return op->emitError("unranked tensors are not in the reference evaluator");
        return reshapeTo(*this, op, cast.getSource(), SmallVector<int64_t>(tensor(cast.getSource()).shape()));
      })
      .Case<tensor::ReshapeOp>([&](tensor::ReshapeOp reshape) -> Result {
        SmallVector<int64_t> shape;
        const Tensor &wanted = tensor(reshape.getShape());
        for (int64_t i = 0; i < wanted.count(); ++i)
          shape.push_back(wanted.data()[i].i);
        return reshapeTo(*this, op, reshape.getSource(), shape);
      })
      .Case<tensor::ExpandShapeOp>([&](tensor::ExpandShapeOp expand) -> Result {
        return reshapeTo(*this, op, expand.getSrc(), mixed(expand.getMixedOutputShape()));
      })
      .Case<tensor::CollapseShapeOp>([&](tensor::CollapseShapeOp collapse) -> Result {
        SmallVector<int64_t> shape;
        for (ReassociationIndices group : collapse.getReassociationIndices()) {
          shape.push_back(1);
          for (int64_t dim : group)
            shape.back() *= tensor(collapse.getSrc()).shape()[dim];
        }
        return reshapeTo(*this, op, collapse.getSrc(), shape);
      })
      .Case<tensor::PadOp>([&](tensor::PadOp padOp) -> Result { return pad(*this, padOp); })
      .Case<tensor::ConcatOp>([&](tensor::ConcatOp concatOp) -> Result { return concat(*this, concatOp); })
      .Case<tensor::ExtractSliceOp>([&](tensor::ExtractSliceOp slice) -> Result { return extractSlice(*this, slice); })
      .Case<tensor::InsertSliceOp>([&](tensor::InsertSliceOp insert) -> Result {
        return insertSlice(*this, op, insert.getSource(), insert.getDest(), insert);
      })
      .Default([](Operation *) -> Result { return std::nullopt; });
}
