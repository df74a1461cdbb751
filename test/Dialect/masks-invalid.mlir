// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// window_c1
// expected-error @below {{expected bounds of a window of at least -1, but got -2 and 0}}
module attributes {test.a = #tenon.window<-2, 0>} {}

// -----

// prefix_c1
// expected-error @below {{expected the length of a prefix to be at least 0, but got -1}}
module attributes {test.a = #tenon.prefix<-1>} {}

// -----

// all_of_c1
// expected-error @below {{expected a mask to combine, but got 3 : i64}}
module attributes {test.a = #tenon.all_of<#tenon.causal, 3 : i64>} {}

// -----

// any_of_c1
// expected-error @below {{expected a mask to combine, but got 3 : i64}}
module attributes {test.a = #tenon.any_of<3 : i64>} {}

// -----

// not_c1
// expected-error @below {{expected a mask to combine, but got 3 : i64}}
module attributes {test.a = #tenon.not<3 : i64>} {}

// -----

// per_head_c1
// expected-error @below {{expected a mask to combine, but got 3 : i64}}
module attributes {test.a = #tenon.per_head<#tenon.causal, 3 : i64>} {}

// -----

// dilated_c1
// expected-error @below {{expected bounds of a dilated window of at least -1 and a positive dilation, but got 2, 0 and 0}}
module attributes {test.a = #tenon.dilated<2, 0, 0>} {}

// -----

// dilated_c1
// expected-error @below {{expected bounds of a dilated window of at least -1 and a positive dilation, but got -2, 0 and 1}}
module attributes {test.a = #tenon.dilated<-2, 0, 1>} {}

// -----

// strided_c1
// expected-error @below {{expected a positive stride and block of keys, and an offset below the stride, but got 2, 1 and 2}}
module attributes {test.a = #tenon.strided<2, 2, 1>} {}

// -----

// strided_c1
// expected-error @below {{expected a positive stride and block of keys, and an offset below the stride, but got 2, 0 and 1}}
module attributes {test.a = #tenon.strided<2, 1, 0>} {}

// -----

// neighborhood_c1
// expected-error @below {{expected lists of a neighborhood with an entry per dim of the grid, but got 1 for 2 dims}}
module attributes {test.a = #tenon.neighborhood<grid = [4, 4], size = [2]>} {}

// -----

// neighborhood_c1
// expected-error @below {{expected lists of a neighborhood with an entry per dim of the grid, but got 0 for 0 dims}}
module attributes {test.a = #tenon.neighborhood<grid = [], size = []>} {}

// -----

// neighborhood_c2
// expected-error @below {{expected windows of a neighborhood that fit the grid, with a stride up to their size, but got length 4, size 5, stride 1, dilation 1, causal 0}}
module attributes {test.a = #tenon.neighborhood<grid = [4], size = [5], stride = [1], dilation = [1], causal = [0]>} {}

// -----

// neighborhood_c2
// expected-error @below {{expected windows of a neighborhood that fit the grid, with a stride up to their size, but got length 4, size 3, stride 1, dilation 2, causal 0}}
module attributes {test.a = #tenon.neighborhood<grid = [4], size = [3], stride = [1], dilation = [2], causal = [0]>} {}

// -----

// neighborhood_c2
// expected-error @below {{expected windows of a neighborhood that fit the grid, with a stride up to their size, but got length 4, size 2, stride 3, dilation 1, causal 0}}
module attributes {test.a = #tenon.neighborhood<grid = [4], size = [2], stride = [3], dilation = [1], causal = [0]>} {}

// -----

// neighborhood_c2
// expected-error @below {{expected windows of a neighborhood that fit the grid, with a stride up to their size, but got length 4, size 2, stride 1, dilation 1, causal 2}}
module attributes {test.a = #tenon.neighborhood<grid = [4], size = [2], stride = [1], dilation = [1], causal = [2]>} {}

// -----

// neighborhood_c2
// expected-error @below {{expected windows of a neighborhood that fit the grid, with a stride up to their size, but got length 4, size 0, stride 1, dilation 1, causal 0}}
module attributes {test.a = #tenon.neighborhood<grid = [4], size = [0], stride = [1], dilation = [1], causal = [0]>} {}

// -----

// text
// expected-error @below {{expected grid, size, stride, dilation, causal or align, but got shape}}
module attributes {test.a = #tenon.neighborhood<shape = [4]>} {}

// -----

// text
// expected-error @below {{expected 'align' to be start or end, but got middle}}
module attributes {test.a = #tenon.neighborhood<grid = [4], size = [2], align = middle>} {}
