// RUN: tenon-opt %s --tenon-tile-generic | FileCheck %s
// RUN: tenon-opt %s --tenon-tile-generic --tenon-bufferize-kernels --tenon-check-tiled | FileCheck %s --check-prefix=BUF

#all = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

// A softmax is one loop over rows; the exponential is computed once, by the sum, and the row buffers belong to the unit.
// CHECK-LABEL: func.func private @softmax
// CHECK: scf.forall (%{{.*}}) = (0) to (64) step (16)
// CHECK: arith.maximumf
// CHECK: %[[E:.*]]:2 = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]
// CHECK: math.exp
// CHECK: arith.addf
// CHECK-NOT: math.exp
// CHECK: ins(%[[E]]#0, %[[E]]#1
// CHECK: tensor.parallel_insert_slice
// BUF-LABEL: func.func private @softmax(%{{.*}}: memref<64x250xf32>, %{{.*}}: memref<64x250xf32>)
// BUF-SAME: tenon.copies = 0
// BUF: scf.forall
// BUF-NOT: memref.copy
// BUF: return{{$}}
func.func private @softmax(%x: tensor<64x250xf32>, %o: tensor<64x250xf32>) -> tensor<64x250xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "rows", vector_width = 16>} {
  %least = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64xf32>
  %f = linalg.fill ins(%least : f32) outs(%e : tensor<64xf32>) -> tensor<64xf32>
  %m = linalg.reduce { arith.maximumf } ins(%x : tensor<64x250xf32>) outs(%f : tensor<64xf32>) dimensions = [1]
  %t = tensor.empty() : tensor<64x250xf32>
  %exp = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : tensor<64x250xf32>, tensor<64xf32>) outs(%t : tensor<64x250xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %s = arith.subf %a, %b : f32
    %r = math.exp %s : f32
    linalg.yield %r : f32
  } -> tensor<64x250xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<64xf32>) -> tensor<64xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<64x250xf32>) outs(%z : tensor<64xf32>) dimensions = [1]
  %d = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%exp, %sum : tensor<64x250xf32>, tensor<64xf32>) outs(%o : tensor<64x250xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %r = arith.divf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<64x250xf32>
  return %d : tensor<64x250xf32>
}

// The schedule's tile is obeyed.
// CHECK-LABEL: func.func private @scheduled
// CHECK: scf.forall (%{{.*}}) = (0) to (64) step (8)
func.func private @scheduled(%x: tensor<64x256xf32>, %o: tensor<64xf32>) -> tensor<64xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "rows", parallel = [8, 0]>} {
  %r = linalg.reduce { arith.maximumf } ins(%x : tensor<64x256xf32>) outs(%o : tensor<64xf32>) dimensions = [1]
  return %r : tensor<64xf32>
}

// A reduction to a scalar has nothing to split: one unit.
// CHECK-LABEL: func.func private @total
// CHECK-NOT: scf.forall
func.func private @total(%x: tensor<64x256xf32>, %o: tensor<f32>) -> tensor<f32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "rows">} {
  %r = linalg.reduce { arith.addf } ins(%x : tensor<64x256xf32>) outs(%o : tensor<f32>) dimensions = [0, 1]
  return %r : tensor<f32>
}

// Dynamic rows: the last unit is smaller.
// CHECK-LABEL: func.func private @dynamic
// CHECK: %[[N:.*]] = tensor.dim
// CHECK: scf.forall (%{{.*}}) = (0) to (%[[N]]) step (
// CHECK: affine.min
func.func private @dynamic(%x: tensor<?x32xf32>, %o: tensor<?xf32>) -> tensor<?xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "rows">} {
  %r = linalg.reduce { arith.addf } ins(%x : tensor<?x32xf32>) outs(%o : tensor<?xf32>) dimensions = [1]
  return %r : tensor<?xf32>
}
