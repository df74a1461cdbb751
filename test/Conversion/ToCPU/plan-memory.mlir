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
