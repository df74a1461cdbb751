// RUN: tenon-opt %s --tenon-convert-conv-to-linalg --verify-diagnostics

func.func @dynamic_filter(%x: tensor<1x8x9xf32>, %w: tensor<8x3x?xf32>) -> tensor<1x3x?xf32> {
  // expected-error @+1 {{transposed convolution not supported: expected the filter's size along spatial dim 0 to be known when compiling}}
  %y = tenon.conv %x, %w strides [2] dilations [1] pads [0, 0] groups 1 transposed
      : tensor<1x8x9xf32>, tensor<8x3x?xf32> -> tensor<1x3x?xf32>
  return %y : tensor<1x3x?xf32>
}
