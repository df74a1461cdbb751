// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// fft_conv_c1
func.func @f(%x: tensor<1x3x8x8xf32>, %s: tensor<6x10x2x3xf32>, %o: tensor<3x8x8xf32>) -> tensor<3x8x8xf32> {
  // expected-error @+1 {{expected a transform of 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48 or 64 elements, but got 10}}
  %0 = tenon.fft_conv %x, %s sizes [10, 10] tile [8, 8] pads [1, 1] outs(%o : tensor<3x8x8xf32>) : tensor<1x3x8x8xf32>, tensor<6x10x2x3xf32> -> tensor<3x8x8xf32>
  return %0 : tensor<3x8x8xf32>
}

// -----

// fft_conv_c1
func.func @f(%x: tensor<1x3x8x8xf32>, %s: tensor<7x12x2x3xf32>, %o: tensor<3x8x8xf32>) -> tensor<3x8x8xf32> {
  // expected-error @+1 {{expected a tile of 1 to 12 results, but got 13}}
  %0 = tenon.fft_conv %x, %s sizes [12, 12] tile [8, 13] pads [1, 1] outs(%o : tensor<3x8x8xf32>) : tensor<1x3x8x8xf32>, tensor<7x12x2x3xf32> -> tensor<3x8x8xf32>
  return %0 : tensor<3x8x8xf32>
}

// -----

// fft_conv_c1
func.func @f(%x: tensor<1x3x8x8xf32>, %s: tensor<7x12x2x3xf32>, %o: tensor<3x8x8xf32>) -> tensor<3x8x8xf32> {
  // expected-error @+1 {{expected 'sizes', 'tile' and 'pads' of 2 numbers}}
  %0 = tenon.fft_conv %x, %s sizes [12, 12] tile [8] pads [1, 1] outs(%o : tensor<3x8x8xf32>) : tensor<1x3x8x8xf32>, tensor<7x12x2x3xf32> -> tensor<3x8x8xf32>
  return %0 : tensor<3x8x8xf32>
}

// -----

// fft_conv_c2
func.func @f(%x: tensor<1x3x8x8xf32>, %s: tensor<7x12x2x3xf32>, %o: tensor<3x8x8xf32>) -> tensor<3x8x8xf32> {
  // expected-error @+1 {{expected pads from 0 to 11, but got -1}}
  %0 = tenon.fft_conv %x, %s sizes [12, 12] tile [8, 8] pads [1, -1] outs(%o : tensor<3x8x8xf32>) : tensor<1x3x8x8xf32>, tensor<7x12x2x3xf32> -> tensor<3x8x8xf32>
  return %0 : tensor<3x8x8xf32>
}

// -----

// fft_conv_c3
func.func @f(%x: tensor<1x3x?x8xf32>, %s: tensor<7x12x2x3xf32>, %o: tensor<3x8x8xf32>) -> tensor<3x8x8xf32> {
  // expected-error @+1 {{expected tensors of rank 4 and f32, static but for the batch, but got 'tensor<1x3x?x8xf32>'}}
  %0 = tenon.fft_conv %x, %s sizes [12, 12] tile [8, 8] pads [1, 1] outs(%o : tensor<3x8x8xf32>) : tensor<1x3x?x8xf32>, tensor<7x12x2x3xf32> -> tensor<3x8x8xf32>
  return %0 : tensor<3x8x8xf32>
}

// -----

// fft_conv_c4
func.func @f(%x: tensor<1x3x8x8xf32>, %s: tensor<7x8x2x3xf32>, %o: tensor<3x8x8xf32>) -> tensor<3x8x8xf32> {
  // expected-error @+1 {{expected a spectrum of shape [7, 12, 2, 3], but got 'tensor<7x8x2x3xf32>'}}
  %0 = tenon.fft_conv %x, %s sizes [12, 12] tile [8, 8] pads [1, 1] outs(%o : tensor<3x8x8xf32>) : tensor<1x3x8x8xf32>, tensor<7x8x2x3xf32> -> tensor<3x8x8xf32>
  return %0 : tensor<3x8x8xf32>
}

// -----

// fft_conv_c4
func.func @f(%x: tensor<2x3x8x8xf32>, %s: tensor<7x12x2x3xf32>, %o: tensor<3x8x8xf32>) -> tensor<3x8x8xf32> {
  // expected-error @+1 {{expected the batch and channels of 'tensor<2x3x8x8xf32>', but got 'tensor<3x8x8xf32>'}}
  %0 = tenon.fft_conv %x, %s sizes [12, 12] tile [8, 8] pads [1, 1] outs(%o : tensor<3x8x8xf32>) : tensor<2x3x8x8xf32>, tensor<7x12x2x3xf32> -> tensor<3x8x8xf32>
  return %0 : tensor<3x8x8xf32>
}

