//===- Formats.cpp - tenon.dequantize and tenon.quantize to linalg ----------------------------===//
//
// A dequantize that a contraction reads becomes part of its body: weights are put in words of 32 bits that hold
// neighbours along the summed dim, so that a vector of words gives several vectors of codes by shifts. All others
// become element-wise ops, with the groups as a dim of their own where they divide the axis, else with computed places.
//
//===----------------------------------------------------------------------===//
#include "FormatElements.h"
#include "tenon/Analysis/LinalgKind.h"

#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

#include <numeric>

using namespace mlir;
using namespace tenon;
using namespace tenon::tolinalg;

//===----------------------------------------------------------------------===//
// Element-wise
//===----------------------------------------------------------------------===//

using ElementFn = llvm::function_ref<Value(FormatElements &, Value main, const GroupParts &)>;

/// An op over `sizes` without inputs, whose body gets the place of the element.
static Value generate(TensorBuilder &t, ArrayRef<OpFoldResult> sizes, Type element,
                      llvm::function_ref<Value(FormatElements &, OpBuilder &, ArrayRef<Value>)> body) {
  return t.elementwise(sizes, element, {}, {}, [&](OpBuilder &b, Location loc, ValueRange) {
    FormatElements elements(b, loc);
    SmallVector<Value> place;
    for (unsigned dim = 0; dim < sizes.size(); ++dim)
      place.push_back(linalg::IndexOp::create(b, loc, dim));
    return body(elements, b, place);
  });
}

/// Every element with the parts of its group, all read through maps; null where that is not possible.
static Value mapByGroups(TensorBuilder &t, const FormatSource &source, Type element, ElementFn fn) {
  FormatAttr format = source.format;
  auto type = cast<RankedTensorType>(source.main.getType());
  int64_t rank = type.getRank(), axis = source.axis, group = format.getGroup();
  if (format.hasRecords() || source.supers || format.getElement().getIntOrFloatBitWidth() > 8)
    return {};
  SmallVector<Value> parts;
  for (Value part : {source.scales, source.zeros, source.minimums})
    if (part)
      parts.push_back(part);
  for (Value part : parts)
    for (auto [dim, size] : llvm::enumerate(cast<RankedTensorType>(part.getType()).getShape()))
      if (ShapedType::isDynamic(size))
        return {};
  bool split = group > 1;
  if (split && (type.isDynamicDim(axis) || type.getDimSize(axis) % group != 0))
    return {};
  Sizes sizes = t.sizesOf(source.main), full = sizes;
  SmallVector<ReassociationIndices> groups;
  Value main = source.main;
  if (split) {
    full[axis] = t.index(type.getDimSize(axis) / group);
    full.insert(full.begin() + axis + 1, t.index(group));
    for (int64_t dim = 0; dim < rank; ++dim) {
      groups.push_back({dim + (dim > axis)});
      if (dim == axis)
        groups.back().push_back(dim + 1);
    }
    main = t.expand(main, groups, full);
  }
  unsigned loops = full.size();
  SmallVector<Value> inputs{main};
  SmallVector<AffineMap> maps{t.b.getMultiDimIdentityMap(loops)};
  for (Value part : parts) {
    SmallVector<AffineExpr> exprs;
    auto shape = cast<RankedTensorType>(part.getType()).getShape();
    for (int64_t dim = rank - 1; dim >= 0; --dim) {
      bool broadcast = shape[dim] == 1;
      if (broadcast)
        part = t.dropUnitDim(part, dim);
      else
        exprs.push_back(t.dim(dim + (split && dim > axis)));
    }
    std::reverse(exprs.begin(), exprs.end());
    inputs.push_back(part);
    maps.push_back(AffineMap::get(loops, 0, exprs, t.b.getContext()));
  }
  Value result = t.elementwise(full, element, inputs, maps, [&](OpBuilder &b, Location loc, ValueRange values) {
    FormatElements elements(b, loc);
    GroupParts got;
    unsigned next = 1;
    auto read = [&](Type partType) { return elements.toPart(partType, values[next++]); };
    if (source.scales)
      got.scale = read(format.getScale());
    if (source.zeros)
      got.zero = read(format.getZero());
    if (format.getOffset()) {
      Value offset = elements.number(format.getOffset());
      got.zero = got.zero ? arith::AddFOp::create(b, loc, got.zero, offset).getResult() : offset;
    }
    if (source.minimums)
      got.minimum = read(format.getMinimum());
    return fn(elements, values[0], got);
  });
  return split ? t.collapse(result, groups) : result;
}

