// REQUIRES: tenon-run
// tenon.conv on the evaluator, by hand; compiled code agrees.
// RUN: tenon-run --reference %s | FileCheck %s
// RUN: tenon-run --verify %s | FileCheck %s --check-prefix=AGREES
// RUN: tenon-run --verify --target x86-64-v3 %s | FileCheck %s --check-prefix=AGREES
// AGREES: outputs agree with the reference

func.func @main() -> (tensor<?x1x?xf32>, tensor<1x1x2x2xf32>, tensor<1x4x2xf32>, tensor<1x1x5xf32>, tensor<2x1x2xf32>,
                      tensor<1x1x2xf32>, tensor<1x1x1x1x1xf32>, tensor<?x1x3xf32>, tensor<1x1x0xf32>, tensor<1x2x1xi32>,
                      tensor<1x1x1xi8>, tensor<1x1x2xbf16>, tensor<1x1x1xbf16>, tensor<1x1x2xf16>, tensor<1x?x3xf32>) {
  %count = arith.constant dense<[[[1., 2., 3., 4., 5.]]]> : tensor<1x1x5xf32>
  %w123 = arith.constant dense<[[[1., 2., 3.]]]> : tensor<1x1x3xf32>
  %b = arith.constant dense<100.> : tensor<1xf32>
  // [. 1 2] [2 3 4] [4 5 .]
  // CHECK: 0: 1x1x3xf32 [108, 120, 114]
  %dynamic = tensor.cast %count : tensor<1x1x5xf32> to tensor<?x1x?xf32>
  %0 = tenon.conv %dynamic, %w123 bias %b strides [2] dilations [1] pads [1, 1] groups 1
      : tensor<?x1x?xf32>, tensor<1x1x3xf32>, tensor<1xf32> -> tensor<?x1x?xf32>

  // Pads of one side each; columns -1 and 1, then 0 and 2; the second row of results sees rows 1 and 2.
  // CHECK: 1: 1x1x2x2xf32 [5020, 6431, 50, 64]
  %x2 = arith.constant dense<[[[[1., 2., 3.], [4., 5., 6.]]]]> : tensor<1x1x2x3xf32>
  %w2 = arith.constant dense<[[[[1., 10.], [100., 1000.]]]]> : tensor<1x1x2x2xf32>
  %1 = tenon.conv %x2, %w2 strides [1, 1] dilations [1, 2] pads [0, 1, 1, 0] groups 1
      : tensor<1x1x2x3xf32>, tensor<1x1x2x2xf32> -> tensor<1x1x2x2xf32>

  // CHECK: 2: 1x4x2xf32 [1, 2, 10, 20, 300, 400, 3000, 4000]
  %xg = arith.constant dense<[[[1., 2.], [3., 4.]]]> : tensor<1x2x2xf32>
  %wg = arith.constant dense<[[[1.]], [[10.]], [[100.]], [[1000.]]]> : tensor<4x1x1xf32>
  %2 = tenon.conv %xg, %wg strides [1] dilations [1] pads [0, 0] groups 2
      : tensor<1x2x2xf32>, tensor<4x1x1xf32> -> tensor<1x4x2xf32>

  // 1 2 5 4 6 without the first, and one more at the end.
  // CHECK: 3: 1x1x5xf32 [2, 5, 4, 6, 0]
  %x12 = arith.constant dense<[[[1., 2.]]]> : tensor<1x1x2xf32>
  %3 = tenon.conv %x12, %w123 strides [2] dilations [1] pads [1, 0] groups 1 transposed
      {output_padding = array<i64: 1>} : tensor<1x1x2xf32>, tensor<1x1x3xf32> -> tensor<1x1x5xf32>

  // CHECK: 4: 2x1x2xf32 [10, 22, 36, 52]
  %xs = arith.constant dense<[[[1., 2.]], [[3., 4.]]]> : tensor<2x1x2xf32>
  %ws = arith.constant dense<[[[[10.]], [[11.]]], [[[12.]], [[13.]]]]> : tensor<2x2x1x1xf32>
  %4 = tenon.conv %xs, %ws strides [1] dilations [1] pads [0, 0] groups 2 per_sample channels_last
      : tensor<2x1x2xf32>, tensor<2x2x1x1xf32> -> tensor<2x1x2xf32>

  // Negative pads leave 2 3 4.
  // CHECK: 5: 1x1x2xf32 [5, 7]
  %w11 = arith.constant dense<1.> : tensor<1x1x2xf32>
  %5 = tenon.conv %count, %w11 strides [1] dilations [1] pads [-1, -1] groups 1
      : tensor<1x1x5xf32>, tensor<1x1x2xf32> -> tensor<1x1x2xf32>

  // CHECK: 6: 1x1x1x1x1xf32 [36]
  %x3 = arith.constant dense<[[[[[1., 2.], [3., 4.]], [[5., 6.], [7., 8.]]]]]> : tensor<1x1x2x2x2xf32>
  %w3 = arith.constant dense<1.> : tensor<1x1x2x2x2xf32>
  %6 = tenon.conv %x3, %w3 strides [1, 1, 1] dilations [1, 1, 1] pads [0, 0, 0, 0, 0, 0] groups 1
      : tensor<1x1x2x2x2xf32>, tensor<1x1x2x2x2xf32> -> tensor<1x1x1x1x1xf32>

  // No samples; no place for a window.
  // CHECK: 7: 0x1x3xf32 []
  // CHECK: 8: 1x1x0xf32 []
  %none = tensor.empty() : tensor<0x1x5xf32>
  %open = tensor.cast %none : tensor<0x1x5xf32> to tensor<?x1x5xf32>
  %7 = tenon.conv %open, %w123 strides [1] dilations [1] pads [0, 0] groups 1
      : tensor<?x1x5xf32>, tensor<1x1x3xf32> -> tensor<?x1x3xf32>
  %8 = tenon.conv %x12, %w123 strides [1] dilations [1] pads [0, 0] groups 1
      : tensor<1x1x2xf32>, tensor<1x1x3xf32> -> tensor<1x1x0xf32>

  // 127 * 127 + 127 * 127 and -128 * 127 - 127 fit i32; 100 * 2 does not fit i8.
  // CHECK: 9: 1x2x1xi32 [32258, -16383]
  // CHECK: 10: 1x1x1xi8 [-56]
  %xi = arith.constant dense<[[[127], [127]]]> : tensor<1x2x1xi8>
  %wi = arith.constant dense<[[[127], [127]], [[-128], [-1]]]> : tensor<2x2x1xi8>
  %9 = tenon.conv %xi, %wi strides [1] dilations [1] pads [0, 0] groups 1
      : tensor<1x2x1xi8>, tensor<2x2x1xi8> -> tensor<1x2x1xi32>
  %i100 = arith.constant dense<100> : tensor<1x1x1xi8>
  %i2 = arith.constant dense<2> : tensor<1x1x1xi8>
  %10 = tenon.conv %i100, %i2 strides [1] dilations [1] pads [0, 0] groups 1
      : tensor<1x1x1xi8>, tensor<1x1x1xi8> -> tensor<1x1x1xi8>

  // bf16 has 256 and 258 and rounds 257 to the former; sums are kept in f32, so that 256 + 1 + 1 is 258.
  // CHECK: 11: 1x1x2xbf16 [256, 2]
  // CHECK: 12: 1x1x1xbf16 [258]
  %xb = arith.constant dense<[[[256., 1., 1.]]]> : tensor<1x1x3xbf16>
  %wb2 = arith.constant dense<1.> : tensor<1x1x2xbf16>
  %wb3 = arith.constant dense<1.> : tensor<1x1x3xbf16>
  %11 = tenon.conv %xb, %wb2 strides [1] dilations [1] pads [0, 0] groups 1
      : tensor<1x1x3xbf16>, tensor<1x1x2xbf16> -> tensor<1x1x2xbf16>
  %12 = tenon.conv %xb, %wb3 strides [1] dilations [1] pads [0, 0] groups 1
      : tensor<1x1x3xbf16>, tensor<1x1x3xbf16> -> tensor<1x1x1xbf16>
  // 60000 + 60000 is beyond f16; 60000 - 60000 + 1 passes through 60000.
  // CHECK: 13: 1x1x2xf16 [inf, 1]
  %xh = arith.constant dense<[[[6.0e+04, 6.0e+04, -6.0e+04, 1.0]]]> : tensor<1x1x4xf16>
  %wh = arith.constant dense<[[[1.0, 1.0]]]> : tensor<1x1x2xf16>
  %wh3 = arith.constant dense<[[[1.0, 1.0, 1.0]]]> : tensor<1x1x3xf16>
  %h0 = tenon.conv %xh, %wh strides [3] dilations [1] pads [0, 0] groups 1
      : tensor<1x1x4xf16>, tensor<1x1x2xf16> -> tensor<1x1x1xf16>
  %h1 = tenon.conv %xh, %wh3 strides [1] dilations [1] pads [-1, 0] groups 1
      : tensor<1x1x4xf16>, tensor<1x1x3xf16> -> tensor<1x1x1xf16>
  %13 = tensor.concat dim(2) %h0, %h1 : (tensor<1x1x1xf16>, tensor<1x1x1xf16>) -> tensor<1x1x2xf16>

  // Transposed, two groups of one channel each into two; dilated taps, dynamic channels.
  // CHECK: 14: 1x4x3xf32 [1, 0, 1, 10, 0, 10, 200, 0, ..]
  %xt = arith.constant dense<[[[1.], [2.]]]> : tensor<1x2x1xf32>
  %wt = arith.constant dense<[[[1., 1.], [10., 10.]], [[100., 100.], [1000., 1000.]]]> : tensor<2x2x2xf32>
  %t = tenon.conv %xt, %wt strides [1] dilations [2] pads [0, 0] groups 2 transposed
      : tensor<1x2x1xf32>, tensor<2x2x2xf32> -> tensor<1x4x3xf32>
  %14 = tensor.cast %t : tensor<1x4x3xf32> to tensor<1x?x3xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14
      : tensor<?x1x?xf32>, tensor<1x1x2x2xf32>, tensor<1x4x2xf32>, tensor<1x1x5xf32>, tensor<2x1x2xf32>,
        tensor<1x1x2xf32>, tensor<1x1x1x1x1xf32>, tensor<?x1x3xf32>, tensor<1x1x0xf32>, tensor<1x2x1xi32>,
        tensor<1x1x1xi8>, tensor<1x1x2xbf16>, tensor<1x1x1xbf16>, tensor<1x1x2xf16>, tensor<1x?x3xf32>
}
