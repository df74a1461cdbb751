//===- KernelBuilder.cpp - from a group of ops to one tenon.kernel --------------------===//
//
// Isolates a group: captured values become inputs, results get destinations, movements of data are rewritten so that
// they write the destination itself. No decision about grouping is made here.
//
//===----------------------------------------------------------------------===//
#include "KernelBuilder.h"
#include "tenon/Dialect/IR/Formats.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tenon;

bool fusion::isCopiedIntoKernels(Operation *op) {
  if (isa<tensor::EmptyOp, linalg::FillOp, tensor::SplatOp, KVSourceOp, NormalizerOp>(op))
    return true;
  auto constant = dyn_cast<arith::ConstantOp>(op);
  return constant && (!isa<ShapedType>(constant.getType()) || isa<SplatElementsAttr>(constant.getValue()));
}

/// A part of a tensor that kernels read in place. Those that compute want its elements, or every second one, to be what
/// a load brings along the last dim; those that move each element once do not care.
static bool isReadInPlace(Operation *op, bool moves) {
  auto slice = dyn_cast<tensor::ExtractSliceOp>(op);
  if (!slice || slice.getMixedStrides().empty())
    return false;
  OpFoldResult stride = slice.getMixedStrides().back();
  return moves || isConstantIntValue(stride, 1) || isConstantIntValue(stride, 2);
}

bool fusion::isScalarLoop(Operation *op) {
  if (!isa<scf::ForOp, scf::WhileOp>(op))
    return false;
  bool touchesTensors = false;
  WalkResult walk = op->walk([&](Operation *inner) {
    if (isa<tensor::ExtractOp, tensor::InsertOp>(inner))
      touchesTensors = true;
    if (isa<scf::ForOp, scf::WhileOp, scf::IfOp, scf::YieldOp, scf::ConditionOp, tensor::ExtractOp, tensor::InsertOp,
            tensor::DimOp>(inner))
      return WalkResult::advance();
    bool isScalar = isMemoryEffectFree(inner) && llvm::none_of(inner->getResultTypes(), llvm::IsaPred<ShapedType>) &&
                    (isa<arith::ArithDialect, math::MathDialect>(inner->getDialect()) || isa<tenon::LookUpOp>(inner));
    return isScalar ? WalkResult::advance() : WalkResult::interrupt();
  });
  return touchesTensors && !walk.wasInterrupted();
}

/// The names of the model's nodes in `loc`, in order.
static void collectNodes(Location loc, llvm::SetVector<StringAttr> &nodes) {
  if (auto name = dyn_cast<NameLoc>(loc)) // "node (Operator)"
    nodes.insert(StringAttr::get(loc.getContext(), name.getName().getValue().rsplit(" (").first));
  else if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location inner : fused.getLocations())
      collectNodes(inner, nodes);
}

namespace {

class GroupBuilder {
public:
  GroupBuilder(IRRewriter &rewriter, Operation *root, const llvm::SetVector<Operation *> &group)
      : rewriter(rewriter), root(root), group(group), loc(root->getLoc()) {}

  LogicalResult build(StringRef algorithm);

private:
  /// The operand in which the destination of a result enters the group, or null when the result is made from nothing.
  OpOperand *findDestination(Value result);
  /// Host sizes of result `index` of the root.
  FailureOr<SmallVector<OpFoldResult>> getSizes(OpResult result, OpOperand *destination);
  Value makeInit(OpResult result, OpOperand *destination);

