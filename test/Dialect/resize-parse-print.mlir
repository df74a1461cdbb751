// RUN: tenon-opt %s | tenon-opt | FileCheck %s

// CHECK-LABEL: func.func @resizes
//       CHECK:   tenon.resize nearest %{{.*}} scales [1.000000e+00, 1.000000e+00, 2.000000e+00, 2.000000e+00] coordinates asymmetric rounding floor : tensor<1x4x8x8xf32> -> tensor<1x4x16x16xf32>
//       CHECK:   tenon.resize linear %{{.*}} sizes(%{{.*}}) scales [] coordinates half_pixel rounding floor {antialias} : tensor<1x4x8x8xf32> -> tensor<1x4x?x16xf32>
//       CHECK:   tenon.resize cubic %{{.*}} scales [] coordinates crop_and_resize rounding ceil {cubic_coefficient = -5.000000e-01 : f32, exclude_outside, extrapolation_value = 1.000000e+01 : f32, roi = array<f32:
func.func @resizes(%x: tensor<1x4x8x8xf32>, %n: index) {
  %0 = tenon.resize nearest %x scales [1.0, 1.0, 2.0, 2.0] coordinates asymmetric rounding floor
      : tensor<1x4x8x8xf32> -> tensor<1x4x16x16xf32>
  %1 = tenon.resize linear %x sizes(%n) scales [] coordinates half_pixel rounding floor {antialias}
      : tensor<1x4x8x8xf32> -> tensor<1x4x?x16xf32>
  %2 = tenon.resize cubic %x scales [] coordinates crop_and_resize rounding ceil
      {roi = array<f32: 0., 0., 0.1, 0.2, 1., 1., 0.9, 1.2>, exclude_outside, extrapolation_value = 10.0 : f32, cubic_coefficient = -0.5 : f32}
      : tensor<1x4x8x8xf32> -> tensor<1x4x3x3xf32>
  return
}
