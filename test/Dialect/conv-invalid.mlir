// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// conv_c1
func.func @f(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  // expected-error @+1 {{expected an input of rank 3, 4 or 5, but got 2}}
  %y = tenon.conv %x, %w strides [] dilations [] pads [] groups 1
      : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// -----

// conv_c1
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3xf32>) -> tensor<1x6x6x6xf32> {
  // expected-error @+1 {{expected a filter of rank 4, but got 3}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1
      : tensor<1x4x8x8xf32>, tensor<6x4x3xf32> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// -----

// conv_c1
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32> {
  // expected-error @+1 {{expected a filter of rank 5, but got 4}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1 per_sample
      : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// -----

// conv_c2
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32> {
  // expected-error @+1 {{expected 'strides' to have 2 entries, but got 1}}
  %y = tenon.conv %x, %w strides [1] dilations [1, 1] pads [0, 0, 0, 0] groups 1
      : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// -----

// conv_c2
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32> {
  // expected-error @+1 {{expected 'strides' to be at least 1, but got 0}}
  %y = tenon.conv %x, %w strides [1, 0] dilations [1, 1] pads [0, 0, 0, 0] groups 1
      : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// -----

// conv_c2
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32> {
  // expected-error @+1 {{expected 'dilations' to be at least 1, but got -1}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [-1, 1] pads [0, 0, 0, 0] groups 1
      : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// -----

// conv_c2
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32> {
  // expected-error @+1 {{expected 'pads' to have 4 entries, but got 2}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0] groups 1
      : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// -----

// conv_c3
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32> {
  // expected-error @+1 {{expected 'groups' of at least 1, but got 0}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 0
      : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// -----

// conv_c3
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32> {
  // expected-error @+1 {{expected 'groups' to divide the channels of the input, but got 3 and 4}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 3
      : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// -----

// conv_c4
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x3x3x3xf32>) -> tensor<1x6x6x6xf32> {
  // expected-error @+1 {{expected the filter's channels times 'groups' to be the input's channels, but got 3 * 1 and 4}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1
      : tensor<1x4x8x8xf32>, tensor<6x3x3x3xf32> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// -----

// conv_c4
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x2x3x3xf32>) -> tensor<1x2x10x10xf32> {
  // expected-error @+1 {{expected the filter's first channel dim to be the input's channels, but got 6 and 4}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1 transposed
      : tensor<1x4x8x8xf32>, tensor<6x2x3x3xf32> -> tensor<1x2x10x10xf32>
  return %y : tensor<1x2x10x10xf32>
}

// -----

// conv_c5
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x1x3x3xf32>) -> tensor<1x6x6x6xf32> {
  // expected-error @+1 {{expected 'groups' to divide the output channels, but got 4 and 6}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 4
      : tensor<1x4x8x8xf32>, tensor<6x1x3x3xf32> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// -----

// conv_c6
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>, %b: tensor<6x1xf32>) -> tensor<1x6x6x6xf32> {
  // expected-error @+1 {{expected a bias of rank 1, but got 2}}
  %y = tenon.conv %x, %w bias %b strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1
      : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<6x1xf32> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// -----

// conv_c6
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>, %b: tensor<5xf32>) -> tensor<1x6x6x6xf32> {
  // expected-error @+1 {{expected the bias to have one element per output channel, 6, but got 5}}
  %y = tenon.conv %x, %w bias %b strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1
      : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<5xf32> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// -----

// conv_c7
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32> {
  // expected-error @+1 {{expected no 'output_padding' on a convolution that is not transposed, but got 2 entries}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1 {output_padding = array<i64: 0, 0>}
      : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// -----

// conv_c7
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<4x6x3x3xf32>) -> tensor<1x6x10x10xf32> {
  // expected-error @+1 {{expected 'output_padding' to have 2 entries, but got 1}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1 transposed {output_padding = array<i64: 0>}
      : tensor<1x4x8x8xf32>, tensor<4x6x3x3xf32> -> tensor<1x6x10x10xf32>
  return %y : tensor<1x6x10x10xf32>
}

// -----

// conv_c7
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<4x6x3x3xf32>) -> tensor<1x6x17x19xf32> {
  // expected-error @+1 {{expected 'output_padding' in [0, 2) along spatial dim 1, but got 2}}
  %y = tenon.conv %x, %w strides [2, 2] dilations [1, 1] pads [0, 0, 0, 0] groups 1 transposed {output_padding = array<i64: 0, 2>}
      : tensor<1x4x8x8xf32>, tensor<4x6x3x3xf32> -> tensor<1x6x17x19xf32>
  return %y : tensor<1x6x17x19xf32>
}

// -----

// conv_c8
func.func @f(%x: tensor<1x4x8x8xcomplex<f32>>, %w: tensor<6x4x3x3xcomplex<f32>>) -> tensor<1x6x6x6xcomplex<f32>> {
  // expected-error @+1 {{expected an integer or float element type, but got 'complex<f32>'}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1
      : tensor<1x4x8x8xcomplex<f32>>, tensor<6x4x3x3xcomplex<f32>> -> tensor<1x6x6x6xcomplex<f32>>
  return %y : tensor<1x6x6x6xcomplex<f32>>
}

// -----

// conv_c8
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf16>) -> tensor<1x6x6x6xf32> {
  // expected-error @+1 {{expected the filter's element type to be the input's, but got 'f16' and 'f32'}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1
      : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf16> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// -----

// conv_c8
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf64> {
  // expected-error @+1 {{expected the result's element type to be the input's, or i32 for i8, but got 'f64' and 'f32'}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1
      : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32> -> tensor<1x6x6x6xf64>
  return %y : tensor<1x6x6x6xf64>
}

// -----

// conv_c8
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>, %b: tensor<6xf16>) -> tensor<1x6x6x6xf32> {
  // expected-error @+1 {{expected the bias' element type to be the input's, but got 'f16' and 'f32'}}
  %y = tenon.conv %x, %w bias %b strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1
      : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<6xf16> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// -----

// conv_c9
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) -> tensor<1x6x6x7xf32> {
  // expected-error @+1 {{expected result shape [1, 6, 6, 6], but got [1, 6, 6, 7]}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1
      : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32> -> tensor<1x6x6x7xf32>
  return %y : tensor<1x6x6x7xf32>
}

// -----

// conv_c10
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<2x6x4x3x3xf32>) -> tensor<1x6x6x6xf32> {
  // expected-error @+1 {{expected the batch of a per-sample filter to be the input's, but got 2 and 1}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1 per_sample
      : tensor<1x4x8x8xf32>, tensor<2x6x4x3x3xf32> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// -----

// conv_c11
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x0xf32>) -> tensor<1x6x6x9xf32> {
  // expected-error @+1 {{expected the filter's size along spatial dim 1 to be at least 1, but got 0}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1
      : tensor<1x4x8x8xf32>, tensor<6x4x3x0xf32> -> tensor<1x6x6x9xf32>
  return %y : tensor<1x6x6x9xf32>
}

// -----

// conv_c12
func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x5x3xf32>) -> tensor<1x6x4x6xf32> {
  // expected-error @+1 {{expected a convolution for algorithm 'winograd4' to have a 3x3 filter, but got [5, 3]}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1 algorithm winograd4
      : tensor<1x4x8x8xf32>, tensor<6x4x5x3xf32> -> tensor<1x6x4x6xf32>
  return %y : tensor<1x6x4x6xf32>
}

// -----

// conv_c12
func.func @f(%x: tensor<1x4x9x9xf32>, %w: tensor<4x4x5x5xf32>) -> tensor<1x4x5x5xf32> {
  // expected-error @+1 {{expected a convolution for algorithm 'fft' to have one channel a group in input and result, but got 4 and 4 in 1 groups}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1 algorithm fft
      : tensor<1x4x9x9xf32>, tensor<4x4x5x5xf32> -> tensor<1x4x5x5xf32>
  return %y : tensor<1x4x5x5xf32>
}

// -----

// conv_c12
func.func @f(%x: tensor<1x4x9x9xf32>, %w: tensor<8x1x5x5xf32>) -> tensor<1x8x5x5xf32> {
  // expected-error @+1 {{expected a convolution for algorithm 'fft' to have one channel a group in input and result, but got 4 and 8 in 4 groups}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 4 algorithm fft
      : tensor<1x4x9x9xf32>, tensor<8x1x5x5xf32> -> tensor<1x8x5x5xf32>
  return %y : tensor<1x8x5x5xf32>
}

// -----

// conv_c12
func.func @f(%x: tensor<1x4x?x9xf32>, %w: tensor<4x1x5x5xf32>) -> tensor<1x4x?x5xf32> {
  // expected-error @+1 {{expected a convolution for algorithm 'fft' to have static sizes but for the batch}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 4 algorithm fft
      : tensor<1x4x?x9xf32>, tensor<4x1x5x5xf32> -> tensor<1x4x?x5xf32>
  return %y : tensor<1x4x?x5xf32>
}

// -----

// conv_c12
func.func @f(%x: tensor<1x4x9x9xf32>, %w: tensor<4x1x5x5xf32>) -> tensor<1x4x4x5xf32> {
  // expected-error @+1 {{expected a convolution for algorithm 'fft' to have pads from 0 to 63, but got [-1, 0, 0, 0]}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [-1, 0, 0, 0] groups 4 algorithm fft
      : tensor<1x4x9x9xf32>, tensor<4x1x5x5xf32> -> tensor<1x4x4x5xf32>
  return %y : tensor<1x4x4x5xf32>
}

// -----

// conv_c12
func.func @f(%x: tensor<1x4x9x99xf32>, %w: tensor<4x1x5x65xf32>) -> tensor<1x4x5x35xf32> {
  // expected-error @+1 {{expected a convolution for algorithm 'fft' to have at most 64 taps a dim, but got [5, 65]}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 4 algorithm fft
      : tensor<1x4x9x99xf32>, tensor<4x1x5x65xf32> -> tensor<1x4x5x35xf32>
  return %y : tensor<1x4x5x35xf32>
}

// -----

// conv_c12
func.func @f(%x: tensor<1x4x9x9xf32>, %w: tensor<6x4x3x3xf32>) -> tensor<1x6x4x7xf32> {
  // expected-error @+1 {{expected a convolution for algorithm 'winograd2' to have strides of 1, but got [2, 1]}}
  %y = tenon.conv %x, %w strides [2, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1 algorithm winograd2
      : tensor<1x4x9x9xf32>, tensor<6x4x3x3xf32> -> tensor<1x6x4x7xf32>
  return %y : tensor<1x6x4x7xf32>
}

// -----

// conv_c12
func.func @f(%x: tensor<1x4x9x9xf32>, %w: tensor<6x4x3x3xf32>) -> tensor<1x6x7x5xf32> {
  // expected-error @+1 {{expected a convolution for algorithm 'winograd2' to have dilations of 1, but got [1, 2]}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 2] pads [0, 0, 0, 0] groups 1 algorithm winograd2
      : tensor<1x4x9x9xf32>, tensor<6x4x3x3xf32> -> tensor<1x6x7x5xf32>
  return %y : tensor<1x6x7x5xf32>
}

// -----

// conv_c12
func.func @f(%x: tensor<1x4x9x9xf32>, %w: tensor<6x2x3x3xf32>) -> tensor<1x6x7x7xf32> {
  // expected-error @+1 {{expected a convolution for algorithm 'winograd4' to have 1 group, but got 2}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 2 algorithm winograd4
      : tensor<1x4x9x9xf32>, tensor<6x2x3x3xf32> -> tensor<1x6x7x7xf32>
  return %y : tensor<1x6x7x7xf32>
}

// -----

// conv_c12
func.func @f(%x: tensor<1x4x9xf32>, %w: tensor<6x4x3xf32>) -> tensor<1x6x7xf32> {
  // expected-error @+1 {{expected a convolution for algorithm 'winograd4' to have 2 spatial dims, but got 1}}
  %y = tenon.conv %x, %w strides [1] dilations [1] pads [0, 0] groups 1 algorithm winograd4
      : tensor<1x4x9xf32>, tensor<6x4x3xf32> -> tensor<1x6x7xf32>
  return %y : tensor<1x6x7xf32>
}

// -----

// conv_c12
func.func @f(%x: tensor<1x9x9x4xf32>, %w: tensor<6x3x3x4xf32>) -> tensor<1x7x7x6xf32> {
  // expected-error @+1 {{expected a convolution for algorithm 'winograd4' to have channels first and one filter for all samples, not transposed}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1 channels_last algorithm winograd4
      : tensor<1x9x9x4xf32>, tensor<6x3x3x4xf32> -> tensor<1x7x7x6xf32>
  return %y : tensor<1x7x7x6xf32>
}

// -----

// conv_c12
func.func @f(%x: tensor<1x4x9x9xf16>, %w: tensor<6x4x3x3xf16>) -> tensor<1x6x7x7xf16> {
  // expected-error @+1 {{expected a convolution for algorithm 'winograd4' to have f32 elements, but got f16}}
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 1 algorithm winograd4
      : tensor<1x4x9x9xf16>, tensor<6x4x3x3xf16> -> tensor<1x6x7x7xf16>
  return %y : tensor<1x6x7x7xf16>
}
