//===- TenonOps.td - everything of the dialect, in one place for tablegen --------===//
include "tenon/Dialect/IR/TenonBase.td"
include "tenon/Dialect/IR/Schedule.td"
include "tenon/Dialect/IR/Weight.td"
include "tenon/Dialect/IR/Kernel.td"
include "tenon/Dialect/IR/Contract.td"
include "tenon/Dialect/IR/Conv.td"
include "tenon/Dialect/IR/Attention.td"