// -----

// tile_fft_c1
func.func @f(%x: tensor<5x8x4xf32>, %o: tensor<6x5x2x4xf32>) -> tensor<6x5x2x4xf32> {
  // expected-error @+1 {{expected a transform of 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48 or 64 elements, but got 11}}
  %0 = tenon.tile_fft forward 11 offset 0 in(%x : tensor<5x8x4xf32>) outs(%o : tensor<6x5x2x4xf32>) -> tensor<6x5x2x4xf32>
  return %0 : tensor<6x5x2x4xf32>
}

// -----

// tile_fft_c1
func.func @f(%x: tensor<7x5x2x4xf32>, %o: tensor<5x8x4xf32>) -> tensor<5x8x4xf32> {
  // expected-error @+1 {{expected an offset of 0 or, forward, more, but got 2}}
  %0 = tenon.tile_fft backward 12 offset 2 in(%x : tensor<7x5x2x4xf32>) outs(%o : tensor<5x8x4xf32>) -> tensor<5x8x4xf32>
  return %0 : tensor<5x8x4xf32>
}

// -----

// tile_fft_c2
func.func @f(%x: tensor<5x8x4xf32>, %o: tensor<6x5x2x4xf32>) -> tensor<6x5x2x4xf32> {
  // expected-error @+1 {{expected operands of the shapes of 'forward' of 12, but got 'tensor<5x8x4xf32>' and 'tensor<6x5x2x4xf32>'}}
  %0 = tenon.tile_fft forward 12 offset 0 in(%x : tensor<5x8x4xf32>) outs(%o : tensor<6x5x2x4xf32>) -> tensor<6x5x2x4xf32>
  return %0 : tensor<6x5x2x4xf32>
}

// -----

// tile_fft_c2
func.func @f(%x: tensor<7x8x2x4xf32>, %s: tensor<7x8x2x4xf32>, %o: tensor<7x5x2x4xf32>) -> tensor<7x5x2x4xf32> {
  // expected-error @+1 {{expected operands of the shapes of 'product' of 12}}
  %0 = tenon.tile_fft product 12 offset 0 in(%x : tensor<7x8x2x4xf32>) spectrum(%s : tensor<7x8x2x4xf32>) outs(%o : tensor<7x5x2x4xf32>) -> tensor<7x5x2x4xf32>
  return %0 : tensor<7x5x2x4xf32>
}

// -----

// tile_fft_c3
func.func @f(%x: tensor<5x8x4xf32>, %o: tensor<7x5x2x4xf32>) -> tensor<7x5x2x4xf32> {
  // expected-error @+1 {{expected no more than 12 elements, but got 13}}
  %0 = tenon.tile_fft forward 12 offset 5 in(%x : tensor<5x8x4xf32>) outs(%o : tensor<7x5x2x4xf32>) -> tensor<7x5x2x4xf32>
  return %0 : tensor<7x5x2x4xf32>
}

// -----

// tile_fft_c3
func.func @f(%x: tensor<7x8x2x4xf32>, %o: tensor<7x5x2x4xf32>) -> tensor<7x5x2x4xf32> {
  // expected-error @+1 {{expected a spectrum in a product and nowhere else}}
  %0 = tenon.tile_fft product 12 offset 0 in(%x : tensor<7x8x2x4xf32>) outs(%o : tensor<7x5x2x4xf32>) -> tensor<7x5x2x4xf32>
  return %0 : tensor<7x5x2x4xf32>
}

// -----

// tile_fft_c4
func.func @f(%x: memref<5x8x4xf32>, %o: tensor<7x5x2x4xf32>) -> tensor<7x5x2x4xf32> {
  // expected-error @+1 {{expected tensors and a result of the type of 'outs', or memrefs and none, but got 'memref<5x8x4xf32>' and 'tensor<7x5x2x4xf32>'}}
  %0 = tenon.tile_fft forward 12 offset 0 in(%x : memref<5x8x4xf32>) outs(%o : tensor<7x5x2x4xf32>) -> tensor<7x5x2x4xf32>
  return %0 : tensor<7x5x2x4xf32>
}
