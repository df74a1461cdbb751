//===- Node.cpp - attributes and results of a node ---------------------------------===//
//
// Accessors that handlers use; see ImportContext.h.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

using namespace mlir;
using namespace tenon::onnx;
using llvm::StringRef;
using llvm::Twine;

LogicalResult Node::out(unsigned i, V v) {
  if (!v)
    return failure();
  if (i < outputs.size())
    outputs[i] = std::move(v);
  return success();
}
LogicalResult Node::fail(const Twine &reason) {
  imp.report(label + ": " + reason);
  return failure();
}
const proto::Attribute *Node::attr(StringRef name) const {
  for (const proto::Attribute &a : proto.attributes)
    if (a.name == name && a.refAttrName.empty())
      return &a;
  return nullptr;
}
int64_t Node::attrInt(StringRef name, int64_t otherwise) const {
  const proto::Attribute *a = attr(name);
  return a ? a->i : otherwise;
}
float Node::attrFloat(StringRef name, float otherwise) const {
  const proto::Attribute *a = attr(name);
  return a ? a->f : otherwise;
}
StringRef Node::attrString(StringRef name, StringRef otherwise) const {
  const proto::Attribute *a = attr(name);
  return a ? a->s : otherwise;
}
std::optional<Ints> Node::attrInts(StringRef name) const {
  const proto::Attribute *a = attr(name);
  if (!a)
    return std::nullopt;
  return Ints(a->ints.begin(), a->ints.end());
}
std::optional<SmallVector<float>> Node::attrFloats(StringRef name) const {
  const proto::Attribute *a = attr(name);
  if (!a)
    return std::nullopt;
  return SmallVector<float>(a->floats.begin(), a->floats.end());
}
std::optional<SmallVector<StringRef>> Node::attrStrings(StringRef name) const {
  const proto::Attribute *a = attr(name);
  if (!a)
    return std::nullopt;
  return SmallVector<StringRef>(a->strings.begin(), a->strings.end());
}
const proto::Tensor *Node::attrTensor(StringRef name) const {
  const proto::Attribute *a = attr(name);
  return a ? a->tensor.get() : nullptr;
}
const proto::Graph *Node::attrGraph(StringRef name) const {
  const proto::Attribute *a = attr(name);
  return a ? a->graph.get() : nullptr;
}
FailureOr<int64_t> Node::axis(int64_t a, int64_t rank) {
  if (a < -rank || a >= rank)
    return fail("axis " + Twine(a) + " is out of range for rank " + Twine(rank));
  return a < 0 ? a + rank : a;
}
FailureOr<Ints> Node::axes(ArrayRef<int64_t> list, int64_t rank) {
  Ints result;
  for (int64_t a : list) {
    FailureOr<int64_t> r = axis(a, rank);
    if (failed(r))
      return failure();
    if (llvm::is_contained(result, *r))
      return fail("axis " + Twine(a) + " is given twice");
    result.push_back(*r);
  }
  return result;
}
FailureOr<std::optional<Ints>> Node::axesInput(unsigned i, int64_t rank) {
  Ints given;
  if (has(i)) {
    std::optional<Ints> c = constIntsOf(in(i));
    if (!c)
      return fail("axes that are not constant are not supported");
    given = *c;
  } else if (auto a = attrInts("axes")) {
    given = *a;
  } else {
    return std::optional<Ints>();
  }
  FailureOr<Ints> r = axes(given, rank);
  if (failed(r))
    return failure();
  return std::optional<Ints>(*r);
}
