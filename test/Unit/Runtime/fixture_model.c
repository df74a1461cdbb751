/* A model's shared object by hand: z = (x + y + w) * scale for x, y of shape [N, 3]; w is a weight in fixture.weights,
 * scale a constant that the initializer computes. An x of 666 is an error of the data. Tests patch the manifest. */
#include "tenon-c/runtime.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT const char tenon_model_manifest[4096] =
    "{\"abi\": 1, \"tenon_version\": \"fixture\", \"target\": {\"cpu\": \"x86-64\", \"features\": \"\", "
    "\"vector_bits\": 128}, \"entry\": \"tenon_model_run\", \"init\": \"tenon_model_init\", "
    "\"inputs\": [{\"name\": \"x\", \"dtype\": \"float32\", \"shape\": [\"N\", 3]}, "
    "{\"name\": \"y\", \"dtype\": \"float32\", \"shape\": [\"N\", 3]}], "
    "\"outputs\": [{\"name\": \"z\", \"dtype\": \"float32\", \"shape\": [\"N\", 3]}], "
    "\"weights\": [{\"name\": \"w\", \"archive\": \"fixture.weights\", \"offset\": 64, \"length\": 12}, "
    "{\"name\": \"scale\", \"archive\": \"init:\", \"offset\": 0, \"length\": 4}], "
    "\"kernels\": [{\"name\": \"add\", \"nodes\": [\"Add_0\"], \"algorithm\": \"elementwise\", \"schedule\": \"\"}]}";

static const tenon_rt_api *api;
EXPORT void tenon_model_bind(const tenon_rt_api *given) { api = given; }

EXPORT int32_t tenon_model_init(tenon_call *call, void *const *args) {
  int64_t one = 1;
  const float *w = api->weight(call, 0);
  float *scale = api->output(call, 0, &one, 1);
  if (!scale)
    return TENON_ENOMEM;
  *scale = w[0] * 2;
  return TENON_OK;
}

static void add_range(void *const *args, int64_t lo, int64_t hi, void *scratch) {
  const float *x = args[0], *y = args[1], *w = args[2], *scale = args[3];
  float *z = args[4], *sum = scratch;
  for (int64_t row = lo; row < hi; ++row)
    for (int64_t i = 0; i < 3; ++i) {
      float a, b; /* the caller's memory need not be aligned */
      __builtin_memcpy(&a, x + row * 3 + i, sizeof(a));
      __builtin_memcpy(&b, y + row * 3 + i, sizeof(b));
      sum[0] = a + b + w[i];
      z[row * 3 + i] = sum[0] * *scale;
    }
}

static int32_t add(tenon_call *call, void *const *args) {
  return api->parallel_for(call, add_range, args, (int64_t)args[5], 256);
}

EXPORT int32_t tenon_model_run(tenon_call *call, void *const *args) {
  int64_t dims[2] = {(int64_t)args[1], 3};
  float *arena = api->arena(call, dims[0] * 12), *more = api->alloc(call, dims[0] * 12);
  if (!arena || !more)
    return TENON_ENOMEM;
  if (dims[0] > 0 && *(const float *)args[0] == 666) {
    float *z = api->output(call, 0, dims, 2); /* must not stay with the caller */
    if (z)
      api->error(call, TENON_EDATA, "node 'Gather_3': index out of range");
    return api->error(call, TENON_EINTERNAL, "a later error");
  }
  float *z = api->output(call, 0, dims, 2);
  if (!z)
    return TENON_EINVAL;
  api->free(call, more);
  void *words[] = {args[0], args[2], (void *)api->weight(call, 0), (void *)api->weight(call, 1), z, (void *)dims[0]};
  return api->dispatch(call, 0, add, words, dims[0] * 9, dims[0] * 36);
}
