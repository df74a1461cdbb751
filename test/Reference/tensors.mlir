// REQUIRES: tenon-run
// Movement, loops, structured ops, kernels; odd, empty and scalar shapes.
// RUN: tenon-run --reference --entry movement %s | FileCheck %s --check-prefix=MOVE
// RUN: tenon-run --reference --entry shapes %s | FileCheck %s --check-prefix=SHAPES
// RUN: tenon-run --reference --entry loops %s | FileCheck %s --check-prefix=LOOPS
// RUN: tenon-run --reference --entry structured %s | FileCheck %s --check-prefix=STRUCTURED
// RUN: tenon-run --reference --entry contract %s | FileCheck %s --check-prefix=CONTRACT
// RUN: tenon-run --reference --trace --entry dispatched %s | FileCheck %s --check-prefix=DISPATCH
// RUN: tenon-run --reference --entry joined %s | FileCheck %s --check-prefix=JOIN

// MOVE: 0: 3x4xi32 [9, 9, 9, 9, 9, 1, 2, 3, ..]
// MOVE: 1: 2xi32 [3, 6]
// MOVE: 2: 3x3xi32 [1, 2, 3, 4, 5, 6, 3, 6, ..]
// MOVE: 3: 2x3xi32 [7, 2, 8, 4, 5, 6]
func.func @movement() -> (tensor<3x4xi32>, tensor<2xi32>, tensor<3x3xi32>, tensor<2x3xi32>) {
  %x = arith.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi32>
  %c9 = arith.constant 9 : i32
  %p = tensor.pad %x low[1, 1] high[0, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %c9 : i32
  } : tensor<2x3xi32> to tensor<3x4xi32>
  %s = tensor.extract_slice %x[0, 2] [2, 1] [1, 1] : tensor<2x3xi32> to tensor<2xi32>
  %row = arith.constant dense<[[3, 6, 9]]> : tensor<1x3xi32>
  %c = tensor.concat dim(0) %x, %row : (tensor<2x3xi32>, tensor<1x3xi32>) -> tensor<3x3xi32>
  %v = arith.constant dense<[[7, 8]]> : tensor<1x2xi32>
  %n = tensor.insert_slice %v into %x[0, 0] [1, 2] [1, 2] : tensor<1x2xi32> into tensor<2x3xi32>
  return %p, %s, %c, %n : tensor<3x4xi32>, tensor<2xi32>, tensor<3x3xi32>, tensor<2x3xi32>
}

// SHAPES: 0: 3x1x2xi32 [1, 2, 3, 4, 5, 6]
// SHAPES: 1: 0x3xf32 []
// SHAPES: 2: i64 [6]
// SHAPES: 3: 2x2xindex [0, 1, 10, 11]
func.func @shapes() -> (tensor<3x1x2xi32>, tensor<0x3xf32>, tensor<i64>, tensor<2x2xindex>) {
  %x = arith.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi32>
  %f = tensor.collapse_shape %x [[0, 1]] : tensor<2x3xi32> into tensor<6xi32>
  %e = tensor.expand_shape %f [[0, 1, 2]] output_shape [3, 1, 2] : tensor<6xi32> into tensor<3x1x2xi32>
  %none = tensor.empty() : tensor<0x3xf32>
  %y = linalg.exp ins(%none : tensor<0x3xf32>) outs(%none : tensor<0x3xf32>) -> tensor<0x3xf32>
  %c0 = arith.constant 0 : index
  %d = tensor.dim %f, %c0 : tensor<6xi32>
  %i = arith.index_cast %d : index to i64
  %s = tensor.from_elements %i : tensor<i64>
  %c10 = arith.constant 10 : index
  %g = tensor.generate {
  ^bb0(%a: index, %b: index):
    %m = arith.muli %a, %c10 : index
    %z = arith.addi %m, %b : index
    tensor.yield %z : index
  } : tensor<2x2xindex>
  return %e, %y, %s, %g : tensor<3x1x2xi32>, tensor<0x3xf32>, tensor<i64>, tensor<2x2xindex>
}

