// RUN: tenon-opt %s | tenon-opt | FileCheck %s

// CHECK: test.a = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v3", features = "+avx2", vector_bits = 256, vector_registers = 16, l1_bytes = 32768, l2_bytes = 524288, l3_bytes = 33554432>
module attributes {test.a = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v3", features = "+avx2", vector_bits = 256, vector_registers = 16, l1_bytes = 32768, l2_bytes = 524288, l3_bytes = 33554432>} {}
