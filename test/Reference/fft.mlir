// REQUIRES: tenon-run
// Fourier transforms on the evaluator, by hand; compiled code agrees with them, and by them with a convolution.
// RUN: tenon-run --reference %s | FileCheck %s
// RUN: tenon-run --verify %s | FileCheck %s --check-prefix=AGREES
// RUN: tenon-run --verify --target x86-64-v3 %s | FileCheck %s --check-prefix=AGREES
// AGREES: outputs agree with the reference

func.func @main(%big: tensor<2x3x40x7xf32>) -> (tensor<1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2x3x41x9xf32>) {
  // A spectrum of ones over NH * NW is a filter whose one tap is the first: each tile is the first elements of its window.
  // CHECK: 0: 1x3x4xf32 [0, 0, 0, 0, 0, 1, 2, 3, ..]
  %x = arith.constant dense<[[[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]]]> : tensor<1x1x3x3xf32>
  %ones = arith.constant dense<[[[[0.0625], [0.0]], [[0.0625], [0.0]], [[0.0625], [0.0]], [[0.0625], [0.0]]],
                                [[[0.0625], [0.0]], [[0.0625], [0.0]], [[0.0625], [0.0]], [[0.0625], [0.0]]],
                                [[[0.0625], [0.0]], [[0.0625], [0.0]], [[0.0625], [0.0]], [[0.0625], [0.0]]]]> : tensor<3x4x2x1xf32>
  %e = tensor.empty() : tensor<1x3x4xf32>
  %0 = tenon.fft_conv %x, %ones sizes [4, 4] tile [2, 4] pads [1, 1] outs(%e : tensor<1x3x4xf32>)
      : tensor<1x1x3x3xf32>, tensor<3x4x2x1xf32> -> tensor<1x3x4xf32>

  // Ten times an element and once its right neighbour, in tiles of three columns.
  // CHECK: 1: 1x1x3x4xf32 [12, 23, 34, 40, 45, 56, 67, 70, ..]
  %x1 = arith.constant dense<[[[[1., 2., 3., 4.], [4., 5., 6., 7.], [7., 8., 9., 0.]]]]> : tensor<1x1x3x4xf32>
  %w1 = arith.constant dense<[[[[10., 1.], [0., 0.]]]]> : tensor<1x1x2x2xf32>
  %1 = tenon.conv %x1, %w1 strides [1, 1] dilations [1, 1] pads [0, 0, 1, 1] groups 1 algorithm fft
      : tensor<1x1x3x4xf32>, tensor<1x1x2x2xf32> -> tensor<1x1x3x4xf32>

  %w2 = arith.constant dense<[[[[1., 2., 3.], [4., 5., 6.]]], [[[0., 1., 0.], [-2., 0., 0.]]], [[[7., 1., 0.], [0., 3., 8.]]]]>
      : tensor<3x1x2x3xf32>
  %2 = tenon.conv %big, %w2 strides [1, 1] dilations [1, 1] pads [1, 2, 1, 2] groups 3 algorithm fft
      : tensor<2x3x40x7xf32>, tensor<3x1x2x3xf32> -> tensor<2x3x41x9xf32>
  return %0, %1, %2 : tensor<1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2x3x41x9xf32>
}
