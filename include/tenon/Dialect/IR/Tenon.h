//===- Tenon.h - the tenon dialect: include this to use its ops ------------------===//
#pragma once
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/TilingInterface.h"

#include "tenon/Dialect/IR/TenonDialect.h.inc"
#include "tenon/Dialect/IR/TenonEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "tenon/Dialect/IR/TenonAttrs.h.inc"
namespace tenon {
class RecurrenceOp; // a parent of tenon.yield; in State.h
}
#define GET_TYPEDEF_CLASSES
#include "tenon/Dialect/IR/TenonTypes.h.inc"
namespace tenon {
/// A factor of a contraction whose elements outside [first, end) along a dimension are zero. Both count from `start`
/// elements before the factor's first one; null for 0.
struct NonzeroRange {
  int64_t factor, dimension, first, end;
  mlir::Value start = {};
};
} // namespace tenon

#define GET_OP_CLASSES
#include "tenon/Dialect/IR/TenonOps.h.inc"

namespace tenon {

/// Bytes of `count` elements of `type` in an archive and at the C boundary: i1 takes a byte, elements narrower than a
/// byte are packed. Returns nullopt for types without storage and where the size overflows int64.
std::optional<int64_t> getStorageBytes(mlir::Type type, int64_t count);

/// Marks an outlined kernel (a unit attribute on func.func).
inline constexpr llvm::StringLiteral kKernelAttr = "tenon.kernel";
/// The schedule of a kernel (#tenon.schedule on the kernel's func.func).
inline constexpr llvm::StringLiteral kScheduleAttr = "tenon.schedule";
/// The target of a module (#tenon.target).
inline constexpr llvm::StringLiteral kTargetAttr = "tenon.target";
/// On a module: every op is a kernel of its own.
inline constexpr llvm::StringLiteral kUnfusedAttr = "tenon.unfused";
/// On a linalg contraction: fives of input, dimension, and first and end of what is not padding there, and the
/// dimension's size, by which a reader knows that it is still what it was (NonzeroRange).
inline constexpr llvm::StringLiteral kNonzeroAttr = "tenon.nonzero";
/// On a linalg contraction: fives of input, dimension, number of taps, and the sizes of that dimension and the next
/// one, whose elements are as many taps, one behind the other, and then zeros (`phases` of tenon.tile_contract).
inline constexpr llvm::StringLiteral kPhasesAttr = "tenon.phases";
/// On math.exp: its operand is at most 0, or NaN, as a softmax's are.
inline constexpr llvm::StringLiteral kNonpositiveAttr = "tenon.nonpositive";
/// On a module: the exactness class, "fast" where kernels may stay within an error bound; without it they do the same
/// operations in any order.
inline constexpr llvm::StringLiteral kPrecisionAttr = "tenon.precision";
/// On a module: its sums are added up in the order in which those of the same module with open dims are.
inline constexpr llvm::StringLiteral kSumsAsOpenAttr = "tenon.sums_as_open";
/// Argument/result attributes of the entry function `main`: name of the port, its dtype as NumPy spells it
/// ("float32", "bool", "uint8", ...), and an array of dimension names ("" where unnamed).
inline constexpr llvm::StringLiteral kNameAttr = "tenon.name";
inline constexpr llvm::StringLiteral kDTypeAttr = "tenon.dtype";
inline constexpr llvm::StringLiteral kDimsAttr = "tenon.dims";
/// On an argument of @main: the number of the result that takes over its memory.
inline constexpr llvm::StringLiteral kDonatedAttr = "tenon.donated";

/// The exactness classes that a compile may be asked for.
inline constexpr llvm::StringLiteral kReorder = "reorder", kFast = "fast";
/// Whether `module` allows results within an error bound (docs/rationale/precision.md).
bool isFast(mlir::ModuleOp module);
/// Whether sums in the module of `op` have the order that they have where dims are open.
bool hasSumsAsOpen(mlir::Operation *op);

} // namespace tenon
