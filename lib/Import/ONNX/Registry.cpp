//===- Registry.cpp - operators by name and version ---------------------------------===//
//
// One function per family fills the registry on first use.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

using namespace tenon::onnx;

void Registry::on(llvm::StringRef name, int64_t since, Handler handler, llvm::StringRef domain) {
  ops[{domain.str(), name.str()}][since] = std::move(handler);
}
const Handler *Registry::find(llvm::StringRef domain, llvm::StringRef name, int64_t version) const {
  auto it = ops.find({domain.str(), name.str()});
  if (it == ops.end())
    return nullptr;
  auto after = it->second.upper_bound(version);
  return after == it->second.begin() ? nullptr : &std::prev(after)->second;
}
bool Registry::hasName(llvm::StringRef domain, llvm::StringRef name) const {
  return ops.count({domain.str(), name.str()});
}
const Registry &Registry::get() {
  static const Registry registry = [] {
    Registry r;
    registerElementWise(r);
    registerMovement(r);
    registerShape(r);
    registerReduce(r);
    registerMatMul(r);
    registerConv(r);
    registerControlFlow(r);
    registerNormalization(r);
    registerResize(r);
    registerRecurrent(r);
    registerQuantize(r);
    registerIndexing(r);
    registerSelect(r);
    registerLoss(r);
    registerAttention(r);
    registerGenerate(r);
    registerState(r);
    registerNormalization(r);
    return r;
  }();
  return registry;
}
std::vector<SupportedOp> tenon::onnx::listSupportedOps() {
  std::vector<SupportedOp> result;
  for (const auto &[key, versions] : Registry::get().ops) {
    SupportedOp op{key.first, key.second, {}};
    for (const auto &[since, handler] : versions)
      op.sinceVersions.push_back(since);
    result.push_back(op);
  }
  return result;
}
