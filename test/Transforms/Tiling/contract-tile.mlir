// RUN: tenon-opt %s --split-input-file --tenon-tile-contract --canonicalize --cse | FileCheck %s

// Units of 8 x 32; the last one along n has 36 - 32 = 4 columns, so that the tail of a 16 wide tile is known.
// CHECK-DAG: #[[N:.*]] = affine_map<(d0) -> (-d0 + 36, 32)>
// CHECK-LABEL: func private @parallel
// CHECK: scf.forall (%[[I:.*]], %[[J:.*]]) = (0, 0) to (16, 36) step (8, 32) shared_outs
// CHECK: %[[SIZE:.*]] = affine.min #[[N]](%[[J]])
// CHECK: tensor.extract_slice %{{.*}}[%[[I]], 0] [8, 24] [1, 1]
// CHECK: tensor.extract_slice %{{.*}}[0, %[[J]]] [24, %[[SIZE]]] [1, 1]
// CHECK: tenon.tile_contract
// CHECK-SAME: attributes {pack = array<i64: 1>, register_ = array<i64: 4, 16, 1>, tails = array<i64: 0, 4, 0>, unroll = array<i64: 2>, vector_dim = 1 : i64, vector_width = 16 : i64}
// CHECK: scf.forall.in_parallel
// CHECK-NEXT: tensor.parallel_insert_slice
func.func private @parallel(%a: tensor<16x24xf32>, %b: tensor<24x36xf32>, %o: tensor<16x36xf32>) -> tensor<16x36xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", parallel = [8, 32, 0], register = [4, 16, 1],
                unroll = [2], pack = [1], vector_dim = 1, vector_width = 16>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<16x24xf32>) rhs(%b : tensor<24x36xf32>) outs(%o : tensor<16x36xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<16x36xf32>
  return %c : tensor<16x36xf32>
}

// -----

// Cache loops stand in the order of the schedule, n outside of m. Nothing is parallel: no forall.
// CHECK-LABEL: func private @cache
// CHECK-NOT: scf.forall
// CHECK: scf.for %{{.*}} = %c0 to %c36 step %c12
// CHECK: scf.for %{{.*}} = %c0 to %c16 step %c8
// CHECK: tenon.tile_contract
// CHECK-SAME: tensor<8x24xf32>
// CHECK-SAME: tensor<24x12xf32>
// CHECK-SAME: tails = array<i64: 0, 4, 0>
func.func private @cache(%a: tensor<16x24xf32>, %b: tensor<24x36xf32>, %o: tensor<16x36xf32>) -> tensor<16x36xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", cache = [8, 12, 0], order = [1, 0],
                register = [4, 8, 1], vector_dim = 1, vector_width = 8>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<16x24xf32>) rhs(%b : tensor<24x36xf32>) outs(%o : tensor<16x36xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<16x36xf32>
  return %c : tensor<16x36xf32>
}

// -----

// A window reads stride * (size - 1) + taps rows of the input. Dynamic extents promise nothing about tails.
// CHECK-DAG: #[[OFFSET:.*]] = affine_map<()[s0] -> (s0 * 2)>
// CHECK-DAG: #[[SIZE:.*]] = affine_map<()[s0] -> (s0 * 2 + 1)>
// CHECK-LABEL: func private @window
// CHECK: %[[E:.*]] = tensor.dim
// CHECK: scf.forall (%[[X:.*]]) = (0) to (%[[E]]) step (4)
// CHECK-DAG: %[[COUNT:.*]] = affine.min
// CHECK-DAG: %[[AT:.*]] = affine.apply #[[OFFSET]]()[%[[X]]]
// CHECK-DAG: %[[READ:.*]] = affine.apply #[[SIZE]]()[%[[COUNT]]]
// CHECK: tensor.extract_slice %{{.*}}[0, %[[AT]]] [3, %[[READ]]] [1, 1]
// CHECK: tenon.tile_contract
// CHECK-SAME: tails = array<i64: 0, -1, 0, 0>
func.func private @window(%w: tensor<6x3x3xf32>, %x: tensor<3x?xf32>, %o: tensor<6x?xf32>) -> tensor<6x?xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", parallel = [0, 4, 0, 0], register = [6, 1, 1, 1]>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction", "reduction"] lhs(%w : tensor<6x3x3xf32>) rhs(%x : tensor<3x?xf32>) outs(%o : tensor<6x?xf32>)
      maps [affine_map<(f, x, c, k) -> (f, c, k)>, affine_map<(f, x, c, k) -> (c, 2 * x + k)>, affine_map<(f, x, c, k) -> (f, x)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<6x?xf32>
  return %c : tensor<6x?xf32>
}
