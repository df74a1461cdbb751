//===- BuildId.h - which compiler this is -----------------------------------------------------===//
#pragma once
#include <string>

namespace tenon {
/// Version and a hash of the compiler's sources, for cache keys and reports.
std::string getCompilerId();
} // namespace tenon
