//===- Emitter.cpp - values, index arithmetic and structured ops ------------------===//
//
// What every handler is built from; see ImportContext.h. Movement is in EmitMovement.cpp.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tenon::onnx;

/// Known elements are computed at import up to this many.
static constexpr int64_t kFoldLimit = 256;

bool tenon::onnx::isFloatDType(int32_t t) {
  using namespace proto;
  return t == Float || t == Double || t == Float16 || t == BFloat16 || (t >= Float8E4M3FN && t <= Float8E5M2FNUZ) ||
         t == Float4E2M1 || t == Float8E8M0;
}
bool tenon::onnx::isUnsignedDType(int32_t t) {
  using namespace proto;
  return t == UInt8 || t == UInt16 || t == UInt32 || t == UInt64 || t == UInt4 || t == UInt2;
}
bool tenon::onnx::isIntDType(int32_t t) {
  using namespace proto;
  return isUnsignedDType(t) || t == Int8 || t == Int16 || t == Int32 || t == Int64 || t == Int4 || t == Int2;
}
llvm::StringRef tenon::onnx::dtypeName(int32_t t) {
  static const char *names[] = {
      "undefined", "float32",    "uint8",         "int8",           "uint16",          "int16",       "int32",
      "int64",     "string",     "bool",          "float16",        "float64",         "uint32",      "uint64",
      "complex64", "complex128", "bfloat16",      "float8_e4m3fn",  "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz",
      "uint4",     "int4",       "float4_e2m1fn", "float8_e8m0fnu", "uint2",           "int2"};
  return t >= 0 && t < 27 ? names[t] : "unknown";
}
Type tenon::onnx::elementType(MLIRContext *c, int32_t t) {
  using namespace proto;
  switch (t) {
  case Float:
    return Float32Type::get(c);
  case Double:
    return Float64Type::get(c);
  case proto::Float16:
    return Float16Type::get(c);
  case BFloat16:
    return BFloat16Type::get(c);
  case Float8E4M3FN:
    return Float8E4M3FNType::get(c);
  case Float8E4M3FNUZ:
    return Float8E4M3FNUZType::get(c);
  case Float8E5M2:
    return Float8E5M2Type::get(c);
  case Float8E5M2FNUZ:
    return Float8E5M2FNUZType::get(c);
  case Float4E2M1:
    return Float4E2M1FNType::get(c);
  case Float8E8M0:
    return Float8E8M0FNUType::get(c);
  case Bool:
    return IntegerType::get(c, 1);
  case UInt2:
  case Int2:
    return IntegerType::get(c, 2);
  case UInt4:
  case Int4:
    return IntegerType::get(c, 4);
  case UInt8:
  case Int8:
    return IntegerType::get(c, 8);
  case UInt16:
  case Int16:
    return IntegerType::get(c, 16);
  case UInt32:
  case Int32:
    return IntegerType::get(c, 32);
  case UInt64:
  case Int64:
    return IntegerType::get(c, 64);
  default:
    return {};
  }
}

//===--- values -------------------------------------------------------------===//

RankedTensorType Emitter::tensorType(int32_t dtype, ArrayRef<OpFoldResult> dims) {
  Ints shape;
  for (OpFoldResult d : dims)
    shape.push_back(getConstantIntValue(d).value_or(ShapedType::kDynamic));
  return RankedTensorType::get(shape, type(dtype));
}

