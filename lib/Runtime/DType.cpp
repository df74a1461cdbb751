//===- DType.cpp - element types by name --------------------------------------------------===//
#include "tenon-c/tenon.h"

#include <cstring>

namespace {
struct Row {
  int32_t dtype, bits;
  const char *name;
};
constexpr Row kTypes[] = {{TENON_BOOL, 8, "bool"},
                          {TENON_INT8, 8, "int8"},
                          {TENON_INT16, 16, "int16"},
                          {TENON_INT32, 32, "int32"},
                          {TENON_INT64, 64, "int64"},
                          {TENON_UINT8, 8, "uint8"},
                          {TENON_UINT16, 16, "uint16"},
                          {TENON_UINT32, 32, "uint32"},
                          {TENON_UINT64, 64, "uint64"},
                          {TENON_FLOAT16, 16, "float16"},
                          {TENON_BFLOAT16, 16, "bfloat16"},
                          {TENON_FLOAT32, 32, "float32"},
                          {TENON_FLOAT64, 64, "float64"},
                          {TENON_FLOAT8E4M3FN, 8, "float8_e4m3fn"},
                          {TENON_FLOAT8E4M3FNUZ, 8, "float8_e4m3fnuz"},
                          {TENON_FLOAT8E5M2, 8, "float8_e5m2"},
                          {TENON_FLOAT8E5M2FNUZ, 8, "float8_e5m2fnuz"},
                          {TENON_INT4, 8, "int4"},
                          {TENON_UINT4, 8, "uint4"},
                          {TENON_INT2, 8, "int2"},
                          {TENON_UINT2, 8, "uint2"},
                          {TENON_FLOAT4E2M1, 8, "float4_e2m1fn"},
                          {TENON_FLOAT8E8M0, 8, "float8_e8m0fnu"}};
} // namespace

const char *tenon_dtype_name(int32_t dtype) {
  for (const Row &row : kTypes)
    if (row.dtype == dtype)
      return row.name;
  return nullptr;
}

int32_t tenon_dtype_from_name(const char *name) {
  for (const Row &row : kTypes)
    if (std::strcmp(row.name, name) == 0)
      return row.dtype;
  return 0;
}

int32_t tenon_dtype_bits(int32_t dtype) {
  for (const Row &row : kTypes)
    if (row.dtype == dtype)
      return row.bits;
  return 0;
}
