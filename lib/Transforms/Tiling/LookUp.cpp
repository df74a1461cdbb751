//===- LookUp.cpp - tenon.look_up as permutations of registers ----------------------------===//
//
// A register holds the list, a vector of codes permutes it. Scalars, and vectors that no permutation fits, choose by
// the bits of the code. Where the list only counts, and takes more than one permutation, codes are converted.
//
//===----------------------------------------------------------------------===//
#include "LookUp.h"
#include "MathBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;

namespace {

class Expander {
public:
  Expander(OpBuilder &builder, LookUpOp op, TargetAttr target)
      : builder(builder), loc(op.getLoc()), values(op.getValues()), code(op.getCode()), type(op.getType()) {
    if (target && target.getTriple().starts_with("x86_64"))
      bits = target.getVectorBits();
  }

  Value run() {
    auto vector = dyn_cast<VectorType>(type);
    int64_t lanes = vector && vector.getRank() == 1 ? vector.getDimSize(0) : 1;
    int64_t step = bits == 512 && lanes % 16 == 0 ? 16 : bits >= 256 && lanes % 8 == 0 ? 8 : 0;
    if (isCount() && (step == 0 || (values.size() > 8 && bits != 512))) {
      MathBuilder m(builder, loc, type);
      return arith::SIToFPOp::create(builder, loc, type, m.land(code, m.i(values.size() - 1)));
    }
    if (step == 0)
      return choose(code, values, llvm::Log2_64(values.size()));
    if (step == lanes)
      return permute(code, step);
    Value result = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
    for (int64_t lane = 0; lane < lanes; lane += step) {
      Value part = vector::ExtractStridedSliceOp::create(builder, loc, code, ArrayRef<int64_t>{lane},
                                                         ArrayRef<int64_t>{step}, ArrayRef<int64_t>{1});
      result = vector::InsertStridedSliceOp::create(builder, loc, permute(part, step), result, ArrayRef<int64_t>{lane},
                                                    ArrayRef<int64_t>{1});
    }
    return result;
  }

private:
  /// Whether each code stands for itself.
  bool isCount() const {
    for (auto [code, value] : llvm::enumerate(values))
      if (value != static_cast<float>(code))
        return false;
    return true;
  }

  /// `count` lanes of the list from `first` on, again from its start behind its end: so upper bits do not matter.
  Value getTable(int64_t first, int64_t count) {
    SmallVector<float> lanes;
    for (int64_t lane = 0; lane < count; ++lane)
      lanes.push_back(values[(first + lane) % values.size()]);
    auto table = VectorType::get({count}, builder.getF32Type());
    return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(table, ArrayRef<float>(lanes)));
  }

  Value call(StringRef name, ValueRange arguments) {
    return LLVM::CallIntrinsicOp::create(builder, loc, arguments[0].getType(), builder.getStringAttr(name), arguments)
        .getResult(0);
  }

  Value permute(Value codes, int64_t lanes) {
    if (lanes == 16)
      return call("llvm.x86.avx512.permvar.sf.512", {getTable(0, 16), codes});
    Value low = getTable(0, 8), high = getTable(8, 8);
    if (values.size() > 8 && bits == 512)
      return call("llvm.x86.avx512.vpermi2var.ps.256", {low, codes, high});
    low = call("llvm.x86.avx2.permps", {low, codes});
    if (values.size() <= 8)
      return low;
    high = call("llvm.x86.avx2.permps", {high, codes});
    // The fourth bit as the sign, by which a blend chooses.
    MathBuilder m(builder, loc, low.getType());
    Value isHigh = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, m.shl(codes, 28), m.i(0));
    return m.select(isHigh, high, low);
  }

  /// Of 2^n values the one that the low n bits number; half of them are left after each bit.
  Value choose(Value codes, ArrayRef<float> list, unsigned bit) {
    MathBuilder m(builder, loc, type);
    if (list.size() == 1)
      return m.c(list[0]);
    size_t half = list.size() / 2;
    Value low = choose(codes, list.take_front(half), bit - 1), high = choose(codes, list.drop_front(half), bit - 1);
    Value set = m.land(codes, m.i(int64_t(1) << (bit - 1)));
    return m.select(arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, set, m.i(0)), high, low);
  }

  OpBuilder &builder;
  Location loc;
  ArrayRef<float> values;
  Value code;
  Type type;
  int64_t bits = 0; ///< of a register with permutations that are known here; 0 where there are none
};

} // namespace

Value tenon::expandLookUp(OpBuilder &builder, LookUpOp op, TargetAttr target) {
  return Expander(builder, op, target).run();
}
