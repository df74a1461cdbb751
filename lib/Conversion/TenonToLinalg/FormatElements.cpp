//===- FormatElements.cpp - codes and parts of groups as scalar arithmetic -------------------===//
//
// The formulas of #tenon.format, element by element. How elements are walked is in Formats.cpp.
//
//===----------------------------------------------------------------------===//
#include "FormatElements.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace tenon;
using namespace tenon::tolinalg;

FormatSource::FormatSource(DequantizeOp op)
    : format(op.getFormat()), main(op.getCodes()), scales(op.getScales()), zeros(op.getZeros()),
      minimums(op.getMinimums()), supers(op.getSupers()), axis(op.getAxis()) {}

FormatSource::FormatSource(QuantizeOp op)
    : format(op.getFormat()), main(op.getInput()), scales(op.getScales()), zeros(op.getZeros()),
      minimums(op.getMinimums()), supers(op.getSupers()), axis(op.getAxis()) {}

Value FormatElements::integer(int64_t value, unsigned width) {
  return arith::ConstantIntOp::create(b, loc, b.getIntegerType(width), value);
}
Value FormatElements::number(double value) {
  return arith::ConstantFloatOp::create(b, loc, b.getF32Type(), APFloat(static_cast<float>(value)));
}
Value FormatElements::index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }

/// Mantissa bits and bias of a float type without infinities and NaN.
static std::optional<std::pair<int64_t, int64_t>> getFinite(Type type) {
  if (isa<Float4E2M1FNType>(type))
    return std::pair(1, 1);
  if (isa<Float6E2M3FNType>(type))
    return std::pair(3, 1);
  if (isa<Float6E3M2FNType>(type))
    return std::pair(2, 3);
  return std::nullopt;
}

Value FormatElements::toFloat(Type type, Value bits) {
  Type f32 = b.getF32Type(), i32 = b.getI32Type();
  auto asFloat = [&](Value value) -> Value { return arith::BitcastOp::create(b, loc, f32, value); };
  int64_t width = type.getIntOrFloatBitWidth();
  if (isa<IntegerType>(type)) {
    if (type.isSignedInteger() && width < 32) {
      bits = arith::ShLIOp::create(b, loc, bits, integer(32 - width));
      bits = arith::ShRSIOp::create(b, loc, bits, integer(32 - width));
    }
    return arith::SIToFPOp::create(b, loc, f32, bits);
  }
  if (type.isF32())
    return asFloat(bits);
  if (isa<Float8E8M0FNUType>(type)) {
    Value power = arith::ShLIOp::create(b, loc, bits, integer(23));
    auto isCode = [&](int64_t code) -> Value {
      return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, bits, integer(code));
    };
    power = arith::SelectOp::create(b, loc, isCode(0), integer(1 << 22), power);
    return asFloat(arith::SelectOp::create(b, loc, isCode(255), integer(0x7fc00000), power));
  }
  if (auto finite = getFinite(type)) {
    auto [mantissa, bias] = *finite;
    Value magnitude = arith::AndIOp::create(b, loc, bits, integer((1 << (width - 1)) - 1));
    Value sign = arith::ShLIOp::create(b, loc, arith::ShRUIOp::create(b, loc, bits, integer(width - 1)), integer(31));
    // A small number with the same mantissa; the product is exact, for subnormal codes too.
    Value small = asFloat(arith::ShLIOp::create(b, loc, magnitude, integer(23 - mantissa)));
    Value scaled = arith::MulFOp::create(b, loc, small, number(std::ldexp(1.0, 127 - bias)));
    return asFloat(arith::OrIOp::create(b, loc, arith::BitcastOp::create(b, loc, i32, scaled), sign));
  }
  Value narrow = arith::TruncIOp::create(b, loc, b.getIntegerType(width), bits);
  Value small = arith::BitcastOp::create(b, loc, type, narrow);
  return arith::ExtFOp::create(b, loc, f32, small);
}

/// The low `bits` bits of an integer or float, as an i32.
static Value getLowBits(OpBuilder &b, Location loc, Value stored, unsigned bits) {
  unsigned width = stored.getType().getIntOrFloatBitWidth();
  if (isa<FloatType>(stored.getType()))
    stored = arith::BitcastOp::create(b, loc, b.getIntegerType(width), stored);
  if (width < 32)
    stored = arith::ExtUIOp::create(b, loc, b.getI32Type(), stored);
  if (width > bits)
    stored = arith::AndIOp::create(
        b, loc, stored, arith::ConstantIntOp::create(b, loc, b.getI32Type(), (int64_t(1) << bits) - 1).getResult());
  return stored;
}

