// RUN: tenon-opt %s --tenon-kernel-abi | FileCheck %s

// The kernel's entry asks the run time once for four work items and 64 bytes of scratch; the range function runs items, with
// the buffer of an item in the scratch memory. A dynamic dim is a word after the pointer.
// CHECK-LABEL: func.func private @k_range(
// CHECK-SAME: %[[ARGS:.*]]: !llvm.ptr, %[[LO:.*]]: i64, %[[HI:.*]]: i64, %[[SCRATCH:.*]]: !llvm.ptr
// CHECK: llvm.getelementptr %[[ARGS]][2]
// CHECK: %[[FIRST:.*]] = arith.index_cast %[[LO]]
// CHECK: %[[LAST:.*]] = arith.index_cast %[[HI]]
// CHECK: scf.for %{{.*}} = %[[FIRST]] to %[[LAST]]
// CHECK-NOT: memref.alloc
// CHECK: llvm.getelementptr %[[SCRATCH]]
// CHECK-LABEL: func.func @k(
// CHECK-SAME: %[[CALL:.*]]: !llvm.ptr, %[[WORDS:.*]]: !llvm.ptr) -> i32
// CHECK: %[[STATUS:.*]] = llvm.call @tenon_rt_parallel_for(%[[CALL]], %{{.*}}, %[[WORDS]],
// CHECK: return %[[STATUS]] : i32
func.func private @k(%a: memref<64xf32>, %n: memref<?xf32>) attributes {tenon.kernel} {
  %c0 = arith.constant 0 : index
  scf.forall (%i) in (4) {
    %s = memref.alloc() : memref<8xf32>
    %v = memref.load %a[%i] : memref<64xf32>
    memref.store %v, %s[%c0] : memref<8xf32>
    %w = memref.load %s[%c0] : memref<8xf32>
    memref.store %w, %n[%i] : memref<?xf32>
  }
  return
}
