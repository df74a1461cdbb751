// RUN: tenon-opt %s --tenon-expand-math | FileCheck %s

// The nearest integer, two for what is left, six for the polynomial, and half of the exponent, for two powers.
// CHECK-LABEL: func.func @exp
// CHECK-NOT: math.exp
// CHECK-COUNT-10: math.fma
// CHECK-NOT: math.fma
// CHECK-COUNT-2: arith.shli
// CHECK: return
func.func @exp(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp %x : vector<16xf32>
  return %y : vector<16xf32>
}

// Of what is at most 0 one power and a constant one are enough, and nothing is clamped.
// CHECK-LABEL: func.func @exp_nonpositive
// CHECK-NOT: arith.select
// CHECK-COUNT-9: math.fma
// CHECK-NOT: math.fma
// CHECK-COUNT-1: arith.shli
// CHECK-COUNT-1: arith.select
// CHECK-NOT: arith.select
// CHECK: return
func.func @exp_nonpositive(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp %x {tenon.nonpositive} : vector<16xf32>
  return %y : vector<16xf32>
}

// Roots instead of a logarithm.
// CHECK-LABEL: func.func @pow
// CHECK-NOT: f64
// CHECK-COUNT-2: math.sqrt
// CHECK: return
func.func @pow(%x: vector<16xf32>) -> vector<16xf32> {
  %c = arith.constant dense<0.75> : vector<16xf32>
  %y = math.powf %x, %c : vector<16xf32>
  return %y : vector<16xf32>
}

// Functions without a form in f32 are computed in f64 and rounded once.
// CHECK-LABEL: func.func @log
// CHECK: arith.extf {{.*}} f32 to f64
// CHECK-NOT: math.log
// CHECK: arith.truncf {{.*}} f64 to f32
func.func @log(%x: f32) -> f32 {
  %y = math.log %x : f32
  return %y : f32
}

// bf16 is computed in f32; the conversions are integer arithmetic.
// CHECK-LABEL: func.func @bf16
// CHECK-NOT: arith.extf
// CHECK: arith.addf {{.*}} : vector<8xf32>
// CHECK-NOT: arith.truncf
// CHECK: return
func.func @bf16(%x: vector<8xbf16>, %y: vector<8xbf16>) -> vector<8xbf16> {
  %z = arith.addf %x, %y : vector<8xbf16>
  return %z : vector<8xbf16>
}

// CHECK-LABEL: func.func @f8
// CHECK-NOT: arith.extf
// CHECK-NOT: arith.truncf
// CHECK: return
func.func @f8(%x: vector<8xf8E4M3FN>) -> vector<8xf8E5M2> {
  %w = arith.extf %x : vector<8xf8E4M3FN> to vector<8xf32>
  %z = arith.truncf %w : vector<8xf32> to vector<8xf8E5M2>
  return %z : vector<8xf8E5M2>
}

// A type without NaN and infinities: too large is the largest.
// CHECK-LABEL: func.func @f4
// CHECK-NOT: arith.extf
// CHECK-NOT: arith.truncf
// CHECK: arith.trunci %{{.*}} : vector<8xi32> to vector<8xi4>
// CHECK: return
func.func @f4(%x: vector<8xf4E2M1FN>) -> vector<8xf4E2M1FN> {
  %w = arith.extf %x : vector<8xf4E2M1FN> to vector<8xf32>
  %y = arith.truncf %w : vector<8xf32> to vector<8xf4E2M1FN>
  return %y : vector<8xf4E2M1FN>
}

// A chain of maxima: each is a compare and a select of the larger one, NaN are looked for two at a time, and not in the
// first element, which the selects keep.
// CHECK-LABEL: func.func @maximum
// CHECK-SAME: (%[[A:.*]]: vector<16xf32>, %[[B:.*]]: vector<16xf32>, %[[C:.*]]: vector<16xf32>)
// CHECK: %[[AB:.*]] = arith.cmpf ogt, %[[B]], %[[A]]
// CHECK: %[[MAX:.*]] = arith.select %[[AB]], %[[B]], %[[A]]
// CHECK: arith.cmpf ogt, %[[C]], %[[MAX]]
// CHECK: %[[ALL:.*]] = arith.select
// CHECK: %[[NAN:.*]] = arith.cmpf uno, %[[B]], %[[C]]
// CHECK: %[[RESULT:.*]] = arith.select %[[NAN]], %{{.*}}, %[[ALL]]
// CHECK-NOT: arith.maximumf
// CHECK: return %[[RESULT]]
func.func @maximum(%a: vector<16xf32>, %b: vector<16xf32>, %c: vector<16xf32>) -> vector<16xf32> {
  %ab = arith.maximumf %a, %b : vector<16xf32>
  %y = arith.maximumf %ab, %c : vector<16xf32>
  return %y : vector<16xf32>
}

// A constant is no NaN: one compare.
// CHECK-LABEL: func.func @clamp
// CHECK-COUNT-1: arith.cmpf olt
// CHECK-NOT: arith.cmpf
// CHECK: return
func.func @clamp(%x: f32) -> f32 {
  %c = arith.constant 6.0 : f32
  %y = arith.minimumf %c, %x : f32
  return %y : f32
}
