// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// dequantize_c1
func.func @f(%x: tensor<4x8xi4>) -> tensor<4x8xf32> {
  // expected-error @+1 {{expected 'axis' to be a dim of 2, but got 2}}
  %y = tenon.dequantize %x axis 2 format <element = ui4> : tensor<4x8xi4> -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// dequantize_c1
func.func @f(%x: tensor<4x36xi8>) -> tensor<4x64xf32> {
  // expected-error @+1 {{expected 'axis' to be the last dim, 1, of records, but got 0}}
  %y = tenon.dequantize %x axis 0 format <"Q4_0"> : tensor<4x36xi8> -> tensor<4x64xf32>
  return %y : tensor<4x64xf32>
}

// -----

// dequantize_c2
func.func @f(%x: tensor<4x8xi5>) -> tensor<4x8xf32> {
  // expected-error @+1 {{expected codes for 'ui4', but got 'i5'}}
  %y = tenon.dequantize %x axis 1 format <element = ui4> : tensor<4x8xi5> -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// dequantize_c2
func.func @f(%x: tensor<4x36xi4>) -> tensor<4x64xf32> {
  // expected-error @+1 {{expected codes for 'ui4' in records of i8, but got 'i4'}}
  %y = tenon.dequantize %x axis 1 format <"Q4_0"> : tensor<4x36xi4> -> tensor<4x64xf32>
  return %y : tensor<4x64xf32>
}

// -----

// dequantize_c3
func.func @f(%x: tensor<4x8xi4>) -> tensor<8xf32> {
  // expected-error @+1 {{expected a result of rank 2, but got 1}}
  %y = tenon.dequantize %x axis 1 format <element = ui4> : tensor<4x8xi4> -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// -----

// dequantize_c3
func.func @f(%x: tensor<4x36xi8>) -> tensor<4x?xf32> {
  // expected-error @+1 {{expected a static last dim of the result where there are records, but got 'tensor<4x?xf32>'}}
  %y = tenon.dequantize %x axis 1 format <"Q4_0"> : tensor<4x36xi8> -> tensor<4x?xf32>
  return %y : tensor<4x?xf32>
}

// -----

// dequantize_c3
func.func @f(%x: tensor<4x36xi8>) -> tensor<4x65xf32> {
  // expected-error @+1 {{expected codes of size 54 along dim 1, but got 36}}
  %y = tenon.dequantize %x axis 1 format <"Q4_0"> : tensor<4x36xi8> -> tensor<4x65xf32>
  return %y : tensor<4x65xf32>
}

// -----

// dequantize_c3
func.func @f(%x: tensor<4x8xi4>) -> tensor<4x9xf32> {
  // expected-error @+1 {{expected codes of size 9 along dim 1, but got 8}}
  %y = tenon.dequantize %x axis 1 format <element = ui4> : tensor<4x8xi4> -> tensor<4x9xf32>
  return %y : tensor<4x9xf32>
}

// -----

// dequantize_c4
func.func @f(%x: tensor<4x8xi4>) -> tensor<4x8xf32> {
  // expected-error @+1 {{expected an operand 'scales' by the format, but got none}}
  %y = tenon.dequantize %x axis 1 format <element = ui4, scale = f32> : tensor<4x8xi4> -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// dequantize_c4
func.func @f(%x: tensor<4x8xi4>, %z: tensor<4x1xi4>) -> tensor<4x8xf32> {
  // expected-error @+1 {{expected no operand 'zeros' by the format, but got one}}
  %y = tenon.dequantize %x zeros %z : tensor<4x1xi4> axis 1 format <element = ui4> : tensor<4x8xi4> -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// dequantize_c5
func.func @f(%x: tensor<4x8xi4>, %s: tensor<8xf32>) -> tensor<4x8xf32> {
  // expected-error @+1 {{expected 'scales' of rank 2, but got 1}}
  %y = tenon.dequantize %x scales %s : tensor<8xf32> axis 1 format <element = ui4, scale = f32> : tensor<4x8xi4> -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// dequantize_c5
func.func @f(%x: tensor<4x9xi4>, %s: tensor<4x2xf32>) -> tensor<4x9xf32> {
  // expected-error @+1 {{expected 'scales' to have size 3 along dim 1, but got 2}}
  %y = tenon.dequantize %x scales %s : tensor<4x2xf32> axis 1 format <element = ui4, group = 4, scale = f32> : tensor<4x9xi4> -> tensor<4x9xf32>
  return %y : tensor<4x9xf32>
}

// -----

// dequantize_c5
func.func @f(%x: tensor<4x8xi4>, %s: tensor<3x2xf32>) -> tensor<4x8xf32> {
  // expected-error @+1 {{expected 'scales' to have size 4 along dim 0, but got 3}}
  %y = tenon.dequantize %x scales %s : tensor<3x2xf32> axis 1 format <element = ui4, group = 4, scale = f32> : tensor<4x8xi4> -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// dequantize_c6
func.func @f(%x: tensor<4x8xi4>, %s: tensor<4x1xf32>) -> tensor<4x8xf32> {
  // expected-error @+1 {{expected elements of 'scales' for 'f16', but got 'f32'}}
  %y = tenon.dequantize %x scales %s : tensor<4x1xf32> axis 1 format <element = ui4, scale = f16> : tensor<4x8xi4> -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// dequantize_c7
func.func @f(%x: tensor<4x8xi4>) -> tensor<4x8xf64> {
  // expected-error @+1 {{expected result elements of f32, f16 or bf16, but got 'f64'}}
  %y = tenon.dequantize %x axis 1 format <element = ui4> : tensor<4x8xi4> -> tensor<4x8xf64>
  return %y : tensor<4x8xf64>
}
