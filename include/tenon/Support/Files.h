//===- Files.h - what a file holds and whether it is still the same -----------------------===//
#pragma once
#include <string>
#include <string_view>

namespace tenon {

/// xxh3-128 of `bytes` as 32 hex digits.
std::string hashBytes(std::string_view bytes);

/// The same of a file's content, read in pieces; "" when it cannot be read.
std::string hashFile(const std::string &path);

/// "device inode size mtime ctime" of a file, or "" when it is missing. Whoever writes to a file or replaces it changes
/// its stamp: unlike the time of the last write, nobody can set back that of the last change.
std::string stampFile(const std::string &path);
std::string stampFile(int descriptor);

/// A name beside `base` that no other process or call makes: "<base>.tmp.<process>.<time>.<count>".
std::string temporaryName(const std::string &base);

/// A file that is written under a temporary name and appears at once, whole, in place of what was there: whoever has
/// the old one open or mapped keeps it. Without `publish`, nothing changes.
class NewFile {
public:
  explicit NewFile(std::string path, int mode = 0666);
  ~NewFile();
  NewFile(const NewFile &) = delete;
  NewFile &operator=(const NewFile &) = delete;

  void write(std::string_view bytes);
  /// False when anything failed; `error` then is the first failure's errno.
  bool publish();
  int error() const { return failure; }

private:
  std::string path, temporary;
  int descriptor, failure = 0;
};

} // namespace tenon
