// RUN: tenon-opt %s --split-input-file --tenon-expand-contract --canonicalize --cse | FileCheck %s

// Four accumulators are carried by the reduction loop; each element is loaded once; the epilogue runs on vectors.
// CHECK-LABEL: func @registers
// CHECK: %[[ZERO:.*]] = arith.constant dense<0.0{{.*}}> : vector<8xf32>
// CHECK: scf.for %[[N:.*]] = %c0 to %c32 step %c16
// CHECK: scf.for %[[M:.*]] = %c0 to %c4 step %c2
// CHECK: %[[SUM:.*]]:4 = scf.for %[[K:.*]] = %c0 to %c64 step %c1 iter_args(%[[S0:.*]] = %[[ZERO]], {{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK: memref.load %arg1
// CHECK: vector.load %arg0[%[[K]], %[[N]]]
// CHECK: vector.fma
// CHECK: vector.load %arg0[%[[K]]
// CHECK: vector.fma
// CHECK: memref.load %arg1
// CHECK-NOT: vector.load
// CHECK-COUNT-2: vector.fma
// CHECK: scf.yield
// CHECK: %[[BIAS:.*]] = vector.load %arg2[%[[N]]]
// CHECK: arith.addf %[[SUM]]#0, %[[BIAS]] : vector<8xf32>
// CHECK: vector.store
func.func @registers(%b: memref<64x32xf32>, %a: memref<4x64xf32>, %bias: memref<32xf32>, %o: memref<4x32xf32>) {
  tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : memref<4x64xf32>) rhs(%b : memref<64x32xf32>) extras(%bias : memref<32xf32>) outs(%o : memref<4x32xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (n)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {register_ = array<i64: 2, 16, 1>, vector_dim = 1 : i64, vector_width = 8 : i64} {
  ^bb0(%acc: f32, %x: f32):
    %0 = arith.addf %acc, %x : f32
    tenon.yield %0 : f32
  }
  return
}

// -----

// 19 columns: two vectors, then one of three lanes. Nothing beyond them is read or written.
// CHECK-LABEL: func @ragged
// CHECK: vector.load {{.*}} vector<8xf32>
// CHECK: vector.load {{.*}} vector<8xf32>
// CHECK: %[[MASK:.*]] = vector.constant_mask [3] : vector<8xi1>
// CHECK: vector.maskedload %arg1[%{{.*}}, %c16], %[[MASK]]
// CHECK: vector.maskedstore %arg2[%{{.*}}, %c16], %{{.*}}, %{{.*}}
func.func @ragged(%a: memref<1x4xf32>, %b: memref<4x19xf32>, %o: memref<1x19xf32>) {
  tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : memref<1x4xf32>) rhs(%b : memref<4x19xf32>) outs(%o : memref<1x19xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {register_ = array<i64: 1, 32, 1>, vector_dim = 1 : i64, vector_width = 8 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  }
  return
}

// -----

// Partial sums in lanes along a reduction dim, added at the end.
// CHECK-LABEL: func @dot
// CHECK: %[[SUM:.*]] = scf.for %{{.*}} = %c0 to %c64 step %c8 {{.*}} -> (vector<8xf32>)
// CHECK: vector.load %arg0
// CHECK: vector.load %arg1
// CHECK: vector.fma
// CHECK: %[[TOTAL:.*]] = vector.reduction <add>, %[[SUM]] fastmath<reassoc> : vector<8xf32> into f32
// CHECK: memref.store %[[TOTAL]]
func.func @dot(%a: memref<1x64xf32>, %b: memref<1x64xf32>, %o: memref<1x1xf32>) {
  tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : memref<1x64xf32>) rhs(%b : memref<1x64xf32>) outs(%o : memref<1x1xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {register_ = array<i64: 1, 1, 8>, vector_dim = 2 : i64, vector_width = 8 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  }
  return
}

// -----

