//===- Cache.h - compiled models and kernel objects on disk ---------------------------------===//
//
// Needs neither LLVM nor MLIR: a hit loads no compiler. Files appear by atomic rename and carry a checksum, so a
// process that is killed while it writes, or a second process, harms nothing. What cannot be trusted is a miss.
//
//===----------------------------------------------------------------------===//
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tenon::cache {

/// A key of named parts: change, add or leave out any part and the key changes.
class KeyBuilder {
public:
  KeyBuilder &add(std::string_view name, std::string_view value);
  std::string finish() const;

private:
  std::string text;
};

/// $TENON_CACHE_DIR, $XDG_CACHE_HOME/tenon or ~/.cache/tenon; made when missing. nullopt, with a reason in `warning`,
/// where it cannot be made, is not ours, or others may write to it.
std::optional<std::string> openDirectory(std::string &warning);

/// The bytes of a checked file, or nullopt if it is missing or damaged.
std::optional<std::string> readChecked(const std::string &path);
/// Writes bytes and checksum; false (and nothing at `path`) on any failure, such as a full disk.
bool writeChecked(const std::string &path, std::string_view bytes);

/// A compiled model: `directory`/model.so and what lies beside it.
struct ModelEntry {
  std::string sharedObject;
};
/// A file that a model reads when it is loaded, or was read when it was compiled.
struct OutsideFile {
  std::string path;  ///< absolute
  std::string stamp; ///< stampFile when the compiler opened it
};

/// hashFile of a file's content. Large files are hashed once: the result is noted in the cache beside the file's stamp,
/// unless the file changed in the last `settled` seconds and may still be written to. `root` may be empty: no notes.
std::string hashContent(const std::string &root, const std::string &path, int64_t settled = 60);

/// An entry whose files are whole and whose outside files hold what they held.
std::optional<ModelEntry> findModel(const std::string &root, const std::string &key);
/// A new private directory to compile into.
std::optional<std::string> beginModel(const std::string &root);
/// Publishes it under `key`; nullopt, with `directory` left as it is, where that cannot be done, or where a file of
/// `outside` is no longer what the compiler read.
std::optional<ModelEntry> commitModel(const std::string &root, const std::string &key, const std::string &directory,
                                      const std::vector<OutsideFile> &outside);

/// Removes the entries that were not used for longest until the cache is below $TENON_CACHE_LIMIT bytes (default 4
/// GiB). Spares the model `keep`, which its caller is about to load, and what is being written; removes what writers
/// that were killed left behind.
void evict(const std::string &root, const std::string &keep = "");
/// The same at most once a minute: it looks at every file.
void evictSometimes(const std::string &root, const std::string &keep);

} // namespace tenon::cache
