// RUN: tenon-opt %s --tenon-optimize | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#column = affine_map<(i, j) -> (j)>

// Dims of one name are one value.
// CHECK-LABEL: func.func @dims
//       CHECK:   %[[N:.*]] = tensor.dim %arg0
//   CHECK-NOT:   tensor.dim
//       CHECK:   return %[[N]], %[[N]], %[[N]]
func.func @dims(%a: tensor<?x4xf32> {tenon.dims = ["n", ""]}, %b: tensor<2x?xf32> {tenon.dims = ["", "n"]}) -> (index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %a, %c0 : tensor<?x4xf32>
  %m = tensor.dim %b, %c1 : tensor<2x?xf32>
  %e = tensor.empty(%m) : tensor<?x4xf32>
  %x = linalg.exp ins(%a : tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %k = tensor.dim %x, %c0 : tensor<?x4xf32>
  return %n, %m, %k : index, index, index
}

// A chain is one op; a fill is a scalar in it.
// CHECK-LABEL: func.func @chain
//       CHECK:   linalg.generic {{.*}} ins(%arg0, %arg1
//       CHECK:     math.exp
//       CHECK:     arith.addf
//       CHECK:     arith.mulf
//   CHECK-NOT:   linalg.generic
func.func @chain(%a: tensor<4x8xf32>, %b: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %two = arith.constant 2.0 : f32
  %e = tensor.empty() : tensor<4x8xf32>
  %f = linalg.fill ins(%two : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %0 = linalg.exp ins(%a : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = linalg.add ins(%0, %b : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = linalg.mul ins(%1, %f : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %2 : tensor<4x8xf32>
}

// exp of a row's scale would be evaluated for each element of the row: kept apart.
// CHECK-LABEL: func.func @expensive_broadcast
//       CHECK:   linalg.generic
//       CHECK:     math.exp
//       CHECK:   linalg.generic
//       CHECK:     arith.mulf
func.func @expensive_broadcast(%a: tensor<4x8xf32>, %s: tensor<4xf32>) -> tensor<4x8xf32> {
  %es = tensor.empty() : tensor<4xf32>
  %0 = linalg.exp ins(%s : tensor<4xf32>) outs(%es : tensor<4xf32>) -> tensor<4xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %1 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a, %0 : tensor<4x8xf32>, tensor<4xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    linalg.yield %p : f32
  } -> tensor<4x8xf32>
  return %1 : tensor<4x8xf32>
}

// Nothing is merged into the operands of a contraction, and the bias that it starts from is added at its end.
// CHECK-LABEL: func.func @contraction
//       CHECK:   linalg.generic
//       CHECK:     math.exp
//       CHECK:   linalg.fill
//       CHECK:   linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "reduction"]
//       CHECK:   linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]
//       CHECK:     arith.addf
func.func @contraction(%a: tensor<4x8xf32>, %b: tensor<8x6xf32>, %c: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %0 = linalg.exp ins(%a : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = linalg.matmul ins(%0, %b : tensor<4x8xf32>, tensor<8x6xf32>) outs(%c : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %1 : tensor<4x6xf32>
}

// A batch of one is no loop.
// CHECK-LABEL: func.func @unit
//       CHECK:   linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "reduction"]
func.func @unit(%a: tensor<1x4x8xf32>, %b: tensor<1x8x6xf32>) -> tensor<1x4x6xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x4x6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x4x6xf32>) -> tensor<1x4x6xf32>
  %1 = linalg.batch_matmul ins(%a, %b : tensor<1x4x8xf32>, tensor<1x8x6xf32>) outs(%f : tensor<1x4x6xf32>) -> tensor<1x4x6xf32>
  return %1 : tensor<1x4x6xf32>
}

// The bias goes through the reshape, next to its contraction.
// CHECK-LABEL: func.func @reshape
//       CHECK:   linalg.generic {{.*}} "reduction"
//       CHECK:   linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]
//       CHECK:   tensor.expand_shape
//   CHECK-NOT:   linalg.generic
func.func @reshape(%a: tensor<12x8xf32>, %b: tensor<8x6xf32>, %bias: tensor<6xf32>) -> tensor<3x4x6xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<12x6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<12x6xf32>) -> tensor<12x6xf32>
  %mm = linalg.matmul ins(%a, %b : tensor<12x8xf32>, tensor<8x6xf32>) outs(%f : tensor<12x6xf32>) -> tensor<12x6xf32>
  %x = tensor.expand_shape %mm [[0, 1], [2]] output_shape [3, 4, 6] : tensor<12x6xf32> into tensor<3x4x6xf32>
  %e3 = tensor.empty() : tensor<3x4x6xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (k)>, affine_map<(i, j, k) -> (i, j, k)>],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %bias : tensor<3x4x6xf32>, tensor<6xf32>) outs(%e3 : tensor<3x4x6xf32>) {
  ^bb0(%u: f32, %v: f32, %o: f32):
    %s = arith.addf %u, %v : f32
    linalg.yield %s : f32
  } -> tensor<3x4x6xf32>
  return %r : tensor<3x4x6xf32>
}

