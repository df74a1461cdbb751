//===- Link.cpp - objects to a shared object, in process, by lld -----------------------===//
#include "tenon/Target/CPU/CodeGen.h"

#include "lld/Common/Driver.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include <mutex>

LLD_HAS_DRIVER(elf)

llvm::Error tenon::linkSharedObject(llvm::ArrayRef<std::string> objects, llvm::StringRef output) {
  // lld keeps its state in globals: one link at a time.
  static std::mutex lock;
  std::lock_guard<std::mutex> guard(lock);
  std::string out = output.str();
  std::vector<const char *> arguments = {"ld.lld", "-shared",     "--hash-style=gnu", "--build-id=none",
                                         "-z",     "noexecstack", "--gc-sections",    "--threads=1",
                                         "-o",     out.c_str()};
  for (const std::string &object : objects)
    arguments.push_back(object.c_str());
  // Functions of libm that have no expansion of ours yet are found at load time.
  static const char *libm = "/lib/x86_64-linux-gnu/libm.so.6";
  if (llvm::sys::fs::exists(libm))
    arguments.insert(arguments.end(), {"--as-needed", libm});
  std::string text, errors;
  llvm::raw_string_ostream textStream(text), errorStream(errors);
  lld::Result result = lld::lldMain(arguments, textStream, errorStream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0)
    return llvm::createStringError("linking '%s' failed: %s", out.c_str(), errors.c_str());
  return llvm::Error::success();
}
