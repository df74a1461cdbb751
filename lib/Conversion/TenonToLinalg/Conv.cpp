//===- Conv.cpp - tenon.conv as a contraction ------------------------------------------===//
//
// Ordinary (not transposed) convolutions. Each operand carries the roles of its dims; the steps below reshape operands
// and roles together until every role is one loop of the contraction.
//
//===----------------------------------------------------------------------===//
#include "Common.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::tolinalg;

namespace {

/// What a dim stands for. Spatial dim i has the role kSpatial + i: a position in the input, a tap in the filter.
enum Role : int { kBatch, kGroup, kOut, kIn, kPhase, kSpatial };

struct Operand {
  Value value;
  SmallVector<int> roles;

  int64_t find(int role) const {
    auto it = llvm::find(roles, role);
    return it == roles.end() ? -1 : it - roles.begin();
  }
  bool has(int role) const { return find(role) >= 0; }
  int64_t sizeOf(int role) const { return cast<ShapedType>(value.getType()).getDimSize(find(role)); }
};

struct ResultDim {
  int role;
  OpFoldResult size;
  /// The dims of the op's result that this one covers; empty for the inner part of a split dim.
  ReassociationIndices covers;
};

class ConvLowering {
public:
  ConvLowering(IRRewriter &rewriter, ConvOp op)
      : rewriter(rewriter), op(op), build{rewriter, op.getLoc()}, n(op.getSpatialRank()) {}
  void run();

private:
  bool slidesFilter(int64_t i);
  bool paysByPhases(int64_t i);
  Value reverse(Value tensor, int64_t dim, int64_t low, int64_t size);
  void slideFilter();
  void takeWindows();
  void splitPhases();
  bool padIntoPhases(ArrayRef<int64_t> low, ArrayRef<OpFoldResult> high);
  void splitGroups();
  void dropUnits();
  void orderFilter();
  void mergeSpatial();
  Value contract();
  Value finish(Value sums);

  bool hasTaps(int64_t i) const { return taps[i] != 1; }
  int64_t findResult(int role) {
    auto it = llvm::find_if(out, [&](const ResultDim &dim) { return dim.role == role; });
    return it == out.end() ? -1 : it - out.begin();
  }
  void drop(Operand &operand, int role) {
    operand.value = build.dropUnitDim(operand.value, operand.find(role));
    operand.roles.erase(operand.roles.begin() + operand.find(role));
  }
  /// Splits the dim of role `role` in two, of roles `outer` (of size `count`) and `role`.
  void split(Operand &operand, int role, int outer, int64_t count);
  Value zero() { return build.constant(cast<ShapedType>(op.getInput().getType()).getElementType(), 0); }

