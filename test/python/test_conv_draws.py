"""Drawn convolutions, compiled and run: see test/Integration/conv_draws.py."""
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tenon as tn

SCRIPT = Path(__file__).resolve().parents[1] / "Integration" / "conv_draws.py"
pytestmark = pytest.mark.executes


def draw(count, seed, precision="reorder"):
    done = subprocess.run([sys.executable, str(SCRIPT), "--count", str(count), "--seed", str(seed), "--precision", precision],
                          capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def test_some():
    draw(40, seed=1)


@pytest.mark.full
def test_all():
    draw(500, seed=0)


def test_some_within_bounds():
    draw(30, seed=1, precision="fast")


@pytest.mark.full
def test_all_within_bounds():
    draw(300, seed=0, precision="fast")


#: channels, filters, height, width, kernel, dilation, pads: each has work for several units and padding in its taps.
PADDED = [(32, 48, 14, 15, (3, 3), 1, ((1, 1), (1, 1))), (40, 33, 13, 14, (5, 3), 1, ((2, 3), (0, 1))),
          (24, 64, 17, 10, (3, 3), 4, ((4, 4), (4, 4))), (32, 32, 16, 16, (7, 1), 1, ((0, 5), (0, 0)))]


@pytest.mark.parametrize("channels, filters, height, width, kernel, dilation, pads", PADDED)
def test_units_leave_out_padding(channels, filters, height, width, kernel, dilation, pads):
    """Units of a few lines look only at taps inside the image: small multiples of 1/8 make sums exact, so all bits agree."""
    rng = np.random.default_rng(channels)
    x, w = (rng.integers(-8, 9, shape).astype(np.float32) / 8
            for shape in ((1, channels, height, width), (filters, channels, *kernel)))
    model = tn.jit(lambda x: tn.conv(x, w, padding=pads, dilation=dilation)).compile(x)
    assert re.search(r"parallel = \[\d+, [1-9]", str(model.explain()["kernels"]))
    padded = np.pad(x[0].astype(np.float64), ((0, 0), *pads))
    rows, columns = (padded.shape[1 + i] - dilation * (kernel[i] - 1) for i in range(2))
    expected = sum(np.einsum("chw,fc->fhw", padded[:, r * dilation:r * dilation + rows, s * dilation:s * dilation + columns], w[:, :, r, s])
                   for r in range(kernel[0]) for s in range(kernel[1]))
    np.testing.assert_array_equal(model(x)[0], expected)


#: batch, channels, height, width, kernel, stride, dilation, pads
DEPTHWISE = [(1, 37, 14, 15, (3, 3), 1, 1, ((1, 1), (1, 1))), (1, 96, 23, 30, (3, 3), 2, 1, ((1, 1), (1, 1))),
             (2, 40, 13, 19, (5, 3), 1, 2, ((4, 3), (0, 2))), (3, 9, 17, 21, (7, 7), 3, 1, ((3, 3), (2, 3))),
             (1, 300, 7, 7, (7, 7), 1, 1, ((3, 3), (3, 3)))]


@pytest.mark.parametrize("batch, channels, height, width, kernel, stride, dilation, pads", DEPTHWISE)
def test_units_pad_their_own_channels(batch, channels, height, width, kernel, stride, dilation, pads):
    """A depthwise convolution's units copy what they read: one kernel, exact sums."""
    rng = np.random.default_rng(channels)
    x, w = (rng.integers(-8, 9, shape).astype(np.float32) / 8
            for shape in ((batch, channels, height, width), (channels, 1, *kernel)))
    function = tn.jit(lambda x: tn.nn.relu(tn.conv(x, w, padding=pads, dilation=dilation, stride=stride, groups=channels)))
    model = function.compile(x)
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), *pads))
    rows, columns = ((padded.shape[2 + i] - dilation * (kernel[i] - 1) - 1) // stride + 1 for i in range(2))
    expected = np.zeros((batch, channels, rows, columns))
    for r in range(kernel[0]):
        for s in range(kernel[1]):
            window = padded[:, :, r * dilation:, s * dilation:][:, :, :rows * stride:stride, :columns * stride:stride]
            expected += window[:, :, :rows, :columns] * w[:, 0, r, s][None, :, None, None]
    np.testing.assert_array_equal(model(x), np.maximum(expected, 0))
    ran = [kernel for kernel in model.profile(x, runs=1, peaks=(1e9, 1e9)) if kernel["calls"]]
    assert len(ran) == 1, ran
