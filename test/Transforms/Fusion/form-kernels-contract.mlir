// RUN: tenon-opt %s --tenon-form-kernels | FileCheck %s
// A contraction takes its elementwise consumers along when the intermediate values do not escape.

#id = affine_map<(m, n) -> (m, n)>
#swap = affine_map<(m, n) -> (n, m)>
#column = affine_map<(m, n) -> (n)>

// CHECK-LABEL: func.func @epilogue
//  CHECK-SAME:   %[[A:.*]]: tensor<4x8xf32>, %[[B:.*]]: tensor<8x6xf32>, %[[BIAS:.*]]: tensor<6xf32>
//       CHECK:   %[[E:.*]] = tensor.empty() : tensor<4x6xf32>
//       CHECK:   tenon.kernel ins(%[[A]], %[[B]], %[[BIAS]] : {{.*}}) outs(%[[E]] : tensor<4x6xf32>)
//  CHECK-SAME:     tenon.algorithm = "contract", tenon.nodes = ["gemm", "relu"]
//       CHECK:   ^bb0(%{{.*}}, %[[O:[a-z0-9]+]]: tensor<4x6xf32>):
//       CHECK:     linalg.fill
//       CHECK:     linalg.matmul
//       CHECK:     linalg.generic {{.*}} outs(%[[O]] : tensor<4x6xf32>)
//       CHECK:     tenon.yield
//   CHECK-NOT:   tenon.kernel
func.func @epilogue(%a: tensor<4x8xf32>, %b: tensor<8x6xf32>, %bias: tensor<6xf32>) -> tensor<4x6xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %mm = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x6xf32>) outs(%f : tensor<4x6xf32>) -> tensor<4x6xf32> loc("gemm (Gemm)")
  %r = linalg.generic {indexing_maps = [#id, #column, #id], iterator_types = ["parallel", "parallel"]}
      ins(%mm, %bias : tensor<4x6xf32>, tensor<6xf32>) outs(%e : tensor<4x6xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %s = arith.addf %x, %y : f32
    %m = arith.maximumf %s, %zero : f32
    linalg.yield %m : f32
  } -> tensor<4x6xf32> loc("relu (Relu)")
  return %r : tensor<4x6xf32>
}

// The product is a result too: two kernels.
// CHECK-LABEL: func.func @escapes
// CHECK-COUNT-2: tenon.kernel
// CHECK-NOT: tenon.kernel
func.func @escapes(%a: tensor<4x8xf32>, %b: tensor<8x6xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %mm = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x6xf32>) outs(%f : tensor<4x6xf32>) -> tensor<4x6xf32>
  %r = linalg.exp ins(%mm : tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %mm, %r : tensor<4x6xf32>, tensor<4x6xf32>
}

// A transposing consumer is no epilogue.
// CHECK-LABEL: func.func @transposed
// CHECK: tenon.algorithm = "contract"
// CHECK: tenon.algorithm = "elementwise"
func.func @transposed(%a: tensor<4x8xf32>, %b: tensor<8x6xf32>) -> tensor<6x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %mm = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x6xf32>) outs(%f : tensor<4x6xf32>) -> tensor<4x6xf32>
  %et = tensor.empty() : tensor<6x4xf32>
  %r = linalg.generic {indexing_maps = [#swap, #id], iterator_types = ["parallel", "parallel"]}
      ins(%mm : tensor<4x6xf32>) outs(%et : tensor<6x4xf32>) {
  ^bb0(%x: f32, %o: f32):
    %s = math.exp %x : f32
    linalg.yield %s : f32
  } -> tensor<6x4xf32>
  return %r : tensor<6x4xf32>
}

// Of two contractions that end in one sum, the larger one takes the sum.
// CHECK-LABEL: func.func @two
//       CHECK:   %[[SMALL:.*]] = tenon.kernel ins(%arg2, %arg3
//       CHECK:   tenon.kernel ins(%arg0, %arg1, %[[SMALL]]
func.func @two(%a: tensor<4x8xf32>, %b: tensor<8x6xf32>, %c: tensor<4x2xf32>, %d: tensor<2x6xf32>) -> tensor<4x6xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %ab = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x6xf32>) outs(%f : tensor<4x6xf32>) -> tensor<4x6xf32>
  %cd = linalg.matmul ins(%c, %d : tensor<4x2xf32>, tensor<2x6xf32>) outs(%f : tensor<4x6xf32>) -> tensor<4x6xf32>
  %r = linalg.add ins(%ab, %cd : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %r : tensor<4x6xf32>
}

// A transpose of outer dims is only another place for each row.
// CHECK-LABEL: func.func @merge_heads
//       CHECK:   tenon.algorithm = "contract"
//   CHECK-NOT:   tenon.kernel
func.func @merge_heads(%p: tensor<2x5x5xf32>, %v: tensor<2x5x8xf32>) -> tensor<5x2x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x5x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x5x8xf32>) -> tensor<2x5x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x5x5xf32>, tensor<2x5x8xf32>) outs(%f : tensor<2x5x8xf32>) -> tensor<2x5x8xf32>
  %et = tensor.empty() : tensor<5x2x8xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(s, h, d) -> (h, s, d)>, affine_map<(s, h, d) -> (s, h, d)>],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%o : tensor<2x5x8xf32>) outs(%et : tensor<5x2x8xf32>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  } -> tensor<5x2x8xf32>
  return %t : tensor<5x2x8xf32>
}
