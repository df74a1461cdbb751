// RUN: tenon-opt %s --split-input-file --tenon-convert-conv-to-linalg | FileCheck %s

// The spectrum, along columns and along rows, reads weights alone; one op for all else, bias behind it. One window: what wraps
// around are zeros of the padding. One sample has no dim of samples where others fuse.
// CHECK-LABEL: func @one_window
// CHECK: %[[LINES:.*]] = linalg.generic {{.*}} outs({{.*}} : tensor<31x50x256xf32>)
// CHECK: tensor.expand_shape %[[LINES]] {{.*}} into tensor<31x2x25x256xf32>
// CHECK: %[[BOTH:.*]] = linalg.generic {{.*}} outs({{.*}} : tensor<25x96x256xf32>)
// CHECK: %[[SPECTRUM:.*]] = tensor.expand_shape %[[BOTH]] {{.*}} into tensor<25x48x2x256xf32>
// CHECK: tenon.fft_conv %arg0, %[[SPECTRUM]] sizes [48, 48] tile [28, 28] pads [15, 15] outs(%{{.*}} : tensor<256x28x28xf32>)
// CHECK: arith.addf
func.func @one_window(%x: tensor<1x256x28x28xf32>, %w: tensor<256x1x31x31xf32>, %b: tensor<256xf32>) -> tensor<1x256x28x28xf32> {
  %y = tenon.conv %x, %w bias %b strides [1, 1] dilations [1, 1] pads [15, 15, 15, 15] groups 256 algorithm fft
      : tensor<1x256x28x28xf32>, tensor<256x1x31x31xf32>, tensor<256xf32> -> tensor<1x256x28x28xf32>
  return %y : tensor<1x256x28x28xf32>
}

// -----

// Windows overlap by what the filter sees; sizes follow each dim.
// CHECK-LABEL: func @windows
// CHECK: tenon.fft_conv %arg0, %{{.*}} sizes [{{16|24|32|48}}, {{16|24|32|48}}] tile [{{10|18|26|42}}, {{6|14|22|38}}] pads [3, 5] outs(%{{.*}} : tensor<?x8x200x300xf32>)
func.func @windows(%x: tensor<?x8x200x300xf32>, %w: tensor<8x1x7x11xf32>) -> tensor<?x8x200x300xf32> {
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [3, 5, 3, 5] groups 8 algorithm fft
      : tensor<?x8x200x300xf32>, tensor<8x1x7x11xf32> -> tensor<?x8x200x300xf32>
  return %y : tensor<?x8x200x300xf32>
}

// -----

// Nothing to compute.
// CHECK-LABEL: func @empty
// CHECK-NOT: fft
func.func @empty(%x: tensor<0x3x9x9xf32>, %w: tensor<3x1x5x5xf32>) -> tensor<0x3x5x5xf32> {
  %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] groups 3 algorithm fft
      : tensor<0x3x9x9xf32>, tensor<3x1x5x5xf32> -> tensor<0x3x5x5xf32>
  return %y : tensor<0x3x5x5xf32>
}
