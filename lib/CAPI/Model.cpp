//===- Model.cpp - the C functions that load and run models ---------------------------------===//
#include "Errors.h"
#include "ModelHandle.h"
#include "Specialize.h"
#include "tenon-c/tenon.h"
#include "tenon/Driver/BuildId.h"

#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

using namespace tenon::capi;
using tenon::runtime::KernelProfile;
using tenon::runtime::Specializer;

namespace {

nlohmann::json describe(const KernelProfile &kernel) {
  return {{"name", kernel.name},   {"nodes", nlohmann::json::parse(kernel.nodes)},
          {"calls", kernel.calls}, {"ns", kernel.nanoseconds},
          {"flops", kernel.flops}, {"bytes", kernel.bytes}};
}

} // namespace

extern "C" {

int32_t tenon_model_load(const char *path, int32_t threads, const tenon_callbacks *callbacks, tenon_model **model,
                         char **error) {
  return guarded(error, [&] {
    if (!path || !model)
      throw tenon::runtime::Error(TENON_EINVAL, "path and model must not be NULL");
    *model = nullptr;
    *model = new tenon_model{{path, threads, callbacks}};
  });
}

void tenon_model_destroy(tenon_model *model) { delete model; }

const char *tenon_model_manifest_json(const tenon_model *model) { return model->model.manifestText().c_str(); }

int32_t tenon_model_run_tensors(tenon_model *model, const tenon_input *inputs, int32_t input_count,
                                tenon_output *outputs, int32_t output_count, char **error) {
  return guarded(error, [&] {
    if (Specializer *specializer = model->specializer.load(std::memory_order_acquire))
      specializer->run(inputs, input_count, outputs, output_count);
    else
      model->model.run(inputs, input_count, outputs, output_count);
  });
}

void tenon_output_release(tenon_model *model, tenon_output *output) {
  if (output->owned)
    model->model.release(output->data);
  output->owned = 0;
  output->data = nullptr;
}

void tenon_model_set_profiling(tenon_model *model, int32_t on) {
  model->model.setProfiling(on != 0);
  if (Specializer *specializer = model->specializer.load(std::memory_order_acquire))
    specializer->setProfiling(on != 0);
}

char *tenon_model_profile_json(tenon_model *model) {
  nlohmann::json list = nlohmann::json::array();
  for (const KernelProfile &kernel : model->model.profile())
    list.push_back(describe(kernel));
  if (Specializer *specializer = model->specializer.load(std::memory_order_acquire)) {
    for (const tenon::runtime::ShapeState &state : specializer->describe())
      for (const KernelProfile &kernel : state.profile)
        if (kernel.calls > 0) {
          list.push_back(describe(kernel));
          list.back()["shapes"] = nameShapes(model->model, state.shapes);
        }
    KernelProfile gone = specializer->goneProfile();
    if (gone.calls > 0) {
      gone.name = "(copies that are gone)";
      gone.nodes = "[]";
      list.push_back(describe(gone));
      list.back()["shapes"] = nullptr;
    }
  }
  return copy(list.dump());
}

const char *tenon_version(void) {
  static const std::string id = tenon::getCompilerId();
  return id.c_str();
}

void tenon_free(void *memory) { std::free(memory); }

} // extern "C"