V Emitter::value(int32_t dtype, Value ssa, ArrayRef<OpFoldResult> dims) {
  if (llvm::cast<RankedTensorType>(ssa.getType()).getRank() != static_cast<int64_t>(dims.size()))
    return {}; // only after a reported failure
  auto v = std::make_shared<Val>();
  v->dtype = dtype;
  v->dims.assign(dims.begin(), dims.end());
  auto want = tensorType(dtype, dims);
  if (ssa.getType() != want)
    ssa = tensor::CastOp::create(b, want, ssa);
  v->ssa = ssa;
  return v;
}
V Emitter::value(int32_t dtype, Value ssa) {
  Dims dims;
  auto t = cast<RankedTensorType>(ssa.getType());
  for (int64_t i = 0; i < t.getRank(); ++i)
    dims.push_back(t.isDynamicDim(i) ? norm(b.createOrFold<tensor::DimOp>(ssa, i)) : idx(t.getDimSize(i)));
  return value(dtype, ssa, dims);
}
V Emitter::known(int32_t dtype, ArrayRef<int64_t> shape, ArrayRef<OpFoldResult> elements) {
  auto v = std::make_shared<Val>();
  v->dtype = dtype;
  for (int64_t d : shape)
    v->dims.push_back(idx(d));
  v->isKnown = true;
  v->known.assign(elements.begin(), elements.end());
  return v;
}
V Emitter::constInts(int32_t dtype, ArrayRef<int64_t> values) {
  SmallVector<OpFoldResult> elements;
  for (int64_t x : values)
    elements.push_back(IntegerAttr::get(type(dtype), APInt(type(dtype).getIntOrFloatBitWidth(), x, true, true)));
  return known(dtype, {static_cast<int64_t>(values.size())}, elements);
}
V Emitter::scalar(int32_t dtype, double v) { return known(dtype, {}, {OpFoldResult(constant(type(dtype), v))}); }

V Emitter::fromIndices(ArrayRef<OpFoldResult> indices) {
  SmallVector<OpFoldResult> elements;
  for (OpFoldResult i : indices) {
    if (auto c = getConstantIntValue(i))
      elements.push_back(b.getI64IntegerAttr(*c));
    else
      elements.push_back(b.createOrFold<arith::IndexCastOp>(b.getI64Type(), cast<Value>(i)));
  }
  return known(proto::Int64, {static_cast<int64_t>(indices.size())}, elements);
}

FailureOr<Dims> Emitter::toIndices(const V &v) {
  int64_t count = v->count();
  if (count == ShapedType::kDynamic || count > 1024 || isFloatDType(v->dtype))
    return failure();
  Dims result;
  Scalar s(b, isUnsignedDType(v->dtype));
  if (v->isKnown) {
    for (OpFoldResult e : v->known) {
      if (auto attr = dyn_cast<Attribute>(e))
        result.push_back(idx(cast<IntegerAttr>(attr).getValue().sextOrTrunc(64).getSExtValue()));
      else
        result.push_back(norm(s.toIndex(cast<Value>(e))));
    }
    return result;
  }
  if (v->rank() > 1)
    return failure();
  Value t = tensor(v);
  for (int64_t i = 0; i < count; ++i) {
    SmallVector<Value> position;
    if (v->rank() == 1)
      position.push_back(arith::ConstantIndexOp::create(b, i));
    result.push_back(norm(s.toIndex(b.createOrFold<tensor::ExtractOp>(t, position))));
  }
  return result;
}
std::optional<Ints> Emitter::constIntsOf(const V &v) {
  if (!v->isConstant() || isFloatDType(v->dtype))
    return std::nullopt;
  Ints result;
  for (OpFoldResult e : v->known) {
    APInt value = cast<IntegerAttr>(cast<Attribute>(e)).getValue();
    result.push_back(isUnsignedDType(v->dtype) || v->dtype == proto::Bool ? value.getZExtValue()
                                                                          : value.getSExtValue());
  }
  return result;
}
std::optional<SmallVector<double>> Emitter::constFloatsOf(const V &v) {
  if (!v->isConstant())
    return std::nullopt;
  SmallVector<double> result;
  for (OpFoldResult e : v->known) {
    if (auto f = dyn_cast<FloatAttr>(cast<Attribute>(e)))
      result.push_back(f.getValueAsDouble());
    else
      result.push_back(static_cast<double>(cast<IntegerAttr>(cast<Attribute>(e)).getValue().getSExtValue()));
  }
  return result;
}