// A packed factor is copied once per panel, outside of the rows; the rows read the panel.
// CHECK-LABEL: func @packed
// CHECK: %[[PANEL:.*]] = memref.alloc() {alignment = 64 : i64} : memref<64x8xf32>
// CHECK: scf.for %[[N:.*]] = %c0 to %c32 step %c8
// CHECK: scf.for %[[K:.*]] = %c0 to %c64 step %c1 {
// CHECK: vector.load %arg1[%[[K]], %[[N]]]
// CHECK: vector.store %{{.*}}, %[[PANEL]][%[[K]], %c0]
// CHECK: scf.for %{{.*}} = %c0 to %c4 step %c2
// CHECK: vector.load %[[PANEL]]
// CHECK-NOT: vector.load %arg1
func.func @packed(%a: memref<4x64xf32>, %b: memref<64x32xf32>, %o: memref<4x32xf32>) {
  tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : memref<4x64xf32>) rhs(%b : memref<64x32xf32>) outs(%o : memref<4x32xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {pack = array<i64: 1>, register_ = array<i64: 2, 8, 1>, vector_dim = 1 : i64, vector_width = 8 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  }
  return
}

// -----

// A factor stored by panels is read where it is: no copy, no masks past the extent.
// CHECK-LABEL: func @panels
// CHECK-NOT: memref.alloc
// CHECK: %[[WHOLE:.*]] = memref.subview %arg1[{{.*}}, 0, 0] [1, 64, 8] [1, 1, 1] : memref<2x64x8xf32> to memref<64x8xf32
// CHECK: vector.load %[[WHOLE]][%{{.*}}, %c0]
// CHECK: %[[REST:.*]] = memref.subview %arg1[{{.*}}, 0, 0] [1, 64, 8] [1, 1, 1] : memref<2x64x8xf32> to memref<64x8xf32
// CHECK: vector.load %[[REST]][%{{.*}}, %c0]
// CHECK: vector.maskedstore
func.func @panels(%a: memref<4x64xf32>, %b: memref<2x64x8xf32>, %o: memref<4x11xf32>) {
  tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : memref<4x64xf32>) rhs(%b : memref<2x64x8xf32>) outs(%o : memref<4x11xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {panels = array<i64: 1>, register_ = array<i64: 2, 8, 1>, vector_dim = 1 : i64, vector_width = 8 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  }
  return
}

// -----

// While it works on a large panel, each row tile asks for a column of cache lines of the next one.
// CHECK-LABEL: func @ahead
// CHECK: scf.for %{{.*}} = %{{.*}} to %c64 step %c32
// CHECK: scf.for %[[M:.*]] = %{{.*}} to %c8 step %c2
// CHECK: %[[TILE:.*]] = arith.divui %[[M]]
// CHECK: %[[COLUMN:.*]] = arith.remui %[[TILE]]
// CHECK: %[[NEXT:.*]] = memref.subview %arg1[%{{.*}}, 0, %{{.*}}] [1, 1024, 16] [1, 1, 1]
// CHECK: memref.prefetch %[[NEXT]][%{{.*}}, %{{.*}}], read, locality<2>, data
// CHECK: vector.fma
func.func @ahead(%a: memref<8x1024xf32>, %b: memref<2x1024x32xf32>, %o: memref<8x64xf32>) {
  tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : memref<8x1024xf32>) rhs(%b : memref<2x1024x32xf32>) outs(%o : memref<8x64xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {panels = array<i64: 1>, register_ = array<i64: 2, 32, 1>, vector_dim = 1 : i64, vector_width = 16 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  }
  return
}

// -----

// A panel that one tile reads is a few streams: one line in eight is asked for, some steps ahead in the same panel.
// CHECK-LABEL: func @stream
// CHECK: memref.subview %arg1[%[[PANEL:.*]], 0, 0] [1, 1024, 128]
// CHECK: %[[LINE:.*]] = memref.subview %arg1[%[[PANEL]], 0, 0] [1, 1024, 16]
// CHECK-NOT: memref.subview
// CHECK: scf.for %[[K:.*]] = %c0 to %c256
// CHECK: %[[LATER:.*]] = arith.addi %[[K]], %c16
// CHECK: memref.prefetch %[[LINE]][%[[LATER]], %c0], read, locality<2>, data
// CHECK-COUNT-3: memref.prefetch %[[LINE]][%{{.*}}, %c0], read, locality<2>, data
// CHECK-NOT: memref.prefetch
func.func @stream(%a: memref<1x1024xf32>, %b: memref<2x1024x128xf32>, %o: memref<1x256xf32>) {
  tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : memref<1x1024xf32>) rhs(%b : memref<2x1024x128xf32>) outs(%o : memref<1x256xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {panels = array<i64: 1>, register_ = array<i64: 1, 128, 1>, vector_dim = 1 : i64, vector_width = 16 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  }
  return
}

