//===- PackedWeights.cpp - weights of two and four bits, which files keep packed ---------------===//
//
// In memory an element takes a byte. The bytes of the file are taken apart by an element-wise op that the initializer
// runs; what remains for the elements' users to do is to cut a byte to its low bits.
//
//===----------------------------------------------------------------------===//
#include "FormatElements.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::tolinalg;

/// The elements of `type`, of `bits` bits each, from the packed bytes.
static Value unpack(TensorBuilder &t, Value packed, RankedTensorType type, unsigned bits) {
  int64_t bytes = cast<RankedTensorType>(packed.getType()).getDimSize(0), perByte = 8 / bits;
  int64_t missing = type.getNumElements() - bytes * perByte; // not positive: the last byte may be padded
  Type i8 = t.b.getI8Type();
  AffineMap byteOf = AffineMap::get(2, 0, t.dim(0), t.b.getContext());
  Value codes = t.elementwise(
      {t.index(bytes), t.index(perByte)}, i8, packed, byteOf, [&](OpBuilder &b, Location loc, ValueRange values) {
        FormatElements elements(b, loc);
        Value shift = arith::MulIOp::create(b, loc, linalg::IndexOp::create(b, loc, 1), elements.index(bits));
        Value code = arith::ShRUIOp::create(b, loc, values[0], arith::IndexCastOp::create(b, loc, i8, shift));
        return arith::AndIOp::create(b, loc, code, elements.integer((1 << bits) - 1, 8)).getResult();
      });
  codes = t.collapse(codes, {{0, 1}});
  if (missing != 0)
    codes = t.window(codes, {0}, ArrayRef<int64_t>{missing}, t.constant(i8, 0));
  Sizes sizes;
  SmallVector<ReassociationIndices> groups(type.getRank() == 0 ? 0 : 1);
  for (auto [dim, size] : llvm::enumerate(type.getShape())) {
    sizes.push_back(t.index(size));
    groups[0].push_back(dim);
  }
  codes = type.getRank() == 0 ? t.collapse(codes, {}) : t.expand(codes, groups, sizes);
  return t.elementwise(sizes, type.getElementType(), codes, t.b.getMultiDimIdentityMap(type.getRank()),
                       [&](OpBuilder &b, Location loc, ValueRange values) -> Value {
                         Value low = arith::TruncIOp::create(b, loc, b.getIntegerType(bits), values[0]);
                         if (type.getElementType().isInteger())
                           return low;
                         return arith::BitcastOp::create(b, loc, type.getElementType(), low);
                       });
}

void tolinalg::unpackWeights(IRRewriter &rewriter, ModuleOp module) {
  llvm::StringMap<WeightOp> packed;
  for (auto weight : module.getOps<WeightOp>()) {
    auto type = cast<RankedTensorType>(weight.getType());
    unsigned bits = type.getElementTypeBitWidth();
    if ((bits != 2 && bits != 4) || weight.getArchive() == "init:")
      continue;
    packed[weight.getSymName()] = weight;
    weight.setType(RankedTensorType::get({static_cast<int64_t>(weight.getLength())}, rewriter.getI8Type()));
  }
  SmallVector<LoadWeightOp> loads;
  module.walk([&](LoadWeightOp load) {
    if (packed.contains(load.getWeight()))
      loads.push_back(load);
  });
  for (LoadWeightOp load : loads) {
    rewriter.setInsertionPoint(load);
    TensorBuilder t{rewriter, load.getLoc()};
    WeightOp weight = packed[load.getWeight()];
    auto type = cast<RankedTensorType>(load.getType());
    Value bytes = LoadWeightOp::create(rewriter, load.getLoc(), weight.getType(), weight.getSymName());
    rewriter.replaceOp(load, unpack(t, bytes, type, type.getElementTypeBitWidth()));
  }
}