  IRRewriter &rewriter;
  ConvOp op;
  TensorBuilder build;
  int64_t n;
  Operand x, w;
  SmallVector<ResultDim> out;
  /// Per spatial dim: number of taps (kDynamic where not known), step between outputs, and between taps.
  SmallVector<int64_t> taps, strides, dilations;
  /// Per spatial dim: first and end of what is not padding; -1 where that is not known.
  SmallVector<std::pair<int64_t, int64_t>> inside;
  bool phased = false;
  /// Of the inner spatial dim, before it was split in phases.
  int64_t phasedTaps = 0;
  /// The spatial dim along which the filter slides over the input in the place of the input under the filter; -1: none.
  int64_t sliding = -1;
};

void ConvLowering::split(Operand &operand, int role, int outer, int64_t count) {
  int64_t position = operand.find(role);
  Sizes sizes = build.sizesOf(operand.value);
  OpFoldResult inner = build.apply(build.sym(0).floorDiv(count), {sizes[position]});
  sizes[position] = inner;
  sizes.insert(sizes.begin() + position, build.index(count));
  SmallVector<ReassociationIndices> groups;
  for (int64_t i = 0, next = 0, rank = operand.roles.size(); i < rank; ++i) {
    groups.push_back({next++});
    if (i == position)
      groups.back().push_back(next++);
  }
  operand.value = build.expand(operand.value, groups, sizes);
  operand.roles.insert(operand.roles.begin() + position, outer);
}

/// A depthwise sum meets each element of both factors once: sum over k of w[k] x[o + k - p] is the sum over i of x[i]
/// w[i - o + p]. With the input's rows as the taps, the rows of a register tile share what they read of the input, and
/// differ in the filter's elements, which are broadcast: one vector is loaded for all of them. Short filters are
/// unrolled instead, which shares as much.
bool ConvLowering::slidesFilter(int64_t i) {
  constexpr int64_t kUnrolledTaps = 64;
  auto input = cast<ShapedType>(op.getInput().getType());
  int64_t points = 1;
  for (int64_t size : taps)
    points = ShapedType::isDynamic(size) ? 0 : points * size;
  return i >= 0 && points > kUnrolledTaps && op.getGroups() > 1 && !op.getChannelsLast() && !op.getPerSample() &&
         input.getDimSize(op.getChannelDim()) == op.getGroups() && op.getPads()[i] >= 0 && op.getPads()[n + i] >= 0 &&
         cast<ShapedType>(op.getFilter().getType()).getDimSize(op.getFilterOuterDim()) == op.getGroups() &&
         strides[i] == 1 && dilations[i] == 1 && hasTaps(i) && !hasSumsAsOpen(op) &&
         !input.isDynamicDim(op.getSpatialDim(i)) && input.getDimSize(op.getSpatialDim(i)) > 1 &&
         known(out[findResult(kSpatial + i)].size).value_or(1) > 1;
}

/// `tensor` from back to front along `dim`, of `size` elements there, the first `low` of them (and what is left at the
/// end) zero; in one op, so that no reversed tensor lies between.
Value ConvLowering::reverse(Value tensor, int64_t dim, int64_t low, int64_t size) {
  Sizes sizes = build.sizesOf(tensor);
  sizes[dim] = build.index(size);
  int64_t count = cast<ShapedType>(tensor.getType()).getDimSize(dim);
  Type element = cast<ShapedType>(tensor.getType()).getElementType();
  return build.elementwise(sizes, element, {}, {}, [&](OpBuilder &b, Location loc, ValueRange) -> Value {
    auto number = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(b, loc, value); };
    SmallVector<Value> at;
    for (size_t i = 0; i < sizes.size(); ++i)
      at.push_back(linalg::IndexOp::create(b, loc, i));
    Value place = arith::SubIOp::create(b, loc, number(count - 1 + low), at[dim]);
    at[dim] = place;
    if (low == 0 && size == count)
      return tensor::ExtractOp::create(b, loc, tensor, at);
    at[dim] = arith::MinSIOp::create(b, loc, arith::MaxSIOp::create(b, loc, place, number(0)), number(count - 1));
    Value inside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, at[dim], place);
    Value value = tensor::ExtractOp::create(b, loc, tensor, at);
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(element));
    return arith::SelectOp::create(b, loc, inside, value, zero);
  });
}

/// Both factors from back to front, the input already, so that indices are sums: with u = H - 1 - i, tap K - 1 - k of
/// the reversed filter is o + u + K - H - p.
void ConvLowering::slideFilter() {
  int64_t position = op.getSpatialDim(sliding), place = op.getFilterSpatialDim(sliding);
  int64_t height = cast<ShapedType>(x.value.getType()).getDimSize(position), count = taps[sliding];
  int64_t low = height + op.getPads()[sliding] - count;
  int64_t total = *known(out[findResult(kSpatial + sliding)].size) + height - 1;
  w.value = reverse(w.value, place, low, total);
  inside[sliding] = {std::max<int64_t>(low, 0), std::min(low + count, total)};
  taps[sliding] = height;
}

/// Phases let vectors run along the pixels, at the price of a copy; taps that do not fill the last phase are unrolled,
/// so they must be few. With filters enough for vectors of their own, loading every second pixel costs less than these.
bool ConvLowering::paysByPhases(int64_t i) {
  constexpr int64_t kFilters = 16, kMostUnrolled = 16;
  if (taps[i] % strides[i] == 0)
    return true;
  int64_t filters = cast<ShapedType>(op.getFilter().getType()).getDimSize(op.getFilterOuterDim());
  return taps[i] > strides[i] && taps[i] <= kMostUnrolled &&
         (ShapedType::isDynamic(filters) || filters / op.getGroups() < kFilters);
}