Value Emitter::tensor(const V &v) {
  if (!v) { // after a failure that has been reported; the module is thrown away
    if (!imp.errorCount())
      imp.report(imp.current + ": could not be imported");
    return empty(proto::Float, {});
  }
  if (v->ssa && v->ssa.getParentRegion()->isAncestor(b.getInsertionBlock()->getParent()))
    return v->ssa;
  if (v->weight && !v->isKnown)
    return v->ssa = imp.entryWeight(v);
  auto t = tensorType(v);
  if (v->isConstant()) {
    SmallVector<Attribute> attrs;
    for (OpFoldResult e : v->known)
      attrs.push_back(cast<Attribute>(e));
    return v->ssa = imp.entryConstant(DenseElementsAttr::get(t, attrs));
  }
  Scalar s(b, false);
  SmallVector<Value> elements;
  for (OpFoldResult e : v->known) {
    if (auto attr = dyn_cast<Attribute>(e))
      elements.push_back(arith::ConstantOp::create(b, cast<TypedAttr>(attr)));
    else
      elements.push_back(cast<Value>(e));
  }
  Value made = tensor::FromElementsOp::create(b, t, elements);
  // Not kept inside regions: a loop's first, throw-away body would leave it behind.
  if (isa<func::FuncOp>(b.getInsertionBlock()->getParentOp()))
    v->ssa = made;
  return made;
}

//===--- index arithmetic ---------------------------------------------------===//

Value Emitter::index(OpFoldResult i) { return getValueOrCreateConstantIndexOp(b, b.getLoc(), i); }
OpFoldResult Emitter::norm(Value v) {
  APInt c;
  if (matchPattern(v, m_ConstantInt(&c)))
    return idx(c.getSExtValue());
  return v;
}
template <typename Op, typename Fn> static OpFoldResult binary(Emitter &e, OpFoldResult x, OpFoldResult y, Fn fold) {
  auto cx = getConstantIntValue(x), cy = getConstantIntValue(y);
  if (cx && cy)
    if (std::optional<int64_t> r = fold(*cx, *cy))
      return e.idx(*r);
  // Equal computations share their value, so that equal sizes are seen to be equal. Not inside regions: those may be
  // thrown away.
  bool keep = isa<func::FuncOp>(e.b.getInsertionBlock()->getParentOp());
  auto key = std::make_tuple(Op::getOperationName(), x.getOpaqueValue(), y.getOpaqueValue());
  if (auto it = e.imp.sizes.find(key); it != e.imp.sizes.end())
    return it->second;
  OpFoldResult result = e.norm(e.b.createOrFold<Op>(e.index(x), e.index(y)));
  if (keep)
    e.imp.sizes[key] = result;
  return result;
}
OpFoldResult Emitter::add(OpFoldResult x, OpFoldResult y) {
  return binary<arith::AddIOp>(*this, x, y, [](int64_t a, int64_t c) { return std::optional<int64_t>(a + c); });
}
OpFoldResult Emitter::sub(OpFoldResult x, OpFoldResult y) {
  if (same(x, y))
    return idx(0);
  return binary<arith::SubIOp>(*this, x, y, [](int64_t a, int64_t c) { return std::optional<int64_t>(a - c); });
}
OpFoldResult Emitter::mul(OpFoldResult x, OpFoldResult y) {
  return binary<arith::MulIOp>(*this, x, y, [](int64_t a, int64_t c) -> std::optional<int64_t> {
    int64_t r;
    if (llvm::MulOverflow(a, c, r))
      return std::nullopt;
    return r;
  });
}
OpFoldResult Emitter::floordiv(OpFoldResult x, OpFoldResult y) {
  return binary<arith::FloorDivSIOp>(*this, x, y, [](int64_t a, int64_t c) -> std::optional<int64_t> {
    if (c == 0)
      return std::nullopt;
    return llvm::divideFloorSigned(a, c);
  });
}
OpFoldResult Emitter::ceildiv(OpFoldResult x, OpFoldResult y) {
  return binary<arith::CeilDivSIOp>(*this, x, y, [](int64_t a, int64_t c) -> std::optional<int64_t> {
    if (c == 0)
      return std::nullopt;
    return llvm::divideCeilSigned(a, c);
  });
}
OpFoldResult Emitter::min(OpFoldResult x, OpFoldResult y) {
  if (same(x, y))
    return x;
  return binary<arith::MinSIOp>(*this, x, y,
                                [](int64_t a, int64_t c) { return std::optional<int64_t>(std::min(a, c)); });
}
OpFoldResult Emitter::max(OpFoldResult x, OpFoldResult y) {
  if (same(x, y))
    return x;
  return binary<arith::MaxSIOp>(*this, x, y,
                                [](int64_t a, int64_t c) { return std::optional<int64_t>(std::max(a, c)); });
}
Value Emitter::cmp(arith::CmpIPredicate p, OpFoldResult x, OpFoldResult y) {
  return b.createOrFold<arith::CmpIOp>(p, index(x), index(y));
}
OpFoldResult Emitter::select(Value cond, OpFoldResult x, OpFoldResult y) {
  APInt c;
  if (matchPattern(cond, m_ConstantInt(&c)))
    return c.isZero() ? y : x;
  return same(x, y) ? x : norm(b.createOrFold<arith::SelectOp>(cond, index(x), index(y)));
}
OpFoldResult Emitter::product(ArrayRef<OpFoldResult> dims) {
  OpFoldResult r = idx(1);
  for (OpFoldResult d : dims)
    r = mul(r, d);
  return r;
}

