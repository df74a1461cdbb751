//===- LinalgExpander.cpp - one linalg op on buffers to loops over vector registers -------===//
//
// Which dim is the vector, which loops carry accumulators, where each operand is loaded. What happens on the
// lanes is VectorRegion's, how lanes meet memory is VectorMemory's business.
//
//===----------------------------------------------------------------------===//
#include "LinalgExpander.h"
#include "Reductions.h"
#include "VectorRegion.h"
#include "tenon/Transforms/Tiling/VectorMemory.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using tenon::Lanes;

namespace {

/// Independent accumulators per output: enough to hide the latency of an addition.
constexpr int64_t kAccumulators = 4;
/// Shorter sums than the first have their lengths looked at; all others are taken to be as long as the second.
constexpr int64_t kShortSum = 8, kUnknownSum = 64;

class Expander {
public:
  Expander(linalg::LinalgOp op, int64_t registerBits, int64_t scheduledLanes, ArrayRef<int64_t> ahead)
      : op(op), loc(op.getLoc()), builder(op), registerBits(registerBits), scheduledLanes(scheduledLanes),
        ahead(ahead) {}

  /// Failure: nothing was made, and plain loops must do.
  LogicalResult run() {
    if (!analyse())
      return failure();
    choosePlan();
    chooseTransposes();
    emit();
    op.erase();
    return success();
  }

private:
  struct Operand {
    Value memref; // null for scalars
    AffineMap map;
    bool output = false, carried = false, read = true;
    unsigned index = 0; // among the outputs
    Operation *combiner = nullptr;
    Value folded;
  };

  bool analyse() {
    if (!op.hasPureBufferSemantics() || op->getNumRegions() != 1)
      return false;
    loops = op.getNumLoops();
    iterators = op.getIteratorTypesArray();
    traits = tenon::analyseRegion(*op.getBlock());
    for (OpOperand &use : op->getOpOperands()) {
      Operand operand;
      operand.map = op.getMatchingIndexingMap(&use);
      if (isa<MemRefType>(use.get().getType()))
        operand.memref = use.get();
      operand.output = op.isDpsInit(&use);
      operand.read = op.payloadUsesValueFromOperand(&use);
      if (operand.output) {
        if (!operand.memref)
          return false;
        operand.index = use.getOperandNumber() - op.getNumDpsInputs();
        for (unsigned loop = 0; loop < loops; ++loop) {
          bool uses = operand.map.isFunctionOfDim(loop);
          if (iterators[loop] == utils::IteratorType::parallel && !uses)
            return false;
          operand.carried |= iterators[loop] != utils::IteratorType::parallel && !uses;
        }
        if (operand.carried) {
          for (unsigned loop = 0; loop < loops; ++loop)
            if (iterators[loop] != utils::IteratorType::parallel && operand.map.isFunctionOfDim(loop))
              return false;
          operand.combiner = tenon::getCombiner(op, operand.index, operand.folded);
        }
      }
      operands.push_back(operand);
    }
    extents.resize(loops);
    for (unsigned loop = 0; loop < loops; ++loop) {
      for (Operand &operand : operands)
        for (auto [dim, expr] : llvm::enumerate(operand.map.getResults()))
          if (auto plain = dyn_cast<AffineDimExpr>(expr);
              plain && plain.getPosition() == loop && operand.memref && !extents[loop])
            extents[loop] = memref::getMixedSize(builder, loc, operand.memref, dim);
      if (!extents[loop])
        return false;
    }
    for (Operand &operand : operands)
      if (operand.memref && !operand.output)
        moveStrideToMap(operand);
    return true;
  }

