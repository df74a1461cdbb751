//===- Model.cpp - a compiled model: loading, weights, runs ---------------------------------===//
#include "tenon/Runtime/Model.h"
#include "Blocks.h"
#include "Call.h"
#include "Constants.h"
#include "tenon/Support/Files.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tenon::runtime {

using nlohmann::json;

/// What the code of a model may use, against this processor.
static void checkProcessor(const json &target) {
  __builtin_cpu_init();
  int bits = target.value("vector_bits", 128);
  bool ok = bits <= 512;
#if defined(__x86_64__)
  std::string features = target.value("features", std::string()) + ",";
  auto lacks = [&](const char *name, int supported) {
    if (!supported && features.find("+" + std::string(name) + ",") != std::string::npos)
      ok = false;
  };
#define TENON_CHECK(name) lacks(#name, __builtin_cpu_supports(#name))
  TENON_CHECK(avx);
  TENON_CHECK(avx2);
  TENON_CHECK(fma);
  TENON_CHECK(bmi);
  TENON_CHECK(bmi2);
  TENON_CHECK(gfni);
  TENON_CHECK(avx512f);
  TENON_CHECK(avx512bw);
  TENON_CHECK(avx512dq);
  TENON_CHECK(avx512vl);
  TENON_CHECK(avx512ifma);
  TENON_CHECK(avx512vbmi);
  TENON_CHECK(avx512vbmi2);
  TENON_CHECK(avx512vnni);
  TENON_CHECK(avx512bf16);
  TENON_CHECK(avx512bitalg);
  TENON_CHECK(avx512vpopcntdq);
#undef TENON_CHECK
  if (bits >= 256)
    ok = ok && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (bits >= 512)
    ok = ok && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
#endif
  if (!ok)
    throw Error(TENON_EUNSUPPORTED,
                "the model was compiled for '" + target.value("cpu", std::string("?")) + "' with " +
                    std::to_string(bits) +
                    "-bit vectors or instructions that this processor lacks; compile it on this machine");
}

/// Opens a shared object. The dynamic loader trusts sizes in a file; one that was cut short would end the process.
static int openSharedObject(const std::string &path) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    throw Error(TENON_EIO, "cannot open '" + path + "': " + std::strerror(errno));
  struct stat status;
  Elf64_Ehdr header;
  std::vector<Elf64_Phdr> segments;
  bool ok = fstat(file, &status) == 0 && S_ISREG(status.st_mode) &&
            pread(file, &header, sizeof(header), 0) == static_cast<ssize_t>(sizeof(header)) &&
            std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
            header.e_phentsize == sizeof(Elf64_Phdr);
  size_t size = ok ? status.st_size : 0;
  auto inside = [&](uint64_t offset, uint64_t bytes) { return offset <= size && bytes <= size - offset; };
  if (ok) {
    segments.resize(header.e_phnum);
    ssize_t bytes = segments.size() * sizeof(Elf64_Phdr);
    ok = inside(header.e_shoff, uint64_t(header.e_shnum) * header.e_shentsize) &&
         pread(file, segments.data(), bytes, header.e_phoff) == bytes;
  }
  for (const Elf64_Phdr &segment : segments)
    ok = ok && inside(segment.p_offset, segment.p_filesz);
  if (!ok) {
    close(file);
    throw Error(TENON_EIO, "'" + path + "' is no shared object, or is cut short");
  }
  return file;
}

/// Loads an open file. The dynamic loader knows libraries by their names: a file that has replaced a loaded one would
/// be taken for it, so that each load gets a name of its own.
static void *loadSharedObject(int file) {
  static std::atomic<uint32_t> counter{0};
  std::string name = "/proc";
  for (uint32_t bits = ++counter; bits; bits >>= 1)
    name += bits & 1 ? "/." : "/";
  return dlopen((name + "/self/fd/" + std::to_string(file)).c_str(), RTLD_NOW | RTLD_LOCAL);
}

Model::Model(const std::string &path, int threads, const tenon_callbacks *given, const tenon_rt_api &functions)
    : memory(std::make_shared<Blocks>()), constants(std::make_unique<Constants>()), functions(functions) {
  if (given) {
    if (given->struct_size > sizeof(tenon_callbacks) || given->struct_size < offsetof(tenon_callbacks, alloc))
      throw Error(TENON_EINVAL, "the callbacks' struct_size is " + std::to_string(given->struct_size) +
                                    ", expected at most " + std::to_string(sizeof(tenon_callbacks)));
    std::memcpy(&callbacks, given, given->struct_size);
    if ((callbacks.alloc == nullptr) != (callbacks.free == nullptr))
      throw Error(TENON_EINVAL, "the callbacks must have both alloc and free, or neither");
  }
  load(path, [&] {
    if (!callbacks.parallel_for)
      pool = std::make_shared<ThreadPool>(threads > 0 ? threads : availableCores());
  });
}

