//===- Npy.h - NumPy's .npy files ----------------------------------------------------------===//
//
// Arrays as bytes with a type name; knows no compiler types, so that any room may use it.
//
//===----------------------------------------------------------------------===//
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace tenon {

struct NpyArray {
  /// NumPy's name: "float32", "int64", "bool", ...; types that NumPy lacks travel as "uint8", "uint16" bits.
  std::string dtype;
  std::vector<int64_t> shape;
  /// Row-major, little-endian.
  std::vector<char> bytes;
};

/// Reads a file; returns false and sets `error` for files that are no .npy of numbers.
bool readNpy(const std::string &path, NpyArray &array, std::string &error);
bool writeNpy(const std::string &path, const NpyArray &array, std::string &error);

} // namespace tenon
