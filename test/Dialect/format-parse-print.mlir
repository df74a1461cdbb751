// RUN: tenon-opt %s | tenon-opt | FileCheck %s
// One order of fields, defaults left out; a format that equals a block format of GGUF files has its name.

// CHECK: test.a = #tenon.format<element = ui4, offset = 8, group = 128, scale = f16>
// CHECK: test.b = #tenon.format<element = ui4, zero = ui4, group = 32, scale = f32>
// CHECK: test.c = #tenon.format<element = f8E4M3FN, scale = f32>
// CHECK: test.d = #tenon.format<element = ui2, codebook = [-1, 0, 0.5, 1], group = 64, scale = bf16, minimum = f16>
// CHECK: test.e = #tenon.format<element = si3, group = 8, scale = f16, block = 8, bytes = 3, planes = {{\[\[}}0, 2, 1], [2, 1, 1]]>
// CHECK: test.f = #tenon.format<element = bf16>
module attributes {
  test.a = #tenon.format<scale = f16, group = 128, offset = 8, element = ui4>,
  test.b = #tenon.format<element = ui4, zero = ui4, group = 32, scale = f32>,
  test.c = #tenon.format<element = f8E4M3FN, scale = f32>,
  test.d = #tenon.format<element = ui2, codebook = [-1.0, 0, 5.0e-1, 1], group = 64, scale = bf16, minimum = f16>,
  test.e = #tenon.format<element = si3, group = 8, scale = f16, block = 8, bytes = 3, planes = [[0, 2, 1], [2, 1, 1]]>,
  test.f = #tenon.format<element = bf16>,
  // CHECK: test.q40 = #tenon.format<"Q4_0">
  test.q40 = #tenon.format<element = ui4, offset = 8, group = 32, scale = f16, block = 32, bytes = 18,
                           planes = [[2, 4, 16]], scale_at = 0>,
  // CHECK: test.q41 = #tenon.format<"Q4_1">
  test.q41 = #tenon.format<element = ui4, group = 32, scale = f16, minimum = f16, block = 32, bytes = 20,
                           planes = [[4, 4, 16]], scale_at = 0, minimum_at = 2>,
  // CHECK: test.q6k = #tenon.format<"Q6_K">
  test.q6k = #tenon.format<element = ui6, offset = 32, group = 16, scale = si8, super = 256, super_scale = f16,
                           block = 256, bytes = 210, planes = [[0, 4, 64], [128, 2, 32]], scale_at = 192, super_at = 208>,
  // CHECK: test.q80 = #tenon.format<"Q8_0">
  test.q80 = #tenon.format<element = si8, group = 32, scale = f16, block = 32, bytes = 34, planes = [[2, 8, 1]],
                           scale_at = 0>,
  // CHECK: test.x0 = #tenon.format<"Q5_0">
  // CHECK: test.x1 = #tenon.format<"Q5_1">
  // CHECK: test.x2 = #tenon.format<"IQ4_NL">
  // CHECK: test.x3 = #tenon.format<"MXFP4">
  test.x0 = #tenon.format<"Q5_0">, test.x1 = #tenon.format<"Q5_1">, test.x2 = #tenon.format<"IQ4_NL">,
  test.x3 = #tenon.format<"MXFP4">
} {}