Model::Model(const std::string &path, const Model &original)
    : memory(original.memory), constants(std::make_unique<Constants>()), functions(original.functions) {
  load(path, [&] { checkCopy(original); });
  // Not before: constants are computed by this thread alone, so that runs of the original have all workers meanwhile.
  callbacks = original.callbacks;
  pool = original.pool;
}

void Model::load(const std::string &path, const std::function<void()> &prepare) {
  int file = openSharedObject(path);
  library = loadSharedObject(file);
  close(file);
  if (!library)
    throw Error(TENON_EIO, "cannot load '" + path + "': " + dlerror());
  try {
    auto *text = static_cast<const char *>(dlsym(library, "tenon_model_manifest"));
    auto bind = reinterpret_cast<void (*)(const tenon_rt_api *)>(dlsym(library, "tenon_model_bind"));
    entry = reinterpret_cast<tenon_kernel_fn>(dlsym(library, "tenon_model_run"));
    if (!text || !bind || !entry)
      throw Error(TENON_EIO,
                  "'" + path +
                      "' is no compiled model: it lacks tenon_model_manifest, tenon_model_bind or tenon_model_run");
    manifest = text;
    parseManifest();
    prepare();
    bind(&functions);
    init = reinterpret_cast<tenon_kernel_fn>(dlsym(library, "tenon_model_init"));
    size_t slash = path.rfind('/');
    std::string directory = slash == std::string::npos ? "." : path.substr(0, slash);
    mapWeights(directory);
    if (init)
      computeConstants(directory);
  } catch (...) {
    for (Mapping &mapping : mappings)
      munmap(mapping.data, mapping.bytes);
    dlclose(library);
    throw;
  }
}

Model::~Model() {
  idle.clear();
  pool.reset();
  for (Mapping &mapping : mappings)
    munmap(mapping.data, mapping.bytes);
  dlclose(library);
}

void Model::checkCopy(const Model &original) const {
  auto differs = [](const std::string &what) {
    throw Error(TENON_EINVAL, "the copy for fixed shapes is of another model: " + what +
                                  "; expected the request that the model was compiled with");
  };
  json mine = json::parse(manifest), other = json::parse(original.manifest);
  for (const char *part : {"target", "precision"})
    if (mine.value(part, json()) != other.value(part, json()))
      differs("its " + std::string(part) + " is " + mine.value(part, json()).dump() + ", not " +
              other.value(part, json()).dump());
  auto compare = [&](const std::vector<Port> &ports, const std::vector<Port> &wanted, const char *role) {
    if (ports.size() != wanted.size())
      differs("it has " + std::to_string(ports.size()) + " " + role + "s, not " + std::to_string(wanted.size()));
    for (size_t i = 0; i < ports.size(); ++i) {
      bool same = ports[i].name == wanted[i].name && ports[i].dtype == wanted[i].dtype &&
                  ports[i].donated == wanted[i].donated && ports[i].shape.size() == wanted[i].shape.size();
      for (size_t dim = 0; same && dim < ports[i].shape.size(); ++dim)
        same = wanted[i].shape[dim].size < 0 || ports[i].shape[dim].size == wanted[i].shape[dim].size;
      if (!same)
        differs("its " + std::string(role) + " '" + ports[i].name + "' is not '" + wanted[i].name +
                "', or of another dtype or shape");
    }
  };
  compare(inputs, original.inputs, "input");
  compare(outputs, original.outputs, "output");
  for (const auto &[path, archive] : archives)
    if (auto known = original.archives.find(path);
        known != original.archives.end() && known->second.hash != archive.hash)
      differs("'" + path + "' holds other weights");
}

