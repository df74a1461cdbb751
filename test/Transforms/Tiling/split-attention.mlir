// RUN: tenon-opt %s --tenon-split-attention | FileCheck %s
// RUN: tenon-opt %s --tenon-split-attention --tenon-form-kernels | FileCheck %s --check-prefix=JOIN

// Eight parts of 512 keys; the kernel loses its sink, which joins with the parts.
// CHECK-LABEL: func private @sink
// CHECK-SAME: -> (tensor<1x8x1x8x64xf32>, tensor<1x8x1x8xf32>)
// CHECK-SAME: parallel = [1, 8, 1, 0]
// CHECK: tenon.attention softmax partial %arg0 sources(%{{.*}}) outs(%arg3 : tensor<1x8x1x8x64xf32>) lse(%arg4 : tensor<1x8x1x8xf32>)
func.func private @sink(%q: tensor<1x8x1x64xf16>, %k: tensor<1x1x4096x64xf16>, %v: tensor<1x1x4096x64xf16>, %z: tensor<8xf32>, %o: tensor<1x8x1x64xf16>) -> tensor<1x8x1x64xf16>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 8, 1, 512], cache = [0, 0, 0, 256], register = [1, 6, 1, 64], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v : tensor<1x1x4096x64xf16>, tensor<1x1x4096x64xf16>
  %r = tenon.attention softmax %q sources(%s) sink(%z : tensor<8xf32>) outs(%o : tensor<1x8x1x64xf16>) : tensor<1x8x1x64xf16> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x8x1x64xf16>
  return %r : tensor<1x8x1x64xf16>
}

// Joined by one kernel.
// CHECK-LABEL: func @main
// CHECK: %[[PART:.*]]:2 = tenon.dispatch @sink ins(%arg0, %arg1, %arg2 : {{.*}}) outs({{.*}} : tensor<1x8x1x8x64xf32>, tensor<1x8x1x8xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[PART]]#1
// CHECK: arith.truncf
// JOIN-LABEL: func @main
// JOIN: tenon.dispatch @sink
// JOIN: tenon.kernel
// JOIN: truncf
// JOIN-NOT: tenon.kernel
// JOIN: return
func.func @main(%q: tensor<1x8x1x64xf16>, %k: tensor<1x1x4096x64xf16>, %v: tensor<1x1x4096x64xf16>, %z: tensor<8xf32>) -> tensor<1x8x1x64xf16> {
  %e = tensor.empty() : tensor<1x8x1x64xf16>
  %r = tenon.dispatch @sink ins(%q, %k, %v, %z : tensor<1x8x1x64xf16>, tensor<1x1x4096x64xf16>, tensor<1x1x4096x64xf16>, tensor<8xf32>) outs(%e : tensor<1x8x1x64xf16>) -> tensor<1x8x1x64xf16>
  return %r : tensor<1x8x1x64xf16>
}

// Where the number of keys is not known, the host counts the parts.
// CHECK-LABEL: func private @pages
// CHECK-SAME: -> tensor<?x8x1x?x64xf32>
// CHECK: tenon.attention relu partial
func.func private @pages(%q: tensor<?x8x1x64xf32>, %k: tensor<?x1x16x64xf32>, %v: tensor<?x1x16x64xf32>, %p: tensor<?x?xi32>, %o: tensor<?x8x1x64xf32>) -> tensor<?x8x1x64xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 8, 1, 1024], cache = [0, 0, 0, 256], register = [1, 6, 1, 64], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v pages(%p : tensor<?x?xi32>) : tensor<?x1x16x64xf32>, tensor<?x1x16x64xf32>
  %r = tenon.attention relu %q sources(%s) outs(%o : tensor<?x8x1x64xf32>) : tensor<?x8x1x64xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<?x8x1x64xf32>
  return %r : tensor<?x8x1x64xf32>
}

// CHECK-LABEL: func @dynamic
// CHECK: tensor.dim %arg3
// CHECK: arith.muli
// CHECK: arith.divui
// CHECK: tenon.dispatch @pages
// CHECK: linalg.generic
func.func @dynamic(%q: tensor<?x8x1x64xf32>, %k: tensor<?x1x16x64xf32>, %v: tensor<?x1x16x64xf32>, %p: tensor<?x?xi32>) -> tensor<?x8x1x64xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %q, %c0 : tensor<?x8x1x64xf32>
  %e = tensor.empty(%n) : tensor<?x8x1x64xf32>
  %r = tenon.dispatch @pages ins(%q, %k, %v, %p : tensor<?x8x1x64xf32>, tensor<?x1x16x64xf32>, tensor<?x1x16x64xf32>, tensor<?x?xi32>) outs(%e : tensor<?x8x1x64xf32>) -> tensor<?x8x1x64xf32>
  return %r : tensor<?x8x1x64xf32>
}
