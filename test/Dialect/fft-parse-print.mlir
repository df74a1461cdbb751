// RUN: tenon-opt %s | tenon-opt | FileCheck %s
// RUN: tenon-opt %s --mlir-print-op-generic | tenon-opt | FileCheck %s

// CHECK-LABEL: func @convolution
// CHECK: tenon.fft_conv %{{.*}}, %{{.*}} sizes [12, 8] tile [8, 6] pads [2, 0] outs(%{{.*}} : tensor<?x3x9x6xf32>) : tensor<?x3x9x8xf32>, tensor<5x12x2x3xf32> -> tensor<?x3x9x6xf32>
func.func @convolution(%x: tensor<?x3x9x8xf32>, %s: tensor<5x12x2x3xf32>, %o: tensor<?x3x9x6xf32>) -> tensor<?x3x9x6xf32> {
  %0 = tenon.fft_conv %x, %s sizes [12, 8] tile [8, 6] pads [2, 0] outs(%o : tensor<?x3x9x6xf32>) : tensor<?x3x9x8xf32>, tensor<5x12x2x3xf32> -> tensor<?x3x9x6xf32>
  return %0 : tensor<?x3x9x6xf32>
}

// CHECK-LABEL: func @tensors
// CHECK: tenon.tile_fft forward 8 offset 1 in(%{{.*}} : tensor<?x6x?xf32>) outs(%{{.*}} : tensor<5x?x2x?xf32>) -> tensor<5x?x2x?xf32>
func.func @tensors(%x: tensor<?x6x?xf32>, %o: tensor<5x?x2x?xf32>) -> tensor<5x?x2x?xf32> {
  %0 = tenon.tile_fft forward 8 offset 1 in(%x : tensor<?x6x?xf32>) outs(%o : tensor<5x?x2x?xf32>) -> tensor<5x?x2x?xf32>
  return %0 : tensor<5x?x2x?xf32>
}

// CHECK-LABEL: func @memrefs
// CHECK: tenon.tile_fft product 12 offset 2 in(%{{.*}} : memref<5x9x2x4xf32>) spectrum(%{{.*}} : memref<5x12x2x4xf32>) outs(%{{.*}} : memref<5x8x2x4xf32>)
// CHECK: tenon.tile_fft backward 8 offset 0 in(%{{.*}} : memref<5x8x2x4xf32>) outs(%{{.*}} : memref<8x6x4xf32>)
func.func @memrefs(%x: memref<5x9x2x4xf32>, %s: memref<5x12x2x4xf32>, %o: memref<5x8x2x4xf32>, %r: memref<8x6x4xf32>) {
  tenon.tile_fft product 12 offset 2 in(%x : memref<5x9x2x4xf32>) spectrum(%s : memref<5x12x2x4xf32>) outs(%o : memref<5x8x2x4xf32>)
  tenon.tile_fft backward 8 offset 0 in(%o : memref<5x8x2x4xf32>) outs(%r : memref<8x6x4xf32>)
  return
}
