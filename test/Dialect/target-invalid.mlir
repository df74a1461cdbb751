// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// target_c1
// expected-error @below {{expected 'vector_bits' to be 128, 256 or 512, but got 64}}
module attributes {test.a = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64", features = "", vector_bits = 64, vector_registers = 16, l1_bytes = 32768, l2_bytes = 524288, l3_bytes = 33554432>} {}

// -----

// target_c2
// expected-error @below {{expected counts and cache sizes to be positive, but got 0}}
module attributes {test.a = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v3", features = "", vector_bits = 256, vector_registers = 0, l1_bytes = 32768, l2_bytes = 524288, l3_bytes = 33554432>} {}

// -----

// target_c2
// expected-error @below {{expected counts and cache sizes to be positive, but got -1}}
module attributes {test.a = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v3", features = "", vector_bits = 256, vector_registers = 16, l1_bytes = 32768, l2_bytes = -1, l3_bytes = 33554432>} {}

// -----

// target_c3
// expected-error @below {{expected peaks not to be negative, but got -5}}
module attributes {test.a = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v3", features = "", vector_bits = 256, vector_registers = 16, l1_bytes = 32768, l2_bytes = 524288, l3_bytes = 33554432, peak_gflops = 100, l3_gbps = 50, memory_gbps = -5>} {}
