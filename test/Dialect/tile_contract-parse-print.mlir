// RUN: tenon-opt %s | tenon-opt | FileCheck %s

// CHECK-LABEL: func @matmul
// CHECK: tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%{{.*}} : tensor<4x2xf16>) rhs(%{{.*}} : tensor<2x8xf16>) extras(%{{.*}} : tensor<8xf32>) outs(%{{.*}} : tensor<4x8xf32>) maps
// CHECK-SAME: attributes {pack = array<i64: 1>, register_ = array<i64: 4, 8, 1>, tails = array<i64: 0, 3, -1>, vector_dim = 1 : i64, vector_width = 8 : i64}
// CHECK: ^bb0(%[[ACC:.*]]: f32, %[[BIAS:.*]]: f32):
// CHECK: -> tensor<4x8xf32>
func.func @matmul(%a: tensor<4x2xf16>, %b: tensor<2x8xf16>, %e: tensor<8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf16>) rhs(%b : tensor<2x8xf16>)
      extras(%e : tensor<8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (n)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {pack = array<i64: 1>, register_ = array<i64: 4, 8, 1>, tails = array<i64: 0, 3, -1>, vector_dim = 1 : i64, vector_width = 8 : i64} {
  ^bb0(%acc: f32, %bias: f32):
    %0 = arith.addf %acc, %bias : f32
    tenon.yield %0 : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}

// Windows are sums of dims; a broadcast factor has the empty sum.
// CHECK-LABEL: func @conv
// CHECK: tenon.tile_contract
func.func @conv(%x: memref<3x17xf32>, %w: memref<1x3x3xf32>, %o: memref<6x8xf32>) {
  tenon.tile_contract ["parallel", "parallel", "reduction", "reduction"] lhs(%w : memref<1x3x3xf32>) rhs(%x : memref<3x17xf32>)
      outs(%o : memref<6x8xf32>)
      maps [affine_map<(f, x, c, k) -> (0, c, k)>, affine_map<(f, x, c, k) -> (c, 2 * x + k)>, affine_map<(f, x, c, k) -> (f, x)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  }
  return
}

// Two codes in a byte: the index of the last reduction dim says which.
// CHECK-LABEL: func @decode_by_index
// CHECK: ^bb0(%{{.*}}: i8, %{{.*}}: index, %{{.*}}: index):
func.func @decode_by_index(%a: tensor<4x2x2xf32>, %b: tensor<2x8xi8>, %o: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction", "reduction"] lhs(%a : tensor<4x2x2xf32>)
      rhs(%b : tensor<2x8xi8>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, w, t) -> (m, w, t)>, affine_map<(m, n, w, t) -> (w, n)>, affine_map<(m, n, w, t) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } decode {
  ^bb0(%word: i8, %w: index, %t: index):
    %four = arith.constant 4 : index
    %0 = arith.muli %t, %four : index
    %1 = arith.index_cast %0 : index to i8
    %2 = arith.shrui %word, %1 : i8
    %3 = arith.uitofp %2 : i8 to f32
    tenon.yield %3 : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}

// Codes and the scales of groups of two: the last extra belongs to the decode region.
// CHECK-LABEL: func @decode
// CHECK: tenon.tile_contract
// CHECK: ^bb0(%{{.*}}: f32):
// CHECK: } decode {
// CHECK: ^bb0(%{{.*}}: i8, %{{.*}}: f32):
func.func @decode(%a: tensor<4x2x2xf32>, %b: tensor<2x2x8xi8>, %s: tensor<2x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction", "reduction"] lhs(%a : tensor<4x2x2xf32>)
      rhs(%b : tensor<2x2x8xi8>) extras(%s : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, g, k) -> (m, g, k)>, affine_map<(m, n, g, k) -> (g, k, n)>, affine_map<(m, n, g, k) -> (g, n)>,
            affine_map<(m, n, g, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } decode {
  ^bb0(%code: i8, %scale: f32):
    %0 = arith.sitofp %code : i8 to f32
    %1 = arith.mulf %0, %scale : f32
    tenon.yield %1 : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
