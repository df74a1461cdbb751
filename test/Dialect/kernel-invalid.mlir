// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// kernel_c1
func.func @f(%a: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @below {{expected one block argument per operand, 2, but got 1}}
  %r = tenon.kernel ins(%a : tensor<8xf32>) outs(%a : tensor<8xf32>) {
  ^bb0(%o: tensor<8xf32>):
    tenon.yield %o : tensor<8xf32>
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// kernel_c1
func.func @f(%a: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @below {{expected block argument 0 to have the operand's type 'tensor<8xf32>', but got 'tensor<4xf32>'}}
  %r = tenon.kernel ins(%a : tensor<8xf32>) outs(%a : tensor<8xf32>) {
  ^bb0(%x: tensor<4xf32>, %o: tensor<8xf32>):
    tenon.yield %o : tensor<8xf32>
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// kernel_c2
func.func @f(%a: tensor<8xf32>) {
  // expected-error @below {{expected one result per tensor init, 1, but got 0}}
  tenon.kernel outs(%a : tensor<8xf32>) {
  ^bb0(%o: tensor<8xf32>):
    tenon.yield
  }
  return
}

// -----

// kernel_c2
func.func @f(%a: tensor<8xf32>) -> tensor<4xf32> {
  // expected-error @below {{expected result 0 to have its init's type 'tensor<8xf32>', but got 'tensor<4xf32>'}}
  %r = tenon.kernel outs(%a : tensor<8xf32>) {
  ^bb0(%o: tensor<8xf32>):
    tenon.yield %o : tensor<8xf32>
  } -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// -----

// kernel_c3
func.func @f(%a: tensor<8xf32>, %b: tensor<4xf32>) -> tensor<8xf32> {
  // expected-error @below {{expected the yielded values to have the result types}}
  %r = tenon.kernel ins(%b : tensor<4xf32>) outs(%a : tensor<8xf32>) {
  ^bb0(%x: tensor<4xf32>, %o: tensor<8xf32>):
    tenon.yield %x : tensor<4xf32>
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// kernel_c4
func.func @f(%a: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @below {{expected no 'tenon.kernel' inside a kernel}}
  %r = tenon.kernel outs(%a : tensor<8xf32>) {
  ^bb0(%o: tensor<8xf32>):
    %s = tenon.kernel outs(%o : tensor<8xf32>) {
    ^bb0(%p: tensor<8xf32>):
      tenon.yield %p : tensor<8xf32>
    } -> tensor<8xf32>
    tenon.yield %s : tensor<8xf32>
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}