Value FormatElements::toPart(Type type, Value stored) {
  if (stored.getType().isF32())
    return stored;
  if (isa<Float16Type, BFloat16Type>(stored.getType()))
    return arith::ExtFOp::create(b, loc, b.getF32Type(), stored);
  return toFloat(type, getLowBits(b, loc, stored, type.getIntOrFloatBitWidth()));
}

Value FormatElements::toBits(FormatAttr format, Value stored) { return getLowBits(b, loc, stored, format.getBits()); }

/// Byte `byte` of the record of the element at `place`, as an i32.
Value FormatElements::readByte(const FormatSource &source, ValueRange place, Value byte) {
  SmallVector<Value> at(place);
  Value record = arith::DivUIOp::create(b, loc, place[source.axis], index(source.format.getBlock()));
  Value first = arith::MulIOp::create(b, loc, record, index(source.format.getBytes()));
  at[source.axis] = arith::AddIOp::create(b, loc, first, byte);
  return arith::ExtUIOp::create(b, loc, b.getI32Type(), tensor::ExtractOp::create(b, loc, source.main, at).getResult());
}

Value FormatElements::readCode(const FormatSource &source, ValueRange place) {
  FormatAttr format = source.format;
  if (!format.hasRecords())
    return toBits(format, tensor::ExtractOp::create(b, loc, source.main, place));
  auto div = [&](Value x, int64_t y) -> Value { return arith::DivUIOp::create(b, loc, x, index(y)); };
  auto rem = [&](Value x, int64_t y) -> Value { return arith::RemUIOp::create(b, loc, x, index(y)); };
  Value element = rem(place[source.axis], format.getBlock()), code;
  int64_t below = 0;
  for (size_t i = 0; i < format.getPlanes().size(); i += 3) {
    int64_t at = format.getPlanes()[i], count = format.getPlanes()[i + 1], run = format.getPlanes()[i + 2];
    int64_t perByte = 8 / count;
    Value byte = arith::MulIOp::create(b, loc, div(element, run * perByte), index(run));
    byte = arith::AddIOp::create(b, loc, byte, rem(element, run));
    byte = arith::AddIOp::create(b, loc, byte, index(at));
    Value shift = arith::MulIOp::create(b, loc, rem(div(element, run), perByte), index(count));
    Value field = arith::ShRUIOp::create(b, loc, readByte(source, place, byte),
                                         arith::IndexCastOp::create(b, loc, b.getI32Type(), shift));
    field = arith::AndIOp::create(b, loc, field, integer((1 << count) - 1));
    if (below > 0)
      field = arith::ShLIOp::create(b, loc, field, integer(below));
    code = code ? arith::OrIOp::create(b, loc, code, field).getResult() : field;
    below += count;
  }
  return code;
}

Value FormatElements::readPart(const FormatSource &source, Value operand, Type type, int64_t group, int64_t at,
                               ValueRange place) {
  Value k = place[source.axis];
  if (operand) {
    auto shape = cast<RankedTensorType>(operand.getType()).getShape();
    SmallVector<Value> where;
    for (auto [dim, size] : llvm::enumerate(shape)) {
      Value position = place[dim];
      if (static_cast<int64_t>(dim) == source.axis)
        position = group == 0 ? index(0) : arith::DivUIOp::create(b, loc, k, index(group)).getResult();
      else if (size == 1)
        position = index(0);
      else if (ShapedType::isDynamic(size)) { // it may be 1
        Value last = arith::SubIOp::create(b, loc, tensor::DimOp::create(b, loc, operand, dim), index(1));
        position = arith::MinUIOp::create(b, loc, position, last);
      }
      where.push_back(position);
    }
    return toPart(type, tensor::ExtractOp::create(b, loc, operand, where));
  }
  int64_t size = llvm::divideCeil(type.getIntOrFloatBitWidth(), 8);
  Value number =
      arith::DivUIOp::create(b, loc, arith::RemUIOp::create(b, loc, k, index(source.format.getBlock())), index(group));
  Value first = arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, number, index(size)), index(at)), bits;
  for (int64_t i = 0; i < size; ++i) {
    Value byte = readByte(source, place, arith::AddIOp::create(b, loc, first, index(i)));
    if (i > 0)
      byte = arith::OrIOp::create(b, loc, bits, arith::ShLIOp::create(b, loc, byte, integer(8 * i)));
    bits = byte;
  }
  return toFloat(type, bits);
}