  /// The value inside the kernel for `outer`; an input when there is no cheaper way.
  Value map(Value outer);
  Value addInput(Value outer);
  Value mapIndex(Value outer);
  Value findSize(OpOperand &operand, int64_t dim);
  Value getSizeInside(Value value, int64_t dim);
  Value makeScratch(OpOperand &operand, Value outer);
  void cloneMember(Operation *op);
  Value buildMovement(Operation *op, Value init);
  Value getDim(Value tensor, int64_t dim) {
    auto type = cast<RankedTensorType>(tensor.getType());
    if (!type.isDynamicDim(dim))
      return arith::ConstantIndexOp::create(rewriter, loc, type.getDimSize(dim));
    return tensor::DimOp::create(rewriter, loc, tensor, dim);
  }
  OpFoldResult getSize(Value tensor, int64_t dim) {
    auto type = cast<RankedTensorType>(tensor.getType());
    if (!type.isDynamicDim(dim))
      return rewriter.getIndexAttr(type.getDimSize(dim));
    return tensor::DimOp::create(rewriter, loc, tensor, dim).getResult();
  }
  OpFoldResult add(OpFoldResult a, OpFoldResult b) {
    auto x = getConstantIntValue(a), y = getConstantIntValue(b);
    if (x && y)
      return rewriter.getIndexAttr(*x + *y);
    if (y && *y == 0)
      return a;
    if (x && *x == 0)
      return b;
    return arith::AddIOp::create(rewriter, loc, getValueOrCreateConstantIndexOp(rewriter, loc, a),
                                 getValueOrCreateConstantIndexOp(rewriter, loc, b))
        .getResult();
  }

  IRRewriter &rewriter;
  Operation *root;
  const llvm::SetVector<Operation *> &group;
  Location loc;

  bool readsSlices = false; ///< slices of inputs are taken inside the kernel
  Block *body = nullptr;
  SmallVector<Value> inputs;                 ///< host values, in the order of the body's arguments
  SmallVector<Value> inits;                  ///< host values of the destinations
  SmallVector<Value> initArguments;          ///< stand-ins inside the body until all inputs are known
  DenseMap<OpOperand *, Value> destinations; ///< operand of a member -> init argument
  IRMapping mapping;
};

OpOperand *GroupBuilder::findDestination(Value result) {
  Operation *op = result.getDefiningOp();
  unsigned index = cast<OpResult>(result).getResultNumber();
  OpOperand *operand = nullptr;
  if (auto destination = dyn_cast<DestinationStyleOpInterface>(op))
    operand = destination.getTiedOpOperand(cast<OpResult>(result));
  else if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
    operand = &insert.getDestMutable();
  else if (auto insert = dyn_cast<tensor::InsertOp>(op))
    operand = &insert.getDestMutable();
  else if (auto loop = dyn_cast<scf::ForOp>(op))
    operand = &loop.getInitArgsMutable()[index];
  else
    return nullptr;
  Operation *producer = operand->get().getDefiningOp();
  if (producer && group.contains(producer))
    return findDestination(operand->get());
  return operand;
}

/// Whether the op reads what its destination holds before.
static bool readsDestination(OpOperand &operand) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(operand.getOwner()))
    return linalgOp.payloadUsesValueFromOperand(&operand);
  return true;
}

/// Whether `operand` is a place to write, which no other op of the kernel should share: every user gets a tensor of its
/// own.
static bool isPlace(OpOperand &operand) {
  if (!operand.get().getDefiningOp<tensor::EmptyOp>() && !operand.get().getDefiningOp<linalg::FillOp>())
    return false;
  if (auto destination = dyn_cast<DestinationStyleOpInterface>(operand.getOwner()))
    return destination.isDpsInit(&operand);
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(operand.getOwner()))
    return operand.get() == insert.getDest();
  return isa<scf::ForOp, tensor::InsertOp>(operand.getOwner());
}

