// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// winograd_input_c1
func.func @f(%x: tensor<1x2x8x8xf32>, %v: tensor<5x5x3x3x2xf32>) -> tensor<5x5x3x3x2xf32> {
  // expected-error @+1 {{expected 'tile' 2 or 4, but got 3}}
  %0 = tenon.winograd_input 3 %x pads [1, 1, 1, 1] outs(%v : tensor<5x5x3x3x2xf32>) : tensor<1x2x8x8xf32> -> tensor<5x5x3x3x2xf32>
  return %0 : tensor<5x5x3x3x2xf32>
}

// -----

// winograd_input_c2
func.func @f(%x: tensor<1x2x8x8xf64>, %v: tensor<6x6x2x2x2xf32>) -> tensor<6x6x2x2x2xf32> {
  // expected-error @+1 {{expected an 'input' of rank 4 and f32, but got 'tensor<1x2x8x8xf64>'}}
  %0 = tenon.winograd_input 4 %x pads [1, 1, 1, 1] outs(%v : tensor<6x6x2x2x2xf32>) : tensor<1x2x8x8xf64> -> tensor<6x6x2x2x2xf32>
  return %0 : tensor<6x6x2x2x2xf32>
}

// -----

// winograd_input_c2
func.func @f(%x: tensor<1x2x8x8xf32>, %v: tensor<6x6x2x2x2xf32>) -> tensor<6x6x2x2x2xf32> {
  // expected-error @+1 {{expected 'pads' of 4 numbers from 0 to 2, but got array<i64: 1, 1, 3, 1>}}
  %0 = tenon.winograd_input 4 %x pads [1, 1, 3, 1] outs(%v : tensor<6x6x2x2x2xf32>) : tensor<1x2x8x8xf32> -> tensor<6x6x2x2x2xf32>
  return %0 : tensor<6x6x2x2x2xf32>
}

// -----

// winograd_input_c3
func.func @f(%x: tensor<3x2x9x8xf32>, %v: tensor<6x6x8x2x2xf32>) -> tensor<6x6x8x2x2xf32> {
  // expected-error @+1 {{expected numbers in Winograd's domain of type 'tensor<6x6x9x2x2xf32>', but got 'tensor<6x6x8x2x2xf32>'}}
  %0 = tenon.winograd_input 4 %x pads [1, 1, 1, 1] outs(%v : tensor<6x6x8x2x2xf32>) : tensor<3x2x9x8xf32> -> tensor<6x6x8x2x2xf32>
  return %0 : tensor<6x6x8x2x2xf32>
}

// -----

// winograd_input_c3
func.func @f(%x: tensor<1x2x8x8xf32>, %v: tensor<6x6x2x2x2xf32>) -> tensor<6x6x?x2x2xf32> {
  // expected-error @+1 {{expected a result of the type of 'outs', but got 'tensor<6x6x?x2x2xf32>' and 'tensor<6x6x2x2x2xf32>'}}
  %0 = tenon.winograd_input 4 %x pads [1, 1, 1, 1] outs(%v : tensor<6x6x2x2x2xf32>) : tensor<1x2x8x8xf32> -> tensor<6x6x?x2x2xf32>
  return %0 : tensor<6x6x?x2x2xf32>
}

// -----

