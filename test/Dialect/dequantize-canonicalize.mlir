// RUN: tenon-opt %s --canonicalize | FileCheck %s
// Zero points that are one constant become the offset; the size of the result is that of the codes.

// CHECK-LABEL: @zeros
// CHECK: tenon.dequantize %{{.*}} scales %{{.*}} : tensor<1x1xf32> axis 1 format <element = ui4, offset = 9, scale = f32>
func.func @zeros(%codes: tensor<4x8xi4>, %s: tensor<1x1xf32>) -> tensor<4x8xf32> {
  %z = arith.constant dense<-7> : tensor<1x1xi4>
  %y = tenon.dequantize %codes scales %s : tensor<1x1xf32> zeros %z : tensor<1x1xi4> axis 1
      format <element = ui4, zero = ui4, scale = f32> : tensor<4x8xi4> -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @signed_zeros
// CHECK: format <element = si4, offset = -7>
func.func @signed_zeros(%codes: tensor<4x8xi4>) -> tensor<4x8xf32> {
  %z = arith.constant dense<-7> : tensor<1x1xi4>
  %y = tenon.dequantize %codes zeros %z : tensor<1x1xi4> axis 1 format <element = si4, zero = si4>
      : tensor<4x8xi4> -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @different
// CHECK: zeros
func.func @different(%codes: tensor<4x2xi4>) -> tensor<4x2xf32> {
  %z = arith.constant dense<[[1, 2]]> : tensor<1x2xi4>
  %y = tenon.dequantize %codes zeros %z : tensor<1x2xi4> axis 0 format <element = si4, zero = si4>
      : tensor<4x2xi4> -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}
