// RUN: tenon-opt %s --tenon-outline-kernels | FileCheck %s
// Equal kernels share a function; names of nodes do not matter, constants do.

// CHECK-LABEL: func.func @main
//       CHECK:   tenon.dispatch @k0_exp ins(%{{.*}} : tensor<8xf32>) outs(%{{.*}}) {tenon.nodes = ["Exp_0"]}
//       CHECK:   tenon.dispatch @k0_exp ins(%{{.*}} : tensor<8xf32>) outs(%{{.*}}) {tenon.nodes = ["Exp_1"]}
//       CHECK:   tenon.dispatch @k1_elementwise
// CHECK-LABEL: func.func private @k0_exp
//  CHECK-SAME:   tenon.bytes = [array<i64: 64>], tenon.flops = [array<i64: 8>], tenon.kernel
//       CHECK: func.func private @k1_elementwise
//   CHECK-NOT: func.func
func.func @main(%a: tensor<8xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %0 = tenon.kernel ins(%a : tensor<8xf32>) outs(%e : tensor<8xf32>) attributes {tenon.nodes = ["Exp_0"]} {
  ^bb0(%x: tensor<8xf32>, %o: tensor<8xf32>):
    %y = linalg.exp ins(%x : tensor<8xf32>) outs(%o : tensor<8xf32>) -> tensor<8xf32>
    tenon.yield %y : tensor<8xf32>
  } -> tensor<8xf32> loc("Exp_0 (Exp)")
  %1 = tenon.kernel ins(%0 : tensor<8xf32>) outs(%e : tensor<8xf32>) attributes {tenon.nodes = ["Exp_1"]} {
  ^bb0(%p: tensor<8xf32>, %q: tensor<8xf32>):
    %y = linalg.exp ins(%p : tensor<8xf32>) outs(%q : tensor<8xf32>) -> tensor<8xf32>
    tenon.yield %y : tensor<8xf32>
  } -> tensor<8xf32> loc("Exp_1 (Exp)")
  %2 = tenon.kernel ins(%1 : tensor<8xf32>) outs(%e : tensor<8xf32>) attributes {tenon.algorithm = "elementwise"} {
  ^bb0(%p: tensor<8xf32>, %q: tensor<8xf32>):
    %y = linalg.tanh ins(%p : tensor<8xf32>) outs(%q : tensor<8xf32>) -> tensor<8xf32>
    tenon.yield %y : tensor<8xf32>
  } -> tensor<8xf32>
  return %2 : tensor<8xf32>
}
