// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// resize_c1
func.func @f(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x16xf32> {
  // expected-error @+1 {{expected the result's rank to be the input's, but got 3 and 4}}
  %y = tenon.resize nearest %x scales [1.0, 1.0, 2.0, 2.0] coordinates asymmetric rounding floor
      : tensor<1x4x8x8xf32> -> tensor<1x4x16xf32>
  return %y : tensor<1x4x16xf32>
}

// -----

// resize_c1
func.func @f(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x16x16xf16> {
  // expected-error @+1 {{expected the result's element type to be the input's, but got 'f16' and 'f32'}}
  %y = tenon.resize nearest %x scales [1.0, 1.0, 2.0, 2.0] coordinates asymmetric rounding floor
      : tensor<1x4x8x8xf32> -> tensor<1x4x16x16xf16>
  return %y : tensor<1x4x16x16xf16>
}

// -----

// resize_c2
func.func @f(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x16x16xf32> {
  // expected-error @+1 {{expected 'scales' to be empty or to have 4 entries, but got 2}}
  %y = tenon.resize nearest %x scales [2.0, 2.0] coordinates asymmetric rounding floor
      : tensor<1x4x8x8xf32> -> tensor<1x4x16x16xf32>
  return %y : tensor<1x4x16x16xf32>
}

// -----

// resize_c2
func.func @f(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x16x16xf32> {
  // expected-error @+1 {{expected 'scales' to be positive and finite, but got -2}}
  %y = tenon.resize nearest %x scales [1.0, 1.0, -2.0, 2.0] coordinates asymmetric rounding floor
      : tensor<1x4x8x8xf32> -> tensor<1x4x16x16xf32>
  return %y : tensor<1x4x16x16xf32>
}

// -----

// resize_c3
func.func @f(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x16x16xf32> {
  // expected-error @+1 {{expected 'roi' to have 8 entries with 'crop_and_resize', but got 0}}
  %y = tenon.resize nearest %x scales [1.0, 1.0, 2.0, 2.0] coordinates crop_and_resize rounding floor
      : tensor<1x4x8x8xf32> -> tensor<1x4x16x16xf32>
  return %y : tensor<1x4x16x16xf32>
}

// -----

// resize_c3
func.func @f(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x16x16xf32> {
  // expected-error @+1 {{expected 'roi' to have 0 entries with 'asymmetric', but got 2}}
  %y = tenon.resize nearest %x scales [1.0, 1.0, 2.0, 2.0] coordinates asymmetric rounding floor {roi = array<f32: 0.0, 1.0>}
      : tensor<1x4x8x8xf32> -> tensor<1x4x16x16xf32>
  return %y : tensor<1x4x16x16xf32>
}

// -----

// resize_c4
func.func @f(%x: tensor<1x4x8x8xf32>, %n: index) -> tensor<1x4x?x?xf32> {
  // expected-error @+1 {{expected one operand in 'sizes' per dynamic dim of the result, 2, but got 1}}
  %y = tenon.resize nearest %x sizes(%n) scales [1.0, 1.0, 2.0, 2.0] coordinates asymmetric rounding floor
      : tensor<1x4x8x8xf32> -> tensor<1x4x?x?xf32>
  return %y : tensor<1x4x?x?xf32>
}

// -----

// resize_c5
func.func @f(%x: tensor<1x4x8x8xi4>) -> tensor<1x4x16x16xi4> {
  // expected-error @+1 {{expected a float or an integer of at least 8 bits, or i1 with 'nearest', but got 'i4'}}
  %y = tenon.resize nearest %x scales [1.0, 1.0, 2.0, 2.0] coordinates asymmetric rounding floor
      : tensor<1x4x8x8xi4> -> tensor<1x4x16x16xi4>
  return %y : tensor<1x4x16x16xi4>
}

// -----

// resize_c6
func.func @f(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x16x16xf32> {
  // expected-error @+1 {{expected 'antialias' only with 'linear' or 'cubic', but got 'nearest'}}
  %y = tenon.resize nearest %x scales [1.0, 1.0, 2.0, 2.0] coordinates asymmetric rounding floor {antialias}
      : tensor<1x4x8x8xf32> -> tensor<1x4x16x16xf32>
  return %y : tensor<1x4x16x16xf32>
}

// -----

// resize_c7
func.func @f(%x: tensor<1x4x8x0xf32>) -> tensor<1x4x16x16xf32> {
  // expected-error @+1 {{expected an empty result along dim 3 as the input is empty, but got 16}}
  %y = tenon.resize nearest %x scales [1.0, 1.0, 2.0, 2.0] coordinates asymmetric rounding floor
      : tensor<1x4x8x0xf32> -> tensor<1x4x16x16xf32>
  return %y : tensor<1x4x16x16xf32>
}
