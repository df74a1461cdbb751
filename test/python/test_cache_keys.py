"""Every part of the cache's keys: each change is a miss that compiles, and no change is a hit that does not.

Models and kernels have keys of their own. What a change must do to each is said beside it.
"""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_models
from conftest import ROOT
from onnx import external_data_helper, helper

LIBRARY = ROOT / "build" / "lib"
SCHEDULE = '#tenon.schedule<algorithm = "contract", register = [2, 16, 1], vector_dim = 1, vector_width = 8>'
KERNEL = """
func.func @k(%a: tensor<32x16xf32>, %b: tensor<16x32xf32>, %c: tensor<32x32xf32>) -> tensor<32x32xf32>
    attributes {tenon.kernel, tenon.schedule = SCHEDULE} {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%c : tensor<32x32xf32>) -> tensor<32x32xf32>
  %r = linalg.matmul ins(%a, %b : tensor<32x16xf32>, tensor<16x32xf32>) outs(%init : tensor<32x32xf32>)
      -> tensor<32x32xf32>
  return %r : tensor<32x32xf32>
}
func.func @main(%a: tensor<32x16xf32>, %b: tensor<16x32xf32>) -> tensor<32x32xf32> {
  %e = tensor.empty() : tensor<32x32xf32>
  %r = tenon.dispatch @k ins(%a, %b : tensor<32x16xf32>, tensor<16x32xf32>) outs(%e : tensor<32x32xf32>)
      -> tensor<32x32xf32>
  return %r : tensor<32x32xf32>
}
""".replace("SCHEDULE", SCHEDULE)


@pytest.fixture
def compiled(tn, cache):
    """Compiles through the Python door; gives (model was a hit, kernels compiled)."""
    def run(model, **options):
        info = tn.compile(model, **options).info
        return info["cached"], info["compiled_kernels"]

    return run


