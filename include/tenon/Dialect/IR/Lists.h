//===- Lists.h - which blocks of keys queries should see -------------------------------===//
#pragma once
#include "tenon/Dialect/IR/Tenon.h"

#include "tenon/Dialect/IR/ListsEnums.h.inc"
#define GET_OP_CLASSES
#include "tenon/Dialect/IR/ListsOps.h.inc"