// -----

// Lanes that lie far apart in the result, under rows that are neighbours: blocks are transposed and stored row-wise;
// an extra of the same form is loaded so.
// CHECK-LABEL: func @transposed
// CHECK-COUNT-8: vector.maskedload %arg2
// CHECK: vector.shuffle
// CHECK-COUNT-8: vector.maskedstore %arg3
// CHECK-NOT: memref.store
func.func @transposed(%a: memref<64x8xf32>, %b: memref<64x3xf32>, %e: memref<8x3xf32>, %o: memref<8x3xf32>) {
  tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : memref<64x8xf32>) rhs(%b : memref<64x3xf32>) extras(%e : memref<8x3xf32>) outs(%o : memref<8x3xf32>)
      maps [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {register_ = array<i64: 8, 3, 1>, vector_dim = 0 : i64, vector_width = 8 : i64} {
  ^bb0(%acc: f32, %x: f32):
    %0 = arith.addf %acc, %x : f32
    tenon.yield %0 : f32
  }
  return
}

// -----

// Booleans take a byte each: they are loaded as bytes, not as bits.
// CHECK-LABEL: func @boolean
// CHECK: %[[BYTES:.*]] = builtin.unrealized_conversion_cast %arg2 : memref<8xi1> to memref<8xi8>
// CHECK: %[[V:.*]] = vector.load %[[BYTES]]{{.*}} vector<8xi8>
// CHECK: %[[COND:.*]] = arith.cmpi ne, %[[V]]
// CHECK: arith.select %[[COND]]
func.func @boolean(%a: memref<1x4xf32>, %b: memref<4x8xf32>, %c: memref<8xi1>, %o: memref<1x8xf32>) {
  tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : memref<1x4xf32>) rhs(%b : memref<4x8xf32>) extras(%c : memref<8xi1>) outs(%o : memref<1x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (n)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {register_ = array<i64: 1, 8, 1>, vector_dim = 1 : i64, vector_width = 8 : i64} {
  ^bb0(%acc: f32, %x: i1):
    %zero = arith.constant 0.0 : f32
    %0 = arith.select %x, %acc, %zero : f32
    tenon.yield %0 : f32
  }
  return
}

// -----

// With enough rows, codes are decoded to scratch memory once a panel; the register tiles read numbers.
// CHECK-LABEL: func @decode_once
// CHECK: %[[MANY:.*]] = arith.cmpi sge, %{{.*}}, %c24
// CHECK: scf.if %[[MANY]]
// CHECK: %[[PANEL:.*]] = memref.alloc() {alignment = 64 : i64} : memref<16x2x8xf32>
// CHECK: arith.uitofp
// CHECK: vector.store %{{.*}}, %[[PANEL]]
// CHECK: vector.load %[[PANEL]]
// CHECK: vector.fma
// CHECK: } else {
// CHECK-NOT: memref.alloc
// CHECK: arith.uitofp
// CHECK: vector.fma
func.func @decode_once(%a: memref<?x16x2xf32>, %b: memref<2x16x8xi8>, %o: memref<?x16xf32>) {
  tenon.tile_contract ["parallel", "parallel", "reduction", "reduction"] lhs(%a : memref<?x16x2xf32>) rhs(%b : memref<2x16x8xi8>) outs(%o : memref<?x16xf32>)
      maps [affine_map<(m, n, k, t) -> (m, k, t)>, affine_map<(m, n, k, t) -> (n, k)>, affine_map<(m, n, k, t) -> (m, n)>]
      attributes {decode_rows = 24 : i64, panels = array<i64: 1>, register_ = array<i64: 2, 8, 1, 1>, unroll = array<i64: 3>, vector_dim = 1 : i64, vector_width = 8 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } decode {
  ^bb0(%code: i8, %k: index, %t: index):
    %four = arith.constant 4 : index
    %s = arith.muli %t, %four : index
    %c = arith.index_cast %s : index to i8
    %0 = arith.shrui %code, %c : i8
    %1 = arith.uitofp %0 : i8 to f32
    tenon.yield %1 : f32
  }
  return
}

