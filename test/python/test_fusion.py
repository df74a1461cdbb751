"""What fusion is worth: the same program with it and without, taking turns."""
import subprocess
import sys
import time

import numpy as np
import pytest

import tenon as tn

pytestmark = pytest.mark.executes


def spelled(q, k, v):
    s = tn.einsum("bhid,bhjd->bhij", q, k) * 0.125
    return tn.einsum("bhij,bhjd->bhid", tn.nn.softmax(s), v)


def turns(functions, arrays, rounds=15):
    """Best seconds of each function, called in turns."""
    best = [float("inf")] * len(functions)
    for _ in range(rounds):
        for number, function in enumerate(functions):
            start = time.perf_counter()
            function(*arrays)
            best[number] = min(best[number], time.perf_counter() - start)
    return best


def test_attention_is_faster_fused():
    arrays = [np.random.default_rng(0).standard_normal((1, 8, 1024, 64)).astype(np.float32) for _ in range(3)]
    fused, plain = tn.jit(spelled, threads=1), tn.jit(spelled, threads=1, fusion=False)
    np.testing.assert_allclose(fused(*arrays), plain(*arrays), rtol=1e-4, atol=1e-5)
    assert len(fused.compile(*arrays).explain()["kernels"]) == 1 < len(plain.compile(*arrays).explain()["kernels"])
    least = 1.3 if fused.compile(*arrays).explain()["target"]["vector_bits"] == 512 else 1.15  # products take longer, the rest as long
    ratios = []
    for _ in range(4):  # the machine may be busy
        one, other = turns([fused, plain], arrays)
        ratios.append(other / one)
        if ratios[-1] > least:
            break
    assert max(ratios) > least, ratios


MEMORY = """
import sys
import numpy as np
import tenon as tn
sys.path.insert(0, sys.argv[1])
from test_fusion import spelled
arrays = [np.ones((1, 8, 1024, 64), np.float32) for _ in range(3)]
f = tn.jit(spelled, threads=2, fusion=sys.argv[2] == "fused").compile(*arrays)
open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
peak = lambda: int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
before = peak()
f(*arrays)
print(peak() - before)
"""


def test_no_matrix_of_scores(subprocess_environment):
    """33.5 MB of scores are there without fusion, and no part of them with it. A compile before fills the cache, so that its
    memory does not hide that of the call."""
    from pathlib import Path

    def grown(form):
        for _ in range(2):
            run = subprocess.run([sys.executable, "-c", MEMORY, str(Path(__file__).parent), form], capture_output=True, text=True,
                                 check=True, env=subprocess_environment)
        return int(run.stdout) * 1024

    scores = 8 * 1024 * 1024 * 4
    assert grown("plain") > scores
    assert grown("fused") < scores / 4


def test_every_op_is_a_kernel_without_fusion():
    f = lambda x, w: tn.nn.relu(x @ w + 1.0).sum(1)  # noqa: E731
    x, w = np.ones((8, 16), np.float32), np.ones((16, 4), np.float32)
    fused, plain = tn.jit(f), tn.jit(f, fusion=False)
    np.testing.assert_array_equal(fused(x, w), plain(x, w))
    assert len(plain.compile(x, w).explain()["kernels"]) > len(fused.compile(x, w).explain()["kernels"])