/// Pads and crops the input; dims of one tap are subsampled, so that they have stride 1 from here on.
void ConvLowering::takeWindows() {
  int64_t inner = n - 1;
  int64_t innerSize = known(out[findResult(kSpatial + inner)].size).value_or(ShapedType::kDynamic);
  phased = !op.getChannelsLast() && strides[inner] > 1 && dilations[inner] == 1 && hasTaps(inner) &&
           !ShapedType::isDynamic(taps[inner]) && innerSize != 1 && paysByPhases(inner);
  SmallVector<int64_t> low(n + 2, 0);
  SmallVector<OpFoldResult> high(n + 2, build.index(0));
  for (int64_t i = 0; i < n; ++i) {
    int64_t position = op.getSpatialDim(i);
    low[position] = op.getPads()[i];
    high[position] = build.index(op.getPads()[n + i]);
    if (i == sliding) {
      low[position] = 0;
      high[position] = build.index(0);
    } else if (phased && i == inner) { // whole phases: outputs plus the taps of one phase, less one
      int64_t step = strides[i], perPhase = llvm::divideCeil(taps[i], step);
      OpFoldResult count = out[findResult(kSpatial + i)].size, size = build.sizesOf(x.value)[position];
      high[position] =
          build.apply((build.sym(0) + (perPhase - 1)) * step - build.sym(1) - low[position], {count, size});
    } else if (known(out[findResult(kSpatial + i)].size) == 1 &&
               !ShapedType::isDynamic(taps[i])) { // exactly the one window
      int64_t reach = dilations[i] * (taps[i] - 1) + 1;
      high[position] = build.apply(build.sym(0) * -1 + (reach - low[position]), {build.sizesOf(x.value)[position]});
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    int64_t position = op.getSpatialDim(i), size = cast<ShapedType>(x.value.getType()).getDimSize(position);
    bool split = phased && i == inner;
    inside.push_back(split || low[position] < 0 || ShapedType::isDynamic(size) || known(high[position]).value_or(-1) < 0
                         ? std::pair<int64_t, int64_t>(-1, -1)
                         : std::pair<int64_t, int64_t>(low[position], low[position] + size));
  }
  if (phased && padIntoPhases(low, high))
    return;
  x.value = build.window(x.value, low, high, zero());

  Sizes offsets(n + 2, build.index(0)), sizes = build.sizesOf(x.value);
  SmallVector<int64_t> steps(n + 2, 1);
  for (int64_t i = 0; i < n; ++i)
    if (!hasTaps(i) && strides[i] > 1) {
      steps[op.getSpatialDim(i)] = strides[i];
      sizes[op.getSpatialDim(i)] = out[findResult(kSpatial + i)].size;
      strides[i] = 1;
    }
  if (llvm::any_of(steps, [](int64_t step) { return step > 1; }))
    x.value = build.slice(x.value, offsets, sizes, steps);
}

/// Pads and splits in one copy, phase by phase, so that no padded tensor lies between: element i of the inner dim goes
/// to place (i + low) / s of phase (i + low) mod s. Leaves what is not padded, or cropped along other dims, to others.
bool ConvLowering::padIntoPhases(ArrayRef<int64_t> low, ArrayRef<OpFoldResult> high) {
  int64_t inner = x.find(kSpatial + n - 1), step = strides[n - 1];
  bool padded = low[inner] != 0;
  for (int64_t i = 0; i < n - 1; ++i) {
    int64_t dim = op.getSpatialDim(i);
    if (!hasTaps(i) && strides[i] > 1)
      return false;
    if (low[dim] < 0 || known(high[dim]).value_or(-1) < 0)
      return false;
    padded |= low[dim] != 0 || *known(high[dim]) != 0;
  }
  if (!padded)
    return false;
  Sizes from = build.sizesOf(x.value), sizes;
  for (auto [dim, size] : llvm::enumerate(from))
    sizes.push_back(build.apply(build.sym(0) + build.sym(1) + low[dim], {size, high[dim]}));
  OpFoldResult places = build.apply(build.sym(0).floorDiv(step), {sizes[inner]});
  sizes[inner] = build.index(step);
  sizes.insert(sizes.begin() + inner + 1, places);
  Value phases = build.filled(sizes, zero());
  for (int64_t phase = 0; phase < step; ++phase) {
    int64_t first = std::max<int64_t>(0, -low[inner]);
    first += ((phase - first - low[inner]) % step + step) % step;
    int64_t place = (first + low[inner]) / step;
    // As many as there are, and as there are places for.
    OpFoldResult count = build.apply((build.sym(0) - first).ceilDiv(step), {from[inner]});
    count = build.max(build.min(count, build.apply(build.sym(0) - place, {places})), 0);
    if (known(count) == 0)
      continue;
    Sizes offsets(from.size(), build.index(0)), taken = from, targets(sizes.size(), build.index(0)), filled = from;
    offsets[inner] = build.index(first);
    taken[inner] = count;
    SmallVector<int64_t> steps(from.size(), 1);
    steps[inner] = step;
    for (auto [dim, before] : llvm::enumerate(low))
      if (static_cast<int64_t>(dim) != inner)
        targets[dim] = build.index(before);
    targets[inner] = build.index(phase);
    targets[inner + 1] = build.index(place);
    filled[inner] = build.index(1);
    filled.insert(filled.begin() + inner + 1, count);
    SmallVector<OpFoldResult> ones(sizes.size(), build.index(1));
    phases = tensor::InsertSliceOp::create(rewriter, op.getLoc(), build.slice(x.value, offsets, taken, steps), phases,
                                           targets, filled, ones);
  }
  x.value = phases;
  x.roles.insert(x.roles.begin() + inner, kPhase);
  return true;
}

/// Position o * s + k with k = a * s + b becomes (b, o + a): unit stride within phase b. The filter gets zero taps up
/// to a multiple of s.
void ConvLowering::splitPhases() {
  if (!phased)
    return;
  int64_t inner = n - 1, step = strides[inner], perPhase = llvm::divideCeil(taps[inner], step);
  phasedTaps = taps[inner];
  auto splitInner = [&](Operand &operand) { // [.., L] -> [.., L / s, s]
    int64_t position = operand.find(kSpatial + inner);
    Sizes sizes = build.sizesOf(operand.value);
    sizes[position] = build.apply(build.sym(0).floorDiv(step), {sizes[position]});
    sizes.insert(sizes.begin() + position + 1, build.index(step));
    SmallVector<ReassociationIndices> groups;
    for (int64_t i = 0; i <= position; ++i)
      groups.push_back({i});
    groups.back().push_back(position + 1);
    operand.value = build.expand(operand.value, groups, sizes);
    operand.roles.insert(operand.roles.begin() + position + 1, kPhase);
  };
  if (x.find(kPhase) < 0) {
    splitInner(x);
    auto order = llvm::to_vector(llvm::seq<int64_t>(0, x.roles.size()));
    std::swap(order[order.size() - 2], order.back());
    std::swap(x.roles[x.roles.size() - 2], x.roles.back());
    x.value = build.transpose(x.value, order);
  }

  SmallVector<int64_t> low(w.roles.size(), 0), high(w.roles.size(), 0);
  high[w.find(kSpatial + inner)] = perPhase * step - taps[inner];
  w.value = build.window(w.value, low, high, zero());
  splitInner(w);
  taps[inner] = perPhase;
  strides[inner] = 1;
}

void ConvLowering::splitGroups() {
  int64_t groups = op.getGroups();
  if (groups == 1)
    return;
  bool anyTaps = llvm::any_of(llvm::seq<int64_t>(0, n), [&](int64_t i) { return hasTaps(i); }) || phased;
  if (w.sizeOf(kIn) == 1 && x.sizeOf(kIn) == groups && anyTaps) { // one channel per group: nothing to sum over
    x.roles[x.find(kIn)] = kGroup;
    drop(w, kIn);
  } else {
    split(x, kIn, kGroup, groups);
  }
  int64_t position = findResult(kOut);
  if (w.sizeOf(kOut) == groups) { // one filter per group
    w.roles[w.find(kOut)] = kGroup;
    out[position].role = kGroup;
    return;
  }
  split(w, kOut, kGroup, groups);
  ResultDim group{kGroup, build.index(groups), out[position].covers};
  out[position].size = build.apply(build.sym(0).floorDiv(groups), {out[position].size});
  out[position].covers.clear();
  out.insert(out.begin() + position, group);
}

void ConvLowering::dropUnits() {
  auto dropResult = [&](int role) { out.erase(out.begin() + findResult(role)); };
  for (int64_t i = 0; i < n; ++i) {
    int role = kSpatial + i;
    if (!hasTaps(i) && !(phased && i == n - 1))
      drop(w, role);
    else if (!hasTaps(i) && w.sizeOf(role) == 1)
      drop(w, role); // a phase of one tap
    if (known(out[findResult(role)].size) != 1)
      continue;
    if (w.has(role) || x.sizeOf(role) == 1)
      dropResult(role);
    if (!w.has(role) && x.sizeOf(role) == 1)
      drop(x, role);
  }
  if (x.sizeOf(kBatch) == 1 && known(out[findResult(kBatch)].size) == 1 && (!w.has(kBatch) || w.sizeOf(kBatch) == 1)) {
    drop(x, kBatch);
    dropResult(kBatch);
    if (w.has(kBatch))
      drop(w, kBatch);
  }
}

/// Channels-last: filters innermost, as they are the contiguous dim of the result.
void ConvLowering::orderFilter() {
  if (!op.getChannelsLast())
    return;
  SmallVector<int> wanted{kBatch};
  bool both = w.has(kIn) && w.has(kOut);
  if (both)
    wanted.push_back(kGroup);
  for (int64_t i = 0; i < n; ++i)
    wanted.push_back(kSpatial + i);
  wanted.push_back(kIn);
  if (!both)
    wanted.push_back(kGroup);
  wanted.push_back(kOut);
  SmallVector<int64_t> order;
  SmallVector<int> roles;
  for (int role : wanted)
    if (w.has(role)) {
      order.push_back(w.find(role));
      roles.push_back(role);
    }
  w.value = build.transpose(w.value, order);
  w.roles = roles;
}

/// Neighbouring dims over which nothing slides are one.
void ConvLowering::mergeSpatial() {
  auto plain = [&](int role) {
    if (role == kBatch)
      return !w.has(kBatch);
    return role >= kSpatial && !w.has(role) && strides[role - kSpatial] == 1 && !x.has(kPhase);
  };
  for (size_t p = 0; p + 1 < x.roles.size();) {
    int first = x.roles[p], second = x.roles[p + 1];
    int64_t at = findResult(first);
    bool merges = plain(first) && plain(second) && at >= 0 && findResult(second) == at + 1;
    if (!merges) {
      ++p;
      continue;
    }
    SmallVector<ReassociationIndices> groups;
    for (size_t i = 0; i < x.roles.size(); ++i)
      if (i == p + 1)
        groups.back().push_back(i);
      else
        groups.push_back({static_cast<int64_t>(i)});
    x.value = build.collapse(x.value, groups);
    x.roles.erase(x.roles.begin() + p + 1);
    out[at].size = build.product({out[at].size, out[at + 1].size});
    llvm::append_range(out[at].covers, out[at + 1].covers);
    out.erase(out.begin() + at + 1);
  }
}

Value ConvLowering::contract() {
  // Loops: the result's dims, then the sum's: channels, taps, phase.
  SmallVector<int> parallel, reduction;
  for (const ResultDim &dim : out)
    parallel.push_back(dim.role);
  if (w.has(kIn) || x.has(kIn))
    reduction.push_back(kIn);
  for (int64_t i = 0; i < n; ++i)
    if (w.has(kSpatial + i))
      reduction.push_back(kSpatial + i);
  if (w.has(kPhase))
    reduction.push_back(kPhase);
  auto parallelLoop = [&](int role) -> AffineExpr {
    auto it = llvm::find(parallel, role);
    return it == parallel.end() ? AffineExpr() : build.dim(it - parallel.begin());
  };
  auto reductionLoop = [&](int role) -> AffineExpr {
    auto it = llvm::find(reduction, role);
    return it == reduction.end() ? AffineExpr() : build.dim(parallel.size() + (it - reduction.begin()));
  };

  SmallVector<AffineExpr> xExprs, wExprs;
  for (int role : x.roles) {
    if (role < kSpatial) {
      AffineExpr loop = parallelLoop(role);
      xExprs.push_back(loop ? loop : reductionLoop(role));
      continue;
    }
    int64_t i = role - kSpatial;
    if (i == sliding) {
      xExprs.push_back(reductionLoop(role));
      continue;
    }
    AffineExpr expr = rewriter.getAffineConstantExpr(0);
    if (AffineExpr position = parallelLoop(role))
      expr = expr + position * strides[i];
    if (AffineExpr tap = reductionLoop(role))
      expr = expr + tap * dilations[i];
    xExprs.push_back(expr);
  }
  for (int role : w.roles) {
    bool sums = role >= kSpatial || role == kIn || role == kPhase;
    AffineExpr loop = sums ? reductionLoop(role) : parallelLoop(role);
    wExprs.push_back(sliding >= 0 && role == kSpatial + sliding ? loop + parallelLoop(role) : loop);
  }

  unsigned loops = parallel.size() + reduction.size();
  Sizes sizes;
  SmallVector<AffineExpr> outExprs;
  for (auto [position, dim] : llvm::enumerate(out)) {
    sizes.push_back(dim.size);
    outExprs.push_back(build.dim(position));
  }
  MLIRContext *context = rewriter.getContext();
  auto map = [&](ArrayRef<AffineExpr> exprs) { return AffineMap::get(loops, 0, exprs, context); };
  Type sumType = op.getAccumulatorType();
  Value sums = build.filled(sizes, build.constant(sumType, 0));
  SmallVector<utils::IteratorType> iterators(parallel.size(), utils::IteratorType::parallel);
  iterators.resize(loops, utils::IteratorType::reduction);
  // The operand that is read along the result's contiguous dim comes second.
  SmallVector<Value> inputs{w.value, x.value};
  SmallVector<AffineMap> maps{map(wExprs), map(xExprs)};
  if (op.getChannelsLast()) {
    std::swap(inputs[0], inputs[1]);
    std::swap(maps[0], maps[1]);
  }
  maps.push_back(map(outExprs));
  // Where windows hang over the edge, their taps there need not be looked at.
  SmallVector<int64_t> nonzero;
  for (int64_t i = 0; i < n; ++i) {
    const Operand &padded = i == sliding ? w : x;
    int64_t position = padded.find(kSpatial + i);
    if (position < 0 || !w.has(kSpatial + i) || inside[i].first < 0)
      continue;
    int64_t size = cast<ShapedType>(padded.value.getType()).getDimSize(position);
    auto [first, end] = inside[i];
    if (!ShapedType::isDynamic(size) && (first > 0 || end < size))
      nonzero.append({(i == sliding) == op.getChannelsLast() ? 1 : 0, position, first, end, size});
  }
  auto generic = linalg::GenericOp::create(
      rewriter, op.getLoc(), sums.getType(), inputs, sums, maps, iterators,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        TensorBuilder body{b, loc};
        Value lhs = body.convert(args[0], sumType), rhs = body.convert(args[1], sumType), sum;
        if (isa<FloatType>(sumType))
          sum = arith::AddFOp::create(b, loc, args[2], arith::MulFOp::create(b, loc, lhs, rhs));
        else
          sum = arith::AddIOp::create(b, loc, args[2], arith::MulIOp::create(b, loc, lhs, rhs));
        linalg::YieldOp::create(b, loc, sum);
      });
  if (int64_t phase = w.find(kPhase); phase >= 0 && w.has(kSpatial + n - 1)) {
    int64_t perPhase = w.sizeOf(kSpatial + n - 1), phases = w.sizeOf(kPhase);
    if (phasedTaps < perPhase * phases)
      generic->setAttr(kPhasesAttr, rewriter.getDenseI64ArrayAttr(
                                        {op.getChannelsLast() ? 1 : 0, phase - 1, phasedTaps, perPhase, phases}));
  }
  if (!nonzero.empty())
    generic->setAttr(kNonzeroAttr, rewriter.getDenseI64ArrayAttr(nonzero));
  return generic.getResult(0);
}

