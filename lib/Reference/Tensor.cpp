//===- Tensor.cpp - the values that the reference evaluator computes with ----------------===//
#include "tenon/Reference/Tensor.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/APInt.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace tenon::reference;
using llvm::APFloat;

double tenon::reference::roundFloat(Type type, double value) {
  if (type.isF64())
    return value;
  if (type.isF32())
    return static_cast<float>(value);
  const llvm::fltSemantics &semantics = cast<FloatType>(type).getFloatSemantics();
  if (std::isnan(value) && !APFloat::semanticsHasNaN(semantics))
    return 0; // as a float becomes an integer
  APFloat number(value);
  bool inexact;
  number.convert(semantics, APFloat::rmNearestTiesToEven, &inexact);
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &inexact);
  return number.convertToDouble();
}

static unsigned widthOf(Type type) { return type.isIndex() ? 64 : type.getIntOrFloatBitWidth(); }

int64_t tenon::reference::wrapInt(Type type, int64_t value) { return llvm::SignExtend64(value, widthOf(type)); }

uint64_t tenon::reference::asUnsigned(Type type, int64_t value) {
  return static_cast<uint64_t>(value) & llvm::maskTrailingOnes<uint64_t>(widthOf(type));
}

bool tenon::reference::isSupportedElement(Type type) {
  return type.isIndex() || (type.isIntOrFloat() && widthOf(type) >= 1 && widthOf(type) <= 64);
}

std::optional<int64_t> tenon::reference::countElements(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    if (size < 0)
      return std::nullopt;
  if (llvm::is_contained(shape, 0))
    return 0;
  for (int64_t size : shape) {
    if (llvm::MulOverflow(count, size, count) || count > (int64_t(1) << 31))
      return std::nullopt;
  }
  return count;
}

Tensor::Tensor(Type element, ArrayRef<int64_t> shape)
    : elementType(element), sizes(shape),
      values(std::make_shared<std::vector<Scalar>>(countElements(shape).value_or(0), makeInt(0))) {}

Scalar *Tensor::mutableData() {
  if (values.use_count() > 1)
    values = std::make_shared<std::vector<Scalar>>(*values);
  return values->data();
}

Tensor Tensor::reshaped(ArrayRef<int64_t> shape) const {
  Tensor result(*this);
  result.sizes.assign(shape.begin(), shape.end());
  return result;
}

static uint64_t toBits(Type type, Scalar value) {
  if (auto floatType = dyn_cast<FloatType>(type)) {
    APFloat number(value.f);
    bool inexact;
    number.convert(floatType.getFloatSemantics(), APFloat::rmNearestTiesToEven, &inexact);
    return number.bitcastToAPInt().getZExtValue();
  }
  return type.isInteger(1) ? value.i & 1 : asUnsigned(type, value.i);
}

static Scalar fromBits(Type type, uint64_t bits) {
  if (auto floatType = dyn_cast<FloatType>(type)) {
    APFloat number(floatType.getFloatSemantics(), llvm::APInt(floatType.getWidth(), bits, false, true));
    bool inexact;
    number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &inexact);
    return makeFloat(number.convertToDouble());
  }
  if (type.isInteger(1))
    return makeInt(bits ? -1 : 0);
  return makeInt(wrapInt(type, bits));
}

std::vector<char> Tensor::toBytes(bool packed) const {
  unsigned width = std::max(packed && !elementType.isInteger(1) ? 1u : 8u, widthOf(elementType));
  unsigned perByte = width < 8 ? 8 / width : 1, bytes = llvm::divideCeil(width, 8);
  std::vector<char> result(perByte > 1 ? llvm::divideCeil(count(), perByte) : count() * bytes, 0);
  for (int64_t i = 0; i < count(); ++i) {
    uint64_t bits = toBits(elementType, data()[i]);
    if (perByte > 1)
      result[i / perByte] |= bits << (i % perByte * width);
    else
      std::memcpy(&result[i * bytes], &bits, bytes);
  }
  return result;
}

Tensor Tensor::fromBytes(Type element, ArrayRef<int64_t> shape, ArrayRef<char> source, bool packed) {
  Tensor result(element, shape);
  Scalar *values = result.mutableData();
  unsigned width = std::max(packed && !element.isInteger(1) ? 1u : 8u, widthOf(element));
  unsigned perByte = width < 8 ? 8 / width : 1, bytes = llvm::divideCeil(width, 8);
  for (int64_t i = 0, e = result.count(); i < e; ++i) {
    uint64_t bits = 0;
    if (perByte > 1)
      bits = static_cast<unsigned char>(source[i / perByte]) >> (i % perByte * width) & ((1u << width) - 1);
    else
      std::memcpy(&bits, &source[i * bytes], bytes);
    values[i] = fromBits(element, bits);
  }
  return result;
}
