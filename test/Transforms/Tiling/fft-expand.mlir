// RUN: tenon-opt %s --tenon-expand-fft --canonicalize --cse | FileCheck %s

#schedule = #tenon.schedule<algorithm = "fft", parallel = [1, 16, 0, 0], vector_dim = 1, vector_width = 8>

// Four real elements: a butterfly. The mirrored half is neither computed nor stored, the zero in front costs nothing.
// CHECK-LABEL: func @forward
// CHECK: scf.for %[[R:.*]] = %c0 to %c5 step %c1
// CHECK: scf.for %[[C:.*]] = %c0 to %c16 step %c8
// CHECK: %[[A:.*]] = vector.load %arg0[%[[R]], %c0, %[[C]]]
// CHECK: %[[B:.*]] = vector.load %arg0[%[[R]], %c1, %[[C]]]
// CHECK: %[[D:.*]] = vector.load %arg0[%[[R]], %c2, %[[C]]]
// CHECK-DAG: %[[SUM:.*]] = arith.addf %[[A]], %[[D]]
// CHECK-DAG: arith.addf %[[B]], %[[SUM]]
// CHECK-DAG: arith.subf %[[A]], %[[D]]
// CHECK-DAG: arith.subf %[[B]], %[[SUM]]
// CHECK-NOT: arith.mulf
// CHECK-COUNT-6: vector.store %{{.*}}, %arg1
// CHECK-NOT: vector.store
func.func @forward(%x: memref<5x3x16xf32>, %o: memref<3x5x2x16xf32>) attributes {tenon.kernel, tenon.schedule = #schedule} {
  tenon.tile_fft forward 4 offset 1 in(%x : memref<5x3x16xf32>) outs(%o : memref<3x5x2x16xf32>)
  return
}

// There and back along columns in one go; channels that fill no vector are masked.
// CHECK-LABEL: func @product
// CHECK: scf.for %[[F:.*]] = %c0 to %c2 step %c1
// CHECK-COUNT-4: vector.maskedload %arg0[%[[F]]
// CHECK-COUNT-4: vector.maskedload %arg1[%[[F]]
// CHECK-COUNT-2: vector.maskedstore %arg2[%[[F]], %c0
func.func @product(%x: memref<2x2x2x5xf32>, %s: memref<2x2x2x5xf32>, %o: memref<2x1x2x5xf32>) attributes {tenon.kernel, tenon.schedule = #schedule} {
  tenon.tile_fft product 2 offset 0 in(%x : memref<2x2x2x5xf32>) spectrum(%s : memref<2x2x2x5xf32>) outs(%o : memref<2x1x2x5xf32>)
  return
}

// The first and the middle frequency have no imaginary part.
// CHECK-LABEL: func @backward
// CHECK: scf.for %[[P:.*]] = %c0 to %c7 step %c1
// CHECK-COUNT-2: vector.load %arg0[%c{{[01]}}, %[[P]], %c0
// CHECK-NOT: vector.load
// CHECK: arith.addf
// CHECK: arith.subf
func.func @backward(%x: memref<2x7x2x8xf32>, %o: memref<7x2x8xf32>) attributes {tenon.kernel, tenon.schedule = #schedule} {
  tenon.tile_fft backward 2 offset 0 in(%x : memref<2x7x2x8xf32>) outs(%o : memref<7x2x8xf32>)
  return
}
