//===- ExpertsPasses.td - matmuls of groups to tiles ----------------------------------===//
#ifndef TENON_TRANSFORMS_TILING_EXPERTS
#define TENON_TRANSFORMS_TILING_EXPERTS

include "mlir/Pass/PassBase.td"

def TileGrouped : Pass<"tenon-tile-grouped", "::mlir::ModuleOp"> {
  let summary = "tile a matmul of groups by its kernel's schedule";
  let description = [{
    In kernel functions whose schedule has the algorithm `grouped`: units are (group, rows of the list, columns), and
    each reads its group's bounds from the offsets; what a tile has beyond its group's end is cut off, so that empty
    groups cost the look at two offsets. Rows that are gathered are copied to scratch memory. The product is a
    `tenon.tile_contract` whose epilogue holds biases, activation and factors. With `scatter`, units are columns alone:
    groups and rows are loops in the list's order, and each row of the product is added to its row of the result. The
    example has `parallel = [1, 128, 256, 0]`.

    Before:
    ```mlir
    %0 = tenon.grouped_matmul identity %x, %w offsets %o rows %r : tensor<32xi64> outs(%out : tensor<32x512xf32>)
        : tensor<16x48xf32>, tensor<8x48x512xf32>, tensor<9xi64> -> tensor<32x512xf32>
    ```
    After:
    ```mlir
    %0 = scf.forall (%e, %i, %n) = (0, 0, 0) to (8, 32, 512) step (1, 128, 256) shared_outs(%place = %out) -> ... {
      %low = tensor.extract %o[%e] : tensor<9xi64>
      ... // %first, %count: the rows of this tile
      %a = scf.for %r = %c0 to %count step %c1 iter_args(%scratch) -> ... { linalg.copy ... }
      %b = tensor.extract_slice %w[%e, 0, %n] [1, 48, 256] [1, 1, 1] : tensor<8x48x512xf32> to tensor<48x256xf32>
      %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a) rhs(%b) ...
      scf.forall.in_parallel { tensor.parallel_insert_slice ... }
    }
    ```
  }];
  let dependentDialects = ["::tenon::TenonDialect", "::mlir::scf::SCFDialect", "::mlir::affine::AffineDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect"];
}

#endif // TENON_TRANSFORMS_TILING_EXPERTS
