//===- Attention.td - attention over sources of keys and values -------------------===//
#ifndef TENON_ATTENTION
#define TENON_ATTENTION

include "tenon/Dialect/IR/TenonBase.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

//===----------------------------------------------------------------------===//
// Masks
//===----------------------------------------------------------------------===//

def Tenon_MaskAlign : Tenon_I64Enum<"MaskAlign", "where the first query stands among the keys", [
  I64EnumAttrCase<"start", 0>, I64EnumAttrCase<"end", 1>]>;

class Tenon_MaskAttr<string name, string mnemonic> : Tenon_Attr<name, mnemonic>;

def Tenon_CausalAttr : Tenon_MaskAttr<"Causal", "causal"> {
  let summary = "a query sees the keys up to its own place";
  let description = [{
    With S queries and T keys, query q stands at place `p = q` (`start`) or `p = q + T - S` (`end`: the last query beside
    the last key). It sees key k where `k <= p`.
  }];
  let parameters = (ins DefaultValuedParameter<"::tenon::MaskAlign", "::tenon::MaskAlign::end">:$align);
  let assemblyFormat = "(`<` $align^ `>`)?";
}

def Tenon_WindowAttr : Tenon_MaskAttr<"Window", "window"> {
  let summary = "a query sees the keys near its own place";
  let description = [{
    A query at place p (as in `#tenon.causal`) sees key k where `p - left <= k <= p + right`; -1 is without bound.

    - (C1) `left` and `right` are at least -1.
  }];
  let parameters = (ins "int64_t":$left, "int64_t":$right,
                    DefaultValuedParameter<"::tenon::MaskAlign", "::tenon::MaskAlign::end">:$align);
  let assemblyFormat = "`<` $left `,` $right (`,` $align^)? `>`";
  let genVerifyDecl = 1;
}

def Tenon_PrefixAttr : Tenon_MaskAttr<"Prefix", "prefix"> {
  let summary = "every query sees the first keys";
  let description = [{
    - (C1) `length` is not negative.
  }];
  let parameters = (ins "int64_t":$length);
  let assemblyFormat = "`<` $length `>`";
  let genVerifyDecl = 1;
}

def Tenon_DilatedAttr : Tenon_MaskAttr<"Dilated", "dilated"> {
  let summary = "a query sees every so many-th key near its own place";
  let description = [{
    A query at place p (as in `#tenon.causal`) sees key `p + n * dilation` for `-left <= n <= right`; -1 is without bound.

    - (C1) `left` and `right` are at least -1, `dilation` is positive.
  }];
  let parameters = (ins "int64_t":$left, "int64_t":$right, "int64_t":$dilation,
                    DefaultValuedParameter<"::tenon::MaskAlign", "::tenon::MaskAlign::end">:$align);
  let assemblyFormat = "`<` $left `,` $right `,` $dilation (`,` $align^)? `>`";
  let genVerifyDecl = 1;
}

def Tenon_StridedAttr : Tenon_MaskAttr<"Strided", "strided"> {
  let summary = "a query sees every so many-th block of keys";
  let description = [{
    Every query sees key k where `(k / block) mod stride = offset`: columns of the matrix of scores, as in the fixed patterns of
    sparse transformers (arXiv:1904.10509) and, with an offset per head, in shards (arXiv:2407.17678). What is counted from
    the query's own place is `#tenon.dilated`.

    - (C1) `stride` and `block` are positive, and `offset` is from 0 to before `stride`.
  }];
  let parameters = (ins "int64_t":$stride, "int64_t":$offset, "int64_t":$block);
  let assemblyFormat = "`<` $stride `,` $offset `,` $block `>`";
  let genVerifyDecl = 1;
}

