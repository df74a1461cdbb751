//===- Compile.cpp - tenon_compile: the cache, and the compiler behind it ---------------------===//
#include "Errors.h"
#include "tenon-c/tenon.h"
#include "tenon/Driver/BuildId.h"
#include "tenon/Driver/Cache.h"

#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

using nlohmann::json;
using namespace tenon;
using namespace tenon::capi;

namespace {

using CompilerFn = int32_t (*)(const char *request, const char *bytes, size_t size, tenon_progress_fn progress,
                               void *user, char **reply);

/// The compiler library, which stands beside this one.
CompilerFn loadCompiler() {
  static const CompilerFn function = [] {
    Dl_info info;
    if (!dladdr(reinterpret_cast<void *>(&tenon_compile), &info))
      throw runtime::Error(TENON_EINTERNAL, "cannot find the library's own path");
    std::string path = std::filesystem::path(info.dli_fname).parent_path().string() + "/libtenon_compiler.so";
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library)
      throw runtime::Error(TENON_EIO, std::string("cannot load the compiler: ") + dlerror());
    auto found = reinterpret_cast<CompilerFn>(dlsym(library, "tenon_compiler_compile"));
    if (!found)
      throw runtime::Error(TENON_EIO, "'" + path + "' is no compiler of this version");
    return found;
  }();
  return function;
}

std::string readFile(const std::string &path) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(path, code))
    throw runtime::Error(TENON_EIO, "cannot read '" + path + "': no such file");
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream)
    throw runtime::Error(TENON_EIO, "cannot read '" + path + "'");
  return text.str();
}

std::string decodeBase64(const std::string &text) {
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                : c >= 'a' && c <= 'z' ? c - 'a' + 26
                : c >= '0' && c <= '9' ? c - '0' + 52
                : c == '+'             ? 62
                : c == '/'             ? 63
                                       : -1;
    if (c == '=')
      break;
    if (value < 0)
      throw runtime::Error(TENON_EINVAL, "'bytes' of the request is no base64 text");
    bits = bits << 6 | value;
    if ((count += 6) >= 8)
      bytes += static_cast<char>(bits >> (count -= 8) & 255);
  }
  return bytes;
}

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

json runCompiler(json request, const std::string &bytes, const std::string &cache, tenon_progress_fn progress,
                 void *user) {
  request.erase("bytes");
  request["cache_root"] = cache;
  char *reply = nullptr;
  int32_t status = loadCompiler()(request.dump().c_str(), bytes.empty() ? nullptr : bytes.data(), bytes.size(),
                                  progress, user, &reply);
  std::string text = reply ? reply : "";
  std::free(reply);
  if (status != TENON_OK)
    throw runtime::Error(status, text);
  return json::parse(text);
}

json compileOrFind(const json &request, tenon_progress_fn progress, void *user) {
  std::string path = request.value("path", std::string());
  std::string bytes = request.contains("bytes") ? decodeBase64(request["bytes"].get<std::string>()) : "";
  if (path.empty() && bytes.empty())
    throw runtime::Error(TENON_EINVAL, "the request has neither 'path' nor 'bytes'");
  std::string warning;
  std::optional<std::string> root;
  if (request.value("cache", true))
    root = cache::openDirectory(warning);

  if (request.contains("output")) {
    json reply = runCompiler(request, bytes, root.value_or(""), progress, user);
    reply["cached"] = false;
    return reply;
  }
  std::string key = cache::KeyBuilder()
                        .add("compiler", getCompilerId())
                        .add("abi", std::to_string(TENON_ABI_VERSION))
                        .add("host", describeHost())
                        .add("target", request.value("target", std::string("host")))
                        .add("shapes", request.value("shapes", json::object()).dump())
                        .add("level", std::to_string(request.value("level", 2)))
                        .add("precision", request.value("precision", std::string("default")))
                        .add("path", path.empty() ? "" : std::filesystem::absolute(path).string())
                        .add("model", cache::hashBytes(bytes.empty() ? readFile(path) : bytes))
                        .finish();
  if (root)
    if (std::optional<cache::ModelEntry> entry = cache::findModel(*root, key))
      return {{"output", entry->sharedObject},
              {"cached", true},
              {"kernels", 0},
              {"compiled_kernels", 0},
              {"seconds", json::object()}};

  std::string directory;
  if (root)
    directory = cache::beginModel(*root).value_or("");
  bool published = !directory.empty();
  if (directory.empty()) {
    std::string pattern = (std::filesystem::temp_directory_path() / "tenon-model-XXXXXX").string();
    if (!mkdtemp(pattern.data()))
      throw runtime::Error(TENON_EIO, "cannot make a directory for the model in '" +
                                          std::filesystem::temp_directory_path().string() + "'");
    directory = pattern;
  }
  json reply;
  try {
    json inner = request;
    inner["output"] = directory + "/model.so";
    reply = runCompiler(inner, bytes, root.value_or(""), progress, user);
  } catch (...) {
    std::error_code code;
    std::filesystem::remove_all(directory, code);
    throw;
  }
  reply["cached"] = false;
  reply["temporary"] = !published;
  if (!warning.empty())
    reply["warning"] = warning;
  if (published) {
    std::vector<std::string> outside = reply.value("outside", std::vector<std::string>());
    if (std::optional<cache::ModelEntry> entry = cache::commitModel(*root, key, directory, outside))
      reply["output"] = entry->sharedObject;
    cache::evict(*root, key);
  }
  return reply;
}

} // namespace

extern "C" int32_t tenon_compile(const char *request_json, tenon_progress_fn progress, void *user, char **reply_json,
                                 char **error) {
  return guarded(error, [&] {
    json request = json::parse(request_json ? request_json : "", nullptr, false);
    if (!request.is_object())
      throw runtime::Error(TENON_EINVAL, "the request is no JSON object");
    json reply;
    try {
      reply = compileOrFind(request, progress, user);
    } catch (const json::type_error &problem) {
      throw runtime::Error(TENON_EINVAL, std::string("a part of the request has a wrong type: ") + problem.what());
    }
    if (reply_json)
      *reply_json = copy(reply.dump());
  });
}