Value FormatElements::readScale(const FormatSource &source, ValueRange place) {
  FormatAttr format = source.format;
  if (!format.getScale())
    return {};
  Value scale = readPart(source, source.scales, format.getScale(), format.getGroup(), format.getScaleAt(), place);
  if (!format.getSuperScale())
    return scale;
  return arith::MulFOp::create(
      b, loc, scale,
      readPart(source, source.supers, format.getSuperScale(), format.getSuperGroup(), format.getSuperAt(), place));
}

Value FormatElements::readZero(const FormatSource &source, ValueRange place) {
  FormatAttr format = source.format;
  if (!format.getZero())
    return format.getOffset() ? number(format.getOffset()) : Value();
  Value zero = readPart(source, source.zeros, format.getZero(), format.getGroup(), -1, place);
  return format.getOffset() ? arith::AddFOp::create(b, loc, zero, number(format.getOffset())).getResult() : zero;
}

Value FormatElements::readMinimum(const FormatSource &source, ValueRange place) {
  FormatAttr format = source.format;
  if (!format.getMinimum())
    return {};
  return readPart(source, source.minimums, format.getMinimum(), format.getGroup(), format.getMinimumAt(), place);
}

GroupParts FormatElements::readParts(const FormatSource &source, ValueRange place) {
  return {readScale(source, place), readZero(source, place), readMinimum(source, place)};
}

bool FormatElements::isLookedUp(FormatAttr format) {
  return format.getCodebook() || (isa<FloatType>(format.getElement()) && format.getBits() <= 4);
}

Value FormatElements::toNumber(FormatAttr format, Value bits) {
  if (!isLookedUp(format))
    return toFloat(format.getElement(), bits);
  SmallVector<float> values;
  if (DenseF32ArrayAttr codebook = format.getCodebook())
    values.assign(codebook.asArrayRef().begin(), codebook.asArrayRef().end());
  else
    for (uint64_t code = 0; code < uint64_t(1) << format.getBits(); ++code) {
      APFloat value(cast<FloatType>(format.getElement()).getFloatSemantics(), APInt(format.getBits(), code));
      bool inexact;
      value.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven, &inexact);
      values.push_back(value.convertToFloat());
    }
  return lookUp(values, bits);
}

Value FormatElements::lookUp(ArrayRef<float> values, Value bits) {
  return LookUpOp::create(b, loc, b.getF32Type(), bits, values);
}

Value FormatElements::decode(FormatAttr format, Value bits) {
  unsigned count = format.getBits();
  if (isLookedUp(format))
    return toNumber(format, bits);
  if (format.isInteger() && count <= 4) {
    SmallVector<float> values;
    for (int code = 0; code < 1 << count; ++code)
      values.push_back(code);
    return lookUp(values, bits);
  }
  if (count < 32)
    bits = arith::AndIOp::create(b, loc, bits, integer((int64_t(1) << count) - 1));
  Type element =
      format.isInteger() ? IntegerType::get(b.getContext(), count, IntegerType::Unsigned) : format.getElement();
  return toFloat(element, bits);
}

Value FormatElements::apply(Value value, const GroupParts &parts, bool fused) {
  fused &= parts.scale != nullptr;
  if (fused && parts.zero && !parts.minimum) {
    Value shift = arith::NegFOp::create(b, loc, arith::MulFOp::create(b, loc, parts.zero, parts.scale));
    return math::FmaOp::create(b, loc, value, parts.scale, shift);
  }
  if (fused && parts.minimum) {
    if (parts.zero)
      value = arith::SubFOp::create(b, loc, value, parts.zero);
    return math::FmaOp::create(b, loc, value, parts.scale, parts.minimum);
  }
  if (parts.zero)
    value = arith::SubFOp::create(b, loc, value, parts.zero);
  if (parts.scale)
    value = arith::MulFOp::create(b, loc, value, parts.scale);
  if (parts.minimum)
    value = arith::AddFOp::create(b, loc, value, parts.minimum);
  return value;
}

