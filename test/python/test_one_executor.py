"""Compiled models compute in compiled code alone: with NumPy's computing functions made to raise, results stay."""
import numpy as np
import pytest
import small_models

pytestmark = pytest.mark.executes


def test_numpy_does_not_compute(tn, monkeypatch):
    model, reference = small_models.mlp()
    x = np.random.default_rng(0).standard_normal((4, 16)).astype(np.float32)
    want = reference(x)

    def refuse(*arguments, **named):
        raise AssertionError("NumPy computes")

    patched = [name for name in dir(np) if isinstance(getattr(np, name), np.ufunc)]
    patched += ["dot", "einsum", "tensordot", "inner", "outer", "sum", "mean", "prod", "max", "min", "convolve", "where",
                "concatenate", "take", "clip", "pad", "sort", "argsort", "cumsum", "tile", "repeat"]
    with monkeypatch.context() as patch:
        for name in patched:
            patch.setattr(np, name, refuse)
        got = tn.compile(model, cache=False)(x)
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)


def test_the_package_imports_no_runtime(subprocess_environment):
    import subprocess
    import sys

    code = ("import sys, tenon; import numpy as np; import small_models;"
            "tenon.compile(small_models.add().SerializeToString())(np.ones((1, 4), np.float32));"
            "print([m for m in ('onnxruntime', 'torch', 'openvino', 'onnx.reference') if m in sys.modules])")
    from conftest import ROOT
    subprocess_environment["PYTHONPATH"] += f":{ROOT / 'test' / 'python'}"
    run = subprocess.run([sys.executable, "-c", code], env=subprocess_environment, capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr


def test_generated_code_calls_nothing_else(tn, tmp_path):
    """The shared object of a model needs no library: undefined symbols are memcpy, memmove and memset at most."""
    import subprocess

    path = tmp_path / "mlp.so"
    tn.compile(small_models.mlp()[0], output=path)
    run = subprocess.run(["nm", "-D", "-u", str(path)], capture_output=True, text=True, check=True)
    symbols = {line.split()[-1].split("@")[0] for line in run.stdout.splitlines()}
    assert symbols <= {"memcpy", "memmove", "memset"}
    run = subprocess.run(["readelf", "-d", str(path)], capture_output=True, text=True, check=True)
    needed = [line for line in run.stdout.splitlines() if "NEEDED" in line and "libc.so" not in line]
    assert not needed


def test_no_evaluator_in_what_runs_models():
    """The reference evaluator is an oracle: neither the run time nor the compiler carries any of it."""
    import subprocess
    from conftest import ROOT

    def symbols(path):
        return subprocess.run(["nm", "--defined-only", str(path)], capture_output=True, text=True, check=True).stdout

    mark, build = "_ZN5tenon9reference", ROOT / "build"
    assert mark in symbols(build / "bin" / "tenon-run")
    compiler = symbols(build / "lib" / "libtenon_compiler.so")
    assert "_ZN5tenon7compile" in compiler and mark not in compiler
    run_time = symbols(build / "lib" / "libtenon.so")
    assert "_ZN5tenon7runtime" in run_time and mark not in run_time
