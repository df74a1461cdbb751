// RUN: tenon-opt %s | tenon-opt | FileCheck %s

// CHECK: tenon.weight @conv1.weight from "model.onnx" at 1024 length 37632 : tensor<64x3x7x7xf32>
tenon.weight @conv1.weight from "model.onnx" at 1024 length 37632 : tensor<64x3x7x7xf32>
// CHECK: tenon.weight @empty from "mem:" at 0 length 0 : tensor<0x4xf16>
tenon.weight @empty from "mem:" at 0 length 0 : tensor<0x4xf16>
// CHECK: tenon.weight @nibbles from "mem:0" at 3 length 2 : tensor<3xi4>
tenon.weight @nibbles from "mem:0" at 3 length 2 : tensor<3xi4>
// CHECK-LABEL: func.func @f
//       CHECK:   tenon.load_weight @conv1.weight : tensor<64x3x7x7xf32>
//       CHECK:   tenon.load_weight @nibbles : memref<3xi4>
func.func @f() {
  %w = tenon.load_weight @conv1.weight : tensor<64x3x7x7xf32>
  %n = tenon.load_weight @nibbles : memref<3xi4>
  return
}