void tolinalg::lower(IRRewriter &rewriter, DequantizeOp op) {
  rewriter.setInsertionPoint(op);
  TensorBuilder t{rewriter, op.getLoc()};
  FormatSource source(op);
  Type element = cast<RankedTensorType>(op.getType()).getElementType();
  Value result = mapByGroups(t, source, element, [&](FormatElements &elements, Value main, const GroupParts &parts) {
    Value number = elements.toNumber(source.format, elements.toBits(source.format, main));
    return elements.round(elements.apply(number, parts), element);
  });
  if (!result)
    result = generate(t, resultSizes(rewriter, op), element,
                      [&](FormatElements &elements, OpBuilder &, ArrayRef<Value> place) {
                        Value number = elements.toNumber(source.format, elements.readCode(source, place));
                        return elements.round(elements.apply(number, elements.readParts(source, place)), element);
                      });
  rewriter.replaceOp(op, t.castTo(result, op.getType()));
}

void tolinalg::lower(IRRewriter &rewriter, QuantizeOp op) {
  rewriter.setInsertionPoint(op);
  TensorBuilder t{rewriter, op.getLoc()};
  FormatSource source(op);
  Type element = cast<RankedTensorType>(op.getType()).getElementType();
  auto encode = [&](FormatElements &elements, Value input, const GroupParts &parts) {
    Value wide = input;
    if (!input.getType().isF32())
      wide = arith::ExtFOp::create(rewriter, op.getLoc(), rewriter.getF32Type(), input);
    return elements.encode(source.format, wide, parts, element);
  };
  Value result = mapByGroups(t, source, element, encode);
  if (!result)
    result = generate(t, resultSizes(rewriter, op), element,
                      [&](FormatElements &elements, OpBuilder &b, ArrayRef<Value> place) {
                        Value input = tensor::ExtractOp::create(b, op.getLoc(), source.main, place);
                        return encode(elements, input, elements.readParts(source, place));
                      });
  rewriter.replaceOp(op, t.castTo(result, op.getType()));
}

//===----------------------------------------------------------------------===//
// In a contraction
//===----------------------------------------------------------------------===//

/// Whether the value is known when the model is loaded.
static bool isWeight(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  if (isa<LoadWeightOp>(op) || op->hasTrait<OpTrait::ConstantLike>())
    return true;
  if (auto structured = dyn_cast<linalg::LinalgOp>(op)) {
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(op->getRegions(), captured);
    return structured.hasPureTensorSemantics() && llvm::all_of(captured, isWeight) &&
           llvm::all_of(op->getOperands(),
                        [](Value operand) { return operand.getDefiningOp<tensor::EmptyOp>() || isWeight(operand); });
  }
  return isMemoryEffectFree(op) && op->getNumOperands() > 0 && op->getNumRegions() == 0 &&
         llvm::all_of(op->getOperands(), isWeight);
}

/// The dims of `value` that a chain of transposes makes of those of `source`; nullopt for any other chain.
static std::optional<SmallVector<unsigned>> getDimsFrom(Value value, Value source) {
  if (value == source)
    return llvm::to_vector(llvm::seq<unsigned>(0, cast<ShapedType>(value.getType()).getRank()));
  auto op = value.getDefiningOp<linalg::LinalgOp>();
  if (!op || op->getNumResults() != 1 || op.getNumDpsInputs() != 1 || op.getNumReductionLoops() != 0 ||
      op.getBlock()->getTerminator()->getOperand(0) != op.getBlock()->getArgument(0))
    return std::nullopt;
  AffineMap in = op.getMatchingIndexingMap(op.getDpsInputOperand(0)),
            out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!in.isPermutation() || !out.isIdentity())
    return std::nullopt;
  std::optional<SmallVector<unsigned>> dims = getDimsFrom(op.getDpsInputOperand(0)->get(), source);
  if (!dims)
    return std::nullopt;
  // in takes loops (dims of `value`) to dims of the input.
  SmallVector<unsigned> result(dims->size());
  for (unsigned position = 0; position < dims->size(); ++position)
    result[in.getDimPosition(position)] = (*dims)[position];
  return result;
}

