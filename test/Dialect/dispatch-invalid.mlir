// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// dispatch_c1
func.func @f(%a: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @below {{expected a function with the attribute 'tenon.kernel', but @k names none}}
  %r = tenon.dispatch @k outs(%a : tensor<8xf32>) -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// dispatch_c1
func.func private @k(tensor<8xf32>) -> tensor<8xf32>
func.func @f(%a: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @below {{expected a function with the attribute 'tenon.kernel', but @k names none}}
  %r = tenon.dispatch @k outs(%a : tensor<8xf32>) -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// dispatch_c2
func.func private @k(tensor<8xf32>) -> tensor<8xf32> attributes {tenon.kernel}
func.func @f(%a: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @below {{expected at most 1 operands, but got 2}}
  %r = tenon.dispatch @k ins(%a : tensor<8xf32>) outs(%a : tensor<8xf32>) -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// dispatch_c2
func.func private @k(tensor<4xf32>, tensor<8xf32>) -> tensor<8xf32> attributes {tenon.kernel}
func.func @f(%a: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @below {{expected operand 0 of type 'tensor<4xf32>', but got 'tensor<8xf32>'}}
  %r = tenon.dispatch @k ins(%a : tensor<8xf32>) outs(%a : tensor<8xf32>) -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// dispatch_c3
func.func private @k(tensor<8xf32>) -> tensor<8xf32> attributes {tenon.kernel}
func.func @f(%a: tensor<8xf32>) {
  // expected-error @below {{expected one result per tensor init, 1, but got 0}}
  tenon.dispatch @k outs(%a : tensor<8xf32>)
  return
}

// -----

// dispatch_c3
func.func private @k(tensor<8xf32>) -> tensor<8xf32> attributes {tenon.kernel}
func.func @f(%a: tensor<8xf32>) -> tensor<4xf32> {
  // expected-error @below {{expected result 0 to have its init's type 'tensor<8xf32>', but got 'tensor<4xf32>'}}
  %r = tenon.dispatch @k outs(%a : tensor<8xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}
