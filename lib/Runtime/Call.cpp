//===- Call.cpp - the functions that generated code calls ----------------------------------===//
#include "Call.h"
#include "Blocks.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

tenon_call::~tenon_call() {
  reset();
  for (Memory &memory : scratch)
    model.release(memory.data);
  model.release(arena.data);
}

void tenon_call::reset() {
  for (auto &block : blocks)
    model.blocks().give(block.first);
  blocks.clear();
  status = TENON_OK;
  message.clear();
  lastRange = nullptr;
}

int32_t tenon_call::fail(int32_t code, const std::string &text) {
  std::lock_guard<std::mutex> guard(errorLock);
  if (status == TENON_OK) {
    message = text;
    status = code;
  }
  return status;
}

namespace tenon::runtime {

namespace {

/// Makes `memory` at least `bytes` long; false when there is none.
bool grow(tenon::runtime::Model &model, tenon_call::Memory &memory, int64_t bytes) {
  if (bytes < 0)
    return false;
  if (memory.data && static_cast<size_t>(bytes) <= memory.bytes)
    return true;
  model.release(memory.data);
  memory = {nullptr, 0};
  memory = {model.allocate(std::max<size_t>(bytes, 1)), static_cast<size_t>(bytes)};
  return memory.data != nullptr;
}

struct Region {
  tenon_call *call;
  tenon_range_fn fn;
  void *const *args;
};

void runRange(void *state, int64_t lo, int64_t hi, int32_t worker) {
  auto *region = static_cast<Region *>(state);
  region->fn(region->args, lo, hi, region->call->scratch[worker].data);
}

int32_t parallelFor(tenon_call *call, tenon_range_fn fn, void *const *args, int64_t n, int64_t scratchBytes) {
  if (n <= 0)
    return TENON_OK;
  if (scratchBytes != 0)
    for (tenon_call::Memory &memory : call->scratch)
      if (!grow(call->model, memory, scratchBytes))
        return call->fail(TENON_ENOMEM,
                          "out of memory: a kernel needs " + std::to_string(scratchBytes) + " bytes of scratch");
  Region region{call, fn, args};
  // The step of a loop that reads the same weights as the step before starts with those read last: they are still near.
  // A few in a row may be siblings with weights of their own, which come faster forward.
  constexpr int kSiblings = 4;
  bool backward = false;
  if (n > 1) {
    call->repeats = call->lastRange == fn ? call->repeats + 1 : 0;
    call->lastRange = fn;
    backward = call->repeats >= kSiblings && call->repeats % 2 != 0;
  }
  call->model.parallelFor(n, runRange, &region, backward);
  return TENON_OK;
}

int32_t dispatch(tenon_call *call, int64_t kernel, tenon_kernel_fn fn, void *const *args, int64_t flops,
                 int64_t bytes) {
  if (call->computesConstants) {
    int32_t status = fn(call, args);
    call->model.dropPages();
    return status;
  }
  if (!call->model.profiling())
    return fn(call, args);
  auto start = std::chrono::steady_clock::now();
  int32_t status = fn(call, args);
  auto elapsed = std::chrono::steady_clock::now() - start;
  call->model.addProfile(kernel, std::chrono::duration_cast<std::chrono::nanoseconds>(elapsed).count(), flops, bytes);
  return status;
}

void *arena(tenon_call *call, int64_t bytes) {
  if (grow(call->model, call->arena, bytes))
    return call->arena.data;
  call->fail(TENON_ENOMEM,
             "out of memory: the model needs " + std::to_string(bytes) + " bytes for its intermediate results");
  return nullptr;
}

void *allocate(tenon_call *call, int64_t bytes) {
  void *memory = bytes < 0 ? nullptr : call->model.blocks().take(bytes);
  if (memory)
    call->blocks.emplace(memory, bytes);
  else
    call->fail(TENON_ENOMEM, "out of memory: no " + std::to_string(bytes) + " bytes for an intermediate result");
  return memory;
}

void release(tenon_call *call, void *memory) {
  if (call->blocks.erase(memory))
    call->model.blocks().give(memory);
}

const void *weight(tenon_call *call, int64_t index) { return call->model.weight(index); }

void *output(tenon_call *call, int64_t index, const int64_t *dims, int64_t rank) {
  unsigned __int128 count = 1;
  for (int64_t i = 0; i < rank; ++i) {
    if (dims[i] < 0) {
      call->fail(TENON_EINVAL, "a result would have a negative dim: " + formatShape(dims, rank));
      return nullptr;
    }
    count *= dims[i];
    if (count > (static_cast<unsigned __int128>(1) << 47)) {
      call->fail(TENON_ENOMEM, "a result of shape " + formatShape(dims, rank) + " does not fit memory");
      return nullptr;
    }
  }
  if (call->computesConstants)
    return call->model.constant(index);
  const Port &port = call->model.outputPorts()[index];
  size_t bytes = (static_cast<size_t>(count) * tenon_dtype_bits(port.dtype) + 7) / 8;
  tenon_output &out = call->outputs[index];
  out.dtype = port.dtype;
  out.rank = static_cast<int32_t>(rank);
  for (int64_t i = 0; i < rank && i < TENON_MAX_RANK; ++i)
    out.shape[i] = dims[i];
  if (out.data) {
    if (out.capacity < bytes) {
      call->fail(TENON_EINVAL, "output '" + port.name + "': shape " + formatShape(dims, rank) + " needs " +
                                   std::to_string(bytes) + " bytes, but the given memory has " +
                                   std::to_string(out.capacity));
      return nullptr;
    }
    return out.data;
  }
  out.data = call->model.allocate(bytes ? bytes : 1);
  out.owned = out.data != nullptr;
  if (!out.data)
    call->fail(TENON_ENOMEM, "out of memory: output '" + port.name + "' needs " + std::to_string(bytes) + " bytes");
  return out.data;
}

int32_t error(tenon_call *call, int32_t code, const char *message) { return call->fail(code, message); }

} // namespace

const Model &modelOf(const tenon_call *call) { return call->model; }

const tenon_rt_api &runtimeTable() {
  static const tenon_rt_api table = {parallelFor, dispatch, arena, allocate, release, weight, output, error};
  return table;
}

} // namespace tenon::runtime
