/* A C program that embeds a model, as tenon.h describes it: run_model MODEL.so. Prints nothing and returns 0 when all
 * is as it should be. */
#include "tenon-c/tenon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                                  \
      return 1;                                                                                                        \
    }                                                                                                                  \
  } while (0)

static int expect_error(int32_t status, int32_t wanted, char *error, const char *text) {
  CHECK(status == wanted);
  CHECK(error && strstr(error, text));
  tenon_free(error);
  return 0;
}

int main(int argc, char **argv) {
  tenon_model *model = NULL;
  char *error = NULL;
  CHECK(argc == 2);
  CHECK(strlen(tenon_version()) > 0);
  CHECK(tenon_dtype_from_name("float32") == TENON_FLOAT32 && tenon_dtype_bits(TENON_FLOAT32) == 32);
  CHECK(strcmp(tenon_dtype_name(TENON_BFLOAT16), "bfloat16") == 0 && !tenon_dtype_name(-1));

  if (expect_error(tenon_model_load("/nonexistent.so", 1, NULL, &model, &error), TENON_EIO, error, "/nonexistent.so"))
    return 1;
  CHECK(!model);
  CHECK(tenon_model_load("/nonexistent.so", 1, NULL, &model, NULL) == TENON_EIO); /* nobody wants the message */
  if (expect_error(tenon_model_load(NULL, 1, NULL, &model, &error), TENON_EINVAL, error, "must not be NULL"))
    return 1;

  int32_t status = tenon_model_load(argv[1], 2, NULL, &model, &error);
  if (status != TENON_OK)
    fprintf(stderr, "%s\n", error);
  CHECK(status == TENON_OK && !error && model);
  CHECK(strstr(tenon_model_manifest_json(model), "\"inputs\""));

  float x[6] = {1, 2, 3, 4, 5, 6};
  int64_t shape[2] = {2, 3}, wrong[2] = {2, 4};
  tenon_input inputs[2] = {{x, TENON_FLOAT32, 2, shape, NULL}, {x, TENON_FLOAT32, 2, shape, NULL}};
  tenon_output output;
  memset(&output, 0, sizeof(output));
  tenon_model_set_profiling(model, 1);
  CHECK(tenon_model_run_tensors(model, inputs, 2, &output, 1, &error) == TENON_OK);
  CHECK(output.owned && output.rank == 2 && output.shape[0] == 2 && output.shape[1] == 3);
  for (int i = 0; i < 6; ++i)
    CHECK(((float *)output.data)[i] == (2 * x[i] + 1 + i % 3) * 2);
  tenon_output_release(model, &output);
  CHECK(!output.data && !output.owned);
  tenon_output_release(model, &output); /* twice is once */
  char *profile = tenon_model_profile_json(model);
  CHECK(profile && strstr(profile, "\"calls\":1") && strstr(profile, "Add_0"));
  tenon_free(profile);

  inputs[1].shape = wrong;
  if (expect_error(tenon_model_run_tensors(model, inputs, 2, &output, 1, &error), TENON_EINVAL, error,
                   "input 'y': expected shape [N, 3], but got [2, 4]"))
    return 1;
  x[0] = 666;
  inputs[1].shape = shape;
  if (expect_error(tenon_model_run_tensors(model, inputs, 2, &output, 1, &error), TENON_EDATA, error,
                   "node 'Gather_3'"))
    return 1;
  CHECK(!output.owned);
  const char *request = "{\"path\": \"model.onnx\"}";
  if (expect_error(tenon_model_specialize(model, "{", NULL, 0, 4, 0, &error), TENON_EINVAL, error, "no JSON object") ||
      expect_error(tenon_model_specialize(model, "{}", NULL, 0, 4, 0, &error), TENON_EINVAL, error,
                   "cannot specialise without the model that was compiled") ||
      expect_error(tenon_model_specialize(model, "{\"path\": \"model.so\"}", NULL, 0, 4, 0, &error), TENON_EINVAL,
                   error, "model.so': it is compiled already") ||
      expect_error(tenon_model_specialize(model, "{\"path\": 3}", NULL, 0, 4, 0, &error), TENON_EINVAL, error,
                   "has a wrong type") ||
      expect_error(tenon_model_specialize(model, "{\"path\": \"/nonexistent.onnx\"}", NULL, 0, 4, 0, &error), TENON_EIO,
                   error, "cannot read '/nonexistent.onnx'") ||
      expect_error(tenon_model_specialize(model, request, "", 0, -1, 0, &error), TENON_EINVAL, error,
                   "expected a limit of copies and a number of runs of at least 0, but got -1 and 0"))
    return 1;
  char *state = tenon_model_specializations_json(model);
  CHECK(strstr(state, "\"on\":false") && strstr(state, "not asked for"));
  tenon_free(state);
  /* Bytes that are no model: the first failure is kept, and generic code goes on. */
  x[0] = 1;
  CHECK(tenon_model_specialize(model, request, "no model", 8, 4, 1, &error) == TENON_OK);
  for (int turn = 0, done = 0; !done; ++turn) {
    CHECK(turn < 6000);
    CHECK(tenon_model_run_tensors(model, inputs, 2, &output, 1, &error) == TENON_OK);
    tenon_output_release(model, &output);
    state = tenon_model_specializations_json(model);
    CHECK(strstr(state, "\"shapes\":{\"x\":[2,3],\"y\":[2,3]}"));
    done = strstr(state, "\"state\":\"failed\"") && strstr(state, "\"reason\"");
    tenon_free(state);
    struct timespec pause = {0, 10000000};
    nanosleep(&pause, NULL);
  }
  CHECK(tenon_model_specialize(model, NULL, NULL, 0, 0, 0, &error) == TENON_OK);
  CHECK(tenon_model_run_tensors(model, inputs, 2, &output, 1, &error) == TENON_OK);
  tenon_output_release(model, &output);
  CHECK(tenon_model_specialize(model, request, "no model", 8, 4, 1, &error) == TENON_OK);
  CHECK(tenon_model_run_tensors(model, inputs, 2, &output, 1, &error) == TENON_OK); /* destroyed while it compiles */
  tenon_output_release(model, &output);
  tenon_model_destroy(model);
  tenon_model_destroy(NULL);

  char *reply = NULL;
  if (expect_error(tenon_compile("{", NULL, 0, NULL, NULL, &reply, &error), TENON_EINVAL, error, "no JSON object"))
    return 1;
  if (expect_error(tenon_compile("{}", NULL, 0, NULL, NULL, &reply, &error), TENON_EINVAL, error,
                   "neither 'path' nor 'bytes'"))
    return 1;
  if (expect_error(tenon_compile("{\"path\": \"/nonexistent.onnx\"}", NULL, 0, NULL, NULL, &reply, &error), TENON_EIO,
                   error, "/nonexistent.onnx"))
    return 1;
  CHECK(tenon_compile(NULL, NULL, 0, NULL, NULL, &reply, &error) == TENON_EINVAL);
  tenon_free(error);
  CHECK(tenon_compile("{\"path\": 3}", NULL, 0, NULL, NULL, &reply, &error) == TENON_EINVAL);
  tenon_free(error);
  return 0;
}
