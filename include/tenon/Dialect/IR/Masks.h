//===- Masks.h - which keys a query sees ----------------------------------------------===//
//
// What the mask attributes of tenon.kv_source mean: per pair of query and key, and for whole tiles, as numbers and as
// IR.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "mlir/IR/Attributes.h"
#include "mlir/IR/Builders.h"

namespace tenon {

/// Whether `attribute` is one of the mask attributes.
bool isMask(mlir::Attribute attribute);

/// Keys from `low` to before `high`.
template <typename Index> struct KeyRange {
  Index low, high;
};

/// Whether query `q` of `queries` sees key `k` of `keys`. A null mask hides nothing.
bool allowsKey(mlir::Attribute mask, int64_t q, int64_t k, int64_t queries, int64_t keys);
/// The same as an i1 value; indices and sizes are index values.
mlir::Value buildAllowsKey(mlir::OpBuilder &builder, mlir::Location loc, mlir::Attribute mask, mlir::Value q,
                           mlir::Value k, mlir::Value queries, mlir::Value keys);

/// No query from `first` to `last` (included) sees a key outside of this range; it may be empty (low >= high), and lies
/// within [0, keys].
KeyRange<int64_t> getKeyRange(mlir::Attribute mask, int64_t first, int64_t last, int64_t queries, int64_t keys);
KeyRange<mlir::Value> buildKeyRange(mlir::OpBuilder &builder, mlir::Location loc, mlir::Attribute mask,
                                    mlir::Value first, mlir::Value last, mlir::Value queries, mlir::Value keys);

/// Each query from `first` to `last` (included) sees every key of this range. There may be more that all see.
KeyRange<int64_t> getFullRange(mlir::Attribute mask, int64_t first, int64_t last, int64_t queries, int64_t keys);
KeyRange<mlir::Value> buildFullRange(mlir::OpBuilder &builder, mlir::Location loc, mlir::Attribute mask,
                                     mlir::Value first, mlir::Value last, mlir::Value queries, mlir::Value keys);

} // namespace tenon