// winograd_output_c1
func.func @f(%m: tensor<7x7x2x2x2xf32>, %y: tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32> {
  // expected-error @+1 {{expected 'tile' 2 or 4, but got 5}}
  %0 = tenon.winograd_output 5 %m outs(%y : tensor<1x2x8x8xf32>) : tensor<7x7x2x2x2xf32> -> tensor<1x2x8x8xf32>
  return %0 : tensor<1x2x8x8xf32>
}

// -----

// winograd_output_c2
func.func @f(%m: tensor<36x4x2xf32>, %y: tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32> {
  // expected-error @+1 {{expected 'sums' of rank 5 and 'outs' of rank 4 or 3 and f32, but got 'tensor<36x4x2xf32>' and 'tensor<1x2x8x8xf32>'}}
  %0 = tenon.winograd_output 4 %m outs(%y : tensor<1x2x8x8xf32>) : tensor<36x4x2xf32> -> tensor<1x2x8x8xf32>
  return %0 : tensor<1x2x8x8xf32>
}

// -----

// winograd_output_c3
func.func @f(%m: tensor<4x4x2x4x2xf32>, %y: tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32> {
  // expected-error @+1 {{expected numbers in Winograd's domain of type 'tensor<4x4x4x4x2xf32>', but got 'tensor<4x4x2x4x2xf32>'}}
  %0 = tenon.winograd_output 2 %m outs(%y : tensor<1x2x8x8xf32>) : tensor<4x4x2x4x2xf32> -> tensor<1x2x8x8xf32>
  return %0 : tensor<1x2x8x8xf32>
}

// -----

// tile_transform_c1
func.func @f(%a: tensor<4x8xf32>, %b: tensor<2x8xf32>) -> tensor<2x8xf32> {
  // expected-error @+1 {{expected 'rows' to divide the number of coefficients, but got 2 and 3}}
  %0 = tenon.tile_transform in(%a : tensor<4x8xf32>) outs(%b : tensor<2x8xf32>)
      maps [affine_map<(c, k) -> (k, c)>, affine_map<(c, i) -> (i, c)>] rows 2 coefficients [1.0, 1.0, 1.0] -> tensor<2x8xf32>
  return %0 : tensor<2x8xf32>
}

// -----

// tile_transform_c2
func.func @f(%a: tensor<4x8xf32>, %b: tensor<2x8xf32>) -> tensor<2x8xf32> {
  // expected-error @+1 {{expected a map for 'in' and one for 'outs', of the same dims and the operands' ranks, but got}}
  %0 = tenon.tile_transform in(%a : tensor<4x8xf32>) outs(%b : tensor<2x8xf32>)
      maps [affine_map<(c, k, l) -> (k, c)>, affine_map<(c, i) -> (i, c)>] rows 2 coefficients [1.0, 1.0] -> tensor<2x8xf32>
  return %0 : tensor<2x8xf32>
}

// -----

// tile_transform_c3
func.func @f(%a: tensor<4x8xf32>, %b: tensor<2x8xf32>) -> tensor<2x8xf32> {
  // expected-error @+1 {{expected the map of 'outs' to be a permutation and that of 'in' to be sums of dims, but got}}
  %0 = tenon.tile_transform in(%a : tensor<4x8xf32>) outs(%b : tensor<2x8xf32>)
      maps [affine_map<(c, k) -> (k + 1, c)>, affine_map<(c, i) -> (i, c)>] rows 2 coefficients [1.0, 1.0] -> tensor<2x8xf32>
  return %0 : tensor<2x8xf32>
}

// -----

// tile_transform_c4
func.func @f(%a: tensor<4x8xf32>, %b: tensor<8x2xf32>) -> tensor<8x2xf32> {
  // expected-error @+1 {{expected the last results of both maps to be the same parallel dim, but got}}
  %0 = tenon.tile_transform in(%a : tensor<4x8xf32>) outs(%b : tensor<8x2xf32>)
      maps [affine_map<(c, k) -> (k, c)>, affine_map<(c, i) -> (c, i)>] rows 2 coefficients [1.0, 1.0] -> tensor<8x2xf32>
  return %0 : tensor<8x2xf32>
}

// -----

// tile_transform_c5
func.func @f(%a: tensor<4x8xf32>, %b: tensor<3x8xf32>) -> tensor<3x8xf32> {
  // expected-error @+1 {{expected the same float elements and 2 of them along dimension 0 of 'outs', but got 'tensor<4x8xf32>' and 'tensor<3x8xf32>'}}
  %0 = tenon.tile_transform in(%a : tensor<4x8xf32>) outs(%b : tensor<3x8xf32>)
      maps [affine_map<(c, k) -> (k, c)>, affine_map<(c, i) -> (i, c)>] rows 2 coefficients [1.0, 1.0] -> tensor<3x8xf32>
  return %0 : tensor<3x8xf32>
}

// -----

// tile_transform_c6
func.func @f(%a: memref<4x8xf32>, %b: tensor<2x8xf32>) -> tensor<2x8xf32> {
  // expected-error @+1 {{expected tensors and a result of the type of 'outs', or memrefs and none, but got 'memref<4x8xf32>' and 'tensor<2x8xf32>'}}
  %0 = tenon.tile_transform in(%a : memref<4x8xf32>) outs(%b : tensor<2x8xf32>)
      maps [affine_map<(c, k) -> (k, c)>, affine_map<(c, i) -> (i, c)>] rows 2 coefficients [1.0, 1.0] -> tensor<2x8xf32>
  return %0 : tensor<2x8xf32>
}
