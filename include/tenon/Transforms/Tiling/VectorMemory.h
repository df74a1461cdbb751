//===- VectorMemory.h - lanes from and to memory ---------------------------------===//
//
// The one way in which expansion passes load and store vectors. Knows that i1 tensors keep one byte per element (a
// plain vector.load of i1 reads packed bits), that rows may be strided, and that nothing past `count` lanes may be
// touched.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "mlir/IR/Builders.h"

namespace tenon {

/// vector<lanes x element>, or `element` itself for one lane: code with one lane is scalar code.
mlir::Type getLaneType(mlir::Type element, int64_t lanes);

/// `value` in every lane; `value` itself for one lane or where it is a vector already.
mlir::Value splat(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, int64_t lanes);

/// Whether lanes that move by `steps[d]` elements along dim d of `memref` per lane are neighbours in memory.
bool isContiguous(mlir::Value memref, llvm::ArrayRef<int64_t> steps);

/// Loads `lanes` elements, lane l from `indices + l * steps`. Where `count` is given (an index attribute or value, from
/// 1 to lanes), only that many lanes are read; the others are zero or repeat the last one.
mlir::Value loadVector(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value memref, mlir::ValueRange indices,
                       llvm::ArrayRef<int64_t> steps, int64_t lanes, mlir::OpFoldResult count = {});

/// Stores a vector (or scalar, where lanes would be 1) in the same manner; lanes from `count` on are not written.
void storeVector(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value vector, mlir::Value memref,
                 mlir::ValueRange indices, llvm::ArrayRef<int64_t> steps, mlir::OpFoldResult count = {});

/// A loop over the whole vectors of `extent` lanes, in which `body` gets the first lane, and behind it `body` once more
/// for what is left, if anything, with how many lanes that is (`count` of loadVector).
void forEachVector(mlir::OpBuilder &builder, mlir::Location loc, mlir::OpFoldResult extent, int64_t lanes,
                   llvm::function_ref<void(mlir::Value, mlir::OpFoldResult)> body);

/// Transposes, in registers, each block of n by n elements of n vectors, a power of two: afterwards lane b * n + j of
/// vector i is what lane b * n + i of vector j was. Its own inverse.
void transposeBlocks(mlir::OpBuilder &builder, mlir::Location loc, llvm::MutableArrayRef<mlir::Value> vectors);

} // namespace tenon