  /// Sees a memref whose last stride is a constant s as one of stride 1 that the map walks in steps of s: what is
  /// loaded from it are vectors then, of which some lanes are taken.
  void moveStrideToMap(Operand &operand) {
    auto type = cast<MemRefType>(operand.memref.getType());
    SmallVector<int64_t> strides;
    int64_t offset;
    if (type.getRank() == 0 || failed(type.getStridesAndOffset(strides, offset)) || strides.back() < 2)
      return;
    int64_t stride = strides.back(), last = type.getShape().back();
    auto described = memref::ExtractStridedMetadataOp::create(builder, loc, operand.memref);
    SmallVector<OpFoldResult> sizes = described.getConstifiedMixedSizes(),
                              steps = described.getConstifiedMixedStrides();
    SmallVector<int64_t> shape(type.getShape());
    strides.back() = 1;
    steps.back() = builder.getIndexAttr(1);
    shape.back() = ShapedType::isDynamic(last) ? last : last * stride;
    sizes.back() = ShapedType::isDynamic(last)
                       ? arith::MulIOp::create(builder, loc, cast<Value>(sizes.back()), constant(stride)).getResult()
                       : OpFoldResult(builder.getIndexAttr(last * stride));
    auto layout = StridedLayoutAttr::get(builder.getContext(), offset, strides);
    operand.memref = memref::ReinterpretCastOp::create(
        builder, loc, MemRefType::get(shape, type.getElementType(), layout, type.getMemorySpace()),
        described.getBaseBuffer(), described.getConstifiedMixedOffset(), sizes, steps);
    SmallVector<AffineExpr> results(operand.map.getResults());
    results.back() = results.back() * stride;
    operand.map = AffineMap::get(loops, 0, results, builder.getContext());
  }

  /// Elements per lane that each dim of the operand's memref moves along loop `loop`; nullopt where that is not
  /// constant.
  std::optional<SmallVector<int64_t>> stepsAlong(const Operand &operand, int64_t loop) {
    SmallVector<int64_t> steps;
    for (AffineExpr expr : operand.map.getResults()) {
      if (loop < 0 || !expr.isFunctionOfDim(loop)) {
        steps.push_back(0);
        continue;
      }
      // The difference of the expression at d + 1 and at d.
      AffineExpr dim = getAffineDimExpr(loop, op.getContext());
      AffineExpr difference = simplifyAffineExpr(expr.replace(dim, dim + 1) - expr, loops, 0);
      auto constant = dyn_cast<AffineConstantExpr>(difference);
      if (!constant)
        return std::nullopt;
      steps.push_back(constant.getValue());
    }
    return steps;
  }

  int64_t lanesFor() {
    if (scheduledLanes > 1)
      return scheduledLanes;
    int64_t bits = 8;
    auto note = [&](Type type) { bits = std::max<int64_t>(bits, type.isIndex() ? 64 : type.getIntOrFloatBitWidth()); };
    for (Operand &operand : operands)
      if (operand.memref)
        note(cast<MemRefType>(operand.memref.getType()).getElementType());
    return std::max<int64_t>(1, registerBits / bits);
  }

  void choosePlan() {
    int64_t wide = lanesFor();
    lanes = 1;
    vectorLoop = -1;
    if (!traits.vectorizes || wide == 1)
      return;
    double best = traits.cost + 2.0 * operands.size();
    for (int64_t loop = int64_t(loops) - 1; loop >= 0; --loop) {
      std::optional<int64_t> extent = getConstantIntValue(extents[loop]);
      if (extent && *extent < 2)
        continue;
      bool reduction = iterators[loop] != utils::IteratorType::parallel, legal = true;
      double perVector = traits.cost + (reduction ? 1.0 : 0.0);
      for (Operand &operand : operands) {
        if (operand.output && operand.carried && reduction && !operand.combiner)
          legal = false;
        if (!operand.memref)
          continue;
        std::optional<SmallVector<int64_t>> steps = stepsAlong(operand, loop);
        if (!steps) {
          legal = false;
          break;
        }
        bool moves = llvm::any_of(*steps, [](int64_t step) { return step != 0; });
        if (!moves)
          continue;
        SmallVector<int64_t> single = *steps;
        if (single.back() == 2)
          single.back() = 1;
        if (tenon::isContiguous(operand.memref, *steps))
          perVector += operand.output && operand.read ? 2.0 : 1.0;
        else if (!operand.output &&
                 tenon::isContiguous(operand.memref, single)) // every second: two loads and a shuffle
          perVector += 3.0;
        else
          perVector += (operand.output ? 2.5 : 2.0) * wide;
      }
      if (!legal)
        continue;
      // Whether sums run along lanes must not depend on how many there are, on how long they are (but where they are
      // very short), or on whether that is known: a copy of a model for fixed shapes gives the same bits.
      bool looksAt =
          reduction ? (extent && *extent < kShortSum) : !llvm::is_contained(iterators, utils::IteratorType::reduction);
      double used = extent && looksAt ? double(*extent) / (llvm::divideCeil(*extent, wide) * wide) : 0.9;
      double perElement = perVector / (wide * used);
      if (reduction) { // folding the lanes at the end, spread over what is folded
        double folded = 1.0;
        for (unsigned other = 0; other < loops; ++other)
          if (iterators[other] != utils::IteratorType::parallel) {
            int64_t count = getConstantIntValue(extents[other]).value_or(kUnknownSum);
            folded *= count < kShortSum ? count : kUnknownSum;
          }
        perElement += (3.0 * llvm::Log2_64(wide) + 4.0) / std::max(1.0, folded);
      }
      if (perElement < best) {
        best = perElement;
        vectorLoop = loop;
        lanes = wide;
      }
    }
  }