FailureOr<SmallVector<OpFoldResult>> GroupBuilder::getSizes(OpResult result, OpOperand *destination) {
  auto type = cast<RankedTensorType>(result.getType());
  SmallVector<OpFoldResult> sizes;
  for (int64_t dim : type.getShape())
    sizes.push_back(rewriter.getIndexAttr(dim));
  if (type.hasStaticShape())
    return sizes;
  Operation *op = result.getOwner();
  if (destination) {
    Value place = destination->get();
    if (auto fill = place.getDefiningOp<linalg::FillOp>())
      place = fill.getOutputs()[0];
    if (auto empty = place.getDefiningOp<tensor::EmptyOp>())
      return empty.getMixedSizes();
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      sizes[dim] = getSize(destination->get(), dim);
    return sizes;
  }
  if (auto pad = dyn_cast<tensor::PadOp>(op)) {
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        sizes[dim] = add(add(getSize(pad.getSource(), dim), pad.getMixedLowPad()[dim]), pad.getMixedHighPad()[dim]);
    return sizes;
  }
  if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      if (!type.isDynamicDim(dim))
        continue;
      sizes[dim] = getSize(concat.getInputs()[0], dim);
      if (dim == static_cast<int64_t>(concat.getDim()))
        for (Value input : concat.getInputs().drop_front())
          sizes[dim] = add(sizes[dim], getSize(input, dim));
    }
    return sizes;
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    SmallVector<OpFoldResult> kept;
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    for (auto [dim, size] : llvm::enumerate(slice.getMixedSizes()))
      if (!dropped.test(dim))
        kept.push_back(size);
    return kept;
  }
  ValueRange extents;
  if (auto generate = dyn_cast<tensor::GenerateOp>(op))
    extents = generate.getDynamicExtents();
  else if (auto splat = dyn_cast<tensor::SplatOp>(op))
    extents = splat.getDynamicSizes();
  else
    return op->emitError("the size of the result of '") << op->getName() << "' is not known before it is computed";
  unsigned next = 0;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (type.isDynamicDim(dim))
      sizes[dim] = extents[next++];
  return sizes;
}

/// The destination of `result` on the host: new memory, or, when the group updates a tensor in place, that tensor.
Value GroupBuilder::makeInit(OpResult result, OpOperand *destination) {
  if (destination && !isPlace(*destination) && readsDestination(*destination))
    return destination->get();
  FailureOr<SmallVector<OpFoldResult>> sizes = getSizes(result, destination);
  if (failed(sizes))
    return {};
  auto type = cast<RankedTensorType>(result.getType());
  return tensor::EmptyOp::create(rewriter, loc, *sizes, type.getElementType(), type.getEncoding()).getResult();
}

Value GroupBuilder::addInput(Value outer) {
  inputs.push_back(outer);
  // Inits come last; inputs are found one by one.
  Value argument = body->insertArgument(inputs.size() - 1, outer.getType(), outer.getLoc());
  mapping.map(outer, argument);
  return argument;
}

/// Sizes are read off tensors that the kernel has anyway, so that equal kernels look equal and get no needless inputs.
Value GroupBuilder::mapIndex(Value outer) {
  for (auto [init, argument] : llvm::zip(inits, initArguments)) {
    auto empty = init.getDefiningOp<tensor::EmptyOp>();
    if (!empty)
      continue;
    for (auto [dim, size] : llvm::enumerate(empty.getMixedSizes()))
      if (dyn_cast<Value>(size) == outer)
        return tensor::DimOp::create(rewriter, loc, argument, dim);
  }
  if (auto dim = outer.getDefiningOp<tensor::DimOp>())
    if (auto position = getConstantIntValue(dim.getDimension()))
      if (Value tensor = mapping.lookupOrNull(dim.getSource()))
        return tensor::DimOp::create(rewriter, loc, tensor, *position);
  return {};
}

Value GroupBuilder::map(Value outer) {
  if (Value inner = mapping.lookupOrNull(outer))
    return inner;
  Operation *producer = outer.getDefiningOp();
  if (producer && (fusion::isCopiedIntoKernels(producer) ||
                   (readsSlices && isReadInPlace(producer, isa<tensor::InsertSliceOp>(root))))) {
    cloneMember(producer);
    return mapping.lookup(outer);
  }
  if (outer.getType().isIndex())
    if (Value inner = mapIndex(outer)) {
      mapping.map(outer, inner);
      return inner;
    }
  return addInput(outer);
}