// -----

// A tile of few sums keeps them in parts, so that multiply-adds need not wait for each other.
// CHECK-LABEL: func @parts
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %{{.*}} = %{{.*}}, %{{.*}} = %{{.*}}, %{{.*}} = %{{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK-COUNT-4: vector.fma
// CHECK: }
// CHECK-COUNT-3: arith.addf {{.*}} : vector<8xf32>
func.func @parts(%a: memref<1x16x4xf32>, %b: memref<16x4x8xf32>, %o: memref<1x8xf32>) {
  tenon.tile_contract ["parallel", "parallel", "reduction", "reduction"] lhs(%a : memref<1x16x4xf32>) rhs(%b : memref<16x4x8xf32>) outs(%o : memref<1x8xf32>)
      maps [affine_map<(m, n, k, t) -> (m, k, t)>, affine_map<(m, n, k, t) -> (k, t, n)>, affine_map<(m, n, k, t) -> (m, n)>]
      attributes {register_ = array<i64: 1, 8, 1, 1>, unroll = array<i64: 3>, vector_dim = 1 : i64, vector_width = 8 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  }
  return
}

// -----

// A row of pixels at h of a padded input: taps i with 1 <= h + i < 8 are looked at.
// CHECK-LABEL: func @rows
// CHECK: scf.for %[[H:.*]] = %c0 to %c7 step %c1
// CHECK-DAG: %[[LOW:.*]] = arith.subi %c1, %[[H]]
// CHECK-DAG: %[[HIGH:.*]] = arith.subi %c8, %[[H]]
// CHECK-DAG: %[[FIRST:.*]] = arith.maxsi %[[LOW]], %c0
// CHECK-DAG: %[[END:.*]] = arith.minsi %[[HIGH]], %c3
// CHECK: scf.for %{{.*}} = %[[FIRST]] to %[[END]] step %c1
func.func @rows(%w: memref<3x3xf32>, %x: memref<9x10xf32>, %o: memref<7x8xf32>) {
  tenon.tile_contract ["parallel", "parallel", "reduction", "reduction"] lhs(%w : memref<3x3xf32>) rhs(%x : memref<9x10xf32>) outs(%o : memref<7x8xf32>)
      maps [affine_map<(h, w, i, j) -> (i, j)>, affine_map<(h, w, i, j) -> (h + i, w + j)>, affine_map<(h, w, i, j) -> (h, w)>]
      attributes {register_ = array<i64: 1, 8, 1, 1>, vector_dim = 1 : i64, vector_width = 8 : i64, unroll = array<i64: 3>, nonzero = array<i64: 1, 0, 1, 8>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  }
  return
}

// The same rows as part of a larger image, from row %s on: h + i + %s is what counts.
// CHECK-LABEL: func @rows_of_unit
// CHECK-SAME: %[[S:[a-z0-9]+]]: index
// CHECK: scf.for %[[H:.*]] = %c0 to %c7 step %c1
// CHECK-DAG: %[[AT:.*]] = arith.addi %{{.*}}, %{{.*}} : index
// CHECK-DAG: %[[LOW:.*]] = arith.subi %c1, %[[AT]]
// CHECK-DAG: %[[FIRST:.*]] = arith.maxsi %[[LOW]], %c0
// CHECK: scf.for %{{.*}} = %[[FIRST]] to
func.func @rows_of_unit(%w: memref<3x3xf32>, %x: memref<9x10xf32>, %o: memref<7x8xf32>, %s: index) {
  tenon.tile_contract ["parallel", "parallel", "reduction", "reduction"] lhs(%w : memref<3x3xf32>) rhs(%x : memref<9x10xf32>) outs(%o : memref<7x8xf32>) starts(%s)
      maps [affine_map<(h, w, i, j) -> (i, j)>, affine_map<(h, w, i, j) -> (h + i, w + j)>, affine_map<(h, w, i, j) -> (h, w)>]
      attributes {register_ = array<i64: 1, 8, 1, 1>, vector_dim = 1 : i64, vector_width = 8 : i64, unroll = array<i64: 3>, nonzero = array<i64: 1, 0, 1, 20>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  }
  return
}

// -----

// A row of four pixels is one tile, and its taps are unrolled: the first pixel leaves out the tap in the padding before it,
// the last one that behind, so ten multiply-adds are left of twelve.
// CHECK-LABEL: func @edges
// CHECK-COUNT-10: vector.fma
// CHECK-NOT: vector.fma
// CHECK: return
func.func @edges(%w: memref<3x8xf32>, %x: memref<6xf32>, %o: memref<4x8xf32>) {
  tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%w : memref<3x8xf32>) rhs(%x : memref<6xf32>) outs(%o : memref<4x8xf32>)
      maps [affine_map<(w, f, j) -> (j, f)>, affine_map<(w, f, j) -> (w + j)>, affine_map<(w, f, j) -> (w, f)>]
      attributes {register_ = array<i64: 4, 8, 1>, vector_dim = 1 : i64, vector_width = 8 : i64, unroll = array<i64: 2>, nonzero = array<i64: 1, 0, 1, 5>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  }
  return
}

// Of seven tiles of two pixels the first and the last are apart: between them runs a loop.
// CHECK-LABEL: func @between
// CHECK-COUNT-5: vector.fma
// CHECK: scf.for %{{.*}} = %c2 to %c12 step %c2
// CHECK-COUNT-6: vector.fma
// CHECK: }
// CHECK-COUNT-5: vector.fma
// CHECK-NOT: vector.fma
// CHECK: return
func.func @between(%w: memref<3x8xf32>, %x: memref<16xf32>, %o: memref<14x8xf32>) {
  tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%w : memref<3x8xf32>) rhs(%x : memref<16xf32>) outs(%o : memref<14x8xf32>)
      maps [affine_map<(w, f, j) -> (j, f)>, affine_map<(w, f, j) -> (w + j)>, affine_map<(w, f, j) -> (w, f)>]
      attributes {register_ = array<i64: 2, 8, 1>, vector_dim = 1 : i64, vector_width = 8 : i64, unroll = array<i64: 2>, nonzero = array<i64: 1, 0, 1, 15>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  }
  return
}

