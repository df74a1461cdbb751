// RUN: tenon-opt %s --tenon-convert-conv-to-linalg | FileCheck %s

// The filter, reversed and padded, slides over the rows of the input: 28 rows are the taps, 28 + 27 the places of the filter's.
// CHECK-DAG: #[[FILTER:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1 + d3, d4)>
// CHECK-DAG: #[[INPUT:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d3, d2 + d4)>
// CHECK-LABEL: func @long
// CHECK: linalg.generic {indexing_maps = [#[[FILTER]], #[[INPUT]], #{{.*}}]{{.*}} ins(%{{.*}}, %{{.*}} : tensor<64x55x31xf32>, tensor<64x28x58xf32>)
// CHECK-SAME: tenon.nonzero = array<i64: 0, 1, 12, 43, 55, 1, 2, 15, 43, 58>
func.func @long(%x: tensor<1x64x28x28xf32>, %w: tensor<64x1x31x31xf32>) -> tensor<1x64x28x28xf32> {
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [15, 15, 15, 15] groups 64 : tensor<1x64x28x28xf32>, tensor<64x1x31x31xf32> -> tensor<1x64x28x28xf32>
  return %y : tensor<1x64x28x28xf32>
}

// What is unrolled stays as it is.
// CHECK-LABEL: func @short
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<64x7x7xf32>, tensor<64x34x34xf32>)
func.func @short(%x: tensor<1x64x28x28xf32>, %w: tensor<64x1x7x7xf32>) -> tensor<1x64x28x28xf32> {
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [3, 3, 3, 3] groups 64 : tensor<1x64x28x28xf32>, tensor<64x1x7x7xf32> -> tensor<1x64x28x28xf32>
  return %y : tensor<1x64x28x28xf32>
}