/// The size of dim `dim` of a structured op's destination, read off an operand inside the kernel that the same loop
/// runs over; null when there is none.
Value GroupBuilder::findSize(OpOperand &operand, int64_t dim) {
  auto op = dyn_cast<linalg::LinalgOp>(operand.getOwner());
  if (!op)
    return {};
  AffineExpr loop = op.getMatchingIndexingMap(&operand).getResult(dim);
  if (!isa<AffineDimExpr>(loop))
    return {};
  for (OpOperand *input : op.getDpsInputOperands()) {
    Value inner = mapping.lookupOrNull(input->get());
    if (!inner || !isa<RankedTensorType>(inner.getType()))
      continue;
    for (auto [position, expr] : llvm::enumerate(op.getMatchingIndexingMap(input).getResults()))
      if (expr == loop)
        return getSizeInside(inner, position);
  }
  return {};
}

/// A size of a value of the body that depends on no intermediate result, so that it is known before any is computed.
Value GroupBuilder::getSizeInside(Value value, int64_t dim) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto destination = dyn_cast<DestinationStyleOpInterface>(op)) {
      value = destination.getTiedOpOperand(cast<OpResult>(value))->get();
    } else if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
      value = insert.getDest();
    } else if (auto empty = dyn_cast<tensor::EmptyOp>(op)) {
      return getValueOrCreateConstantIndexOp(rewriter, loc, empty.getMixedSizes()[dim]);
    } else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op);
               slice && slice.getType().getRank() == slice.getSourceType().getRank()) {
      return getValueOrCreateConstantIndexOp(rewriter, loc, slice.getMixedSizes()[dim]);
    } else {
      break;
    }
  }
  return getDim(value, dim);
}

/// A tensor.empty inside the kernel with the shape of the place `operand`, which is `outer` or a fill of it.
Value GroupBuilder::makeScratch(OpOperand &operand, Value outer) {
  auto empty = outer.getDefiningOp<tensor::EmptyOp>();
  SmallVector<OpFoldResult> sizes;
  auto type = cast<RankedTensorType>(outer.getType());
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    if (!type.isDynamicDim(dim))
      sizes.push_back(rewriter.getIndexAttr(type.getDimSize(dim)));
    else if (Value size = findSize(operand, dim))
      sizes.push_back(size);
    else if (empty)
      sizes.push_back(map(empty.getDynamicSize(dim)));
    else
      sizes.push_back(tensor::DimOp::create(rewriter, loc, map(outer), dim).getResult());
  }
  return tensor::EmptyOp::create(rewriter, loc, sizes, type.getElementType());
}

/// Copies `op` to the end of the body, with everything that it reads mapped.
void GroupBuilder::cloneMember(Operation *op) {
  // Tensors first: sizes may be read off them.
  for (bool tensors : {true, false})
    op->walk([&](Operation *inner) {
      for (OpOperand &operand : inner->getOpOperands()) {
        Value value = operand.get();
        if (isa<ShapedType>(value.getType()) != tensors || destinations.contains(&operand) ||
            (inner == op && isPlace(operand)))
          continue;
        Region *owner = value.getParentRegion();
        if (owner && !op->isAncestor(owner->getParentOp()))
          map(value);
      }
    });
  // Places to write: the kernel's destination, or scratch.
  SmallVector<std::pair<unsigned, Value>> places;
  for (OpOperand &operand : op->getOpOperands()) {
    Value argument = destinations.lookup(&operand);
    if (!argument && !isPlace(operand))
      continue;
    auto fill = operand.get().getDefiningOp<linalg::FillOp>();
    Value place = argument ? argument : makeScratch(operand, fill ? fill.getOutputs()[0] : operand.get());
    if (fill)
      place = linalg::FillOp::create(rewriter, fill.getLoc(), ValueRange(map(fill.getInputs()[0])), ValueRange(place))
                  .getResult(0);
    places.emplace_back(operand.getOperandNumber(), place);
  }
  IRMapping local(mapping);
  Operation *copy = rewriter.clone(*op, local);
  for (auto [number, place] : places)
    copy->setOperand(number, place);
  mapping.map(op->getResults(), copy->getResults());
}