namespace {

/// Rebuilds a contraction with a factor that is decoded.
class Fuser {
public:
  Fuser(IRRewriter &rewriter, DequantizeOp op, linalg::LinalgOp contraction)
      : rewriter(rewriter), op(op), contraction(contraction), source(op), format(source.format),
        t{rewriter, contraction.getLoc()} {}

  bool run() {
    if (!analyse())
      return false;
    rewriter.setInsertionPoint(contraction);
    inputs.push_back(splitOther());
    addWords();
    addParts();
    build();
    return true;
  }

private:
  bool analyse();
  std::optional<int64_t> findLoop(int64_t dim, bool movingParts);
  Value splitOther();
  void addWords();
  void addParts();
  void build();
  /// A loop of the old contraction as one of the new.
  AffineExpr newLoop(unsigned loop) { return t.dim(loop > k ? loop + 2 : loop); }
  AffineMap makeMap(ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(contraction.getNumLoops() + 2, 0, exprs, rewriter.getContext());
  }
  /// An expression of a map of the old contraction.
  AffineExpr translate(AffineExpr expr) {
    SmallVector<AffineExpr> loops;
    for (unsigned loop = 0; loop < contraction.getNumLoops(); ++loop)
      loops.push_back(newLoop(loop));
    return expr.replaceDims(loops);
  }
  int64_t sizeOf(int64_t dim) { return cast<RankedTensorType>(op.getType()).getDimSize(dim); }
  bool canFuse();
  void addPart(llvm::function_ref<Value(FormatElements &, ValueRange)> read, ArrayRef<Value> operands, Type stored);

  IRRewriter &rewriter;
  DequantizeOp op;
  linalg::LinalgOp contraction;
  FormatSource source;
  FormatAttr format;
  TensorBuilder t;

  OpOperand *factor = nullptr, *other = nullptr;
  SmallVector<AffineExpr> weightExprs; ///< per dim of the weight: where the old contraction reads it
  int64_t weightDim = -1;              ///< the weight's dim whose elements share words
  unsigned k = 0;                      ///< its loop
  int64_t otherDim = -1;               ///< the other factor's dim along that loop
  int64_t extent = 0, group = 0, padded = 0;
  bool stepsAreGroups = false;   ///< parts along `weightDim` that is not their axis
  int64_t perWord = 1, slot = 0; ///< codes in a word, and bits for each
  bool rebiased = false;         ///< signed codes with the sign turned, so that they count from 0

  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  /// Numbers of the inputs that are parts; 0 where there is none.
  unsigned scaleInput = 0, zeroInput = 0, minimumInput = 0;
  /// Parts that are one number everywhere.
  std::optional<double> onlyScale, onlyMinimum;
};

} // namespace

/// The other factor's dim along the loop of the weight's dim `dim`, where codes can share words along that: it is
/// summed over, nothing else of the factors moves with it, and, but for groups, it is the parts' axis or has no
/// `movingParts`.
std::optional<int64_t> Fuser::findLoop(int64_t dim, bool movingParts) {
  bool isAxis = dim == source.axis;
  auto loop = dyn_cast<AffineDimExpr>(weightExprs[dim]);
  if (!loop || contraction.getIteratorTypesArray()[loop.getPosition()] != utils::IteratorType::reduction ||
      (!isAxis && (format.getGroup() != 0 || format.hasRecords())) || (isAxis && movingParts))
    return std::nullopt;
  int64_t uses = 0, position = -1;
  for (auto [number, expr] : llvm::enumerate(contraction.getMatchingIndexingMap(other).getResults()))
    if (expr.isFunctionOfDim(loop.getPosition())) {
      uses += expr == loop ? 1 : 2;
      position = number;
    }
  for (int64_t otherDims = 0; otherDims < static_cast<int64_t>(weightExprs.size()); ++otherDims)
    uses += otherDims != dim && weightExprs[otherDims].isFunctionOfDim(loop.getPosition());
  bool partsMove = !isAxis && llvm::any_of(op.getOperands().drop_front(), [&](Value part) {
    return cast<RankedTensorType>(part.getType()).getDimSize(dim) != 1;
  });
  if (uses != 1 || partsMove != movingParts)
    return std::nullopt;
  return position;
}

