// RUN: tenon-opt %s --tenon-pack-weights | FileCheck %s
// RUN: tenon-run --reference --seed 3 %s > %t.plain
// RUN: tenon-opt %s --tenon-pack-weights -o %t.mlir
// RUN: tenon-run --reference --seed 3 %t.mlir > %t.packed
// RUN: diff %t.plain %t.packed
// RUN: not tenon-opt %s --tenon-tile-grouped 2>&1 | FileCheck %s --check-prefix=UNPACKED
// REQUIRES: tenon-run

// Each group's matrix by panels; the columns do not fill the last one.
// CHECK: tenon.weight @[[PANELS:.*]] from "init:" at 0 length 384 : tensor<2x2x3x8xf32>
// CHECK: tensor.pad %{{.*}} low[0, 0, 0] high[0, 0, 5]
// CHECK: linalg.transpose {{.*}} permutation = [0, 2, 1, 3]
// CHECK: func.func @main
// CHECK: %[[W:.*]] = tenon.load_weight @[[PANELS]]
// CHECK: tenon.dispatch @k ins(%arg0, %[[W]], %{{.*}} : tensor<6x3xf32>, tensor<2x2x3x8xf32>, tensor<3xi64>)
// CHECK: tenon.grouped_matmul {{.*}} {panels = 8 : i64} : tensor<6x3xf32>, tensor<2x2x3x8xf32>
// UNPACKED: expected weights in 'prepack' to be stored by panels: 'tenon-pack-weights' has not run
func.func @tenon_init() -> tensor<2x3x11xf32> {
  %0 = tensor.generate {
  ^bb0(%e: index, %k: index, %n: index):
    %c7 = arith.constant 7 : index
    %0 = arith.muli %e, %c7 : index
    %1 = arith.muli %k, %n : index
    %2 = arith.addi %0, %1 : index
    %3 = arith.index_cast %2 : index to i32
    %4 = arith.sitofp %3 : i32 to f32
    tensor.yield %4 : f32
  } : tensor<2x3x11xf32>
  return %0 : tensor<2x3x11xf32>
}
tenon.weight @w from "init:" at 0 length 264 : tensor<2x3x11xf32>
func.func @main(%x: tensor<6x3xf32>) -> tensor<6x11xf32> {
  %w = tenon.load_weight @w : tensor<2x3x11xf32>
  %o = arith.constant dense<[0, 4, 6]> : tensor<3xi64>
  %e = tensor.empty() : tensor<6x11xf32>
  %0 = tenon.dispatch @k ins(%x, %w, %o : tensor<6x3xf32>, tensor<2x3x11xf32>, tensor<3xi64>) outs(%e : tensor<6x11xf32>) -> tensor<6x11xf32>
  return %0 : tensor<6x11xf32>
}
func.func private @k(%x: tensor<6x3xf32>, %w: tensor<2x3x11xf32>, %o: tensor<3xi64>, %out: tensor<6x11xf32>) -> tensor<6x11xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "grouped", parallel = [1, 6, 16, 0], cache = [0, 6, 0, 0], register = [1, 6, 8, 1], prepack = [1], vector_dim = 2, vector_width = 8>} {
  %r = tenon.grouped_matmul identity %x, %w offsets %o outs(%out : tensor<6x11xf32>) : tensor<6x3xf32>, tensor<2x3x11xf32>, tensor<3xi64> -> tensor<6x11xf32>
  return %r : tensor<6x11xf32>
}
