//===- Module.cpp - the extension module tenon._tenon ---------------------------------------===//
//
// A thin layer over the C API (tenon-c/tenon.h): arrays go in and come out without copies, the interpreter lock is
// released while models compile and run, status codes become the exceptions of tenon/errors.py. Checks that need words
// (names, symbols) are made in tenon/model.py; here are only those that protect memory.
//
//===----------------------------------------------------------------------===//
#include "tenon-c/tenon.h"
#include <dlfcn.h>
#include <limits>
#include <memory>
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace nb = nanobind;

namespace {

using AnyArray = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;
using OutArray = nb::ndarray<nb::c_contig, nb::device::cpu>;

std::string takeString(char *text) {
  std::string result = text ? text : "";
  tenon_free(text);
  return result;
}

/// Throws the exception of a status code; takes the message.
void check(int32_t status, char *error) {
  if (status == TENON_OK) {
    tenon_free(error);
    return;
  }
  std::string message = takeString(error);
  if (message.empty())
    message = "status " + std::to_string(status) + " without a message";
  nb::object classes = nb::module_::import_("tenon.errors").attr("BY_STATUS");
  nb::object type = classes.attr("get")(status, nb::module_::import_("tenon.errors").attr("Error"));
  PyErr_SetString(type.ptr(), message.c_str());
  throw nb::python_error();
}

/// Bytes of a row-major tensor; throws on overflow.
size_t byteSize(const std::vector<int64_t> &shape, int32_t dtype) {
  int64_t count = 1;
  for (int64_t dim : shape)
    if (dim < 0 || __builtin_mul_overflow(count, dim, &count))
      throw nb::value_error("a shape whose size overflows");
  int64_t bits;
  if (__builtin_mul_overflow(count, int64_t(tenon_dtype_bits(dtype)), &bits))
    throw nb::value_error("a shape whose size overflows");
  return size_t(bits / 8 + (bits % 8 != 0));
}

/// A dtype that DLPack can carry; Python views the bytes as what they are.
nb::dlpack::dtype carrier(int32_t dtype) {
  switch (dtype) {
  case TENON_BOOL:
    return nb::dtype<bool>();
  case TENON_INT8:
    return nb::dtype<int8_t>();
  case TENON_INT16:
    return nb::dtype<int16_t>();
  case TENON_INT32:
    return nb::dtype<int32_t>();
  case TENON_INT64:
    return nb::dtype<int64_t>();
  case TENON_UINT32:
    return nb::dtype<uint32_t>();
  case TENON_UINT64:
    return nb::dtype<uint64_t>();
  case TENON_FLOAT32:
    return nb::dtype<float>();
  case TENON_FLOAT64:
    return nb::dtype<double>();
  default:
    return tenon_dtype_bits(dtype) == 16 ? nb::dtype<uint16_t>() : nb::dtype<uint8_t>();
  }
}

class Handle {
public:
  Handle(const std::string &path, int32_t threads) {
    tenon_model *raw = nullptr;
    char *error = nullptr;
    int32_t status;
    {
      nb::gil_scoped_release release;
      status = tenon_model_load(path.c_str(), threads, nullptr, &raw, &error);
    }
    check(status, error);
    model = std::shared_ptr<tenon_model>(raw, [](tenon_model *ending) {
      nb::gil_scoped_release release; // it may wait for a step of a compile
      tenon_model_destroy(ending);
    });
  }

  std::string manifest() const { return tenon_model_manifest_json(model.get()); }
  void setProfiling(bool on) { tenon_model_set_profiling(model.get(), on); }
  std::string profile() { return takeString(tenon_model_profile_json(model.get())); }
  std::string specializations() { return takeString(tenon_model_specializations_json(model.get())); }
  /// `request` and `bytes` as of compile; limit 0 ends it, which may wait for a step of a compile.
  void specialize(const std::string &request, std::optional<nb::bytes> bytes, int32_t limit, int32_t after) {
    char *error = nullptr;
    int32_t status;
    {
      nb::gil_scoped_release release;
      status = tenon_model_specialize(model.get(), request.c_str(), bytes ? bytes->c_str() : nullptr,
                                      bytes ? bytes->size() : 0, limit, after, &error);
    }
    check(status, error);
  }

