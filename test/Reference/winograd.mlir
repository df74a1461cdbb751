// REQUIRES: tenon-run
// Winograd's transforms on the evaluator, by hand; compiled code agrees with them, and by them with a convolution.
// RUN: tenon-run --reference %s | FileCheck %s
// RUN: tenon-run --verify %s | FileCheck %s --check-prefix=AGREES
// RUN: tenon-run --verify --target x86-64-v3 %s | FileCheck %s --check-prefix=AGREES
// AGREES: outputs agree with the reference

func.func @main() -> (tensor<4x4x1x1x1xf32>, tensor<1x2x2xf32>, tensor<1x1x3x2xf32>) {
  // Rows d2 - d0, d1 + d2, d2 - d1, d3 - d1 of a window whose first row and column are padding, and columns alike.
  %x = arith.constant dense<[[[[1., 2., 0.], [3., 5., 0.], [0., 0., 0.]]]]> : tensor<1x1x3x3xf32>
  %e = tensor.empty() : tensor<4x4x1x1x1xf32>
  // CHECK: 0: 4x4x1x1x1xf32 [5, 8, 2, -3
  %0 = tenon.winograd_input 2 %x pads [1, 1, 0, 0] outs(%e : tensor<4x4x1x1x1xf32>) : tensor<1x1x3x3xf32> -> tensor<4x4x1x1x1xf32>

  // Each row of the result adds 3 of the 4 sums, with signs in the second row.
  // CHECK: 1: 1x2x2xf32 [9, 3, 3, 1]
  %ones = arith.constant dense<1.0> : tensor<4x4x1x1x1xf32>
  %f = tensor.empty() : tensor<1x2x2xf32>
  %1 = tenon.winograd_output 2 %ones outs(%f : tensor<1x2x2xf32>) : tensor<4x4x1x1x1xf32> -> tensor<1x2x2xf32>

  // CHECK: 2: 1x1x3x2xf32 [28, 18, 13, 16, 10, 3]
  %w = arith.constant dense<[[[[1., 0., 2.], [0., 3., 0.], [4., 0., 5.]]]]> : tensor<1x1x3x3xf32>
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [1, 1, 1, 0] groups 1 algorithm winograd4
      : tensor<1x1x3x3xf32>, tensor<1x1x3x3xf32> -> tensor<1x1x3x2xf32>
  return %0, %1, %y : tensor<4x4x1x1x1xf32>, tensor<1x2x2xf32>, tensor<1x1x3x2xf32>
}
