// RUN: tenon-opt %s | tenon-opt | FileCheck %s
// The text is canonical: one order of fields, defaults left out, the version always there.

// CHECK: test.a = #tenon.schedule<algorithm = "contract", parallel = [128, 96, 0], cache = [0, 0, 64], order = [1, 0], register = [8, 48, 1], unroll = [2], pack = [1], prepack = [0], vector_dim = 1, vector_width = 16, version = 1>
// CHECK: test.a2 = #tenon.schedule<algorithm = "contract", in_order = true, version = 1>
// CHECK: test.a3 = #tenon.schedule<algorithm = "contract", version = 1>
// CHECK: test.b = #tenon.schedule<algorithm = "copy", version = 1>
module attributes {
  test.a = #tenon.schedule<version = 1, vector_width = 16, vector_dim = 1, pack = [1], prepack = [0], unroll = [2], register = [8, 48, 1],
                      order = [1, 0], cache = [0, 0, 64], parallel = [128, 96, 0], algorithm = "contract">,
  test.a2 = #tenon.schedule<in_order = true, algorithm = "contract">,
  test.a3 = #tenon.schedule<in_order = false, algorithm = "contract">,
  test.b = #tenon.schedule<algorithm = "copy">
} {}
