// REQUIRES: tenon-run
// What a Program does wrong at run time is an error at the op, never a crash.
// RUN: not tenon-run --reference --entry divide %s 2>&1 | FileCheck %s --check-prefix=DIVIDE
// RUN: not tenon-run --reference --entry extract %s 2>&1 | FileCheck %s --check-prefix=EXTRACT
// RUN: not tenon-run --reference --entry slice %s 2>&1 | FileCheck %s --check-prefix=SLICE
// RUN: not tenon-run --reference --entry gather %s 2>&1 | FileCheck %s --check-prefix=GATHER
// RUN: not tenon-run --reference --entry negative %s 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not tenon-run --reference --entry check %s 2>&1 | FileCheck %s --check-prefix=CHECK
// RUN: not tenon-run --reference --entry recursion %s 2>&1 | FileCheck %s --check-prefix=RECURSION
// RUN: not tenon-run --reference --entry unequal %s 2>&1 | FileCheck %s --check-prefix=UNEQUAL
// RUN: not tenon-run --reference --entry unknown %s 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not tenon-run --reference --entry weight %s 2>&1 | FileCheck %s --check-prefix=WEIGHT
// RUN: not tenon-run --reference --entry step %s 2>&1 | FileCheck %s --check-prefix=STEP
// RUN: not tenon-run --reference --entry endless --max-steps 1000 %s 2>&1 | FileCheck %s --check-prefix=ENDLESS
// RUN: not tenon-run --reference --entry counted --max-steps 9 %s 2>&1 | FileCheck %s --check-prefix=COUNTED
// RUN: tenon-run --reference --entry counted --max-steps 10 %s | FileCheck %s --check-prefix=ENOUGH
// RUN: not tenon-run --reference --entry absent %s 2>&1 | FileCheck %s --check-prefix=ABSENT
// ABSENT: has no function 'absent'

// DIVIDE: errors.mlir":[[#@LINE+3]]:{{.*}}division by zero
func.func @divide() -> tensor<1xi32> {
  %0 = arith.constant 0 : i32
  %1 = arith.divsi %0, %0 : i32
  %r = tensor.from_elements %1 : tensor<1xi32>
  return %r : tensor<1xi32>
}
// EXTRACT: index out of bounds: 2 of 2
func.func @extract(%x: tensor<?xf32>) -> tensor<1xf32> {
  %c2 = arith.constant 2 : index
  %e = tensor.extract %x[%c2] : tensor<?xf32>
  %r = tensor.from_elements %e : tensor<1xf32>
  return %r : tensor<1xf32>
}
// SLICE: slice out of bounds: offset 1, size 2, stride 1 of 2
func.func @slice(%x: tensor<?xf32>) -> tensor<2xf32> {
  %r = tensor.extract_slice %x[1] [2] [1] : tensor<?xf32> to tensor<2xf32>
  return %r : tensor<2xf32>
}
// GATHER: index out of bounds: 2 of 2
func.func @gather(%x: tensor<?xf32>) -> tensor<3xf32> {
  %e = tensor.empty() : tensor<3xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%e : tensor<3xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %v = tensor.extract %x[%i] : tensor<?xf32>
    linalg.yield %v : f32
  } -> tensor<3xf32>
  return %r : tensor<3xf32>
}
// NEGATIVE: impossible tensor size: -1
func.func @negative() -> tensor<?xf32> {
  %c = arith.constant -1 : index
  %r = tensor.empty(%c) : tensor<?xf32>
  return %r : tensor<?xf32>
}
// CHECK: the node's own words
func.func @check() -> tensor<0xf32> {
  %false = arith.constant false
  cf.assert %false, "the node's own words"
  %r = tensor.empty() : tensor<0xf32>
  return %r : tensor<0xf32>
}
// RECURSION: calls are nested deeper than 200
func.func @recursion() -> tensor<1xf32> {
  %r = func.call @recursion() : () -> tensor<1xf32>
  return %r : tensor<1xf32>
}
// UNEQUAL: expected sizes of operands to agree, but got 2 and 3
func.func @unequal(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c3 = arith.constant 3 : index
  %e = tensor.empty(%c3) : tensor<?xf32>
  %r = linalg.exp ins(%x : tensor<?xf32>) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  return %r : tensor<?xf32>
}
// UNKNOWN: 'bufferization.to_buffer' is not in the reference evaluator
func.func @unknown(%x: tensor<2xf32>) -> tensor<2xf32> {
  %m = bufferization.to_buffer %x : tensor<2xf32> to memref<2xf32>
  return %x : tensor<2xf32>
}
tenon.weight @w from "no-such-file" at 0 length 8 : tensor<2xf32>
// WEIGHT: cannot read 'no-such-file'
func.func @weight() -> tensor<2xf32> {
  %w = tenon.load_weight @w : tensor<2xf32>
  return %w : tensor<2xf32>
}
// STEP: expected a positive step, but got 0
func.func @step() -> tensor<0xf32> {
  %c0 = arith.constant 0 : index
  scf.for %i = %c0 to %c0 step %c0 {
  }
  %r = tensor.empty() : tensor<0xf32>
  return %r : tensor<0xf32>
}
// ENDLESS: errors.mlir":[[#@LINE+3]]:{{.*}}loops ran for more than 1000 steps in the reference evaluator (--max-steps)
func.func @endless(%x: tensor<1xf32>) -> tensor<1xf32> {
  %true = arith.constant true
  %r = scf.while (%y = %x) : (tensor<1xf32>) -> tensor<1xf32> {
    scf.condition(%true) %y : tensor<1xf32>
  } do {
  ^bb0(%y: tensor<1xf32>):
    scf.yield %y : tensor<1xf32>
  }
  return %r : tensor<1xf32>
}
// Nested loops count together: 2 and 2 * 4 steps.
// COUNTED: loops ran for more than 9 steps
// ENOUGH: 0: 1xindex [8]
func.func @counted() -> tensor<1xindex> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %n = scf.for %i = %c0 to %c2 step %c1 iter_args(%a = %c0) -> index {
    %m = scf.for %j = %c0 to %c4 step %c1 iter_args(%b = %a) -> index {
      %c = arith.addi %b, %c1 : index
      scf.yield %c : index
    }
    scf.yield %m : index
  }
  %r = tensor.from_elements %n : tensor<1xindex>
  return %r : tensor<1xindex>
}