// LOOPS: 0: 3xindex [10, 16, 7]
func.func @loops() -> tensor<3xindex> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c5 = arith.constant 5 : index
  %c10 = arith.constant 10 : index
  %sum = scf.for %i = %c0 to %c5 step %c1 iter_args(%s = %c0) -> index {
    %n = arith.addi %s, %i : index
    scf.yield %n : index
  }
  %grown = scf.while (%x = %c1) : (index) -> index {
    %more = arith.cmpi slt, %x, %c10 : index
    scf.condition(%more) %x : index
  } do {
  ^bb0(%x: index):
    %n = arith.muli %x, %c2 : index
    scf.yield %n : index
  }
  %big = arith.cmpi sgt, %grown, %c10 : index
  %chosen = scf.if %big -> index {
    %n = affine.apply affine_map<(d0) -> (d0 floordiv 2 + 2)>(%sum)
    scf.yield %n : index
  } else {
    scf.yield %c0 : index
  }
  %r = tensor.from_elements %sum, %grown, %chosen : tensor<3xindex>
  return %r : tensor<3xindex>
}

// STRUCTURED: 0: 2x2xf32 [22, 28, 49, 64]
// STRUCTURED: 1: 3x2xf32 [1, 4, 2, 5, 3, 6]
// STRUCTURED: 2: 2xf32 [6, 15]
func.func @structured() -> (tensor<2x2xf32>, tensor<3x2xf32>, tensor<2xf32>) {
  %a = arith.constant dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf32>
  %b = arith.constant dense<[[1., 2.], [3., 4.], [5., 6.]]> : tensor<3x2xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x2xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %m = linalg.matmul ins(%a, %b : tensor<2x3xf32>, tensor<3x2xf32>) outs(%z : tensor<2x2xf32>) -> tensor<2x2xf32>
  %te = tensor.empty() : tensor<3x2xf32>
  %t = linalg.transpose ins(%a : tensor<2x3xf32>) outs(%te : tensor<3x2xf32>) permutation = [1, 0]
  %re = tensor.empty() : tensor<2xf32>
  %rz = linalg.fill ins(%zero : f32) outs(%re : tensor<2xf32>) -> tensor<2xf32>
  %r = linalg.reduce { arith.addf } ins(%a : tensor<2x3xf32>) outs(%rz : tensor<2xf32>) dimensions = [1]
  return %m, %t, %r : tensor<2x2xf32>, tensor<3x2xf32>, tensor<2xf32>
}

// CONTRACT: 0: 2x2xf32 [23, 29, 50, 65]
func.func @contract() -> tensor<2x2xf32> {
  %a = arith.constant dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf32>
  %b = arith.constant dense<[[1., 2.], [3., 4.], [5., 6.]]> : tensor<3x2xf32>
  %one = arith.constant dense<1.0> : tensor<2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<2x3xf32>) rhs(%b : tensor<3x2xf32>)
      extras(%one : tensor<2xf32>) outs(%e : tensor<2x2xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (n)>,
            affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32, %bias: f32):
    %s = arith.addf %acc, %bias : f32
    tenon.yield %s : f32
  } -> tensor<2x2xf32>
  return %c : tensor<2x2xf32>
}

// DISPATCH: @k0: 2xf32 [2, 4]
// DISPATCH: 0: 2xf32 [2, 4]
func.func private @k0(%x: tensor<2xf32>, %o: tensor<2xf32>) -> tensor<2xf32> attributes {tenon.kernel} {
  %y = linalg.add ins(%x, %x : tensor<2xf32>, tensor<2xf32>) outs(%o : tensor<2xf32>) -> tensor<2xf32>
  return %y : tensor<2xf32>
}
func.func @dispatched() -> tensor<2xf32> {
  %x = arith.constant dense<[1., 2.]> : tensor<2xf32>
  %e = tensor.empty() : tensor<2xf32>
  %r = tenon.dispatch @k0 ins(%x : tensor<2xf32>) outs(%e : tensor<2xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// JOIN: 0: 2x3xi32 [5, 6, 1, 2, 3, 4]
func.func @joined() -> tensor<2x3xi32> {
  %a = arith.constant dense<[5, 6]> : tensor<2xi32>
  %b = arith.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi32>
  %e = tensor.empty() : tensor<2x3xi32>
  %r = tenon.join ins(%a, %b : tensor<2xi32>, tensor<2x2xi32>) outs(%e : tensor<2x3xi32>) -> tensor<2x3xi32>
  return %r : tensor<2x3xi32>
}
