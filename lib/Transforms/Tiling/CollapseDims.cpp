//===- CollapseDims.cpp - neighbouring dims that walk together become one -------------===//
#include "DimClasses.h"
#include "tenon/Transforms/Tiling/Normalize.h"

#include "mlir/Dialect/Affine/Transforms/Transforms.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using tenon::DimClasses;

namespace {

using Groups = SmallVector<ReassociationIndices>;

/// The kernel's body as the collapser sees it: generics, empties, the return, and the rest, which it leaves alone.
class Collapser {
public:
  explicit Collapser(func::FuncOp kernel) : kernel(kernel), body(kernel.getBody().front()) {}

  DenseMap<Operation *, Groups> run() {
    for (BlockArgument argument : body.getArguments())
      addValue(argument);
    for (Operation &op : body)
      for (Value result : op.getResults())
        addValue(result);
    for (Operation &op : body)
      visit(op);
    if (!findMerges())
      return DenseMap<Operation *, Groups>();
    return rewrite();
  }

private:
  void addValue(Value value) {
    if (auto type = dyn_cast<RankedTensorType>(value.getType())) {
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        classes.of(value, dim);
      values.push_back(value);
    }
  }

  void forbidValue(Value value) {
    if (auto type = dyn_cast<RankedTensorType>(value.getType()))
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        classes.forbid(classes.of(value, dim));
  }

  void visit(Operation &op) {
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(op.getRegions(), captured);
    for (Value value : captured)
      forbidValue(value);
    if (isa<tensor::EmptyOp, tensor::DimOp, func::ReturnOp>(op))
      return;
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!generic || !generic.hasPureTensorSemantics()) {
      for (Value value : op.getOperands())
        forbidValue(value);
      for (Value value : op.getResults())
        forbidValue(value);
      return;
    }
    generics.push_back(generic);
    for (OpOperand &operand : generic->getOpOperands()) {
      if (!isa<RankedTensorType>(operand.get().getType()))
        continue;
      for (auto [dim, expr] : llvm::enumerate(generic.getMatchingIndexingMap(&operand).getResults())) {
        unsigned node = classes.of(operand.get(), dim);
        if (auto loop = dyn_cast<AffineDimExpr>(expr)) {
          classes.link(node, classes.of(&op, loop.getPosition()));
          continue;
        }
        classes.forbid(node);
        expr.walk([&](AffineExpr inner) {
          if (auto loop = dyn_cast<AffineDimExpr>(inner))
            classes.forbid(classes.of(&op, loop.getPosition()));
        });
      }
    }
    for (auto [index, result] : llvm::enumerate(generic.getResults()))
      for (int64_t dim = 0; dim < cast<RankedTensorType>(result.getType()).getRank(); ++dim)
        classes.link(classes.of(result, dim), classes.of(generic.getDpsInits()[index], dim));
    generic.walk([&](linalg::IndexOp index) { classes.forbid(classes.of(&op, index.getDim())); });
  }

  /// Whether wherever class `a` or `b` appears among `dims`, `b` follows `a` directly and each appears once.
  static bool adjacent(ArrayRef<unsigned> dims, unsigned a, unsigned b) {
    unsigned countA = llvm::count(dims, a), countB = llvm::count(dims, b);
    if (countA == 0 && countB == 0)
      return true;
    if (countA != 1 || countB != 1)
      return false;
    auto *place = llvm::find(dims, a);
    return place + 1 != dims.end() && place[1] == b;
  }

  SmallVector<unsigned> classesOf(Value value) {
    SmallVector<unsigned> result;
    for (int64_t dim = 0; dim < cast<RankedTensorType>(value.getType()).getRank(); ++dim)
      result.push_back(classes.find(classes.of(value, dim)));
    return result;
  }

  bool canMerge(unsigned a, unsigned b) {
    if (a == b || classes.isForbidden(a) || classes.isForbidden(b))
      return false;
    for (Value value : values)
      if (!adjacent(classesOf(value), a, b))
        return false;
    for (linalg::GenericOp op : generics) {
      SmallVector<unsigned> loops;
      for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
        loops.push_back(classes.find(classes.of(op, loop)));
      if (!adjacent(loops, a, b))
        return false; // also loops in another order: rare, and they would have to be permuted
      for (unsigned loop = 0; loop + 1 < op.getNumLoops(); ++loop)
        if (loops[loop] == a && op.getIteratorTypesArray()[loop] != op.getIteratorTypesArray()[loop + 1])
          return false;
    }
    return true;
  }

  bool findMerges() {
    for (Value value : values) {
      SmallVector<unsigned> dims = classesOf(value);
      for (unsigned dim = 0; dim + 1 < dims.size(); ++dim)
        if (!next.count(dims[dim]) && canMerge(dims[dim], dims[dim + 1]))
          next[dims[dim]] = dims[dim + 1];
    }
    return !next.empty();
  }

  Groups groupsOf(ArrayRef<unsigned> dims) {
    Groups groups;
    for (unsigned dim = 0; dim < dims.size(); ++dim) {
      auto it = dim == 0 ? next.end() : next.find(dims[dim - 1]);
      if (it != next.end() && it->second == dims[dim])
        groups.back().push_back(dim);
      else
        groups.push_back({static_cast<int64_t>(dim)});
    }
    return groups;
  }

  static RankedTensorType collapsedType(RankedTensorType type, const Groups &groups) {
    SmallVector<int64_t> shape;
    for (const ReassociationIndices &group : groups) {
      int64_t size = 1;
      for (int64_t dim : group)
        size =
            type.isDynamicDim(dim) || ShapedType::isDynamic(size) ? ShapedType::kDynamic : size * type.getDimSize(dim);
      shape.push_back(size);
    }
    return RankedTensorType::get(shape, type.getElementType());
  }

