//===- ContractPasses.td - contractions: to tiles, to vectors ------------------------===//
#ifndef TENON_TRANSFORMS_TILING_CONTRACT
#define TENON_TRANSFORMS_TILING_CONTRACT

include "mlir/Pass/PassBase.td"

def ToTileContract : Pass<"tenon-to-tile-contract", "::mlir::ModuleOp"> {
  let summary = "make a contraction and its epilogue one tenon.tile_contract";
  let description = [{
    In kernel functions: a linalg contraction (sums of products with linear maps, with extensions of the factors) takes up the
    elementwise ops that read its result alone. A zero fill below it goes; any other initial value becomes
    an extra that the epilogue adds.

    Before:
    ```mlir
    %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
    %1 = linalg.matmul ins(%a, %b : tensor<4x2xf32>, tensor<2x8xf32>) outs(%0 : tensor<4x8xf32>) -> tensor<4x8xf32>
    %2 = linalg.exp ins(%1 : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>) -> tensor<4x8xf32>
    ```
    After:
    ```mlir
    %2 = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>)
        outs(%o : tensor<4x8xf32>) maps [...] {
    ^bb0(%acc: f32):
      %3 = math.exp %acc : f32
      tenon.yield %3 : f32
    } -> tensor<4x8xf32>
    ```
  }];
  let dependentDialects = ["::tenon::TenonDialect", "::mlir::arith::ArithDialect"];
}

def FuseCopies : Pass<"tenon-fuse-copies", "::mlir::ModuleOp"> {
  let summary = "make padded copies of images in the contractions that read them";
  let description = [{
    A convolution reads a padded copy of its image, phase by phase where it is strided. Where a parallel dim moves in both factors
    (the channels of a depthwise convolution, groups), units cut along it read parts of their own: the
    kernel that copies moves into the one that reads, where a unit makes the copy of its channels near and reads it at once.
    Asked for are copies with static sizes and one reader, made by fills, insertions and elements computed from their places, and eight
    elements or more of the dim, which is an index of its own. Copies that these read follow. A module with `tenon.unfused` stays as it is.

    Before:
    ```mlir
    %p = tenon.dispatch @k0_copy ins(%x : tensor<96x28x28xf32>) outs(...) -> tensor<96x30x30xf32>
    %0 = tenon.dispatch @k1_conv ins(%w, %p : tensor<96x3x3xf32>, tensor<96x30x30xf32>) outs(...) -> tensor<96x28x28xf32>
    ```
    After:
    ```mlir
    %0 = tenon.dispatch @k1_conv_0 ins(%w, %x : tensor<96x3x3xf32>, tensor<96x28x28xf32>) outs(...) -> tensor<96x28x28xf32>
    // in @k1_conv_0
    %e = tensor.empty() : tensor<96x30x30xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<96x30x30xf32>) -> tensor<96x30x30xf32>
    %p = tensor.insert_slice %x into %f[0, 1, 1] [96, 28, 28] [1, 1, 1] : tensor<96x28x28xf32> into tensor<96x30x30xf32>
    %0 = tenon.tile_contract [...] lhs(%w : tensor<96x3x3xf32>) rhs(%p : tensor<96x30x30xf32>) ...
    ```
  }];
  let dependentDialects = ["::tenon::TenonDialect", "::mlir::tensor::TensorDialect"];
}

