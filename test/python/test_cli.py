"""The command line, as a person would use it."""
import json
import subprocess
import sys

import numpy as np
import pytest
import small_models
from conftest import ROOT
from onnx import helper


@pytest.fixture
def cli(tmp_path, subprocess_environment):
    subprocess_environment["TENON_CACHE_DIR"] = str(tmp_path / "cache")

    def call(*arguments, code=0):
        run = subprocess.run([sys.executable, "-m", "tenon", *map(str, arguments)], env=subprocess_environment,
                             cwd=tmp_path, capture_output=True, text=True)
        assert run.returncode == code, f"{run.stdout}\n{run.stderr}"
        assert "Traceback" not in run.stderr
        return run.stdout + run.stderr

    return call


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "add.onnx"
    path.write_bytes(small_models.add().SerializeToString())
    return path


def test_help(cli):
    assert "examples:" in cli("--help")
    assert "examples:" in cli(code=2)
    for command in ("run", "compile", "bench", "explain", "doctor", "cache"):
        assert "usage: tenon" in cli(command, "--help")


def test_run(cli, model, tmp_path):
    np.save(tmp_path / "x.npy", np.full((2, 4), 2, np.float32))
    output = cli("run", model, "--input", f"x={tmp_path / 'x.npy'}", "--save", tmp_path / "out")
    assert "2x4" in output and "compiled in" in output
    assert (np.load(tmp_path / "out" / "y.npy") == 3).all()
    assert "from the cache" in cli("run", model, "--dim", "N=5")


def test_compile_and_run_the_object(cli, model, tmp_path):
    assert "compiled" in cli("compile", model, "-o", tmp_path / "add.so")
    assert "loaded" in cli("run", tmp_path / "add.so")


PROGRAM = r"""
#include "net.h"
#include "tenon-c/tenon.h"
#include <stdio.h>

int main(void) {
  static const int64_t given[] = NET_INPUT_X_Y_SHAPE, made[] = NET_OUTPUT_2Z_SHAPE;
  int64_t shape[NET_INPUT_X_Y_RANK] = {3, given[1]}, scalar[] = NET_INPUT_X_Y_2_SHAPE;
  float x[3][4] = {{1}}, y = 2;
  tenon_input inputs[NET_INPUT_COUNT];
  tenon_output outputs[NET_OUTPUT_COUNT] = {{0}};
  inputs[NET_INPUT_X_Y] = (tenon_input){x, NET_INPUT_X_Y_DTYPE, NET_INPUT_X_Y_RANK, shape, NULL};
  inputs[NET_INPUT_X_Y_2] = (tenon_input){&y, NET_INPUT_X_Y_2_DTYPE, NET_INPUT_X_Y_2_RANK, scalar, NULL};
  tenon_model *model;
  if (given[0] != -1 || made[1] != 4 || tenon_model_load("net.so", 1, NULL, &model, NULL) ||
      tenon_model_run_tensors(model, inputs, NET_INPUT_COUNT, outputs, NET_OUTPUT_COUNT, NULL))
    return 1;
  printf("%g %g\n", ((float *)outputs[NET_OUTPUT_2Z].data)[0], ((float *)outputs[NET_OUTPUT_2Z].data)[1]);
  tenon_output_release(model, &outputs[NET_OUTPUT_2Z]);
  tenon_model_destroy(model);
  return 0;
}
"""


def test_header(cli, tmp_path):
    """Names that are no C identifiers, and that become alike."""
    (tmp_path / "net.onnx").write_bytes(small_models.make(
        [helper.make_node("Add", ["x/y", "x.y"], ["2z"])], {"x/y": ["*/N", 4], "x.y": []}, {"2z": ["*/N", 4]}
    ).SerializeToString())
    cli("compile", "net.onnx", "-o", "net.so", "--header", "net.h")
    first = (tmp_path / "net.h").read_text()
    assert "loaded" in cli("compile", "net.so", "--header", "net.h")
    assert (tmp_path / "net.h").read_text().splitlines()[1:] == first.splitlines()[1:]
    (tmp_path / "main.c").write_text(PROGRAM)
    library = ROOT / "build" / "lib"
    subprocess.run(["clang-22", "-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "main.c", f"-I{ROOT / 'include'}",
                    f"-L{library}", "-ltenon", f"-Wl,-rpath,{library}", "-o", "main"], cwd=tmp_path, check=True)
    run = subprocess.run(["./main"], cwd=tmp_path, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "3 2\n")


def test_explain(cli, model):
    assert "roofline" in cli("explain", model, "--dim", "N=64")
    assert "kernels" in json.loads(cli("explain", model, "--json"))


def test_bench(cli, model):
    rows = json.loads(cli("bench", model, "--shape", "x=64x4", "--against", "onnxruntime", "--rounds", "2", "--seconds",
                          "0.05", "--json"))
    assert [row["runtime"] for row in rows] == ["tenon", "onnxruntime"]
    assert rows[1]["same"] and rows[1]["ratio"] > 0 and rows[0]["median_s"] > 0
    assert "ratio" in cli("bench", model, "--shape", "x=64x4", "--against", "onnxruntime", "--rounds", "1",
                          "--seconds", "0.05")


