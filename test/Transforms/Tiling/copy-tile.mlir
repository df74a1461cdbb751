// RUN: tenon-opt %s --tenon-tile-generic --tenon-bufferize-kernels --tenon-check-tiled | FileCheck %s
// RUN: tenon-opt %s --tenon-tile-generic --tenon-bufferize-kernels --tenon-expand-linalg | FileCheck %s --check-prefix=LOOP

// The pieces of a concat go straight to their places.
// CHECK-LABEL: func.func private @concat
// CHECK: scf.forall (%{{.*}}) in (3)
// CHECK-NOT: memref.alloc
// CHECK-COUNT-2: memref.copy
func.func private @concat(%x: tensor<3x5x1000xf32>, %y: tensor<3x7x1000xf32>, %o: tensor<3x12x1000xf32>) -> tensor<3x12x1000xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "copy">} {
  %r = tensor.concat dim(1) %x, %y : (tensor<3x5x1000xf32>, tensor<3x7x1000xf32>) -> tensor<3x12x1000xf32>
  return %r : tensor<3x12x1000xf32>
}

// A pad writes each element once: borders are filled, the middle copied.
// CHECK-LABEL: func.func private @pad
// CHECK-SAME: tenon.copies = 1
// CHECK-NOT: memref.alloc
func.func private @pad(%x: tensor<16x50x50xf32>, %o: tensor<16x52x53xf32>) -> tensor<16x52x53xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "copy">} {
  %c = arith.constant 0.0 : f32
  %r = tensor.pad %x low[0, 1, 1] high[0, 1, 2] {
  ^bb0(%i: index, %j: index, %k: index):
    tensor.yield %c : f32
  } : tensor<16x50x50xf32> to tensor<16x52x53xf32>
  return %r : tensor<16x52x53xf32>
}

// A transpose turns squares in registers.
// CHECK-LABEL: func.func private @transpose
// CHECK: scf.forall (%{{.*}}, %{{.*}}) = (0, 0) to (512, 512) step (64, 256)
// LOOP-LABEL: func.func private @transpose
// LOOP-COUNT-8: vector.load {{.*}} vector<8xf32>
// LOOP-COUNT-24: vector.shuffle
// LOOP-COUNT-8: vector.store
func.func private @transpose(%x: tensor<512x512xf32>, %o: tensor<512x512xf32>) -> tensor<512x512xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "copy", vector_width = 8>} {
  %r = linalg.transpose ins(%x : tensor<512x512xf32>) outs(%o : tensor<512x512xf32>) permutation = [1, 0]
  return %r : tensor<512x512xf32>
}

// A gather of rows is a loop of vector copies.
// LOOP-LABEL: func.func private @gather
// LOOP: scf.forall
// LOOP: arith.index_cast
// LOOP: vector.load %{{.*}} : memref<100x64xf32>, vector<8xf32>
// LOOP: vector.store
func.func private @gather(%x: tensor<100x64xf32>, %i: tensor<?xi64>, %n: index, %o: tensor<?x64xf32>) -> tensor<?x64xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "copy", vector_width = 8>} {
  %r = tensor.generate %n {
  ^bb0(%a: index, %b: index):
    %v = tensor.extract %i[%a] : tensor<?xi64>
    %w = arith.index_cast %v : i64 to index
    %z = tensor.extract %x[%w, %b] : tensor<100x64xf32>
    tensor.yield %z : f32
  } : tensor<?x64xf32>
  return %r : tensor<?x64xf32>
}