  /// Inputs that run along another loop than the outputs: squares of them are turned in registers.
  void chooseTransposes() {
    if (vectorLoop < 0 || traits.cost > 8 || llvm::is_contained(iterators, utils::IteratorType::reduction))
      return;
    for (Operand &operand : operands)
      if (operand.output && (!tenon::isContiguous(operand.memref, *stepsAlong(operand, vectorLoop)) || operand.read))
        return;
    for (int64_t loop = 0; loop < int64_t(loops); ++loop) {
      std::optional<int64_t> extent = getConstantIntValue(extents[loop]);
      if (loop == vectorLoop || iterators[loop] != utils::IteratorType::parallel || (extent && *extent < 4))
        continue;
      for (auto [number, operand] : llvm::enumerate(operands)) {
        if (operand.output || !operand.memref ||
            cast<MemRefType>(operand.memref.getType()).getElementType().isInteger(1))
          continue;
        std::optional<SmallVector<int64_t>> along = stepsAlong(operand, loop), across = stepsAlong(operand, vectorLoop);
        bool moves = across && llvm::any_of(*across, [](int64_t step) { return step != 0; });
        if (along && moves && tenon::isContiguous(operand.memref, *along) &&
            !tenon::isContiguous(operand.memref, *across))
          turned.push_back(number);
      }
      if (turned.empty())
        continue;
      crossLoop = loop;
      lanes = std::min<int64_t>(lanes, 16);
      return;
    }
  }

  //===--- emission -----------------------------------------------------------------===//

  /// One loaded copy of every operand, one per unrolled vector.
  struct Frame {
    SmallVector<Value> ivs;    // per loop; null where not bound yet
    SmallVector<Lanes> values; // per operand; null where not loaded yet
    int64_t width = 1;         // lanes of this copy
    OpFoldResult count;        // lanes that are there, where not all
  };

  Value constant(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }

  SmallVector<Value> indicesOf(const Operand &operand, ArrayRef<Value> ivs) {
    SmallVector<Value> indices;
    for (AffineExpr expr : operand.map.getResults()) {
      if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
        indices.push_back(ivs[dim.getPosition()]);
        continue;
      }
      indices.push_back(affine::expandAffineExpr(builder, loc, expr, ivs, {}));
    }
    return indices;
  }

  /// Loads every operand all of whose loops are bound and that is not there yet.
  void loadReady(Frame &frame) {
    for (auto [number, operand] : llvm::enumerate(operands)) {
      if (frame.values[number].value || !operand.read || (operand.output && operand.carried))
        continue;
      bool ready = true;
      for (unsigned loop = 0; loop < loops; ++loop)
        ready &= !operand.map.isFunctionOfDim(loop) || frame.ivs[loop];
      if (operand.output) // it is written in the innermost loop: read there
        ready = llvm::all_of(frame.ivs, [](Value iv) { return iv != nullptr; });
      if (!ready)
        continue;
      if (!operand.memref) {
        frame.values[number] = {op->getOperand(number), 0};
        continue;
      }
      frame.values[number] = {load(operand, frame), 0};
    }
  }

