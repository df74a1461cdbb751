// RUN: tenon-opt %s --tenon-convert-conv-to-linalg --split-input-file | FileCheck %s

// The example of the pass's page: padded copy, unit batch dropped, one contraction.
// CHECK-DAG: #[[W:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
// CHECK-DAG: #[[X:.*]] = affine_map<(d0, d1, d2, d3) -> (d2, d1 + d3)>
// CHECK-LABEL: func.func @example
//       CHECK:   tensor.pad %{{.*}} low[0, 0, 1] high[0, 0, 1]
//       CHECK:   linalg.generic {indexing_maps = [#[[W]], #[[X]], #{{.*}}], iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
//  CHECK-SAME:     outs(%{{.*}} : tensor<8x8xf32>)
//       CHECK:   tensor.expand_shape %{{.*}} {{\[\[}}0, 1], [2]] output_shape [1, 8, 8]
func.func @example(%x: tensor<1x4x8xf32>, %w: tensor<8x4x3xf32>) -> tensor<1x8x8xf32> {
  %y = tenon.conv %x, %w strides [1] dilations [1] pads [1, 1] groups 1 : tensor<1x4x8xf32>, tensor<8x4x3xf32> -> tensor<1x8x8xf32>
  return %y : tensor<1x8x8xf32>
}

// -----

// One tap: a matmul over merged spatial dims; bias is an element-wise consumer.
// CHECK-DAG: #[[W:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[X:.*]] = affine_map<(d0, d1, d2) -> (d2, d1)>
// CHECK-LABEL: func.func @pointwise
//       CHECK:   linalg.generic {indexing_maps = [#[[W]], #[[X]], #{{.*}}], iterator_types = ["parallel", "parallel", "reduction"]}
//  CHECK-SAME:     ins(%{{.*}}, %{{.*}} : tensor<6x4xf32>, tensor<4x81xf32>)
//       CHECK:   linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]
func.func @pointwise(%x: tensor<1x4x9x9xf32>, %w: tensor<6x4x1x1xf32>, %b: tensor<6xf32>) -> tensor<1x6x9x9xf32> {
  %y = tenon.conv %x, %w bias %b strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1
      : tensor<1x4x9x9xf32>, tensor<6x4x1x1xf32>, tensor<6xf32> -> tensor<1x6x9x9xf32>
  return %y : tensor<1x6x9x9xf32>
}

// -----

// A stride along the innermost dim: padded and split by phase in one go, taps padded from 3 to 2 x 2.
// CHECK: #[[X:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d3, d1 * 2 + d4, d6, d2 + d5)>
// CHECK-LABEL: func.func @strided
//       CHECK:   %[[ZEROS:.*]] = linalg.fill {{.*}} outs(%{{.*}} : tensor<1x4x11x2x6xf32>)
//       CHECK:   %[[ODD:.*]] = tensor.extract_slice %arg0[0, 0, 0, 1] [1, 4, 9, 4] [1, 1, 1, 2]
//       CHECK:   %[[FIRST:.*]] = tensor.insert_slice %[[ODD]] into %[[ZEROS]][0, 0, 1, 0, 1] [1, 4, 9, 1, 4] [1, 1, 1, 1, 1]
//       CHECK:   %[[EVEN:.*]] = tensor.extract_slice %arg0[0, 0, 0, 0] [1, 4, 9, 5] [1, 1, 1, 2]
//       CHECK:   tensor.insert_slice %[[EVEN]] into %[[FIRST]][0, 0, 1, 1, 0] [1, 4, 9, 1, 5] [1, 1, 1, 1, 1]
//       CHECK:   tensor.pad
//       CHECK:   : tensor<6x4x3x3xf32> to tensor<6x4x3x4xf32>
//       CHECK:   linalg.generic {indexing_maps = [#{{.*}}, #[[X]], #{{.*}}]
//  CHECK-SAME:   attrs = {{.*}}tenon.phases = array<i64: 0, 3, 3, 2, 2>
func.func @strided(%x: tensor<1x4x9x9xf32>, %w: tensor<6x4x3x3xf32>) -> tensor<1x6x5x5xf32> {
  %y = tenon.conv %x, %w strides [2, 2] dilations [1, 1] pads [1, 1, 1, 1] groups 1
      : tensor<1x4x9x9xf32>, tensor<6x4x3x3xf32> -> tensor<1x6x5x5xf32>
  return %y : tensor<1x6x5x5xf32>
}

// -----

// Depthwise: nothing is summed over channels. f16 sums in f32.
// CHECK-LABEL: func.func @depthwise
//       CHECK:   linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
//       CHECK:     arith.extf
//       CHECK:     arith.extf
//       CHECK:   } -> tensor<2x32x6x6xf32>
//       CHECK:     arith.truncf
func.func @depthwise(%x: tensor<2x32x8x8xf16>, %w: tensor<32x1x3x3xf16>) -> tensor<2x32x6x6xf16> {
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 32
      : tensor<2x32x8x8xf16>, tensor<32x1x3x3xf16> -> tensor<2x32x6x6xf16>
  return %y : tensor<2x32x6x6xf16>
}

// -----

// Channels-last: the filter is transposed to have filters innermost.
// CHECK: #[[W:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d5, d6, d4, d3)>
// CHECK-LABEL: func.func @channels_last
//       CHECK:   linalg.generic {{.*}} outs(%{{.*}} : tensor<3x3x4x6xf32>)
//       CHECK:   linalg.generic {indexing_maps = [#{{.*}}, #[[W]], #{{.*}}]
func.func @channels_last(%x: tensor<2x8x8x4xf32>, %w: tensor<6x3x3x4xf32>) -> tensor<2x6x6x6xf32> {
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1 channels_last
      : tensor<2x8x8x4xf32>, tensor<6x3x3x4xf32> -> tensor<2x6x6x6xf32>
  return %y : tensor<2x6x6x6xf32>
}

// -----

// Transposed, stride = kernel: a matmul to 3 * 2 * 2 channels, then interleaving.
// CHECK-LABEL: func.func @transposed
//       CHECK:   linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<12x8xf32>, tensor<8x81xf32>)
//       CHECK:   linalg.generic {{.*}} outs(%{{.*}} : tensor<1x3x9x2x9x2xf32>)
//       CHECK:   tensor.collapse_shape {{.*}} into tensor<1x3x18x18xf32>
func.func @transposed(%x: tensor<1x8x9x9xf32>, %w: tensor<8x3x2x2xf32>) -> tensor<1x3x18x18xf32> {
  %y = tenon.conv %x, %w strides [2, 2] dilations [1, 1] pads [0, 0, 0, 0] groups 1 transposed
      : tensor<1x8x9x9xf32>, tensor<8x3x2x2xf32> -> tensor<1x3x18x18xf32>
  return %y : tensor<1x3x18x18xf32>
}
