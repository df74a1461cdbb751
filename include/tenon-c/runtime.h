/*===- runtime.h - what generated code may call ---------------------------------===
 *
 * The whole interface between generated code and its surroundings. Generated code calls these functions and memcpy,
 * memmove and memset, nothing else (`nm -u` on an object shows it). People who embed a model use tenon.h instead.
 *
 * Argument words. Kernels and entry points take `void *const *args`, an array of pointer-sized words. A tensor is its
 * data pointer (row-major, contiguous, aligned at least to its element) followed by one word for each of its *dynamic*
 * dims, in order; the pass that outlined the kernel fixed which these are. An index or integer scalar is one word; a
 * float scalar is its bits in one word.
 *
 * Status. Functions that return int32_t return 0 or a TENON_E... code; after an error the caller returns it at once.
 *===----------------------------------------------------------------------===*/
#ifndef TENON_C_RUNTIME_H
#define TENON_C_RUNTIME_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changes whenever anything below changes; part of every cache key. */
#define TENON_ABI_VERSION 1

enum {
  TENON_OK = 0,
  TENON_EINVAL = 1, /* a wrong argument, shape, dtype or option */
  TENON_ENOMEM = 2, /* out of memory, or a size that overflows */
  TENON_EDATA = 3,  /* a value in the data that the model refuses: index out of range, division by zero */
  TENON_EIO = 4,    /* a file that cannot be read, written or trusted */
  TENON_EUNSUPPORTED = 5,
  TENON_EINTERNAL = 6,
  TENON_ECANCELLED = 7 /* ended by the caller's progress function */
};

/* One run of a model; opaque to generated code. */
typedef struct tenon_call tenon_call;

/* Work items lo <= i < hi of a kernel. A pure function of its arguments: it calls nothing. `scratch` is this worker's
 * memory of the size that the kernel asked for, aligned to 64 bytes, with undefined contents. */
typedef void (*tenon_range_fn)(void *const *args, int64_t lo, int64_t hi, void *scratch);

/* A kernel's entry: computes its number of work items and calls tenon_rt_parallel_for once. */
typedef int32_t (*tenon_kernel_fn)(tenon_call *call, void *const *args);

/* Runs fn over [0, n) in parallel; returns when all is done. n <= 0 does nothing. */
int32_t tenon_rt_parallel_for(tenon_call *call, tenon_range_fn fn, void *const *args, int64_t n, int64_t scratch_bytes);

/* Runs a kernel and, when profiling is on, notes its time. kernel: index in the manifest's list. flops and bytes: of
 * this execution, for the roofline. */
int32_t tenon_rt_dispatch(tenon_call *call, int64_t kernel, tenon_kernel_fn fn, void *const *args, int64_t flops,
                          int64_t bytes);

/* The arena of this call, at least `bytes` long, aligned to 64; NULL when there is no memory or bytes < 0. Asked for at
 * most once per call. */
void *tenon_rt_arena(tenon_call *call, int64_t bytes);

/* Memory whose size was not known at the start; aligned to 64; freed by tenon_rt_free or at the end of the call. NULL
 * when there is none or bytes < 0; bytes == 0 gives a valid pointer. */
void *tenon_rt_alloc(tenon_call *call, int64_t bytes);
void tenon_rt_free(tenon_call *call, void *memory);

/* The bytes of weight `index` of the manifest. */
const void *tenon_rt_weight(tenon_call *call, int64_t index);

/* Where output `index` of shape dims[0..rank) is to be written: the caller's buffer, or a new one. NULL on error (the
 * error is recorded). In tenon_model_init, outputs are the constants that the model computes once. */
void *tenon_rt_output(tenon_call *call, int64_t index, const int64_t *dims, int64_t rank);

/* Records an error (the first one wins) and returns its code. `message` names the user's node; it is copied. */
int32_t tenon_rt_error(tenon_call *call, int32_t code, const char *message);

/* How a shared object reaches these functions: it carries its own definitions of tenon_rt_* (hidden trampolines) that
 * jump through this table, so that it depends on no library by name. The loader passes the table to
 * tenon_model_bind before anything else. Objects that are linked statically use the functions directly. */
typedef struct tenon_rt_api {
  int32_t (*parallel_for)(tenon_call *, tenon_range_fn, void *const *, int64_t, int64_t);
  int32_t (*dispatch)(tenon_call *, int64_t, tenon_kernel_fn, void *const *, int64_t, int64_t);
  void *(*arena)(tenon_call *, int64_t);
  void *(*alloc)(tenon_call *, int64_t);
  void (*free)(tenon_call *, void *);
  const void *(*weight)(tenon_call *, int64_t);
  void *(*output)(tenon_call *, int64_t, const int64_t *, int64_t);
  int32_t (*error)(tenon_call *, int32_t, const char *);
} tenon_rt_api;

/* What a model's shared object exports:
 *   void tenon_model_bind(const tenon_rt_api *);             keeps the pointer; called once, first
 *   const char tenon_model_manifest[];                       JSON, NUL-terminated: see docs/rationale/kernel-abi.md
 *   int32_t tenon_model_init(tenon_call *, void *const *);   computes constants (packed weights); absent if there are
 * none int32_t tenon_model_run(tenon_call *, void *const *);    args: the inputs in order
 */

#ifdef __cplusplus
}
#endif
#endif /* TENON_C_RUNTIME_H */
