// RUN: tenon-opt %s --tenon-pack-weights | FileCheck %s
// RUN: tenon-opt %s --tenon-pack-weights --tenon-form-kernels --tenon-check-kernels --tenon-outline-kernels --tenon-assign-schedules --tenon-tile-kernels -o %t.tiled
// RUN: sed 's/prepack = \[1\]/prepack = []/' %s | tenon-opt --tenon-pack-weights --tenon-form-kernels --tenon-check-kernels --tenon-outline-kernels --tenon-assign-schedules --tenon-tile-kernels -o %t.unpacked
// RUN: not diff -q %t.tiled %t.unpacked
// RUN: tenon-run --reference --seed 3 %s > %t.plain
// RUN: tenon-opt %s --tenon-pack-weights -o %t.mlir
// RUN: tenon-run --reference --seed 3 %t.mlir > %t.packed
// RUN: diff %t.plain %t.packed

// The columns do not fill the last panel; two calls share the panels; the first form of the weight is not kept.
// CHECK: tenon.weight @[[PANELS:.*]] from "init:" at 0 length 512 : tensor<2x8x8xf32>
// CHECK: func.func @tenon_init() -> tensor<2x8x8xf32>
// CHECK: %[[PAD:.*]] = tensor.pad %{{.*}} low[0, 0] high[0, 5]
// CHECK: %[[SPLIT:.*]] = tensor.expand_shape %[[PAD]] {{\[\[}}0], [1, 2]] output_shape [8, 2, 8]
// CHECK: linalg.transpose ins(%[[SPLIT]] : tensor<8x2x8xf32>) outs(%{{.*}} : tensor<2x8x8xf32>) permutation = [1, 0, 2]
// CHECK: func.func @main
// CHECK: %[[W:.*]] = tenon.load_weight @[[PANELS]]
// CHECK: tenon.dispatch @k ins(%arg0, %[[W]] : tensor<6x8xf32>, tensor<2x8x8xf32>)
// CHECK: func.func private @k(%arg0: tensor<6x8xf32>, %arg1: tensor<2x8x8xf32>
// CHECK: tenon.tile_contract {{.*}} maps [#{{.*}}, #{{.*}}, #{{.*}}] attributes {panels = array<i64: 1>, vector_dim = 1 : i64}
func.func @tenon_init() -> tensor<8x11xf32> {
  %0 = arith.constant dense<[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0]]> : tensor<1x11xf32>
  %1 = tensor.collapse_shape %0 [[0, 1]] : tensor<1x11xf32> into tensor<11xf32>
  %2 = tensor.empty() : tensor<8x11xf32>
  %3 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%1 : tensor<11xf32>) outs(%2 : tensor<8x11xf32>) {
  ^bb0(%x: f32, %o: f32):
    %i = linalg.index 0 : index
    %j = arith.index_cast %i : index to i32
    %f = arith.sitofp %j : i32 to f32
    %s = arith.addf %x, %f : f32
    linalg.yield %s : f32
  } -> tensor<8x11xf32>
  return %3 : tensor<8x11xf32>
}
tenon.weight @w from "init:" at 0 length 352 : tensor<8x11xf32>
func.func @main(%x: tensor<6x8xf32>) -> (tensor<6x11xf32>, tensor<6x11xf32>) {
  %w = tenon.load_weight @w : tensor<8x11xf32>
  %e = tensor.empty() : tensor<6x11xf32>
  %0 = tenon.dispatch @k ins(%x, %w : tensor<6x8xf32>, tensor<8x11xf32>) outs(%e : tensor<6x11xf32>) -> tensor<6x11xf32>
  %1 = tenon.dispatch @k ins(%x, %w : tensor<6x8xf32>, tensor<8x11xf32>) outs(%e : tensor<6x11xf32>) -> tensor<6x11xf32>
  return %0, %1 : tensor<6x11xf32>, tensor<6x11xf32>
}
func.func private @k(%a: tensor<6x8xf32>, %b: tensor<8x11xf32>, %o: tensor<6x11xf32>) -> tensor<6x11xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", register = [2, 8, 1], prepack = [1],
                                                               vector_dim = 1, vector_width = 8>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<6x8xf32>) rhs(%b : tensor<8x11xf32>) outs(%o : tensor<6x11xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<6x11xf32>
  return %c : tensor<6x11xf32>
}