void Model::computeConstants(const std::string &directory) {
  // What the constants are computed from: the code, and the weights' files as they are.
  std::string identity = manifest, path = constantsFile.empty() ? "" : directory + "/" + constantsFile;
  for (const Mapping &mapping : mappings)
    identity += "\n" + mapping.path + "\n" + mapping.stamp;
  identity = hashBytes(identity);
  if (path.empty() || !constants->mapKept(path, identity)) {
    if (!constants->allocate())
      throw Error(TENON_ENOMEM, "out of memory: no place for the model's constants");
    auto call = takeCall();
    call->computesConstants = true;
    int32_t status = init(call.get(), nullptr);
    if (call->status != TENON_OK)
      status = call->status;
    if (status != TENON_OK)
      throw Error(status, "computing the model's constants failed: " + call->message);
    call.reset(); // its arena may be as large as the constants
    if (std::all_of(mappings.begin(), mappings.end(),
                    [](const Mapping &mapping) { return stampFile(mapping.path) == mapping.stamp; }))
      constants->keep(path, identity);
  }
  for (Weight &weight : weights)
    if (weight.constant >= 0)
      weight.data = constants->at(weight.constant);
}

static std::vector<Port> parsePorts(const json &list) {
  std::vector<Port> ports;
  for (const json &item : list) {
    Port port{
        item.at("name").get<std::string>(), tenon_dtype_from_name(item.at("dtype").get<std::string>().c_str()), {}};
    if (!port.dtype)
      throw Error(TENON_EUNSUPPORTED,
                  "'" + port.name + "' has the unknown dtype '" + item.at("dtype").get<std::string>() + "'");
    for (const json &dim : item.at("shape")) {
      Dim parsed;
      if (dim.is_number_integer())
        parsed.size = dim.get<int64_t>();
      else if (dim.is_string())
        parsed.symbol = dim.get<std::string>();
      port.shape.push_back(parsed);
    }
    if (port.shape.size() > TENON_MAX_RANK)
      throw Error(TENON_EUNSUPPORTED, "'" + port.name + "' has rank " + std::to_string(port.shape.size()) + ", above " +
                                          std::to_string(TENON_MAX_RANK));
    port.donated = item.value("donated", -1);
    ports.push_back(std::move(port));
  }
  return ports;
}

void Model::parseManifest() {
  try {
    json parsed = json::parse(manifest);
    int abi = parsed.at("abi").get<int>();
    if (abi != TENON_ABI_VERSION)
      throw Error(TENON_EUNSUPPORTED, "the model has interface version " + std::to_string(abi) +
                                          ", this run time has " + std::to_string(TENON_ABI_VERSION) +
                                          "; compile it again");
    checkProcessor(parsed.at("target"));
    inputs = parsePorts(parsed.at("inputs"));
    outputs = parsePorts(parsed.at("outputs"));
    for (const Port &input : inputs)
      if (input.donated >= static_cast<int32_t>(outputs.size()))
        throw Error(TENON_EIO, "the model's manifest is damaged: input '" + input.name + "' is given to output " +
                                   std::to_string(input.donated));
    for (const json &kernel : parsed.at("kernels"))
      kernels.push_back({kernel.at("name").get<std::string>(), kernel.at("nodes").dump()});
    constantsFile = parsed.value("constants", std::string());
    if (constantsFile.find('/') != std::string::npos)
      throw Error(TENON_EIO, "the model's manifest is damaged: its constants lie in '" + constantsFile + "'");
    sidecar = parsed.value("sidecar", std::string());
    for (const json &archive : parsed.value("archives", json::array()))
      archives[archive.at("path").get<std::string>()] = {archive.at("stamp").get<std::string>(),
                                                         archive.at("hash").get<std::string>()};
    const json &list = parsed.at("weights");
    for (const json &item : list) {
      WeightPlace place{item.at("name").get<std::string>(), item.at("archive").get<std::string>(),
                        item.at("offset").get<int64_t>(), item.at("length").get<int64_t>()};
      bool constant = place.archive == "init:";
      if (place.archive.empty() || place.offset < 0 || place.length < 0 ||
          (constant && place.offset >= static_cast<int64_t>(list.size())) ||
          place.offset > std::numeric_limits<int64_t>::max() - place.length)
        throw Error(TENON_EIO, "the model's manifest is damaged: weight '" + place.name + "' has offset " +
                                   std::to_string(place.offset) + " and length " + std::to_string(place.length));
      places.push_back(std::move(place));
    }
  } catch (const json::exception &problem) {
    throw Error(TENON_EIO, std::string("the model's manifest is damaged: ") + problem.what());
  }
}

