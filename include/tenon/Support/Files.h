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

} // namespace tenon
