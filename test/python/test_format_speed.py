"""Weights of four bits decoded in registers against f32: one row times 4096x4096, on one thread.

Calls of both models alternate, so that what else the machine does meets both; the best of each counts.
"""
import os
import sys
import time

import numpy as np
import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "test" / "Integration"))
import format_speed  # noqa: E402

pytestmark = pytest.mark.executes
SIZE = 4096


def is_wide():
    return "avx512bw" in open("/proc/cpuinfo").read() and os.environ.get("TENON_TARGET", "host") in ("", "host")


def measure_ratio(models, x, seconds=1.0):
    best, until = [float("inf")] * len(models), time.perf_counter() + seconds
    while time.perf_counter() < until:
        for number, (model, out) in enumerate(models):
            start = time.perf_counter()
            model(x, out=out)
            best[number] = min(best[number], time.perf_counter() - start)
    return best[0] / best[1]


# With 512-bit vectors f32 is bound by memory: 3.0 is what a machine with slow memory shows, 1.35 to 2.1 one whose third level keeps
# more or less of the f32 weights. With 256 bits decoding, of twice as many vectors, is the bound: 1.4 to 1.9 were measured
# (nf4g64: 1.37). The bounds hold on a busy machine too; a kernel that does not decode in registers, which writes and reads f32,
# misses them.
@pytest.mark.parametrize("name, wide, narrow", [("Q4_1", 1.2, 1.2), ("i4g32", 1.2, 1.2), ("nf4g64", 1.2, 1.05)])
def test_four_bits_are_faster_than_f32(tn, tmp_path, name, wide, narrow):
    models = [(tn.compile(format_speed.make_model(kind, SIZE, SIZE, None, 1, str(tmp_path)), threads=1), np.empty((1, SIZE), np.float32))
              for kind in ("f32", name)]
    x = np.random.default_rng(0).standard_normal((1, SIZE), np.float32)
    assert sum(kernel["ms"] > 0 for kernel in models[1][0].profile(x)) == 1
    least = wide if is_wide() else narrow
    ratios = []
    for _ in range(4):  # the machine may be busy
        ratios.append(measure_ratio(models, x))
        if ratios[-1] >= least:
            break
    assert max(ratios) >= least, ratios
