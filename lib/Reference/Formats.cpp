//===- Formats.cpp - what tenon.dequantize, tenon.quantize and tenon.look_up compute -----------===//
//
// Code by code, as the description of #tenon.format has it.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Formats.h"
#include "Interpreter.h"

#include "llvm/ADT/APFloat.h"

#include <cmath>

using namespace mlir;
using namespace tenon;
using namespace tenon::reference;

namespace {

double roundSingle(double value) { return static_cast<float>(value); }

/// The number that the low bits of `bits` are in `type`.
double decode(Type type, uint64_t bits) {
  unsigned width = type.getIntOrFloatBitWidth();
  bits &= llvm::maskTrailingOnes<uint64_t>(width);
  if (auto floatType = dyn_cast<FloatType>(type)) {
    llvm::APFloat number(floatType.getFloatSemantics(), llvm::APInt(width, bits));
    bool inexact;
    number.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &inexact);
    return number.convertToDouble();
  }
  return type.isSignedInteger() ? static_cast<double>(llvm::SignExtend64(bits, width)) : static_cast<double>(bits);
}

/// A row of codes, or of records, and the parts of its groups.
class Row {
public:
  Row(FormatAttr format, const Tensor &codes, ArrayRef<int64_t> place, int64_t axis)
      : format(format), codes(codes), place(place), axis(axis) {}

  /// The number that the code of element `k` stands for, before offset and scale.
  double getCode(int64_t k) {
    if (!format.hasRecords()) {
      Scalar stored = at(codes, k);
      return format.isInteger() ? decode(format.getElement(), stored.i) : stored.f;
    }
    int64_t element = k % format.getBlock(), shift = 0;
    uint64_t bits = 0;
    for (size_t i = 0; i < format.getPlanes().size(); i += 3) {
      int64_t count = format.getPlanes()[i + 1], run = format.getPlanes()[i + 2], perByte = 8 / count;
      int64_t byte = format.getPlanes()[i] + element / (run * perByte) * run + element % run;
      uint64_t field = getByte(k, byte) >> (element / run % perByte * count) & ((1 << count) - 1);
      bits |= field << shift;
      shift += count;
    }
    return decode(format.getElement(), bits);
  }

  /// The part of element `k`'s group, from its operand or from the record.
  double getPart(const Tensor *operand, Type type, int64_t group, int64_t placeInRecord, int64_t k) {
    if (operand) {
      int64_t number = group == 0 ? 0 : k / group;
      SmallVector<int64_t> index;
      for (auto [dim, size] : llvm::enumerate(operand->shape()))
        index.push_back(size == 1 ? 0 : static_cast<int64_t>(dim) == axis ? number : place[dim]);
      Scalar stored = operand->data()[flatten(operand->shape(), index)];
      return isa<IntegerType>(type) ? decode(type, stored.i) : stored.f;
    }
    int64_t size = llvm::divideCeil(type.getIntOrFloatBitWidth(), 8), first = k % format.getBlock() / group * size;
    uint64_t bits = 0;
    for (int64_t i = 0; i < size; ++i)
      bits |= getByte(k, placeInRecord + first + i) << (8 * i);
    return decode(type, bits);
  }

private:
  Scalar at(const Tensor &tensor, int64_t k) {
    SmallVector<int64_t> index(place);
    index[axis] = k;
    return tensor.data()[flatten(tensor.shape(), index)];
  }
  /// Byte `byte` of the record that holds element `k`.
  uint64_t getByte(int64_t k, int64_t byte) {
    return static_cast<uint8_t>(at(codes, k / format.getBlock() * format.getBytes() + byte).i);
  }

  FormatAttr format;
  const Tensor &codes;
  ArrayRef<int64_t> place;
  int64_t axis;
};

/// The tensors of an op's parts.
struct Parts {
  std::optional<Tensor> scales, zeros, minimums, supers;

  template <typename OpTy> static Parts get(Interpreter &interpreter, OpTy op) {
    Parts parts;
    for (auto [value, part] : {std::pair(op.getScales(), &parts.scales), std::pair(op.getZeros(), &parts.zeros),
                               std::pair(op.getMinimums(), &parts.minimums), std::pair(op.getSupers(), &parts.supers)})
      if (value)
        *part = interpreter.tensor(value);
    return parts;
  }

  /// Dynamic sizes may not agree with those of the values.
  LogicalResult check(Operation *op, FormatAttr format, ArrayRef<int64_t> shape, int64_t axis) const {
    for (auto [part, group] : {std::pair(&scales, format.getGroup()), std::pair(&zeros, format.getGroup()),
                               std::pair(&minimums, format.getGroup()), std::pair(&supers, format.getSuperGroup())})
      for (int64_t dim = 0; *part && dim < static_cast<int64_t>(shape.size()); ++dim) {
        int64_t size = (*part)->shape()[dim];
        int64_t wanted = dim == axis ? FormatAttr::countGroups(shape[dim], group) : shape[dim];
        if (size != wanted && (dim == axis || size != 1))
          return op->emitError() << "expected a part of the groups to have size " << wanted << " along dim " << dim
                                 << ", but got " << size;
      }
    return success();
  }
};

/// scale * super_scale, 1 where there is none.
std::optional<double> getScale(FormatAttr format, Row &row, const Parts &parts, int64_t k) {
  if (!format.getScale())
    return std::nullopt;
  auto pointer = [](const std::optional<Tensor> &part) { return part ? &*part : nullptr; };
  double scale = row.getPart(pointer(parts.scales), format.getScale(), format.getGroup(), format.getScaleAt(), k);
  if (format.getSuperScale())
    scale = roundSingle(scale * row.getPart(pointer(parts.supers), format.getSuperScale(), format.getSuperGroup(),
                                            format.getSuperAt(), k));
  return scale;
}

