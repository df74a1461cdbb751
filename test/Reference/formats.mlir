// REQUIRES: tenon-run
// Codes to numbers and back, by hand.
// RUN: tenon-run --reference --entry groups %s | FileCheck %s --check-prefix=GROUPS
// RUN: tenon-run --reference --entry codebook %s | FileCheck %s --check-prefix=CODEBOOK
// RUN: tenon-run --reference --entry record %s | FileCheck %s --check-prefix=RECORD
// RUN: tenon-run --reference --entry supers %s | FileCheck %s --check-prefix=SUPERS
// RUN: tenon-run --reference --entry floats %s | FileCheck %s --check-prefix=FLOATS
// RUN: tenon-run --reference --entry quantized %s | FileCheck %s --check-prefix=QUANTIZED
// RUN: not tenon-run --reference --entry sizes --open-size 3 %s 2>&1 | FileCheck %s --check-prefix=SIZES

// Two groups along dim 0, the second one ragged: 2 * (15 - 1) + 100, 2 * (0 - 1) + 100, 0.5 * (7 - 3) - 100.
// GROUPS: 0: 3x1xf32 [128, 98, -98]
func.func @groups() -> tensor<3x1xf32> {
  %codes = arith.constant dense<[[-1], [0], [7]]> : tensor<3x1xi4>
  %s = arith.constant dense<[[2.0], [0.5]]> : tensor<2x1xf16>
  %z = arith.constant dense<[[1], [3]]> : tensor<2x1xi4>
  %m = arith.constant dense<[[100.0], [-100.0]]> : tensor<2x1xf32>
  %y = tenon.dequantize %codes scales %s : tensor<2x1xf16> zeros %z : tensor<2x1xi4> minimums %m : tensor<2x1xf32> axis 0
      format <element = ui4, zero = ui4, group = 2, scale = f16, minimum = f32> : tensor<3x1xi4> -> tensor<3x1xf32>
  return %y : tensor<3x1xf32>
}

// One scale for both rows, in bytes; ternary: the fourth code stands for 0 too.
// CODEBOOK: 0: 2x2xf32 [-3, 0, 3, 0]
func.func @codebook() -> tensor<2x2xf32> {
  %codes = arith.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi8>
  %s = arith.constant dense<3.0> : tensor<1x1xf32>
  %y = tenon.dequantize %codes scales %s : tensor<1x1xf32> axis 1
      format <element = ui2, codebook = [-1, 0, 1, 0], scale = f32> : tensor<2x2xi8> -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// Codes of 3 bits: two low bits of eight elements in bytes 0 and 1, the third bits in byte 2, scales 0.5 and 1 behind.
// 0b00_01_10_11, 0 and 0b10101: codes 7, 2, 5, 0, 4, as signed numbers -1, 2, -3, 0, -4. Five of eight elements.
// RECORD: 0: 1x5xf32 [-0.5, 1, -1.5, 0, -4]
func.func @record() -> tensor<1x5xf32> {
  %bytes = arith.constant dense<[[27, 0, 21, 0, 56, 0, 60]]> : tensor<1x7xi8>
  %y = tenon.dequantize %bytes axis 1 format <element = si3, group = 4, scale = f16, block = 8, bytes = 7,
      planes = [[0, 2, 1], [2, 1, 1]], scale_at = 3> : tensor<1x7xi8> -> tensor<1x5xf32>
  return %y : tensor<1x5xf32>
}

// Scales -2 and 3 under a super-scale of 0.25.
// SUPERS: 0: 1x4xf32 [-0.5, -1, 2.25, 3]
func.func @supers() -> tensor<1x4xf32> {
  %codes = arith.constant dense<[[1, 2, 3, 4]]> : tensor<1x4xi8>
  %s = arith.constant dense<[[-2, 3]]> : tensor<1x2xi8>
  %d = arith.constant dense<0.25> : tensor<1x1xf16>
  %y = tenon.dequantize %codes scales %s : tensor<1x2xi8> supers %d : tensor<1x1xf16> axis 1
      format <element = si8, group = 2, scale = si8, super = 4, super_scale = f16> : tensor<1x4xi8> -> tensor<1x4xf32>
  return %y : tensor<1x4xf32>
}

// f4 codes in bytes 0x72 (1.0 low, 6.0 high) and 0x9f (-6.0 and -0.5), scale 2^(128-127).
// FLOATS: 0: 1x4xf32 [2, 12, -12, -1]
func.func @floats() -> tensor<1x4xf32> {
  %bytes = arith.constant dense<[[-128, 114, -97]]> : tensor<1x3xi8>
  %y = tenon.dequantize %bytes axis 1 format <element = f4E2M1FN, group = 4, scale = f8E8M0FNU, block = 4, bytes = 3,
      planes = [[1, 4, 1]], scale_at = 0> : tensor<1x3xi8> -> tensor<1x4xf32>
  return %y : tensor<1x4xf32>
}

// Ties go to even, what does not fit saturates, NaN is code 0 (f8: NaN).
// QUANTIZED: 0: 1x6xi4 [2, 4, 7, -8, 0, -2]
// QUANTIZED: 1: 1x6xf8E4M3FN [1.25, 1.75, 448, -448, nan, -1.25]
// QUANTIZED: 2: 1x6xi2 [-2, -1, -1, 0, 0, 0]
func.func @quantized() -> (tensor<1x6xi4>, tensor<1x6xf8E4M3FN>, tensor<1x6xi2>) {
  %x = arith.constant dense<[[1.25, 1.75, 1.0e9, -1.0e9, 0x7FC00000, -1.25]]> : tensor<1x6xf32>
  %s = arith.constant dense<0.5> : tensor<1x1xf32>
  %one = arith.constant dense<1.0> : tensor<1x1xf32>
  %q = tenon.quantize %x scales %s : tensor<1x1xf32> axis 1 format <element = si4, scale = f32>
      : tensor<1x6xf32> -> tensor<1x6xi4>
  %f = tenon.quantize %x scales %one : tensor<1x1xf32> axis 1 format <element = f8E4M3FN, scale = f32>
      : tensor<1x6xf32> -> tensor<1x6xf8E4M3FN>
  %c = tenon.quantize %x axis 1 format <element = ui2, codebook = [-1, 0, 1, 2]> : tensor<1x6xf32> -> tensor<1x6xi2>
  return %q, %f, %c : tensor<1x6xi4>, tensor<1x6xf8E4M3FN>, tensor<1x6xi2>
}

// SIZES: expected a part of the groups to have size 1 along dim 1, but got 3
func.func @sizes(%codes: tensor<3x?xi4>, %s: tensor<3x?xf32>) -> tensor<3x?xf32> {
  %y = tenon.dequantize %codes scales %s : tensor<3x?xf32> axis 1 format <element = ui4, group = 8, scale = f32>
      : tensor<3x?xi4> -> tensor<3x?xf32>
  return %y : tensor<3x?xf32>
}