def test_doctor_and_cache(cli, model):
    assert "libtenon" in cli("doctor")
    cli("run", model)
    assert " 0 files" not in cli("cache")
    cli("cache", "clear")
    assert " 0 files" in cli("cache")


@pytest.mark.parametrize("arguments, code, message", [
    (("run", "none.onnx"), 1, "no file 'none.onnx'"),
    (("run",), 2, "model"),
    (("run", "add.onnx", "--input", "z=x.npy"), 1, "no input named 'z'"),
    (("run", "add.onnx", "--input", "x=none.npy"), 1, "none.npy"),
    (("run", "add.onnx", "--shape", "x=axb"), 2, "expected dims"),
    (("run", "add.onnx", "--threads", "0"), 2, "positive"),
    (("run", "add.onnx", "--shape", "x=-3x4"), 2, "expected dims"),
    (("run", "add.onnx", "--shape", "x=2x5"), 1, "input 'x': dim 1 is 4 in the model, but 5 is asked for"),
    (("run", "add.onnx", "--shape", "z=2x4"), 1, "a shape is given for 'z'"),
    (("run", "add.onnx", "--shape", "x=99999999999999x4"), 1, "Unable to allocate"),
    (("run", "add.onnx", "--dim", "N=x"), 2, "positive"),
    (("run", "add.onnx", "--dim", "M=3"), 1, "no dim named 'M'; the open dims are N"),
    (("explain", "add.onnx", "--dim", "N"), 2, "expected SYMBOL=N, but got 'N'"),
    (("run", "add.onnx", "--input", "x"), 2, "expected NAME=FILE, but got 'x'"),
    (("run", "add.onnx", "--input", "x=integers.npy"), 1, "float32[N, 4], but got dtype int32"),
    (("run", "add.onnx", "--input", "x=wide.npy"), 1, "but got shape [2, 5]"),
    (("run", "add.onnx", "--input", "x=add.onnx"), 1, "cannot read input 'x' from 'add.onnx'"),
    (("run", "add.onnx", "--save", "/dev/null/out"), 1, "/dev/null/out"),
    (("run", "add.onnx", "--target", "abacus"), 1, "unknown target 'abacus'; there are: host, "),
    (("run", "folder"), 1, "'folder' is not a file"),
    (("run", "empty.onnx"), 1, "not an ONNX model"),
    (("run", "empty.so"), 1, "no shared object"),
    (("run", "none.so"), 1, "no file 'none.so'"),
    (("compile", "add.onnx", "-o", "none/add.so"), 1, "cannot write"),
    (("compile", "add.so"), 1, "compiled already"),
    (("compile", "add.onnx", "--header", "add.hpp"), 1, "expected a header named *.h, but got 'add.hpp'"),
    (("cache", "burn"), 2, "invalid choice: 'burn'"),
    (("compile", "add.onnx", "-o", "add.txt"), 1, "*.so"),
    (("bench", "add.onnx", "--against", "abacus"), 2, "no runtime 'abacus'"),
    (("dance",), 2, "invalid choice"),
])
def test_mistakes(cli, model, tmp_path, arguments, code, message):
    np.save(tmp_path / "integers.npy", np.ones((2, 4), np.int32))
    np.save(tmp_path / "wide.npy", np.ones((2, 5), np.float32))
    (tmp_path / "folder").mkdir()
    for name in ("empty.onnx", "empty.so"):
        (tmp_path / name).touch()
    assert message in cli(*arguments, code=code)


def test_environment(cli, model, subprocess_environment):
    subprocess_environment["TENON_CACHE_DIR"] = "/dev/null/cache"
    said = cli("run", model)
    assert "warning: no cache: cannot make '/dev/null/cache'" in said and "compiled in" in said
    subprocess_environment["TENON_TARGET"] = "abacus"
    assert "TENON_TARGET is the unknown target 'abacus'; there are: host, " in cli("run", model, code=1)


def test_doctor_says_what_is_missing(cli, tmp_path, subprocess_environment):
    shown = cli("doctor")
    for what in ("processor", "compiled and ran a kernel", "GFLOP/s", "GiB free", "onnxruntime", "packages"):
        assert what in shown
    # A machine without some packages, and with a cache that cannot be written.
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util\nfind = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name in ('openvino', 'onnx') else find(name, *more)\n")
    subprocess_environment["PYTHONPATH"] += f":{tmp_path}"
    subprocess_environment["TENON_CACHE_DIR"] = "/dev/null/cache"
    shown = cli("doctor", code=1)
    for what in ("pip install openvino", "pip install onnx", "cannot be written", "set TENON_CACHE_DIR"):
        assert what in shown


def test_timing(cli, model):
    shown = cli("compile", model, "--timing")
    assert "LLVM (kernels)" in shown and "AssignSchedules" in shown
    assert "compiled: 1 kernels" in cli("compile", model, "--timing"), "what is in the cache is timed, too"


def test_module_and_script_agree():
    assert (ROOT / "pyproject.toml").read_text().count('tenon = "tenon.cli:main"') == 1