def PackWeights : Pass<"tenon-pack-weights", "::mlir::ModuleOp"> {
  let summary = "store weights by the panels that their contractions read";
  let description = [{
    Obeys `prepack` of `#tenon.schedule`: the initializer copies the weight to panels as wide as the register tile of the
    vector dim (a pad to whole panels, a transpose), the kernel's contraction reads these (`panels`), and every call of
    the kernel passes them. What the initializer made and nobody reads any more goes. The new work on tensors is left
    for kernel formation. The example has a register tile of 16 columns.

    Before:
    ```mlir
    %w = tenon.load_weight @w : tensor<64x48xf32>
    %0 = tenon.dispatch @k0 ins(%x, %w : tensor<32x64xf32>, tensor<64x48xf32>) outs(...) -> tensor<32x48xf32>
    ```
    After:
    ```mlir
    // in @tenon_init
    %e = tensor.expand_shape %w [[0], [1, 2]] output_shape [64, 3, 16] : tensor<64x48xf32> into tensor<64x3x16xf32>
    %p = linalg.transpose ins(%e : tensor<64x3x16xf32>) outs(...) permutation = [1, 0, 2]
    // in @main
    %w = tenon.load_weight @init.0 : tensor<3x64x16xf32>
    %0 = tenon.dispatch @k0 ins(%x, %w : tensor<32x64xf32>, tensor<3x64x16xf32>) outs(...) -> tensor<32x48xf32>
    ```
  }];
  let dependentDialects = ["::tenon::TenonDialect", "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def TileContract : Pass<"tenon-tile-contract", "::mlir::ModuleOp"> {
  let summary = "tile a contraction by its kernel's schedule";
  let description = [{
    In kernel functions whose schedule has the algorithm `contract`: one `scf.forall` over the parallel tiles, `scf.for`
    over the cache tiles in their order, and inside a `tenon.tile_contract` that carries the register tile, the
    vector dim and what is known of its tails. Reduction dims are never split here: the accumulators live in registers.
    The example has `parallel = [128, 48, 0]`.

    Before:
    ```mlir
    %0 = tenon.tile_contract [...] lhs(%a : tensor<256x64xf32>) rhs(%b : tensor<64x96xf32>) outs(%o : tensor<256x96xf32>) ...
    ```
    After:
    ```mlir
    %0 = scf.forall (%i, %j) = (0, 0) to (256, 96) step (128, 48) shared_outs(%out = %o) -> (tensor<256x96xf32>) {
      ...
      %1 = tenon.tile_contract [...] lhs(%as : tensor<128x64xf32>) rhs(%bs : tensor<64x48xf32>) outs(%os : tensor<128x48xf32>)
          ... attributes {register_ = array<i64: 8, 48, 1>, vector_dim = 1 : i64, vector_width = 16 : i64}
      scf.forall.in_parallel { tensor.parallel_insert_slice %1 into %out ... }
    }
    ```
  }];
  let dependentDialects = ["::tenon::TenonDialect", "::mlir::scf::SCFDialect", "::mlir::affine::AffineDialect",
                           "::mlir::tensor::TensorDialect"];
}

def ExpandContract : Pass<"tenon-expand-contract"> {
  let summary = "expand tenon.tile_contract on buffers to loops over register tiles";
  let description = [{
    Loops over register tiles of the parallel dims, and in each the loops over the reduction dims, which carry one
    register-wide vector per accumulator; then the epilogue on these vectors and one store each. Ragged edges have tiles of
    their own; the last vector is masked.

    Before:
    ```mlir
    tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : memref<8x64xf32>) rhs(%b : memref<64x32xf32>)
        outs(%o : memref<8x32xf32>) maps [...]
        attributes {register_ = array<i64: 8, 32, 1>, vector_dim = 1 : i64, vector_width = 16 : i64} { ... }
    ```
    After:
    ```mlir
    %sums:16 = scf.for %k = %c0 to %c64 step %c1 iter_args(...) -> (vector<16xf32>, ...) {
      %b0 = vector.load %b[%k, %c0] : memref<64x32xf32>, vector<16xf32>
      ...
      %s = memref.load %a[%c0, %k] : memref<8x64xf32>
      %x = vector.broadcast %s : f32 to vector<16xf32>
      %f = vector.fma %x, %b0, %acc0 : vector<16xf32>
      ...
    }
    vector.store %sums#0, %o[%c0, %c0] : memref<8x32xf32>, vector<16xf32>
    ```
  }];
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::math::MathDialect", "::mlir::arith::ArithDialect"];
}

#endif // TENON_TRANSFORMS_TILING_CONTRACT