  /// inputs: (array, dtype, shape); outs: memory for results, or None. Gives arrays (None where memory was given)
  /// with their dtype and shape.
  nb::list run(nb::list inputs, nb::list outs) {
    std::vector<tenon_input> values;
    std::vector<AnyArray> arrays;
    std::vector<std::vector<int64_t>> shapes;
    size_t count = inputs.size();
    values.reserve(count), arrays.reserve(count), shapes.reserve(count);
    for (nb::handle item : inputs) {
      nb::tuple entry = nb::cast<nb::tuple>(item);
      arrays.push_back(nb::cast<AnyArray>(entry[0]));
      int32_t dtype = nb::cast<int32_t>(entry[1]);
      shapes.push_back(nb::cast<std::vector<int64_t>>(entry[2]));
      if (arrays.back().nbytes() < byteSize(shapes.back(), dtype))
        throw nb::value_error("an array smaller than its shape");
      values.push_back({arrays.back().data(), dtype, int32_t(shapes.back().size()), shapes.back().data(), nullptr});
    }
    std::vector<tenon_output> results(outs.size());
    std::vector<std::optional<OutArray>> memory(outs.size());
    for (size_t i = 0; i < outs.size(); ++i)
      if (!nb::handle(outs[i]).is_none()) {
        memory[i] = nb::cast<OutArray>(outs[i]);
        results[i].data = memory[i]->data();
        results[i].capacity = memory[i]->nbytes();
      }
    char *error = nullptr;
    int32_t status;
    {
      nb::gil_scoped_release release;
      status = tenon_model_run_tensors(model.get(), values.data(), int32_t(values.size()), results.data(),
                                       int32_t(results.size()), &error);
    }
    check(status, error);
    nb::list made;
    for (size_t i = 0; i < results.size(); ++i) {
      std::vector<int64_t> shape(results[i].shape, results[i].shape + results[i].rank);
      nb::object array = memory[i] ? nb::none() : wrap(results[i], shape);
      made.append(nb::make_tuple(array, results[i].dtype, nb::tuple(nb::cast(shape))));
    }
    return made;
  }

private:
  struct Owner {
    std::shared_ptr<tenon_model> model;
    tenon_output output;
    Owner(std::shared_ptr<tenon_model> model, const tenon_output &output) : model(std::move(model)), output(output) {}
    Owner(const Owner &) = delete;
    ~Owner() { tenon_output_release(model.get(), &output); }
  };

  nb::object wrap(const tenon_output &output, const std::vector<int64_t> &shape) {
    std::unique_ptr<Owner> owner(new Owner{model, output});
    std::vector<size_t> dims(shape.begin(), shape.end());
    nb::capsule capsule(owner.get(), [](void *data) noexcept { delete static_cast<Owner *>(data); });
    static char empty;
    void *data = owner->output.data ? owner->output.data : &empty;
    owner.release();
    nb::ndarray<nb::numpy> array(data, dims.size(), dims.data(), capsule, nullptr, carrier(output.dtype));
    return array.cast();
  }

  std::shared_ptr<tenon_model> model;
};

/// The request and the reply are JSON, as in tenon.h; `model` the bytes or None; progress(stage, done, total) or None.
/// What progress raises, and Ctrl-C, ends the compile.
std::string compile(const std::string &request, std::optional<nb::bytes> model, nb::object progress) {
  struct Context {
    nb::object call;
    std::optional<nb::python_error> failure; ///< what was raised first
  } context{progress, std::nullopt};
  tenon_progress_fn report = [](void *user, const char *stage, int64_t done, int64_t total) {
    nb::gil_scoped_acquire acquire;
    auto *context = static_cast<Context *>(user);
    if (context->failure)
      return 1;
    try {
      if (PyErr_CheckSignals() != 0) // does nothing on other threads than the main one
        throw nb::python_error();
      if (!context->call.is_none())
        context->call(stage, done, total);
      return 0;
    } catch (nb::python_error &error) {
      context->failure.emplace(std::move(error));
      return 1;
    }
  };
  char *reply = nullptr, *error = nullptr;
  int32_t status;
  {
    nb::gil_scoped_release release;
    status = tenon_compile(request.c_str(), model ? model->c_str() : nullptr, model ? model->size() : 0, report,
                           &context, &reply, &error);
  }
  if (context.failure) {
    tenon_free(reply), tenon_free(error);
    throw nb::python_error(std::move(*context.failure));
  }
  check(status, error);
  return takeString(reply);
}

/// libtenon_compiler.so beside libtenon.so, or "".
std::string compilerPath() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void *>(&tenon_version), &info) || !info.dli_fname)
    return "";
  std::string path = info.dli_fname;
  path = path.substr(0, path.find_last_of('/') + 1) + "libtenon_compiler.so";
  return access(path.c_str(), R_OK) == 0 ? path : "";
}

} // namespace

NB_MODULE(_tenon, m) {
  m.doc() = "The C API of Tenon for Python; use the package tenon.";
  m.def("version", [] { return std::string(tenon_version()); });
  m.def("compile", &compile, nb::arg("request"), nb::arg("model").none(), nb::arg("progress").none());
  m.def("compiler_path", &compilerPath);
  m.def("dtype_code", [](const std::string &name) { return tenon_dtype_from_name(name.c_str()); });
  m.def("measure_peaks", [](int32_t threads) {
    nb::gil_scoped_release release;
    return takeString(tenon_measure_peaks(threads));
  });
  nb::class_<Handle>(m, "Handle")
      .def(nb::init<const std::string &, int32_t>(), nb::arg("path"), nb::arg("threads"))
      .def("manifest", &Handle::manifest)
      .def("run", &Handle::run, nb::arg("inputs"), nb::arg("outs"))
      .def("set_profiling", &Handle::setProfiling)
      .def("specialize", &Handle::specialize, nb::arg("request"), nb::arg("model").none(), nb::arg("limit"),
           nb::arg("after"))
      .def("specializations", &Handle::specializations)
      .def("profile", &Handle::profile);
}
