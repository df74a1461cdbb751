// RUN: tenon-opt %s --tenon-expand-shapes | FileCheck %s

// Two dynamic sizes in one group: the sizes that the op carries are taken.
// CHECK-LABEL: func.func @two
//  CHECK-SAME:   (%[[X:.*]]: memref<4x?xf32>, %[[H:.*]]: index, %[[W:.*]]: index)
//       CHECK:   %[[HW:.*]] = arith.muli %[[W]], %[[H]]
//       CHECK:   memref.reinterpret_cast %[[X]] to offset: [0], sizes: [4, %[[H]], %[[W]]], strides: [%[[HW]], %[[W]], 1]
func.func @two(%x: memref<4x?xf32>, %h: index, %w: index) -> memref<4x?x?xf32> {
  %y = memref.expand_shape %x [[0], [1, 2]] output_shape [4, %h, %w] : memref<4x?xf32> into memref<4x?x?xf32>
  return %y : memref<4x?x?xf32>
}

// One: upstream's pass can do it.
// CHECK-LABEL: func.func @one
//       CHECK:   memref.expand_shape
func.func @one(%x: memref<4x?xf32>, %h: index) -> memref<4x?x3xf32> {
  %y = memref.expand_shape %x [[0], [1, 2]] output_shape [4, %h, 3] : memref<4x?xf32> into memref<4x?x3xf32>
  return %y : memref<4x?x3xf32>
}
