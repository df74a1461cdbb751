// RUN: tenon-opt %s --tenon-check-tiled --verify-diagnostics --split-input-file

// expected-error @+1 {{expected a kernel on buffers: one block and no results}}
func.func private @results(%x: tensor<8xf32>) -> tensor<8xf32> attributes {tenon.kernel} {
  return %x : tensor<8xf32>
}

// -----

// expected-error @+1 {{expected argument 0 to be a scalar or a contiguous memref, but got}}
func.func private @layout(%x: memref<8xf32, strided<[2]>>) attributes {tenon.kernel} {
  return
}

// -----

func.func private @tensors(%x: memref<8xf32>) attributes {tenon.kernel} {
  // expected-error @+1 {{expected a kernel without tensors}}
  %t = tensor.empty() : tensor<8xf32>
  return
}