/// Rewrites an op that makes its result from nothing so that it writes `init`.
Value GroupBuilder::buildMovement(Operation *op, Value init) {
  auto type = cast<RankedTensorType>(init.getType());
  SmallVector<OpFoldResult> ones(type.getRank(), rewriter.getIndexAttr(1));
  if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
    SmallVector<OpFoldResult> offsets(type.getRank(), rewriter.getIndexAttr(0));
    for (Value input : concat.getInputs()) {
      Value source = map(input);
      SmallVector<OpFoldResult> sizes;
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        sizes.push_back(getSize(source, dim));
      init = tensor::InsertSliceOp::create(rewriter, loc, source, init, offsets, sizes, ones);
      offsets[concat.getDim()] = add(offsets[concat.getDim()], sizes[concat.getDim()]);
    }
    return init;
  }
  auto mapMixed = [&](ArrayRef<OpFoldResult> mixed) {
    return llvm::map_to_vector(mixed, [&](OpFoldResult entry) -> OpFoldResult {
      if (auto value = dyn_cast<Value>(entry))
        return map(value);
      return entry;
    });
  };
  if (auto pad = dyn_cast<tensor::PadOp>(op)) {
    Value constant = pad.getConstantPaddingValue();
    if (!constant)
      return {};
    Value source = map(pad.getSource());
    // Negative pads crop: what is left of the source goes to the place that is left of the destination.
    SmallVector<OpFoldResult> low = mapMixed(pad.getMixedLowPad()), sizes;
    for (auto [entry, high] : llvm::zip(low, pad.getMixedHighPad()))
      if (getConstantIntValue(entry).value_or(0) < 0 || getConstantIntValue(high).value_or(0) < 0)
        return {};
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      sizes.push_back(getSize(source, dim));
    Value filled = linalg::FillOp::create(rewriter, loc, ValueRange(map(constant)), ValueRange(init)).getResult(0);
    return tensor::InsertSliceOp::create(rewriter, loc, source, filled, low, sizes, ones);
  }
  if (auto splat = dyn_cast<tensor::SplatOp>(op))
    return linalg::FillOp::create(rewriter, loc, ValueRange(map(splat.getInput())), ValueRange(init)).getResult(0);
  if (auto generate = dyn_cast<tensor::GenerateOp>(op)) {
    Block &from = generate.getBody().front();
    // Everything captured is mapped before the new op is made, so that it is outside of its region.
    generate.getBody().walk([&](Operation *inner) {
      for (Value value : inner->getOperands())
        if (!generate->isAncestor(value.getParentRegion()->getParentOp()))
          map(value);
    });
    SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
    auto generic = linalg::GenericOp::create(
        rewriter, loc, TypeRange(type), ValueRange(), ValueRange(init),
        ArrayRef(rewriter.getMultiDimIdentityMap(type.getRank())), iterators,
        [&](OpBuilder &builder, Location loc, ValueRange) {
          IRMapping local(mapping);
          for (auto [dim, argument] : llvm::enumerate(from.getArguments()))
            local.map(argument, linalg::IndexOp::create(builder, loc, dim).getResult());
          for (Operation &inner : from.without_terminator())
            builder.clone(inner, local);
          linalg::YieldOp::create(builder, loc, local.lookupOrDefault(from.getTerminator()->getOperand(0)));
        });
    return generic.getResult(0);
  }
  cloneMember(op);
  return linalg::CopyOp::create(rewriter, loc, ValueRange(mapping.lookup(op->getResult(0))), ValueRange(init))
      .getResult(0);
}

