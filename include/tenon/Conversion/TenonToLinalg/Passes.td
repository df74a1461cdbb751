//===- Passes.td - op families to linalg --------------------------------------------===//
#ifndef TENON_CONVERSION_TENONTOLINALG_PASSES
#define TENON_CONVERSION_TENONTOLINALG_PASSES

include "mlir/Pass/PassBase.td"

def ConvertConvToLinalg : Pass<"tenon-convert-conv-to-linalg", "::mlir::ModuleOp"> {
  let summary = "turn convolutions, pools and resizes into linalg";
  let description = [{
    A `tenon.conv` becomes a contraction with linear indexing maps over a padded copy of its input (if it has pads), with bias
    and truncation as an element-wise consumer. Filters of one tap make plain matmuls. Where the innermost spatial dim has a
    stride, the copy is split by phase, so that the contraction still reads unit-stride. A
    transposed convolution computes all output phases as channels of an ordinary one and interleaves them. Pools
    of few taps become an element-wise op over shifted slices, others a windowed reduction. Resizes gather with
    positions and weights tabulated per dim, one dim after the other.

    Before:
    ```mlir
    %y = tenon.conv %x, %w strides [1] dilations [1] pads [1, 1] groups 1
        : tensor<1x4x8xf32>, tensor<8x4x3xf32> -> tensor<1x8x8xf32>
    ```
    After:
    ```mlir
    %p = tensor.pad %x low[0, 0, 1] high[0, 0, 1] { ... }
    %c = tensor.collapse_shape %p [[0, 1], [2]] : tensor<1x4x10xf32> into tensor<4x10xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
    %a = linalg.generic {indexing_maps = [(f, o, c, k) -> (f, c, k), (f, o, c, k) -> (c, o + k), (f, o, c, k) -> (f, o)],
                         iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
         ins(%w, %c : tensor<8x4x3xf32>, tensor<4x10xf32>) outs(%z : tensor<8x8xf32>) { mulf, addf }
    %y = tensor.expand_shape %a [[0, 1], [2]] output_shape [1, 8, 8]
    ```
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect"];
}

def ConvertFormatsToLinalg : Pass<"tenon-convert-formats-to-linalg", "::mlir::ModuleOp"> {
  let summary = "turn dequantize and quantize into linalg, inside the contractions that read them";
  let description = [{
    A `tenon.dequantize` of weights that a contraction sums over becomes a part of the contraction's body: codes that are
    neighbours along the summed dim share words of 32 bits, and the dim becomes three, groups, words and codes of a word. What is
    made of the weights alone, the words and the parts of groups, is left to `tenon-hoist-constants`. Where the last group
    is not full, the other factor is padded with zeros. Any other dequantize, and quantize, is element-wise.

    Before:
    ```mlir
    %w = tenon.dequantize %codes scales %s : tensor<2x64xf16> axis 0 format <element = ui4, offset = 8, group = 32, scale = f16>
        : tensor<64x64xi4> -> tensor<64x64xf32>
    %y = linalg.matmul ins(%x, %w : tensor<1x64xf32>, tensor<64x64xf32>) outs(%zero : tensor<1x64xf32>) -> tensor<1x64xf32>
    ```
    After:
    ```mlir
    %words = linalg.generic ... // tensor<2x4x64xi32>, from %codes
    %xs = tensor.expand_shape %x [[0], [1, 2, 3]] output_shape [1, 2, 4, 8]
    %y = linalg.generic {indexing_maps = [(m, n, g, w, t) -> (m, g, w, t), (m, n, g, w, t) -> (g, w, n),
                                          (m, n, g, w, t) -> (t), (m, n, g, w, t) -> (g, n), (m, n, g, w, t) -> (m, n)]}
        ins(%xs, %words, %shifts, %scales) outs(%zero) {
    ^bb0(%a: f32, %word: i32, %shift: i32, %scale: f16, %sum: f32):
      %0 = arith.shrui %word, %shift : i32
      ... // mask, convert, take off 8, times scale
      %p = arith.mulf %a, %value : f32
      %q = arith.addf %sum, %p : f32
      linalg.yield %q : f32
    }
    ```
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect"];
}

def DecomposeExperts : Pass<"tenon-decompose-experts", "::mlir::ModuleOp"> {
  let summary = "turn mixtures of experts into matmuls of groups, selection and routing into linalg and loops";
  let description = [{
    A `tenon.moe` becomes a `tenon.route` and a `tenon.grouped_matmul` per matrix, of which the last one adds to each
    token's row; its shared expert is one group of all tokens. A `tenon.route` becomes element-wise scores and loops
    over scalars that mark each token's experts in a table and then read it expert by expert. A `tenon.sort` counts for
    each element how many come before it, and so does a `tenon.top_k` of short lines; on long ones it is a loop that keeps the
    first elements in a list. A `tenon.select_blocks` becomes contractions of what stands for queries and keys, a softmax, a
    `tenon.top_k` of one number per block and a `tenon.sort` of what is taken. A `tenon.segment_reduce` is a loop. What stays is
    `tenon.grouped_matmul`, which is tiled as it is; where several entries add to one row, on f32 or f64.

    Before:
    ```mlir
    %v, %i = tenon.top_k %x axis 0 : tensor<9xf32> -> tensor<2xf32>, tensor<2xi64>
    ```
    After:
    ```mlir
    %place = linalg.generic {iterator_types = ["parallel", "reduction"]} ins(%x, %x) ... // elements before this one
    %i = linalg.generic {iterator_types = ["parallel", "reduction"]} ins(%place) ...     // whose place is this one
    %v = linalg.generic {iterator_types = ["parallel"]} ins(%i) { tensor.extract %x[..] }
    ```
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect", "::mlir::cf::ControlFlowDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
}

def DecomposeState : Pass<"tenon-decompose-state", "::mlir::ModuleOp"> {
  let summary = "turn linear attention into contractions over chunks, recurrences into loops";
  let description = [{
    A `tenon.linear_attention` becomes a loop over chunks of tokens that carries the state: products of queries and keys of
    the chunk, weighed by what the decays leave of them, times values, plus queries times the state. With a delta rule values are
    the solution of a lower triangular system, by the inverse of its matrix, which is made block by block. Chunks are at
    most `chunk` tokens, 16 with a decay per key, 32 with a delta rule. One token, or few of an unknown number, go step by step. A
    `tenon.recurrence` becomes a loop over its steps with the cell inside.

    Before:
    ```mlir
    %y, %s = tenon.linear_attention linear %q, %k, %v
        : tensor<1x2x128x8xf32>, tensor<1x2x128x8xf32>, tensor<1x2x128x8xf32> -> tensor<1x2x128x8xf32>, tensor<1x2x8x8xf32>
    ```
    After:
    ```mlir
    %r:2 = scf.for %i = %c0 to %c2 step %c1 iter_args(%all = %e, %state = %zero) {
      %scores = linalg.generic ... // queries times keys of the chunk
      %seen = linalg.generic ...   // 0 where the key comes after the query
      %o = linalg.generic ...      // times values, plus queries times %state
      %next = linalg.generic ...   // keys times values, plus %state
      ...
    ```
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

#endif // TENON_CONVERSION_TENONTOLINALG_PASSES
