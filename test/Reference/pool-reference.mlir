// REQUIRES: tenon-run
// tenon.pool on the evaluator, by hand; compiled code agrees.
// RUN: tenon-run --reference %s | FileCheck %s
// RUN: tenon-run --verify %s | FileCheck %s --check-prefix=AGREES
// RUN: tenon-run --verify --target x86-64-v3 %s | FileCheck %s --check-prefix=AGREES
// AGREES: outputs agree with the reference

func.func @main() -> (tensor<?x2x?xf32>, tensor<?x2x?xi64>, tensor<1x1x2xf32>, tensor<1x1x2xi64>, tensor<1x1x2xi8>,
                      tensor<1x1x2xf32>, tensor<1x1x2xi64>, tensor<1x1x4xf32>, tensor<1x1x4xf32>, tensor<1x1x3xf32>,
                      tensor<1x1x1xf32>, tensor<1x1x2xf32>, tensor<1x1x1xf32>, tensor<1x1x1x1xi64>,
                      tensor<1x1x1x1xi64>, tensor<1x0x3xf32>, tensor<1x1x1xf16>, tensor<1x1x1x1x2xf32>) {
  %x = arith.constant dense<[[[1., 2., 3.], [4., 5., 6.]]]> : tensor<1x2x3xf32>
  %xd = tensor.cast %x : tensor<1x2x3xf32> to tensor<?x2x?xf32>
  // The last window sees one element only; indices count the whole tensor.
  // CHECK: 0: 1x2x2xf32 [2, 3, 5, 6]
  // CHECK: 1: 1x2x2xi64 [1, 2, 4, 5]
  %0, %1 = tenon.pool max %xd kernel [2] strides [2] dilations [1] pads [0, 0] ceil_mode
      : tensor<?x2x?xf32> -> tensor<?x2x?xf32>, tensor<?x2x?xi64>

  // A window that sees only padding.
  // CHECK: 2: 1x1x2xf32 [-inf, 2]
  // CHECK: 3: 1x1x2xi64 [-1, 1]
  // CHECK: 4: 1x1x2xi8 [-128, -2]
  %x3 = arith.constant dense<[[[1., 2., 3.]]]> : tensor<1x1x3xf32>
  %2, %3 = tenon.pool max %x3 kernel [1] strides [2] dilations [1] pads [1, 0]
      : tensor<1x1x3xf32> -> tensor<1x1x2xf32>, tensor<1x1x2xi64>
  %xi = arith.constant dense<[[[-1, -2, -3]]]> : tensor<1x1x3xi8>
  %4 = tenon.pool max %xi kernel [1] strides [2] dilations [1] pads [1, 0] : tensor<1x1x3xi8> -> tensor<1x1x2xi8>

  // NaN is the maximum; of equal elements the first counts.
  // CHECK: 5: 1x1x2xf32 [{{-?}}nan, 3]
  // CHECK: 6: 1x1x2xi64 [1, 2]
  %nan = arith.constant dense<[[[1., 0x7FC00000, 3., 3.]]]> : tensor<1x1x4xf32>
  %5, %6 = tenon.pool max %nan kernel [2] strides [2] dilations [1] pads [0, 0]
      : tensor<1x1x4xf32> -> tensor<1x1x2xf32>, tensor<1x1x2xi64>

  // Averages of what is inside the input, and with pads.
  // CHECK: 7: 1x1x4xf32 [1, 1.5, 2.5, 3]
  // CHECK: 8: 1x1x4xf32 [0.5, 1.5, 2.5, 1.5]
  %7 = tenon.pool average %x3 kernel [2] strides [1] dilations [1] pads [1, 1] : tensor<1x1x3xf32> -> tensor<1x1x4xf32>
  %8 = tenon.pool average %x3 kernel [2] strides [1] dilations [1] pads [1, 1] count_include_pad
      : tensor<1x1x3xf32> -> tensor<1x1x4xf32>
  // What ceil_mode adds beyond the pads does not count, and windows do not start in the padding at the end.
  // CHECK: 9: 1x1x3xf32 [1.5, 3.5, 5]
  // CHECK: 10: 1x1x1xf32 [1]
  %x5 = arith.constant dense<[[[1., 2., 3., 4., 5.]]]> : tensor<1x1x5xf32>
  %9 = tenon.pool average %x5 kernel [2] strides [2] dilations [1] pads [0, 0] ceil_mode count_include_pad
      : tensor<1x1x5xf32> -> tensor<1x1x3xf32>
  %x2 = arith.constant dense<[[[1., 2.]]]> : tensor<1x1x2xf32>
  %10 = tenon.pool max %x2 kernel [1] strides [2] dilations [1] pads [0, 1] ceil_mode
      : tensor<1x1x2xf32> -> tensor<1x1x1xf32>

  // CHECK: 11: 1x1x2xf32 [5, 13]
  // CHECK: 12: 1x1x1xf32 [24]
  %xl = arith.constant dense<[[[-3., 4., 5., -12.]]]> : tensor<1x1x4xf32>
  %11 = tenon.pool lp %xl kernel [2] strides [2] dilations [1] pads [0, 0] : tensor<1x1x4xf32> -> tensor<1x1x2xf32>
  %12 = tenon.pool lp %xl kernel [4] strides [1] dilations [1] pads [0, 0] {p = 1 : i64}
      : tensor<1x1x4xf32> -> tensor<1x1x1xf32>

  // The maximum is at row 0, column 2: 2 row by row, 2 * 2 column by column.
  // CHECK: 13: 1x1x1x1xi64 [2]
  // CHECK: 14: 1x1x1x1xi64 [4]
  %xc = arith.constant dense<[[[[1., 2., 9.], [4., 50., 6.]]]]> : tensor<1x1x2x3xf32>
  %m0, %13 = tenon.pool max %xc kernel [2, 2] strides [1, 1] dilations [1, 2] pads [0, 0, 0, 0]
      : tensor<1x1x2x3xf32> -> tensor<1x1x1x1xf32>, tensor<1x1x1x1xi64>
  %m1, %14 = tenon.pool max %xc kernel [2, 2] strides [1, 1] dilations [1, 2] pads [0, 0, 0, 0] column_major
      : tensor<1x1x2x3xf32> -> tensor<1x1x1x1xf32>, tensor<1x1x1x1xi64>

  // CHECK: 15: 1x0x3xf32 []
  %none = tensor.empty() : tensor<1x0x4xf32>
  %15 = tenon.pool average %none kernel [2] strides [1] dilations [1] pads [0, 0] : tensor<1x0x4xf32> -> tensor<1x0x3xf32>

  // Sums are kept in f32: f16 would lose each 1 beside 2048. 512.75 lies between 512.5 and 513.
  // CHECK: 16: 1x1x1xf16 [513]
  %xh = arith.constant dense<[[[2048., 1., 1., 1.]]]> : tensor<1x1x4xf16>
  %16 = tenon.pool average %xh kernel [4] strides [1] dilations [1] pads [0, 0] : tensor<1x1x4xf16> -> tensor<1x1x1xf16>

  // CHECK: 17: 1x1x1x1x2xf32 [3, 4]
  %x3d = arith.constant dense<[[[[[1., 2., 3.], [4., 5., 6.]]]]]> : tensor<1x1x1x2x3xf32>
  %17 = tenon.pool average %x3d kernel [1, 2, 2] strides [1, 1, 1] dilations [1, 1, 1] pads [0, 0, 0, 0, 0, 0]
      : tensor<1x1x1x2x3xf32> -> tensor<1x1x1x1x2xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17
      : tensor<?x2x?xf32>, tensor<?x2x?xi64>, tensor<1x1x2xf32>, tensor<1x1x2xi64>, tensor<1x1x2xi8>,
        tensor<1x1x2xf32>, tensor<1x1x2xi64>, tensor<1x1x4xf32>, tensor<1x1x4xf32>, tensor<1x1x3xf32>,
        tensor<1x1x1xf32>, tensor<1x1x2xf32>, tensor<1x1x1xf32>, tensor<1x1x1x1xi64>, tensor<1x1x1x1xi64>,
        tensor<1x0x3xf32>, tensor<1x1x1xf16>, tensor<1x1x1x1x2xf32>
}
