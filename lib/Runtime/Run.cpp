//===- Run.cpp - one run of a model: its inputs checked, its code called ----------------------===//
#include "Blocks.h"
#include "Call.h"
#include "tenon/Runtime/Model.h"

#include <cstring>
#include <map>

namespace tenon::runtime {

std::string formatShape(const int64_t *shape, int rank) {
  std::string text = "[";
  for (int i = 0; i < rank; ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

static std::string formatShape(const std::vector<Dim> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + (shape[i].size >= 0        ? std::to_string(shape[i].size)
                               : shape[i].symbol.empty() ? "?"
                                                         : shape[i].symbol);
  return text + "]";
}

/// Copies a strided tensor to row-major order.
static void pack(const tenon_input &input, size_t size, char *out) {
  std::vector<int64_t> index(input.rank, 0);
  for (;;) {
    int64_t offset = 0;
    for (int i = 0; i < input.rank; ++i)
      offset += index[i] * input.strides[i];
    std::memcpy(out, static_cast<const char *>(input.data) + offset * static_cast<int64_t>(size), size);
    out += size;
    int dim = input.rank - 1;
    while (dim >= 0 && ++index[dim] == input.shape[dim])
      index[dim--] = 0;
    if (dim < 0)
      return;
  }
}

void Model::checkInputs(const tenon_input *given, int32_t count, std::vector<std::vector<char>> &packed,
                        std::vector<void *> &words) {
  if (count != static_cast<int32_t>(inputs.size()))
    throw Error(TENON_EINVAL,
                "expected " + std::to_string(inputs.size()) + " inputs, but got " + std::to_string(count));
  std::map<std::string, int64_t> symbols;
  for (int32_t i = 0; i < count; ++i) {
    const Port &port = inputs[i];
    const tenon_input &input = given[i];
    if (input.dtype != port.dtype) {
      const char *name = tenon_dtype_name(input.dtype);
      throw Error(TENON_EINVAL, "input '" + port.name + "': expected dtype " + tenon_dtype_name(port.dtype) +
                                    ", but got " + (name ? name : "unknown"));
    }
    bool same = input.rank == static_cast<int32_t>(port.shape.size());
    if (same && input.rank > 0 && !input.shape)
      throw Error(TENON_EINVAL, "input '" + port.name + "': no shape");
    for (int32_t dim = 0; same && dim < input.rank; ++dim) {
      const Dim &want = port.shape[dim];
      int64_t got = input.shape[dim];
      same = got >= 0 && (want.size < 0 || want.size == got);
      if (same && !want.symbol.empty()) {
        auto [found, fresh] = symbols.try_emplace(want.symbol, got);
        if (!fresh && found->second != got)
          throw Error(TENON_EINVAL, "input '" + port.name + "': dim '" + want.symbol + "' is " + std::to_string(got) +
                                        ", but an earlier input has " + std::to_string(found->second));
      }
    }
    if (!same)
      throw Error(TENON_EINVAL, "input '" + port.name + "': expected shape " + formatShape(port.shape) + ", but got " +
                                    formatShape(input.shape, input.rank));
    int64_t elements = 1;
    for (int32_t dim = 0; dim < input.rank; ++dim)
      if (__builtin_mul_overflow(elements, input.shape[dim], &elements))
        throw Error(TENON_EINVAL, "input '" + port.name + "': shape " + formatShape(input.shape, input.rank) +
                                      " has more elements than memory can hold");
    if (elements > 0 && !input.data)
      throw Error(TENON_EINVAL, "input '" + port.name + "': no data");
    const void *data = input.data;
    if (input.strides && elements > 0) {
      int64_t expected = 1;
      bool contiguous = true;
      for (int32_t dim = input.rank - 1; dim >= 0; --dim) {
        contiguous &= input.shape[dim] == 1 || input.strides[dim] == expected;
        expected *= input.shape[dim];
      }
      if (!contiguous && port.donated >= 0)
        throw Error(TENON_EINVAL, "input '" + port.name + "' is updated in place: expected contiguous memory");
      if (!contiguous) {
        int bits = tenon_dtype_bits(port.dtype);
        if (bits % 8 != 0)
          throw Error(TENON_EINVAL, "input '" + port.name + "': packed elements must be contiguous");
        packed.emplace_back(elements * (bits / 8));
        pack(input, bits / 8, packed.back().data());
        data = packed.back().data();
      }
    }
    words.push_back(const_cast<void *>(data));
    for (int32_t dim = 0; dim < input.rank; ++dim)
      if (port.shape[dim].size < 0)
        words.push_back(reinterpret_cast<void *>(input.shape[dim]));
  }
}

void Model::run(const tenon_input *given, int32_t inputCount, tenon_output *results, int32_t outputCount) {
  if (outputCount != static_cast<int32_t>(outputs.size()))
    throw Error(TENON_EINVAL,
                "expected " + std::to_string(outputs.size()) + " outputs, but got " + std::to_string(outputCount));
  std::vector<std::vector<char>> packed;
  packed.reserve(inputCount);
  std::vector<void *> words;
  checkInputs(given, inputCount, packed, words);
  for (int32_t i = 0; i < inputCount; ++i)
    if (int32_t index = inputs[i].donated; index >= 0) {
      tenon_output &result = results[index];
      if (result.data && result.data != given[i].data)
        throw Error(TENON_EINVAL, "output '" + outputs[index].name + "' takes over the memory of input '" +
                                      inputs[i].name + "': expected no memory for it");
      result.data = const_cast<void *>(given[i].data);
      result.capacity = SIZE_MAX; // its shape is the input's
    }
  auto call = takeCall();
  call->outputs = results;
  for (int32_t i = 0; i < outputCount; ++i)
    results[i].owned = 0;
  int32_t status = entry(call.get(), words.data());
  if (call->status != TENON_OK) // what was recorded first is the cause of what was returned
    status = call->status;
  std::string message = call->message;
  call->reset();
  {
    std::lock_guard<std::mutex> guard(lock);
    idle.push_back(std::move(call));
  }
  if (status == TENON_OK)
    return;
  for (int32_t i = 0; i < outputCount; ++i)
    if (results[i].owned) {
      release(results[i].data);
      results[i].data = nullptr;
      results[i].owned = 0;
    }
  throw Error(status, message.empty() ? "the model failed with status " + std::to_string(status) : message);
}

} // namespace tenon::runtime
