//===- Link.cpp - objects to a shared object, in process, by lld -----------------------===//
#include "tenon/Target/CPU/CodeGen.h"

#include "lld/Common/Driver.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <fcntl.h>
#include <mutex>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

LLD_HAS_DRIVER(elf)

namespace {

/// A file without a name, which needs no disk and goes with the process: lld reads nothing but files.
class MemoryFile {
public:
  MemoryFile() : descriptor(memfd_create("tenon", MFD_CLOEXEC)) {}
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
    return code ? llvm::createStringError(code, "cannot keep %zu bytes of objects in memory: %s", bytes.size(),
                                          code.message().c_str())
                : llvm::Error::success();
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor); }

private:
  int descriptor;
};

/// Collects what is written to a path. lld ends the process where it cannot write a file, because the disk is full;
/// nothing hinders it to write to a pipe.
class Pipe {
public:
  Pipe() {
    if (pipe2(ends, O_CLOEXEC) != 0)
      return;
    reader = std::thread([this] {
      std::vector<char> piece(1 << 16);
      ssize_t count;
      while ((count = read(ends[0], piece.data(), piece.size())) > 0 || (count < 0 && errno == EINTR))
        bytes.append(piece.data(), std::max<ssize_t>(count, 0));
    });
  }
  ~Pipe() { take(); }
  explicit operator bool() const { return ends[1] >= 0; }
  std::string path() const { return "/proc/self/fd/" + std::to_string(ends[1]); }
  /// The writer is done: what it wrote.
  std::string take() {
    if (ends[1] >= 0) {
      close(ends[1]);
      reader.join();
      close(ends[0]);
      ends[1] = -1;
    }
    return std::move(bytes);
  }

private:
  int ends[2] = {-1, -1};
  std::thread reader;
  std::string bytes;
};

} // namespace

llvm::Expected<std::string> tenon::linkSharedObject(llvm::ArrayRef<std::string> objects) {
  std::vector<llvm::NewArchiveMember> members;
  for (const std::string &object : objects)
    members.emplace_back(llvm::MemoryBufferRef(object, "object.o"));
  auto archive = llvm::writeArchiveToBuffer(members, llvm::SymtabWritingMode::NoSymtab, llvm::object::Archive::K_GNU,
                                            /*Deterministic=*/true, /*Thin=*/false);
  if (!archive)
    return archive.takeError();
  MemoryFile file;
  if (llvm::Error error = file.write((*archive)->getBuffer()))
    return std::move(error);
  Pipe linked;
  if (!linked)
    return llvm::createStringError(llvm::errnoAsErrorCode(), "cannot make a pipe for the linker");

  // lld keeps its state in globals: one link at a time.
  static std::mutex lock;
  std::lock_guard<std::mutex> guard(lock);
  std::string in = file.path(), out = linked.path();
  std::vector<const char *> arguments = {"ld.lld",
                                         "-shared",
                                         "--hash-style=gnu",
                                         "--build-id=none",
                                         "-z",
                                         "noexecstack",
                                         "--gc-sections",
                                         "--threads=1",
                                         "-o",
                                         out.c_str(),
                                         "--whole-archive",
                                         in.c_str(),
                                         "--no-whole-archive",
                                         "--no-mmap-output-file"};
  // Functions of libm that have no expansion of ours yet are found at load time.
  static const char *libm = "/lib/x86_64-linux-gnu/libm.so.6";
  if (llvm::sys::fs::exists(libm))
    arguments.insert(arguments.end(), {"--as-needed", libm});
  std::string text, errors;
  llvm::raw_string_ostream textStream(text), errorStream(errors);
  lld::Result result = lld::lldMain(arguments, textStream, errorStream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0)
    return llvm::createStringError("linking failed: %s", errors.c_str());
  return linked.take();
}
