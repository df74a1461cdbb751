"""The exactness class `fast`: which doors it has, that the cache keeps it apart, and what it is worth."""
import itertools
import json
import subprocess
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import helper, numpy_helper  # noqa: E402

import tenon as tn  # noqa: E402

pytestmark = pytest.mark.executes


def convolution(channels, filters, size, relu=True, residual=False, seed=0):
    """A 3x3 convolution with bias as bytes of an ONNX model; `residual` adds a second input before the activation."""
    draw = np.random.default_rng(seed)
    w = (draw.standard_normal((filters, channels, 3, 3)) * np.sqrt(2 / (9 * channels))).astype(np.float32)
    b = draw.standard_normal(filters).astype(np.float32)
    nodes, last = [helper.make_node("Conv", ["x", "w", "b"], ["c"], kernel_shape=[3, 3], pads=[1] * 4)], "c"
    inputs = [helper.make_tensor_value_info("x", 1, [1, channels, size, size])]
    if residual:
        inputs.append(helper.make_tensor_value_info("r", 1, [1, filters, size, size]))
        nodes.append(helper.make_node("Add", [last, "r"], ["s"]))
        last = "s"
    nodes.append(helper.make_node("Relu" if relu else "Identity", [last], ["y"]))
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info("y", 1, None)],
                              [numpy_helper.from_array(w, "w"), numpy_helper.from_array(b, "b")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


def image(*shape):
    return np.random.default_rng(7).standard_normal((1, *shape)).astype(np.float32)


def algorithms(model):
    return [kernel["algorithm"] for kernel in model.explain()["kernels"]]


def test_fast_is_another_model(tmp_path):
    """Compiled one after the other with the cache: neither is taken for the other."""
    model, x = convolution(32, 32, 28), image(32, 28, 28)
    results = {}
    for _ in range(2):
        for precision in ("reorder", "fast"):
            compiled = tn.compile(model, precision=precision)
            assert ("winograd" in algorithms(compiled)) == (precision == "fast")
            results.setdefault(precision, []).append(compiled(x))
    for first, second in results.values():
        np.testing.assert_array_equal(first, second)
    assert results["reorder"][0].tobytes() != results["fast"][0].tobytes()
    np.testing.assert_allclose(results["fast"][0], results["reorder"][0], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(tn.compile(model)(x), results["reorder"][0])


def test_unknown_class():
    with pytest.raises(tn.InvalidArgument, match="expected precision 'reorder' or 'fast', but got 'fastest'"):
        tn.compile(convolution(4, 4, 8), precision="fastest")
    with pytest.raises(tn.InvalidArgument, match="expected precision"):
        tn.jit(lambda x: x + 1, precision="default")(np.ones(3, np.float32))


def test_jit():
    w = np.random.default_rng(0).standard_normal((32, 32, 3, 3)).astype(np.float32) * 0.1
    f = lambda x: tn.nn.relu(tn.conv(x, w, padding=1))  # noqa: E731
    x = image(32, 28, 28)
    fast, usual = tn.jit(f, precision="fast"), tn.jit(f)
    np.testing.assert_allclose(fast(x), usual(x), rtol=1e-3, atol=1e-3)
    assert "winograd" in algorithms(fast.compile(x)) and "winograd" not in algorithms(usual.compile(x))


def test_epilogue_is_fused_and_input_is_one_kernel():
    """Transform of the input, product, transform of the result with bias, residual and activation: three kernels of work."""
    compiled = tn.compile(convolution(32, 32, 28, residual=True), precision="fast")
    kernels = [kernel for kernel in compiled.explain()["kernels"] if kernel["algorithm"] in ("winograd", "contract", "elementwise", "rows")]
    calls = compiled.profile(image(32, 28, 28), image(32, 28, 28))
    assert [kernel["algorithm"] for kernel in kernels].count("elementwise") == 0, kernels
    assert sum(row["calls"] > 0 and row["flops"] > 0 for row in calls) == 3, calls


def test_long_filters_are_transformed():
    """One kernel, with the activation in it; its results are as near to the exact ones as the direct sum's."""
    draw = np.random.default_rng(5)
    w, x = draw.standard_normal((24, 1, 31, 31)).astype(np.float32), image(24, 28, 28)
    f = lambda x: tn.nn.relu(tn.conv(x, w, padding=15, groups=24))  # noqa: E731
    fast, usual = (tn.jit(f, precision=precision) for precision in ("fast", "reorder"))
    assert algorithms(fast.compile(x)).count("fft") == 1 and "fft" not in algorithms(usual.compile(x))
    padded = np.pad(x[0].astype(np.float64), ((0, 0), (15, 15), (15, 15)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (31, 31), axis=(1, 2))
    exact = np.maximum(np.einsum("cyxkl,ckl->cyx", windows, w[:, 0].astype(np.float64)), 0)
    errors = [np.abs(g(x)[0] - exact).max() for g in (fast, usual)]
    assert errors[0] < 2 * errors[1] + 1e-6, errors


def test_threads_give_the_same_bits():
    model, x = convolution(48, 40, 30), image(48, 30, 30)
    one, two = (tn.compile(model, precision="fast", threads=threads)(x) for threads in (1, 2))
    assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("channels, size", itertools.product((1, 8), (1, 5)))
def test_small_ones_stay_direct(channels, size):
    assert "winograd" not in algorithms(tn.compile(convolution(channels, 8, size), precision="fast"))


def test_command_line(tmp_path, subprocess_environment):
    path = tmp_path / "conv.onnx"
    path.write_bytes(convolution(32, 32, 28))
    run = lambda *arguments: subprocess.run([sys.executable, "-m", "tenon", *arguments], capture_output=True, text=True,  # noqa: E731
                                            env=subprocess_environment)
    fast, usual = (run("explain", str(path), "--json", *more) for more in (("--precision", "fast"), ()))
    assert "winograd" in fast.stdout and "winograd" not in usual.stdout, fast.stderr
    wrong = run("run", str(path), "--precision", "exact")
    assert wrong.returncode == 2 and "invalid choice: 'exact'" in wrong.stderr
    rows = json.loads(run("bench", str(path), "--precision", "fast", "--rounds", "1", "--seconds", "0.1", "--json").stdout)
    assert rows[0]["error"] is None and rows[0]["precision"] == "fast"


def test_faster():
    """What the class is for: 64 channels over 56x56, taking turns."""
    from test_fusion import turns

    model, x = convolution(64, 64, 56), image(64, 56, 56)
    fast, usual = (tn.compile(model, precision=precision, threads=1) for precision in ("fast", "reorder"))
    one, other = turns([fast, usual], [x])
    assert other > 1.2 * one, f"fast {one * 1e3:.2f} ms, default {other * 1e3:.2f} ms"


def test_exponentials():
    """In `fast` within a relative error of 5e-6 and further off than the 2 ulp of `reorder`; special values are kept."""
    node = helper.make_node("Exp", ["x"], ["y"])
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", 1, ["n"])], [helper.make_tensor_value_info("y", 1, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
    x = np.concatenate([np.linspace(-87, 88, 100003), [0, -0.0]]).astype(np.float32)
    exact = np.exp(x.astype(np.float64))
    errors = {}
    for precision in ("reorder", "fast"):
        compiled = tn.compile(model, precision=precision)
        errors[precision] = np.abs(compiled(x) / exact - 1).max()
        special = compiled(np.array([np.nan, np.inf, -np.inf, 0.0, 200.0, -200.0], np.float32))
        np.testing.assert_array_equal(special, np.array([np.nan, np.inf, 0.0, 1.0, np.inf, 0.0], np.float32))
    assert errors["reorder"] < 2.4e-7 and 1e-6 < errors["fast"] < 5e-6, errors


def test_fast_softmax():
    """Weights of a softmax are off by no more than twice the exponential's bound, and sum to 1."""
    rng = np.random.default_rng(3)
    x = (rng.standard_normal((7, 333)) * 8).astype(np.float32)
    function = tn.jit(lambda x: tn.nn.softmax(x))
    e = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    exact = e / e.sum(1, keepdims=True)
    text = function.lower(x)
    fast = tn.model.compile_program(text, "softmax.mlir", precision="fast")(x)
    assert 1e-7 < np.abs(fast / exact - 1).max() < 1.1e-5
    np.testing.assert_allclose(fast.sum(1), 1, atol=1e-6)
