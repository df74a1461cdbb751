// REQUIRES: tenon-reduce
// What has nothing to do with the fault goes: the convolution, its bias, and the other ops on tensors.
// RUN: tenon-reduce %s -reduction-tree='traversal-mode=0 test=%S/interesting.sh' | FileCheck %s
// CHECK-LABEL: func.func @main
// CHECK-NOT: tenon.conv
// CHECK-NOT: linalg.exp
// CHECK: math.sqrt
func.func @main(%x: tensor<1x1x8xf32>, %w: tensor<1x1x3xf32>, %b: tensor<1xf32>, %s: f32) -> (tensor<1x1x6xf32>, f32) {
  %r = math.sqrt %s : f32
  %c = tenon.conv %x, %w bias %b strides [1] dilations [1] pads [0, 0] groups 1
      : tensor<1x1x8xf32>, tensor<1x1x3xf32>, tensor<1xf32> -> tensor<1x1x6xf32>
  %e = tensor.empty() : tensor<1x1x6xf32>
  %y = linalg.exp ins(%c : tensor<1x1x6xf32>) outs(%e : tensor<1x1x6xf32>) -> tensor<1x1x6xf32>
  return %y, %r : tensor<1x1x6xf32>, f32
}
