//===- ControlFlow.cpp - If, Loop, Scan ------------------------------------------------===//
//
// Subgraphs become regions of scf ops on tensors. A condition that is known at import is folded: only its branch is
// imported.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tenon::onnx;

/// Whether a size may be used after the region that `block` is part of.
static bool definedOutside(OpFoldResult d, Operation *op) {
  Value v = dyn_cast<Value>(d);
  return !v || v.getParentRegion()->isAncestor(op->getParentRegion());
}

FailureOr<SmallVector<V>> Emitter::branch(Value cond, Branch then, Branch otherwise) {
  APInt known;
  if (matchPattern(cond, m_ConstantInt(&known)))
    return known.isZero() ? otherwise() : then();
  // The result types are known only after both sides: emit into an op without results, then move the regions.
  auto draft = scf::IfOp::create(b, TypeRange(), cond, /*addThenBlock=*/true, /*addElseBlock=*/true);
  FailureOr<SmallVector<V>> sides[2];
  SmallVector<Value> tensors[2];
  for (int i = 0; i < 2; ++i) {
    OpBuilder::InsertionGuard guard(b);
    Block *block = i == 0 ? draft.thenBlock() : draft.elseBlock();
    if (!block->empty())
      block->back().erase();
    b.setInsertionPointToEnd(block);
    sides[i] = i == 0 ? then() : otherwise();
    if (failed(sides[i]))
      return failure();
    for (const V &v : *sides[i]) {
      if (!v)
        return failure();
      tensors[i].push_back(tensor(v));
    }
  }
  if (sides[0]->size() != sides[1]->size()) {
    imp.report(imp.current + ": the branches have " + Twine(sides[0]->size()) + " and " + Twine(sides[1]->size()) +
               " results");
    return failure();
  }
  SmallVector<Type> types;
  SmallVector<Dims> dims;
  for (auto [x, y] : llvm::zip(*sides[0], *sides[1])) {
    // Exporters write "squeeze where the dim is 1" as an If whose sides differ in rank: take the side of the true
    // condition and check it at run time.
    auto compare = cond.getDefiningOp<arith::CmpIOp>();
    if (x->dtype == y->dtype && x->rank() != y->rank() && compare &&
        compare.getPredicate() == arith::CmpIPredicate::eq && matchPattern(compare.getRhs(), m_One())) {
      draft.erase();
      check(cond, "the branches differ in rank; only that of a true condition is supported");
      return then();
    }
    if (x->dtype != y->dtype || x->rank() != y->rank()) {
      imp.report(imp.current + ": results of the branches differ in " +
                 (x->dtype != y->dtype ? "element type: " + dtypeName(x->dtype) + " and " + dtypeName(y->dtype)
                                       : "rank: " + Twine(x->rank()) + " and " + Twine(y->rank())));
      return failure();
    }
    Dims unified;
    for (auto [dx, dy] : llvm::zip(x->dims, y->dims))
      unified.push_back(same(dx, dy) && definedOutside(dx, draft) ? dx : OpFoldResult());
    Ints shape;
    for (OpFoldResult d : unified)
      shape.push_back(d ? getConstantIntValue(d).value_or(ShapedType::kDynamic) : ShapedType::kDynamic);
    types.push_back(RankedTensorType::get(shape, type(x->dtype)));
    dims.push_back(unified);
  }
  auto op = scf::IfOp::create(b, types, cond, /*addThenBlock=*/true, /*addElseBlock=*/true);
  op.getThenRegion().takeBody(draft.getThenRegion());
  op.getElseRegion().takeBody(draft.getElseRegion());
  draft.erase();
  for (int i = 0; i < 2; ++i) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(i == 0 ? op.thenBlock() : op.elseBlock());
    for (auto [t, want] : llvm::zip(tensors[i], types))
      if (t.getType() != want)
        t = tensor::CastOp::create(b, want, t);
    scf::YieldOp::create(b, tensors[i]);
  }
  SmallVector<V> results;
  for (auto [i, r] : llvm::enumerate(op.getResults())) {
    Dims d = dims[i];
    for (auto [k, size] : llvm::enumerate(d))
      if (!size)
        size = norm(b.createOrFold<tensor::DimOp>(r, k));
    results.push_back(value((*sides[0])[i]->dtype, r, d));
  }
  return results;
}