bool Fuser::analyse() {
  auto weight = cast<RankedTensorType>(op.getType());
  for (Value operand : op.getOperands())
    if (!isWeight(operand) || !cast<RankedTensorType>(operand.getType()).hasStaticShape())
      return false;
  if (!weight.hasStaticShape() || weight.getNumElements() == 0 || contraction.getNumDpsInputs() != 2 ||
      !contraction.hasPureTensorSemantics())
    return false;
  std::optional<SmallVector<unsigned>> dims;
  for (OpOperand *input : contraction.getDpsInputOperands()) {
    if (!factor && (dims = getDimsFrom(input->get(), op.getResult())))
      factor = input;
    else
      other = input;
  }
  if (!factor || !other)
    return false;
  weightExprs.resize(weight.getRank());
  AffineMap map = contraction.getMatchingIndexingMap(factor);
  for (auto [position, expr] : llvm::enumerate(map.getResults()))
    weightExprs[(*dims)[position]] = expr;
  // A dim along which all parts are the same is best; else each step is a group of its own.
  for (bool movingParts : {false, true})
    for (int64_t dim = 0; dim < weight.getRank() && weightDim < 0; ++dim)
      if (std::optional<int64_t> position = findLoop(dim, movingParts)) {
        weightDim = dim;
        k = cast<AffineDimExpr>(weightExprs[dim]).getPosition();
        otherDim = *position;
        stepsAreGroups = movingParts;
      }
  auto otherType = dyn_cast<RankedTensorType>(other->get().getType());
  if (weightDim < 0 || !otherType || otherType.isDynamicDim(otherDim))
    return false;
  extent = weight.getDimSize(weightDim);
  for (slot = 1; slot < static_cast<int64_t>(format.getBits());)
    slot *= 2;
  perWord = 32 / slot;
  group = stepsAreGroups ? 1 : format.getGroup();
  if (group == 0)
    group = llvm::alignTo(extent, perWord);
  perWord = std::gcd(group, perWord);
  padded = llvm::alignTo(extent, group);
  rebiased = format.isSigned();
  return true;
}

/// The other factor with loop k split in groups, words and codes; zeros where the last group is not full.
Value Fuser::splitOther() {
  Value value = other->get();
  auto type = cast<RankedTensorType>(value.getType());
  if (padded != extent) {
    SmallVector<int64_t> low(type.getRank(), 0), high(type.getRank(), 0);
    high[otherDim] = padded - extent;
    value = t.window(value, low, high, t.constant(type.getElementType(), 0));
  }
  Sizes sizes = t.sizesOf(value);
  sizes[otherDim] = t.index(padded / group);
  sizes.insert(sizes.begin() + otherDim + 1, {t.index(group / perWord), t.index(perWord)});
  SmallVector<ReassociationIndices> groups;
  SmallVector<AffineExpr> exprs;
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    int64_t first = dim > otherDim ? dim + 2 : dim;
    groups.push_back({first});
    exprs.push_back(translate(contraction.getMatchingIndexingMap(other).getResult(dim)));
    if (dim != otherDim)
      continue;
    groups.back().append({first + 1, first + 2});
    exprs.append({t.dim(k + 1), t.dim(k + 2)});
  }
  maps.push_back(makeMap(exprs));
  return t.expand(value, groups, sizes);
}

/// The codes in words: groups, words of a group, then the weight's other dims.
void Fuser::addWords() {
  Sizes sizes{t.index(padded / group), t.index(group / perWord)};
  SmallVector<AffineExpr> exprs{t.dim(k), t.dim(k + 1)};
  for (int64_t dim = 0; dim < static_cast<int64_t>(weightExprs.size()); ++dim)
    if (dim != weightDim) {
      sizes.push_back(t.index(sizeOf(dim)));
      exprs.push_back(translate(weightExprs[dim]));
    }
  unsigned width = std::max<int64_t>(8, slot * perWord);
  Type wordType = rewriter.getIntegerType(width);
  Value words = generate(t, sizes, wordType, [&](FormatElements &elements, OpBuilder &b, ArrayRef<Value> place) {
    Location loc = t.loc;
    SmallVector<Value> at;
    for (int64_t dim = 0, next = 2; dim < static_cast<int64_t>(weightExprs.size()); ++dim)
      at.push_back(dim == weightDim ? Value() : place[next++]);
    Value first = arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, place[0], elements.index(group)),
                                        arith::MulIOp::create(b, loc, place[1], elements.index(perWord)));
    Value word;
    for (int64_t tap = 0; tap < perWord; ++tap) {
      Value number = arith::AddIOp::create(b, loc, first, elements.index(tap));
      // Past the end the other factor is 0; the codes only have to be some.
      at[weightDim] =
          padded == extent ? number : arith::MinUIOp::create(b, loc, number, elements.index(extent - 1)).getResult();
      Value code = elements.readCode(source, at);
      if (rebiased)
        code = arith::XOrIOp::create(b, loc, code, elements.integer(int64_t(1) << (format.getBits() - 1)));
      if (tap > 0)
        code = arith::OrIOp::create(b, loc, word, arith::ShLIOp::create(b, loc, code, elements.integer(tap * slot)));
      word = code;
    }
    return width < 32 ? arith::TruncIOp::create(b, loc, wordType, word).getResult() : word;
  });
  inputs.push_back(words);
  maps.push_back(makeMap(exprs));
}