def Tenon_NeighborhoodAttr : Tenon_MaskAttr<"Neighborhood", "neighborhood"> {
  let summary = "a query sees the keys near its own place on a grid";
  let description = [{
    Places of a grid are numbered row by row, the last dim fastest. Key k is at place k, query q at place p as in
    `#tenon.causal`. A query sees a key where in every dim the key's coordinate is in the window of the query's; who is outside
    of the grid sees nothing and is not seen. Per dim, of length L (NATTEN, arXiv:2204.07143, arXiv:2209.15001, arXiv:2504.16922):

    - with `dilation` d, coordinates of one remainder by d are neighbours: `x` is number `y = x / d` of the n that there are;
    - with `stride` s, numbers of one `y / s` share the window of their leader, `(y / s) * s + s / 2`, or `(y / s) * s + s - 1`
      in a causal dim, or n - 1 if that is less;
    - the window of leader l is the `size` w numbers from `l - w / 2` on, moved into 0 to n; in a causal dim those from
      `l - w + 1` up to the query's own, y.

    Lists have an entry per dim; without them `stride` and `dilation` are 1 and `causal` is 0.

    - (C1) `grid` has at least one dim, and lists an entry for each.
    - (C2) lengths, sizes, strides and dilations are positive, `size * dilation` is at most the length, `stride` at most `size`,
      `causal` 0 or 1, and the grid has less than 2^31 places.

    Example:
    ```mlir
    #tenon.neighborhood<grid = [12, 16], size = [5, 7], stride = [2, 4], causal = [1, 0]>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$grid, ArrayRefParameter<"int64_t">:$size,
                    ArrayRefParameter<"int64_t">:$stride, ArrayRefParameter<"int64_t">:$dilation,
                    ArrayRefParameter<"int64_t">:$causal, "::tenon::MaskAlign":$align);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Tenon_DocumentAttr : Tenon_MaskAttr<"Document", "document"> {
  let summary = "a query sees the keys of its own document";
  let description = [{
    Numbers of documents are integers in two operands of the source (its `mask_operands`, by number): a query sees the keys
    whose number is its own. One tensor may be both, each time with a map of its own.
  }];
  let parameters = (ins "unsigned":$queries, "unsigned":$keys);
  let assemblyFormat = "`<` $queries `,` $keys `>`";
}

def Tenon_KeyIntervalAttr : Tenon_MaskAttr<"KeyInterval", "key_interval"> {
  let summary = "a query sees keys from one bound to another, both from tables";
  let description = [{
    Two operands of the source (its `mask_operands`, by number) hold integers for queries: a query sees the keys from `low` to
    before `high` (tables of masks as in arXiv:2410.01359). More intervals are more masks, combined.
  }];
  let parameters = (ins "unsigned":$low, "unsigned":$high);
  let assemblyFormat = "`<` $low `,` $high `>`";
}

class Tenon_MaskListAttr<string name, string mnemonic> : Tenon_MaskAttr<name, mnemonic> {
  let parameters = (ins ArrayRefParameter<"::mlir::Attribute">:$masks);
  let assemblyFormat = "`<` $masks `>`";
  let genVerifyDecl = 1;
}

def Tenon_AllOfAttr : Tenon_MaskListAttr<"AllOf", "all_of"> {
  let summary = "keys that each of several masks lets through";
  let description = [{
    - (C1) there is at least one entry, and each is a mask.
  }];
}

def Tenon_AnyOfAttr : Tenon_MaskListAttr<"AnyOf", "any_of"> {
  let summary = "keys that one of several masks lets through";
  let description = [{
    - (C1) there is at least one entry, and each is a mask.
  }];
}

def Tenon_PerHeadAttr : Tenon_MaskListAttr<"PerHead", "per_head"> {
  let summary = "a mask for each head";
  let description = [{
    Head h of the query has mask number `h mod n` of the n in the list.

    - (C1) there is at least one entry, and each is a mask.
  }];
}

def Tenon_NotAttr : Tenon_MaskAttr<"Not", "not"> {
  let summary = "keys that a mask hides";
  let description = [{
    - (C1) the entry is a mask.
  }];
  let parameters = (ins "::mlir::Attribute":$mask);
  let assemblyFormat = "`<` $mask `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Sources
//===----------------------------------------------------------------------===//

def Tenon_KVSourceType : TypeDef<Tenon_Dialect, "KVSource"> {
  let mnemonic = "kv_source";
  let summary = "keys and values of one storage, under one mask";
}

def Tenon_KVSourceOp : Tenon_Op<"kv_source", [Pure, AttrSizedOperandSegments]> {
  let summary = "keys and values for an attention, with their mask";
  let description = [{
    Bundles `keys` `[B, H, T, D]` and `values` `[B, H, T, E]` with what is known of who sees what: `mask`, an attribute
    over query and key index (`#tenon.causal`, `#tenon.window`, `#tenon.prefix`, `#tenon.dilated`, `#tenon.strided`,
    `#tenon.neighborhood`, `#tenon.document`, `#tenon.key_interval`, combined by `#tenon.all_of`, `#tenon.any_of`, `#tenon.not`
    and `#tenon.per_head`), and `lengths` `[B]` or `[B, H]`, the number of keys that exist in each batch, or in each head of it. A
    mask with alignment `end` takes the length, where given, for the number of keys.

    With `pages` `[B, M]` or `[B, H, M]`, keys and values lie in pools of pages, `[P, H, N, D]` and `[P, H, N, E]`, and
    there are T = M * N keys: key k of batch b is number `k mod N` of page `pages[b, k / N]`. A number of a page that does
    not exist is taken for the nearest that does; pages of keys that do not exist are not looked at. With `start` `[B]` the
    storage is a ring: key k lies where key `(start[b] + k) mod T` would. A start below 0 is taken for 0.

    `mask_operands` are tensors with an element for each (b, h, q, k) by their maps, as `extras` of an attention; h is the
    query's head. Masks whose rule is data name them by number. The region `predicate` sees indices and the elements of all of
    them, and hides a key from a query where it yields false; what `mask` hides stays hidden.

    With `blocks` `[B, W, R, L]`, queries see listed keys alone. Keys stand in blocks of `keys`: block j has the keys from
    `j * keys` to before `(j + 1) * keys`, of those that exist. `queries` queries in a row share a list: query q of head h reads the
    list `blocks[b, h / (H / W), q / queries, :]`, where H is the number of query heads; a query beyond the lists sees nothing.
    It sees what the mask lets through of the keys of the listed blocks. A block is counted as often as it is listed, in
    any order; a number that is negative or beyond the last block stands for no block (-1 pads lists). `weights`, of the
    shape of `blocks`, are added to the scores of an entry's keys: logarithms of how much they count under a softmax.
    What is not listed is not read.

    - (C1) keys and values have rank 4.
    - (C2) their first three dims agree where they are static.
    - (C3) `mask` is one of the mask attributes.
    - (C4) `lengths` has the shape of batches or of batches and heads, and integer elements.
    - (C5) `pages` has rank 2 or 3, heads in the latter case, and integer elements.
    - (C6) `start` has rank 1, the batch's size, and integer elements.
    - (C7) there is one map per mask operand, of the dims (b, h, q, k), one result per dimension of the operand, each result a
      dim of its own or 0; dims read by batches or keys have as many entries where static.
    - (C8) an operand that `mask` names exists and has integers of 32 or 64 bits; its map reads q, and not k, where it is of
      queries, and k, and not q, where it is of keys.
    - (C9) `predicate` has the arguments (b, h, q, k, one per mask operand), indices as `index`, and yields an `i1`.
    - (C10) `blocks` has rank 4, the batch's size, a static number of heads, and integer elements.
    - (C11) `weights` goes with `blocks`, and has its shape and float elements.
    - (C12) `keys` and `queries` of blocks are at least 1, and 1 without `blocks`.

    Example:
    ```mlir
    %s = tenon.kv_source %k, %v mask(#tenon.causal) : tensor<1x8x128x64xf32>, tensor<1x8x128x64xf32>
    %t = tenon.kv_source %keys, %values pages(%pages : tensor<2x32xi32>) lengths %l mask(#tenon.causal)
        : tensor<100x8x16x64xf32>, tensor<100x8x16x64xf32>, tensor<2xi64>
    %d = tenon.kv_source %k, %v mask_operands(%ids, %ids : tensor<1x128xi64>, tensor<1x128xi64>)
        maps [affine_map<(b, h, q, k) -> (b, q)>, affine_map<(b, h, q, k) -> (b, k)>]
        mask(#tenon.all_of<#tenon.causal, #tenon.document<0, 1>>) : tensor<1x8x128x64xf32>, tensor<1x8x128x64xf32>
    %u = tenon.kv_source %k, %v blocks(%b : tensor<1x8x2x3xi64>) keys 16 queries 64 mask(#tenon.causal)
        : tensor<1x8x128x64xf32>, tensor<1x8x128x64xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$keys, AnyRankedTensor:$values, Optional<AnyRankedTensor>:$pages,
                       Optional<AnyRankedTensor>:$start, Optional<AnyRankedTensor>:$lengths,
                       Variadic<AnyRankedTensor>:$mask_operands, DefaultValuedAttr<ArrayAttr, "{}">:$mask_maps,
                       Optional<AnyRankedTensor>:$blocks, Optional<AnyRankedTensor>:$block_weights,
                       DefaultValuedAttr<I64Attr, "1">:$block_keys, DefaultValuedAttr<I64Attr, "1">:$block_queries,
                       OptionalAttr<AnyAttr>:$mask);
  let results = (outs Tenon_KVSourceType:$source);
  let regions = (region VariadicRegion<SizedRegion<1>>:$predicate);
  // Contiguous keys and values.
  let builders = [OpBuilder<(ins "::mlir::Value":$keys, "::mlir::Value":$values, "::mlir::Value":$lengths,
                              "::mlir::Attribute":$mask)>];
  let assemblyFormat = [{
    $keys `,` $values (`pages` `(` $pages^ `:` type($pages) `)`)? (`start` `(` $start^ `:` type($start) `)`)?
    (`blocks` `(` $blocks^ `:` type($blocks) `)`)? (`weights` `(` $block_weights^ `:` type($block_weights) `)`)?
    (`keys` $block_keys^)? (`queries` $block_queries^)?
    (`lengths` $lengths^)? (`mask_operands` `(` $mask_operands^ `:` type($mask_operands) `)` `maps` $mask_maps)?
    (`mask` `(` $mask^ `)`)? attr-dict `:` type($keys) `,` type($values) (`,` type($lengths)^)? (`predicate` $predicate^)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The operand whose first dim is the batch.
    ::mlir::Value getBatched() { return getPages() ? getPages() : getKeys(); }
    ::llvm::SmallVector<::mlir::AffineMap> getMaps();
    bool hasPredicate() { return !getPredicate().empty(); }
    bool isMasked() { return getMask() || hasPredicate(); }
  }];
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

def Tenon_Normalizer : Tenon_I64Enum<"Normalizer", "how the scores of a query become weights", [
  I64EnumAttrCase<"softmax", 0>, I64EnumAttrCase<"sigmoid", 1>, I64EnumAttrCase<"relu", 2>,
  I64EnumAttrCase<"none", 3>, I64EnumAttrCase<"entmax", 4>, I64EnumAttrCase<"user", 5>]>;

def Tenon_NormalizerType : TypeDef<Tenon_Dialect, "NormalizerRule"> {
  let mnemonic = "normalizer";
  let summary = "how scores become weights, by a user's regions";
}

def Tenon_NormalizerOp : Tenon_Op<"normalizer", [Pure, SingleBlock]> {
  let summary = "a normalizer for an attention, in four regions";
  let description = [{
    A row of scores is folded into a state of one or more numbers, which weighs each score: from `init`, `update` takes
    in one score; `combine` joins the states of two parts of a row; `finish` gives the weight of a score under the whole
    row's state. A row may be folded in any order and in any parts, so `combine` is associative and commutative, and
    with `init` changes nothing.

    - (C1) `init` has no arguments, `update` the state and a score, `combine` two states, `finish` a score and the state;
      the first three yield a state, `finish` one weight; all are of one float type.

    Example (the score over the sum of absolute scores):
    ```mlir
    %n = tenon.normalizer init {
      tenon.yield %zero : f32
    } update {
    ^bb0(%sum: f32, %score: f32):
      %size = math.absf %score : f32
      %next = arith.addf %sum, %size : f32
      tenon.yield %next : f32
    } combine {
    ^bb0(%a: f32, %b: f32):
      %both = arith.addf %a, %b : f32
      tenon.yield %both : f32
    } finish {
    ^bb0(%score: f32, %sum: f32):
      %weight = arith.divf %score, %sum : f32
      tenon.yield %weight : f32
    }
    ```
  }];
  let results = (outs Tenon_NormalizerType:$rule);
  let regions = (region SizedRegion<1>:$init, SizedRegion<1>:$update, SizedRegion<1>:$combine, SizedRegion<1>:$finish);
  let assemblyFormat = "`init` $init `update` $update `combine` $combine `finish` $finish attr-dict";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The numbers of a state.
    unsigned getStateSize() { return getInit().front().getTerminator()->getNumOperands(); }
  }];
}

def Tenon_AttentionOp : Tenon_Op<"attention",
    [DestinationStyleOpInterface, SingleBlock, AttrSizedOperandSegments, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "scores of queries against keys, normalised, times values";
  let description = [{
    With `query` `[B, H, S, D]` and sources of keys `[B, G, T, D]` and values `[B, G, T, E]`, where G divides H (head h
    reads head `h / (H / G)` of the source), the result `[B, H, S, E]` is

      score[k]  = region(sum over d of query[b, h, q, d] * keys[b, g, k, d], b, h, q, k, extras..)
      weight    = probability(normalizer(score over the keys of all sources that the masks let through), b, h, q, k, extras..)
      out[q, e] = sum over k of weight[k] * values[b, g, k, e]

    The normalizers: `softmax` divides exponentials by their sum, to which `sink` `[H]` adds the exponential of one more
    score per head; `sigmoid`, `relu` and `none` take each score by itself; `entmax` with `alpha` a is the positive part of
    `(a - 1) * score - t` to the power `1 / (a - 1)`, where t is such that weights sum to 1 (`alpha` 2 is sparsemax); `user`
    is a `tenon.normalizer`, the `rule`. Scores of -inf weigh nothing, and a user's rule does not see them. A query that sees
    no key gets zeros.

    Regions see indices (k counts within its source) and the elements of `extras` at (b, h, q, k) by their maps; a scale is
    part of the score's. Without a `probability` region weights stay as they are. Sums are kept in f32, in f64 for f64.

    The result `lse` `[B, H, S]` is the logarithm of the sum of a softmax, the sink's part included; -inf where nothing was
    summed. With `partial`, results have parts of the keys in a dim before E, and at the end of `lse`: `[B, H, S, C, E]` and
    `[B, H, S, C]`. Part c is the attention over the keys of each source from `c * N` to before `(c + 1) * N`, where N is
    the number of keys that exist over C, rounded up to a multiple of 64.

    - (C1) query, init and result have rank 4 (init and result rank 5 with `partial`); batch, heads and queries of query and
      init agree where static.
    - (C2) there is at least one source, and each is the result of a `tenon.kv_source`.
    - (C3) keys have the query's batch and D; values have the result's E; the source's heads divide the query's.
    - (C4) query, keys, values, sink and init are floats; keys and values are no wider than scores.
    - (C5) the regions have the arguments (score or weight, b, h, q, k, one per extra), the first in f32 (f64 for an f64
      query), indices as `index`, and yield one value of its type.
    - (C6) there is one map per extra, of the dims (b, h, q, k), one result per dimension of the extra, each result a
      dim of its own or 0.
    - (C7) `sink` is `[H]`, and goes with softmax.
    - (C8) `alpha` goes with entmax, where it is above 1 and at most 2.
    - (C9) `rule` goes with `user`, and is the result of a `tenon.normalizer` of the score's type.
    - (C10) `lse` goes with softmax; its init and result are tensors of the score's type and of the result's shape without E.
    - (C11) `partial` goes with `lse`, or with a normalizer that takes each score by itself, and not with `sink` or
      `probability`; the result is of the score's type.
    - (C12) dims of mask operands that are read by heads or queries have as many entries where static.
    - (C13) the heads of a source's `blocks` divide the query's; there is a list for every run of `queries` queries, where
      these numbers are static; weights of blocks are no wider than scores.

    Example:
    ```mlir
    %o = tenon.attention softmax %q sources(%s) outs(%e : tensor<1x8x128x64xf32>) : tensor<1x8x128x64xf32> {
    ^bb0(%score: f32, %b: index, %h: index, %i: index, %k: index):
      %scaled = arith.mulf %score, %eighth : f32
      tenon.yield %scaled : f32
    } -> tensor<1x8x128x64xf32>
    %p, %lse = tenon.attention softmax %q sources(%s) sink(%sink : tensor<8xf32>) outs(%e : tensor<1x8x128x64xf32>)
        lse(%l : tensor<1x8x128xf32>) : tensor<1x8x128x64xf32> {
    ^bb0(%score: f32, %b: index, %h: index, %i: index, %k: index):
      tenon.yield %score : f32
    } probability {
    ^bb0(%weight: f32, %b: index, %h: index, %i: index, %k: index):
      %half = arith.mulf %weight, %eighth : f32
      tenon.yield %half : f32
    } -> tensor<1x8x128x64xf32>, tensor<1x8x128xf32>
    ```
  }];
  let arguments = (ins Tenon_Normalizer:$normalizer, OptionalAttr<F64Attr>:$alpha, AnyRankedTensor:$query,
                       Variadic<Tenon_KVSourceType>:$sources, Optional<AnyRankedTensor>:$sink,
                       Optional<Tenon_NormalizerType>:$rule, Variadic<AnyRankedTensor>:$extras,
                       AnyRankedTensor:$init, Optional<AnyRankedTensor>:$lse_init,
                       DefaultValuedAttr<ArrayAttr, "{}">:$extra_maps, UnitAttr:$partial);
  let results = (outs AnyRankedTensor:$result, Optional<AnyRankedTensor>:$lse);
  let regions = (region SizedRegion<1>:$score, VariadicRegion<SizedRegion<1>>:$probability);
  let assemblyFormat = [{
    $normalizer (`alpha` `(` $alpha^ `)`)? (`partial` $partial^)? $query `sources` `(` $sources `)`
    (`sink` `(` $sink^ `:` type($sink) `)`)? (`rule` `(` $rule^ `)`)?
    (`extras` `(` $extras^ `:` type($extras) `)` `maps` $extra_maps)?
    `outs` `(` $init `:` type($init) `)` (`lse` `(` $lse_init^ `:` type($lse_init) `)`)? attr-dict `:` type($query)
    $score (`probability` $probability^)? `->` type($result) (`,` type($lse)^)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(*this, getInitMutable().getOperandNumber(), getLseInit() ? 2 : 1);
    }
    /// The op that makes source `number`.
    ::tenon::KVSourceOp getSource(unsigned number);
    /// The op that makes `rule`; null without one.
    ::tenon::NormalizerOp getRuleOp();
    ::mlir::Type getScoreType() { return getScore().front().getArgument(0).getType(); }
    ::llvm::SmallVector<::mlir::AffineMap> getMaps();
    bool hasProbability() { return !getProbability().empty(); }
    /// Whether weights are known only after all scores of a row, which are kept until then.
    bool keepsScores() {
      return !isElementwise() && (getNormalizer() != Normalizer::softmax || hasProbability());
    }
    /// Whether a score's weight does not depend on the row's others.
    bool isElementwise() {
      return ::llvm::is_contained({Normalizer::sigmoid, Normalizer::relu, Normalizer::none}, getNormalizer());
    }
  }];
}

#endif // TENON_ATTENTION