LogicalResult GroupBuilder::build(StringRef algorithm) {
  SmallVector<Operation *> members(group.begin(), group.end());
  llvm::sort(members, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });

  readsSlices = algorithm == "elementwise" || algorithm == "rows" || isa<tensor::InsertSliceOp>(root);
  // Destinations. Results that are scalars leave the kernel in a tensor of rank 0.
  rewriter.setInsertionPoint(root);
  SmallVector<OpOperand *> entries;
  SmallVector<OpResult> results;
  for (OpResult result : root->getResults()) {
    OpOperand *destination = nullptr;
    if (!isa<RankedTensorType>(result.getType()) && result.use_empty())
      continue;
    results.push_back(result);
    if (isa<RankedTensorType>(result.getType())) {
      destination = findDestination(result);
      // One destination serves one result.
      if (destination && llvm::is_contained(entries, destination))
        return root->emitError("two results of a kernel share a destination");
      Value init = makeInit(result, destination);
      if (!init)
        return failure();
      inits.push_back(init);
    } else {
      Type element = result.getType().isIndex() ? rewriter.getI64Type() : result.getType();
      inits.push_back(tensor::EmptyOp::create(rewriter, loc, ArrayRef<int64_t>(), element).getResult());
    }
    entries.push_back(destination);
  }

  llvm::SetVector<StringAttr> nodes;
  SmallVector<Location> locations;
  for (Operation *member : members) {
    collectNodes(member->getLoc(), nodes);
    locations.push_back(member->getLoc());
  }
  loc = rewriter.getFusedLoc(locations);

  // The body; its arguments for inputs are added as they are found.
  Region region;
  body = &region.emplaceBlock();
  for (auto [init, destination] : llvm::zip(inits, entries)) {
    Value argument = body->addArgument(init.getType(), loc);
    initArguments.push_back(argument);
    if (destination)
      destinations[destination] = argument;
  }
  rewriter.setInsertionPointToStart(body);
  SmallVector<Value> yielded;
  for (Operation *member : members)
    if (member != root)
      cloneMember(member);
  bool isMovement = root->getNumResults() == 1 && !entries[0] && isa<RankedTensorType>(root->getResult(0).getType());
  if (isMovement) {
    Value moved = buildMovement(root, initArguments[0]);
    if (!moved) {
      cloneMember(root);
      moved = linalg::CopyOp::create(rewriter, loc, ValueRange(mapping.lookup(root->getResult(0))),
                                     ValueRange(initArguments[0]))
                  .getResult(0);
    }
    yielded.push_back(moved);
  } else {
    cloneMember(root);
    for (auto [result, init, destination] : llvm::zip(results, initArguments, entries)) {
      Value inner = mapping.lookup(result);
      if (isa<RankedTensorType>(result.getType())) {
        if (!destination)
          inner = linalg::CopyOp::create(rewriter, loc, ValueRange(inner), ValueRange(init)).getResult(0);
      } else {
        if (inner.getType().isIndex())
          inner = arith::IndexCastOp::create(rewriter, loc, rewriter.getI64Type(), inner);
        inner = tensor::InsertOp::create(rewriter, loc, inner, init, ValueRange());
      }
      yielded.push_back(inner);
    }
  }
  YieldOp::create(rewriter, loc, yielded);

  rewriter.setInsertionPoint(root);
  auto kernel = KernelOp::create(rewriter, loc, ValueRange(inits).getTypes(), inputs, inits);
  kernel.getBody().takeBody(region);
  kernel->setAttr("tenon.algorithm", rewriter.getStringAttr(algorithm));
  kernel->setAttr("tenon.nodes", rewriter.getArrayAttr(SmallVector<Attribute>(nodes.begin(), nodes.end())));

  for (auto [result, kernelResult] : llvm::zip(results, kernel.getResults())) {
    Value value = kernelResult;
    if (!isa<RankedTensorType>(result.getType())) {
      value = tensor::ExtractOp::create(rewriter, loc, value, ValueRange());
      if (result.getType().isIndex())
        value = arith::IndexCastOp::create(rewriter, loc, rewriter.getIndexType(), value);
    }
    rewriter.replaceAllUsesWith(result, value);
  }
  rewriter.eraseOp(root);
  for (Operation *member : llvm::reverse(members))
    if (member != root)
      rewriter.eraseOp(member);
  return success();
}

} // namespace

LogicalResult fusion::buildKernel(IRRewriter &rewriter, Operation *root, const llvm::SetVector<Operation *> &group,
                                  StringRef algorithm) {
  return GroupBuilder(rewriter, root, group).build(algorithm);
}
