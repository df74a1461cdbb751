// RUN: tenon-opt %s --split-input-file --tenon-expand-math | FileCheck %s

#avx512 = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512,
                        vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #avx512} {
  // One register holds 16 values, and fewer of them several times.
  // CHECK-LABEL: func.func @wide
  // CHECK: %[[LIST:.*]] = arith.constant dense<[-1.000000e+00, 0.000000e+00, 1.000000e+00, 2.000000e+00, -1.000000e+00, {{.*}}]> : vector<16xf32>
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.permvar.sf.512"(%[[LIST]], %arg0) : (vector<16xf32>, vector<16xi32>) -> vector<16xf32>
  // CHECK-NOT: arith.select
  func.func @wide(%c: vector<16xi32>) -> vector<16xf32> {
    %v = tenon.look_up %c in [-1.0, 0.0, 1.0, 2.0] : vector<16xi32> -> vector<16xf32>
    return %v : vector<16xf32>
  }

  // CHECK-LABEL: func.func @half
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpermi2var.ps.256"
  func.func @half(%c: vector<8xi32>) -> vector<8xf32> {
    %v = tenon.look_up %c in [0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0] : vector<8xi32> -> vector<8xf32>
    return %v : vector<8xf32>
  }

  // Vectors of several registers go part by part.
  // CHECK-LABEL: func.func @several
  // CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.avx512.permvar.sf.512"
  func.func @several(%c: vector<32xi32>) -> vector<32xf32> {
    %v = tenon.look_up %c in [0.0, 1.0] : vector<32xi32> -> vector<32xf32>
    return %v : vector<32xf32>
  }

  // CHECK-LABEL: func.func @scalar
  // CHECK: arith.andi
  // CHECK: arith.select
  func.func @scalar(%c: i32) -> f32 {
    %v = tenon.look_up %c in [0.25, 1.0] : i32 -> f32
    return %v : f32
  }
}

// -----

#avx2 = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v3", features = "", vector_bits = 256,
                      vector_registers = 16, l1_bytes = 32768, l2_bytes = 524288, l3_bytes = 16777216>
module attributes {tenon.target = #avx2} {
  // Two registers hold 16 values: the fourth bit chooses between them.
  // CHECK-LABEL: func.func @two
  // CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.avx2.permps"
  // CHECK: arith.shli
  // CHECK: arith.cmpi slt
  // CHECK: arith.select
  func.func @two(%c: vector<8xi32>) -> vector<8xf32> {
    %v = tenon.look_up %c in [0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0] : vector<8xi32> -> vector<8xf32>
    return %v : vector<8xf32>
  }

  // A list that counts is a conversion where it takes more than one permutation.
  // CHECK-LABEL: func.func @count
  // CHECK: arith.andi
  // CHECK: arith.sitofp
  // CHECK-NOT: llvm.call_intrinsic
  // CHECK: return
  func.func @count(%c: vector<8xi32>) -> vector<8xf32> {
    %v = tenon.look_up %c in [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0] : vector<8xi32> -> vector<8xf32>
    return %v : vector<8xf32>
  }
}
