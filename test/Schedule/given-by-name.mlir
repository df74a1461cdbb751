// RUN: tenon-opt %s --tenon-assign-schedules --tenon-check-schedules --split-input-file --verify-diagnostics | FileCheck %s
//
// Schedules that are given by names of kernels and of nodes.

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
#narrow = #tenon.schedule<algorithm = "elementwise", vector_width = 4>
#wide = #tenon.schedule<algorithm = "elementwise", vector_width = 32>
// CHECK-NOT: tenon.schedules
module attributes {tenon.target = #t, tenon.schedules = {k0 = #narrow, "net/exp" = #wide}} {
func.func @main(%x: tensor<64xf32>) -> (tensor<64xf32>, tensor<64xf32>) {
  %e = tensor.empty() : tensor<64xf32>
  %0 = tenon.dispatch @k0 ins(%x : tensor<64xf32>) outs(%e : tensor<64xf32>) {tenon.nodes = ["net/tanh"]} -> tensor<64xf32>
  // A call of an equal kernel, by another node than the first.
  %1 = tenon.dispatch @k1 ins(%x : tensor<64xf32>) outs(%e : tensor<64xf32>) {tenon.nodes = ["net/exp"]} -> tensor<64xf32>
  return %0, %1 : tensor<64xf32>, tensor<64xf32>
}
// CHECK: func.func private @k0
// CHECK-SAME: vector_width = 4
func.func private @k0(%a: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {tenon.kernel} {
  %0 = linalg.tanh ins(%a : tensor<64xf32>) outs(%o : tensor<64xf32>) -> tensor<64xf32>
  return %0 : tensor<64xf32>
}
// CHECK: func.func private @k1
// CHECK-SAME: vector_width = 32
func.func private @k1(%a: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {tenon.kernel, tenon.nodes = ["net/first"]} {
  %0 = linalg.exp ins(%a : tensor<64xf32>) outs(%o : tensor<64xf32>) -> tensor<64xf32>
  return %0 : tensor<64xf32>
}
}

// -----

// expected-error @+1 {{a schedule is given for 'k7', but no kernel or node has this name; kernels: k0; nodes: net/exp}}
module attributes {tenon.schedules = {k7 = #tenon.schedule<algorithm = "elementwise">}} {
func.func private @k0(%a: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {tenon.kernel, tenon.nodes = ["net/exp"]} {
  %0 = linalg.exp ins(%a : tensor<64xf32>) outs(%o : tensor<64xf32>) -> tensor<64xf32>
  return %0 : tensor<64xf32>
}
}

// -----

// expected-error @+1 {{expected node 'net/exp' to be in one kernel with algorithm 'rows', that of the schedule given for it, but got 0 among k0 (elementwise): name a kernel instead}}
module attributes {tenon.schedules = {"net/exp" = #tenon.schedule<algorithm = "rows">}} {
func.func private @k0(%a: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {tenon.kernel, tenon.nodes = ["net/exp"]} {
  %0 = linalg.exp ins(%a : tensor<64xf32>) outs(%o : tensor<64xf32>) -> tensor<64xf32>
  return %0 : tensor<64xf32>
}
}

// -----

// expected-error @+1 {{expected a #tenon.schedule for 'k0', but got 7 : i64}}
module attributes {tenon.schedules = {k0 = 7}} {
func.func private @k0(%a: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {tenon.kernel} {
  %0 = linalg.exp ins(%a : tensor<64xf32>) outs(%o : tensor<64xf32>) -> tensor<64xf32>
  return %0 : tensor<64xf32>
}
}

// -----

module attributes {tenon.schedules = {k0 = #tenon.schedule<algorithm = "elementwise">, node = #tenon.schedule<algorithm = "elementwise", vector_width = 8>}} {
// expected-error @+1 {{expected one schedule for kernel 'k0', but got one by the name 'k0' and another by 'node'}}
func.func private @k0(%a: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {tenon.kernel, tenon.nodes = ["node"]} {
  %0 = linalg.exp ins(%a : tensor<64xf32>) outs(%o : tensor<64xf32>) -> tensor<64xf32>
  return %0 : tensor<64xf32>
}
}

// -----

module attributes {tenon.schedules = {node = #tenon.schedule<algorithm = "elementwise", parallel = [8, 0]>}} {
// expected-error @+1 {{kernel 'k0' cannot have the schedule that is given by the name 'node', #tenon.schedule<algorithm = "elementwise", parallel = [8, 0], version = 1>: expected 'parallel' of the schedule to have 1 entries, the loops of the kernel's last op, but got 2}}
func.func private @k0(%a: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {tenon.kernel, tenon.nodes = ["node"]} {
  %0 = linalg.exp ins(%a : tensor<64xf32>) outs(%o : tensor<64xf32>) -> tensor<64xf32>
  return %0 : tensor<64xf32>
}
}
