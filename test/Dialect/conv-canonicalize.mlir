// RUN: tenon-opt %s --canonicalize | FileCheck %s

// Zero padding joins the pads, and a bias of zeros goes.
// CHECK-LABEL: func.func @pad
//  CHECK-SAME:   (%[[X:.*]]: tensor<1x4x8x8xf32>, %[[W:.*]]: tensor<6x4x3x3xf32>)
//   CHECK-NOT:   tensor.pad
//       CHECK:   tenon.conv %[[X]], %[[W]] strides [1, 1] dilations [1, 1] pads [2, 1, 1, 3] groups 1
func.func @pad(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) -> tensor<1x6x9x10xf32> {
  %zero = arith.constant 0.0 : f32
  %b = arith.constant dense<0.0> : tensor<6xf32>
  %p = tensor.pad %x low[0, 0, 1, 0] high[0, 0, 0, 2] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x4x8x8xf32> to tensor<1x4x9x10xf32>
  %y = tenon.conv %p, %w bias %b strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] groups 1
      : tensor<1x4x9x10xf32>, tensor<6x4x3x3xf32>, tensor<6xf32> -> tensor<1x6x9x10xf32>
  return %y : tensor<1x6x9x10xf32>
}

// Padding with something else stays.
// CHECK-LABEL: func.func @pad_ones
//       CHECK:   tensor.pad
func.func @pad_ones(%x: tensor<1x4x8xf32>, %w: tensor<6x4x3xf32>) -> tensor<1x6x8xf32> {
  %one = arith.constant 1.0 : f32
  %p = tensor.pad %x low[0, 0, 1] high[0, 0, 1] {
  ^bb0(%i: index, %j: index, %k: index):
    tensor.yield %one : f32
  } : tensor<1x4x8xf32> to tensor<1x4x10xf32>
  %y = tenon.conv %p, %w strides [1] dilations [1] pads [0, 0] groups 1 : tensor<1x4x10xf32>, tensor<6x4x3xf32> -> tensor<1x6x8xf32>
  return %y : tensor<1x6x8xf32>
}

// Static sizes flow from operands to the result.
// CHECK-LABEL: func.func @refine
//       CHECK:   tenon.conv {{.*}} -> tensor<1x6x6x6xf32>
//       CHECK:   tenon.pool {{.*}} -> tensor<1x6x3x3xf32>
func.func @refine(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) -> tensor<?x6x?x?xf32> {
  %c = tensor.cast %x : tensor<1x4x8x8xf32> to tensor<?x4x?x?xf32>
  %y = tenon.conv %c, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1
      : tensor<?x4x?x?xf32>, tensor<6x4x3x3xf32> -> tensor<?x6x?x?xf32>
  %z = tenon.pool max %y kernel [2, 2] strides [2, 2] dilations [1, 1] pads [0, 0, 0, 0] : tensor<?x6x?x?xf32> -> tensor<?x6x?x?xf32>
  return %z : tensor<?x6x?x?xf32>
}