//===--- checks and loops ---------------------------------------------------===//

void Emitter::check(Value cond, const Twine &what) {
  APInt c;
  if (matchPattern(cond, m_ConstantInt(&c)) && !c.isZero())
    return;
  cf::AssertOp::create(b, cond, b.getStringAttr(imp.current + ": " + what));
}
void Emitter::checkEqual(OpFoldResult x, OpFoldResult y, const Twine &what) {
  if (!same(x, y))
    check(cmp(arith::CmpIPredicate::eq, x, y), what);
}
SmallVector<Value> Emitter::loop(Value lower, Value upper, ValueRange init,
                                 llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  Value one = arith::ConstantIndexOp::create(b, 1);
  auto op = scf::ForOp::create(b, lower, upper, one, init);
  OpBuilder::InsertionGuard guard(b);
  if (op.getBody()->mightHaveTerminator() && !op.getBody()->empty())
    op.getBody()->back().erase();
  b.setInsertionPointToEnd(op.getBody());
  SmallVector<Value> next = body(op.getInductionVar(), op.getRegionIterArgs());
  scf::YieldOp::create(b, next);
  return llvm::to_vector(llvm::map_range(op.getResults(), [](OpResult r) -> Value { return r; }));
}

//===--- structured ops -----------------------------------------------------===//

TypedAttr Emitter::constant(Type type, double value) {
  if (auto f = dyn_cast<FloatType>(type)) {
    APFloat real(value);
    bool lossy;
    real.convert(f.getFloatSemantics(), APFloat::rmNearestTiesToEven, &lossy);
    return FloatAttr::get(f, real);
  }
  return IntegerAttr::get(type, APInt(type.getIntOrFloatBitWidth(), static_cast<int64_t>(value), true, true));
}
Value Emitter::empty(int32_t dtype, ArrayRef<OpFoldResult> dims) {
  return tensor::EmptyOp::create(b, dims, type(dtype));
}
Value Emitter::filled(int32_t dtype, ArrayRef<OpFoldResult> dims, TypedAttr value) {
  Value c = arith::ConstantOp::create(b, value);
  return linalg::FillOp::create(b, ValueRange{c}, ValueRange{empty(dtype, dims)}).getResult(0);
}
V Emitter::fill(int32_t dtype, ArrayRef<OpFoldResult> dims, double v) {
  return value(dtype, filled(dtype, dims, constant(type(dtype), v)), dims);
}

static Value widen(Scalar &s, Value x) {
  auto f = dyn_cast<FloatType>(x.getType());
  return f && f.getWidth() < 32 ? s.op<arith::ExtFOp>(s.b.getF32Type(), x) : x;
}
static Value narrow(Scalar &s, Value x, Type type) {
  return x.getType() == type ? x : s.cast(x, s.isUnsigned, type, s.isUnsigned);
}

