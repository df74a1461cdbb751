// RUN: tenon-opt %s --split-input-file --tenon-convert-conv-to-linalg | FileCheck %s

// Filter, input, product, result; bias behind it. One sample has no dim of samples where others fuse.
// CHECK-LABEL: func @one_sample
// CHECK: %[[G:.*]] = arith.constant dense<{{.*}}> : tensor<36x9xf32>
// CHECK: %[[TAPS:.*]] = tensor.collapse_shape %arg1 {{\[\[}}0], [1], [2, 3]] : tensor<7x5x3x3xf32> into tensor<7x5x9xf32>
// CHECK: %[[U:.*]] = linalg.generic {{.*}} ins(%[[G]], %[[TAPS]] : {{.*}}) outs({{.*}} : tensor<36x5x7xf32>)
// CHECK: %[[V:.*]] = tenon.winograd_input 4 %arg0 pads [1, 1, 1, 0] outs(%{{.*}}) : tensor<1x5x10x13xf32> -> tensor<6x6x3x3x5xf32>
// CHECK: %[[FLAT:.*]] = tensor.collapse_shape %[[V]] {{\[\[}}0, 1], [2, 3], [4]] : tensor<6x6x3x3x5xf32> into tensor<36x9x5xf32>
// CHECK: %[[M:.*]] = linalg.generic {{.*}} ins(%[[FLAT]], %[[U]] : {{.*}}) outs({{.*}} : tensor<36x9x7xf32>)
// CHECK: tenon.winograd_output 4 %{{.*}} : tensor<6x6x3x3x7xf32> -> tensor<7x10x12xf32>
// CHECK: arith.addf
func.func @one_sample(%x: tensor<1x5x10x13xf32>, %w: tensor<7x5x3x3xf32>, %b: tensor<7xf32>) -> tensor<1x7x10x12xf32> {
  %y = tenon.conv %x, %w bias %b strides [1, 1] dilations [1, 1] pads [1, 1, 1, 0] groups 1 algorithm winograd4
      : tensor<1x5x10x13xf32>, tensor<7x5x3x3xf32>, tensor<7xf32> -> tensor<1x7x10x12xf32>
  return %y : tensor<1x7x10x12xf32>
}

// -----

// More padding than a window can see, and cropping, is done before.
// CHECK-LABEL: func @wide_pads
// CHECK: %[[PADDED:.*]] = tensor.pad
// CHECK: tenon.winograd_input 2 %[[PADDED]] pads [0, 0, 0, 0] {{.*}} -> tensor<4x4x14x5x3xf32>
// CHECK: tenon.winograd_output 2 {{.*}} -> tensor<2x4x13x9xf32>
func.func @wide_pads(%x: tensor<2x3x9x9xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<2x4x13x9xf32> {
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [3, 1, 3, 1] groups 1 algorithm winograd2
      : tensor<2x3x9x9xf32>, tensor<4x3x3x3xf32> -> tensor<2x4x13x9xf32>
  return %y : tensor<2x4x13x9xf32>
}

// -----

// Nothing to compute.
// CHECK-LABEL: func @empty
// CHECK-NOT: winograd
func.func @empty(%x: tensor<1x3x2x9xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<1x4x0x7xf32> {
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1 algorithm winograd2
      : tensor<1x3x2x9xf32>, tensor<4x3x3x3xf32> -> tensor<1x4x0x7xf32>
  return %y : tensor<1x4x0x7xf32>
}
