// RUN: tenon-opt %s --tenon-choose-conv-algorithm | FileCheck %s
// RUN: sed s/tenon.precision/tenon.other/ %s | tenon-opt --tenon-choose-conv-algorithm | FileCheck %s --check-prefix=REORDER
// RUN: sed 's/l3_bytes = 33554432/l3_bytes = 33554432, peak_gflops = 120, l3_gbps = 100, memory_gbps = 60/' %s | tenon-opt --tenon-choose-conv-algorithm | FileCheck %s --check-prefix=NEAR
// RUN: sed 's/l3_bytes = 33554432/l3_bytes = 33554432, peak_gflops = 220, l3_gbps = 27, memory_gbps = 8/' %s | tenon-opt --tenon-choose-conv-algorithm | FileCheck %s --check-prefix=FAR

// Without the class `fast` nothing is chosen.
// REORDER-COUNT-1: algorithm direct
// REORDER-NOT: algorithm

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t, tenon.precision = "fast"} {
tenon.weight @w64 from "model.onnx" at 0 length 147456 : tensor<64x64x3x3xf32>
tenon.weight @w3 from "model.onnx" at 0 length 1728 : tensor<16x3x3x3xf32>
tenon.weight @long from "model.onnx" at 0 length 123008 : tensor<32x1x31x31xf32>
tenon.weight @short from "model.onnx" at 0 length 6272 : tensor<32x1x7x7xf32>
tenon.weight @w512 from "model.onnx" at 0 length 9437184 : tensor<512x512x3x3xf32>

// The user's choice stays.
// CHECK-LABEL: func @given
// CHECK: groups 1 algorithm direct :
func.func @given(%x: tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32> {
  %w = tenon.load_weight @w64 : tensor<64x64x3x3xf32>
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] groups 1 algorithm direct
      : tensor<1x64x56x56xf32>, tensor<64x64x3x3xf32> -> tensor<1x64x56x56xf32>
  return %y : tensor<1x64x56x56xf32>
}

// CHECK-LABEL: func @many_tiles
// CHECK: groups 1 algorithm winograd4 :
func.func @many_tiles(%x: tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32> {
  %w = tenon.load_weight @w64 : tensor<64x64x3x3xf32>
  %two = arith.constant dense<2.0> : tensor<64x64x3x3xf32>
  %e = tensor.empty() : tensor<64x64x3x3xf32>
  %scaled = linalg.mul ins(%w, %two : tensor<64x64x3x3xf32>, tensor<64x64x3x3xf32>) outs(%e : tensor<64x64x3x3xf32>) -> tensor<64x64x3x3xf32>
  %y = tenon.conv %x, %scaled strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] groups 1
      : tensor<1x64x56x56xf32>, tensor<64x64x3x3xf32> -> tensor<1x64x56x56xf32>
  return %y : tensor<1x64x56x56xf32>
}

// Few tiles: the larger filters have to come from memory, in time.
// CHECK-LABEL: func @few_tiles
// CHECK: groups 1 algorithm winograd2 :
// NEAR-LABEL: func @few_tiles
// NEAR: groups 1 algorithm winograd4 :
// FAR-LABEL: func @few_tiles
// FAR: groups 1 algorithm direct :
func.func @few_tiles(%x: tensor<1x512x7x7xf32>) -> tensor<1x512x7x7xf32> {
  %w = tenon.load_weight @w512 : tensor<512x512x3x3xf32>
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] groups 1
      : tensor<1x512x7x7xf32>, tensor<512x512x3x3xf32> -> tensor<1x512x7x7xf32>
  return %y : tensor<1x512x7x7xf32>
}

// CHECK-LABEL: func @few_channels
// CHECK: groups 1 algorithm direct :
func.func @few_channels(%x: tensor<1x3x56x56xf32>) -> tensor<1x16x56x56xf32> {
  %w = tenon.load_weight @w3 : tensor<16x3x3x3xf32>
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] groups 1
      : tensor<1x3x56x56xf32>, tensor<16x3x3x3xf32> -> tensor<1x16x56x56xf32>
  return %y : tensor<1x16x56x56xf32>
}

// Long filters of one channel each; short ones stay.
// CHECK-LABEL: func @long_filter
// CHECK: groups 32 algorithm fft :
// CHECK: groups 32 algorithm direct :
func.func @long_filter(%x: tensor<1x32x28x28xf32>) -> (tensor<1x32x28x28xf32>, tensor<1x32x28x28xf32>) {
  %w = tenon.load_weight @long : tensor<32x1x31x31xf32>
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [15, 15, 15, 15] groups 32
      : tensor<1x32x28x28xf32>, tensor<32x1x31x31xf32> -> tensor<1x32x28x28xf32>
  %v = tenon.load_weight @short : tensor<32x1x7x7xf32>
  %z = tenon.conv %x, %v strides [1, 1] dilations [1, 1] pads [3, 3, 3, 3] groups 32
      : tensor<1x32x28x28xf32>, tensor<32x1x7x7xf32> -> tensor<1x32x28x28xf32>
  return %y, %z : tensor<1x32x28x28xf32>, tensor<1x32x28x28xf32>
}

// A filter that comes with each call would be transformed at each call.
// CHECK-LABEL: func @no_weight
// CHECK: groups 1 :
func.func @no_weight(%x: tensor<1x64x56x56xf32>, %w: tensor<64x64x3x3xf32>) -> tensor<1x64x56x56xf32> {
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] groups 1
      : tensor<1x64x56x56xf32>, tensor<64x64x3x3xf32> -> tensor<1x64x56x56xf32>
  return %y : tensor<1x64x56x56xf32>
}

// CHECK-LABEL: func @strided
// CHECK: groups 1 :
func.func @strided(%x: tensor<1x64x56x56xf32>) -> tensor<1x64x28x28xf32> {
  %w = tenon.load_weight @w64 : tensor<64x64x3x3xf32>
  %y = tenon.conv %x, %w strides [2, 2] dilations [1, 1] pads [1, 1, 1, 1] groups 1
      : tensor<1x64x56x56xf32>, tensor<64x64x3x3xf32> -> tensor<1x64x28x28xf32>
  return %y : tensor<1x64x28x28xf32>
}
}
