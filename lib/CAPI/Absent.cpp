//===- Absent.cpp - what the static libraries of LLVM refer to, and Tenon does not carry --------===//
//
// lld can optimise at link time, and for that prepares every backend and asks for Polly. It is never given anything to
// optimise. Defined here, none of that is linked.
//
//===----------------------------------------------------------------------===//
#include "llvm/Plugins/PassPlugin.h"

/// The static libraries' way to ask for a compiled-in plugin.
llvm::PassPluginLibraryInfo getPollyPluginInfo();

llvm::PassPluginLibraryInfo getPollyPluginInfo() {
  return {LLVM_PLUGIN_API_VERSION, "absent", "", [](llvm::PassBuilder &) {}};
}

// Of every backend but this machine's; the list comes from CMake.
#define TENON_ABSENT(backend)                                                                                          \
  extern "C" void LLVMInitialize##backend##TargetInfo() {}                                                             \
  extern "C" void LLVMInitialize##backend##Target() {}                                                                 \
  extern "C" void LLVMInitialize##backend##TargetMC() {}                                                               \
  extern "C" void LLVMInitialize##backend##AsmPrinter() {}                                                             \
  extern "C" void LLVMInitialize##backend##AsmParser() {}
TENON_ABSENT_BACKENDS
