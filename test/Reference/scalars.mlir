// REQUIRES: tenon-run
// Integers wrap, shifts by the width or more leave the sign, floats to integers saturate, NaN goes to 0.
// RUN: tenon-run --reference --entry ints %s | FileCheck %s --check-prefix=INTS
// RUN: tenon-run --reference --entry casts %s | FileCheck %s --check-prefix=CASTS
// RUN: tenon-run --reference --entry floats %s | FileCheck %s --check-prefix=FLOATS
// RUN: tenon-run --reference --entry narrow %s | FileCheck %s --check-prefix=NARROW
// RUN: tenon-run --reference --entry math %s | FileCheck %s --check-prefix=MATH

// INTS: 0: 8xi8 [-56, 56, -3, -2, 3, -1, -56, 100]
// INTS: 1: 3xi1 [1, 0, 1]
func.func @ints() -> (tensor<8xi8>, tensor<3xi1>) {
  %a = arith.constant 100 : i8
  %b = arith.constant -7 : i8
  %c2 = arith.constant 2 : i8
  %c3 = arith.constant 3 : i8
  %c9 = arith.constant 9 : i8
  %0 = arith.addi %a, %a : i8
  %t = arith.muli %a, %c3 : i8
  %c12 = arith.constant 12 : i8
  %1 = arith.addi %t, %c12 : i8
  %2 = arith.divsi %b, %c2 : i8
  %3 = arith.ceildivsi %b, %c3 : i8
  %4 = arith.ceildivsi %c9, %c3 : i8
  %5 = arith.shrsi %b, %c9 : i8
  %6 = arith.maxui %0, %a : i8
  %7 = arith.maxsi %0, %a : i8
  %r = tensor.from_elements %0, %1, %2, %3, %4, %5, %6, %7 : tensor<8xi8>
  %p = arith.cmpi slt, %b, %a : i8
  %q = arith.cmpi ult, %b, %a : i8
  %s = arith.xori %p, %q : i1
  %bits = tensor.from_elements %p, %q, %s : tensor<3xi1>
  return %r, %bits : tensor<8xi8>, tensor<3xi1>
}

// CASTS: 0: 6xi8 [127, -128, 0, -1, -3, -1]
// CASTS: 1: 3xi32 [255, -1, 1065353216]
// CASTS: 2: 2xf32 [255, 16777216]
func.func @casts() -> (tensor<6xi8>, tensor<3xi32>, tensor<2xf32>) {
  %big = arith.constant 1.0e9 : f32
  %small = arith.constant -1.0e9 : f32
  %nan = arith.constant 0x7FC00000 : f32
  %f = arith.constant -3.9 : f32
  %one = arith.constant 1.0 : f32
  %0 = arith.fptosi %big : f32 to i8
  %1 = arith.fptosi %small : f32 to i8
  %2 = arith.fptosi %nan : f32 to i8
  %3 = arith.fptoui %big : f32 to i8
  %4 = arith.fptosi %f : f32 to i8
  %true = arith.constant true
  %5 = arith.extsi %true : i1 to i8
  %r = tensor.from_elements %0, %1, %2, %3, %4, %5 : tensor<6xi8>
  %u = arith.extui %3 : i8 to i32
  %s = arith.extsi %3 : i8 to i32
  %bits = arith.bitcast %one : f32 to i32
  %w = tensor.from_elements %u, %s, %bits : tensor<3xi32>
  %g = arith.uitofp %3 : i8 to f32
  %odd = arith.constant 16777217 : i32
  %h = arith.sitofp %odd : i32 to f32
  %v = tensor.from_elements %g, %h : tensor<2xf32>
  return %r, %w, %v : tensor<6xi8>, tensor<3xi32>, tensor<2xf32>
}

// FLOATS: 0: 5xf32 [nan, 1, 0, -0, -1.5]
func.func @floats() -> tensor<5xf32> {
  %nan = arith.constant 0x7FC00000 : f32
  %one = arith.constant 1.0 : f32
  %zero = arith.constant 0.0 : f32
  %nzero = arith.constant -0.0 : f32
  %a = arith.constant -5.5 : f32
  %b = arith.constant 2.0 : f32
  %0 = arith.maximumf %nan, %one : f32
  %1 = arith.maxnumf %nan, %one : f32
  %2 = arith.maximumf %nzero, %zero : f32
  %3 = arith.minimumf %zero, %nzero : f32
  %4 = arith.remf %a, %b : f32
  %r = tensor.from_elements %0, %1, %2, %3, %4 : tensor<5xf32>
  return %r : tensor<5xf32>
}

// Halves round to nearest even; bf16 keeps 8 bits; f8 saturates or not as its format says.
// NARROW: 0: 2xf16 [2048, inf]
// NARROW: 1: 2xbf16 [256, 260]
// NARROW: 2: 2xf8E4M3FN [1.125, 448]
// NARROW: 3: 1xf64 [0.1]
func.func @narrow() -> (tensor<2xf16>, tensor<2xbf16>, tensor<2xf8E4M3FN>, tensor<1xf64>) {
  %0 = arith.constant dense<[2049.0, 1.0e6]> : tensor<2xf32>
  %1 = arith.constant dense<[257.0, 259.0]> : tensor<2xf32>
  %2 = arith.constant dense<[1.1, 448.0]> : tensor<2xf32>
  %a = arith.truncf %0 : tensor<2xf32> to tensor<2xf16>
  %b = arith.truncf %1 : tensor<2xf32> to tensor<2xbf16>
  %c = arith.truncf %2 : tensor<2xf32> to tensor<2xf8E4M3FN>
  %d = arith.constant dense<0.1> : tensor<1xf64>
  return %a, %b, %c, %d : tensor<2xf16>, tensor<2xbf16>, tensor<2xf8E4M3FN>, tensor<1xf64>
}

// MATH: 0: 6xf32 [2.71828175, 0.842700779, 2, 8, 3, 0.5]
// MATH: 1: 4xi32 [3, 81, 2, 31]
func.func @math() -> (tensor<6xf32>, tensor<4xi32>) {
  %one = arith.constant 1.0 : f32
  %h = arith.constant 2.5 : f32
  %two = arith.constant 2.0 : f32
  %three = arith.constant 3.0 : f32
  %four = arith.constant 4.0 : f32
  %0 = math.exp %one : f32
  %1 = math.erf %one : f32
  %2 = math.roundeven %h : f32
  %3 = math.powf %two, %three : f32
  %4 = math.round %h : f32
  %5 = math.rsqrt %four : f32
  %r = tensor.from_elements %0, %1, %2, %3, %4, %5 : tensor<6xf32>
  %m3 = arith.constant -3 : i32
  %i1 = arith.constant 1 : i32
  %i4 = arith.constant 4 : i32
  %6 = math.absi %m3 : i32
  %7 = math.ipowi %m3, %i4 : i32
  %i5 = arith.constant 5 : i32
  %8 = math.ctpop %i5 : i32
  %9 = math.ctlz %i1 : i32
  %s = tensor.from_elements %6, %7, %8, %9 : tensor<4xi32>
  return %r, %s : tensor<6xf32>, tensor<4xi32>
}
