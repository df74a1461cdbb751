"""No contraction of the demo's models crawls: each kernel of some work runs at 15 GFLOP/s or more on one thread, or, where it
reads and writes a byte for each operation or nearly so, at a fifth of what the machine's memory allows."""
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import tenon

pytestmark = pytest.mark.executes

FLOOR = 15.0
LEAST_SHARE = 0.2
# Kernels of less work take a few microseconds at most. They are products of a vector with a small matrix, of which every
# element is used once: what they reach is a matter of where the weights are, at two operations per four bytes.
LEAST_WORK = 2e5
MODELS = (("ch_PP-OCRv4_det_infer.onnx", (1, 3, 640, 640)), ("ch_PP-OCRv4_rec_infer.onnx", (1, 3, 48, 320)),
          ("ch_ppocr_mobile_v2.0_cls_infer.onnx", (1, 3, 48, 192)))


@pytest.mark.parametrize("name,shape", MODELS)
def test_contractions_reach_the_floor(name, shape):
    package = importlib.util.find_spec("rapidocr_onnxruntime")
    if package is None:
        pytest.skip("rapidocr-onnxruntime is not installed")
    model = tenon.compile(str(Path(package.origin).parent / "models" / name), threads=1)
    x = np.random.default_rng(0).random(shape, np.float32)
    contractions = {kernel["name"] for kernel in model.explain()["kernels"] if kernel["algorithm"] == "contract"}
    assert contractions
    best = {}
    for _ in range(4):  # a neighbour on the machine slows whole profiles down
        for row in model.profile(x, runs=3):
            if row["name"] in contractions and row["calls"] and row["flops"] / row["calls"] >= LEAST_WORK:
                best[row["name"]] = max(best.get(row["name"], (0.0, 0.0)), (row["gflops"], row["roofline"]))
    slow = {kernel: (round(rate, 1), round(share, 2)) for kernel, (rate, share) in best.items() if rate < FLOOR and share < LEAST_SHARE}
    print(f"{name}: {len(best)} contractions, the slowest {min(best.values(), default=(0, 0))[0]:.0f} GFLOP/s")
    assert not slow
