"""Limits of the listed models: seconds to compile, seconds to load from the cache, peak memory.

Each is measured in a process of its own, with an empty cache of its own. The machine may be busy with other things: loading
counts by the best of a few. Peak memory is that of the process over one compile and one call, above what it is with tenon
imported; the compiler runs in the same process.
"""
import json
import subprocess
import sys

import light_models
import pytest
from test_models import package_file

COMPILE_S, LOAD_S, EXTRA_BYTES = 20.0, 0.3, 300 << 20
QUICK = ("light_resnet50", "light_shufflenet", "light_squeezenet")
OCR = {"ch_PP-OCRv4_det_infer.onnx": [1, 3, 640, 640], "ch_PP-OCRv4_rec_infer.onnx": [1, 3, 48, 320],
       "ch_ppocr_mobile_v2.0_cls_infer.onnx": [1, 3, 48, 192]}

CHILD = """
import json, sys
import numpy as np
import tenon as tn

def peak():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

tn.version()
idle = peak()
path, feeds = sys.argv[1], json.loads(sys.argv[2])
model = tn.compile(path)
arrays = model.random_inputs()
for position, value in enumerate(model.inputs):
    if value.name in feeds:
        feed = feeds[value.name]
        arrays[position] = (np.random.default_rng(0).random(feed).astype(value.dtype) if isinstance(feed, list)
                            else np.array(feed, value.dtype))
model(*arrays)
print(json.dumps({"cached": model.info["cached"], "seconds": model.info["seconds"], "stages": model.info["stages"],
                  "bytes": peak() - idle}))
"""


def measure(path, feeds, environment):
    run = subprocess.run([sys.executable, "-c", CHILD, str(path), json.dumps(feeds)], env=environment,
                         capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def check(path, feeds, cache, environment):
    environment["TENON_CACHE_DIR"] = str(cache)
    compiled = measure(path, feeds, environment)
    loaded = [measure(path, feeds, environment) for _ in range(3)]
    load = min(run["seconds"] for run in loaded)
    limit = 2 * path.stat().st_size + EXTRA_BYTES
    bytes = max(run["bytes"] for run in [compiled, *loaded])
    print(f"{path.name}: compiled in {compiled['seconds']:.2f} s ({compiled['stages']}), loaded in {load:.3f} s, peak "
          f"{compiled['bytes'] >> 20} and {loaded[0]['bytes'] >> 20} MiB of {limit >> 20}")
    assert not compiled["cached"] and all(run["cached"] for run in loaded)
    assert compiled["seconds"] < COMPILE_S, compiled["stages"]
    assert load < LOAD_S
    assert bytes < limit


@pytest.mark.parametrize("name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.full)
                                  for name in light_models.NAMES])
def test_light(name, cache, subprocess_environment):
    check(light_models.path(name), {}, cache, subprocess_environment)


@pytest.mark.parametrize("file", OCR)
def test_ocr(file, cache, subprocess_environment):
    check(package_file("rapidocr_onnxruntime", "models", file), {"x": OCR[file]}, cache, subprocess_environment)


def test_silero(cache, subprocess_environment):
    check(package_file("silero_vad", "data", "silero_vad.onnx"), {"input": [1, 512], "state": [2, 1, 128], "sr": 16000},
          cache, subprocess_environment)
