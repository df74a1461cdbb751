// RUN: tenon-opt %s | tenon-opt | FileCheck %s

// CHECK-LABEL: @quantize
func.func @quantize(%x: tensor<4x?xf32>, %s: tensor<1x1xf32>) -> tensor<4x?xi8> {
  // CHECK: tenon.quantize %{{.*}} scales %{{.*}} : tensor<1x1xf32> axis 1 format <element = ui8, scale = f32> : tensor<4x?xf32> -> tensor<4x?xi8>
  %q = tenon.quantize %x scales %s : tensor<1x1xf32> axis 1 format <element = ui8, scale = f32>
      : tensor<4x?xf32> -> tensor<4x?xi8>
  return %q : tensor<4x?xi8>
}