  Value load(const Operand &operand, Frame &frame) {
    SmallVector<Value> known = frame.ivs;
    for (Value &iv : known)
      if (!iv)
        iv = zero;
    SmallVector<Value> indices = indicesOf(operand, known);
    SmallVector<int64_t> steps = *stepsAlong(operand, vectorLoop);
    if (frame.width == 1 || llvm::all_of(steps, [](int64_t step) { return step == 0; }))
      return memref::LoadOp::create(builder, loc, operand.memref, indices);
    return tenon::loadVector(builder, loc, operand.memref, indices, steps, frame.width, frame.count);
  }

  void store(const Operand &operand, Frame &frame, Lanes value) {
    SmallVector<Value> known = frame.ivs;
    for (Value &iv : known)
      if (!iv)
        iv = zero;
    SmallVector<int64_t> steps = *stepsAlong(operand, vectorLoop);
    bool moves = frame.width > 1 && llvm::any_of(steps, [](int64_t step) { return step != 0; });
    Value stored = moves ? tenon::asVector(builder, loc, value, frame.width) : value.value;
    tenon::storeVector(builder, loc, stored, operand.memref, indicesOf(operand, known),
                       moves ? ArrayRef<int64_t>(steps) : ArrayRef<int64_t>(), moves ? frame.count : OpFoldResult());
  }

  /// The body once: direct outputs are stored, new values of the carried ones returned.
  SmallVector<Value> body(Frame &frame, ArrayRef<Value> carried) {
    loadReady(frame);
    SmallVector<Lanes> arguments, indices;
    unsigned next = 0;
    for (auto [number, operand] : llvm::enumerate(operands)) {
      if (operand.output && operand.carried)
        arguments.push_back({carried[next++], 0});
      else if (operand.read)
        arguments.push_back(frame.values[number]);
      else // never looked at
        arguments.push_back({Value(), 0});
    }
    for (unsigned loop = 0; loop < loops; ++loop)
      indices.push_back({frame.ivs[loop], frame.width > 1 && static_cast<int64_t>(loop) == vectorLoop ? 1 : 0});
    SmallVector<Lanes> results =
        tenon::cloneRegion(builder, *op.getBlock(), arguments, indices, frame.width, frame.count);
    SmallVector<Value> now;
    for (Operand &operand : operands) {
      if (!operand.output)
        continue;
      if (!operand.carried) {
        store(operand, frame, results[operand.index]);
        continue;
      }
      Value value = tenon::asVector(builder, loc, results[operand.index],
                                    isa<VectorType>(carried[now.size()].getType()) ? frame.width : 1);
      if (frame.count && iterators[vectorLoop] != utils::IteratorType::parallel) {
        // Lanes past the end keep what they had.
        Value mask = vector::CreateMaskOp::create(builder, loc, VectorType::get({frame.width}, builder.getI1Type()),
                                                  getValueOrCreateConstantIndexOp(builder, loc, frame.count));
        value = arith::SelectOp::create(builder, loc, mask, value, carried[now.size()]);
      }
      now.push_back(value);
    }
    return now;
  }

  using Step = llvm::function_ref<SmallVector<Value>(MutableArrayRef<Frame>, ArrayRef<Value>)>;

