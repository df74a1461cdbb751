//===- Compile.cpp - tenon_compile: the cache, and the compiler behind it ---------------------===//
#include "Compile.h"
#include "Errors.h"
#include "tenon-c/tenon.h"
#include "tenon/Driver/BuildId.h"
#include "tenon/Driver/Cache.h"
#include "tenon/Support/Files.h"

#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>

namespace fs = std::filesystem;
using nlohmann::json;
using namespace tenon;
using namespace tenon::capi;

namespace {

using CompilerFn = int32_t (*)(const char *request, const char *bytes, size_t size, tenon_progress_fn progress,
                               void *user, char **reply);

/// The compiler library, which stands beside this one.
class Compiler {
public:
  static Compiler &get() {
    static Compiler compiler;
    return compiler;
  }

  /// Everything but the model that the result depends on. The library's content stands for the compiler: also one that
  /// was built or replaced alone gets keys of its own.
  std::string identity(const std::string &root) {
    std::lock_guard<std::mutex> guard(lock);
    if (!function) // once it is loaded, another file in its place is of no interest
      if (std::string now = stampFile(path); now != stamp) {
        hash = cache::hashContent(root, path);
        stamp = now;
      }
    return cache::KeyBuilder()
        .add("compiler", getCompilerId())
        .add("library", hash)
        .add("abi", std::to_string(TENON_ABI_VERSION))
        .finish();
  }

  CompilerFn load() {
    std::lock_guard<std::mutex> guard(lock);
    if (function)
      return function;
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library)
      throw runtime::Error(TENON_EIO, std::string("cannot load the compiler: ") + dlerror());
    function = reinterpret_cast<CompilerFn>(dlsym(library, "tenon_compiler_compile"));
    if (!function)
      throw runtime::Error(TENON_EIO, "'" + path + "' is no compiler of this version");
    return function;
  }

private:
  Compiler() {
    Dl_info info;
    if (!dladdr(reinterpret_cast<void *>(&tenon_compile), &info))
      throw runtime::Error(TENON_EINTERNAL, "cannot find the library's own path");
    path = fs::path(info.dli_fname).parent_path().string() + "/libtenon_compiler.so";
  }

  std::mutex lock;
  std::string path, stamp, hash;
  CompilerFn function = nullptr;
};

/// The processor and TENON_TARGET, for which "host" stands.
std::string describeHost() {
  const char *target = std::getenv("TENON_TARGET");
  std::ifstream stream("/proc/cpuinfo");
  std::string text = target ? target : "", line;
  while (std::getline(stream, line) && !line.empty())
    if (line.rfind("model name", 0) == 0 || line.rfind("flags", 0) == 0)
      text += line;
  return text;
}

/// A call of tenon_compile.
struct Request {
  json options;
  std::string path;  ///< absolute, or ""
  const char *bytes; ///< NULL: the model is the file at `path`
  size_t size;
  tenon_progress_fn progress;
  void *user;
};

json runCompiler(const Request &request, const std::string &output, const std::string &root,
                 const std::string &identity, bool keepConstants) {
  json options = request.options;
  if (!request.path.empty())
    options["path"] = request.path;
  options["output"] = output;
  options["cache_root"] = root;
  options["identity"] = identity;
  options["keep_constants"] = keepConstants;
  char *reply = nullptr;
  int32_t status = Compiler::get().load()(options.dump().c_str(), request.bytes, request.size, request.progress,
                                          request.user, &reply);
  std::string text = reply ? reply : "";
  std::free(reply);
  if (status != TENON_OK)
    throw runtime::Error(status, text);
  json parsed = json::parse(text);
  parsed["cached"] = parsed["temporary"] = false;
  return parsed;
}

std::string makeKey(const Request &request, const std::string &modelHash, const std::string &identity) {
  // Options that are not known here to be harmless are part of the key.
  json options = request.options;
  for (const char *harmless : {"path", "cache", "threads", "compile_threads"})
    options.erase(harmless);
  return cache::KeyBuilder()
      .add("compiler", identity)
      .add("host", describeHost())
      .add("options", options.dump())
      .add("path", request.path)
      .add("model", modelHash)
      .finish();
}

