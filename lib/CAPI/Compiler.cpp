//===- Compiler.cpp - the one function of libtenon_compiler.so --------------------------------===//
#include "tenon-c/tenon.h"
#include "tenon/Driver/Cache.h"
#include "tenon/Driver/Compile.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>
#include <set>

namespace json = llvm::json;

namespace {

class FileObjectCache : public tenon::ObjectCache {
public:
  explicit FileObjectCache(std::string root) : root(std::move(root)) {}
  std::optional<std::string> lookup(const std::string &key) override {
    return tenon::cache::readChecked(root + "/kernels/" + key + ".o");
  }
  void store(const std::string &key, const std::string &object) override {
    tenon::cache::writeChecked(root + "/kernels/" + key + ".o", object); // a full disk costs time later, nothing else
  }

private:
  std::string root;
};

} // namespace

/// The request of tenon_compile, with an "output"; `bytes` is the model or NULL. The reply, or the error's message, is
/// allocated with malloc.
extern "C" __attribute__((visibility("default"))) int32_t tenon_compiler_compile(const char *text, const char *bytes,
                                                                                 size_t size,
                                                                                 tenon_progress_fn progress, void *user,
                                                                                 char **reply) {
  auto fail = [&](int32_t code, const std::string &message) {
    *reply = strdup(message.c_str());
    return code;
  };
  auto parsed = json::parse(text);
  if (!parsed)
    return fail(TENON_EINVAL, llvm::toString(parsed.takeError()));
  const json::Object &object = *parsed->getAsObject();
  tenon::CompileRequest request;
  auto string = [&](llvm::StringRef key, llvm::StringRef fallback) {
    return object.getString(key).value_or(fallback).str();
  };
  request.path = string("path", bytes ? "model.onnx" : "");
  if (bytes)
    request.bytes = llvm::StringRef(bytes, size);
  request.target = string("target", "host");
  request.output = string("output", "");
  request.dumpDirectory = string("dump", "");
  request.identity = string("identity", "");
  request.keepConstants = object.getBoolean("keep_constants").value_or(false);
  request.timing = object.getBoolean("timing").value_or(false);
  request.selfContained = object.getBoolean("self_contained").value_or(false);
  request.fusion = object.getBoolean("fusion").value_or(true);
  request.sumsAsOpen = object.getBoolean("sums_as_open").value_or(false);
  if (auto precision = object.getString("precision"))
    request.precision = precision->str();
  request.level = object.getInteger("level").value_or(2);
  request.threads = object.getInteger("compile_threads").value_or(0);
  if (const json::Object *shapes = object.getObject("shapes"))
    for (const auto &[name, dims] : *shapes)
      if (const json::Array *list = dims.getAsArray())
        for (const json::Value &dim : *list)
          request.shapes[name.str()].push_back(dim.getAsInteger().value_or(-1));
  if (const json::Value *given = object.get("schedules")) {
    const json::Object *schedules = given->getAsObject();
    for (const auto &[name, schedule] : schedules ? *schedules : json::Object()) {
      if (!schedule.getAsString())
        schedules = nullptr;
      else
        request.schedules[name.str()] = schedule.getAsString()->str();
    }
    if (!schedules)
      return fail(TENON_EINVAL, "expected 'schedules' to be an object of strings");
  }
  if (const json::Object *spaces = object.getObject("spaces")) {
    tenon::SummaryOptions &wanted = request.spaces.emplace();
    wanted.best = spaces->getInteger("best").value_or(wanted.best);
    wanted.samples = spaces->getInteger("samples").value_or(0);
    wanted.seed = spaces->getInteger("seed").value_or(0);
  }
  std::optional<FileObjectCache> cache;
  if (std::string root = string("cache_root", ""); !root.empty())
    request.cache = &cache.emplace(root);
  if (progress)
    request.progress = [&](const std::string &stage, int64_t done, int64_t total) {
      return progress(user, stage.c_str(), done, total) == 0;
    };

  llvm::Expected<tenon::CompileReply> result = tenon::compile(request);
  if (!result) {
    std::string message;
    std::error_code code;
    llvm::handleAllErrors(result.takeError(), [&](const llvm::ErrorInfoBase &problem) {
      message = problem.message();
      code = problem.convertToErrorCode();
    });
    return fail(code == std::errc::operation_canceled            ? TENON_ECANCELLED
                : code == std::errc::state_not_recoverable       ? TENON_EINTERNAL
                : code && code != llvm::inconvertibleErrorCode() ? TENON_EIO
                                                                 : TENON_EUNSUPPORTED,
                message);
  }
  json::Object seconds;
  for (auto &[stage, value] : result->seconds)
    seconds[stage] = value;
  json::Object outside;
  for (const auto &[path, stamp] : result->outside)
    outside[path] = stamp;
  std::string answer;
  llvm::raw_string_ostream(answer) << json::Value(json::Object{{"output", request.output},
                                                               {"kernels", result->kernels},
                                                               {"compiled_kernels", result->compiledKernels},
                                                               {"outside", std::move(outside)},
                                                               {"timing", result->timing},
                                                               {"seconds", std::move(seconds)}});
  *reply = strdup(answer.c_str());
  return TENON_OK;
}