V Emitter::generic(int32_t dtype, ArrayRef<OpFoldResult> dims, ArrayRef<Operand> operands, Body body,
                   unsigned reductions, TypedAttr init, ArrayRef<OpFoldResult> reductionDims) {
  unsigned rank = dims.size(), loops = rank + reductions;
  SmallVector<Value> ins;
  SmallVector<AffineMap> maps;
  SmallVector<int> position; // per operand: its block argument, or -1 for an embedded constant
  bool isUnsigned = !operands.empty() && isUnsignedDType(operands[0].value->dtype);
  llvm::SmallBitVector covered(loops);
  for (unsigned i = 0; i < rank; ++i)
    covered.set(i);
  for (const Operand &operand : operands) {
    if (operand.value->isConstant() && operand.value->known.size() == 1) {
      position.push_back(-1);
      continue;
    }
    position.push_back(ins.size());
    ins.push_back(tensor(operand.value));
    maps.push_back(operand.map);
    for (unsigned d = 0; d < loops; ++d)
      if (operand.map.isFunctionOfDim(d))
        covered.set(d);
  }
  if (!covered.all() && !reductionDims.empty()) {
    // The extents of the reduction come from operands that were embedded: an operand without elements gives them.
    ins.push_back(empty(proto::Bool, reductionDims));
    SmallVector<AffineExpr> exprs;
    for (unsigned d = rank; d < loops; ++d)
      exprs.push_back(b.getAffineDimExpr(d));
    maps.push_back(AffineMap::get(loops, 0, exprs, b.getContext()));
  }
  SmallVector<AffineExpr> outExprs;
  for (unsigned d = 0; d < rank; ++d)
    outExprs.push_back(b.getAffineDimExpr(d));
  maps.push_back(AffineMap::get(loops, 0, outExprs, b.getContext()));
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  iterators.append(reductions, utils::IteratorType::reduction);
  Type element = type(dtype);
  // Narrow floats are accumulated in f32 and converted once.
  auto f = dyn_cast<FloatType>(element);
  bool wideAccumulator = reductions && f && f.getWidth() < 32;
  int32_t outDType = wideAccumulator ? int32_t(proto::Float) : dtype;
  if (wideAccumulator && init)
    init = constant(b.getF32Type(), cast<FloatAttr>(init).getValueAsDouble());
  Value out = reductions && init ? filled(outDType, dims, init) : empty(outDType, dims);
  Type outElement = type(outDType);
  auto op = linalg::GenericOp::create(
      b, TypeRange{out.getType()}, ins, ValueRange{out}, maps, iterators,
      [&](OpBuilder &inner, Location loc, ValueRange args) {
        ImplicitLocOpBuilder ib(loc, inner);
        Scalar s(ib, isUnsigned);
        SmallVector<Value> values;
        for (auto [operand, pos] : llvm::zip(operands, position)) {
          Value x =
              pos < 0 ? Value(arith::ConstantOp::create(ib, cast<TypedAttr>(cast<Attribute>(operand.value->known[0]))))
                      : args[pos];
          values.push_back(widen(s, x));
        }
        if (reductions)
          values.push_back(args.back());
        Value result = narrow(s, body(s, values), outElement);
        linalg::YieldOp::create(ib, result);
      });
  V v = value(outDType, op.getResult(0), dims);
  return wideAccumulator ? cast(v, dtype) : v;
}

FailureOr<Dims> Emitter::broadcastDims(ArrayRef<V> operands) {
  int64_t rank = 0;
  for (const V &v : operands)
    rank = std::max(rank, v->rank());
  Dims dims(rank, idx(1));
  for (int64_t i = 0; i < rank; ++i) {
    for (const V &v : operands) {
      int64_t at = i - (rank - v->rank());
      if (at < 0)
        continue;
      OpFoldResult d = v->dims[at], &r = dims[i];
      auto cd = getConstantIntValue(d), cr = getConstantIntValue(r);
      if (cd == 1 || same(d, r))
        continue;
      if (cr == 1) {
        r = d;
        continue;
      }
      if (cd && cr) {
        imp.report(imp.current + ": cannot broadcast a dim of " + Twine(*cr) + " with one of " + Twine(*cd));
        return failure();
      }
      checkEqual(d, r, "dims that are broadcast together differ");
      if (cd)
        r = d;
    }
  }
  return dims;
}