/// Compiles into a new folder of the system's temporary files, which the caller is told to remove.
json compileWithoutCache(const Request &request, const std::string &identity) {
  std::string pattern = (fs::temp_directory_path() / "tenon-model-XXXXXX").string();
  if (!mkdtemp(pattern.data()))
    throw runtime::Error(TENON_EIO, "cannot make a folder for the model in '" + fs::temp_directory_path().string() +
                                        "': " + std::strerror(errno));
  try {
    json reply = runCompiler(request, pattern + "/model.so", "", identity, false);
    reply["temporary"] = true;
    return reply;
  } catch (...) {
    std::error_code code;
    fs::remove_all(pattern, code);
    throw;
  }
}

json compileOrFind(const Request &request) {
  const json &options = request.options;
  if (request.path.empty() && !request.bytes)
    throw runtime::Error(TENON_EINVAL, "the request has neither 'path' nor 'bytes'");
  std::error_code code;
  if (!request.bytes && !fs::is_regular_file(request.path, code))
    throw runtime::Error(TENON_EIO, "cannot read '" + request.path + "': no such file");
  std::string warning;
  std::optional<std::string> root;
  if (options.value("cache", true))
    root = cache::openDirectory(warning);
  auto withWarning = [&](json reply) {
    if (!warning.empty())
      reply["warning"] = warning;
    return reply;
  };
  std::string identity = Compiler::get().identity(root.value_or(""));
  if (options.contains("output"))
    return withWarning(runCompiler(request, options["output"].get<std::string>(), root.value_or(""), identity, false));
  if (!root)
    return withWarning(compileWithoutCache(request, identity));

  std::string stamp = request.bytes ? "" : stampFile(request.path);
  std::string modelHash =
      request.bytes ? hashBytes({request.bytes, request.size}) : cache::hashContent(*root, request.path);
  if (modelHash.empty())
    throw runtime::Error(TENON_EIO, "cannot read '" + request.path + "'");
  std::string key = makeKey(request, modelHash, identity);
  // What a compile leaves behind besides its result is wanted now.
  bool wantsMore = options.contains("dump") || options.value("timing", false);
  if (!wantsMore)
    if (std::optional<cache::ModelEntry> entry = cache::findModel(*root, key))
      return {{"output", entry->sharedObject}, {"cached", true},     {"kernels", 0},
              {"compiled_kernels", 0},         {"temporary", false}, {"seconds", json::object()}};

  std::optional<std::string> directory = cache::beginModel(*root);
  if (!directory) {
    warning = "no cache: cannot write to '" + *root + "'";
    return withWarning(compileWithoutCache(request, identity));
  }
  json reply;
  try {
    reply = runCompiler(request, *directory + "/model.so", *root, identity, true);
  } catch (const runtime::Error &problem) {
    fs::remove_all(*directory, code);
    if (problem.code != TENON_EIO)
      throw;
    warning = std::string("no cache: ") + problem.what(); // a full disk, for one: another may have room
    return withWarning(compileWithoutCache(request, identity));
  } catch (...) {
    fs::remove_all(*directory, code);
    throw;
  }
  std::vector<cache::OutsideFile> outside;
  for (const auto &[path, found] : reply.at("outside").items())
    if (path != request.path || request.bytes)
      outside.push_back({path, found.get<std::string>()});
  std::optional<cache::ModelEntry> entry;
  if (request.bytes || stampFile(request.path) == stamp)
    entry = cache::commitModel(*root, key, *directory, outside);
  if (entry) {
    reply["output"] = entry->sharedObject;
    cache::evictSometimes(*root, key);
  } else {
    reply["temporary"] = true;
    warning = "not cached: a file of the model changed meanwhile, or '" + *root + "' cannot be written";
  }
  return withWarning(reply);
}

} // namespace

json tenon::capi::compileRequest(json options, const char *bytes, size_t size, tenon_progress_fn progress, void *user) {
  if (!options.is_object())
    throw runtime::Error(TENON_EINVAL, "the request is no JSON object");
  Request request{std::move(options), "", bytes, size, progress, user};
  try {
    if (std::string path = request.options.value("path", std::string()); !path.empty())
      request.path = fs::absolute(path).string();
    return compileOrFind(request);
  } catch (const json::type_error &problem) {
    throw runtime::Error(TENON_EINVAL, std::string("a part of the request has a wrong type: ") + problem.what());
  }
}

extern "C" int32_t tenon_compile(const char *request_json, const void *bytes, size_t size, tenon_progress_fn progress,
                                 void *user, char **reply_json, char **error) {
  return guarded(error, [&] {
    json reply = compileRequest(json::parse(request_json ? request_json : "", nullptr, false),
                                static_cast<const char *>(bytes), size, progress, user);
    if (reply_json)
      *reply_json = copy(reply.dump());
  });
}
