// RUN: tenon-opt %s --split-input-file --tenon-kernel-abi --verify-diagnostics

// A buffer has one place in the scratch memory: what one iteration makes and the next one reads would be overwritten.
func.func private @carried(%n: memref<8xf32>) attributes {tenon.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  scf.forall (%i) in (2) {
    %first = memref.alloc() : memref<8xf32>
    %r = scf.for %j = %c0 to %c4 step %c1 iter_args(%before = %first) -> (memref<8xf32>) {
      // expected-error @+1 {{a buffer made inside a loop of a kernel cannot be carried to the next iteration}}
      %next = memref.alloc() : memref<8xf32>
      %v = memref.load %before[%i] : memref<8xf32>
      memref.store %v, %next[%i] : memref<8xf32>
      scf.yield %next : memref<8xf32>
    }
    %w = memref.load %r[%i] : memref<8xf32>
    memref.store %w, %n[%i] : memref<8xf32>
  }
  return
}