  /// Loops over `todo` in order around `inner`; `carried` values run through all of them. Each frame gets the loops'
  /// ivs.
  SmallVector<Value> loopOver(ArrayRef<unsigned> todo, ArrayRef<Frame> frames, ArrayRef<Value> carried, Step inner) {
    SmallVector<Frame> mine(frames);
    if (todo.empty())
      return inner(mine, carried);
    unsigned loop = todo.front();
    std::optional<int64_t> extent = getConstantIntValue(extents[loop]);
    if (extent && *extent == 1) {
      for (Frame &frame : mine) {
        frame.ivs[loop] = zero;
        loadReady(frame);
      }
      return loopOver(todo.drop_front(), mine, carried, inner);
    }
    int64_t copies = unrolled * static_cast<int64_t>(frames.size());
    if (extent && *extent > 1 && *extent <= 7 && iterators[loop] != utils::IteratorType::parallel && traits.cost <= 4 &&
        copies * *extent <= 64) {
      // Windows: their loops cost more than what is in them.
      unrolled *= *extent;
      SmallVector<Value> now(carried);
      for (int64_t step = 0; step < *extent; ++step) {
        SmallVector<Frame> each(frames);
        for (Frame &frame : each) {
          frame.ivs[loop] = constant(step);
          loadReady(frame);
        }
        now = loopOver(todo.drop_front(), each, now, inner);
      }
      unrolled /= *extent;
      return now;
    }
    auto forOp = scf::ForOp::create(builder, loc, zero, getValueOrCreateConstantIndexOp(builder, loc, extents[loop]),
                                    one, carried);
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(forOp.getBody());
      for (Frame &frame : mine) {
        frame.ivs[loop] = forOp.getInductionVar();
        loadReady(frame);
      }
      SmallVector<Value> now = loopOver(todo.drop_front(), mine, SmallVector<Value>(forOp.getRegionIterArgs()), inner);
      yield(forOp, now);
    }
    return SmallVector<Value>(forOp.getResults());
  }

  void yield(scf::ForOp forOp, ValueRange values) {
    if (!values.empty())
      scf::YieldOp::create(builder, loc, values);
  }

  /// `count` vectors at `iv`, `iv + lanes`, ...
  SmallVector<Frame> framesAt(const Frame &outer, Value iv, int64_t vectors, int64_t width, OpFoldResult count) {
    SmallVector<Frame> frames;
    for (int64_t number = 0; number < vectors; ++number) {
      Frame frame = outer;
      frame.width = width;
      frame.count = count;
      frame.ivs[vectorLoop] =
          number == 0 ? iv : arith::AddIOp::create(builder, loc, iv, constant(number * width)).getResult();
      loadReady(frame);
      frames.push_back(frame);
    }
    return frames;
  }

  /// Splits the vector loop: blocks of `unroll` vectors, single vectors, and the rest (masked, or element by element).
  /// `visit` gets the place and width of each part and the carried values.
  using Part = llvm::function_ref<SmallVector<Value>(Value iv, int64_t vectors, int64_t width, OpFoldResult count,
                                                     ArrayRef<Value> carried)>;
  SmallVector<Value> splitVectorLoop(int64_t unroll, SmallVector<Value> carried, Part visit) {
    OpFoldResult extent = extents[vectorLoop];
    std::optional<int64_t> constantExtent = getConstantIntValue(extent);
    Value end = getValueOrCreateConstantIndexOp(builder, loc, extent);
    OpFoldResult start = builder.getIndexAttr(0);
    auto floorTo = [&](int64_t step) -> OpFoldResult {
      if (constantExtent)
        return builder.getIndexAttr(*constantExtent / step * step);
      Value rest = arith::RemUIOp::create(builder, loc, end, constant(step));
      return arith::SubIOp::create(builder, loc, end, rest).getResult();
    };
    auto part = [&](OpFoldResult to, int64_t vectors, int64_t width, bool bounded) {
      std::optional<int64_t> from = getConstantIntValue(start), until = getConstantIntValue(to);
      if (from && until && *from >= *until)
        return;
      Value low = getValueOrCreateConstantIndexOp(builder, loc, start),
            high = getValueOrCreateConstantIndexOp(builder, loc, to);
      start = to;
      if (from && until && *until - *from <= vectors * width) { // once
        OpFoldResult count = bounded ? OpFoldResult(builder.getIndexAttr(*until - *from)) : OpFoldResult();
        carried = visit(low, vectors, width, count, carried);
        return;
      }
      auto forOp = scf::ForOp::create(builder, loc, low, high, constant(vectors * width), carried);
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(forOp.getBody());
      OpFoldResult count;
      if (bounded)
        count = arith::SubIOp::create(builder, loc, high, forOp.getInductionVar()).getResult();
      SmallVector<Value> now =
          visit(forOp.getInductionVar(), vectors, width, count, SmallVector<Value>(forOp.getRegionIterArgs()));
      yield(forOp, now);
      carried.assign(forOp.getResults().begin(), forOp.getResults().end());
    };
    if (unroll > 1)
      part(floorTo(unroll * lanes), unroll, lanes, false);
    part(floorTo(lanes), 1, lanes, false);
    part(extent, 1, canMask() ? lanes : 1, canMask());
    return carried;
  }

  bool canMask() {
    if (!traits.masks)
      return false;
    // Strided stores under a mask are branches per lane, and steps below zero would read before the start.
    for (Operand &operand : operands) {
      std::optional<SmallVector<int64_t>> steps = operand.memref ? stepsAlong(operand, vectorLoop) : std::nullopt;
      if (steps && llvm::any_of(*steps, [](int64_t step) { return step < 0; }))
        return false;
    }
    return true;
  }

  void emit() {
    zero = constant(0);
    one = constant(1);
    SmallVector<unsigned> parallel, reductions;
    for (unsigned loop = 0; loop < loops; ++loop)
      if (static_cast<int64_t>(loop) != vectorLoop && static_cast<int64_t>(loop) != crossLoop)
        (iterators[loop] == utils::IteratorType::parallel ? parallel : reductions).push_back(loop);
    Frame root;
    root.ivs.assign(loops, Value());
    root.values.assign(operands.size(), Lanes());
    loadReady(root);
    loopOver(parallel, root, {}, [&](MutableArrayRef<Frame> frames, ArrayRef<Value>) -> SmallVector<Value> {
      Frame &frame = frames.front();
      if (crossLoop >= 0)
        emitSquares(frame);
      else if (vectorLoop < 0)
        emitBlock({frame}, reductions);
      else if (iterators[vectorLoop] == utils::IteratorType::parallel)
        emitParallelVectors(frame, reductions);
      else
        emitReduction(frame, reductions);
      return {};
    });
  }

  /// Carried outputs loaded, all reductions, results stored.
  void emitBlock(ArrayRef<Frame> frames, ArrayRef<unsigned> reductions) {
    SmallVector<Value> carried;
    SmallVector<Frame> mine(frames);
    for (Frame &frame : mine)
      for (Operand &operand : operands)
        if (operand.output && operand.carried) {
          Value value = load(operand, frame);
          carried.push_back(tenon::splat(builder, loc, value, frame.width));
        }
    carried = loopOver(reductions, mine, carried,
                       [&](MutableArrayRef<Frame> inner, ArrayRef<Value> values) { return bodies(inner, values); });
    unsigned next = 0;
    for (Frame &frame : mine)
      for (Operand &operand : operands)
        if (operand.output && operand.carried)
          store(operand, frame, {carried[next++], 0});
  }

  SmallVector<Value> bodies(MutableArrayRef<Frame> frames, ArrayRef<Value> values) {
    SmallVector<Value> now;
    unsigned each = values.size() / frames.size();
    for (auto [number, frame] : llvm::enumerate(frames)) {
      askAhead(frame, number);
      now.append(body(frame, values.slice(number * each, each)));
    }
    return now;
  }

  /// Prefetches what the next unit of work has in the place of vector `number` of this frame, one line after the other.
  void askAhead(Frame &frame, int64_t number) {
    if (frame.width == 1)
      return;
    for (auto [operand, distance] : llvm::zip(operands, ahead)) {
      int64_t bytes = distance == 0 ? 0 : cast<MemRefType>(operand.memref.getType()).getElementTypeBitWidth() / 8;
      if (bytes == 0 || number * frame.width * bytes % 64 != 0 ||
          !tenon::isContiguous(operand.memref, *stepsAlong(operand, vectorLoop)))
        continue;
      SmallVector<Value> known = frame.ivs;
      for (Value &iv : known)
        if (!iv)
          iv = zero;
      SmallVector<Value> indices = indicesOf(operand, known);
      indices.back() = arith::AddIOp::create(builder, loc, indices.back(), constant(distance));
      memref::PrefetchOp::create(builder, loc, operand.memref, indices, /*isWrite=*/false,
                                 /*localityHint=*/2, /*isDataCache=*/true);
    }
  }

  void emitParallelVectors(Frame &frame, ArrayRef<unsigned> reductions) {
    int64_t unroll = reductions.empty() ? 1 : kAccumulators;
    splitVectorLoop(
        unroll, {},
        [&](Value iv, int64_t vectors, int64_t width, OpFoldResult count, ArrayRef<Value>) -> SmallVector<Value> {
          emitBlock(framesAt(frame, iv, vectors, width, count), reductions);
          return {};
        });
  }

  /// Full steps of `loop`, then the rest with its count.
  void stepsOf(int64_t loop, llvm::function_ref<void(Value iv, Value count)> visit) {
    Value end = getValueOrCreateConstantIndexOp(builder, loc, extents[loop]);
    std::optional<int64_t> extent = getConstantIntValue(extents[loop]);
    Value full =
        extent ? constant(*extent / lanes * lanes)
               : arith::SubIOp::create(builder, loc, end, arith::RemUIOp::create(builder, loc, end, constant(lanes)))
                     .getResult();
    auto emitFor = [&](Value from, Value to, bool rest) {
      auto forOp = scf::ForOp::create(builder, loc, from, to, constant(lanes));
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(forOp.getBody());
      Value iv = forOp.getInductionVar();
      visit(iv, rest ? arith::SubIOp::create(builder, loc, to, iv).getResult() : Value());
    };
    if (!extent || *extent >= lanes)
      emitFor(zero, full, false);
    if (!extent || *extent % lanes != 0)
      emitFor(full, end, true);
  }

  /// Rows to columns: interleaving the two halves log2(lanes) times.
  void turn(SmallVector<Value> &rows) {
    int64_t size = rows.size();
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < size / 2; ++lane) {
      low.append({lane, size + lane});
      high.append({size / 2 + lane, size + size / 2 + lane});
    }
    for (int64_t round = 1; round < size; round *= 2) {
      SmallVector<Value> next;
      for (int64_t row = 0; row < size / 2; ++row)
        for (ArrayRef<int64_t> pick : {ArrayRef<int64_t>(low), ArrayRef<int64_t>(high)})
          next.push_back(vector::ShuffleOp::create(builder, loc, rows[row], rows[row + size / 2], pick));
      rows = next;
    }
  }

  /// Squares of lanes x lanes elements: turned inputs are loaded along the cross loop, everything else as usual.
  void emitSquares(Frame &frame) {
    stepsOf(crossLoop, [&](Value cross, Value crossCount) {
      stepsOf(vectorLoop, [&](Value along, Value alongCount) {
        SmallVector<SmallVector<Value>> columns;
        for (unsigned number : turned) {
          Operand &operand = operands[number];
          SmallVector<Value> rows;
          for (int64_t row = 0; row < lanes; ++row) {
            SmallVector<Value> place = frame.ivs;
            Value step = constant(row);
            if (alongCount) // rows past the end repeat the last one
              step = arith::MinSIOp::create(builder, loc, step, arith::SubIOp::create(builder, loc, alongCount, one));
            place[vectorLoop] = arith::AddIOp::create(builder, loc, along, step);
            place[crossLoop] = cross;
            rows.push_back(tenon::loadVector(builder, loc, operand.memref, indicesOf(operand, place),
                                             *stepsAlong(operand, crossLoop), lanes,
                                             crossCount ? OpFoldResult(crossCount) : OpFoldResult()));
          }
          turn(rows);
          columns.push_back(rows);
        }
        for (int64_t column = 0; column < lanes; ++column) {
          OpBuilder::InsertionGuard guard(builder);
          if (crossCount && column > 0) {
            Value inside = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, constant(column), crossCount);
            auto branch = scf::IfOp::create(builder, loc, inside, /*withElseRegion=*/false);
            builder.setInsertionPointToStart(&branch.getThenRegion().front());
          }
          Frame inner = frame;
          inner.width = lanes;
          inner.count = alongCount ? OpFoldResult(alongCount) : OpFoldResult();
          inner.ivs[crossLoop] =
              column == 0 ? cross : arith::AddIOp::create(builder, loc, cross, constant(column)).getResult();
          inner.ivs[vectorLoop] = along;
          for (auto [slot, number] : llvm::enumerate(turned))
            inner.values[number] = {columns[slot][column], 0};
          body(inner, {});
        }
      });
    });
  }

  /// The vector runs along a reduction: accumulators per lane, folded at the end.
  void emitReduction(Frame &frame, ArrayRef<unsigned> reductions) {
    SmallVector<Operand *> outputs;
    for (Operand &operand : operands)
      if (operand.output && operand.carried)
        outputs.push_back(&operand);
    // As many where the extent is known to be short: sums have the same order whether it is known or not.
    int64_t unroll = traits.cost > (registerBits < 512 ? 12 : 24) ? 2 : kAccumulators; // few registers spill
    // All accumulators: vector 0 of each output, then vector 1, ...
    SmallVector<Value> carried;
    for (int64_t number = 0; number < unroll; ++number)
      for (Operand *output : outputs) {
        Value neutral = arith::ConstantOp::create(builder, loc, tenon::getNeutral(output->combiner));
        carried.push_back(tenon::splat(builder, loc, neutral, lanes));
      }
    unsigned each = outputs.size();
    carried = loopOver(reductions, frame, carried, [&](MutableArrayRef<Frame> frames, ArrayRef<Value> values) {
      Frame &inner = frames.front();
      return splitVectorLoop(
          unroll, SmallVector<Value>(values),
          [&](Value iv, int64_t vectors, int64_t width, OpFoldResult count, ArrayRef<Value> accumulators) {
            SmallVector<Frame> parts = framesAt(inner, iv, vectors, width, count);
            SmallVector<Value> now(accumulators);
            if (width == 1 && lanes > 1) {
              // Element by element: lane 0 of the first accumulators takes it.
              SmallVector<Value> scalars;
              for (unsigned output = 0; output < each; ++output)
                scalars.push_back(vector::ExtractOp::create(builder, loc, now[output], 0));
              scalars = body(parts.front(), scalars);
              for (unsigned output = 0; output < each; ++output)
                now[output] = vector::InsertOp::create(builder, loc, scalars[output], now[output], 0);
              return now;
            }
            SmallVector<Value> updated = bodies(parts, ArrayRef<Value>(now).take_front(vectors * each));
            llvm::copy(updated, now.begin());
            return now;
          });
    });
    for (auto [number, output] : llvm::enumerate(outputs)) {
      SmallVector<Value> vectors;
      for (int64_t copy = 0; copy < unroll; ++copy)
        vectors.push_back(carried[copy * each + number]);
      for (; vectors.size() > 1; vectors.resize(vectors.size() / 2))
        for (unsigned pair = 0; pair < vectors.size() / 2; ++pair)
          vectors[pair] = tenon::combine(builder, output->combiner, vectors[pair], vectors[pair + vectors.size() / 2]);
      Value folded = tenon::foldLanes(builder, output->combiner, vectors.front());
      Value old = load(*output, frame);
      store(*output, frame, {tenon::combine(builder, output->combiner, old, folded), 0});
    }
  }

  linalg::LinalgOp op;
  Location loc;
  OpBuilder builder;
  int64_t registerBits, scheduledLanes;
  unsigned loops = 0;
  SmallVector<utils::IteratorType> iterators;
  SmallVector<Operand> operands;
  SmallVector<OpFoldResult> extents;
  tenon::RegionTraits traits;
  int64_t vectorLoop = -1, crossLoop = -1, lanes = 1, unrolled = 1;
  ArrayRef<int64_t> ahead;      // per operand: see expandToVectorLoops
  SmallVector<unsigned> turned; // operands that are loaded along crossLoop
  Value zero, one;
};

} // namespace

LogicalResult tenon::expandToVectorLoops(linalg::LinalgOp op, int64_t registerBits, int64_t lanes,
                                         ArrayRef<int64_t> ahead) {
  return Expander(op, registerBits, lanes, ahead).run();
}