  Value collapsed(OpBuilder &builder, Value value) {
    if (Value known = mapping.lookupOrNull(value))
      return known;
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      return value;
    Groups groups = groupsOf(classesOf(value));
    if (static_cast<int64_t>(groups.size()) == type.getRank())
      return value;
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointAfterValue(value);
    Value result;
    if (auto empty = value.getDefiningOp<tensor::EmptyOp>()) {
      RankedTensorType merged = collapsedType(type, groups);
      SmallVector<OpFoldResult> sizes = empty.getMixedSizes();
      SmallVector<Value> dynamic;
      for (auto [dim, group] : llvm::enumerate(groups)) {
        if (!merged.isDynamicDim(dim))
          continue;
        Value size;
        for (int64_t old : group) {
          Value factor = getValueOrCreateConstantIndexOp(builder, value.getLoc(), sizes[old]);
          size = size ? arith::MulIOp::create(builder, value.getLoc(), size, factor).getResult() : factor;
        }
        dynamic.push_back(size);
      }
      result = tensor::EmptyOp::create(builder, value.getLoc(), merged, dynamic);
    } else {
      result = tensor::CollapseShapeOp::create(builder, value.getLoc(), collapsedType(type, groups), value, groups);
    }
    mapping.map(value, result);
    return result;
  }

  DenseMap<Operation *, Groups> rewrite() {
    DenseMap<Operation *, Groups> loopGroups;
    OpBuilder builder(kernel);
    for (linalg::GenericOp op : generics) {
      SmallVector<unsigned> loops;
      for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
        loops.push_back(classes.find(classes.of(op, loop)));
      Groups groups = groupsOf(loops);
      builder.setInsertionPoint(op);
      SmallVector<int64_t> newLoop(op.getNumLoops(), -1);
      SmallVector<utils::IteratorType> iterators;
      for (auto [position, group] : llvm::enumerate(groups)) {
        newLoop[group.front()] = position;
        iterators.push_back(op.getIteratorTypesArray()[group.front()]);
      }
      SmallVector<Value> operands;
      SmallVector<AffineMap> maps;
      for (OpOperand &operand : op->getOpOperands()) {
        operands.push_back(collapsed(builder, operand.get()));
        SmallVector<AffineExpr> results;
        for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
          // Compound expressions only use loops that are alone in their group.
          SmallVector<AffineExpr> replacements;
          for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
            replacements.push_back(newLoop[loop] < 0 ? builder.getAffineConstantExpr(-1)
                                                     : builder.getAffineDimExpr(newLoop[loop]));
          if (auto loop = dyn_cast<AffineDimExpr>(expr); loop && newLoop[loop.getPosition()] < 0)
            continue;
          results.push_back(expr.replaceDims(replacements));
        }
        maps.push_back(AffineMap::get(groups.size(), 0, results, op.getContext()));
      }
      ValueRange inputs = ValueRange(operands).take_front(op.getNumDpsInputs());
      ValueRange inits = ValueRange(operands).drop_front(op.getNumDpsInputs());
      auto created = linalg::GenericOp::create(builder, op.getLoc(), TypeRange(inits), inputs, inits, maps, iterators);
      created.getRegion().takeBody(op.getRegion());
      created.walk([&](linalg::IndexOp index) { index.setDim(newLoop[index.getDim()]); });
      for (auto [old, result] : llvm::zip(op.getResults(), created.getResults()))
        mapping.map(old, result);
      loopGroups[created] = groups;
    }
    // What is not a generic still wants the old shapes.
    for (linalg::GenericOp op : generics)
      for (Value old : op.getResults()) {
        Value now = mapping.lookup(old);
        if (now.getType() == old.getType()) {
          old.replaceAllUsesWith(now);
          continue;
        }
        bool needed = llvm::any_of(old.getUsers(), [](Operation *user) { return !isa<linalg::GenericOp>(user); });
        if (!needed)
          continue;
        auto type = cast<RankedTensorType>(old.getType());
        builder.setInsertionPointAfterValue(now);
        Value shapeSource =
            cast<linalg::GenericOp>(old.getDefiningOp()).getDpsInits()[cast<OpResult>(old).getResultNumber()];
        while (auto producer = shapeSource.getDefiningOp<linalg::GenericOp>())
          shapeSource = producer.getDpsInits()[cast<OpResult>(shapeSource).getResultNumber()];
        SmallVector<OpFoldResult> sizes;
        for (int64_t dim = 0; dim < type.getRank(); ++dim) {
          if (!type.isDynamicDim(dim))
            sizes.push_back(builder.getIndexAttr(type.getDimSize(dim)));
          else if (auto empty = shapeSource.getDefiningOp<tensor::EmptyOp>())
            sizes.push_back(empty.getMixedSizes()[dim]);
          else
            sizes.push_back(tensor::DimOp::create(builder, old.getLoc(), shapeSource, dim).getResult());
        }
        Value expanded =
            tensor::ExpandShapeOp::create(builder, old.getLoc(), type, now, groupsOf(classesOf(old)), sizes);
        old.replaceUsesWithIf(expanded, [](OpOperand &use) { return !isa<linalg::GenericOp>(use.getOwner()); });
      }
    for (linalg::GenericOp op : llvm::reverse(generics))
      op.erase();
    return loopGroups;
  }

  func::FuncOp kernel;
  Block &body;
  DimClasses classes;
  SmallVector<Value> values;
  SmallVector<linalg::GenericOp> generics;
  DenseMap<unsigned, unsigned> next; // class -> the class that is merged behind it
  IRMapping mapping;
};

} // namespace

DenseMap<Operation *, SmallVector<ReassociationIndices>> tenon::collapseKernelDims(func::FuncOp kernel) {
  return Collapser(kernel).run();
}
