//===- Link.cpp - objects to a shared object, in process, by lld -----------------------===//
#include "tenon/Target/CPU/CodeGen.h"

#include "lld/Common/Driver.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <mutex>
#include <sys/mman.h>
#include <unistd.h>

LLD_HAS_DRIVER(elf)

namespace {

/// A file without a name, which needs no disk and goes with the process: lld reads files only.
class MemoryFile {
public:
  MemoryFile() : descriptor(memfd_create("tenon-objects", MFD_CLOEXEC)) {}
  ~MemoryFile() {
    if (descriptor >= 0)
      close(descriptor);
  }
  llvm::Error write(llvm::StringRef bytes) {
    if (descriptor < 0)
      return llvm::createStringError(llvm::errnoAsErrorCode(), "cannot make a file in memory");
    llvm::raw_fd_ostream stream(descriptor, /*shouldClose=*/false);
    stream << bytes;
    stream.flush();
    std::error_code code = stream.error();
    stream.clear_error();
    return code ? llvm::createStringError(code, "cannot write %zu bytes of objects", bytes.size())
                : llvm::Error::success();
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor); }

private:
  int descriptor;
};

} // namespace

llvm::Error tenon::linkSharedObject(llvm::ArrayRef<std::string> objects, llvm::StringRef output) {
  std::vector<llvm::NewArchiveMember> members;
  for (const std::string &object : objects)
    members.emplace_back(llvm::MemoryBufferRef(object, "object.o"));
  auto archive = llvm::writeArchiveToBuffer(members, llvm::SymtabWritingMode::NoSymtab, llvm::object::Archive::K_GNU,
                                            /*Deterministic=*/true, /*Thin=*/false);
  if (!archive)
    return archive.takeError();
  MemoryFile file;
  if (llvm::Error error = file.write((*archive)->getBuffer()))
    return error;

  // lld keeps its state in globals: one link at a time.
  static std::mutex lock;
  std::lock_guard<std::mutex> guard(lock);
  std::string out = output.str(), in = file.path();
  std::vector<const char *> arguments = {
      "ld.lld",      "-shared", "--hash-style=gnu", "--build-id=none", "-z",       "noexecstack",       "--gc-sections",
      "--threads=1", "-o",      out.c_str(),        "--whole-archive", in.c_str(), "--no-whole-archive"};
  // Functions of libm that have no expansion of ours yet are found at load time.
  static const char *libm = "/lib/x86_64-linux-gnu/libm.so.6";
  if (llvm::sys::fs::exists(libm))
    arguments.insert(arguments.end(), {"--as-needed", libm});
  std::string text, errors;
  llvm::raw_string_ostream textStream(text), errorStream(errors);
  lld::Result result = lld::lldMain(arguments, textStream, errorStream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0)
    return llvm::createStringError(std::errc::io_error, "linking '%s' failed: %s", out.c_str(), errors.c_str());
  return llvm::Error::success();
}
