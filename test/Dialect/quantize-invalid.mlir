// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// quantize_c1
func.func @f(%x: tensor<4x8xf32>) -> tensor<4x8xi4> {
  // expected-error @+1 {{expected 'axis' to be a dim of 2, but got -1}}
  %y = tenon.quantize %x axis -1 format <element = ui4> : tensor<4x8xf32> -> tensor<4x8xi4>
  return %y : tensor<4x8xi4>
}

// -----

// quantize_c2
func.func @f(%x: tensor<4x64xf32>) -> tensor<4x36xi8> {
  // expected-error @+1 {{expected a format without records, but got blocks of 32}}
  %y = tenon.quantize %x axis 1 format <"Q4_0"> : tensor<4x64xf32> -> tensor<4x36xi8>
  return %y : tensor<4x36xi8>
}

// -----

// quantize_c3
func.func @f(%x: tensor<4x8xf32>) -> tensor<4x9xi4> {
  // expected-error @+1 {{expected a result of the input's shape, 'tensor<4x8xf32>', but got 'tensor<4x9xi4>'}}
  %y = tenon.quantize %x axis 1 format <element = ui4> : tensor<4x8xf32> -> tensor<4x9xi4>
  return %y : tensor<4x9xi4>
}

// -----

// quantize_c3
func.func @f(%x: tensor<4x8xf32>) -> tensor<4x8xi16> {
  // expected-error @+1 {{expected a result of codes for 'ui4', but got 'i16'}}
  %y = tenon.quantize %x axis 1 format <element = ui4> : tensor<4x8xf32> -> tensor<4x8xi16>
  return %y : tensor<4x8xi16>
}

// -----

// quantize_c4
func.func @f(%x: tensor<4x8xf32>) -> tensor<4x8xi4> {
  // expected-error @+1 {{expected an operand 'scales' by the format, but got none}}
  %y = tenon.quantize %x axis 1 format <element = ui4, scale = f32> : tensor<4x8xf32> -> tensor<4x8xi4>
  return %y : tensor<4x8xi4>
}

// -----

// quantize_c5
func.func @f(%x: tensor<4x8xf32>, %s: tensor<f32>) -> tensor<4x8xi4> {
  // expected-error @+1 {{expected 'scales' of rank 2, but got 0}}
  %y = tenon.quantize %x scales %s : tensor<f32> axis 1 format <element = ui4, scale = f32> : tensor<4x8xf32> -> tensor<4x8xi4>
  return %y : tensor<4x8xi4>
}

// -----

// quantize_c6
func.func @f(%x: tensor<4x8xf32>, %s: tensor<1x1xf16>) -> tensor<4x8xi4> {
  // expected-error @+1 {{expected elements of 'scales' for 'f32', but got 'f16'}}
  %y = tenon.quantize %x scales %s : tensor<1x1xf16> axis 1 format <element = ui4, scale = f32> : tensor<4x8xf32> -> tensor<4x8xi4>
  return %y : tensor<4x8xi4>
}

// -----

// quantize_c7
func.func @f(%x: tensor<4x8xf64>) -> tensor<4x8xi4> {
  // expected-error @+1 {{expected input elements of f32, f16 or bf16, but got 'f64'}}
  %y = tenon.quantize %x axis 1 format <element = ui4> : tensor<4x8xf64> -> tensor<4x8xi4>
  return %y : tensor<4x8xi4>
}
