// RUN: tenon-opt %s --tenon-decompose-experts --canonicalize | FileCheck %s

// Means of runs and blocks, one contraction of them all, a softmax, masses; 12 blocks are few enough to be counted.
// CHECK-LABEL: func @mean
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<2x2x8x16xf32>, tensor<2x2x12x16xf32>)
// CHECK: arith.mulf
// CHECK: math.exp
// CHECK: iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]
// CHECK-NOT: tenon.
// CHECK: return
func.func @mean(%q: tensor<2x4x64x16xf32>, %k: tensor<2x2x192x16xf32>) -> (tensor<2x2x4x3xi64>, tensor<2x2x4xi64>) {
  %b, %n = tenon.select_blocks mean %q, %k keys 16 queries 16 scale 0.25 : tensor<2x4x64x16xf32>, tensor<2x2x192x16xf32> -> tensor<2x2x4x3xi64>, tensor<2x2x4xi64>
  return %b, %n : tensor<2x2x4x3xi64>, tensor<2x2x4xi64>
}

// Without room there is nothing to choose.
// CHECK-LABEL: func @nothing
// CHECK-NOT: linalg.generic
// CHECK: linalg.fill
func.func @nothing(%q: tensor<?x4x64x16xf32>, %k: tensor<?x2x0x16xf32>) -> (tensor<?x2x4x0xi64>, tensor<?x2x4xi64>) {
  %b, %n = tenon.select_blocks mean %q, %k keys 16 queries 16 : tensor<?x4x64x16xf32>, tensor<?x2x0x16xf32> -> tensor<?x2x4x0xi64>, tensor<?x2x4xi64>
  return %b, %n : tensor<?x2x4x0xi64>, tensor<?x2x4xi64>
}
