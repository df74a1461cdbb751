// RUN: tenon-opt %s --tenon-optimize --tenon-recognize-attention | FileCheck %s

// CHECK-DAG: #[[MAP:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d3)>
// CHECK-LABEL: func.func @spelled_out
// CHECK-SAME: (%[[Q:.*]]: tensor<2x3x20x8xf32>, %[[K:.*]]: tensor<2x3x30x8xf32>, %[[V:.*]]: tensor<2x3x30x8xf32>, %[[BIAS:.*]]: tensor<2x30xf32>)
// CHECK-NOT: linalg.generic
// CHECK: %[[SOURCE:.*]] = tenon.kv_source %[[K]], %[[V]]
// CHECK: %[[Y:.*]] = tenon.attention softmax %[[Q]] sources(%[[SOURCE]]) extras(%[[BIAS]] : tensor<2x30xf32>) maps [#[[MAP]]]
// CHECK-NEXT: ^bb0(%[[SCORE:.*]]: f32, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %[[ELEMENT:.*]]: f32):
// CHECK-NEXT: %[[SCALED:.*]] = arith.mulf %[[SCORE]],
// CHECK-NEXT: %[[SUM:.*]] = arith.addf %[[SCALED]], %[[ELEMENT]]
// CHECK-NEXT: tenon.yield %[[SUM]]
// CHECK: return %[[Y]]
func.func @spelled_out(%arg0: tensor<2x3x20x8xf32>, %arg1: tensor<2x3x30x8xf32>, %arg2: tensor<2x3x30x8xf32>, %arg3: tensor<2x30xf32>) -> (tensor<2x3x20x8xf32>) {
  %0 = tensor.empty() : tensor<2x3x20x30xf32>
  %cst = arith.constant 0.000000e+00 : f32
  %1 = linalg.fill ins(%cst : f32) outs(%0 : tensor<2x3x20x30xf32>) -> tensor<2x3x20x30xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%arg0, %arg1 : tensor<2x3x20x8xf32>, tensor<2x3x30x8xf32>) outs(%1 : tensor<2x3x20x30xf32>) {
  ^bb0(%in: f32, %in_7: f32, %out: f32):
    %22 = arith.mulf %in, %in_7 : f32
    %23 = arith.addf %out, %22 : f32
    linalg.yield %23 : f32
  } -> tensor<2x3x20x30xf32>
  %3 = tensor.empty() : tensor<2x3x20x30xf32>
  %4 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%2 : tensor<2x3x20x30xf32>) outs(%3 : tensor<2x3x20x30xf32>) {
  ^bb0(%in: f32, %out: f32):
    %cst_7 = arith.constant 2.500000e-01 : f32
    %22 = arith.mulf %in, %cst_7 : f32
    linalg.yield %22 : f32
  } -> tensor<2x3x20x30xf32>
  %expanded = tensor.expand_shape %arg3 [[0], [1, 2, 3]] output_shape [2, 1, 1, 30] : tensor<2x30xf32> into tensor<2x1x1x30xf32>
  %collapsed = tensor.collapse_shape %expanded [[0], [1, 2, 3]] : tensor<2x1x1x30xf32> into tensor<2x30xf32>
  %5 = tensor.empty() : tensor<2x3x20x30xf32>
  %6 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%4, %collapsed : tensor<2x3x20x30xf32>, tensor<2x30xf32>) outs(%5 : tensor<2x3x20x30xf32>) {
  ^bb0(%in: f32, %in_7: f32, %out: f32):
    %22 = arith.addf %in, %in_7 : f32
    linalg.yield %22 : f32
  } -> tensor<2x3x20x30xf32>
  %7 = tensor.empty() : tensor<2x3x20xf32>
  %cst_0 = arith.constant 0xFF800000 : f32
  %8 = linalg.fill ins(%cst_0 : f32) outs(%7 : tensor<2x3x20xf32>) -> tensor<2x3x20xf32>
  %9 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%6 : tensor<2x3x20x30xf32>) outs(%8 : tensor<2x3x20xf32>) {
  ^bb0(%in: f32, %out: f32):
    %22 = arith.maximumf %in, %out : f32
    linalg.yield %22 : f32
  } -> tensor<2x3x20xf32>
  %expanded_1 = tensor.expand_shape %9 [[0], [1], [2, 3]] output_shape [2, 3, 20, 1] : tensor<2x3x20xf32> into tensor<2x3x20x1xf32>
  %collapsed_2 = tensor.collapse_shape %expanded_1 [[0], [1], [2, 3]] : tensor<2x3x20x1xf32> into tensor<2x3x20xf32>
  %10 = tensor.empty() : tensor<2x3x20x30xf32>
  %11 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%6, %collapsed_2 : tensor<2x3x20x30xf32>, tensor<2x3x20xf32>) outs(%10 : tensor<2x3x20x30xf32>) {
  ^bb0(%in: f32, %in_7: f32, %out: f32):
    %22 = arith.subf %in, %in_7 : f32
    linalg.yield %22 : f32
  } -> tensor<2x3x20x30xf32>
  %12 = tensor.empty() : tensor<2x3x20x30xf32>
  %13 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%11 : tensor<2x3x20x30xf32>) outs(%12 : tensor<2x3x20x30xf32>) {
  ^bb0(%in: f32, %out: f32):
    %22 = math.exp %in : f32
    linalg.yield %22 : f32
  } -> tensor<2x3x20x30xf32>
  %14 = tensor.empty() : tensor<2x3x20xf32>
  %cst_3 = arith.constant 0.000000e+00 : f32
  %15 = linalg.fill ins(%cst_3 : f32) outs(%14 : tensor<2x3x20xf32>) -> tensor<2x3x20xf32>
  %16 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%13 : tensor<2x3x20x30xf32>) outs(%15 : tensor<2x3x20xf32>) {
  ^bb0(%in: f32, %out: f32):
    %22 = arith.addf %in, %out : f32
    linalg.yield %22 : f32
  } -> tensor<2x3x20xf32>
  %expanded_4 = tensor.expand_shape %16 [[0], [1], [2, 3]] output_shape [2, 3, 20, 1] : tensor<2x3x20xf32> into tensor<2x3x20x1xf32>
  %collapsed_5 = tensor.collapse_shape %expanded_4 [[0], [1], [2, 3]] : tensor<2x3x20x1xf32> into tensor<2x3x20xf32>
  %17 = tensor.empty() : tensor<2x3x20x30xf32>
  %18 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%13, %collapsed_5 : tensor<2x3x20x30xf32>, tensor<2x3x20xf32>) outs(%17 : tensor<2x3x20x30xf32>) {
  ^bb0(%in: f32, %in_7: f32, %out: f32):
    %22 = arith.divf %in, %in_7 : f32
    linalg.yield %22 : f32
  } -> tensor<2x3x20x30xf32>
  %19 = tensor.empty() : tensor<2x3x20x8xf32>
  %cst_6 = arith.constant 0.000000e+00 : f32
  %20 = linalg.fill ins(%cst_6 : f32) outs(%19 : tensor<2x3x20x8xf32>) -> tensor<2x3x20x8xf32>
  %21 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d4, d3)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%18, %arg2 : tensor<2x3x20x30xf32>, tensor<2x3x30x8xf32>) outs(%20 : tensor<2x3x20x8xf32>) {
  ^bb0(%in: f32, %in_7: f32, %out: f32):
    %22 = arith.mulf %in, %in_7 : f32
    %23 = arith.addf %out, %22 : f32
    linalg.yield %23 : f32
  } -> tensor<2x3x20x8xf32>
  return %21 : tensor<2x3x20x8xf32>
}

