// RUN: tenon-opt %s --tenon-plan-memory | FileCheck %s

// The size of a buffer depends on data, and the result is a view of it with sizes of its own: it is copied at the end, and
// the run time frees it after the call. The kernel must not find it freed.
// CHECK-LABEL: func.func @main
// CHECK: %[[MEMORY:.*]] = llvm.call @tenon_rt_alloc
// CHECK-NOT: tenon_rt_free
// CHECK: tenon.dispatch @k
// CHECK-NOT: tenon_rt_free
// CHECK: llvm.call @tenon_rt_output
// CHECK-NOT: tenon_rt_free
// CHECK: return
func.func @main(%n: memref<1xi64>) -> memref<?xf32> {
  %c0 = arith.constant 0 : index
  %0 = memref.load %n[%c0] : memref<1xi64>
  %1 = arith.index_cast %0 : i64 to index
  %alloc = memref.alloc(%1) : memref<?x3xf32>
  tenon.dispatch @k outs(%alloc : memref<?x3xf32>)
  %flat = memref.collapse_shape %alloc [[0, 1]] : memref<?x3xf32> into memref<?xf32>
  return %flat : memref<?xf32>
}
func.func private @k(memref<?x3xf32>) attributes {tenon.kernel}

// Pieces lie in what they are joined to, and so does a join that is a piece itself: 64 bytes each, from 0, 64 and 128 on of
// the largest. Nothing is copied but the argument, which has its own place.
// CHECK-LABEL: func.func @joined
// CHECK-SAME: tenon.arena = 192
// CHECK: %[[ARENA:.*]] = llvm.call @tenon_rt_arena
// CHECK: %[[A:.*]] = llvm.mlir.constant(0 : i64) : i64
// CHECK-NEXT: llvm.getelementptr %[[ARENA]][%[[A]]]
// CHECK: tenon.dispatch @k1
// CHECK-NEXT: %[[B:.*]] = llvm.mlir.constant(64 : i64) : i64
// CHECK-NEXT: llvm.getelementptr %[[ARENA]][%[[B]]]
// CHECK: tenon.dispatch @k1
// CHECK-NEXT: %[[AB:.*]] = llvm.mlir.constant(0 : i64) : i64
// CHECK-NEXT: llvm.getelementptr %[[ARENA]][%[[AB]]]
// CHECK: %[[C:.*]] = llvm.mlir.constant(128 : i64) : i64
// CHECK-NEXT: llvm.getelementptr %[[ARENA]][%[[C]]]
// CHECK: tenon.dispatch @k2
// CHECK-NEXT: %[[ABC:.*]] = llvm.mlir.constant(0 : i64) : i64
// CHECK-NEXT: llvm.getelementptr %[[ARENA]][%[[ABC]]]
// CHECK-NOT: llvm.intr.memcpy
// CHECK: tenon.dispatch @k4
// CHECK: tenon.dispatch @k1
// CHECK: "llvm.intr.memcpy"
// CHECK-NOT: tenon.join
// CHECK: tenon.dispatch @k2
func.func @joined(%x: memref<16xf32>) {
  %a = memref.alloc() : memref<16xf32>
  tenon.dispatch @k1 ins(%x : memref<16xf32>) outs(%a : memref<16xf32>)
  %b = memref.alloc() : memref<4x4xf32>
  %fb = memref.collapse_shape %b [[0, 1]] : memref<4x4xf32> into memref<16xf32>
  tenon.dispatch @k1 ins(%a : memref<16xf32>) outs(%fb : memref<16xf32>)
  %ab = memref.alloc() : memref<2x16xf32>
  tenon.join ins(%a, %b : memref<16xf32>, memref<4x4xf32>) outs(%ab : memref<2x16xf32>)
  %c = memref.alloc() : memref<16xf32>
  %fab = memref.collapse_shape %ab [[0, 1]] : memref<2x16xf32> into memref<32xf32>
  tenon.dispatch @k2 ins(%fab : memref<32xf32>) outs(%c : memref<16xf32>)
  %abc = memref.alloc() : memref<48xf32>
  tenon.join ins(%ab, %c : memref<2x16xf32>, memref<16xf32>) outs(%abc : memref<48xf32>)
  tenon.dispatch @k4 ins(%abc : memref<48xf32>)
  %d = memref.alloc() : memref<16xf32>
  tenon.dispatch @k1 ins(%x : memref<16xf32>) outs(%d : memref<16xf32>)
  %dx = memref.alloc() : memref<32xf32>
  tenon.join ins(%d, %x : memref<16xf32>, memref<16xf32>) outs(%dx : memref<32xf32>)
  %r = memref.alloc() : memref<16xf32>
  tenon.dispatch @k2 ins(%dx : memref<32xf32>) outs(%r : memref<16xf32>)
  return
}
func.func private @k1(memref<16xf32>, memref<16xf32>) attributes {tenon.kernel}
func.func private @k2(memref<32xf32>, memref<16xf32>) attributes {tenon.kernel}
func.func private @k4(memref<48xf32>) attributes {tenon.kernel}