V Emitter::elementwise(ArrayRef<V> operands, int32_t dtype, Body body) {
  if (llvm::is_contained(operands, V()))
    return {};
  FailureOr<Dims> dims = broadcastDims(operands);
  if (failed(dims))
    return {};
  int64_t rank = dims->size(), count = 1;
  Ints shape;
  bool allKnown = llvm::all_of(operands, [](const V &v) { return v->isKnown; });
  for (OpFoldResult d : *dims) {
    shape.push_back(getConstantIntValue(d).value_or(ShapedType::kDynamic));
    allKnown &= shape.back() != ShapedType::kDynamic && count <= kFoldLimit;
    count *= allKnown ? shape.back() : 1;
  }
  bool isUnsigned = !operands.empty() && isUnsignedDType(operands[0]->dtype);
  if (allKnown && count <= kFoldLimit) {
    SmallVector<OpFoldResult> elements;
    Scalar s(b, isUnsigned);
    Ints at(rank, 0);
    for (int64_t i = 0; i < count; ++i) {
      SmallVector<Value> args;
      for (const V &v : operands) {
        int64_t linear = 0;
        for (int64_t d = 0; d < v->rank(); ++d)
          linear = linear * v->dim(d) + (v->dim(d) == 1 ? 0 : at[d + rank - v->rank()]);
        OpFoldResult e = v->known[linear];
        Value x =
            isa<Value>(e) ? cast<Value>(e) : Value(arith::ConstantOp::create(b, cast<TypedAttr>(cast<Attribute>(e))));
        args.push_back(widen(s, x));
      }
      Value r = narrow(s, body(s, args), type(dtype));
      Attribute attr;
      if (matchPattern(r, m_Constant(&attr)))
        elements.push_back(attr);
      else
        elements.push_back(r);
      for (int64_t d = rank - 1; d >= 0 && ++at[d] == shape[d]; --d)
        at[d] = 0;
    }
    return known(dtype, shape, elements);
  }
  SmallVector<Operand> args;
  for (const V &v : operands) {
    // A unit dim that is broadcast is dropped, so that the map stays a projection.
    SmallVector<AffineExpr> exprs;
    Ints dropped;
    for (int64_t d = 0; d < v->rank(); ++d) {
      int64_t at = d + rank - v->rank();
      if (v->dim(d) == 1 && shape[at] != 1)
        dropped.push_back(d);
      else
        exprs.push_back(b.getAffineDimExpr(at));
    }
    bool embedded = v->isConstant() && v->known.size() == 1;
    args.push_back(
        {dropped.empty() || embedded ? v : squeeze(v, dropped), AffineMap::get(rank, 0, exprs, b.getContext())});
  }
  return generic(dtype, *dims, args, body);
}

V Emitter::reduce(const V &x, ArrayRef<int64_t> axes, bool keepDims, double init, Body body, int32_t dtype) {
  if (!x)
    return {};
  if (!dtype)
    dtype = x->dtype;
  int64_t rank = x->rank();
  SmallVector<bool> reduced(rank, false);
  for (int64_t a : axes)
    reduced[a] = true;
  Dims kept, gone;
  SmallVector<AffineExpr> exprs;
  int64_t parallel = rank - llvm::count(reduced, true), next = 0, nextReduction = parallel;
  for (int64_t i = 0; i < rank; ++i) {
    exprs.push_back(b.getAffineDimExpr(reduced[i] ? nextReduction++ : next++));
    (reduced[i] ? gone : kept).push_back(x->dims[i]);
  }
  if (parallel == rank && !x->isKnown)
    return elementwise({x}, dtype, [&](Scalar &s, A a) { return body(s, {a[0], s.constLike(a[0], init)}); });
  V r;
  if (x->isKnown && static_cast<int64_t>(x->known.size()) <= kFoldLimit && x->hasStaticShape()) {
    int64_t count = 1;
    Ints keptShape;
    for (OpFoldResult d : kept) {
      keptShape.push_back(*getConstantIntValue(d));
      count *= keptShape.back();
    }
    Scalar s(b, isUnsignedDType(x->dtype));
    Type wide = type(dtype);
    if (auto f = dyn_cast<FloatType>(wide); f && f.getWidth() < 32)
      wide = b.getF32Type();
    SmallVector<Value> acc;
    for (int64_t i = 0; i < count; ++i)
      acc.push_back(arith::ConstantOp::create(b, constant(wide, init)));
    Ints at(rank, 0);
    for (OpFoldResult e : x->known) {
      int64_t linear = 0;
      for (int64_t d = 0; d < rank; ++d)
        if (!reduced[d])
          linear = linear * x->dim(d) + at[d];
      Value v =
          isa<Value>(e) ? cast<Value>(e) : Value(arith::ConstantOp::create(b, cast<TypedAttr>(cast<Attribute>(e))));
      acc[linear] = narrow(s, body(s, {widen(s, v), acc[linear]}), wide);
      for (int64_t d = rank - 1; d >= 0 && ++at[d] == x->dim(d); --d)
        at[d] = 0;
    }
    SmallVector<OpFoldResult> elements;
    for (Value v : acc) {
      Attribute attr;
      v = narrow(s, v, type(dtype));
      if (matchPattern(v, m_Constant(&attr)))
        elements.push_back(attr);
      else
        elements.push_back(v);
    }
    r = known(dtype, keptShape, elements);
  } else {
    r = generic(dtype, kept, {{x, AffineMap::get(rank, 0, exprs, b.getContext())}}, body, rank - parallel,
                constant(type(dtype), init), gone);
  }
  if (!keepDims)
    return r;
  Dims all;
  for (int64_t i = 0; i < rank; ++i)
    all.push_back(reduced[i] ? idx(1) : x->dims[i]);
  return reshape(r, all);
}

