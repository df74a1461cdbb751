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
