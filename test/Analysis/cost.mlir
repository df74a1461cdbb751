// RUN: tenon-opt %s --tenon-outline-kernels | FileCheck %s
// Counts are sums of products: [coefficient, argument, dim, argument, dim, ...].

// 2*M*N*K and, for the bias, M*N.
// CHECK-LABEL: func.func private @k0_contract
//  CHECK-SAME:   tenon.bytes = [array<i64: 4, 0, 0, 0, 1>, array<i64: 4, 1, 0, 1, 1>, array<i64: 4, 2, 0>, array<i64: 4, 3, 0, 3, 1>]
//  CHECK-SAME:   tenon.flops = [array<i64: 2, 0, 0, 0, 1, 1, 1>, array<i64: 1, 0, 0, 1, 1>]
#id = affine_map<(m, n) -> (m, n)>
func.func @dynamic(%a: tensor<?x?xf32>, %b: tensor<?x?xf32>, %bias: tensor<?xf32>, %e: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %r = tenon.kernel ins(%a, %b, %bias : tensor<?x?xf32>, tensor<?x?xf32>, tensor<?xf32>) outs(%e : tensor<?x?xf32>)
      attributes {tenon.algorithm = "contract"} {
  ^bb0(%x: tensor<?x?xf32>, %y: tensor<?x?xf32>, %z: tensor<?xf32>, %o: tensor<?x?xf32>):
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %m = tensor.dim %x, %c0 : tensor<?x?xf32>
    %n = tensor.dim %y, %c1 : tensor<?x?xf32>
    %s = tensor.empty(%m, %n) : tensor<?x?xf32>
    %f = linalg.fill ins(%zero : f32) outs(%s : tensor<?x?xf32>) -> tensor<?x?xf32>
    %mm = linalg.matmul ins(%x, %y : tensor<?x?xf32>, tensor<?x?xf32>) outs(%f : tensor<?x?xf32>) -> tensor<?x?xf32>
    %v = linalg.generic {indexing_maps = [#id, affine_map<(m, n) -> (n)>, #id], iterator_types = ["parallel", "parallel"]}
        ins(%mm, %z : tensor<?x?xf32>, tensor<?xf32>) outs(%o : tensor<?x?xf32>) {
    ^bb0(%p: f32, %q: f32, %w: f32):
      %t = arith.addf %p, %q : f32
      linalg.yield %t : f32
    } -> tensor<?x?xf32>
    tenon.yield %v : tensor<?x?xf32>
  } -> tensor<?x?xf32>
  return %r : tensor<?x?xf32>
}

// Only the slice is read.
// CHECK-LABEL: func.func private @k1_copy
//  CHECK-SAME:   tenon.bytes = [array<i64: 64>], tenon.flops = []
func.func @slice(%a: tensor<100x8xf32>, %e: tensor<8xf32>) -> tensor<8xf32> {
  %r = tenon.kernel ins(%a : tensor<100x8xf32>) outs(%e : tensor<8xf32>) attributes {tenon.algorithm = "copy"} {
  ^bb0(%x: tensor<100x8xf32>, %o: tensor<8xf32>):
    %s = tensor.extract_slice %x[3, 0] [1, 8] [1, 1] : tensor<100x8xf32> to tensor<8xf32>
    %c = linalg.copy ins(%s : tensor<8xf32>) outs(%o : tensor<8xf32>) -> tensor<8xf32>
    tenon.yield %c : tensor<8xf32>
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}