def through_c(request, library=LIBRARY, model=None, **environment):
    """The same through tenon_compile of the library in a folder, in a process of its own."""
    code = """if True:
        import ctypes, json, sys
        library = ctypes.CDLL(sys.argv[1])
        model = sys.stdin.buffer.read()
        reply, error = ctypes.c_char_p(), ctypes.c_char_p()
        status = library.tenon_compile(sys.argv[2].encode(), model or None, ctypes.c_size_t(len(model)), None, None,
                                       ctypes.byref(reply), ctypes.byref(error))
        assert status == 0, error.value
        print(reply.value.decode())"""
    run = subprocess.run([sys.executable, "-c", code, str(library / "libtenon.so"), json.dumps(request)],
                         input=model or b"", env={**os.environ, **environment}, capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    reply = json.loads(run.stdout)
    assert "warning" not in reply, reply
    return reply["cached"], reply["compiled_kernels"]


HIT = (True, 0)


def missed(answer):
    """A miss that compiled kernels anew."""
    return not answer[0] and answer[1] > 0


def test_ir(compiled):
    model = small_models.mlp()[0]
    assert missed(compiled(model))
    assert compiled(model) == HIT
    model.graph.node[1].op_type = "Sigmoid"
    assert missed(compiled(model))
    model.graph.node[1].op_type = "Relu"
    assert compiled(model) == HIT


def test_schedule(compiled, tmp_path):
    path = tmp_path / "model.mlir"
    path.write_text(KERNEL)
    assert compiled(path) == (False, 1)
    assert compiled(path) == HIT
    for old, new in (("register = [2,", "register = [4,"), ("register = [2, 16, 1]", "register = [2, 8, 1]"),
                     ("register = [2,", "parallel = [8, 16, 0], register = [2,"), ("vector_width = 8", "vector_width = 4")):
        assert old in KERNEL
        path.write_text(KERNEL.replace(old, new))
        assert compiled(path) == (False, 1), new
    # Text that means nothing is another model, but no other kernel.
    path.write_text("// A comment.\n" + KERNEL)
    assert compiled(path) == (False, 0)
    path.write_text(KERNEL)
    assert compiled(path) == HIT


def test_weights(compiled):
    base = small_models.mlp(seed=0)[0]
    assert missed(compiled(base))
    assert compiled(small_models.mlp(seed=1)[0]) == (False, 0), "kernels do not depend on weights"
    assert compiled(base) == HIT


def test_target(tn, compiled, monkeypatch):
    model = small_models.mlp()[0]
    if os.environ.get("TENON_TARGET"):
        monkeypatch.delenv("TENON_TARGET")
    host = tn.compile(model).explain()["target"]
    assert compiled(model) == HIT
    assert not compiled(model, target="x86-64-v3")[0]
    assert compiled(model, target="x86-64-v3") == HIT
    monkeypatch.setenv("TENON_TARGET", "x86-64-v3")
    assert compiled(model) == (False, 0), "another model's key, the same kernels as with the option"
    assert compiled(model) == HIT
    assert tn.compile(model).explain()["target"] != host
    monkeypatch.delenv("TENON_TARGET")
    assert compiled(model) == HIT


def test_options(compiled, cache):
    model = small_models.mlp()[0].SerializeToString()
    base = {"cache": True}
    assert missed(through_c(base, model=model))
    assert through_c(base, model=model) == HIT
    for name, value, kernels in (("level", 1, True), ("shapes", {"x": [4, 16]}, True), ("shapes", {"x": [5, 16]}, True),
                                 ("self_contained", True, False), ("precision", "fast", True), ("an option of later days", 1, False)):
        answer = through_c({**base, name: value}, model=model)
        assert not answer[0] and (answer[1] > 0) == kernels, name
        assert through_c({**base, name: value}, model=model) == HIT, name
    for name, value in (("threads", 1), ("compile_threads", 1)):
        assert through_c({**base, name: value}, model=model) == HIT, name


def test_compiler_and_interface(cache, tmp_path):
    model = small_models.mlp()[0].SerializeToString()
    assert missed(through_c({}, model=model))
    assert through_c({}, model=model) == HIT
    other = tmp_path / "lib"
    other.mkdir()
    for name in ("libtenon.so", "libtenon_compiler.so"):
        shutil.copy(LIBRARY / name, other / name)
    assert through_c({}, other, model) == HIT, "the same compiler elsewhere"
    with open(other / "libtenon_compiler.so", "ab") as file:
        file.write(b"\0")
    assert missed(through_c({}, other, model)), "another compiler"
    assert through_c({}, other, model) == HIT
    assert missed(through_c({}, ROOT / "build" / "test" / "other-abi", model)), "another interface version"
    assert through_c({}, model=model) == HIT


@pytest.mark.parametrize("count", [4, 4096], ids=["compiled in", "read when loaded"])
def test_external_data(tn, cache, tmp_path, count):
    """A file of the same size and with the same times of the last write, as `cp -p` makes it."""
    path, data = tmp_path / "model.onnx", tmp_path / "weights.bin"

    def write(value):
        model = small_models.make([helper.make_node("Add", ["x", "w"], ["y"])], {"x": [count]}, {"y": [count]},
                                  {"w": np.full(count, value, np.float32)})
        external_data_helper.set_external_data(model.graph.initializer[0], "weights.bin")
        data.write_bytes(model.graph.initializer[0].raw_data)
        model.graph.initializer[0].ClearField("raw_data")
        path.write_bytes(model.SerializeToString())
        os.utime(data, ns=(10**18, 10**18))

    def answer():
        model = tn.compile(path)
        return model.info["cached"], float(model(np.zeros(count, np.float32))[0])

    write(1)
    assert answer() == (False, 1)
    assert answer() == (True, 1)
    write(2)
    assert answer() == (False, 2)
    assert answer() == (True, 2)
    write(1)
    assert answer()[1] == 1
    data.unlink()
    with pytest.raises(tn.Error):
        tn.compile(path)


@pytest.mark.parametrize("where", ["inside", "external"])
def test_kept_constants(tn, cache, tmp_path, where):
    """Packed weights are computed once, and never used with other weights than they were made from."""
    path, size = tmp_path / "model.onnx", 1024
    x = np.eye(2, size, dtype=np.float32)

    def write(seed):
        w = np.random.default_rng(seed).standard_normal((size, size)).astype(np.float32)
        model = small_models.make([helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)], {"x": [2, size]},
                                  {"y": [2, size]}, {"w": w})
        if where == "external":
            external_data_helper.set_external_data(model.graph.initializer[0], "weights.bin")
            (tmp_path / "weights.bin").write_bytes(w.tobytes())
            os.utime(tmp_path / "weights.bin", ns=(10**18, 10**18))
            model.graph.initializer[0].ClearField("raw_data")
        path.write_bytes(model.SerializeToString())
        return x @ w.T

    def kept():
        return {file: file.stat().st_ino for file in cache.glob("models/*/model.so.constants")}

    def check(want, cached):
        model = tn.compile(path)
        assert model.info["cached"] == cached
        np.testing.assert_allclose(model(x), want, 1e-3, 1e-4)

    first = write(0)
    check(first, False)
    before = kept()
    assert len(before) == 1 and sum(file.stat().st_size for file in before) > size * size * 4
    check(first, True)
    assert kept() == before, "they were computed again"
    check(write(1), False)
    # The same content in another file is no other model, but what was kept is not taken for it unseen.
    assert np.array_equal(write(0), first)
    check(first, where == "inside")
    target = Path(tn.compile(path).info["path"] + ".constants")
    data = target.read_bytes()
    for damaged in (data[:5000], data[:-1], bytes(len(data)), data[:9000] + b"damaged!" + data[9008:]):
        target.write_bytes(damaged)
        check(first, True)
        assert target.read_bytes() != damaged, "what is damaged is replaced"
    good = target.read_bytes()
    (tmp_path / "elsewhere").write_bytes(good)
    target.unlink()
    target.symlink_to(tmp_path / "elsewhere")
    check(first, True)
    assert not target.is_symlink()
