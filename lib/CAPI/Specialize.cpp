//===- Specialize.cpp - tenon_model_specialize: copies through the compile cache ----------------===//
#include "Specialize.h"
#include "Compile.h"
#include "Errors.h"
#include "ModelHandle.h"
#include "tenon/Support/Files.h"

#include <filesystem>

namespace fs = std::filesystem;
using nlohmann::json;
using namespace tenon;
using namespace tenon::capi;

json tenon::capi::nameShapes(const runtime::Model &model, const runtime::Shapes &shapes) {
  json named = json::object();
  for (size_t i = 0; i < shapes.size(); ++i)
    named[model.inputPorts()[i].name] = shapes[i];
  return named;
}

namespace {

/// What the model was compiled from, and how.
class Source {
public:
  Source(const char *text, const void *given, size_t size) : request(json::parse(text ? text : "", nullptr, false)) {
    if (!request.is_object())
      throw runtime::Error(TENON_EINVAL, "the request is no JSON object");
    try {
      if (std::string name = request.value("path", std::string()); !name.empty())
        request["path"] = path = fs::absolute(name).string();
    } catch (const json::type_error &problem) {
      throw runtime::Error(TENON_EINVAL, std::string("a part of the request has a wrong type: ") + problem.what());
    }
    if (path.ends_with(".so"))
      throw runtime::Error(TENON_EINVAL, "cannot specialise '" + path +
                                             "': it is compiled already; expected the "
                                             "model that it was compiled from");
    if (given)
      bytes.emplace(static_cast<const char *>(given), size);
    else if (path.empty())
      throw runtime::Error(TENON_EINVAL, "cannot specialise without the model that was compiled: the request has "
                                         "neither 'path' nor 'bytes'");
    else if (stamp = stampFile(path); stamp.empty())
      throw runtime::Error(TENON_EIO, "cannot read '" + path + "': no such file");
    // What a copy does not need or must not do.
    for (const char *key : {"output", "dump", "timing"})
      request.erase(key);
    request["compile_threads"] = 1;
    request["sums_as_open"] = true;
  }

  std::shared_ptr<runtime::Model> compile(const runtime::Model &model, const runtime::Shapes &shapes,
                                          const std::function<bool()> &cancelled) const {
    if (!bytes && stampFile(path) != stamp)
      throw runtime::Error(TENON_EIO, "'" + path + "' has changed since the model was compiled from it");
    json asked = request;
    asked["shapes"] = nameShapes(model, shapes);
    tenon_progress_fn progress = [](void *user, const char *, int64_t, int64_t) -> int32_t {
      return (*static_cast<const std::function<bool()> *>(user))();
    };
    json reply = compileRequest(std::move(asked), bytes ? bytes->data() : nullptr, bytes ? bytes->size() : 0, progress,
                                const_cast<std::function<bool()> *>(&cancelled));
    std::string output = reply.at("output").get<std::string>();
    auto tidy = [&] {
      std::error_code code;
      if (reply.at("temporary").get<bool>()) // what is loaded needs no name any more
        fs::remove_all(fs::path(output).parent_path(), code);
    };
    try {
      auto copy = std::make_shared<runtime::Model>(output, model);
      tidy();
      return copy;
    } catch (...) {
      tidy();
      throw;
    }
  }

private:
  json request;
  std::string path, stamp;
  std::optional<std::string> bytes;
};

} // namespace

extern "C" {

int32_t tenon_model_specialize(tenon_model *model, const char *request_json, const void *bytes, size_t size,
                               int32_t limit, int32_t after, char **error) {
  return guarded(error, [&] {
    if (limit < 0 || after < 0)
      throw runtime::Error(TENON_EINVAL, "expected a limit of copies and a number of runs of at least 0, but got " +
                                             std::to_string(limit) + " and " + std::to_string(after));
    std::lock_guard<std::mutex> guard(model->lock);
    if (runtime::Specializer *old = model->specializer.load()) {
      model->specializer = nullptr;
      old->stop();
    }
    if (limit == 0 || !model->model.hasOpenDims()) // tenon_model_specializations_json says why
      return;
    auto source = std::make_shared<Source>(request_json, bytes, size);
    model->specializers.push_back(std::make_unique<runtime::Specializer>(
        model->model,
        [model, source](const runtime::Shapes &shapes, const std::function<bool()> &cancelled) {
          return source->compile(model->model, shapes, cancelled);
        },
        limit, after ? after : TENON_SPECIALIZE_AFTER));
    model->specializer.store(model->specializers.back().get(), std::memory_order_release);
  });
}

char *tenon_model_specializations_json(tenon_model *model) {
  json list = json::array();
  runtime::Specializer *specializer = model->specializer.load(std::memory_order_acquire);
  if (specializer)
    for (const runtime::ShapeState &state : specializer->describe()) {
      list.push_back({{"shapes", nameShapes(model->model, state.shapes)},
                      {"state", state.state},
                      {"runs", state.runs},
                      {"hits", state.hits},
                      {"seconds", state.seconds}});
      if (!state.reason.empty())
        list.back()["reason"] = state.reason;
    }
  json reply{{"on", specializer != nullptr}, {"shapes", list}};
  if (!specializer)
    reply["note"] = model->model.hasOpenDims() ? "not asked for" : "every dim of the inputs is fixed: nothing to do";
  return copy(reply.dump());
}

} // extern "C"
