//===- AttentionPasses.td - attention to tiles ----------------------------------------===//
#ifndef TENON_TRANSFORMS_TILING_ATTENTION
#define TENON_TRANSFORMS_TILING_ATTENTION

include "mlir/Pass/PassBase.td"

def SplitAttention : Pass<"tenon-split-attention", "::mlir::ModuleOp"> {
  let summary = "work on parts of an attention's keys in parallel";
  let description = [{
    Where the schedule of a kernel gives a unit less than all keys (the last entry of `parallel`), its attention becomes
    that of parts of the keys, with the logarithm of each part's sum, and each call is followed by ops that join the
    parts, always in the same order. These are kernels to be. A sink joins with the parts. The number of parts is that of
    the sources' places over the keys of a unit.

    Before:
    ```mlir
    func.func private @k(...) -> tensor<1x8x1x64xf32>
        attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 8, 1, 512], ...>} {
      %s = tenon.kv_source %k, %v : tensor<1x1x4096x64xf32>, tensor<1x1x4096x64xf32>
      %0 = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x8x1x64xf32>) ...
    }
    %r = tenon.dispatch @k ins(%a, %b, %c : ...) outs(%e : tensor<1x8x1x64xf32>) -> tensor<1x8x1x64xf32>
    ```
    After:
    ```mlir
    func.func private @k(...) -> (tensor<1x8x1x8x64xf32>, tensor<1x8x1x8xf32>)
        attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 8, 1, 0], ...>} {
      %s = tenon.kv_source %k, %v : tensor<1x1x4096x64xf32>, tensor<1x1x4096x64xf32>
      %0, %1 = tenon.attention softmax partial %q sources(%s) outs(%o : tensor<1x8x1x8x64xf32>) lse(%l : ...) ...
    }
    %p:2 = tenon.dispatch @k ins(%a, %b, %c : ...) outs(%f, %g : ...) -> tensor<1x8x1x8x64xf32>, tensor<1x8x1x8xf32>
    %highest = linalg.generic ...
    %weights = linalg.generic ...
    %r = linalg.generic ...
    ```
  }];
  let dependentDialects = ["::tenon::TenonDialect", "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
                           "::mlir::tensor::TensorDialect"];
}

def TileAttention : Pass<"tenon-tile-attention", "::mlir::ModuleOp"> {
  let summary = "tile an attention by its kernel's schedule";
  let description = [{
    In kernel functions whose schedule has the algorithm `attention`: one `scf.forall` over batch, head and tiles of
    queries; inside, per source, an `scf.for` over tiles of the keys that the mask lets any of these queries see. A tile
    of scores is a `tenon.tile_contract` with the score's region as its epilogue; the mask is applied in tiles that not
    every query sees whole; the online softmax carries each query's highest score, its sum and its result so far. No
    tensor of all scores exists. Normalizers that know a weight only after all scores of a row (entmax, a user's rule, a
    softmax with a region on weights) keep the scores of the unit's rows and go over the keys several times. Units of
    partial results have a part of the keys each. The example has `parallel = [1, 1, 64, 0]` and `cache = [0, 0, 0, 256]`.

    Before:
    ```mlir
    %s = tenon.kv_source %k, %v mask(#tenon.causal) : tensor<1x8x1024x64xf32>, tensor<1x8x1024x64xf32>
    %0 = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x8x1024x64xf32>) : tensor<1x8x1024x64xf32> { ... }
    ```
    After:
    ```mlir
    %0 = scf.forall (%b, %h, %i) = (0, 0, 0) to (1, 8, 1024) step (1, 1, 64) shared_outs(%out = %o) -> ... {
      %r:3 = scf.for %j = %low to %high step %c256 iter_args(%highest, %sum, %result) -> ... {
        %scores = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%query) rhs(%keys) ...
        %masked = scf.if %whole ... { scf.yield %scores } else { ... }
        ...
        %product = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%weights) rhs(%values) ...
      }
      scf.forall.in_parallel { tensor.parallel_insert_slice ... }
    }
    ```
  }];
  let dependentDialects = ["::tenon::TenonDialect", "::mlir::scf::SCFDialect", "::mlir::affine::AffineDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect"];
}

#endif // TENON_TRANSFORMS_TILING_ATTENTION
