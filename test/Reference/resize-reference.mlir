// REQUIRES: tenon-run
// tenon.resize on the evaluator, by hand; compiled code agrees.
// RUN: tenon-run --reference %s | FileCheck %s
// RUN: tenon-run --verify %s | FileCheck %s --check-prefix=AGREES
// RUN: tenon-run --verify --target x86-64-v3 %s | FileCheck %s --check-prefix=AGREES
// AGREES: outputs agree with the reference

func.func @main() -> (tensor<4xf32>, tensor<6xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>,
                      tensor<5xf32>, tensor<8xf32>, tensor<2xf32>, tensor<3xf32>, tensor<2x4xf32>, tensor<4xi8>,
                      tensor<?xf32>, tensor<?xf32>, tensor<0xf32>, tensor<4xi1>, tensor<1xf32>, tensor<1xf32>,
                      tensor<1xf32>, tensor<2xf32>) {
  %x2 = arith.constant dense<[1., 2.]> : tensor<2xf32>
  %x3 = arith.constant dense<[1., 2., 3.]> : tensor<3xf32>
  %x4 = arith.constant dense<[1., 2., 3., 4.]> : tensor<4xf32>
  // At -0.25, 0.25, 0.75, 1.25.
  // CHECK: 0: 4xf32 [1, 1.25, 1.75, 2]
  %0 = tenon.resize linear %x2 scales [2.0] coordinates half_pixel rounding floor : tensor<2xf32> -> tensor<4xf32>
  // CHECK: 1: 6xf32 [1, 1, 2, 2, 3, 3]
  %1 = tenon.resize nearest %x3 scales [2.0] coordinates asymmetric rounding floor : tensor<3xf32> -> tensor<6xf32>

  // At 0.5 and 2.5.
  // CHECK: 2: 2xf32 [1, 3]
  // CHECK: 3: 2xf32 [2, 4]
  // CHECK: 4: 2xf32 [1, 3]
  // CHECK: 5: 2xf32 [2, 4]
  %2 = tenon.resize nearest %x4 scales [0.5] coordinates half_pixel rounding round_prefer_floor
      : tensor<4xf32> -> tensor<2xf32>
  %3 = tenon.resize nearest %x4 scales [0.5] coordinates half_pixel rounding round_prefer_ceil
      : tensor<4xf32> -> tensor<2xf32>
  %4 = tenon.resize nearest %x4 scales [0.5] coordinates half_pixel rounding floor : tensor<4xf32> -> tensor<2xf32>
  %5 = tenon.resize nearest %x4 scales [0.5] coordinates half_pixel rounding ceil : tensor<4xf32> -> tensor<2xf32>

  // CHECK: 6: 5xf32 [1, 1.5, 2, 3, 4]
  %x124 = arith.constant dense<[1., 2., 4.]> : tensor<3xf32>
  %6 = tenon.resize linear %x124 scales [] coordinates align_corners rounding floor : tensor<3xf32> -> tensor<5xf32>

  // Half way, Keys' kernel has -0.09375, 0.59375, 0.59375, -0.09375; beyond the ends come the nearest inside.
  // CHECK: 7: 8xf32 [1, 1.40625, 2, 1.9375, 3, 6.59375, 10, 10.65625]
  %x10 = arith.constant dense<[1., 2., 3., 10.]> : tensor<4xf32>
  %7 = tenon.resize cubic %x10 scales [2.0] coordinates asymmetric rounding floor : tensor<4xf32> -> tensor<8xf32>

  // Weights 1, 3, 3, 1 eighths.
  // CHECK: 8: 2xf32 [1.625, 3.375]
  %8 = tenon.resize linear %x4 scales [0.5] coordinates half_pixel rounding floor {antialias}
      : tensor<4xf32> -> tensor<2xf32>

  // At 1, 2, 3; the last is outside.
  // CHECK: 9: 3xf32 [2, 3, 9]
  %9 = tenon.resize nearest %x3 scales [] coordinates crop_and_resize rounding floor
      {roi = array<f32: 0.5, 1.5>, extrapolation_value = 9.0 : f32} : tensor<3xf32> -> tensor<3xf32>

  // CHECK: 10: 2x4xf32 [1, 1.25, 1.75, 2, 3, 3.25, 3.75, 4]
  %x22 = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32>
  %10 = tenon.resize linear %x22 scales [1.0, 2.0] coordinates half_pixel rounding floor
      : tensor<2x2xf32> -> tensor<2x4xf32>

  // Integers go towards zero.
  // CHECK: 11: 4xi8 [-1, -1, -1, -2]
  %xi = arith.constant dense<[-1, -2]> : tensor<2xi8>
  %11 = tenon.resize linear %xi scales [2.0] coordinates half_pixel rounding floor : tensor<2xi8> -> tensor<4xi8>

  // Sizes at run time; a negative one is none.
  // CHECK: 12: 4xf32 [1, 1, 2, 2]
  // CHECK: 13: 0xf32 []
  // CHECK: 14: 0xf32 []
  %c4 = arith.constant 4 : index
  %minus = arith.constant -1 : index
  %xd = tensor.cast %x2 : tensor<2xf32> to tensor<?xf32>
  %12 = tenon.resize nearest %xd sizes(%c4) scales [] coordinates asymmetric rounding floor
      : tensor<?xf32> -> tensor<?xf32>
  %13 = tenon.resize linear %xd sizes(%minus) scales [] coordinates half_pixel rounding floor
      : tensor<?xf32> -> tensor<?xf32>
  %none = tensor.empty() : tensor<0xf32>
  %14 = tenon.resize linear %none scales [2.0] coordinates half_pixel rounding floor : tensor<0xf32> -> tensor<0xf32>

  // CHECK: 15: 4xi1 [1, 1, 0, 0]
  %bits = arith.constant dense<[true, false]> : tensor<2xi1>
  %15 = tenon.resize nearest %bits scales [2.0] coordinates asymmetric rounding floor : tensor<2xi1> -> tensor<4xi1>

  // One element of three: the middle, but for pytorch the first.
  // CHECK: 16: 1xf32 [2]
  // CHECK: 17: 1xf32 [1]
  %16 = tenon.resize linear %x3 scales [] coordinates half_pixel rounding floor : tensor<3xf32> -> tensor<1xf32>
  %17 = tenon.resize linear %x3 scales [] coordinates pytorch_half_pixel rounding floor : tensor<3xf32> -> tensor<1xf32>
  // 3 * 0.5 is 1.5, of which 1 is left: the place is moved from 0.5 to 1.
  // CHECK: 18: 1xf32 [2]
  %18 = tenon.resize nearest %x3 scales [0.5] coordinates half_pixel_symmetric rounding round_prefer_ceil
      : tensor<3xf32> -> tensor<1xf32>

  // Cubic at 0.5 and 2.5 without what lies outside: (0.59375 + 2 * 0.59375 - 3 * 0.09375) / 1.09375, and its mirror.
  // CHECK: 19: 2xf32 [1.37142{{[0-9]+}}, 3.62857{{[0-9]+}}]
  %19 = tenon.resize cubic %x4 scales [0.5] coordinates half_pixel rounding floor {exclude_outside}
      : tensor<4xf32> -> tensor<2xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19
      : tensor<4xf32>, tensor<6xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<5xf32>,
        tensor<8xf32>, tensor<2xf32>, tensor<3xf32>, tensor<2x4xf32>, tensor<4xi8>, tensor<?xf32>, tensor<?xf32>,
        tensor<0xf32>, tensor<4xi1>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<2xf32>
}
