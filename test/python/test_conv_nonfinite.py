"""Infinities reach the windows that they lie in, and no others: strided taps that do not fill their phases are left out."""
import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import helper, numpy_helper  # noqa: E402

import tenon as tn  # noqa: E402

pytestmark = pytest.mark.executes


def convolution(channels, filters, groups, taps, stride, size):
    w = np.random.default_rng(3).uniform(0.5, 1.5, (filters, channels // groups, *taps)).astype(np.float32)
    pads = [count // 2 for count in taps] * 2
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"], group=groups, strides=[stride] * len(taps), pads=pads)],
                              "g", [helper.make_tensor_value_info("x", 1, [1, channels, *size])],
                              [helper.make_tensor_value_info("y", 1, None)], [numpy_helper.from_array(w, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


def windows_that_meet(place, taps, stride, size):
    """A mask over the result's spatial dims: the windows that `place` of the input lies in."""
    met = np.ones((), bool)
    for at, count, extent in zip(place, taps, size):
        first = np.arange((extent + 2 * (count // 2) - count) // stride + 1) * stride - count // 2
        met = np.logical_and.outer(met, (first <= at) & (at < first + count))
    return met


@pytest.mark.parametrize("channels, filters, groups, taps, stride, size", [
    (6, 6, 6, (3, 3), 2, (14, 15)),  # depthwise
    (6, 6, 6, (5, 5), 2, (17, 40)),
    (4, 4, 4, (5, 7), 3, (20, 23)),
    (4, 4, 4, (1, 7), 4, (3, 50)),
    (6, 6, 6, (25,), 2, (90,)),  # more taps than are unrolled
    (3, 8, 1, (3, 3), 2, (13, 34)),  # few filters
    (3, 32, 1, (11, 11), 4, (31, 31)),  # filters along the lanes
    (8, 8, 2, (3, 3), 2, (9, 21)),  # groups
    (4, 4, 4, (3, 3), 1, (9, 18)),
], ids=str)
def test_infinities_stay_in_their_windows(channels, filters, groups, taps, stride, size):
    model = tn.compile(convolution(channels, filters, groups, taps, stride, size))
    draw = np.random.default_rng(5)
    x = draw.uniform(0.5, 1.5, (1, channels, *size)).astype(np.float32)
    for _ in range(8):
        place = tuple(int(draw.integers(extent)) for extent in size)
        holed = x.copy()
        holed[(0, 0, *place)] = np.inf
        result = model(holed)
        met = windows_that_meet(place, taps, stride, size)
        reads = np.arange(filters) < filters // groups  # the filters that read channel 0
        expected = np.logical_and.outer(reads, met)[None]
        assert np.array_equal(np.isposinf(result), expected), place
        assert np.isfinite(result[~expected]).all(), place
