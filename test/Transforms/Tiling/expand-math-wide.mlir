// RUN: tenon-opt %s --tenon-expand-math | FileCheck %s

// Vectors of 512 bits are scaled by powers of two by one instruction, others by two products.
module attributes {tenon.target = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "",
    vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>} {
  // CHECK-LABEL: func.func @whole
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"
  // CHECK-NOT: arith.shli
  // CHECK: return
  func.func @whole(%x: vector<16xf32>) -> vector<16xf32> {
    %y = math.exp %x : vector<16xf32>
    return %y : vector<16xf32>
  }

  // CHECK-LABEL: func.func @part
  // CHECK-NOT: llvm.call_intrinsic
  // CHECK: arith.shli
  // CHECK: return
  func.func @part(%x: vector<8xf32>) -> vector<8xf32> {
    %y = math.exp %x : vector<8xf32>
    return %y : vector<8xf32>
  }
}
