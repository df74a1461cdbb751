// REQUIRES: tenon-run
// The compiled model beside the evaluator: a wrong kernel is named with its source, also where later ones depend on it.
// RUN: rm -rf %t && mkdir -p %t && cp %s %t/model.mlir
// RUN: tenon-run --verify %t/model.mlir | FileCheck %s --check-prefix=AGREES
// RUN: tenon-run --verify %t/model.mlir --target x86-64-v3 --open-size 35 | FileCheck %s --check-prefix=AGREES
// AGREES: all 4 kernels (4 dispatches) and 2 outputs agree with the reference

// A shared object of a Program with another constant stands for a miscompile.
// RUN: sed "s/2\.5/2.75/" %s > %t/wrong.mlir
// RUN: %python -m tenon compile %t/wrong.mlir --target x86-64-v3 -o %t/wrong.so
// RUN: not tenon-run --verify %t/model.mlir --target x86-64-v3 --compiled %t/wrong.so > %t/found
// RUN: FileCheck %s --check-prefix=WRONG < %t/found
// WRONG: @k1_contract (dispatch 2 of 4) differs from the reference
// WRONG-NEXT: from: {{.*}}model.mlir:[[#@LINE+42]]:
// WRONG-NEXT: ops: tenon.tile_contract
// WRONG-NEXT: schedule: #tenon.schedule<algorithm = "contract"
// WRONG-NEXT: result 0 at []: compiled {{.*}}, reference {{.*}}; the difference is {{.*}}, the tolerance {{.*}} (atol 0.0001 + rtol 0.001 * |reference|)
// WRONG-NEXT: 1 of 1 elements differ
// A wide tolerance forgives it.
// RUN: tenon-run --verify %t/model.mlir --target x86-64-v3 --compiled %t/wrong.so --rtol 1 | FileCheck %s --check-prefix=AGREES

// The same among kernels, at the stage with schedules, and for integers.
// RUN: tenon-opt %s --tenon-optimize-program --tenon-make-kernels -o %t/kernels.mlir
// RUN: sed "s/dense<3>/dense<4>/" %t/kernels.mlir > %t/edited.mlir
// RUN: %python -m tenon compile %t/edited.mlir -o %t/edited.so
// RUN: tenon-run --verify %t/kernels.mlir | FileCheck %s --check-prefix=AGREES
// RUN: not tenon-run --verify %t/kernels.mlir --compiled %t/edited.so > %t/found
// RUN: FileCheck %s --check-prefix=EDITED < %t/found
// EDITED: @k3_elementwise (dispatch 4 of 4) differs from the reference
// EDITED: result 0 at [0]: compiled {{[45]}}, reference {{[34]}}; integers must be equal

// What cannot be compared is no difference: exit status 3.
// RUN: not tenon-run --verify %s --compiled %t/absent.so 2>&1 | FileCheck %s --check-prefix=ABSENT
// ABSENT: cannot open '{{.*}}absent.so'
// RUN: sed "s/ins(.scaled : /ins(%%sum : /" %s > %t/other.mlir
// RUN: %python -m tenon compile %t/other.mlir -o %t/other.so
// RUN: not tenon-run --verify %s --compiled %t/other.so 2>&1 | FileCheck %s --check-prefix=OTHER
// OTHER: is not what this model compiles to: its kernels are others
// RUN: not tenon-run --verify %s --target z80 2>&1 | FileCheck %s --check-prefix=TARGET
// TARGET: unknown target 'z80'
// RUN: %python -c "import subprocess; assert subprocess.run(['tenon-run', '--verify', r'%s', '--target', 'z80']).returncode == 3"
// RUN: not tenon-run --verify --reference %s 2>&1 | FileCheck %s --check-prefix=ONE
// ONE: give --reference or --verify
// RUN: not tenon-run --verify %s --trace 2>&1 | FileCheck %s --check-prefix=TRACE
// TRACE: --jobs, --output-dir, --trace and --entry go with --reference
// RUN: not tenon-run --reference %s --rtol 1 2>&1 | FileCheck %s --check-prefix=RTOL
// RTOL: --compiled, --target, --rtol and --atol go with --verify

func.func @main(%x: tensor<5x?xf32> {tenon.name = "x"}, %n: tensor<7xi32>)
    -> (tensor<5xf32> {tenon.name = "y"}, tensor<7xi32> {tenon.name = "m"}) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5xf32>) -> tensor<5xf32>
  %sum = linalg.reduce { arith.addf } ins(%x : tensor<5x?xf32>) outs(%z : tensor<5xf32>) dimensions = [1]
  %k = arith.constant dense<2.5> : tensor<5xf32>
  %scaled = arith.mulf %sum, %k : tensor<5xf32>
  %e0 = tensor.empty() : tensor<f32>
  %z0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<f32>) -> tensor<f32>
  %all = linalg.reduce { arith.addf } ins(%scaled : tensor<5xf32>) outs(%z0 : tensor<f32>) dimensions = [0]
  %t = linalg.broadcast ins(%all : tensor<f32>) outs(%e : tensor<5xf32>) dimensions = [0]
  %three = arith.constant dense<3> : tensor<7xi32>
  %m = arith.addi %n, %three : tensor<7xi32>
  return %t, %m : tensor<5xf32>, tensor<7xi32>
}
