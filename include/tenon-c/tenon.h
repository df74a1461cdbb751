/*===- tenon.h - load and run compiled models; compile them ------------------------===
 *
 * Rules that hold for everything here:
 *  - Functions that return int32_t return TENON_OK (0) or a TENON_E... code of runtime.h. With a code, and when `error`
 * is not NULL, *error is a message for people, to be freed with tenon_free.
 *  - Strings are UTF-8, NUL-terminated. Shapes count elements; sizes count bytes; times are in nanoseconds.
 *  - A model may be run from several threads at once. Destroying it while it runs is an error of the caller.
 *  - Everything that a model reads or writes belongs to the caller, except outputs for which he gave no memory: these
 *    are allocated with the callbacks' `alloc` (default: the C library's) and freed by tenon_output_release.
 *===----------------------------------------------------------------------===*/
#ifndef TENON_C_TENON_H
#define TENON_C_TENON_H

#include "tenon-c/runtime.h"
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TENON_API __attribute__((visibility("default")))
#define TENON_MAX_RANK 16

/* Element types; `tenon_dtype_name` spells them as NumPy does. */
typedef enum tenon_dtype {
  TENON_BOOL = 1, /* one byte, 0 or 1 */
  TENON_INT8,
  TENON_INT16,
  TENON_INT32,
  TENON_INT64,
  TENON_UINT8,
  TENON_UINT16,
  TENON_UINT32,
  TENON_UINT64,
  TENON_FLOAT16,
  TENON_BFLOAT16,
  TENON_FLOAT32,
  TENON_FLOAT64,
  TENON_FLOAT8E4M3FN,
  TENON_FLOAT8E4M3FNUZ,
  TENON_FLOAT8E5M2,
  TENON_FLOAT8E5M2FNUZ,
  TENON_INT4,
  TENON_UINT4,
  TENON_INT2,
  TENON_UINT2,
  TENON_FLOAT4E2M1, /* these five: one byte each, the value in its low bits */
  TENON_FLOAT8E8M0
} tenon_dtype;
TENON_API const char *tenon_dtype_name(int32_t dtype);     /* NULL if unknown */
TENON_API int32_t tenon_dtype_from_name(const char *name); /* 0 if unknown */
TENON_API int32_t tenon_dtype_bits(int32_t dtype);         /* that an element takes in memory; 0 if unknown */

typedef struct tenon_model tenon_model;

/* Replaces memory and threads. Set struct_size to sizeof(tenon_callbacks); members may be NULL. */
typedef struct tenon_callbacks {
  uint32_t struct_size;
  void *user;
  void *(*alloc)(void *user, size_t bytes, size_t alignment); /* outputs and arenas; NULL when there is none */
  void (*free)(void *user, void *memory);
  /* Calls body(state, lo, hi, worker) so that the ranges cover [0, n) once; worker < workers, and no two calls that
   * run at the same time have the same worker. Returns when all are done. */
  void (*parallel_for)(void *user, int64_t n, void (*body)(void *state, int64_t lo, int64_t hi, int32_t worker),
                       void *state);
  int32_t workers;
} tenon_callbacks;

/* Loads a compiled model. threads: workers of its pool, 0 for the cores that affinity and cgroup allow; ignored with
 * callbacks->parallel_for. Fails with TENON_EIO for files that cannot be read or trusted, TENON_EUNSUPPORTED where
 * this processor lacks what the code needs or the interface's version differs. */
TENON_API int32_t tenon_model_load(const char *path, int32_t threads, const tenon_callbacks *callbacks,
                                   tenon_model **model, char **error);
TENON_API void tenon_model_destroy(tenon_model *model);

/* The manifest: JSON with "inputs" and "outputs" ([{"name","dtype","shape":[int, "symbol" or null]}]), "kernels",
 * "graph" (how they feed each other), "remarks" (what was not fused, and why), "target". Owned by the model. An input
 * with "donated": n is written: output n takes over its memory. */
TENON_API const char *tenon_model_manifest_json(const tenon_model *model);

typedef struct tenon_input {
  const void *data; /* only read, unless the input is donated */
  int32_t dtype, rank;
  const int64_t *shape;
  const int64_t *strides; /* in elements; NULL: row-major, contiguous */
} tenon_input;

typedef struct tenon_output {
  void *data;                    /* in: memory for the result, or NULL; out: the result, row-major */
  size_t capacity;               /* in: bytes at `data` */
  int32_t dtype, rank;           /* out */
  int64_t shape[TENON_MAX_RANK]; /* out */
  int32_t owned;                 /* out: 1 when tenon_output_release must free `data` */
} tenon_output;

/* Runs the model. Inputs must match the manifest in number, dtype and shape; dims of the same symbol must be equal.
 * After an error no output is owned. */
