// RUN: tenon-opt %s | tenon-opt | FileCheck %s

// CHECK-LABEL: func.func @pools
//       CHECK:   tenon.pool max %{{.*}} kernel [3, 3] strides [2, 2] dilations [1, 1] pads [1, 1, 1, 1] : tensor<1x4x8x8xf32> -> tensor<1x4x4x4xf32>
//       CHECK:   tenon.pool max %{{.*}} kernel [3, 3] strides [2, 2] dilations [1, 1] pads [1, 1, 1, 1] column_major : tensor<1x4x8x8xf32> -> tensor<1x4x4x4xf32>, tensor<1x4x4x4xi64>
//       CHECK:   tenon.pool average %{{.*}} kernel [3, 3] strides [2, 2] dilations [1, 1] pads [0, 0, 0, 0] ceil_mode count_include_pad : tensor<1x4x8x8xf32> -> tensor<1x4x4x4xf32>
//       CHECK:   tenon.pool lp %{{.*}} kernel [8, 8] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] {p = 3 : i64} : tensor<1x4x8x8xf32> -> tensor<1x4x1x1xf32>
func.func @pools(%x: tensor<1x4x8x8xf32>) {
  %0 = tenon.pool max %x kernel [3, 3] strides [2, 2] dilations [1, 1] pads [1, 1, 1, 1] : tensor<1x4x8x8xf32> -> tensor<1x4x4x4xf32>
  %1, %i = tenon.pool max %x kernel [3, 3] strides [2, 2] dilations [1, 1] pads [1, 1, 1, 1] column_major
      : tensor<1x4x8x8xf32> -> tensor<1x4x4x4xf32>, tensor<1x4x4x4xi64>
  %2 = tenon.pool average %x kernel [3, 3] strides [2, 2] dilations [1, 1] pads [0, 0, 0, 0] ceil_mode count_include_pad
      : tensor<1x4x8x8xf32> -> tensor<1x4x4x4xf32>
  %3 = tenon.pool lp %x kernel [8, 8] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] {p = 3 : i64}
      : tensor<1x4x8x8xf32> -> tensor<1x4x1x1xf32>
  return
}
