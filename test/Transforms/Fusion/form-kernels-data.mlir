// RUN: tenon-opt %s --tenon-form-kernels --tenon-check-kernels | FileCheck %s
// Movements of data, loops over scalars, and what stays on the host.

// CHECK-LABEL: func.func @copies
//       CHECK:   %[[ROWS:.*]] = arith.addi
//       CHECK:   %[[E:.*]] = tensor.empty(%[[ROWS]]) : tensor<?x4xf32>
//       CHECK:   tenon.kernel ins(%arg0, %arg1 : {{.*}}) outs(%[[E]]
//       CHECK:     tensor.insert_slice
//       CHECK:     tensor.insert_slice
// A host index is an input.
//       CHECK:   tenon.kernel ins(%arg0, %arg2 : tensor<?x4xf32>, index)
//       CHECK:     tensor.extract_slice
//       CHECK:     linalg.copy
//       CHECK:   tenon.kernel
//       CHECK:     linalg.transpose
//       CHECK:   tenon.kernel
//       CHECK:     linalg.generic
//       CHECK:       linalg.index 0
//       CHECK:       tensor.extract
//   CHECK-NOT:   tenon.kernel
func.func @copies(%x: tensor<?x4xf32>, %y: tensor<?x4xf32>, %i: index) -> (tensor<?x4xf32>, tensor<2x4xf32>, tensor<4x?xf32>, tensor<?x4xf32>) {
  %c0 = arith.constant 0 : index
  %cat = tensor.concat dim(0) %x, %y : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32> loc("Concat_0 (Concat)")
  %s = tensor.extract_slice %x[%i, 0] [2, 4] [1, 1] : tensor<?x4xf32> to tensor<2x4xf32>
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %et = tensor.empty(%n) : tensor<4x?xf32>
  %t = linalg.transpose ins(%x : tensor<?x4xf32>) outs(%et : tensor<4x?xf32>) permutation = [1, 0]
  %g = tensor.generate %n {
  ^bb0(%a: index, %b: index):
    %r = arith.subi %n, %a : index
    %v = tensor.extract %x[%r, %b] : tensor<?x4xf32>
    tensor.yield %v : f32
  } : tensor<?x4xf32>
  return %cat, %s, %t, %g : tensor<?x4xf32>, tensor<2x4xf32>, tensor<4x?xf32>, tensor<?x4xf32>
}

// CHECK-LABEL: func.func @nonzero
//       CHECK:   %[[COUNT:.*]] = tenon.kernel {{.*}} outs(%{{.*}} : tensor<i64>)
//       CHECK:     scf.for
//       CHECK:     tensor.insert %{{.*}} into %{{.*}}[] : tensor<i64>
//       CHECK:   %[[N:.*]] = tensor.extract %[[COUNT]][]
//       CHECK:   %[[I:.*]] = arith.index_cast %[[N]]
//       CHECK:   %[[E:.*]] = tensor.empty(%[[I]])
//       CHECK:   tenon.kernel {{.*}} outs(%[[E]] : tensor<?xi64>)
//       CHECK:     scf.for
func.func @nonzero(%x: tensor<?xf32>) -> tensor<?xi64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %z = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %count = scf.for %i = %c0 to %n step %c1 iter_args(%k = %c0) -> (index) {
    %v = tensor.extract %x[%i] : tensor<?xf32>
    %p = arith.cmpf une, %v, %z : f32
    %k1 = arith.addi %k, %c1 : index
    %k2 = arith.select %p, %k1, %k : index
    scf.yield %k2 : index
  } loc("NonZero_0 (NonZero)")
  %e = tensor.empty(%count) : tensor<?xi64>
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%o = %e, %k = %c0) -> (tensor<?xi64>, index) {
    %v = tensor.extract %x[%i] : tensor<?xf32>
    %p = arith.cmpf une, %v, %z : f32
    %q:2 = scf.if %p -> (tensor<?xi64>, index) {
      %j = arith.index_cast %i : index to i64
      %o1 = tensor.insert %j into %o[%k] : tensor<?xi64>
      %k1 = arith.addi %k, %c1 : index
      scf.yield %o1, %k1 : tensor<?xi64>, index
    } else {
      scf.yield %o, %k : tensor<?xi64>, index
    }
    scf.yield %q#0, %q#1 : tensor<?xi64>, index
  } loc("NonZero_0 (NonZero)")
  return %r#0 : tensor<?xi64>
}

// CHECK-LABEL: func.func @loop
//       CHECK:   scf.for {{.*}} iter_args(%[[H:.*]] = %{{.*}}, %[[YS:.*]] = %{{.*}})
//       CHECK:     tenon.kernel {{.*}} attributes {tenon.algorithm = "elementwise"
// The sequence of results is updated in place.
//       CHECK:     tenon.kernel {{.*}} outs(%[[YS]] : tensor<?x4xf32>)
//       CHECK:     scf.yield
func.func @loop(%x: tensor<?x4xf32>, %h0: tensor<4xf32>) -> (tensor<4xf32>, tensor<?x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%h = %h0, %ys = %e) -> (tensor<4xf32>, tensor<?x4xf32>) {
    %s = tensor.extract_slice %x[%i, 0] [1, 4] [1, 1] : tensor<?x4xf32> to tensor<4xf32>
    %e4 = tensor.empty() : tensor<4xf32>
    %a = linalg.add ins(%s, %h : tensor<4xf32>, tensor<4xf32>) outs(%e4 : tensor<4xf32>) -> tensor<4xf32>
    %t = linalg.tanh ins(%a : tensor<4xf32>) outs(%e4 : tensor<4xf32>) -> tensor<4xf32>
    %y = tensor.insert_slice %t into %ys[%i, 0] [1, 4] [1, 1] : tensor<4xf32> into tensor<?x4xf32>
    scf.yield %t, %y : tensor<4xf32>, tensor<?x4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<?x4xf32>
}

// A fill is copied into the kernels that read it, and is a kernel where the host needs it.
// CHECK-LABEL: func.func @fill_used
//       CHECK:   tenon.kernel outs
//       CHECK:     linalg.fill
func.func @fill_used(%n: index) -> (tensor<?xf32>, tensor<8x4xf32>) {
  %z = arith.constant 1.0 : f32
  %e = tensor.empty(%n) : tensor<?xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %c = arith.constant dense<2.0> : tensor<8x4xf32>
  return %f, %c : tensor<?xf32>, tensor<8x4xf32>
}
