//===- Proto.h - a view of an ONNX file ------------------------------------------===//
//
// The parts of the ONNX schema that the importer reads, as plain structs whose strings and raw data are views into the
// mapped file. We read the wire format ourselves instead of linking protobuf: initializers then never leave the file
// and their offsets are known, Debian's static protobuf cannot be linked into a shared object (it is not
// position-independent), and a shared one would clash with that of a Python process that has imported onnx.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tenon::onnx::proto {

/// TensorProto.DataType.
enum DataType : int32_t {
  Undefined = 0,
  Float = 1,
  UInt8 = 2,
  Int8 = 3,
  UInt16 = 4,
  Int16 = 5,
  Int32 = 6,
  Int64 = 7,
  String = 8,
  Bool = 9,
  Float16 = 10,
  Double = 11,
  UInt32 = 12,
  UInt64 = 13,
  Complex64 = 14,
  Complex128 = 15,
  BFloat16 = 16,
  Float8E4M3FN = 17,
  Float8E4M3FNUZ = 18,
  Float8E5M2 = 19,
  Float8E5M2FNUZ = 20,
  UInt4 = 21,
  Int4 = 22,
  Float4E2M1 = 23,
  Float8E8M0 = 24,
  UInt2 = 25,
  Int2 = 26
};

struct Tensor {
  std::vector<int64_t> dims;
  int32_t dataType = 0;
  llvm::StringRef name;
  llvm::StringRef raw;
  bool hasRaw = false;
  /// Typed data, widened: floats to double, integers (and bit patterns of narrow floats) to int64.
  std::vector<double> doubles;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  bool hasStrings = false, external = false;
  std::vector<std::pair<llvm::StringRef, llvm::StringRef>> externalData;
};

struct Graph;

struct Attribute {
  llvm::StringRef name, refAttrName, s;
  int32_t type = 0;
  float f = 0;
  int64_t i = 0;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<llvm::StringRef> strings;
  std::shared_ptr<Tensor> tensor;
  std::shared_ptr<Graph> graph;
  bool hasSparse = false;
};
enum AttributeType { AttrFloat = 1, AttrInt, AttrString, AttrTensor, AttrGraph, AttrFloats, AttrInts, AttrStrings };

struct Node {
  std::vector<llvm::StringRef> inputs, outputs;
  llvm::StringRef name, opType, domain, overload;
  std::vector<Attribute> attributes;
};

struct Dim {
  int64_t value = -1;
  llvm::StringRef param;
};
struct ValueInfo {
  llvm::StringRef name;
  /// 0: no type; 1: tensor; others are sequences, maps, optionals, sparse tensors.
  int kind = 0;
  int32_t elemType = 0;
  bool hasShape = false;
  std::vector<Dim> dims;
};

struct Graph {
  llvm::StringRef name;
  std::vector<Node> nodes;
  std::vector<Tensor> initializers;
  std::vector<ValueInfo> inputs, outputs;
  bool hasSparse = false;
};

struct Opset {
  llvm::StringRef domain;
  int64_t version = 0;
};
struct Function {
  llvm::StringRef name, domain, overload;
  std::vector<llvm::StringRef> inputs, outputs, attributes;
  std::vector<Attribute> defaults;
  std::vector<Node> nodes;
  std::vector<Opset> opsets;
};
struct Model {
  int64_t irVersion = 0;
  std::vector<Opset> opsets;
  Graph graph;
  bool hasGraph = false, hasTraining = false;
  std::vector<Function> functions;
};

/// Reads a model; false and a reason with the byte offset when the bytes are not a well-formed ONNX message.
bool parse(llvm::StringRef bytes, Model &model, std::string &error);

} // namespace tenon::onnx::proto
