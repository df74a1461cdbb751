//===- State.h - sequence mixing through a state: linear attention, recurrences ----------===//
#pragma once
#include "tenon/Dialect/IR/Tenon.h"

#include "tenon/Dialect/IR/StateEnums.h.inc"
#define GET_OP_CLASSES
#include "tenon/Dialect/IR/StateOps.h.inc"