/// A part of the groups: groups first, then the weight's other dims that it has. `operands` are the tensors that it
/// comes from; records have all dims.
void Fuser::addPart(llvm::function_ref<Value(FormatElements &, ValueRange)> read, ArrayRef<Value> operands,
                    Type stored) {
  Sizes sizes;
  SmallVector<AffineExpr> exprs;
  SmallVector<int64_t> dims;
  if (format.getGroup() != 0 || stepsAreGroups) {
    sizes.push_back(t.index(padded / group));
    exprs.push_back(t.dim(k));
    dims.push_back(weightDim);
  }
  for (int64_t dim = 0; dim < static_cast<int64_t>(weightExprs.size()); ++dim) {
    bool moves = llvm::any_of(
        operands, [&](Value part) { return !part || cast<RankedTensorType>(part.getType()).getDimSize(dim) != 1; });
    if (dim == weightDim || !moves)
      continue;
    sizes.push_back(t.index(sizeOf(dim)));
    exprs.push_back(translate(weightExprs[dim]));
    dims.push_back(dim);
  }
  inputs.push_back(generate(t, sizes, stored, [&](FormatElements &elements, OpBuilder &b, ArrayRef<Value> place) {
    SmallVector<Value> at(weightExprs.size());
    for (auto [number, dim] : llvm::enumerate(dims))
      at[dim] = dim == weightDim ? arith::MulIOp::create(b, t.loc, place[number], elements.index(group)).getResult()
                                 : place[number];
    for (Value &index : at)
      if (!index)
        index = elements.index(0);
    return elements.round(read(elements, at), stored);
  }));
  maps.push_back(makeMap(exprs));
}

/// The number that all elements of a constant part are.
static std::optional<double> getOnlyNumber(Value part) {
  SplatElementsAttr splat;
  if (!part || !matchPattern(part, m_Constant(&splat)) || !isa<FloatType>(splat.getElementType()))
    return std::nullopt;
  APFloat number = splat.getSplatValue<APFloat>();
  bool inexact;
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &inexact);
  return number.convertToDouble();
}

void Fuser::addParts() {
  Type f32 = rewriter.getF32Type();
  auto keep = [&](Type type) { return isa<Float16Type, BFloat16Type>(type) ? type : f32; };
  if (!format.getSuperScale())
    onlyScale = getOnlyNumber(source.scales);
  onlyMinimum = getOnlyNumber(source.minimums);
  if (format.getScale() && !onlyScale) {
    SmallVector<Value> operands{source.scales};
    if (format.getSuperScale())
      operands.push_back(source.supers);
    scaleInput = inputs.size();
    addPart([&](FormatElements &elements, ValueRange at) { return elements.readScale(source, at); }, operands,
            format.getSuperScale() ? f32 : keep(format.getScale()));
  }
  if (format.getZero()) {
    zeroInput = inputs.size();
    addPart(
        [&](FormatElements &elements, ValueRange at) {
          Value zero = elements.readZero(source, at);
          if (!rebiased)
            return zero;
          Value bias = elements.number(1 << (format.getBits() - 1));
          return arith::AddFOp::create(rewriter, t.loc, zero, bias).getResult();
        },
        {source.zeros}, std::abs(format.getOffset()) <= 1024 ? Type(rewriter.getF16Type()) : f32);
  }
  if (format.getMinimum() && !onlyMinimum) {
    minimumInput = inputs.size();
    addPart([&](FormatElements &elements, ValueRange at) { return elements.readMinimum(source, at); },
            {source.minimums}, keep(format.getMinimum()));
  }
}

