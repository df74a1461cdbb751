//===- State.td - sequence mixing through a state: linear attention, recurrences ---------===//
//
// Included by State.h alone, so that an edit rebuilds only the rooms that see these ops.
//
//===----------------------------------------------------------------------===//
#ifndef TENON_STATE
#define TENON_STATE

include "tenon/Dialect/IR/TenonBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tenon_StateRule : Tenon_I64Enum<"StateRule", "how a token changes the state of a linear attention", [
  I64EnumAttrCase<"linear", 0>, I64EnumAttrCase<"gated", 1>, I64EnumAttrCase<"delta", 2>,
  I64EnumAttrCase<"gated_delta", 3>]>;

def Tenon_LinearAttentionOp : Tenon_Op<"linear_attention",
    [Pure, AttrSizedOperandSegments, DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "attention without a normalizer: a matrix per head takes up keys and values and is read by queries";
  let description = [{
    With `query` `[B, Hq, T, K]`, `keys` `[B, H, T, K]` and `values` `[B, H, T, V]`, each of the H heads carries a state S
    `[K, V]` along the tokens. It starts with `state` `[B, H, K, V]`, or with zeros; `final` is what it is after the last token.
    Query head h reads the state of head `h / (Hq / H)`. At token t:

      S = diag(exp(decay[t])) S                   gated, gated_delta
      w = values[t]                               linear, gated
      w = beta[t] * (values[t] - S^T keys[t])     delta, gated_delta
      S = S + keys[t] w^T
      result[t] = scale * S^T query[t]

    `decay` is a logarithm, one per head `[B, H, T]` or one per key `[B, H, T, K]`; `beta` is `[B, H, T]`. (Linear attention;
    RetNet, GLA, Mamba-2; DeltaNet; Gated DeltaNet.)

    Up to `chunk` tokens are worked on at once, each chunk from the state before it; 1 goes step by step. It changes no result
    but in the order of sums, and a number that is not finite may reach the results of all tokens of its chunk. Sums and the
    state are kept in f32, in f64 for f64.

    - (C1) query, keys, values and result have rank 4 and agree in B, T and K; keys and values agree in H, values and
      result in V, query and result in Hq.
    - (C2) Hq and H are static, and H divides Hq.
    - (C3) query, keys, values, decay, beta and result are of one float type, state and final of one float type.
    - (C4) `decay` goes with gated and gated_delta, where it is `[B, H, T]` or `[B, H, T, K]`.
    - (C5) `beta` goes with delta and gated_delta, where it is `[B, H, T]`.
    - (C6) `state` and `final` are `[B, H, K, V]`.
    - (C7) `chunk` is at least 1.

    Example:
    ```mlir
    %y, %s = tenon.linear_attention gated_delta %q, %k, %v decay(%g : tensor<1x4x128xf32>) beta(%b : tensor<1x4x128xf32>)
        scale 1.250000e-01 : tensor<1x8x128x64xf32>, tensor<1x4x128x64xf32>, tensor<1x4x128x32xf32>
        -> tensor<1x8x128x32xf32>, tensor<1x4x64x32xf32>
    ```
  }];
  let arguments = (ins Tenon_StateRule:$rule, AnyRankedTensor:$query, AnyRankedTensor:$keys, AnyRankedTensor:$values,
                       Optional<AnyRankedTensor>:$decay, Optional<AnyRankedTensor>:$beta, Optional<AnyRankedTensor>:$state,
                       DefaultValuedAttr<F64Attr, "1.0">:$scale, DefaultValuedAttr<I64Attr, "64">:$chunk);
  let results = (outs AnyRankedTensor:$result, AnyRankedTensor:$final);
  let assemblyFormat = [{
    $rule $query `,` $keys `,` $values (`decay` `(` $decay^ `:` type($decay) `)`)? (`beta` `(` $beta^ `:` type($beta) `)`)?
    (`state` `(` $state^ `:` type($state) `)`)? (`scale` $scale^)? (`chunk` $chunk^)? attr-dict
    `:` type($query) `,` type($keys) `,` type($values) `->` type($result) `,` type($final)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    bool isGated() { return getRule() == StateRule::gated || getRule() == StateRule::gated_delta; }
    bool isDelta() { return getRule() == StateRule::delta || getRule() == StateRule::gated_delta; }
    /// Whether each key has a decay of its own.
    bool hasDecayPerKey() { return getDecay() && ::llvm::cast<::mlir::ShapedType>(getDecay().getType()).getRank() == 4; }
    /// The type that sums and the state are kept in.
    ::mlir::FloatType getSumType();
  }];
}

def Tenon_RecurrenceOp : Tenon_Op<"recurrence",
    [SingleBlock, AttrSizedOperandSegments, RecursiveMemoryEffects,
     DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "a cell run over steps: inputs of a step and states to outputs of the step and states";
  let description = [{
    The cell is called for each step t along the first dim of all inputs, from the first to the last, with `reverse` from the
    last to the first:

      outputs[t].., states.. = cell(inputs[t].., states..)

    The states start with `states`. Outputs are as large as `outs`, whose elements do not matter. Weights are captured: the
    cell sees the values around the op. The results are the outputs, then the states after the last call.

    With `lengths` `[B]`, where B is the first dim of states and of a step's outputs, entry b of the batch has the steps before
    `lengths[b]`: at the others its states stay as they are and its outputs are zero.

    - (C1) there is at least one input; inputs and outs have rank 1 or more and agree in the first dim where it is static.
    - (C2) the cell has an argument for each input, of its type without the first dim, and for each state, of its type.
    - (C3) the cell yields a tensor for each of outs, of its type without the first dim, and for each state, of its type.
    - (C4) `lengths` has rank 1 and integer elements, and its size, where static, is that of the first dim of states and
      steps' outputs, which have rank 1 or more.
    - (C5) the results have the types of outs and states.

    Example (a leaky sum):
    ```mlir
    %ys, %h = tenon.recurrence inputs(%x : tensor<10x2x8xf32>) states(%h0 : tensor<2x8xf32>) outs(%e : tensor<10x2x8xf32>) {
    ^bb0(%xt: tensor<2x8xf32>, %ht: tensor<2x8xf32>):
      %0 = linalg.mul ins(%ht, %weight : tensor<2x8xf32>, tensor<2x8xf32>) outs(%s : tensor<2x8xf32>) -> tensor<2x8xf32>
      %1 = linalg.add ins(%xt, %0 : tensor<2x8xf32>, tensor<2x8xf32>) outs(%s : tensor<2x8xf32>) -> tensor<2x8xf32>
      tenon.yield %1, %1 : tensor<2x8xf32>, tensor<2x8xf32>
    } -> tensor<10x2x8xf32>, tensor<2x8xf32>
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs, Variadic<AnyRankedTensor>:$states,
                       Optional<AnyRankedTensor>:$lengths, Variadic<AnyRankedTensor>:$outs, UnitAttr:$reverse);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$cell);
  let assemblyFormat = [{
    (`reverse` $reverse^)? (`inputs` `(` $inputs^ `:` type($inputs) `)`)? (`states` `(` $states^ `:` type($states) `)`)?
    (`lengths` `(` $lengths^ `:` type($lengths) `)`)? (`outs` `(` $outs^ `:` type($outs) `)`)? attr-dict-with-keyword $cell
    (`->` type($results)^)?
  }];
  let hasVerifier = 1;
}

#endif // TENON_STATE
