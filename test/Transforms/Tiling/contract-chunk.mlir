// RUN: tenon-opt %s --tenon-tile-contract --canonicalize | FileCheck %s --check-prefix=TILE
// RUN: tenon-opt %s --tenon-tile-contract --tenon-bufferize-kernels --cse --canonicalize --tenon-expand-contract --canonicalize | FileCheck %s

// A cache tile of the first reduction dim: all register tiles run over 16 steps before any runs over the next 16. Sums
// start at zero, lie in memory in between, and the epilogue follows the last chunk.
// TILE-LABEL: func.func private @matmul
// TILE: tenon.tile_contract
// TILE-SAME: chunk = 16

// CHECK-LABEL: func.func private @matmul
// CHECK: %[[SUMS:.*]] = memref.alloc() {{.*}} : memref<6x16xf32>
// CHECK: scf.for %[[FROM:.*]] = %{{.*}} to %{{.*}} step %c16
// CHECK-DAG: %[[FIRST:.*]] = arith.cmpi eq, %[[FROM]], %c0
// CHECK-DAG: %[[LAST:.*]] = arith.cmpi sge
// CHECK: %[[START:.*]]:{{[0-9]+}} = scf.if %[[FIRST]]
// CHECK: vector.load %[[SUMS]]
// CHECK: %[[END:.*]]:{{[0-9]+}} = scf.for %{{.*}} = %[[FROM]] to
// CHECK: vector.fma
// CHECK: scf.if %[[LAST]]
// CHECK: arith.maximumf
// CHECK: } else {
// CHECK: vector.store %{{.*}}, %[[SUMS]]
func.func private @matmul(%a: tensor<6x40xf32>, %b: tensor<40x16xf32>, %o: tensor<6x16xf32>) -> tensor<6x16xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", cache = [0, 0, 16], register = [3, 16, 1], vector_dim = 1, vector_width = 8>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<6x40xf32>) rhs(%b : tensor<40x16xf32>) outs(%o : tensor<6x16xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    %zero = arith.constant 0.0 : f32
    %relu = arith.maximumf %acc, %zero : f32
    tenon.yield %relu : f32
  } -> tensor<6x16xf32>
  return %c : tensor<6x16xf32>
}
