// RUN: tenon-opt %s | tenon-opt | FileCheck %s

// Lists of blocks and of single keys, on every storage.
// CHECK-LABEL: func @sources
// CHECK: tenon.kv_source %arg0, %arg1 blocks(%arg2 : tensor<1x2x?x5xi64>) keys 4 queries 16 mask(#tenon.causal) : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
// CHECK: tenon.kv_source %arg0, %arg1 pages(%arg3 : tensor<1x8xi32>) start(%arg4 : tensor<1xi64>) blocks(%arg2 : tensor<1x2x?x5xi64>) weights(%arg5 : tensor<1x2x?x5xf16>) lengths %arg4 : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>, tensor<1xi64>
func.func @sources(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %l: tensor<1x2x?x5xi64>, %p: tensor<1x8xi32>, %t: tensor<1xi64>, %w: tensor<1x2x?x5xf16>) {
  %s = tenon.kv_source %k, %v blocks(%l : tensor<1x2x?x5xi64>) keys 4 queries 16 mask(#tenon.causal) : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  %r = tenon.kv_source %k, %v pages(%p : tensor<1x8xi32>) start(%t : tensor<1xi64>) blocks(%l : tensor<1x2x?x5xi64>) weights(%w : tensor<1x2x?x5xf16>) keys 1 lengths %t : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>, tensor<1xi64>
  return
}

// CHECK-LABEL: func @select
// CHECK: tenon.select_blocks mean %arg0, %arg1 keys 4 queries 2 causal : tensor<?x4x8x4xf32>, tensor<?x2x9x4xf32> -> tensor<?x2x4x3xi64>, tensor<?x2x4xi64>
// CHECK: tenon.select_blocks antidiagonal %arg0, %arg1 lengths(%arg2 : tensor<?xi32>) keys 4 queries 2 stride 2 scale 5.000000e-01 threshold 1.000000e-01 mass 9.000000e-01 sink 1 local 2 : tensor<?x4x8x4xf32>
func.func @select(%q: tensor<?x4x8x4xf32>, %k: tensor<?x2x9x4xf32>, %l: tensor<?xi32>) {
  %b, %c = tenon.select_blocks mean %q, %k keys 4 queries 2 causal : tensor<?x4x8x4xf32>, tensor<?x2x9x4xf32> -> tensor<?x2x4x3xi64>, tensor<?x2x4xi64>
  %d, %e = tenon.select_blocks antidiagonal %q, %k lengths(%l : tensor<?xi32>) keys 4 queries 2 stride 2 scale 0.5 threshold 0.1 mass 0.9 sink 1 local 2 : tensor<?x4x8x4xf32>, tensor<?x2x9x4xf32> -> tensor<?x1x4x2xi64>, tensor<?x1x4xi64>
  return
}