/// Bias, result type, and the result's own dims.
Value ConvLowering::finish(Value sums) {
  Type element = cast<ShapedType>(op.getResult().getType()).getElementType(), sumType = op.getAccumulatorType();
  Sizes sizes = llvm::map_to_vector(out, [](const ResultDim &dim) { return dim.size; });
  if (op.getBias() || element != sumType) {
    SmallVector<Value> inputs{sums};
    SmallVector<AffineMap> maps{rewriter.getMultiDimIdentityMap(out.size())};
    if (Value bias = op.getBias()) {
      Operand b{bias, {kOut}};
      if (findResult(kGroup) >= 0) {
        if (findResult(kOut) >= 0)
          split(b, kOut, kGroup, op.getGroups());
        else
          b.roles = {kGroup};
      }
      SmallVector<AffineExpr> exprs;
      for (int role : b.roles)
        exprs.push_back(build.dim(findResult(role)));
      inputs.push_back(b.value);
      maps.push_back(AffineMap::get(out.size(), 0, exprs, rewriter.getContext()));
    }
    sums = build.elementwise(sizes, element, inputs, maps, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
      TensorBuilder body{b, loc};
      Value sum = args[0];
      if (args.size() == 2) {
        Value bias = body.convert(args[1], sumType);
        sum = isa<FloatType>(sumType) ? arith::AddFOp::create(b, loc, sum, bias).getResult()
                                      : arith::AddIOp::create(b, loc, sum, bias).getResult();
      }
      return body.convert(sum, element);
    });
  }
  // Join what was split, split what was merged; dropped dims go with the dim before them.
  SmallVector<ReassociationIndices> joins, splits;
  for (auto [position, dim] : llvm::enumerate(out)) {
    if (dim.covers.empty()) {
      joins.back().push_back(position);
      continue;
    }
    joins.push_back({static_cast<int64_t>(position)});
    splits.push_back({});
  }
  size_t group = 0;
  SmallVector<int64_t> starts;
  for (const ResultDim &dim : out)
    if (!dim.covers.empty())
      starts.push_back(dim.covers.front());
  for (int64_t i = 0; i < n + 2; ++i) {
    while (group + 1 < starts.size() && starts[group + 1] <= i)
      ++group;
    splits[group].push_back(i);
  }
  sums = build.collapse(sums, joins);
  return build.castTo(build.expand(sums, splits, resultSizes(rewriter, op)), op.getResult().getType());
}

