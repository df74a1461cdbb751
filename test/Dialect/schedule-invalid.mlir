// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// schedule_c1
// expected-error @below {{expected schedule version 1, but got 2}}
module attributes {test.a = #tenon.schedule<algorithm = "rows", version = 2>} {}

// -----

// schedule_c2
// expected-error @below {{expected tile sizes of at least 0, but got -8}}
module attributes {test.a = #tenon.schedule<algorithm = "rows", parallel = [-8, 0]>} {}

// -----

// schedule_c3
// expected-error @below {{expected distinct dimensions below 2 in 'order' and 'unroll', but got 0}}
module attributes {test.a = #tenon.schedule<algorithm = "contract", parallel = [8, 0], order = [0, 0]>} {}

// -----

// schedule_c3
// expected-error @below {{expected distinct dimensions below 2 in 'order' and 'unroll', but got 2}}
module attributes {test.a = #tenon.schedule<algorithm = "contract", parallel = [8, 0], unroll = [2]>} {}

// -----

// schedule_c4
// expected-error @below {{expected 'vector_dim' to be -1 or below 2, but got 2}}
module attributes {test.a = #tenon.schedule<algorithm = "rows", parallel = [8, 0], vector_dim = 2>} {}

// -----

// schedule_c5
// expected-error @below {{expected 'vector_width' to be a power of two up to 64, but got 12}}
module attributes {test.a = #tenon.schedule<algorithm = "rows", parallel = [8, 0], vector_width = 12>} {}

// -----

// schedule_c6
// expected-error @below {{expected tile lists of one length, but got 2 and 3}}
module attributes {test.a = #tenon.schedule<algorithm = "contract", parallel = [8, 0], cache = [1, 1, 1]>} {}

// -----

// schedule_c7
// expected-error @below {{expected 'algorithm' to be contract, attention, grouped, winograd, fft, rows, elementwise or copy, but got 'magic'}}
module attributes {test.a = #tenon.schedule<algorithm = "magic">} {}

// -----

// schedule_c8
// expected-error @below {{expected 'pack' and 'prepack' to list 0 or 1 at most once, but got 2}}
module attributes {test.a = #tenon.schedule<algorithm = "contract", pack = [2]>} {}

// -----

// schedule_c8
// expected-error @below {{expected 'pack' and 'prepack' to list 0 or 1 at most once, but got 1}}
module attributes {test.a = #tenon.schedule<algorithm = "contract", pack = [1], prepack = [1]>} {}

// -----

// expected-error @below {{unknown field 'speed' of the schedule}}
module attributes {test.a = #tenon.schedule<algorithm = "contract", speed = 9>} {}

// -----

// expected-error @below {{field 'algorithm' of the schedule is given twice}}
module attributes {test.a = #tenon.schedule<algorithm = "contract", algorithm = "rows">} {}

// -----

// schedule_c9
// expected-error @below {{expected 'decode_rows' of at least 0, but got -1}}
module attributes {test.a = #tenon.schedule<algorithm = "contract", decode_rows = -1>} {}

// -----

// expected-error @below {{expected 'false', or 'true', for 'in_order'}}
module attributes {test.a = #tenon.schedule<algorithm = "contract", in_order = 1>} {}