/// Bits that a number of `type` has between its first and its last one.
static unsigned countDigits(Type type) {
  if (isa<Float8E8M0FNUType>(type))
    return 1;
  if (auto number = dyn_cast<FloatType>(type))
    return number.getFPMantissaWidth();
  return type.getIntOrFloatBitWidth() - (type.isSignedInteger() ? 1 : 0);
}

/// Whether products of scales with zero points, or with codes where there are minimums, fit an f32.
bool Fuser::canFuse() {
  if (!format.getScale() || !format.isInteger() || format.getCodebook())
    return false;
  unsigned scale = countDigits(format.getScale());
  if (format.getSuperScale())
    scale += countDigits(format.getSuperScale());
  uint64_t offset = std::abs(format.getOffset() + (rebiased ? 1 << (format.getBits() - 1) : 0));
  unsigned zero = offset == 0 ? 0 : llvm::Log2_64(offset) + 1 - llvm::countr_zero(offset);
  if (format.getZero())
    zero = std::max(llvm::Log2_64_Ceil(offset + 1), format.getZero().getIntOrFloatBitWidth()) + 1;
  if (!format.getMinimum())
    return zero + scale <= 24;
  unsigned code = format.getBits();
  if (zero > 0)
    code = std::max({code, llvm::Log2_64_Ceil(offset + 1), zero}) + 1;
  return code + scale <= 24;
}

void Fuser::build() {
  OpOperand *init = contraction.getDpsInitOperand(0);
  SmallVector<AffineExpr> outExprs;
  for (AffineExpr expr : contraction.getMatchingIndexingMap(init).getResults())
    outExprs.push_back(translate(expr));
  maps.push_back(makeMap(outExprs));
  SmallVector<utils::IteratorType> iterators = contraction.getIteratorTypesArray();
  iterators.insert(iterators.begin() + k, 2, utils::IteratorType::reduction);
  Type element = cast<RankedTensorType>(op.getType()).getElementType();
  auto fused = linalg::GenericOp::create(
      rewriter, t.loc, contraction->getResultTypes(), inputs, ValueRange(init->get()), maps, iterators,
      [&](OpBuilder &b, Location loc, ValueRange values) {
        FormatElements elements(b, loc);
        Value code = values[1];
        if (code.getType().getIntOrFloatBitWidth() < 32)
          code = arith::ExtUIOp::create(b, loc, b.getI32Type(), code);
        if (perWord > 1) {
          Value tap = linalg::IndexOp::create(b, loc, k + 2);
          Value shift = arith::MulIOp::create(b, loc, tap, elements.index(slot));
          code = arith::ShRUIOp::create(b, loc, code, arith::IndexCastOp::create(b, loc, b.getI32Type(), shift));
        }
        auto part = [&](unsigned number, std::optional<double> only = std::nullopt) -> Value {
          if (only)
            return elements.number(*only);
          if (number == 0)
            return {};
          Value value = values[number];
          return value.getType().isF32() ? value : arith::ExtFOp::create(b, loc, b.getF32Type(), value).getResult();
        };
        GroupParts parts{part(scaleInput, onlyScale), part(zeroInput), part(minimumInput, onlyMinimum)};
        int64_t offset = format.getOffset() + (rebiased ? 1 << (format.getBits() - 1) : 0);
        if (!parts.zero && offset)
          parts.zero = elements.number(offset);
        Value number = elements.decode(format, code);
        Value value = elements.round(elements.apply(number, parts, canFuse()), element);
        IRMapping mapping;
        mapping.map(contraction.getMatchingBlockArgument(other), values[0]);
        mapping.map(contraction.getMatchingBlockArgument(factor), value);
        mapping.map(contraction.getMatchingBlockArgument(init), values.back());
        for (Operation &inner : contraction.getBlock()->without_terminator())
          b.clone(inner, mapping);
        linalg::YieldOp::create(b, loc,
                                mapping.lookupOrDefault(contraction.getBlock()->getTerminator()->getOperand(0)));
      });
  rewriter.replaceOp(contraction, fused->getResults());
}

bool tolinalg::fuseIntoContraction(IRRewriter &rewriter, DequantizeOp op, linalg::LinalgOp contraction) {
  return Fuser(rewriter, op, contraction).run();
}