Value FormatElements::encode(FormatAttr format, Value value, const GroupParts &parts, Type type) {
  if (parts.minimum)
    value = arith::SubFOp::create(b, loc, value, parts.minimum);
  if (parts.scale)
    value = arith::DivFOp::create(b, loc, value, parts.scale);
  auto less = [&](Value x, Value y) -> Value { return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, x, y); };
  auto toCode = [&](Value code) -> Value {
    unsigned width = type.getIntOrFloatBitWidth();
    return width < 32 ? arith::TruncIOp::create(b, loc, type, code).getResult() : code;
  };
  if (DenseF32ArrayAttr codebook = format.getCodebook()) {
    Value best, code = integer(0);
    for (auto [number, entry] : llvm::enumerate(codebook.asArrayRef())) {
      Value distance = math::AbsFOp::create(b, loc, arith::SubFOp::create(b, loc, value, this->number(entry)));
      if (best) {
        Value nearer = less(distance, best);
        code = arith::SelectOp::create(b, loc, nearer, integer(number), code);
        best = arith::SelectOp::create(b, loc, nearer, distance, best);
      } else {
        best = distance;
      }
    }
    return toCode(code);
  }
  if (auto floatType = dyn_cast<FloatType>(format.getElement())) {
    APFloat most = APFloat::getLargest(floatType.getFloatSemantics());
    bool inexact;
    most.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &inexact);
    double limit = most.convertToDouble();
    value = arith::MaximumFOp::create(b, loc, arith::MinimumFOp::create(b, loc, value, number(limit)), number(-limit));
    auto finite = getFinite(format.getElement());
    if (!finite)
      return arith::TruncFOp::create(b, loc, type, value);
    // Adding and taking away a power of two rounds to a multiple of what the last bit is worth, which is that of the
    // smallest normal number for all below it.
    auto [mantissa, bias] = *finite;
    Type i32 = b.getI32Type();
    unsigned width = floatType.getWidth();
    Value bits = arith::BitcastOp::create(b, loc, i32, value);
    Value sign = arith::ShLIOp::create(b, loc, arith::ShRUIOp::create(b, loc, bits, integer(31)), integer(width - 1));
    Value magnitude =
        arith::BitcastOp::create(b, loc, b.getF32Type(), arith::AndIOp::create(b, loc, bits, integer(0x7fffffff)));
    Value isNan = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, value, value);
    Value exponent = arith::AndIOp::create(b, loc, bits, integer(0x7f800000));
    exponent = arith::MaxSIOp::create(b, loc, exponent, integer((128 - bias) << 23));
    Value step = arith::BitcastOp::create(b, loc, b.getF32Type(),
                                          arith::AddIOp::create(b, loc, exponent, integer((23 - mantissa) << 23)));
    Value rounded = arith::SubFOp::create(b, loc, arith::AddFOp::create(b, loc, magnitude, step), step);
    Value small = arith::MulFOp::create(b, loc, rounded, number(std::ldexp(1.0, bias - 127)));
    Value code = arith::ShRUIOp::create(b, loc, arith::BitcastOp::create(b, loc, i32, small), integer(23 - mantissa));
    code = arith::SelectOp::create(b, loc, isNan, integer(0), arith::OrIOp::create(b, loc, code, sign));
    Value narrow = arith::TruncIOp::create(b, loc, b.getIntegerType(width), code);
    return arith::BitcastOp::create(b, loc, type, narrow);
  }
  int64_t bits = format.getBits();
  double low = format.isSigned() ? -std::ldexp(1.0, bits - 1) : 0;
  double high = std::ldexp(1.0, format.isSigned() ? bits - 1 : bits) - 1;
  Value isNan = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, value, value);
  value = math::RoundEvenOp::create(b, loc, value);
  if (parts.zero)
    value = arith::AddFOp::create(b, loc, value, parts.zero);
  value = arith::MaximumFOp::create(b, loc, arith::MinimumFOp::create(b, loc, value, number(high)), number(low));
  value = arith::SelectOp::create(b, loc, isNan, number(0), value);
  return toCode(arith::FPToSIOp::create(b, loc, b.getI32Type(), value));
}

Value FormatElements::round(Value value, Type type) {
  return type.isF32() ? value : arith::TruncFOp::create(b, loc, type, value).getResult();
}
