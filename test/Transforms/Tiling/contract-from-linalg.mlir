// RUN: tenon-opt %s --split-input-file --tenon-to-tile-contract | FileCheck %s

// Bias, activation and residual become the epilogue; the zero fill goes, and the scalar of the other fill is used as such.
// CHECK-LABEL: func private @epilogue
// CHECK-SAME: %[[A:.*]]: tensor<4x2xf32>, %[[B:.*]]: tensor<2x8xf32>, %[[BIAS:.*]]: tensor<8xf32>, %[[R:.*]]: tensor<4x8xf32>, %[[O:.*]]: tensor<4x8xf32>
// CHECK-NOT: linalg
// CHECK: %[[ONE:.*]] = arith.constant 1.0
// CHECK: tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%[[A]] {{.*}} rhs(%[[B]] {{.*}} extras(%[[BIAS]], %[[R]] {{.*}} outs(%[[O]]
// CHECK-NEXT: ^bb0(%[[ACC:.*]]: f32, %[[X:.*]]: f32, %[[Y:.*]]: f32):
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[ACC]], %[[X]]
// CHECK-NEXT: %[[M:.*]] = arith.maximumf %[[S]], %[[ONE]]
// CHECK-NEXT: %[[T:.*]] = arith.addf %[[M]], %[[Y]]
// CHECK-NEXT: tenon.yield %[[T]]
// CHECK-NOT: linalg
func.func private @epilogue(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %bias: tensor<8xf32>, %r: tensor<4x8xf32>, %o: tensor<4x8xf32>)
    -> tensor<4x8xf32> attributes {tenon.kernel} {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %e = tensor.empty() : tensor<4x8xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = linalg.fill ins(%one : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = linalg.matmul ins(%a, %b : tensor<4x2xf32>, tensor<2x8xf32>) outs(%0 : tensor<4x8xf32>) -> tensor<4x8xf32>
  %3 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%2, %bias : tensor<4x8xf32>, tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %_: f32):
    %s = arith.addf %x, %y : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  %4 = linalg.max ins(%3, %1 : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %5 = linalg.add ins(%4, %r : tensor<4x8xf32>, tensor<4x8xf32>) outs(%o : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %5 : tensor<4x8xf32>
}

// -----

// A transposing consumer permutes the out map; an initial value is added; sums of f16 are kept in f32.
// CHECK-DAG: #[[OUT:.*]] = affine_map<(d0, d1, d2) -> (d1, d0)>
// CHECK-LABEL: func private @permuted
// CHECK: tenon.tile_contract
// CHECK-SAME: extras(%{{.*}} : tensor<4x8xf16>) outs(%{{.*}} : tensor<8x4xf16>) maps [#{{.*}}, #{{.*}}, #{{.*}}, #[[OUT]]]
// CHECK-NEXT: ^bb0(%[[ACC:.*]]: f32, %[[X:.*]]: f16):
// CHECK-NEXT: %[[E:.*]] = arith.extf %[[X]] : f16 to f32
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[ACC]], %[[E]]
// CHECK-NEXT: %[[T:.*]] = arith.truncf %[[S]] : f32 to f16
// CHECK-NEXT: math.exp %[[T]]
func.func private @permuted(%a: tensor<4x2xf16>, %b: tensor<2x8xf16>, %c: tensor<4x8xf16>, %o: tensor<8x4xf16>) -> tensor<8x4xf16> attributes {tenon.kernel} {
  %0 = linalg.matmul ins(%a, %b : tensor<4x2xf16>, tensor<2x8xf16>) outs(%c : tensor<4x8xf16>) -> tensor<4x8xf16>
  %1 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%0 : tensor<4x8xf16>) outs(%o : tensor<8x4xf16>) {
  ^bb0(%x: f16, %_: f16):
    %s = math.exp %x : f16
    linalg.yield %s : f16
  } -> tensor<8x4xf16>
  return %1 : tensor<8x4xf16>
}

// -----

// A maximum of products is no contraction; functions that are no kernels stay.
// CHECK-LABEL: func private @refused
// CHECK: linalg.generic
// CHECK-LABEL: func @host
// CHECK: linalg.matmul
func.func private @refused(%a: tensor<4x2xf32>, %b: tensor<4x2xf32>, %o: tensor<4xf32>) -> tensor<4xf32> attributes {tenon.kernel} {
  %0 = linalg.generic {indexing_maps = [affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%a, %b : tensor<4x2xf32>, tensor<4x2xf32>) outs(%o : tensor<4xf32>) {
  ^bb0(%x: f32, %y: f32, %s: f32):
    %p = arith.mulf %x, %y : f32
    %m = arith.maximumf %s, %p : f32
    linalg.yield %m : f32
  } -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
func.func @host(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = linalg.matmul ins(%a, %b : tensor<4x2xf32>, tensor<2x8xf32>) outs(%o : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}
