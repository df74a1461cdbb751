// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// format_c1
// expected-error @below {{expected 'element' to be siN or uiN of at most 8 bits, an f8, f6 or f4 type, f16 or bf16, but got 'f32'}}
module attributes {test.a = #tenon.format<element = f32>} {}

// -----

// format_c1
// expected-error @below {{expected 'element' to be siN or uiN of at most 8 bits, an f8, f6 or f4 type, f16 or bf16, but got 'ui9'}}
module attributes {test.a = #tenon.format<element = ui9>} {}

// -----

// format_c1
// expected-error @below {{expected 'element' to be siN or uiN of at most 8 bits, an f8, f6 or f4 type, f16 or bf16, but got none}}
module attributes {test.a = #tenon.format<scale = f32>} {}

// -----

// format_c2
// expected-error @below {{expected an unsigned element of at most 4 bits with a 'codebook', but got 'si2'}}
module attributes {test.a = #tenon.format<element = si2, codebook = [0, 1, 2, 3]>} {}

// -----

// format_c2
// expected-error @below {{expected a 'codebook' of 4 values, but got 3}}
module attributes {test.a = #tenon.format<element = ui2, codebook = [0, 1, 2]>} {}

// -----

// format_c3
// expected-error @below {{expected 'scale' to be f32, f16, bf16 or f8E8M0FNU, but got 'si8'}}
module attributes {test.a = #tenon.format<element = ui4, scale = si8>} {}

// -----

// format_c3
// expected-error @below {{expected 'minimum' to be f32, f16, bf16 or f8E8M0FNU, but got 'f64'}}
module attributes {test.a = #tenon.format<element = ui4, minimum = f64>} {}

// -----

// format_c4
// expected-error @below {{expected 'zero' to be siN or uiN of at most 8 bits, but got 'f32'}}
module attributes {test.a = #tenon.format<element = ui4, zero = f32>} {}

// -----

// format_c4
// expected-error @below {{expected no 'zero' and no 'offset' but for integer elements without codebook, but got 'f8E5M2'}}
module attributes {test.a = #tenon.format<element = f8E5M2, offset = 1>} {}

// -----

// format_c5
// expected-error @below {{expected 'super' and 'super_scale' to come together, with a scale, but got 256}}
module attributes {test.a = #tenon.format<element = ui4, group = 16, scale = f16, super = 256>} {}

// -----

// format_c5
// expected-error @below {{expected 'super_scale' to be f32, f16 or bf16, but got 'f64'}}
module attributes {test.a = #tenon.format<element = ui4, group = 16, scale = si8, super = 256, super_scale = f64>} {}

// -----

// format_c5
// expected-error @below {{expected 'super' to be a multiple of 'group', but got 24 and 16}}
module attributes {test.a = #tenon.format<element = ui4, group = 16, scale = si8, super = 24, super_scale = f16>} {}

// -----

// format_c6
// expected-error @below {{expected sizes of at least 0, but got -4}}
module attributes {test.a = #tenon.format<element = ui4, group = -4, scale = f16>} {}

// -----

// format_c6
// expected-error @below {{expected a scale, zero point or minimum where there are groups, but got none and groups of 4}}
module attributes {test.a = #tenon.format<element = ui4, group = 4>} {}

// -----

// format_c7
// expected-error @below {{expected no 'planes', 'bytes' and places without 'block', but got 18 bytes}}
module attributes {test.a = #tenon.format<element = ui4, bytes = 18>} {}

// -----

// format_c7
// expected-error @below {{expected planes of 1, 2, 4 or 8 bits, but got 3}}
module attributes {test.a = #tenon.format<element = ui3, block = 8, bytes = 3, planes = [[0, 3, 1]]>} {}

// -----

// format_c7
// expected-error @below {{expected runs of a plane to fill whole bytes of a block of 8, but got runs of 3}}
module attributes {test.a = #tenon.format<element = ui4, block = 8, bytes = 4, planes = [[0, 4, 3]]>} {}

// -----

// format_c7
// expected-error @below {{expected planes of 5 bits together, but got 4}}
module attributes {test.a = #tenon.format<element = ui5, block = 8, bytes = 4, planes = [[0, 4, 1]]>} {}

// -----

// format_c8
// expected-error @below {{expected planes within 4 bytes, but got 4 bytes at 1}}
module attributes {test.a = #tenon.format<element = ui4, block = 8, bytes = 4, planes = [[1, 4, 1]]>} {}

// -----

// format_c8
// expected-error @below {{expected a block of whole groups for 'scale_at', but got 8 and 16}}
module attributes {test.a = #tenon.format<element = ui4, group = 16, scale = f16, block = 8, bytes = 6, planes = [[2, 4, 1]], scale_at = 0>} {}

// -----

// format_c8
// expected-error @below {{expected the parts at 'scale_at' within 5 bytes, but got 2 bytes at 4}}
module attributes {test.a = #tenon.format<element = ui4, group = 8, scale = f16, block = 8, bytes = 5, planes = [[0, 4, 1]], scale_at = 4>} {}

// -----

// expected-error @below {{unknown field 'speed' of the format}}
module attributes {test.a = #tenon.format<element = ui4, speed = 9>} {}

// -----

// expected-error @below {{field 'element' of the format is given twice}}
module attributes {test.a = #tenon.format<element = ui4, element = ui2>} {}

// -----

// expected-error @below {{no format has the name 'Q9_9'}}
module attributes {test.a = #tenon.format<"Q9_9">} {}

// -----

// expected-error @below {{unknown attribute 'colour' of the dialect 'tenon'}}
module attributes {test.a = #tenon.colour<1>} {}
