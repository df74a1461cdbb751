//===- Formats.h - low-precision storage: #tenon.format, dequantize, quantize -----===//
#pragma once
#include "tenon/Dialect/IR/Tenon.h"

#define GET_ATTRDEF_CLASSES
#include "tenon/Dialect/IR/FormatsAttrs.h.inc"
#define GET_OP_CLASSES
#include "tenon/Dialect/IR/FormatsOps.h.inc"
