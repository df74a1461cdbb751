"""Many calls with random shapes: memory stays as it is, and results are the same bits on any number of threads, at any time."""
import os
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.executes
CALLS = 10_000 if os.environ.get("TENON_TEST_FULL") else 2_000


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def block(tn):
    def run(x, w, k, v):
        y = tn.nn.softmax(tn.nn.rms_norm(x @ w, np.ones(32, np.float32)))
        return tn.attention(y.reshape(1, 1, -1, 32), k, v, mask=tn.masks.causal()), tn.tanh(x).sum(0)
    return run


def draw(r):
    rows, keys = int(r.integers(1, 200)), int(r.integers(1, 200))
    return [r.standard_normal(shape).astype(np.float32) for shape in ((rows, 48), (48, 32), (1, 1, keys, 32), (1, 1, keys, 32))]


DIMS = {"x": ("m", 48), "k": (1, 1, "t", 32), "v": (1, 1, "t", 32)}


def test_memory_is_flat_after_warm_up(tn):
    run, r = tn.jit(block(tn), dims=DIMS), np.random.default_rng(0)
    cases = [draw(r) for _ in range(200)]
    for number in range(CALLS // 5):
        run(*cases[number % 200])
    before = resident()
    for _ in range(CALLS):
        run(*cases[int(r.integers(200))])
    assert resident() - before < 2 << 20


def test_bits_do_not_depend_on_threads_or_time(tn):
    one, two = (tn.jit(block(tn), dims=DIMS, threads=threads) for threads in (1, 2))
    r = np.random.default_rng(1)
    for _ in range(60):
        arrays = draw(r)
        first = one(*arrays)
        for again in (one(*arrays), two(*arrays), two(*arrays)):
            for a, b in zip(first, again):
                assert np.array_equal(a, b)


def test_bits_of_open_and_of_fixed_sizes_are_the_same(tn):
    """Several columns: one that is known to be alone is summed in the lanes, in another order."""
    r, matmul = np.random.default_rng(2), lambda x, w: x @ w
    open_one = tn.jit(matmul, dims={"x": ("m", "k"), "w": ("k", "n")})
    for m, k, n in ((127, 101, 103), (33, 515, 71), (1, 64, 200), (8, 33, 48), (65, 200, 17)):
        x, w = r.standard_normal((m, k)).astype(np.float32), r.standard_normal((k, n)).astype(np.float32)
        assert np.array_equal(open_one(x, w), tn.jit(matmul)(x, w)), (m, k, n)
