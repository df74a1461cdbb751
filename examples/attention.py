"""A form of attention of your own: soft-capped scores, a learned bias per head and distance, a causal window.

`mine` is compiled to one kernel that never stores a score; `step_by_step` has the same meaning in the operations that one
would write without it. Fusion recognises the attention in them, so they are timed with it and without. The demo compares
results and times.
"""
import time

import numpy as np

import tenon as tn
from tenon.cli import common

WINDOW = 255


@tn.jit
def mine(q, k, v, bias):  # q, k, v [B, H, S, D]; bias [H, S]
    cap, scale = 30.0, q.shape[3] ** -0.5

    def score(s, b, h, i, j):
        return cap * tn.tanh(s * (scale / cap)) + bias[h, j]

    near = tn.masks.causal() & tn.masks.window(WINDOW)
    return tn.attention(q, k, v, score=score, mask=near)


@tn.jit
def step_by_step(q, k, v, bias):
    s = tn.einsum("bhid,bhjd->bhij", q, k) * q.shape[3] ** -0.5
    s = 30.0 * tn.tanh(s / 30.0) + bias[:, None]
    behind = tn.arange(s.shape[2])[:, None] - tn.arange(s.shape[3])
    s = tn.where((behind >= 0) & (behind <= WINDOW), s, -1e30)
    return tn.einsum("bhij,bhjd->bhid", tn.nn.softmax(s), v)


def in_float64(q, k, v, bias):
    """The same in NumPy."""
    q, k, v, bias = (x.astype(np.float64) for x in (q, k, v, bias))
    s = 30 * np.tanh(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[3]) / 30) + bias[:, None]
    behind = np.arange(s.shape[2])[:, None] - np.arange(s.shape[3])
    s = np.where((behind >= 0) & (behind <= WINDOW), s, -np.inf)
    p = np.exp(s - s.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True) @ v


def best_ms(function, *arrays):
    times = []
    for _ in range(7):
        start = time.perf_counter()
        function(*arrays)
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


def show(options):
    """Compares and times both forms; 0 where both are right."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((1, 8, 1024, 64)).astype(np.float32) for _ in range(3)]
    arrays.append(rng.standard_normal((8, 1024)).astype(np.float32))
    expected = in_float64(*arrays)
    table = common.table("attention 8x1024x1024x64, soft cap, bias, window of 256", ["form", ">kernels", ">ms", ">largest error"])
    worst = 0
    for name, function, fusion in (("tn.attention", mine, True), ("step by step", step_by_step, True),
                                   ("step by step, no fusion", step_by_step, False)):
        function = tn.jit(function.__wrapped__, threads=options.threads, fusion=fusion)
        with common.progress(f"compiling {name}"):
            error = np.abs(function(*arrays) - expected).max()
            kernels = len(function.compile(*arrays).explain()["kernels"])
        worst = max(worst, error)
        table.add_row(name, str(kernels), f"{best_ms(function, *arrays):.2f}", f"{error:.1e}")
    common.console().print(table)
    return 0 if worst < 1e-4 else 1
