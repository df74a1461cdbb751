"""Maxima and minima keep NaN wherever it comes from, in chains, reductions and pools."""
import functools

import numpy as np
import pytest

import tenon as tn

pytestmark = pytest.mark.executes
KINDS = {"max": (tn.maximum, np.maximum), "min": (tn.minimum, np.minimum)}


def draw(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape).astype(dtype)
    x.flat[rng.integers(0, x.size, max(1, x.size // 12))] = rng.choice([np.inf, -np.inf], 1)
    return x


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_chains(kind, dtype):
    """Of one to six arrays, with NaN in none or in any one, and a number among them."""
    traced, exact = KINDS[kind]
    for count in range(1, 7):
        f = tn.jit(lambda arrays, traced=traced: traced(functools.reduce(traced, arrays), 0.25))
        for place in range(-1, count):
            arrays = [draw((3, 37), dtype, seed) for seed in range(count)]
            if place >= 0:
                arrays[place][:, ::5] = np.nan
            np.testing.assert_array_equal(f(arrays), exact(functools.reduce(exact, arrays), dtype(0.25)))


@pytest.mark.parametrize("kind", KINDS)
def test_reductions(kind):
    """A NaN in any lane, and in the first or last element."""
    f = tn.jit(lambda x: getattr(x, kind)(1))
    x = draw((70, 67), np.float32)
    for row in range(67):
        x[row, row] = np.nan
    np.testing.assert_array_equal(f(x), getattr(x, kind)(1))


def test_pools():
    f = tn.jit(lambda x: tn.max_pool(x, 3, stride=2))
    x = draw((1, 2, 21, 35), np.float32)
    x[0, 0, ::6, ::7] = np.nan
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))[:, :, ::2, ::2]
    np.testing.assert_array_equal(f(x), windows.max((-1, -2)))
