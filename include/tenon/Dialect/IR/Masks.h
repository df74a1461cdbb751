//===- Masks.h - which keys a query sees ----------------------------------------------===//
//
// What the mask attributes of tenon.kv_source mean: per pair of query and key, and for whole tiles, as numbers and as
// IR.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "mlir/IR/Attributes.h"
#include "mlir/IR/Builders.h"

#include <functional>

namespace tenon {

/// Whether `attribute` is one of the mask attributes.
bool isMask(mlir::Attribute attribute);

/// An operand of the source that a mask names.
struct MaskOperand {
  unsigned number;
  bool ofKeys; ///< it has an element per key, not per query
};
/// The operands that `mask` (null: none) names, each once per use.
llvm::SmallVector<MaskOperand> getMaskOperands(mlir::Attribute mask);

/// How many heads in a row have masks of their own before they repeat; 1 where all heads have the same.
int64_t countHeadMasks(mlir::Attribute mask);
/// The mask of `head`, without `#tenon.per_head`.
mlir::Attribute getMaskOfHead(mlir::Attribute mask, int64_t head);

/// Keys from `low` to before `high`.
template <typename Index> struct KeyRange {
  Index low, high;
};

/// Queries of one head.
template <typename Index> struct MaskRows {
  Index head;
  Index first, last;   ///< both included
  Index queries, keys; ///< how many there are of each
};

/// What is known of some rows and keys: whether no row sees a key, and whether every row sees all. Neither may be known
/// of a tile of which it is true; a tile without pairs may be both.
template <typename Bool> struct TileClass {
  Bool empty, full;
};

/// The element of a mask operand at (head, query, key), of which its map takes what it wants; the batch is known to
/// the reader.
using MaskReader = llvm::function_ref<int64_t(unsigned number, int64_t head, int64_t query, int64_t key)>;

/// Whether query `rows.first` sees key `k`. A null mask hides nothing.
bool allowsKey(mlir::Attribute mask, const MaskRows<int64_t> &rows, int64_t k, MaskReader read);
/// No row sees a key outside of this range; it may be empty (low >= high), and lies within [0, keys] otherwise.
KeyRange<int64_t> getKeyRange(mlir::Attribute mask, const MaskRows<int64_t> &rows, MaskReader read);
TileClass<bool> classifyTile(mlir::Attribute mask, const MaskRows<int64_t> &rows, KeyRange<int64_t> keys,
                             MaskReader read);
/// Whether a tile inside of the key range may still be empty.
bool hasHoles(mlir::Attribute mask);

/// The same as IR; indices and sizes are index values.
class MaskEmitter {
public:
  /// Builds the element, as an index value, of a mask operand at (head, query, key).
  using Read = std::function<mlir::Value(unsigned number, mlir::Value head, mlir::Value query, mlir::Value key)>;

  /// Builds what is needed of operands with an element per query.
  MaskEmitter(mlir::OpBuilder &builder, mlir::Location loc, mlir::Attribute mask, const MaskRows<mlir::Value> &rows,
              Read read);
  KeyRange<mlir::Value> getKeyRange();
  TileClass<mlir::Value> classify(KeyRange<mlir::Value> keys);

private:
  mlir::OpBuilder &builder;
  mlir::Location loc;
  mlir::Attribute mask;
  MaskRows<mlir::Value> rows;
  Read read;
  llvm::SmallVector<std::pair<unsigned, KeyRange<mlir::Value>>> scanned; ///< lowest and highest, over the rows
};

/// What the test of a pair may have at hand, so that it isn't computed pair by pair.
struct MaskPairHooks {
  /// The element of a mask operand for this pair.
  llvm::function_ref<mlir::Value(unsigned number)> read;
  /// What `compute` makes of the pair's query, or of its key; may be taken from a table.
  llvm::function_ref<mlir::Value(bool ofKeys, llvm::function_ref<mlir::Value(mlir::Value)> compute)> along;
};

/// Whether query `rows.first` sees key `k`, as an i1 value.
mlir::Value buildAllowsKey(mlir::OpBuilder &builder, mlir::Location loc, mlir::Attribute mask,
                           const MaskRows<mlir::Value> &rows, mlir::Value k, const MaskPairHooks &hooks);

} // namespace tenon
