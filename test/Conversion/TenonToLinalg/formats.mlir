// RUN: tenon-opt %s --tenon-convert-formats-to-linalg --split-input-file | FileCheck %s

// A weight that a matmul sums over: words of eight codes, made from the weight alone, are decoded in the matmul's body.
// CHECK-DAG: #[[X:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d2, d3, d4)>
// CHECK-DAG: #[[W:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d2, d3, d1)>
// CHECK-DAG: #[[S:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d2, d1)>
// CHECK-LABEL: func.func @fused
// CHECK-NOT: tenon.dequantize
// CHECK: tensor.expand_shape {{.*}} output_shape [1, 2, 4, 8]
// CHECK: -> tensor<2x4x48xi32>
// CHECK: -> tensor<2x48xf16>
// CHECK: linalg.generic {indexing_maps = [#[[X]], #[[W]], #[[S]], #{{.*}}]
// CHECK: %[[T:.*]] = linalg.index 4
// CHECK: arith.muli %[[T]], %{{.*}}
// CHECK: arith.shrui
// CHECK: tenon.look_up
// The scale has 11 bits, the offset 1: their product is exact, and so is the fused operation.
// CHECK: math.fma
// CHECK-NOT: linalg.matmul
tenon.weight @c from "w" at 0 length 1536 : tensor<64x48xi4>
tenon.weight @s from "w" at 1536 length 192 : tensor<2x48xf16>
func.func @fused(%x: tensor<1x64xf32>, %o: tensor<1x48xf32>) -> tensor<1x48xf32> {
  %c = tenon.load_weight @c : tensor<64x48xi4>
  %s = tenon.load_weight @s : tensor<2x48xf16>
  %w = tenon.dequantize %c scales %s : tensor<2x48xf16> axis 0 format <element = ui4, offset = 8, group = 32, scale = f16>
      : tensor<64x48xi4> -> tensor<64x48xf32>
  %y = linalg.matmul ins(%x, %w : tensor<1x64xf32>, tensor<64x48xf32>) outs(%o : tensor<1x48xf32>) -> tensor<1x48xf32>
  return %y : tensor<1x48xf32>
}

// -----

// A ragged last group: the other factor gets zeros behind.
// CHECK-LABEL: func.func @ragged
// CHECK: tensor.pad %{{.*}} low[0, 0] high[0, 4]
// CHECK-NOT: linalg.matmul
tenon.weight @c from "w" at 0 length 480 : tensor<60x8xi8>
tenon.weight @s from "w" at 480 length 32 : tensor<2x8xf16>
func.func @ragged(%x: tensor<1x60xf32>, %o: tensor<1x8xf32>) -> tensor<1x8xf32> {
  %c = tenon.load_weight @c : tensor<60x8xi8>
  %s = tenon.load_weight @s : tensor<2x8xf16>
  %w = tenon.dequantize %c scales %s : tensor<2x8xf16> axis 0 format <element = si4, group = 32, scale = f16>
      : tensor<60x8xi8> -> tensor<60x8xf32>
  %y = linalg.matmul ins(%x, %w : tensor<1x60xf32>, tensor<60x8xf32>) outs(%o : tensor<1x8xf32>) -> tensor<1x8xf32>
  return %y : tensor<1x8xf32>
}

// -----

// Codes that are no weight, or that nobody sums over, are an element-wise op; groups are a dim of their own.
// CHECK-LABEL: func.func @alone
// CHECK: tensor.expand_shape {{.*}} into tensor<2x32x8xi8>
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel"]
// CHECK: linalg.matmul
func.func @alone(%x: tensor<1x64xf32>, %c: tensor<64x8xi8>, %s: tensor<2x8xf16>, %o: tensor<1x8xf32>) -> tensor<1x8xf32> {
  %w = tenon.dequantize %c scales %s : tensor<2x8xf16> axis 0 format <element = si4, group = 32, scale = f16>
      : tensor<64x8xi8> -> tensor<64x8xf32>
  %y = linalg.matmul ins(%x, %w : tensor<1x64xf32>, tensor<64x8xf32>) outs(%o : tensor<1x8xf32>) -> tensor<1x8xf32>
  return %y : tensor<1x8xf32>
}

// -----

// CHECK-LABEL: func.func @quantize
// CHECK: math.roundeven
// CHECK: arith.fptosi
// CHECK-NOT: tenon.quantize
func.func @quantize(%x: tensor<4x?xf32>, %s: tensor<1x1xf32>) -> tensor<4x?xi8> {
  %q = tenon.quantize %x scales %s : tensor<1x1xf32> axis 1 format <element = ui8, scale = f32>
      : tensor<4x?xf32> -> tensor<4x?xi8>
  return %q : tensor<4x?xi8>
}
