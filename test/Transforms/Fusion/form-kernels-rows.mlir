// RUN: tenon-opt %s --tenon-form-kernels | FileCheck %s
// Reductions and elementwise ops over common rows make one kernel.

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#all = affine_map<(i, j) -> ()>

// The sizes of scratch are read off arguments.
// CHECK-LABEL: func.func @softmax
//       CHECK:   tenon.kernel ins(%arg0 : tensor<?x50xf32>)
//  CHECK-SAME:     tenon.algorithm = "rows"
//       CHECK:   ^bb0(%[[X:.*]]: tensor<?x50xf32>, %[[O:.*]]: tensor<?x50xf32>):
//       CHECK:     %[[N:.*]] = tensor.dim %[[X]]
//       CHECK:     tensor.empty(%[[N]]) : tensor<?xf32>
//   CHECK-NOT:     tensor.dim %{{[0-9]}}
//   CHECK-NOT:   tenon.kernel
func.func @softmax(%x: tensor<?x50xf32>) -> tensor<?x50xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %n = tensor.dim %x, %c0 : tensor<?x50xf32>
  %e = tensor.empty(%n) : tensor<?x50xf32>
  %er = tensor.empty(%n) : tensor<?xf32>
  %fm = linalg.fill ins(%low : f32) outs(%er : tensor<?xf32>) -> tensor<?xf32>
  %max = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x50xf32>) outs(%fm : tensor<?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<?xf32>
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %max : tensor<?x50xf32>, tensor<?xf32>) outs(%e : tensor<?x50xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.subf %a, %b : f32
    %t = math.exp %s : f32
    linalg.yield %t : f32
  } -> tensor<?x50xf32>
  %fz = linalg.fill ins(%zero : f32) outs(%er : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
      ins(%exp : tensor<?x50xf32>) outs(%fz : tensor<?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  %r = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%exp, %sum : tensor<?x50xf32>, tensor<?xf32>) outs(%e : tensor<?x50xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.divf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?x50xf32>
  return %r : tensor<?x50xf32>
}

// A sum of everything that everything needs leaves no rows: two kernels.
// CHECK-LABEL: func.func @global
// CHECK: tenon.algorithm = "rows"
// CHECK: tenon.algorithm = "elementwise"
func.func @global(%x: tensor<?x5000xf32>) -> tensor<?x5000xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x5000xf32>
  %e = tensor.empty(%n) : tensor<?x5000xf32>
  %es = tensor.empty() : tensor<f32>
  %fz = linalg.fill ins(%zero : f32) outs(%es : tensor<f32>) -> tensor<f32>
  %sum = linalg.generic {indexing_maps = [#id, #all], iterator_types = ["reduction", "reduction"]}
      ins(%x : tensor<?x5000xf32>) outs(%fz : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  %r = linalg.generic {indexing_maps = [#id, #all, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %sum : tensor<?x5000xf32>, tensor<f32>) outs(%e : tensor<?x5000xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.divf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?x5000xf32>
  return %r : tensor<?x5000xf32>
}

// Parts of a tensor are read where they are.
// CHECK-LABEL: func.func @gate
//       CHECK:   tenon.kernel ins(%arg0 : tensor<?x16xf32>)
//       CHECK:     tensor.extract_slice
//       CHECK:     tensor.extract_slice
//       CHECK:     linalg.mul
//   CHECK-NOT:   tenon.kernel
func.func @gate(%x: tensor<?x16xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x16xf32>
  %a = tensor.extract_slice %x[0, 0] [%n, 8] [1, 1] : tensor<?x16xf32> to tensor<?x8xf32>
  %b = tensor.extract_slice %x[0, 8] [%n, 8] [1, 1] : tensor<?x16xf32> to tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x8xf32>
  %r = linalg.mul ins(%a, %b : tensor<?x8xf32>, tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}
