//===- Constants.h - the memory of what a model computes once ------------------------------===//
//
// Packed weights and the like: results of tenon_model_init. A model in the cache keeps them in a file, so that the next
// load maps what this one computed. The file is trusted only with its checksum, and only while the weights it was made
// from are the same files.
//
//===----------------------------------------------------------------------===//
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tenon::runtime {

class Constants {
public:
  Constants() = default;
  ~Constants();
  Constants(const Constants &) = delete;
  Constants &operator=(const Constants &) = delete;

  /// Reserves a place for constant `index`; before the memory is there.
  void reserve(int64_t index, size_t bytes);

  /// Maps `path` when it is whole and holds constants of this layout and identity.
  bool mapKept(const std::string &path, const std::string &identity);
  /// Makes the memory. False when there is none.
  bool allocate();
  /// The constants are computed: writes them to `path` where there is room for them, and maps what was written. Does
  /// nothing on failure.
  void keep(const std::string &path, const std::string &identity);

  /// Null for an index without a place.
  void *at(int64_t index) const;

private:
  bool write(int file, const std::string &identity) const;
  /// The memory is that of a mapped file.
  void take(void *file, size_t size);
  void free();

  struct Place {
    size_t offset = 0, bytes = 0;
    bool reserved = false;
  };
  std::vector<Place> places;
  size_t total = 0;       ///< bytes of all places
  char *memory = nullptr; ///< the first place
  void *mapping = nullptr;
  size_t mapped = 0; ///< bytes to unmap at `mapping`; 0 for memory from the heap
};

} // namespace tenon::runtime