// -----

// Two phases of two taps, of which three count: the loop over i has three multiply-adds, none at j = 1 of phase 1.
// CHECK-LABEL: func @phases
// CHECK: scf.for %[[I:.*]] = %c0 to %c3 step %c1 {{.*}} {
// CHECK-DAG: memref.load %arg0[%[[I]], %c0, %c0]
// CHECK-DAG: memref.load %arg0[%[[I]], %c0, %c1]
// CHECK-DAG: memref.load %arg0[%[[I]], %c1, %c0]
// CHECK-NOT: memref.load %arg0[%[[I]], %c1, %c1]
// CHECK: scf.yield
func.func @phases(%w: memref<3x2x2xf32>, %x: memref<3x2x9xf32>, %o: memref<8xf32>) {
  tenon.tile_contract ["parallel", "reduction", "reduction", "reduction"] lhs(%w : memref<3x2x2xf32>) rhs(%x : memref<3x2x9xf32>) outs(%o : memref<8xf32>)
      maps [affine_map<(w, i, j, p) -> (i, j, p)>, affine_map<(w, i, j, p) -> (i, p, w + j)>, affine_map<(w, i, j, p) -> (w)>]
      attributes {register_ = array<i64: 8, 1, 1, 1>, vector_dim = 0 : i64, vector_width = 8 : i64, phases = array<i64: 2, 3, 3>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  }
  return
}
