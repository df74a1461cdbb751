"""The command line, as a person would use it."""
import json
import subprocess
import sys

import numpy as np
import pytest
import small_models
from conftest import ROOT


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
    (("compile", "add.onnx", "-o", "add.txt"), 1, "*.so"),
    (("bench", "add.onnx", "--against", "abacus"), 2, "no runtime 'abacus'"),
    (("dance",), 2, "invalid choice"),
])
def test_mistakes(cli, model, arguments, code, message):
    assert message in cli(*arguments, code=code)


def test_module_and_script_agree():
    assert (ROOT / "pyproject.toml").read_text().count('tenon = "tenon.cli:main"') == 1
