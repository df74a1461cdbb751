//===- Target.cpp - which machine code is generated for ---------------------------------===//
//
// Targets are data: a table of names, and the host as LLVM and the operating system describe it.
//
//===----------------------------------------------------------------------===//
#include "tenon/Schedule/Target.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/TargetParser/Host.h"
#include <cstdlib>

using namespace mlir;

namespace {

struct Row {
  llvm::StringLiteral name, cpu, features;
  int64_t vectorBits, registers, l1, l2, l3, fmas = 2;
};

// Cache sizes are those of common server parts; they only steer tile sizes.
constexpr Row kTable[] = {
    {"x86-64-v2", "x86-64-v2", "", 128, 16, 32 << 10, 512 << 10, 16 << 20},
    {"x86-64-v3", "x86-64-v3", "", 256, 16, 32 << 10, 512 << 10, 16 << 20},
    {"x86-64-v4", "x86-64-v4", "", 512, 32, 32 << 10, 1 << 20, 32 << 20},
    {"znver3", "znver3", "", 256, 16, 32 << 10, 512 << 10, 32 << 20},
    {"znver4", "znver4", "", 512, 32, 32 << 10, 1 << 20, 32 << 20, 1},
    {"icelake-server", "icelake-server", "", 512, 32, 48 << 10, 1280 << 10, 32 << 20},
};

/// The size of the host's data cache of `level` in bytes, or `fallback`.
int64_t readCacheSize(int level, int64_t fallback) {
  for (int index = 0; index < 8; ++index) {
    std::string base = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    auto read = [&](const char *file) -> std::string {
      auto buffer = llvm::MemoryBuffer::getFileAsStream(base + file);
      return buffer ? (*buffer)->getBuffer().trim().str() : "";
    };
    if (read("level") != std::to_string(level) || read("type") == "Instruction")
      continue;
    std::string text = read("size");
    llvm::StringRef size = text;
    int64_t unit = size.consume_back("K") ? 1 << 10 : size.consume_back("M") ? 1 << 20 : 1, value = 0;
    if (!size.getAsInteger(10, value) && value > 0)
      return value * unit;
  }
  return fallback;
}

} // namespace

tenon::TargetAttr tenon::detectHostTarget(MLIRContext *context) {
  std::string features;
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  std::vector<std::string> names;
  for (auto &entry : host)
    names.push_back((entry.second ? "+" : "-") + entry.first().str());
  llvm::sort(names); // the map's order is no order: the text is part of cache keys
  for (const std::string &name : names)
    features += (features.empty() ? "" : ",") + name;
  bool wide = host.lookup("avx512f") && host.lookup("avx512vl") && host.lookup("avx512dq") && host.lookup("avx512bw");
  bool avx2 = host.lookup("avx2") && host.lookup("fma");
  llvm::StringRef cpu = llvm::sys::getHostCPUName();
  int64_t fmas = 2;
  for (const Row &row : kTable)
    if (row.cpu == cpu)
      fmas = row.fmas;
  return TargetAttr::get(context, llvm::sys::getDefaultTargetTriple(), cpu, features,
                         wide   ? 512
                         : avx2 ? 256
                                : 128,
                         wide ? 32 : 16, readCacheSize(1, 32 << 10), readCacheSize(2, 512 << 10),
                         readCacheSize(3, 16 << 20), fmas, /*peak_gflops=*/0, /*l3_gbps=*/0, /*memory_gbps=*/0);
}

tenon::TargetAttr tenon::lookupTarget(MLIRContext *context, llvm::StringRef name) {
  if (name.empty() || name == "host") {
    const char *variable = std::getenv("TENON_TARGET");
    if (!variable || llvm::StringRef(variable).empty() || llvm::StringRef(variable) == "host")
      return detectHostTarget(context);
    name = variable;
  }
  for (const Row &row : kTable)
    if (row.name == name)
      return TargetAttr::get(context, llvm::sys::getDefaultTargetTriple(), row.cpu, row.features, row.vectorBits,
                             row.registers, row.l1, row.l2, row.l3, row.fmas, /*peak_gflops=*/0, /*l3_gbps=*/0,
                             /*memory_gbps=*/0);
  return {};
}

tenon::TargetAttr tenon::getTarget(ModuleOp module) {
  auto target = module->getAttrOfType<TargetAttr>(kTargetAttr);
  if (!target)
    target = lookupTarget(module.getContext(), "host");
  if (!target)
    module.emitError(explainUnknownTarget("host"));
  return target;
}

std::string tenon::explainUnknownTarget(llvm::StringRef name) {
  const char *variable = std::getenv("TENON_TARGET");
  std::string text = name.empty() || name == "host"
                         ? "TENON_TARGET is the unknown target '" + std::string(variable) + "'"
                         : "unknown target '" + name.str() + "'";
  text += "; there are: host";
  for (const Row &row : kTable)
    text += ", " + row.name.str();
  return text;
}
