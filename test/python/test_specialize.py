"""Copies of a model for the shapes that come often: same bits, bounded, and only where they are asked for."""
import gc
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import small_models
from conftest import FULL, ROOT
from onnx import TensorProto, helper

import tenon as tn
from tenon.cli import main

pytestmark = pytest.mark.executes


def settle(model, *arrays, shapes=None, seconds=120):
    """Runs the model until the copy for these arrays is ready or has failed; gives its entry."""
    shapes = shapes or {value.name: list(array.shape) for value, array in zip(model.inputs, arrays)}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        model(*arrays)
        entry = next(entry for entry in model.specializations if entry["shapes"] == shapes)
        if entry["state"] in ("ready", "failed"):
            return entry
        time.sleep(0.02)
    raise AssertionError(f"still {entry}")


def draw(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def test_hot_shapes_get_a_copy():
    model, expected = small_models.mlp()
    model = tn.compile(model, specialize=True)
    x = draw(np.random.default_rng(0), 5, 16)
    generic = model(x)
    assert model.specializations[0]["state"] == "counting"
    entry = settle(model, x)
    assert entry["state"] == "ready" and entry["runs"] >= 3 and entry["hits"] == 0 and entry["seconds"] > 0
    result = model(x)
    assert model.specializations[0]["hits"] == 1
    np.testing.assert_array_equal(result, generic)
    np.testing.assert_allclose(result, expected(x), rtol=1e-4, atol=1e-4)
    other = draw(np.random.default_rng(1), 6, 16)
    np.testing.assert_allclose(model(other), expected(other), rtol=1e-4, atol=1e-4)
    assert model.specializations[0]["shapes"] == {"x": [6, 16]} and model.specializations[0]["hits"] == 0


def test_wrong_inputs_are_refused_alike():
    model = tn.compile(small_models.mlp()[0], specialize=1)
    settle(model, np.ones((5, 16), np.float32))
    with pytest.raises(tn.InvalidArgument, match=r"expected input x: float32\[N, 16\]"):
        model(np.ones((5, 17), np.float32))
    with pytest.raises(tn.InvalidArgument, match="dtype float64"):
        model(np.ones((5, 16)))


def test_only_where_it_is_asked_for():
    model = tn.compile(small_models.mlp()[0])
    for _ in range(5):
        model(np.ones((5, 16), np.float32))
    assert model.specializations == [] and model.info["specialize"] == "not asked for"
    static = tn.compile(small_models.add((3, 4)), specialize=4)
    for _ in range(5):
        static(np.ones((3, 4), np.float32))
    assert static.specializations == [] and static.info["specialize"] == "every dim of the inputs is fixed: nothing to do"
    for wrong in (-1, "4", 1.5):
        with pytest.raises(tn.InvalidArgument, match="expected specialize to be a number of copies, True or None"):
            tn.compile(small_models.mlp()[0], specialize=wrong)


def test_least_recently_used_goes():
    model = tn.compile(small_models.mlp()[0], specialize=2)
    for rows in (2, 3, 4):
        settle(model, np.ones((rows, 16), np.float32))
    states = {entry["shapes"]["x"][0]: entry["state"] for entry in model.specializations}
    assert states == {2: "counting", 3: "ready", 4: "ready"}


def test_changed_file_is_no_copy(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(small_models.mlp(0)[0].SerializeToString())
    model = tn.compile(str(path), specialize=1)
    x = np.ones((5, 16), np.float32)
    before = model(x)
    other = tmp_path / "other.onnx"
    other.write_bytes(small_models.mlp(1)[0].SerializeToString())
    other.replace(path)  # what is loaded keeps its weights
    entry = settle(model, x)
    assert entry["state"] == "failed" and "has changed since the model was compiled from it" in entry["reason"]
    np.testing.assert_array_equal(model(x), before)
    seconds = entry["seconds"]
    for _ in range(20):
        model(x)
    entry = model.specializations[0]
    assert entry["state"] == "failed" and entry["seconds"] == seconds  # not tried again


def test_differing_bits_are_no_copy():
    """Short rows may be summed in another order once their length is known: then the copy is not used."""
    nodes = [helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)]
    model = tn.compile(small_models.make(nodes, {"x": ["N", "M"]}, {"y": ["N"]}, {"axes": np.array([1])}), specialize=8)
    rng = np.random.default_rng(0)
    for columns in (2, 3, 5, 7, 40):
        x = draw(rng, 33, columns)
        generic = model(x)
        entry = settle(model, x)
        assert entry["state"] == "ready" or "output 'y' has other bits: 0x" in entry["reason"]
        np.testing.assert_array_equal(model(x), generic)


def test_donated_inputs():
    def step(state, x):
        return state + x

    function = tn.jit(step, dims={"state": ("n", 4), "x": ("n", 4)}, donate="state")
    text = function.lower(np.ones((3, 4), np.float32), np.ones((3, 4), np.float32))
    path = os.path.join(os.environ["TENON_CACHE_DIR"], "donated.mlir")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    model = tn.compile(path, specialize=1)
    x = np.ones((3, 4), np.float32)
    for turn in range(1000):
        state = np.full((3, 4), turn, np.float32)
        result = model(state, x)
        assert result is state and (result == turn + 1).all()
        if model.specializations[0]["hits"]:
            return
        time.sleep(0.02)
    raise AssertionError(model.specializations)


def test_data_dependent_sizes():
    nodes = [helper.make_node("NonZero", ["x"], ["y"])]
    model = tn.compile(small_models.make(nodes, {"x": ["N"]}, {"y": ([1, None], TensorProto.INT64)}), specialize=1)
    x = np.array([0, 1, 0, 2, 3], np.float32)
    assert settle(model, x)["state"] == "ready"
    for x in (x, np.zeros(5, np.float32), np.ones(5, np.float32)):
        np.testing.assert_array_equal(model(x), np.stack(np.nonzero(x)))
    assert model.specializations[0]["hits"] == 3


def test_profile_shows_copies():
    model = tn.compile(small_models.mlp()[0], specialize=1)
    x = np.ones((64, 16), np.float32)
    settle(model, x)
    rows = model.profile(x, runs=5, peaks=(1e9, 1e9))
    copies = [row for row in rows if row.get("shapes") == {"x": [64, 16]}]
    assert copies and all(row["calls"] == 1 for row in copies)
    assert all(row["calls"] == 0 for row in rows if "shapes" not in row)


def test_memory_is_flat_over_many_shapes():
    model = tn.compile(small_models.add(("N", "M")), specialize=2)

    def resident():
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def stream(first, count):
        for number in range(first, first + count):
            model(np.ones((1 + number % 997, 1 + number // 997), np.float32))

    stream(0, 3000)
    before = resident()
    stream(3000, 20000)
    assert len(model.specializations) <= 64
    assert resident() - before < 4 << 20


def test_threads():
    model, expected = small_models.mlp()
    model = tn.compile(model, threads=2, specialize=2)
    bad, until = [], time.monotonic() + 2

    def work(seed):
        rng = np.random.default_rng(seed)
        while time.monotonic() < until:
            x = draw(rng, int(rng.integers(1, 6)), 16)
            if not np.allclose(model(x), expected(x), rtol=1e-4, atol=1e-4):
                bad.append(x.shape)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not bad


def test_the_interpreter_ends_while_a_copy_is_compiled():
    code = """
import numpy as np, small_models, tenon as tn
model = tn.compile(small_models.mlp(7, (512, 1024, 512))[0], specialize=1, cache=False)
for _ in range(3):
    model(np.ones((9, 512), np.float32))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "python", ROOT / "test" / "python")))})
    assert done.returncode == 0 and done.stderr == ""


def test_run_specialize(tmp_path, capsys):
    path = str(tmp_path / "model.onnx")
    with open(path, "wb") as file:
        file.write(small_models.mlp()[0].SerializeToString())
    assert main(["run", path, "--dim", "N=7", "--specialize"]) == 0
    shown = capsys.readouterr().out
    assert "generic code" in shown and "same bits" in shown
    with open(path, "wb") as file:
        file.write(small_models.add((3, 4)).SerializeToString())
    assert main(["run", path, "--specialize"]) == 0
    assert "no copy: every dim of the inputs is fixed" in capsys.readouterr().out
    assert main(["compile", path, "-o", str(tmp_path / "model.so")]) == 0
    assert main(["run", str(tmp_path / "model.so"), "--specialize"]) == 1
    assert "it is compiled already; expected the model that it was compiled from" in capsys.readouterr().err


PROGRAM = """
func.func @main(%x: tensor<?x?xf32> {tenon.name = "x", tenon.dims = ["n", "m"]}, %z: tensor<?x4xf32> {tenon.name = "z", tenon.dims = ["n", ""]})
    -> (tensor<?x4xf32> {tenon.name = "y", tenon.dims = ["n", ""]}, tensor<?xf32> {tenon.name = "t", tenon.dims = ["n"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x?xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %y = linalg.exp ins(%z : tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %f = tensor.empty(%n) : tensor<?xf32>
  %g = linalg.fill ins(%zero : f32) outs(%f : tensor<?xf32>) -> tensor<?xf32>
  %t = linalg.reduce {arith.addf} ins(%x : tensor<?x?xf32>) outs(%g : tensor<?xf32>) dimensions = [1]
  return %y, %t : tensor<?x4xf32>, tensor<?xf32>
}
"""


def test_shapes_of_programs(tmp_path):
    path = str(tmp_path / "program.mlir")
    with open(path, "w") as file:
        file.write(PROGRAM)
    x, z = np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((2, 4), np.float32)
    model = tn.compile(path, shapes={"x": (2, None)})
    assert [value.shape for value in model.inputs] == [(2, "m"), (2, 4)]  # the symbol is the same everywhere
    types = [kind for dispatch in model.explain()["graph"]["dispatches"] for kind in dispatch["results"]]
    assert sorted(types) == ["tensor<2x4xf32>", "tensor<2xf32>"]  # what follows has fixed shapes too
    y, t = model(x, z)
    assert (y == 1).all() and (t == x.sum(1)).all()
    for shapes, message in (({"x": (2,)}, "input 'x': the given shape has rank 1, but the model's has 2"),
                            ({"z": (2, 5)}, "input 'z': dim 1 is 4 in the model, but 5 is asked for"),
                            ({"x": (2, 3), "z": (3, 4)}, "input 'z': dim 'n' is 3, but an earlier input has 2"),
                            ({"x": (2**40, 2**40)}, "input 'x': the number of elements does not fit 64 bits")):
        with pytest.raises(tn.Error, match=message):
            tn.compile(path, shapes=shapes)


def conv(name, channels, filters, groups, taps, stride):
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[taps // 2] * 4, strides=[stride] * 2, group=groups),
             helper.make_node("Relu", ["c"], ["y"])]
    rng = np.random.default_rng(3)
    return name, small_models.make(nodes, {"x": ["N", channels, "H", "W"]}, {"y": [None, filters, None, None]},
                                   {"w": draw(rng, filters, channels // groups, taps, taps), "b": draw(rng, filters)}), \
        lambda rng: [draw(rng, int(rng.integers(1, 3)), channels, *map(int, rng.integers(4, 40, 2)))]


def matmul():
    return "matmul", small_models.make([helper.make_node("MatMul", ["x", "z"], ["y"])], {"x": ["M", "K"], "z": ["K", "N"]}, {"y": ["M", "N"]}), \
        lambda rng: (lambda m, k, n: [draw(rng, m, k), draw(rng, k, n)])(*map(int, rng.integers(1, 90, 3)))


def dense():
    rng = np.random.default_rng(5)
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["h"], transB=1), helper.make_node("Gelu", ["h"], ["y"])]
    return "dense", small_models.make(nodes, {"x": ["M", 192]}, {"y": ["M", 320]}, {"w": draw(rng, 320, 192), "b": draw(rng, 320)}), \
        lambda rng: [draw(rng, int(rng.integers(1, 70)), 192)]


def norm():
    nodes = [helper.make_node("LayerNormalization", ["x", "s", "b"], ["n"]), helper.make_node("Softmax", ["n"], ["y"])]
    return "norm", small_models.make(nodes, {"x": ["B", "S", 96]}, {"y": ["B", "S", 96]}, {"s": np.ones(96, np.float32), "b": np.zeros(96, np.float32)}), \
        lambda rng: [draw(rng, int(rng.integers(2, 4)), int(rng.integers(2, 50)), 96)]


def attention():
    nodes = [helper.make_node("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]), helper.make_node("MatMul", ["q", "kt"], ["s"]),
             helper.make_node("Softmax", ["s"], ["p"]), helper.make_node("MatMul", ["p", "v"], ["y"])]
    ports = {"q": ["B", 4, "S", 32], "k": ["B", 4, "T", 32], "v": ["B", 4, "T", 32]}

    def arrays(rng):
        batch, s, t = int(rng.integers(1, 3)), int(rng.integers(2, 70)), int(rng.integers(2, 300))
        return [draw(rng, batch, 4, s, 32), draw(rng, batch, 4, t, 32), draw(rng, batch, 4, t, 32)]

    return "attention", small_models.make(nodes, ports, {"y": ["B", 4, "S", 32]}), arrays


CASES = [conv("conv 3x3", 16, 24, 1, 3, 1), conv("conv 3x3, stride 2", 3, 24, 1, 3, 2), conv("few filters, stride 2", 16, 8, 1, 3, 2),
         conv("depthwise 3x3", 16, 16, 16, 3, 1), conv("depthwise 3x3, stride 2", 16, 16, 16, 3, 2), conv("depthwise 5x5, stride 2", 16, 16, 16, 5, 2),
         conv("depthwise 9x9", 16, 16, 16, 9, 1), conv("pointwise", 16, 24, 1, 1, 1), conv("groups of four", 16, 16, 4, 3, 1),
         matmul(), dense(), norm(), attention()]


@pytest.mark.parametrize("name, model, arrays", CASES, ids=[case[0] for case in CASES])
def test_same_bits(name, model, arrays):
    """Every copy is ready: its first run had the bits of generic code; and so have others."""
    generic, special = tn.compile(model, threads=1), tn.compile(model, threads=1, specialize=4)
    rng = np.random.default_rng(len(name))
    for _ in range(12 if FULL else 3):
        drawn = arrays(rng)
        entry = settle(special, *drawn)
        assert entry["state"] == "ready", entry
        again = [draw(rng, *array.shape) for array in drawn]
        np.testing.assert_array_equal(special(*again), generic(*again))


def test_minilm(tmp_path):
    """A whole encoder: gathers, attention with lengths, norms."""
    pytest.importorskip("tokenizers")
    import minilm

    try:
        encoder = minilm.Encoder()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    rng, path = np.random.default_rng(0), tmp_path / "minilm.mlir"

    def sentences(batch, length):
        return rng.integers(0, 30000, (batch, length)), rng.integers(1, length + 1, batch)

    path.write_text(encoder.compiled.lower(*sentences(2, 5)))
    model = tn.compile(str(path), specialize=3)
    for size in ((2, 19), (1, 32), (3, 7)):
        entry = settle(model, *sentences(*size))
        assert entry["state"] == "ready", entry
