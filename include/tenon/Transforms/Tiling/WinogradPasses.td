//===- WinogradPasses.td - Winograd's transforms: to units, to vectors ---------------===//
#ifndef TENON_TRANSFORMS_TILING_WINOGRAD
#define TENON_TRANSFORMS_TILING_WINOGRAD

include "mlir/Pass/PassBase.td"

def TileWinograd : Pass<"tenon-tile-winograd", "::mlir::ModuleOp"> {
  let summary = "tile Winograd's transforms by their kernel's schedule";
  let description = [{
    In kernel functions whose schedule has the algorithm `winograd`: one `scf.forall` over samples, channels and rows of tiles
    (`parallel`). A unit of `tenon.winograd_input` copies its windows' rows to scratch memory with channels innermost and
    zeros around, and transforms them along rows and then along columns; one of `tenon.winograd_output` transforms,
    turns the result to channels first and runs the elementwise ops behind it on its part.

    Before:
    ```mlir
    %v = tenon.winograd_input 4 %x pads [1, 1, 1, 1] outs(%o : tensor<6x6x14x14x64xf32>)
        : tensor<1x64x56x56xf32> -> tensor<6x6x14x14x64xf32>
    ```
    After:
    ```mlir
    %v = scf.forall (%n, %c, %y) = (0, 0, 0) to (1, 64, 14) step (1, 64, 1) shared_outs(%out = %o) -> (tensor<6x6x14x14x64xf32>) {
      %padded = ... : tensor<6x58x64xf32>
      %rows = tenon.tile_transform in(%padded : tensor<6x58x64xf32>) outs(%t : tensor<6x1x58x64xf32>) ...
      %both = tenon.tile_transform in(%rows : tensor<6x1x58x64xf32>) outs(%slice : tensor<6x6x1x14x64xf32>) ...
      scf.forall.in_parallel { tensor.parallel_insert_slice %both into %out ... }
    }
    ```
  }];
  let dependentDialects = ["::tenon::TenonDialect", "::mlir::scf::SCFDialect", "::mlir::affine::AffineDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def ExpandTransform : Pass<"tenon-expand-transform", "::mlir::ModuleOp"> {
  let summary = "expand tenon.tile_transform on buffers to vectors";
  let description = [{
    Loops over the parallel dims, the last one by vectors, around a load per tap, the multiply-adds that the matrix
    asks for, and a store per row.

    Before:
    ```mlir
    tenon.tile_transform in(%a : memref<4x64xf32>) outs(%b : memref<2x64xf32>) maps [...] rows 2
        coefficients [1.0, 1.0, 1.0, 0.0, 0.0, 1.0, -1.0, 1.0]
    ```
    After:
    ```mlir
    scf.for %c = %c0 to %c64 step %c16 {
      %0 = vector.load %a[%c0, %c] : memref<4x64xf32>, vector<16xf32>
      ...
      %4 = arith.addf %1, %2 : vector<16xf32>
      %5 = arith.subf %1, %2 : vector<16xf32>
      %6 = arith.addf %0, %4 : vector<16xf32>
      ...
      vector.store %6, %b[%c0, %c] : memref<2x64xf32>, vector<16xf32>
    }
    ```
  }];
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::math::MathDialect", "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect"];
}

#endif // TENON_TRANSFORMS_TILING_WINOGRAD