// A slice of one element (two sets of patterns could turn it round and round).
// CHECK-LABEL: func.func @slice_of_one
//       CHECK:   tensor.extract_slice
func.func @slice_of_one(%a: tensor<3xf32>) -> tensor<1xf32> {
  %0 = tensor.extract_slice %a[2] [1] [1] : tensor<3xf32> to tensor<1xf32>
  return %0 : tensor<1xf32>
}

// A slice that nothing follows: dropping its unit dim comes to an end.
// CHECK-LABEL: func.func @unit_slice
//       CHECK:   tensor.extract_slice {{.*}} to tensor<64x56x56xf32>
func.func @unit_slice(%x: tensor<1x64x112x112xf32>) -> tensor<1x64x56x56xf32> {
  %y = tensor.extract_slice %x[0, 0, 0, 0] [1, 64, 56, 56] [1, 1, 2, 2] : tensor<1x64x112x112xf32> to tensor<1x64x56x56xf32>
  return %y : tensor<1x64x56x56xf32>
}

// CHECK-LABEL: func.func @bitcast
//       CHECK:   linalg.generic
//       CHECK:     arith.bitcast {{.*}} : i32 to f32
func.func @bitcast(%a: tensor<?xi32>) -> tensor<?xf32> {
  %0 = tensor.bitcast %a : tensor<?xi32> to tensor<?xf32>
  return %0 : tensor<?xf32>
}

// A matmul reads what a transpose reads.
// CHECK-LABEL: func.func @through_transpose
//   CHECK-NOT:   tensor<8x16xf32>
//       CHECK:   linalg.generic {indexing_maps = [#{{.*}}, #{{.*}}, #{{.*}}], iterator_types = ["parallel", "parallel", "reduction"]} ins(%arg0, %arg1 : tensor<4x8xf32>, tensor<16x8xf32>)
//   CHECK-NOT:   linalg.generic
func.func @through_transpose(%a: tensor<4x8xf32>, %b: tensor<16x8xf32>) -> tensor<4x16xf32> {
  %e = tensor.empty() : tensor<8x16xf32>
  %t = linalg.transpose ins(%b : tensor<16x8xf32>) outs(%e : tensor<8x16xf32>) permutation = [1, 0]
  %zero = arith.constant 0.0 : f32
  %o = tensor.empty() : tensor<4x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%o : tensor<4x16xf32>) -> tensor<4x16xf32>
  %c = linalg.matmul ins(%a, %t : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) -> tensor<4x16xf32>
  return %c : tensor<4x16xf32>
}

// A weight is turned when it is loaded.
// CHECK-LABEL: func.func @weight
//       CHECK:   linalg.generic
//       CHECK:     linalg.yield
//       CHECK:   ins(%arg0, %{{.*}} : tensor<4x2xf32>, tensor<2x3xf32>)
func.func @weight(%a: tensor<4x2xf32>) -> tensor<4x3xf32> {
  %b = arith.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %e = tensor.empty() : tensor<2x3xf32>
  %t = linalg.transpose ins(%b : tensor<3x2xf32>) outs(%e : tensor<2x3xf32>) permutation = [1, 0]
  %zero = arith.constant 0.0 : f32
  %o = tensor.empty() : tensor<4x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%o : tensor<4x3xf32>) -> tensor<4x3xf32>
  %c = linalg.matmul ins(%a, %t : tensor<4x2xf32>, tensor<2x3xf32>) outs(%f : tensor<4x3xf32>) -> tensor<4x3xf32>
  return %c : tensor<4x3xf32>
}
