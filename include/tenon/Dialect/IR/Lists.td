//===- Lists.td - which blocks of keys queries should see --------------------------------===//
//
// Included by Lists.h alone, so that an edit rebuilds only the rooms that see these ops.
//
//===----------------------------------------------------------------------===//
#ifndef TENON_LISTS
#define TENON_LISTS

include "tenon/Dialect/IR/TenonBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tenon_BlockScore : Tenon_I64Enum<"BlockScore", "what stands for queries and keys when blocks are scored", [
  I64EnumAttrCase<"mean", 0>, I64EnumAttrCase<"max", 1>, I64EnumAttrCase<"bound", 2>,
  I64EnumAttrCase<"antidiagonal", 3>, I64EnumAttrCase<"given", 4>]>;

def Tenon_SelectBlocksOp : Tenon_Op<"select_blocks", [Pure]> {
  let summary = "lists of the blocks of keys that weigh most";
  let description = [{
    For each run of `queries` of the queries `[B, H, S, D]`, the blocks of `keys` of the keys `[B, G, T, D]` that weigh most, as
    `tenon.kv_source` takes them: `blocks` `[B, W, R, L]` in ascending order, then -1, and `counts` `[B, W, R]`, how many blocks
    each list holds. G divides H: head h reads head `h / (H / G)` of the keys. W divides H: list w is that of heads
    `w * (H / W)` and following. There are T = N * `keys` keys in N blocks, the last one perhaps shorter, or as many as `lengths`
    `[B]` says.

    A run, and a block, are stood for by one row or several; scores are their products times `scale`:

    - `mean`: the mean of the run's queries, the mean of the block's keys;
    - `max`: the mean of the run, the largest of the block's keys in each dim;
    - `bound`: the mean of the run; the score is the sum over d of `max(q[d] * low[d], q[d] * high[d])`, where low and high are the
      least and the largest of the block's keys (Quest);
    - `antidiagonal`: `stride` neighbouring queries, `stride` neighbouring keys; the score is the sum of their products along the
      antidiagonal, of query `stride - 1 - i` and key i (XAttention). Places beyond the last query or key add nothing;
    - `given`: the mean of the run; `keys` has the row of each block, `[B, G, N, D]` (centroids).

    The last of T keys stands beside the last query. With `causal` rows of keys are seen where their first key is no further
    than the last query of the row of queries. A softmax over the rows of keys that are seen makes weights of a row's scores; a
    block's mass is the sum over its rows, and the mean over the run's rows of queries and the list's heads.

    Blocks are taken in this order: those among the first `sink` blocks, or from `local` - 1 blocks before the one that the
    run's first query stands in to that of its last query; then the others; both by falling mass, of equals the lower number
    first, NaN before all numbers. Blocks without a seen key are not taken, nor is any where L are taken already, nor, but for
    the first kind, any where those taken have a mass of `mass` or more, or where the block's own is not above `threshold`.
    Scores and masses are kept in f32, in f64 for f64.

    - (C1) query and keys have rank 4, one float type, static dims but for B, and agree in B and D; G divides H.
    - (C2) `keys`, `queries` and `stride` are positive; `stride` divides the others, and is 1 but for `antidiagonal`.
    - (C3) `lengths` is `[B]`, of an integer type of 32 or 64 bits.
    - (C4) `threshold` and `mass` are from 0 to 1; `sink` and `local` are not negative.
    - (C5) `blocks` and `counts` are of i64, `[B, W, R, L]` and `[B, W, R]`, where W divides H, R is S over `queries`, rounded up, and L is
      at most N.

    Example:
    ```mlir
    %b, %n = tenon.select_blocks mean %q, %k keys 64 queries 64 scale 1.250000e-01 mass 9.000000e-01 sink 1 local 1 causal
        : tensor<1x8x512x64xf32>, tensor<1x2x512x64xf32> -> tensor<1x2x8x8xi64>, tensor<1x2x8xi64>
    ```
  }];
  let arguments = (ins Tenon_BlockScore:$score, AnyRankedTensor:$query, AnyRankedTensor:$keys, Optional<AnyRankedTensor>:$lengths,
                       I64Attr:$block_keys, I64Attr:$block_queries, DefaultValuedAttr<I64Attr, "1">:$stride,
                       DefaultValuedAttr<F64Attr, "1.0">:$scale, OptionalAttr<F64Attr>:$threshold, OptionalAttr<F64Attr>:$mass,
                       DefaultValuedAttr<I64Attr, "0">:$sink, DefaultValuedAttr<I64Attr, "0">:$local, UnitAttr:$causal);
  let results = (outs AnyRankedTensor:$blocks, AnyRankedTensor:$counts);
  let assemblyFormat = [{
    $score $query `,` $keys (`lengths` `(` $lengths^ `:` type($lengths) `)`)? `keys` $block_keys `queries` $block_queries
    (`stride` $stride^)? (`scale` $scale^)? (`threshold` $threshold^)? (`mass` $mass^)? (`sink` $sink^)? (`local` $local^)?
    (`causal` $causal^)? attr-dict `:` type($query) `,` type($keys) `->` type($blocks) `,` type($counts)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// N.
    int64_t countBlocks() {
      int64_t rows = ::llvm::cast<::mlir::RankedTensorType>(getKeys().getType()).getDimSize(2);
      return getScore() == BlockScore::given ? rows : ::llvm::divideCeil(rows, getBlockKeys());
    }
    /// T, without lengths.
    int64_t countKeys() {
      return getScore() == BlockScore::given
          ? countBlocks() * getBlockKeys() : ::llvm::cast<::mlir::RankedTensorType>(getKeys().getType()).getDimSize(2);
    }
  }];
}

#endif // TENON_LISTS