std::optional<double> getMinimum(FormatAttr format, Row &row, const Parts &parts, int64_t k) {
  if (!format.getMinimum())
    return std::nullopt;
  return row.getPart(parts.minimums ? &*parts.minimums : nullptr, format.getMinimum(), format.getGroup(),
                     format.getMinimumAt(), k);
}

double getZero(FormatAttr format, Row &row, const Parts &parts, int64_t k) {
  double zero = format.getOffset();
  if (parts.zeros)
    zero += row.getPart(&*parts.zeros, format.getZero(), format.getGroup(), -1, k);
  return zero;
}

/// The code nearest to `t`.
Scalar encode(FormatAttr format, double t, double zero) {
  Type element = format.getElement();
  if (DenseF32ArrayAttr codebook = format.getCodebook()) {
    int64_t best = 0;
    for (auto [code, value] : llvm::enumerate(codebook.asArrayRef()))
      if (std::abs(value - t) < std::abs(codebook[best] - t))
        best = code;
    return makeInt(best);
  }
  if (auto floatType = dyn_cast<FloatType>(element)) {
    llvm::APFloat most = llvm::APFloat::getLargest(floatType.getFloatSemantics());
    bool inexact;
    most.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &inexact);
    double limit = most.convertToDouble();
    return makeFloat(roundFloat(element, std::isnan(t) ? t : std::clamp(t, -limit, limit)));
  }
  if (std::isnan(t))
    return makeInt(0);
  int64_t bits = format.getBits();
  double low = format.isSigned() ? -std::ldexp(1.0, bits - 1) : 0;
  double high = std::ldexp(1.0, format.isSigned() ? bits - 1 : bits) - 1;
  return makeInt(static_cast<int64_t>(std::clamp(roundSingle(std::nearbyint(t) + zero), low, high)));
}

} // namespace

static LogicalResult dequantize(Interpreter &interpreter, DequantizeOp op) {
  FormatAttr format = op.getFormat();
  const Tensor codes = interpreter.tensor(op.getCodes());
  Parts parts = Parts::get(interpreter, op);
  auto type = cast<RankedTensorType>(op.getType());
  int64_t axis = op.getAxis();
  SmallVector<int64_t> shape(codes.shape());
  if (format.hasRecords())
    shape.back() = type.getShape().back();
  std::optional<Tensor> result = interpreter.makeTensor(op, type.getElementType(), shape);
  if (!result || failed(parts.check(op, format, shape, axis)))
    return failure();
  Scalar *out = result->mutableData();
  (void)forEach(shape, [&](ArrayRef<int64_t> place) {
    Row row(format, codes, place, axis);
    int64_t k = place[axis];
    double value = row.getCode(k);
    if (format.getCodebook())
      value = format.getCodebook()[static_cast<size_t>(value)];
    else if (format.isInteger())
      value -= getZero(format, row, parts, k);
    if (auto scale = getScale(format, row, parts, k))
      value = roundSingle(*scale * value);
    if (auto minimum = getMinimum(format, row, parts, k))
      value = roundSingle(value + *minimum);
    *out++ = makeFloat(roundFloat(type.getElementType(), value));
    return success();
  });
  interpreter.set(op.getResult(), *result);
  return success();
}

static LogicalResult quantize(Interpreter &interpreter, QuantizeOp op) {
  FormatAttr format = op.getFormat();
  const Tensor input = interpreter.tensor(op.getInput());
  Parts parts = Parts::get(interpreter, op);
  Type element = cast<RankedTensorType>(op.getType()).getElementType();
  int64_t axis = op.getAxis();
  std::optional<Tensor> result = interpreter.makeTensor(op, element, input.shape());
  if (!result || failed(parts.check(op, format, input.shape(), axis)))
    return failure();
  const Scalar *from = input.data();
  Scalar *out = result->mutableData();
  (void)forEach(input.shape(), [&](ArrayRef<int64_t> place) {
    Row row(format, input, place, axis);
    int64_t k = place[axis];
    double t = (from++)->f;
    if (auto minimum = getMinimum(format, row, parts, k))
      t = roundSingle(t - *minimum);
    if (auto scale = getScale(format, row, parts, k))
      t = roundSingle(t / *scale);
    Scalar code = encode(format, t, getZero(format, row, parts, k));
    *out++ = isa<IntegerType>(element) ? makeInt(wrapInt(element, code.i)) : code;
    return success();
  });
  interpreter.set(op.getResult(), *result);
  return success();
}

SmallVector<ScalarFn> tenon::reference::getFormatFns(Operation *op) {
  auto lookUp = dyn_cast<LookUpOp>(op);
  if (!lookUp)
    return {};
  SmallVector<float> values(lookUp.getValues());
  return {[values](const Scalar *x, const char *&) { return makeFloat(values[x[0].i & (values.size() - 1)]); }};
}

Interpreter::Handled Interpreter::runFormats(Operation *op) {
  if (auto dequantizeOp = dyn_cast<DequantizeOp>(op))
    return dequantize(*this, dequantizeOp);
  if (auto quantizeOp = dyn_cast<QuantizeOp>(op))
    return quantize(*this, quantizeOp);
  return std::nullopt;
}
