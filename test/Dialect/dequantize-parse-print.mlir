// RUN: tenon-opt %s | tenon-opt | FileCheck %s

// CHECK-LABEL: @parts
func.func @parts(%codes: tensor<256x64xi4>, %s: tensor<2x64xf16>, %z: tensor<2x64xi4>, %m: tensor<2x1xf32>)
    -> tensor<256x64xf32> {
  // CHECK: tenon.dequantize %{{.*}} scales %{{.*}} : tensor<2x64xf16> zeros %{{.*}} : tensor<2x64xi4> minimums %{{.*}} : tensor<2x1xf32> axis 0 format <element = ui4, zero = ui4, group = 128, scale = f16, minimum = f32> : tensor<256x64xi4> -> tensor<256x64xf32>
  %y = tenon.dequantize %codes scales %s : tensor<2x64xf16> zeros %z : tensor<2x64xi4> minimums %m : tensor<2x1xf32>
      axis 0 format <element = ui4, zero = ui4, group = 128, scale = f16, minimum = f32>
      : tensor<256x64xi4> -> tensor<256x64xf32>
  return %y : tensor<256x64xf32>
}

// CHECK-LABEL: @records
func.func @records(%bytes: tensor<?x324xi8>) -> tensor<?x576xf32> {
  // CHECK: tenon.dequantize %{{.*}} axis 1 format <"Q4_0"> : tensor<?x324xi8> -> tensor<?x576xf32>
  %y = tenon.dequantize %bytes axis 1 format <"Q4_0"> : tensor<?x324xi8> -> tensor<?x576xf32>
  return %y : tensor<?x576xf32>
}
