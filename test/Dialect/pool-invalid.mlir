// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// pool_c1
func.func @f(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  // expected-error @+1 {{expected an input of rank 3, 4 or 5, but got 2}}
  %y = tenon.pool max %x kernel [] strides [] dilations [] pads []
      : tensor<4x4xf32> -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// -----

// pool_c2
func.func @f(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x6x6xf32> {
  // expected-error @+1 {{expected 'kernel' to have 2 entries, but got 1}}
  %y = tenon.pool max %x kernel [3] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0]
      : tensor<1x4x8x8xf32> -> tensor<1x4x6x6xf32>
  return %y : tensor<1x4x6x6xf32>
}

// -----

// pool_c2
func.func @f(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x6x6xf32> {
  // expected-error @+1 {{expected 'strides' to be at least 1, but got 0}}
  %y = tenon.pool max %x kernel [3, 3] strides [0, 1] dilations [1, 1] pads [0, 0, 0, 0]
      : tensor<1x4x8x8xf32> -> tensor<1x4x6x6xf32>
  return %y : tensor<1x4x6x6xf32>
}

// -----

// pool_c2
func.func @f(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x6x6xf32> {
  // expected-error @+1 {{expected 'pads' to have 4 entries, but got 2}}
  %y = tenon.pool max %x kernel [3, 3] strides [1, 1] dilations [1, 1] pads [0, 0]
      : tensor<1x4x8x8xf32> -> tensor<1x4x6x6xf32>
  return %y : tensor<1x4x6x6xf32>
}

// -----

// pool_c2
func.func @f(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x6x6xf32> {
  // expected-error @+1 {{expected 'pads' to be at least 0, but got -1}}
  %y = tenon.pool max %x kernel [3, 3] strides [1, 1] dilations [1, 1] pads [0, 0, -1, 0]
      : tensor<1x4x8x8xf32> -> tensor<1x4x6x6xf32>
  return %y : tensor<1x4x6x6xf32>
}

// -----

// pool_c3
func.func @f(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x6x6xf32> {
  // expected-error @+1 {{expected one result unless the kind is 'max', but got 2 for 'average'}}
  %y, %i = tenon.pool average %x kernel [3, 3] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0]
      : tensor<1x4x8x8xf32> -> tensor<1x4x6x6xf32>, tensor<1x4x6x6xi64>
  return %y : tensor<1x4x6x6xf32>
}

// -----

// pool_c3
func.func @f(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x6x6xf32> {
  // expected-error @+1 {{expected the indices to have i64 elements and the first result's shape}}
  %y, %i = tenon.pool max %x kernel [3, 3] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0]
      : tensor<1x4x8x8xf32> -> tensor<1x4x6x6xf32>, tensor<1x4x6x6xi32>
  return %y : tensor<1x4x6x6xf32>
}

// -----

// pool_c4
func.func @f(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x6x6xf16> {
  // expected-error @+1 {{expected the result's element type to be the input's, but got 'f16' and 'f32'}}
  %y = tenon.pool max %x kernel [3, 3] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0]
      : tensor<1x4x8x8xf32> -> tensor<1x4x6x6xf16>
  return %y : tensor<1x4x6x6xf16>
}

// -----

// pool_c4
func.func @f(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x6x5xf32> {
  // expected-error @+1 {{expected result shape [1, 4, 6, 6], but got [1, 4, 6, 5]}}
  %y = tenon.pool max %x kernel [3, 3] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0]
      : tensor<1x4x8x8xf32> -> tensor<1x4x6x5xf32>
  return %y : tensor<1x4x6x5xf32>
}

// -----

// pool_c5
func.func @f(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x6x6xf32> {
  // expected-error @+1 {{expected 'p' of at least 1, but got 0}}
  %y = tenon.pool lp %x kernel [3, 3] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] {p = 0 : i64}
      : tensor<1x4x8x8xf32> -> tensor<1x4x6x6xf32>
  return %y : tensor<1x4x6x6xf32>
}

// -----

// pool_c5
func.func @f(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x6x6xf32> {
  // expected-error @+1 {{expected 'p' only with 'lp', but got 3 with 'max'}}
  %y = tenon.pool max %x kernel [3, 3] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] {p = 3 : i64}
      : tensor<1x4x8x8xf32> -> tensor<1x4x6x6xf32>
  return %y : tensor<1x4x6x6xf32>
}

// -----

// pool_c6
func.func @f(%x: tensor<1x4x8x8xi8>) -> tensor<1x4x6x6xi8> {
  // expected-error @+1 {{expected a float element type, or an integer with 'max', but got 'i8'}}
  %y = tenon.pool average %x kernel [3, 3] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0]
      : tensor<1x4x8x8xi8> -> tensor<1x4x6x6xi8>
  return %y : tensor<1x4x6x6xi8>
}