void ConvLowering::run() {
  rewriter.setInsertionPoint(op);
  auto layout = [&](int first, int second, bool perSample) {
    SmallVector<int> roles;
    if (perSample)
      roles.push_back(kBatch);
    roles.push_back(first);
    if (!op.getChannelsLast())
      roles.push_back(second);
    for (int64_t i = 0; i < n; ++i)
      roles.push_back(kSpatial + i);
    if (op.getChannelsLast())
      roles.push_back(second);
    return roles;
  };
  x = {op.getInput(), layout(kBatch, kIn, false)};
  w = {op.getFilter(), layout(kOut, kIn, op.getPerSample())};
  SmallVector<int> outRoles = layout(kBatch, kOut, false);
  Sizes sizes = resultSizes(rewriter, op);
  for (auto [position, role] : llvm::enumerate(outRoles))
    out.push_back({role, sizes[position], {static_cast<int64_t>(position)}});
  for (int64_t i = 0; i < n; ++i)
    taps.push_back(cast<ShapedType>(op.getFilter().getType()).getDimSize(op.getFilterSpatialDim(i)));
  strides.assign(op.getStrides().begin(), op.getStrides().end());
  dilations.assign(op.getDilations().begin(), op.getDilations().end());

  if (llvm::any_of(sizes, [](OpFoldResult size) { return known(size) == 0; })) {
    Value none = build.empty(sizes, cast<ShapedType>(op.getResult().getType()).getElementType());
    rewriter.replaceOp(op, build.castTo(none, op.getResult().getType()));
    return;
  }
  if (x.sizeOf(kIn) == 0 || w.sizeOf(kIn) == 0) { // an empty sum
    rewriter.replaceOp(op, finish(build.filled(sizes, build.constant(op.getAccumulatorType(), 0))));
    return;
  }
  if (slidesFilter(n - 2)) {
    sliding = n - 2;
    // Before the other dims are padded, so that the padded copy is what the contraction reads.
    int64_t position = op.getSpatialDim(sliding);
    x.value = reverse(x.value, position, 0, cast<ShapedType>(x.value.getType()).getDimSize(position));
  }
  takeWindows();
  if (sliding >= 0)
    slideFilter();
  splitPhases();
  splitGroups();
  dropUnits();
  orderFilter();
  mergeSpatial();
  rewriter.replaceOp(op, finish(contract()));
}

} // namespace

LogicalResult tenon::tolinalg::lower(IRRewriter &rewriter, ConvOp op) {
  if (op.getTransposed())
    return lowerTransposed(rewriter, op);
  bool isEmpty = llvm::is_contained(op.inferShape(), 0) || llvm::is_contained(op.getInput().getType().getShape(), 0);
  ConvAlgorithm algorithm = isEmpty ? ConvAlgorithm::direct : op.getAlgorithm().value_or(ConvAlgorithm::direct);
  if (algorithm == ConvAlgorithm::fft)
    return lowerFft(rewriter, op);
  if (algorithm != ConvAlgorithm::direct)
    return lowerWinograd(rewriter, op);
  ConvLowering(rewriter, op).run();
  return success();
}