TENON_API int32_t tenon_model_run_tensors(tenon_model *model, const tenon_input *inputs, int32_t input_count,
                                          tenon_output *outputs, int32_t output_count, char **error);
TENON_API void tenon_output_release(tenon_model *model, tenon_output *output);

/* Profiling: counts and times per kernel, summed over runs since it was switched on. The JSON is a list of
 * {"name","nodes","calls","ns","flops","bytes"}, to be freed with tenon_free. Kernels of a copy for fixed shapes (see
 * tenon_model_specialize) have "shapes", too: {name: [int]}, or null for the sums of copies that are gone. */
TENON_API void tenon_model_set_profiling(tenon_model *model, int32_t on);
TENON_API char *tenon_model_profile_json(tenon_model *model);

/* Compiles a model, or finds it in the cache. The model is `size` bytes at `bytes`, or with NULL the file that the
 * request names. The request is JSON: {"path": str (with `bytes`: where external data is looked for, and the name in
 * messages), "output": str (without it the cache is used), "target": "host", "shapes": {name: [int]}, "level": int,
 * "fusion": bool (false: each op is a kernel of its own), "precision": "reorder" or "fast" (results within the error
 * bounds of docs/rationale/precision.md), "schedules": {name of a kernel or node: "#tenon.schedule<...>"}, "spaces":
 * {"best": int, "samples": int, "seed": int} (the manifest's "kernels" then say which schedules each may have, "space":
 * docs/rationale/schedules.md), "self_contained": bool, "sums_as_open": bool (sums in the order that they have with
 * open dims, so that fixed shapes give the same bits), "dump": dir, "timing": bool, "compile_threads": int, "cache":
 * bool}.
 *
 * The reply is JSON, freed with tenon_free: {"output": path of the shared object, "cached": bool, "kernels": int,
 * "compiled_kernels": int, "seconds": {stage: s}, "timing": table of passes (when asked for), "temporary": bool,
 * "warning": str (why the cache is not used)}. With "temporary", the folder of "output" is the caller's to remove; he
 * may do so once the model is loaded.
 *
 * progress (may be NULL) is called with stage, done and total, from any thread, one at a time; when it returns anything
 * but 0, the compile ends with TENON_ECANCELLED. The compiler is loaded only when the cache has no answer. */
typedef int32_t (*tenon_progress_fn)(void *user, const char *stage, int64_t done, int64_t total);
TENON_API int32_t tenon_compile(const char *request_json, const void *bytes, size_t size, tenon_progress_fn progress,
                                void *user, char **reply_json, char **error);

/* Copies of hot shapes. A model with open dims runs generic code; from here on the shapes of its inputs are counted,
 * and one that has come `after` times (0: TENON_SPECIALIZE_AFTER) is compiled with these shapes fixed, through the
 * cache, on one background thread of low priority. Once a run has shown that the copy gives the same bits as generic
 * code, runs of these shapes go to it. At most `limit` copies are kept; the one that was used least recently goes for
 * another. Memory is bounded whatever shapes come. limit 0 ends all this. May be called while the model runs.
 *
 * request_json and bytes are those of tenon_compile that the model was compiled with; the bytes are copied. A model of
 * which only the shared object is there cannot be specialised: TENON_EINVAL. Where no dims are open there is nothing to
 * do, which is no error. What does not compile stays on generic code; tenon_model_specializations_json has the reason.
 *
 * Copies run with the model's pool and callbacks; `alloc` and `free` may then be called from the background thread,
 * too. tenon_model_destroy cancels a compile and waits for its next step, so destroy the model before the process ends.
 */
#define TENON_SPECIALIZE_AFTER 3
TENON_API int32_t tenon_model_specialize(tenon_model *model, const char *request_json, const void *bytes, size_t size,
                                         int32_t limit, int32_t after, char **error);

/* JSON, freed with tenon_free: {"on": bool, "note": str (why it is off), "shapes": [{"shapes": {name: [int]}, "state",
 * "runs" and "hits" (runs on generic code and on the copy), "seconds" (to make the copy), "reason" (of a failure)}]},
 * the shapes used last first. States: "counting"; "waiting" for the compile of another; "compiling"; "checking" until a
 * run has compared it; "ready"; "failed". */
TENON_API char *tenon_model_specializations_json(tenon_model *model);

/* Measured peaks of this machine with `threads` threads: {"flops": per second, "bytes_per_second": ...} as JSON. */
TENON_API char *tenon_measure_peaks(int32_t threads);

TENON_API const char *tenon_version(void);
TENON_API void tenon_free(void *memory);

#ifdef __cplusplus
}
#endif
#endif /* TENON_C_TENON_H */
