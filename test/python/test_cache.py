"""The cache of compiled models: hits load no compiler, every part of the key matters, damage is survived."""
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import small_models
from conftest import ROOT


def info(tn, *arguments, **named):
    return tn.compile(*arguments, **named).info


def test_second_compile_is_a_hit(tn, cache):
    model = small_models.add()
    assert not info(tn, model)["cached"]
    second = tn.compile(model)
    assert second.info["cached"] and second.info["seconds"] < 0.3
    np.testing.assert_array_equal(second(np.zeros((2, 4), np.float32)), np.ones((2, 4), np.float32))
    assert not info(tn, model, cache=False)["cached"]


def test_every_part_of_the_key_matters(tn, cache):
    base, _ = small_models.mlp()
    assert not info(tn, base)["cached"]
    weights, _ = small_models.mlp(seed=1)
    nodes = small_models.mlp()[0]
    nodes.graph.node[1].op_type = "Sigmoid"
    for change, arguments in {"weights": (weights,), "nodes": (nodes,)}.items():
        assert not info(tn, *arguments)["cached"], change
    assert not info(tn, base, shapes={"x": [4, 16]})["cached"]
    assert not info(tn, base, shapes={"x": [5, 16]})["cached"]
    assert not info(tn, base, target="x86-64-v3")["cached"]
    assert info(tn, base)["cached"]


def test_a_changed_file_misses(tn, cache, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(small_models.mlp(seed=0)[0].SerializeToString())
    x = np.ones((1, 16), np.float32)
    first = tn.compile(path)(x)
    path.write_bytes(small_models.mlp(seed=1)[0].SerializeToString())
    model = tn.compile(path)
    assert not model.info["cached"]
    assert not np.allclose(model(x), first)


def test_hits_load_no_compiler(tn, cache, subprocess_environment):
    subprocess_environment["PYTHONPATH"] += f":{ROOT / 'test' / 'python'}"
    subprocess_environment["TENON_CACHE_DIR"] = str(cache)
    code = ("import tenon, small_models; import numpy as np\n"
            "model = tenon.compile(small_models.add().SerializeToString())\n"
            "assert (model(np.zeros((1, 4), np.float32)) == 1).all()\n"
            "print(model.info['cached'], any('libMLIR' in line or 'libLLVM' in line for line in open('/proc/self/maps')))")
    for expected in ("False True", "True False"):
        run = subprocess.run([sys.executable, "-c", code], env=subprocess_environment, capture_output=True, text=True)
        assert run.stdout.strip() == expected, run.stderr


@pytest.mark.parametrize("damage", ["truncate", "zero", "flip", "directory"])
def test_damaged_files_are_not_trusted(tn, cache, damage):
    model = small_models.add()
    tn.compile(model)
    files = [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size]
    assert files
    for path in files:
        data = bytearray(path.read_bytes())
        path.unlink()
        if damage == "truncate":
            path.write_bytes(data[: len(data) // 2])
        elif damage == "zero":
            path.write_bytes(b"")
        elif damage == "flip":
            data[len(data) // 2] ^= 0xFF
            path.write_bytes(data)
        else:
            path.mkdir()
    try:
        result = tn.compile(model)(np.zeros((1, 4), np.float32))
    except tn.Error as error:
        assert damage == "directory", error
    else:
        assert (result == 1).all()


def test_killed_writers_leave_a_working_cache(tn, cache, subprocess_environment):
    subprocess_environment["PYTHONPATH"] += f":{ROOT / 'test' / 'python'}"
    subprocess_environment["TENON_CACHE_DIR"] = str(cache)
    code = "import tenon, small_models; tenon.compile(small_models.mlp()[0].SerializeToString())"
    for delay in (0.15, 0.25, 0.3, 0.35, 0.4, 0.45):
        process = subprocess.Popen([sys.executable, "-c", code], env=subprocess_environment)
        time.sleep(delay)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
    model, reference = small_models.mlp()
    x = np.ones((3, 16), np.float32)
    for _ in range(2):
        np.testing.assert_allclose(tn.compile(model)(x), reference(x), rtol=1e-3, atol=1e-4)


def test_two_processes_share_a_cache(cache, subprocess_environment):
    subprocess_environment["PYTHONPATH"] += f":{ROOT / 'test' / 'python'}"
    subprocess_environment["TENON_CACHE_DIR"] = str(cache)
    code = ("import tenon, small_models; import numpy as np\n"
            "for seed in range(4):\n"
            "    model, reference = small_models.mlp(seed)\n"
            "    x = np.ones((2, 16), np.float32)\n"
            "    assert np.allclose(tenon.compile(model)(x), reference(x), 1e-3, 1e-4)")
    processes = [subprocess.Popen([sys.executable, "-c", code], env=subprocess_environment, stderr=subprocess.PIPE)
                 for _ in range(2)]
    for process in processes:
        assert process.wait() == 0, process.stderr.read().decode()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_cache(tn, cache):
    cache.mkdir(mode=0o500)
    tn.compile(small_models.add())