namespace {

LogicalResult ifNode(Node &n) {
  const proto::Graph *then = n.attrGraph("then_branch"), *otherwise = n.attrGraph("else_branch");
  V c = n.in(0);
  if (!then || !otherwise || !c || c->dtype != proto::Bool || c->count() != 1)
    return n.fail("expected a condition of one element and two branches");
  auto results =
      n.branch(n.truth(c), [&] { return n.imp.subgraph(*then, {}); }, [&] { return n.imp.subgraph(*otherwise, {}); });
  if (failed(results))
    return failure();
  if (results->size() < n.outputs.size())
    return n.fail("the branches have " + Twine(results->size()) + " results, but the node " + Twine(n.outputs.size()) +
                  " outputs");
  for (unsigned i = 0; i < n.outputs.size(); ++i)
    if (failed(n.out(i, (*results)[i])))
      return failure();
  return success();
}

/// The element types and ranks that the carried values keep; sizes that a body changes are dynamic.
struct Carried {
  V initial;
  Dims dims; // null where it may change
  Type type;
};

/// Appends `row` (one entry) to the growing tensor `all` along dim 0, at position `at` of `capacity`.
Value insertRow(Node &n, Value all, const V &row, OpFoldResult at) {
  Dims offsets(row->rank() + 1, n.idx(0)), sizes{n.idx(1)}, strides(row->rank() + 1, n.idx(1));
  sizes.append(row->dims.begin(), row->dims.end());
  offsets[0] = at;
  return tensor::InsertSliceOp::create(n.b, n.tensor(row), all, offsets, sizes, strides);
}

/// Imports a loop body twice if need be: first to see which sizes it changes. `emit` builds the loop for given types.
FailureOr<SmallVector<V>> tryBody(Node &n, const proto::Graph &body, ArrayRef<V> parameters) {
  return n.imp.subgraph(body, parameters);
}

LogicalResult loopNode(Node &n) {
  const proto::Graph *body = n.attrGraph("body");
  if (!body || body->inputs.size() < 2)
    return n.fail("expected a body with at least two inputs");
  unsigned state = n.inputs.size() > 2 ? n.inputs.size() - 2 : 0;
  if (body->inputs.size() != state + 2 || body->outputs.size() < state + 1)
    return n.fail("the body's inputs and outputs do not fit the node's");
  for (unsigned i = 0; i < state; ++i)
    if (!n.in(2 + i))
      return n.fail("an initial value is missing");
  unsigned scans = body->outputs.size() - 1 - state;
  OpFoldResult trip;
  if (n.has(0)) {
    FailureOr<Dims> t = n.toIndices(n.in(0));
    if (failed(t) || t->size() != 1)
      return n.fail("expected a trip count of one element");
    trip = n.max((*t)[0], n.idx(0));
  } else {
    trip = n.idx(INT64_MAX);
    if (scans)
      return n.fail("scan outputs of a loop without a trip count are not supported");
  }
  Value start = n.has(1) ? n.truth(n.in(1)) : Value(arith::ConstantOp::create(n.b, n.b.getBoolAttr(true)));
  // Pass 1 (a throw-away region) finds sizes and element types, with all carried sizes as they come in.
  SmallVector<Carried> carried;
  for (unsigned i = 0; i < state; ++i)
    carried.push_back({n.in(2 + i), n.in(2 + i)->dims, {}});
  SmallVector<V> rows;
  auto parametersOf = [&](Value iteration, ArrayRef<V> values) {
    Value i64 = n.b.createOrFold<arith::IndexCastOp>(n.b.getI64Type(), iteration);
    SmallVector<V> p{n.known(proto::Int64, {}, {OpFoldResult(i64)}),
                     n.known(proto::Bool, {}, {OpFoldResult(n.b.getBoolAttr(true))})};
    p.append(values.begin(), values.end());
    return p;
  };
  for (int pass = 0; pass < 3; ++pass) {
    Value zero = arith::ConstantIndexOp::create(n.b, 0);
    auto draft = scf::ForOp::create(n.b, zero, n.index(n.idx(1)), n.index(n.idx(1)));
    bool changed = false;
    {
      OpBuilder::InsertionGuard guard(n.b);
      n.b.setInsertionPointToStart(draft.getBody());
      SmallVector<V> values;
      for (Carried &c : carried) {
        Dims dims;
        Ints shape;
        for (OpFoldResult d : c.dims)
          shape.push_back(d ? getConstantIntValue(d).value_or(ShapedType::kDynamic) : ShapedType::kDynamic);
        c.type = RankedTensorType::get(shape, n.type(c.initial->dtype));
        Value stand = tensor::CastOp::create(
            n.b, RankedTensorType::get(Ints(shape.size(), ShapedType::kDynamic), n.type(c.initial->dtype)),
            n.tensor(c.initial));
        stand = tensor::CastOp::create(n.b, c.type, stand);
        for (auto [k, d] : llvm::enumerate(c.dims))
          dims.push_back(d ? d : n.norm(n.b.createOrFold<tensor::DimOp>(stand, k)));
        values.push_back(n.value(c.initial->dtype, stand, dims));
      }
      auto results = tryBody(n, *body, parametersOf(draft.getInductionVar(), values));
      if (failed(results))
        return failure();
      for (unsigned i = 0; i < state; ++i) {
        V r = (*results)[1 + i];
        if (r->dtype != carried[i].initial->dtype || r->rank() != carried[i].initial->rank())
          return n.fail("carried value " + Twine(i) + " changes its element type or rank");
        for (auto [k, d] : llvm::enumerate(carried[i].dims))
          if (d && !n.same(d, r->dims[k])) {
            d = OpFoldResult();
            changed = true;
          }
      }
      rows.assign(results->begin() + 1 + state, results->end());
      for (auto [i, r] : llvm::enumerate(rows)) {
        auto copy = std::make_shared<Val>();
        copy->dtype = r->dtype;
        copy->dims = r->dims;
        const proto::ValueInfo &declared = body->outputs[1 + state + i];
        for (auto [k, d] : llvm::enumerate(copy->dims)) {
          if (definedOutside(d, draft))
            continue;
          if (k >= declared.dims.size() || declared.dims[k].value < 0)
            return n.fail("a scan output whose size differs from step to step is not supported");
          d = n.idx(declared.dims[k].value);
        }
        r = copy;
      }
    }
    draft.erase();
    if (!changed)
      break;
  }
  // The loop: (i, going, carried..., scans...).
  SmallVector<Value> init{arith::ConstantIndexOp::create(n.b, 0), start};
  for (Carried &c : carried) {
    Value t = n.tensor(c.initial);
    if (t.getType() != c.type)
      t = tensor::CastOp::create(n.b, c.type, t);
    init.push_back(t);
  }
  SmallVector<Dims> rowDims;
  for (const V &r : rows) {
    Dims dims{trip};
    dims.append(r->dims.begin(), r->dims.end());
    rowDims.push_back(dims);
    init.push_back(n.empty(r->dtype, dims));
  }
  SmallVector<Type> types = llvm::map_to_vector(init, [](Value v) { return v.getType(); });
  Value limit = n.index(trip);
  auto loop = scf::WhileOp::create(n.b, types, init);
  SmallVector<Location> locs(types.size(), n.b.getLoc());
  {
    OpBuilder::InsertionGuard guard(n.b);
    Block *before = n.b.createBlock(&loop.getBefore(), {}, types, locs);
    Value more = arith::CmpIOp::create(n.b, arith::CmpIPredicate::slt, before->getArgument(0), limit);
    Value go = arith::AndIOp::create(n.b, more, before->getArgument(1));
    scf::ConditionOp::create(n.b, go, before->getArguments());
    Block *after = n.b.createBlock(&loop.getAfter(), {}, types, locs);
    n.b.setInsertionPointToEnd(after);
    SmallVector<V> values;
    for (auto [i, c] : llvm::enumerate(carried)) {
      Dims dims;
      Value arg = after->getArgument(2 + i);
      for (auto [k, d] : llvm::enumerate(c.dims))
        dims.push_back(d ? d : n.norm(n.b.createOrFold<tensor::DimOp>(arg, k)));
      values.push_back(n.value(c.initial->dtype, arg, dims));
    }
    auto results = tryBody(n, *body, parametersOf(after->getArgument(0), values));
    if (failed(results))
      return failure();
    if ((*results)[0]->dtype != proto::Bool || (*results)[0]->count() != 1)
      return n.fail("expected the body's condition to be one boolean");
    SmallVector<Value> next{n.b.createOrFold<arith::AddIOp>(after->getArgument(0), n.index(n.idx(1))),
                            n.truth((*results)[0])};
    for (auto [i, c] : llvm::enumerate(carried)) {
      Value t = n.tensor((*results)[1 + i]);
      if (t.getType() != c.type)
        t = tensor::CastOp::create(n.b, c.type, t);
      next.push_back(t);
    }
    for (unsigned i = 0; i < scans; ++i) {
      V row = (*results)[1 + state + i];
      for (auto [have, want] : llvm::zip(row->dims, rows[i]->dims))
        n.checkEqual(have, want, "a scan output differs in size from step to step");
      row = n.refine(row, rows[i]->dims);
      next.push_back(insertRow(n, after->getArgument(2 + state + i), row, after->getArgument(0)));
    }
    scf::YieldOp::create(n.b, next);
  }
  for (auto [i, c] : llvm::enumerate(carried)) {
    Dims dims;
    Value r = loop.getResult(2 + i);
    for (auto [k, d] : llvm::enumerate(c.dims))
      dims.push_back(d ? d : n.norm(n.b.createOrFold<tensor::DimOp>(r, k)));
    if (failed(n.out(i, n.value(c.initial->dtype, r, dims))))
      return failure();
  }
  for (unsigned i = 0; i < scans; ++i) {
    V all = n.value(rows[i]->dtype, loop.getResult(2 + state + i), rowDims[i]);
    // The steps that were run.
    OpFoldResult steps = loop.getResult(0);
    if (failed(n.out(state + i, n.sliceAxis(all, 0, n.idx(0), steps))))
      return failure();
  }
  return success();
}

LogicalResult scanNode(Node &n) {
  const proto::Graph *body = n.attrGraph("body");
  int64_t m = n.attrInt("num_scan_inputs", 0);
  SmallVector<V> inputs = n.inputs;
  bool batched = n.opset < 9; // version 8 has sequence lengths and a batch dim
  if (batched)
    return n.fail("not supported before opset 9");
  if (llvm::is_contained(inputs, V()))
    return n.fail("an input is missing");
  if (!body || m < 1 || m > (int64_t)inputs.size() || body->inputs.size() != inputs.size())
    return n.fail("the body's inputs do not fit the node's");
  unsigned state = inputs.size() - m;
  if (body->outputs.size() < state)
    return n.fail("the body has too few outputs");
  unsigned scans = body->outputs.size() - state;
  Ints inAxes = n.attrInts("scan_input_axes").value_or(Ints(m, 0));
  Ints inReverse = n.attrInts("scan_input_directions").value_or(Ints(m, 0));
  Ints outAxes = n.attrInts("scan_output_axes").value_or(Ints(scans, 0));
  Ints outReverse = n.attrInts("scan_output_directions").value_or(Ints(scans, 0));
  if ((int64_t)inAxes.size() != m || (int64_t)inReverse.size() != m || outAxes.size() != scans ||
      outReverse.size() != scans)
    return n.fail("axes or directions do not fit the scan inputs and outputs");
  OpFoldResult steps;
  for (int64_t i = 0; i < m; ++i) {
    auto axis = n.axis(inAxes[i], inputs[state + i]->rank());
    if (failed(axis))
      return failure();
    inAxes[i] = *axis;
    OpFoldResult size = inputs[state + i]->dims[*axis];
    if (!steps)
      steps = size;
    n.checkEqual(steps, size, "scan inputs differ in length");
  }
  auto parameters = [&](Value i, ArrayRef<V> states) {
    SmallVector<V> p(states.begin(), states.end());
    for (int64_t k = 0; k < m; ++k) {
      V x = inputs[state + k];
      OpFoldResult at = inReverse[k] ? n.sub(n.sub(steps, n.idx(1)), i) : OpFoldResult(i);
      p.push_back(n.squeeze(n.sliceAxis(x, inAxes[k], at, n.idx(1)), {inAxes[k]}));
    }
    return p;
  };
  // Sizes of the scan outputs, from a throw-away region.
  SmallVector<V> rows;
  Value zero = arith::ConstantIndexOp::create(n.b, 0);
  auto draft = scf::ForOp::create(n.b, zero, n.index(n.idx(1)), n.index(n.idx(1)));
  {
    OpBuilder::InsertionGuard guard(n.b);
    n.b.setInsertionPointToStart(draft.getBody());
    auto results = n.imp.subgraph(*body, parameters(draft.getInductionVar(), ArrayRef<V>(inputs).take_front(state)));
    if (failed(results))
      return failure();
    for (unsigned i = 0; i < state; ++i)
      if ((*results)[i]->dtype != inputs[i]->dtype || (*results)[i]->shape() != inputs[i]->shape())
        return n.fail("carried value " + Twine(i) + " changes its type");
    for (unsigned i = 0; i < scans; ++i) {
      V r = (*results)[state + i];
      for (OpFoldResult d : r->dims)
        if (!definedOutside(d, draft))
          return n.fail("a scan output whose size differs from step to step is not supported");
      auto copy = std::make_shared<Val>();
      copy->dtype = r->dtype;
      copy->dims = r->dims;
      rows.push_back(copy);
    }
  }
  draft.erase();
  SmallVector<Value> init;
  for (unsigned i = 0; i < state; ++i)
    init.push_back(n.tensor(inputs[i]));
  SmallVector<Dims> rowDims;
  for (const V &r : rows) {
    Dims dims{steps};
    dims.append(r->dims.begin(), r->dims.end());
    rowDims.push_back(dims);
    init.push_back(n.empty(r->dtype, dims));
  }
  bool ok = true;
  auto results = n.loop(zero, n.index(steps), init, [&](Value i, ValueRange args) {
    SmallVector<V> states;
    for (unsigned k = 0; k < state; ++k)
      states.push_back(n.value(inputs[k]->dtype, args[k], inputs[k]->dims));
    auto r = n.imp.subgraph(*body, parameters(i, states));
    SmallVector<Value> next;
    ok = succeeded(r);
    for (unsigned k = 0; ok && k < state + scans; ++k) {
      if (k < state) {
        next.push_back(n.tensor(n.refine((*r)[k], inputs[k]->dims)));
        continue;
      }
      OpFoldResult at = outReverse[k - state] ? n.sub(n.sub(steps, n.idx(1)), i) : OpFoldResult(i);
      next.push_back(insertRow(n, args[k], (*r)[k], at));
    }
    if (!ok)
      next.assign(args.begin(), args.end());
    return next;
  });
  if (!ok)
    return failure();
  for (unsigned i = 0; i < state; ++i)
    if (failed(n.out(i, n.value(inputs[i]->dtype, results[i], inputs[i]->dims))))
      return failure();
  for (unsigned i = 0; i < scans; ++i) {
    V all = n.value(rows[i]->dtype, results[state + i], rowDims[i]);
    auto axis = n.axis(outAxes[i], all->rank());
    if (failed(axis))
      return failure();
    Ints perm = sequence(1, all->rank());
    perm.insert(perm.begin() + *axis, 0);
    if (failed(n.out(state + i, n.transpose(all, perm))))
      return failure();
  }
  return success();
}

} // namespace

void tenon::onnx::registerControlFlow(Registry &reg) {
  reg.on("If", 1, ifNode);
  reg.on("Loop", 1, loopNode);
  reg.on("Scan", 8, scanNode);
}
