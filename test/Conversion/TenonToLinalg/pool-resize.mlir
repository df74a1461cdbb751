// RUN: tenon-opt %s --tenon-convert-conv-to-linalg --split-input-file | FileCheck %s

// Few taps: slices of the padded input, one element-wise op.
// CHECK-LABEL: func.func @few_taps
//       CHECK:   tensor.pad
//   CHECK-COUNT-9: tensor.extract_slice {{.*}} [1, 1, 2, 2]
//       CHECK:   linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "parallel"]
//   CHECK-COUNT-8: arith.maximumf
func.func @few_taps(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32> {
  %y = tenon.pool max %x kernel [3, 3] strides [2, 2] dilations [1, 1] pads [1, 1, 1, 1] : tensor<1x4x8x8xf32> -> tensor<1x4x4x4xf32>
  return %y : tensor<1x4x4x4xf32>
}

// -----

// One window over everything: a reduction.
// CHECK-LABEL: func.func @whole
//       CHECK:   tensor.collapse_shape {{.*}} into tensor<2x4x64xf32>
//       CHECK:   linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "reduction"]
//       CHECK:   arith.divf
func.func @whole(%x: tensor<2x4x8x8xf32>) -> tensor<2x4x1x1xf32> {
  %y = tenon.pool average %x kernel [8, 8] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] : tensor<2x4x8x8xf32> -> tensor<2x4x1x1xf32>
  return %y : tensor<2x4x1x1xf32>
}

// -----

// Nearest by whole numbers: a broadcast.
// CHECK-LABEL: func.func @repeat
//   CHECK-NOT:   tensor.extract
//       CHECK:   linalg.generic {{.*}} outs(%{{.*}} : tensor<1x8x4x2x4x3xf32>)
//       CHECK:   tensor.collapse_shape {{.*}} into tensor<1x8x8x12xf32>
func.func @repeat(%x: tensor<1x8x4x4xf32>) -> tensor<1x8x8x12xf32> {
  %y = tenon.resize nearest %x scales [1.0, 1.0, 2.0, 3.0] coordinates asymmetric rounding floor
      : tensor<1x8x4x4xf32> -> tensor<1x8x8x12xf32>
  return %y : tensor<1x8x8x12xf32>
}

// -----

// Linear: one gather per resized dim.
// CHECK-LABEL: func.func @linear
//       CHECK:   linalg.generic {{.*}} outs(%{{.*}} : tensor<7xf32>)
//       CHECK:   linalg.generic {{.*}} outs(%{{.*}} : tensor<1x8x7x4xf32>)
//   CHECK-COUNT-2: tensor.extract
//   CHECK-NOT:   tensor.extract
func.func @linear(%x: tensor<1x8x4x4xf32>) -> tensor<1x8x7x4xf32> {
  %y = tenon.resize linear %x scales [] coordinates half_pixel rounding floor : tensor<1x8x4x4xf32> -> tensor<1x8x7x4xf32>
  return %y : tensor<1x8x7x4xf32>
}
