//===- Experts.td - selection, ragged groups and mixtures of experts -----------------===//
//
// Included by Experts.h alone, so that an edit rebuilds only the rooms that see these ops.
//
//===----------------------------------------------------------------------===//
#ifndef TENON_EXPERTS
#define TENON_EXPERTS

include "tenon/Dialect/IR/TenonBase.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Tenon_ExpertsOp<string mnemonic, list<Trait> traits = []> : Tenon_Op<mnemonic,
    !listconcat([Pure, DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>], traits)> {
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Selection
//===----------------------------------------------------------------------===//

def Tenon_TopKOp : Tenon_ExpertsOp<"top_k"> {
  let summary = "the largest or smallest elements along a dim, and where they were";
  let description = [{
    Of each line of `input` along `axis`, the `k` first elements in the order from large to small (from small to large
    with `smallest`), and their indices. Of equal elements the one with the lower index comes first. NaN counts as larger
    than every number and as equal to NaN; -0 and 0 are equal. Integers are signed, but for `i1`, whose 1 is larger than 0.
    The order of the results is always this one. `k` is an operand where the size of the results along `axis` is not
    static; a `k` that is negative or larger than the input's size along `axis` is an error at run time.

    - (C1) `axis` is a dim of `input`.
    - (C2) values and indices have the input's shape but for `axis`, and at most the input's size there.
    - (C3) values have the input's element type, a float or integer; indices are i64.
    - (C4) there is a `k` exactly where the results are dynamic along `axis`.

    Example:
    ```mlir
    %v, %i = tenon.top_k %x axis 1 : tensor<4x9xf32> -> tensor<4x2xf32>, tensor<4x2xi64>
    %w, %j = tenon.top_k smallest %x k %k axis 1 : tensor<4x9xf32> -> tensor<4x?xf32>, tensor<4x?xi64>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, Optional<Index>:$k, I64Attr:$axis, UnitAttr:$smallest);
  let results = (outs AnyRankedTensor:$values, AnyRankedTensor:$indices);
  let assemblyFormat = [{
    (`smallest` $smallest^)? $input (`k` $k^)? `axis` $axis attr-dict `:` type($input) `->` type($values) `,` type($indices)
  }];
}

def Tenon_SortOp : Tenon_ExpertsOp<"sort"> {
  let summary = "elements along a dim in order, and where they were";
  let description = [{
    Each line of `input` along `axis` from small to large (from large to small with `descending`), and the indices of its
    elements. The sort is stable: equal elements keep their order in both directions. Elements compare as in
    `tenon.top_k`.

    - (C1) `axis` is a dim of `input`.
    - (C2) values and indices have the input's shape.
    - (C3) values have the input's element type, a float or integer; indices are i64.

    Example:
    ```mlir
    %v, %i = tenon.sort descending %x axis 0 : tensor<9xf32> -> tensor<9xf32>, tensor<9xi64>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, I64Attr:$axis, UnitAttr:$descending);
  let results = (outs AnyRankedTensor:$values, AnyRankedTensor:$indices);
  let assemblyFormat = [{
    (`descending` $descending^)? $input `axis` $axis attr-dict `:` type($input) `->` type($values) `,` type($indices)
  }];
}

def Tenon_SegmentReduction : Tenon_I64Enum<"SegmentReduction", "what is made of the rows of a segment", [
  I64EnumAttrCase<"sum", 0>, I64EnumAttrCase<"max", 1>, I64EnumAttrCase<"min", 2>, I64EnumAttrCase<"mean", 3>]>;

def Tenon_SegmentReduceOp : Tenon_ExpertsOp<"segment_reduce"> {
  let summary = "one row from each segment of rows";
  let description = [{
    Segment s is the rows `offsets[s]` to `offsets[s + 1] - 1` of `input` (its dim 0), of which the result's row s is the
    sum, maximum, minimum or mean. An offset below 0 or beyond the last row counts as 0 or as the number of rows. A
    segment without rows has the sum and mean 0, and as maximum (minimum) the lowest (highest) value of its type,
    infinite for floats. NaN in a segment makes its result NaN. Sums of f16 and bf16 are kept in f32.

    - (C1) `offsets` has rank 1 and elements of i32 or i64, one more than the result has rows.
    - (C2) input and result have rank 1 or more, one element type (a float or integer; a float for `mean`), and agree in
      all dims but the first.

    Example:
    ```mlir
    %y = tenon.segment_reduce sum %x offsets %o : tensor<12x8xf32>, tensor<5xi64> -> tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Tenon_SegmentReduction:$kind, AnyRankedTensor:$input, AnyRankedTensor:$offsets);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $kind $input `offsets` $offsets attr-dict `:` type($input) `,` type($offsets) `->` type($result)
  }];
}

//===----------------------------------------------------------------------===//
// Routing
//===----------------------------------------------------------------------===//

def Tenon_RouterScore : Tenon_I64Enum<"RouterScore", "how the logits of a token become scores", [
  I64EnumAttrCase<"softmax", 0>, I64EnumAttrCase<"sigmoid", 1>, I64EnumAttrCase<"relu", 2>]>;

/// How tokens find their experts: the attributes that tenon.route and tenon.moe share.
defvar Tenon_Routing = (ins
  Tenon_RouterScore:$score,
  DefaultValuedAttr<I64Attr, "0">:$top_k,
  OptionalAttr<F64Attr>:$threshold,
  DefaultValuedAttr<I64Attr, "1">:$groups,
  DefaultValuedAttr<I64Attr, "1">:$top_groups,
  DefaultValuedAttr<I64Attr, "1">:$group_top,
  UnitAttr:$normalize,
  DefaultValuedAttr<F64Attr, "1.0">:$scale);

def Tenon_RouteOp : Tenon_ExpertsOp<"route"> {
  let summary = "which experts see which tokens, by the tokens' logits";
  let description = [{
    For each token (row) of `logits` `[T, E]`:

      score[e]  = softmax over e, sigmoid, or relu of logits[e]
      choice[e] = score[e] + biases[e]                      without `biases`: score[e]

    Experts stand in `groups` runs of equal size. A group's rank is the sum of its `group_top` largest choices, and the
    `top_groups` groups with the highest rank stay (all, where `groups` is 1). Of the experts in these groups, the token
    takes those whose choice is greater than `threshold`, where there is one, and of these the `top_k` with the largest
    choices; all where `top_k` is 0. Of equals the lower index wins. NaN counts as the largest choice; no threshold lets
    it through. The weight of a chosen expert is

      weight[e] = scale * score[e]                          with `normalize`: divided by the sum of the chosen scores,
                                                            where that is not 0

    so that biases decide who is chosen, not how much it weighs. Scores are kept in f32, in f64 for f64 logits.

    The pairs (expert, token) come as a list ordered by expert, then token: expert e has the entries `offsets[e]` to
    `offsets[e + 1] - 1` of `tokens` and `weights`. The list has room for T * `top_k` pairs (T * E without `top_k`); what is
    not used holds 0.

    - (C1) `logits` has rank 2 and float elements; `biases` has one element of that type per expert.
    - (C2) `top_k` is not negative and at most E; without it there is a `threshold`.
    - (C3) `groups` is positive and divides E, which is static unless `groups` is 1 and `top_k` is given; `top_groups` is
      from 1 to `groups`; `group_top` is from 1 to the experts of a group.
    - (C4) `offsets` and `tokens` have rank 1 and elements of i64, `weights` has the shape of `tokens` and the logits' element type.
    - (C5) `offsets` has E + 1 elements, `tokens` as many as the list has room for, where these are static.

    Example:
    ```mlir
    %o, %t, %w = tenon.route softmax %logits top_k 2 normalize
        : tensor<16x8xf32> -> tensor<9xi64>, tensor<32xi64>, tensor<32xf32>
    ```
  }];
  let arguments = !con((ins AnyRankedTensor:$logits, Optional<AnyRankedTensor>:$biases), Tenon_Routing);
  let results = (outs AnyRankedTensor:$offsets, AnyRankedTensor:$tokens, AnyRankedTensor:$weights);
  let assemblyFormat = [{
    $score $logits (`biases` $biases^ `:` type($biases))? (`top_k` $top_k^)? (`threshold` $threshold^)?
    (`groups` $groups^)? (`top_groups` $top_groups^)? (`group_top` $group_top^)? (`normalize` $normalize^)?
    (`scale` $scale^)? attr-dict `:` type($logits) `->` type($offsets) `,` type($tokens) `,` type($weights)
  }];
  let extraClassDeclaration = [{
    int64_t getNumExperts() { return ::llvm::cast<::mlir::ShapedType>(getLogits().getType()).getDimSize(1); }
  }];
}

//===----------------------------------------------------------------------===//
// Ragged matmul
//===----------------------------------------------------------------------===//

def Tenon_Activation : Tenon_I64Enum<"Activation", "a function of one number", [
  I64EnumAttrCase<"identity", 0>, I64EnumAttrCase<"relu", 1>, I64EnumAttrCase<"silu", 2>, I64EnumAttrCase<"gelu", 3>,
  I64EnumAttrCase<"gelu_tanh", 4>, I64EnumAttrCase<"relu_squared", 5>]>;

def Tenon_GroupedMatmulOp : Tenon_Op<"grouped_matmul",
    [DestinationStyleOpInterface, AttrSizedOperandSegments, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "rows in groups of any length, each group times its own matrix";
  let description = [{
    Group e is the entries `offsets[e]` to `offsets[e + 1] - 1` of a list. For each entry r of group e, and column n:

      sum[r, n] = sum over k of input[rows[r], k] * weights[e, k, n]          without `rows`: input[r, k]
      y[r, n]   = activation(sum[r, n] + biases[e, n]) * factors[r, n]        each part where it is given

    Without `scatter`, row r of the result is y[r]. With `scatter`, row `scatter[r]` of the result is that of `outs` plus
    the sum over its entries, in the list's order, of y[r], times `scales[r]` where these are given. Rows of `outs` that
    no entry writes stay. Nothing is padded, nothing is dropped: groups may be empty, and one may hold all entries.

    The list has as many entries as the first of `rows`, `scatter`, `factors` and `input` that is given, in this order. An
    offset below 0 or beyond its end counts as 0 or as its end. A row number outside of its tensor counts as the nearest
    one inside; where the tensor has no rows, the list is empty. Offsets ascend: of an entry that lies in two groups, either one's y is
    the result's. Sums are kept in f32, in f64 for f64.

    - (C1) input, weights and outs have ranks 2, 3 and 2, and agree in K and N where these are static.
    - (C2) they have float elements; input and weights of one type.
    - (C3) `offsets` has rank 1 and one element more than there are groups; `rows` and `scatter` have rank 1; all three
      have elements of i64.
    - (C4) `biases` is `[E, N]`, `factors` `[R, N]` with R the entries of the list, `scales` `[R]`; floats no wider than the sum.
    - (C5) rows, scatter, factors and scales, and without `scatter` also outs, have R elements along dim 0 where these
      are static.
    - (C6) `scales` come with `scatter` alone.
    - (C7) the result has the type of `outs`.
    - (C8) with `panels`, the weights are `[E, ceil(N / panels), K, panels]`: element (e, k, n) lies at
      (e, n / panels, k, n mod panels), and what lies past N is not read into the result.

    Example:
    ```mlir
    %h = tenon.grouped_matmul silu %x, %gate offsets %o rows %t : tensor<32xi64>
        outs(%e : tensor<32x64xf32>) : tensor<16x48xf32>, tensor<8x48x64xf32>, tensor<9xi64> -> tensor<32x64xf32>
    ```
  }];
  let arguments = (ins Tenon_Activation:$activation, AnyRankedTensor:$input, AnyRankedTensor:$weights,
    AnyRankedTensor:$offsets, Optional<AnyRankedTensor>:$rows, Optional<AnyRankedTensor>:$biases,
    Optional<AnyRankedTensor>:$factors, Optional<AnyRankedTensor>:$scatter, Optional<AnyRankedTensor>:$scales,
    AnyRankedTensor:$init, DefaultValuedAttr<I64Attr, "0">:$panels);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $activation $input `,` $weights `offsets` $offsets (`rows` $rows^ `:` type($rows))?
    (`biases` $biases^ `:` type($biases))? (`factors` $factors^ `:` type($factors))?
    (`scatter` $scatter^ `:` type($scatter))? (`scales` $scales^ `:` type($scales))?
    `outs` `(` $init `:` type($init) `)` attr-dict
    `:` type($input) `,` type($weights) `,` type($offsets) `->` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
    /// The operand whose dim 0 is the length of the list.
    ::mlir::Value getListOperand();
    /// The dim of the weights that K runs along.
    unsigned getDepthDim() { return getPanels() == 0 ? 1 : 2; }
    /// The type that sums are kept in.
    ::mlir::FloatType getSumType();
  }];
}

//===----------------------------------------------------------------------===//
// Mixtures of experts
//===----------------------------------------------------------------------===//

def Tenon_MoeOp : Tenon_ExpertsOp<"moe", [AttrSizedOperandSegments]> {
  let summary = "a mixture of experts: route, feed forward, combine";
  let description = [{
    Tokens `[T, D]` go to experts as `tenon.route` says of `logits` `[T, E]`, `biases` and the attributes of that name. An
    expert computes, for its row x,

      h = activation(x * gate) * (x * up)          without `gate`: activation(x * up)
      y = h * down

    with `gate` and `up` `[E, D, F]` and `down` `[E, F, D]`. A token's result is the sum of its experts' y by their
    weights, in the order of the experts, added to that of the shared expert, which sees every token with weight 1
    (`shared_gate`, `shared_up` `[D, S]`, `shared_down` `[S, D]`). h is rounded to the tokens' element type; the sum of
    the results is kept in f32 (f64).

    - (C1) tokens have rank 2 and float elements, and the result their type; logits have rank 2 and as many rows.
    - (C2) `up` and `down`, and `gate` where given, have the shapes above and the tokens' element type.
    - (C3) the shared operands come together, `shared_gate` exactly where there is a `gate`, with the shapes above and the tokens'
      element type.
    - (C4) the routing verifies as that of a `tenon.route` with these operands and attributes.

    Example:
    ```mlir
    %y = tenon.moe silu %x, %logits route softmax top_k 2 normalize gate %g : tensor<8x48x64xf32>
        up %u : tensor<8x48x64xf32> down %d : tensor<8x64x48xf32> : tensor<16x48xf32>, tensor<16x8xf32> -> tensor<16x48xf32>
    ```
  }];
  let arguments = !con((ins Tenon_Activation:$activation, AnyRankedTensor:$tokens, AnyRankedTensor:$logits,
    Optional<AnyRankedTensor>:$biases, Optional<AnyRankedTensor>:$gate, AnyRankedTensor:$up, AnyRankedTensor:$down,
    Optional<AnyRankedTensor>:$shared_gate, Optional<AnyRankedTensor>:$shared_up, Optional<AnyRankedTensor>:$shared_down),
    Tenon_Routing);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $activation $tokens `,` $logits `route` $score (`biases` $biases^ `:` type($biases))? (`top_k` $top_k^)?
    (`threshold` $threshold^)? (`groups` $groups^)? (`top_groups` $top_groups^)? (`group_top` $group_top^)?
    (`normalize` $normalize^)? (`scale` $scale^)? (`gate` $gate^ `:` type($gate))? `up` $up `:` type($up)
    `down` $down `:` type($down) (`shared_gate` $shared_gate^ `:` type($shared_gate))?
    (`shared_up` $shared_up^ `:` type($shared_up))? (`shared_down` $shared_down^ `:` type($shared_down))?
    attr-dict `:` type($tokens) `,` type($logits) `->` type($result)
  }];
}

#endif // TENON_EXPERTS