V Emitter::cast(const V &x, int32_t dtype, bool saturate) {
  if (!x || x->dtype == dtype)
    return x;
  bool fromU = isUnsignedDType(x->dtype), toU = isUnsignedDType(dtype);
  Type to = type(dtype);
  return elementwise({x}, dtype, [&](Scalar &s, A a) { return s.cast(a[0], fromU, to, toU, saturate); });
}
V Emitter::addV(const V &x, const V &y) {
  if (!x || !y)
    return {};
  return elementwise({x, y}, x->dtype, [](Scalar &s, A a) { return s.add(a[0], a[1]); });
}
V Emitter::subV(const V &x, const V &y) {
  if (!x || !y)
    return {};
  return elementwise({x, y}, x->dtype, [](Scalar &s, A a) { return s.sub(a[0], a[1]); });
}
V Emitter::mulV(const V &x, const V &y) {
  if (!x || !y)
    return {};
  return elementwise({x, y}, x->dtype, [](Scalar &s, A a) { return s.mul(a[0], a[1]); });
}
V Emitter::divV(const V &x, const V &y) {
  if (!x || !y)
    return {};
  return elementwise({x, y}, x->dtype, [](Scalar &s, A a) { return s.div(a[0], a[1]); });
}
V Emitter::sum(const V &x, ArrayRef<int64_t> axes, bool keepDims) {
  return reduce(x, axes, keepDims, 0, [](Scalar &s, A a) { return s.add(a[0], a[1]); });
}
V Emitter::mean(const V &x, ArrayRef<int64_t> axes, bool keepDims) {
  if (!x)
    return {};
  V total = sum(x, axes, keepDims);
  OpFoldResult count = idx(1);
  for (int64_t a : axes)
    count = mul(count, x->dims[a]);
  V n = cast(reshape(fromIndices({count}), {}), x->dtype);
  return divV(total, n);
}
V Emitter::softmax(const V &x, ArrayRef<int64_t> axes, bool logarithm) {
  if (x->rank() == 0 || axes.empty()) {
    return logarithm ? subV(x, x) : divV(x, x);
  }
  V wide = isFloatDType(x->dtype) && x->dtype != proto::Double ? cast(x, proto::Float) : x;
  V top = reduce(wide, axes, true, -INFINITY, [](Scalar &s, A a) { return s.max(a[0], a[1]); });
  V shifted = subV(wide, top);
  V e = elementwise({shifted}, wide->dtype, [](Scalar &s, A a) { return s.expNonpositive(a[0]); });
  V total = sum(e, axes, true);
  if (!logarithm)
    return cast(divV(e, total), x->dtype);
  return cast(elementwise({shifted, total}, wide->dtype, [](Scalar &s, A a) { return s.sub(a[0], s.log(a[1])); }),
              x->dtype);
}
