// RUN: tenon-opt %s --tenon-expand-linalg --cse --canonicalize | FileCheck %s

// Four accumulators, the rest under a mask, one fold at the end.
// CHECK-LABEL: func.func private @sum
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK: vector.constant_mask [3]
// CHECK: arith.select
// CHECK: vector.shuffle
// CHECK: memref.store
func.func private @sum(%x: memref<131xf32>, %o: memref<f32>)
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "rows", vector_width = 8>} {
  linalg.reduce { arith.addf } ins(%x : memref<131xf32>) outs(%o : memref<f32>) dimensions = [0]
  return
}

// Along columns the accumulators are neighbours and nothing is folded.
// CHECK-LABEL: func.func private @columns
// CHECK: scf.for {{.*}} iter_args
// CHECK-NOT: vector.shuffle
// CHECK: return
func.func private @columns(%x: memref<100x64xf32>, %o: memref<64xf32>)
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "rows", vector_width = 8>} {
  linalg.reduce { arith.addf } ins(%x : memref<100x64xf32>) outs(%o : memref<64xf32>) dimensions = [0]
  return
}

// Contiguous dims are one loop.
// CHECK-LABEL: func.func private @copy
// CHECK: memref.collapse_shape
// CHECK: scf.for %{{.*}} = %c0 to %c4096 step %c8
// CHECK-NOT: scf.for
// CHECK: return
func.func private @copy(%x: memref<64x64xf32>, %o: memref<64x64xf32>)
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "copy", vector_width = 8>} {
  memref.copy %x, %o : memref<64x64xf32> to memref<64x64xf32>
  return
}

// A division may trap, so the lanes that are not there are not computed.
// CHECK-LABEL: func.func private @divide
// CHECK: arith.divsi {{.*}} : vector<8xi32>
// CHECK-NOT: vector.mask
// CHECK: arith.divsi {{.*}} : i32
func.func private @divide(%x: memref<13xi32>, %y: memref<13xi32>, %o: memref<13xi32>)
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "elementwise", vector_width = 8>} {
  linalg.div ins(%x, %y : memref<13xi32>, memref<13xi32>) outs(%o : memref<13xi32>)
  return
}

// A divisor that all lanes share is turned over once, outside of them; each lane gets a product and its correction.
// CHECK-LABEL: func.func private @divideByRow
// CHECK: arith.divf {{.*}} : f32
// CHECK: vector.fma
// CHECK: vector.fma
// CHECK-NOT: arith.divf {{.*}} : vector
// CHECK: return
func.func private @divideByRow(%x: memref<8x64xf32>, %y: memref<8xf32>, %o: memref<8x64xf32>)
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "rows", vector_width = 8>} {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x, %y : memref<8x64xf32>, memref<8xf32>) outs(%o : memref<8x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %q = arith.divf %a, %b : f32
    linalg.yield %q : f32
  }
  return
}