// CHECK-LABEL: func.func @weights_are_read
// CHECK-NOT: tenon.attention
// CHECK: return
func.func @weights_are_read(%arg0: tensor<2x3x20x8xf32>, %arg1: tensor<2x3x30x8xf32>, %arg2: tensor<2x3x30x8xf32>, %arg3: tensor<2x30xf32>) -> (tensor<2x3x20x8xf32>, tensor<2x3x20x30xf32>) {
  %0 = tensor.empty() : tensor<2x3x20x30xf32>
  %cst = arith.constant 0.000000e+00 : f32
  %1 = linalg.fill ins(%cst : f32) outs(%0 : tensor<2x3x20x30xf32>) -> tensor<2x3x20x30xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%arg0, %arg1 : tensor<2x3x20x8xf32>, tensor<2x3x30x8xf32>) outs(%1 : tensor<2x3x20x30xf32>) {
  ^bb0(%in: f32, %in_7: f32, %out: f32):
    %22 = arith.mulf %in, %in_7 : f32
    %23 = arith.addf %out, %22 : f32
    linalg.yield %23 : f32
  } -> tensor<2x3x20x30xf32>
  %3 = tensor.empty() : tensor<2x3x20x30xf32>
  %4 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%2 : tensor<2x3x20x30xf32>) outs(%3 : tensor<2x3x20x30xf32>) {
  ^bb0(%in: f32, %out: f32):
    %cst_7 = arith.constant 2.500000e-01 : f32
    %22 = arith.mulf %in, %cst_7 : f32
    linalg.yield %22 : f32
  } -> tensor<2x3x20x30xf32>
  %expanded = tensor.expand_shape %arg3 [[0], [1, 2, 3]] output_shape [2, 1, 1, 30] : tensor<2x30xf32> into tensor<2x1x1x30xf32>
  %collapsed = tensor.collapse_shape %expanded [[0], [1, 2, 3]] : tensor<2x1x1x30xf32> into tensor<2x30xf32>
  %5 = tensor.empty() : tensor<2x3x20x30xf32>
  %6 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%4, %collapsed : tensor<2x3x20x30xf32>, tensor<2x30xf32>) outs(%5 : tensor<2x3x20x30xf32>) {
  ^bb0(%in: f32, %in_7: f32, %out: f32):
    %22 = arith.addf %in, %in_7 : f32
    linalg.yield %22 : f32
  } -> tensor<2x3x20x30xf32>
  %7 = tensor.empty() : tensor<2x3x20xf32>
  %cst_0 = arith.constant 0xFF800000 : f32
  %8 = linalg.fill ins(%cst_0 : f32) outs(%7 : tensor<2x3x20xf32>) -> tensor<2x3x20xf32>
  %9 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%6 : tensor<2x3x20x30xf32>) outs(%8 : tensor<2x3x20xf32>) {
  ^bb0(%in: f32, %out: f32):
    %22 = arith.maximumf %in, %out : f32
    linalg.yield %22 : f32
  } -> tensor<2x3x20xf32>
  %expanded_1 = tensor.expand_shape %9 [[0], [1], [2, 3]] output_shape [2, 3, 20, 1] : tensor<2x3x20xf32> into tensor<2x3x20x1xf32>
  %collapsed_2 = tensor.collapse_shape %expanded_1 [[0], [1], [2, 3]] : tensor<2x3x20x1xf32> into tensor<2x3x20xf32>
  %10 = tensor.empty() : tensor<2x3x20x30xf32>
  %11 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%6, %collapsed_2 : tensor<2x3x20x30xf32>, tensor<2x3x20xf32>) outs(%10 : tensor<2x3x20x30xf32>) {
  ^bb0(%in: f32, %in_7: f32, %out: f32):
    %22 = arith.subf %in, %in_7 : f32
    linalg.yield %22 : f32
  } -> tensor<2x3x20x30xf32>
  %12 = tensor.empty() : tensor<2x3x20x30xf32>
  %13 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%11 : tensor<2x3x20x30xf32>) outs(%12 : tensor<2x3x20x30xf32>) {
  ^bb0(%in: f32, %out: f32):
    %22 = math.exp %in : f32
    linalg.yield %22 : f32
  } -> tensor<2x3x20x30xf32>
  %14 = tensor.empty() : tensor<2x3x20xf32>
  %cst_3 = arith.constant 0.000000e+00 : f32
  %15 = linalg.fill ins(%cst_3 : f32) outs(%14 : tensor<2x3x20xf32>) -> tensor<2x3x20xf32>
  %16 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%13 : tensor<2x3x20x30xf32>) outs(%15 : tensor<2x3x20xf32>) {
  ^bb0(%in: f32, %out: f32):
    %22 = arith.addf %in, %out : f32
    linalg.yield %22 : f32
  } -> tensor<2x3x20xf32>
  %expanded_4 = tensor.expand_shape %16 [[0], [1], [2, 3]] output_shape [2, 3, 20, 1] : tensor<2x3x20xf32> into tensor<2x3x20x1xf32>
  %collapsed_5 = tensor.collapse_shape %expanded_4 [[0], [1], [2, 3]] : tensor<2x3x20x1xf32> into tensor<2x3x20xf32>
  %17 = tensor.empty() : tensor<2x3x20x30xf32>
  %18 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%13, %collapsed_5 : tensor<2x3x20x30xf32>, tensor<2x3x20xf32>) outs(%17 : tensor<2x3x20x30xf32>) {
  ^bb0(%in: f32, %in_7: f32, %out: f32):
    %22 = arith.divf %in, %in_7 : f32
    linalg.yield %22 : f32
  } -> tensor<2x3x20x30xf32>
  %19 = tensor.empty() : tensor<2x3x20x8xf32>
  %cst_6 = arith.constant 0.000000e+00 : f32
  %20 = linalg.fill ins(%cst_6 : f32) outs(%19 : tensor<2x3x20x8xf32>) -> tensor<2x3x20x8xf32>
  %21 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d4, d3)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%18, %arg2 : tensor<2x3x20x30xf32>, tensor<2x3x30x8xf32>) outs(%20 : tensor<2x3x20x8xf32>) {
  ^bb0(%in: f32, %in_7: f32, %out: f32):
    %22 = arith.mulf %in, %in_7 : f32
    %23 = arith.addf %out, %22 : f32
    linalg.yield %23 : f32
  } -> tensor<2x3x20x8xf32>
  return %21, %18 : tensor<2x3x20x8xf32>, tensor<2x3x20x30xf32>
}
