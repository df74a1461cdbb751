"""Broken models give errors, not crashes: bytes of good models are changed, and each is compiled in a child process."""
import random
import subprocess
import sys


import numpy as np
import pytest
import small_models
from conftest import FULL
from onnx import TensorProto, helper

CHILD = """
import sys, pickle, tenon
for index, data in enumerate(pickle.load(sys.stdin.buffer)):
    print(index, flush=True)
    try:
        tenon.compile(data, cache=False)
    except tenon.InternalError as error:
        print('internal', index, error, flush=True)
    except tenon.Error as error:
        assert str(error).strip(), index
print('done', flush=True)
"""


def survive(models, environment):
    """Compiles all in one child; a crash names the model that caused it."""
    import pickle

    run = subprocess.run([sys.executable, "-c", CHILD], input=pickle.dumps(models), env=environment,
                         capture_output=True, timeout=600)
    lines = run.stdout.decode().split("\n")
    if "done" not in lines:
        last = [int(line) for line in lines if line.isdigit()][-1]
        pytest.fail(f"model {last} ends the process with {run.returncode}: {models[last][:200]!r}...\n"
                    f"{run.stderr.decode()[-1500:]}")


def mutations(data, count, seed):
    rng = random.Random(seed)
    for _ in range(count):
        changed = bytearray(data)
        kind = rng.randrange(5)
        at = rng.randrange(len(changed))
        if kind == 0:
            changed = changed[:at]
        elif kind == 1:
            changed[at] = rng.randrange(256)
        elif kind == 2:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 3:
            del changed[at: at + rng.randrange(1, 16)]
        else:
            changed[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 16)))
        yield bytes(changed)


@pytest.mark.parametrize("seed", range(2))
def test_mutated_bytes(seed, subprocess_environment):
    count = 400 if FULL else 60
    conv = small_models.make([helper.make_node("Conv", ["x", "w"], ["y"], name="conv")], {"x": [1, 3, 8, 8]},
                             {"y": [1, 4, 6, 6]}, {"w": np.ones((4, 3, 3, 3), "float32")})
    models = []
    for model in (small_models.add(), small_models.mlp()[0], conv):
        models += mutations(model.SerializeToString(), count // 3, seed)
    survive(models, subprocess_environment)


def test_malformed_graphs(subprocess_environment):
    make, node = small_models.make, helper.make_node
    one = {"x": [2]}, {"y": [2]}
    models = {
        "cycle": make([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])], *one),
        "own input": make([node("Relu", ["y"], ["y"])], *one),
        "missing input": make([node("Relu", ["nowhere"], ["y"])], *one),
        "missing output": make([node("Relu", ["x"], ["z"])], *one),
        "defined twice": make([node("Relu", ["x"], ["y"]), node("Abs", ["x"], ["y"])], *one),
        "no operands": make([node("Add", [], ["y"])], *one),
        "too many operands": make([node("Relu", ["x", "x", "x"], ["y"])], *one),
        "wrong rank": make([node("MatMul", ["x", "w"], ["y"])], {"x": [2], "w": [3, 3]}, {"y": [3]}),
        "wrong type": make([node("Add", ["x", "i"], ["y"])], {"x": [2], "i": ([2], TensorProto.INT64)}, {"y": [2]}),
        "huge": make([node("Expand", ["x", "s"], ["y"])], {"x": [1]}, {"y": ["N"]},
                     {"s": np.array([2**40, 2**40])}),
        "negative dim": make([node("Relu", ["x"], ["y"])], {"x": [-5]}, {"y": [-5]}),
        "bad permutation": make([node("Transpose", ["x"], ["y"], perm=[0, 0])], {"x": [2, 3]}, {"y": [2, 2]}),
        "bad axis": make([node("Softmax", ["x"], ["y"], axis=7)], *one),
        "future opset": make([node("Relu", ["x"], ["y"])], *one, opset=999),
        "empty graph": make([], *one),
    }
    short = make([node("Add", ["x", "w"], ["y"])], *one, {"w": np.ones(2, "float32")})
    short.graph.initializer[0].dims[0] = 1 << 62
    models["initializer shorter than its shape"] = short
    survive([model.SerializeToString() for model in models.values()], subprocess_environment)


@pytest.mark.parametrize("location, length", [("none.bin", 16), ("../outside.bin", 8), ("/etc/passwd", 8),
                                              ("link.bin", 8), ("short.bin", 1 << 40)])
def test_external_data(tn, tmp_path, location, length):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "outside.bin").write_bytes(bytes(64))
    (folder / "short.bin").write_bytes(bytes(8))
    (folder / "link.bin").symlink_to(tmp_path / "outside.bin")
    model = small_models.make([helper.make_node("Add", ["x", "w"], ["y"])], {"x": [2]}, {"y": [2]},
                              {"w": np.ones(2, "float32")})
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(tn.Error):
        tn.compile(path, cache=False)


def test_truncated_file_says_so(tn, tmp_path):
    path = tmp_path / "cut.onnx"
    path.write_bytes(small_models.mlp()[0].SerializeToString()[:500])
    with pytest.raises(tn.Error):
        tn.compile(path)


def test_malformed_mlir(tn, tmp_path):
    path = tmp_path / "bad.mlir"
    for text in ("", "func.func @main(", "module { func.func @other() { return } }", "\0\0\0"):
        path.write_text(text)
        with pytest.raises(tn.Error):
            tn.compile(path)