const Model::Mapping &Model::mapFile(const std::string &path) {
  for (const Mapping &mapping : mappings)
    if (mapping.path == path)
      return mapping;
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    throw Error(TENON_EIO, "cannot open the weights '" + path + "': " + std::strerror(errno));
  struct stat status;
  void *data = MAP_FAILED;
  std::string stamp = stampFile(file);
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
    data = mmap(nullptr, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  if (data == MAP_FAILED)
    throw Error(TENON_EIO, "cannot map the weights '" + path + "': it is empty or no regular file");
  size_t bytes = status.st_size;
  mappings.push_back({path, stamp, data, bytes});
  std::string_view content(static_cast<const char *>(data), bytes);
  auto known = archives.find(path);
  if (known != archives.end()
          ? known->second.stamp != stamp && known->second.hash != hashBytes(content)
          : !sidecar.empty() && (bytes < sidecar.size() || content.substr(bytes - sidecar.size()) != sidecar))
    throw Error(TENON_EIO, "the weights '" + path + "' are not those that the model was compiled with");
  return mappings.back();
}

void Model::mapWeights(const std::string &directory) {
  for (const WeightPlace &item : places) {
    const std::string &archive = item.archive;
    int64_t offset = item.offset, length = item.length;
    Weight weight;
    weight.length = static_cast<size_t>(length);
    if (archive == "init:") {
      weight.constant = offset;
      constants->reserve(offset, weight.length);
    } else {
      if (length == 0) {
        static const char nothing[64] = {};
        weight.data = nothing;
      } else {
        const Mapping &mapping = mapFile(archive[0] == '/' ? archive : directory + "/" + archive);
        if (weight.length > mapping.bytes || static_cast<size_t>(offset) > mapping.bytes - weight.length)
          throw Error(TENON_EIO, "the weights '" + mapping.path + "' are too short: '" + item.name + "' ends at byte " +
                                     std::to_string(offset + length) + " of " + std::to_string(mapping.bytes));
        weight.data = static_cast<const char *>(mapping.data) + offset;
      }
    }
    weights.push_back(weight);
  }
}

void *Model::constant(int64_t index) { return constants->at(index); }

void Model::dropPages() {
  for (Mapping &mapping : mappings)
    madvise(mapping.data, mapping.bytes, MADV_DONTNEED);
}

int Model::workers() const {
  return callbacks.parallel_for ? std::max(1, callbacks.workers) : pool ? pool->workers() : 1;
}

void Model::parallelFor(int64_t n, ThreadPool::Body body, void *state, bool backward) {
  if (callbacks.parallel_for)
    callbacks.parallel_for(callbacks.user, n, body, state);
  else if (pool)
    pool->run(n, body, state, backward);
  else
    body(state, 0, n, 0);
}

void *Model::allocate(size_t bytes) {
  return callbacks.alloc ? callbacks.alloc(callbacks.user, bytes, 64) : memory->take(bytes);
}

void Model::release(void *block) {
  if (!block)
    return;
  if (callbacks.free)
    callbacks.free(callbacks.user, block);
  else
    memory->give(block);
}

std::unique_ptr<tenon_call> Model::takeCall() {
  std::lock_guard<std::mutex> guard(lock);
  if (idle.empty())
    return std::make_unique<tenon_call>(*this);
  auto call = std::move(idle.back());
  idle.pop_back();
  return call;
}

bool Model::hasOpenDims() const {
  return std::any_of(inputs.begin(), inputs.end(), [](const Port &port) {
    return std::any_of(port.shape.begin(), port.shape.end(), [](const Dim &dim) { return dim.size < 0; });
  });
}

std::vector<std::string> Model::kernelNames() const {
  std::vector<std::string> names;
  for (const KernelProfile &kernel : kernels)
    names.push_back(kernel.name);
  return names;
}

void Model::setProfiling(bool on) {
  std::lock_guard<std::mutex> guard(lock);
  if (on && !profileOn)
    for (KernelProfile &kernel : kernels)
      kernel.calls = kernel.nanoseconds = kernel.flops = kernel.bytes = 0;
  profileOn = on;
}

void Model::addProfile(int64_t kernel, int64_t nanoseconds, int64_t flops, int64_t bytes) {
  std::lock_guard<std::mutex> guard(lock);
  if (kernel < 0 || kernel >= static_cast<int64_t>(kernels.size()))
    return;
  KernelProfile &sum = kernels[kernel];
  ++sum.calls;
  sum.nanoseconds += nanoseconds;
  sum.flops += flops;
  sum.bytes += bytes;
}

std::vector<KernelProfile> Model::profile() {
  std::lock_guard<std::mutex> guard(lock);
  return kernels;
}

} // namespace tenon::runtime
