// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// join_c1
func.func @f(%a: tensor<?xf32>, %e: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @below {{expected static shapes and one element type of whole bytes, but got 'tensor<?xf32>'}}
  %r = tenon.join ins(%a : tensor<?xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// join_c1
func.func @f(%a: tensor<8xi32>, %e: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @below {{expected static shapes and one element type of whole bytes, but got 'tensor<8xi32>'}}
  %r = tenon.join ins(%a : tensor<8xi32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// join_c1
func.func @f(%a: tensor<8xi4>, %e: tensor<8xi4>) -> tensor<8xi4> {
  // expected-error @below {{expected static shapes and one element type of whole bytes, but got 'tensor<8xi4>'}}
  %r = tenon.join ins(%a : tensor<8xi4>) outs(%e : tensor<8xi4>) -> tensor<8xi4>
  return %r : tensor<8xi4>
}

// -----

// join_c2
func.func @f(%a: tensor<3xf32>, %b: tensor<4xf32>, %e: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @below {{expected inputs of 8 elements together, but got 7}}
  %r = tenon.join ins(%a, %b : tensor<3xf32>, tensor<4xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// join_c3
func.func @f(%a: tensor<8xf32>, %e: tensor<8xf32>) {
  // expected-error @below {{expected one result per tensor init, 1, but got 0}}
  tenon.join ins(%a : tensor<8xf32>) outs(%e : tensor<8xf32>)
  return
}
