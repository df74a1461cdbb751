// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// weight_c1
// expected-error @below {{expected a ranked tensor type of static shape, but got 'tensor<?xf32>'}}
tenon.weight @w from "m.onnx" at 0 length 4 : tensor<?xf32>

// -----

// weight_c1
// expected-error @below {{expected a ranked tensor type of static shape, but got 'f32'}}
tenon.weight @w from "m.onnx" at 0 length 4 : f32

// -----

// weight_c2
// expected-error @below {{expected an integer or float element of 1, 2, 4, 8, 16, 32 or 64 bits, but got 'index'}}
tenon.weight @w from "m.onnx" at 0 length 8 : tensor<1xindex>

// -----

// weight_c2
// expected-error @below {{expected an integer or float element of 1, 2, 4, 8, 16, 32 or 64 bits, but got 'i128'}}
tenon.weight @w from "m.onnx" at 0 length 16 : tensor<1xi128>

// -----

// weight_c2: six bits fill no bytes
// expected-error @below {{expected an integer or float element of 1, 2, 4, 8, 16, 32 or 64 bits, but got 'i6'}}
tenon.weight @w from "m.onnx" at 0 length 3 : tensor<4xi6>

// -----

// weight_c2
// expected-error @below {{expected an integer or float element of 1, 2, 4, 8, 16, 32 or 64 bits, but got 'f6E2M3FN'}}
tenon.weight @w from "m.onnx" at 0 length 3 : tensor<4xf6E2M3FN>

// -----

// weight_c3
// expected-error @below {{expected 'length' to be 24 bytes for 'tensor<2x3xf32>', but got 20}}
tenon.weight @w from "m.onnx" at 0 length 20 : tensor<2x3xf32>

// -----

// weight_c3: a boolean takes a byte, two 4-bit elements share one
// expected-error @below {{expected 'length' to be 3 bytes for 'tensor<3xi1>', but got 1}}
tenon.weight @w from "m.onnx" at 0 length 1 : tensor<3xi1>

// -----

// weight_c3
// expected-error @below {{expected 'length' to be 2 bytes for 'tensor<3xi4>', but got 3}}
tenon.weight @w from "m.onnx" at 0 length 3 : tensor<3xi4>

// -----

// weight_c3
// expected-error @below {{the number of elements of 'tensor<4294967296x4294967296xf32>' does not fit 64 bits}}
tenon.weight @w from "m.onnx" at 0 length 4 : tensor<4294967296x4294967296xf32>

// -----

// weight_c4
// expected-error @below {{expected 'offset' of at least 0, but got -4}}
tenon.weight @w from "m.onnx" at -4 length 4 : tensor<1xf32>

// -----

// load_weight_c1
func.func @f() -> tensor<1xf32> {
  // expected-error @below {{expected a tenon.weight, but @w names none}}
  %w = tenon.load_weight @w : tensor<1xf32>
  return %w : tensor<1xf32>
}

// -----

// load_weight_c2
tenon.weight @w from "m.onnx" at 0 length 8 : tensor<2xf32>
func.func @f() -> tensor<1xf32> {
  // expected-error @below {{expected the type of the weight, 'tensor<2xf32>', but got 'tensor<1xf32>'}}
  %w = tenon.load_weight @w : tensor<1xf32>
  return %w : tensor<1xf32>
}
