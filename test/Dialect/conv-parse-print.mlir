// RUN: tenon-opt %s | tenon-opt | FileCheck %s

// CHECK-LABEL: func.func @plain
//       CHECK:   tenon.conv %{{.*}}, %{{.*}} bias %{{.*}} strides [2, 2] dilations [1, 1] pads [3, 3, 3, 3] groups 1 :
func.func @plain(%x: tensor<1x3x224x224xf32>, %w: tensor<64x3x7x7xf32>, %b: tensor<64xf32>) -> tensor<1x64x112x112xf32> {
  %y = tenon.conv %x, %w bias %b strides [2, 2] dilations [1, 1] pads [3, 3, 3, 3] groups 1
      : tensor<1x3x224x224xf32>, tensor<64x3x7x7xf32>, tensor<64xf32> -> tensor<1x64x112x112xf32>
  return %y : tensor<1x64x112x112xf32>
}

// CHECK-LABEL: func.func @axes
//       CHECK:   groups 2 transposed per_sample channels_last {output_padding = array<i64: 1>} :
func.func @axes(%x: tensor<?x9x4xf16>, %w: tensor<?x4x3x5xf16>) -> tensor<?x20x10xf16> {
  %y = tenon.conv %x, %w strides [2] dilations [1] pads [0, 0] groups 2 transposed per_sample channels_last
      {output_padding = array<i64: 1>} : tensor<?x9x4xf16>, tensor<?x4x3x5xf16> -> tensor<?x20x10xf16>
  return %y : tensor<?x20x10xf16>
}

// CHECK-LABEL: func.func @integers
//       CHECK:   tensor<1x1x3x3x3xi8>, tensor<1x1x1x1x1xi8> -> tensor<1x1x2x3x3xi32>
func.func @integers(%x: tensor<1x1x3x3x3xi8>, %w: tensor<1x1x1x1x1xi8>) -> tensor<1x1x2x3x3xi32> {
  %y = tenon.conv %x, %w strides [1, 1, 1] dilations [1, 1, 1] pads [-1, 0, 0, 0, 0, 0] groups 1
      : tensor<1x1x3x3x3xi8>, tensor<1x1x1x1x1xi8> -> tensor<1x1x2x3x3xi32>
  return %y : tensor<1x1x2x3x3xi32>
}
