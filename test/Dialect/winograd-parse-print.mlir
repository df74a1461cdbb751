// RUN: tenon-opt %s | tenon-opt | FileCheck %s

// CHECK-LABEL: func @halves
func.func @halves(%x: tensor<2x3x10x?xf32>, %v: tensor<6x6x6x?x3xf32>, %y: tensor<2x3x10x?xf32>) -> tensor<2x3x10x?xf32> {
  // CHECK: tenon.winograd_input 4 %{{.*}} pads [1, 1, 1, 1] outs(%{{.*}} : tensor<6x6x6x?x3xf32>) : tensor<2x3x10x?xf32> -> tensor<6x6x6x?x3xf32>
  %0 = tenon.winograd_input 4 %x pads [1, 1, 1, 1] outs(%v : tensor<6x6x6x?x3xf32>) : tensor<2x3x10x?xf32> -> tensor<6x6x6x?x3xf32>
  // CHECK: tenon.winograd_output 4 %{{.*}} outs(%{{.*}} : tensor<2x3x10x?xf32>) : tensor<6x6x6x?x3xf32> -> tensor<2x3x10x?xf32>
  %1 = tenon.winograd_output 4 %0 outs(%y : tensor<2x3x10x?xf32>) : tensor<6x6x6x?x3xf32> -> tensor<2x3x10x?xf32>
  return %1 : tensor<2x3x10x?xf32>
}

// CHECK-LABEL: func @on_buffers
func.func @on_buffers(%a: memref<4x64xf32>, %b: memref<2x64xf32>) {
  // CHECK: tenon.tile_transform in(%{{.*}} : memref<4x64xf32>) outs(%{{.*}} : memref<2x64xf32>) maps
  tenon.tile_transform in(%a : memref<4x64xf32>) outs(%b : memref<2x64xf32>)
      maps [affine_map<(c, k) -> (k, c)>, affine_map<(c, i) -> (i, c)>]
      rows 2 coefficients [1.0, 1.0, 1.0, 0.0, 0.0, 1.0, -1.0, 1.0]
  return
}

// CHECK-LABEL: func @algorithm
func.func @algorithm(%x: tensor<1x2x8x8xf32>, %w: tensor<3x2x3x3xf32>) -> tensor<1x3x6x6xf32> {
  // CHECK: groups 1 algorithm winograd2 :
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1 algorithm winograd2
      : tensor<1x2x8x8xf32>, tensor<3x2x3x3xf32> -> tensor<1x3x6x6xf32>
  return %y : tensor<1x3x6x6xf32>
}
